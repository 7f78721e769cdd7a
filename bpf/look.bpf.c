/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Looks: iterators that walk what is there now. Events flow meanwhile, so a socket that opens or
 * closes during a walk is in one of both. A first look is adopt_sockets, which gives all sockets of
 * all fd tables storage and an owner; then tag_sockets in each network namespace that has more of
 * them: orphans, children that nobody accepted, descriptors in flight. Then, and in each further
 * look, look_at_sockets.
 */
#include "kernel.bpf.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include "event.bpf.h"

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)
struct seq_file;

struct bpf_iter_meta {
	struct seq_file *seq;
};

struct bpf_iter__tcp {
	struct bpf_iter_meta *meta;
	struct sock_common *sk_common;
	__u32 uid __attribute__((aligned(8)));
};

struct bpf_iter__task_file {
	struct bpf_iter_meta *meta;
	struct task_struct *task;
	__u32 fd;
	struct file *file;
};

struct bpf_map;

struct bpf_iter__bpf_sk_storage_map {
	struct bpf_iter_meta *meta;
	struct bpf_map *map;
	struct sock *sk;
	void *value;
};

struct inet_timewait_sock {
	volatile unsigned char tw_substate;
};

struct tcp_timewait_sock {
	struct inet_timewait_sock tw_sk;
};
#pragma clang attribute pop

#define TCP_NEW_SYN_RECV 12

/* Of tracked_socket.holder_look: a walk through the fd tables did not find the socket. */
#define IN_NO_FD_TABLE 255

/* What an iterator returns so that read() fails with EAGAIN and the next one shows the same object.
 */
#define PAUSE 1

/* What user space says of a look, and what it hears. */
struct look {
	__u8 walk;	      /* through the fd tables: the number of the last one, 1 to 254 */
	__u8 follows_walk;    /* that walk belongs to this look */
	__u8 replaces_owners; /* whoever the walk did not see holding his socket loses it */
	__u8 number;	      /* of this look, 1 to 255 */
	__u32 strangers;      /* sockets that no walk has looked for yet */
	__u32 wrong_owners;   /* sockets that others hold, but not their owner */
	__u32 filled;	      /* rows in look_rows */
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct look);
} looks SEC(".maps");

/* The rows of a look; user space sets the size. When it is full the walk pauses, so that user space
 * can empty it. bpf_seq_write has room for 146 rows, and after a pause the kernel goes through the
 * sockets from the first one again: with 100,000 of them that took three times as long as the rest.
 */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 16384);
	__type(key, __u32);
	__type(value, struct connection_row);
} look_rows SEC(".maps");

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

/* A second reading in a loop: the compiler may not take it for the first. */
#define READ_AGAIN(field) (*(volatile typeof(field) *)&(field))

/*
 * The ISN of a connection that is older than us, and who began it. What was sent once is bytes_sent
 * - bytes_retrans; what the peer has or may have of that, with SYN and FIN, is bytes_acked +
 * snd_nxt - snd_una. The client's bytes_acked has its SYN in it, the server's has not.
 */
static __always_inline void learn_isn(struct tracked_socket *tracked, struct tcp_sock *tp,
				      int state)
{
	__u32 snd_una = READ_AGAIN(tp->snd_una), snd_nxt = READ_AGAIN(tp->snd_nxt);
	__u32 sent = (__u32)tp->bytes_acked + snd_nxt - snd_una;
	__u32 our_fin = fin_queued(state) && snd_nxt == tp->write_seq;
	__u32 syn = sent - (__u32)(tp->bytes_sent - tp->bytes_retrans) - our_fin;
	__u32 isn = isn_of(tp), isn_peer = tp->rcv_nxt - (__u32)tp->bytes_received - 1;

	/* Nobody locks the socket for us: numbers that moved meanwhile say nothing. */
	if (syn > 1 || snd_una != READ_AGAIN(tp->snd_una) || snd_nxt != READ_AGAIN(tp->snd_nxt) ||
	    isn != READ_AGAIN(tp->snd_una) - (__u32)READ_AGAIN(tp->bytes_acked) ||
	    isn_peer != READ_AGAIN(tp->rcv_nxt) - (__u32)READ_AGAIN(tp->bytes_received) - 1)
		return;
	tracked->role = syn ? ROLE_CLIENT : ROLE_SERVER;
	tracked->isn_local = syn ? isn : isn - 1;
	tracked->isn_peer = isn_peer;
	tracked->has_isn = 1;
}

/* What the kernel still knows of how a socket began that no event told of. */
static __always_inline void learn_beginning(struct tracked_socket *tracked, struct tcp_sock *tp,
					    struct sock *sk)
{
	int state = sk->__sk_common.skc_state;

	if (state == TCP_LISTEN)
		tracked->role = ROLE_SERVER;
	else if (state == TCP_SYN_SENT)
		tracked->role = ROLE_CLIENT;
	else if (state != TCP_CLOSE && state != TCP_SYN_RECV && !tracked->has_isn)
		learn_isn(tracked, tp, state);
}

/* Storage for a socket that is older than us and in no fd table. */
SEC("iter/tcp")
int tag_sockets(struct bpf_iter__tcp *ctx)
{
	struct sock_common *common = ctx->sk_common;
	struct tracked_socket *tracked;
	struct tcp_sock *tp;
	struct sock *sk;

	if (!common)
		return 0;
	tp = bpf_skc_to_tcp_sock(common);
	if (!tp)
		return 0;
	sk = &tp->inet_conn.icsk_inet.sk;
	if (sk->sk_protocol != IPPROTO_TCP)
		return 0;
	tracked = track(sk);
	if (!tracked)
		return 0;
	learn_beginning(tracked, tp, sk);
	return 0;
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

SEC("iter/task_file")
int adopt_sockets(struct bpf_iter__task_file *ctx)
{
	struct task_struct *task = ctx->task;
	struct file *file = ctx->file;
	struct tracked_socket *tracked;
	struct look *look = this_look();
	struct socket *socket;
	struct tcp_sock *tp;
	struct sock *sk;

	if (!task || !file || !look)
		return 0;
	socket = bpf_sock_from_file(file);
	if (!socket)
		return 0;
	sk = socket->sk;
	if (!sk)
		return 0;
	if (sk->sk_protocol == IPPROTO_MPTCP) {
		note_mptcp_holder(socket, task);
		return 0;
	}
	tp = bpf_skc_to_tcp_sock(sk);
	if (sk->sk_protocol != IPPROTO_TCP || !tp)
		return 0;
	tracked = track(sk);
	if (!tracked)
		return 0;
	learn_beginning(tracked, tp, sk);
	tracked->socket_inode = file->f_inode->i_ino;
	note_holder(tracked, task, look);
	return 0;
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

/* Whether somebody is working on a socket: a task that owns it, or a softirq. */
static __always_inline bool is_locked(struct sock *sk)
{
	if (READ_AGAIN(sk->sk_lock.owned))
		return true;
	/* A kernel for real time has another lock there. */
	return bpf_core_field_exists(sk->sk_lock.slock.rlock.raw_lock.val) &&
	       READ_AGAIN(sk->sk_lock.slock.rlock.raw_lock.val.counter);
}

/*
 * The counters of a socket that we do not lock: read again if they moved meanwhile or somebody
 * works on it, at most four times. False if it is no longer the connection that the row is about.
 */
static __always_inline bool fill_live_traffic(struct connection_row *row, struct tcp_sock *tp,
					      struct tracked_socket *tracked, struct sock *sk)
{
	struct shown *shown = &tracked->shown;
	bool is_quiet = false;
	int state = 0;

	for (int tries = 0; tries < 4 && !is_quiet; tries++) {
		__u32 snd_una = READ_AGAIN(tp->snd_una), write_seq = READ_AGAIN(tp->write_seq);
		__u64 bytes_received = READ_AGAIN(tp->bytes_received);

		state = READ_AGAIN(sk->__sk_common.skc_state);
		barrier();
		fill_tracked_traffic(row, tracked, tp, state);
		barrier();
		is_quiet = !is_locked(sk) && snd_una == READ_AGAIN(tp->snd_una) &&
			   write_seq == READ_AGAIN(tp->write_seq) &&
			   bytes_received == READ_AGAIN(tp->bytes_received) &&
			   state == READ_AGAIN(sk->__sk_common.skc_state);
	}
	/* The kernel stores a state after its tracepoint: an event may have told the end already.
	 * And the memory of a dead socket may be another one's. */
	if (state == TCP_CLOSE || READ_AGAIN(tracked->state) == TCP_CLOSE ||
	    READ_AGAIN(tracked->connection_id) != row->connection_id ||
	    READ_AGAIN(sk->__sk_common.skc_cookie.counter) != row->socket_id)
		return false;
	row->state = state;
	if (!is_quiet) {
		row->exact &= ~GROUP_TRAFFIC;
		/* It may be a FIN for which SOCK_DONE is not set yet. */
		if (row->bytes_received)
			row->bytes_received--;
	}
	if (row->bytes_sent < shown->bytes_sent)
		row->bytes_sent = shown->bytes_sent;
	if (row->bytes_received < shown->bytes_received)
		row->bytes_received = shown->bytes_received;
	shown->bytes_sent = row->bytes_sent;
	shown->bytes_received = row->bytes_received;
	return true;
}

/* Whether the owner is known as well as fd tables tell it. */
static __always_inline void count_doubts(struct tracked_socket *tracked, struct look *look)
{
	const struct owner *owner = &tracked->owner;

	if (look->follows_walk) {
		if (!tracked->holder_look)
			tracked->holder_look = IN_NO_FD_TABLE;
		if (owner->pid && tracked->holder_look == look->walk && owner->look != look->walk)
			look->wrong_owners++;
	} else if (!tracked->holder_look && owner->evidence != OWNER_CONNECT &&
		   owner->evidence != OWNER_ACCEPT) {
		look->strangers++;
	}
}

/*
 * Writes each open socket once: what this look has shown already it skips. So a walk can be
 * repeated until one came to its end without a pause. After a pause the kernel counts elements to
 * find where it was, and misses one for each that went away meanwhile.
 */
SEC("iter/bpf_sk_storage_map")
int look_at_sockets(struct bpf_iter__bpf_sk_storage_map *ctx)
{
	struct tracked_socket *tracked = ctx->value;
	struct look *look = this_look();
	struct connection_row *row;
	struct sock *sk = ctx->sk;
	struct tcp_sock *tp;
	__u32 place;
	int state;

	if (!tracked || !sk || !look || !tracked->socket_id || tracked->shown.look == look->number)
		return 0;
	tp = bpf_skc_to_tcp_sock(sk);
	state = sk->__sk_common.skc_state;
	if (!tp || state == TCP_CLOSE)
		return 0;
	place = look->filled;
	row = bpf_map_lookup_elem(&look_rows, &place);
	if (!row)
		return PAUSE;
	adopt_subflow(tracked, tp, sk, look);
	count_doubts(tracked, look);
	__builtin_memset(row, 0, sizeof(*row));
	fill_row(row, tracked, tp, KIND_SNAPSHOT, bpf_ktime_get_boot_ns());
	row->state = state;
	if (state == TCP_LISTEN)
		fill_queue(row, sk);
	else if (!fill_live_traffic(row, tp, tracked, sk))
		return 0;
	/* An id that no event has given yet is the one that an event will give. */
	if (!row->connection_id)
		row->connection_id = name_of(row->socket_id, connection_tag(isn_of(tp)));
	look->filled = place + 1;
	tracked->shown.look = look->number;
	return 0;
}

/* What the kernel keeps of connections that are no sockets yet or no longer. */
SEC("iter/tcp")
int look_at_minisockets(struct bpf_iter__tcp *ctx)
{
	struct sock_common *common = ctx->sk_common;
	struct connection_row row = {};
	struct tcp_timewait_sock *timewait;
	int state;

	if (!common)
		return 0;
	state = common->skc_state;
	if (state != TCP_TIME_WAIT && state != TCP_NEW_SYN_RECV)
		return 0;
	row.kind = KIND_SNAPSHOT;
	row.time_ns = bpf_ktime_get_boot_ns();
	row.uid = ctx->uid;
	fill_common(&row, common);
	row.state = TCP_SYN_RECV;
	row.role = ROLE_SERVER;
	timewait = bpf_skc_to_tcp_timewait_sock(common);
	if (timewait) {
		row.state = timewait->tw_sk.tw_substate;
		row.role = ROLE_UNKNOWN;
	}
	bpf_seq_write(ctx->meta->seq, &row, sizeof(row));
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
