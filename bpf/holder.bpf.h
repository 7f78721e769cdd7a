/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Who holds a socket, as the fd tables have it: noted by a walk through them, compared with the
 * owner that events told in the look that follows.
 */
#ifndef CONNSCOPE_HOLDER_BPF_H
#define CONNSCOPE_HOLDER_BPF_H

#include "tracked_socket.bpf.h"

/* Of tracked_socket.holder_look: a walk through the fd tables did not find the socket. */
#define IN_NO_FD_TABLE 255

/* So long a connection must be open before somebody goes and asks who holds it. */
#define STRANGER_AGE_NS 100000000

/* What user space says of a look, and what it hears. */
struct look {
	__u64 turn;	      /* of this look, from 1 */
	__u64 whole;	      /* of the last one that wrote all rows, this one perhaps */
	__u64 began_ns;	      /* this look */
	__u32 strangers;      /* sockets of some age that no walk has looked for yet */
	__u32 wrong_owners;   /* sockets that others hold, but not their owner */
	__u32 filled;	      /* rows in look_rows */
	__u32 without_room;   /* sockets that there was no row for */
	__u8 walk;	      /* through the fd tables: the number of the last one, 1 to 254 */
	__u8 follows_walk;    /* that walk belongs to this look */
	__u8 replaces_owners; /* whoever the walk did not see holding his socket loses it */
	__u8 reserved[5];
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct look);
} looks SEC(".maps");

/* MPTCP socket (its struct socket, which its subflows share) → the first process that holds it. The
 * subflows are in no fd table, and from the MPTCP socket no typed pointer leads to their storage.
 * Emptied by user space before each walk. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 65536);
	__type(key, __u64);
	__type(value, struct owner);
} mptcp_owners SEC(".maps");

static __always_inline struct look *this_look(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&looks, &zero);
}

/* Who holds the socket: the owner, or the first of those that do if there is none, or if it is
 * certain that the owner does not. Tasks come in the order of their pids. */
static __always_inline void note_holder(struct tracked_socket *tracked, struct task_struct *task,
					const struct look *look)
{
	struct owner *owner = &tracked->owner;
	bool is_first = tracked->holder_look != look->walk;
	__u32 evidence = OWNER_FD_TABLE;

	tracked->holder_look = look->walk;
	if (owner->pid && owner->look == look->walk)
		return;
	if (owner->pid == task->tgid &&
	    owner->process_start_ns == task->group_leader->start_boottime) {
		/* It was seen with the socket, and may have got another name by exec. */
		if (owner->evidence == OWNER_CONNECT || owner->evidence == OWNER_ACCEPT)
			evidence = owner->evidence;
	} else if (owner->pid && !look->replaces_owners && (!is_first || owner->pid > task->tgid)) {
		return;
	}
	note_task(owner, task, evidence);
	owner->look = look->walk;
}

static __always_inline void note_mptcp_holder(struct socket *socket, struct task_struct *task)
{
	__u64 key = (__u64)socket;
	struct owner owner = {};

	note_task(&owner, task, OWNER_FD_TABLE);
	if (bpf_map_update_elem(&mptcp_owners, &key, &owner, BPF_NOEXIST) == -E2BIG)
		COUNT_LOSS(owners_full);
}

/* The owner of a subflow is who holds its MPTCP socket, unless an event has told better. */
static __always_inline void adopt_subflow(struct tracked_socket *tracked, struct tcp_sock *tp,
					  struct sock *sk, const struct look *look)
{
	__u64 key = (__u64)sk->sk_socket;
	const struct owner *holder;

	if (!bpf_core_field_exists(tp->is_mptcp) || !tp->is_mptcp || !key)
		return;
	holder = bpf_map_lookup_elem(&mptcp_owners, &key);
	if (!holder)
		return;
	tracked->holder_look = look->walk;
	if (tracked->owner.evidence != OWNER_CONNECT && tracked->owner.evidence != OWNER_ACCEPT)
		tracked->owner = *holder;
	tracked->owner.look = look->walk;
	note_inode(tracked, sk);
}

/*
 * Whether the owner is known as well as fd tables tell it. A walk through them takes as long as a
 * look, and on a busy server each look meets a connection that began a moment ago and will soon be
 * gone: nobody asks for the owner of those.
 */
static __always_inline void count_doubts(struct tracked_socket *tracked, struct look *look)
{
	const struct owner *owner = &tracked->owner;

	if (look->follows_walk) {
		if (!tracked->holder_look)
			tracked->holder_look = IN_NO_FD_TABLE;
		if (owner->pid && tracked->holder_look == look->walk && owner->look != look->walk)
			look->wrong_owners++;
	} else if (!tracked->holder_look && owner->evidence != OWNER_CONNECT &&
		   owner->evidence != OWNER_ACCEPT &&
		   (__s64)(look->began_ns - tracked->opened_ns) >= STRANGER_AGE_NS) {
		look->strangers++;
	}
}

#endif
