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
#include "holder.bpf.h"
#include "unlocked.bpf.h"

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

/* What an iterator returns so that read() fails with EAGAIN and the next one shows the same object.
 */
#define PAUSE 1

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

/* The last look that has shown the row in the same place. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 16384);
	__type(key, __u32);
	__type(value, __u64);
} look_turns SEC(".maps");

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

/*
 * Whether the row that an earlier look has written says all still: each segment, and each byte that
 * is written or read, moves one of these. Who gets another owner by an event is told by that; what
 * the fd tables say needs a look that writes all rows.
 */
static __always_inline bool is_as_shown(const struct tracked_socket *tracked, struct tcp_sock *tp,
					int state, const struct look *look)
{
	const struct shown *shown = &tracked->shown;

	return shown->whole == look->whole && shown->state == state &&
	       shown->segs_in == tp->segs_in && shown->segs_out == tp->segs_out &&
	       shown->write_seq == tp->write_seq && shown->copied_seq == tp->copied_seq &&
	       !(accept_owners_kept && tracked->role == ROLE_SERVER);
}

static __always_inline void note_as_shown(struct shown *shown, struct tcp_sock *tp)
{
	shown->whole = 0;
	shown->segs_in = READ_AGAIN(tp->segs_in);
	shown->segs_out = READ_AGAIN(tp->segs_out);
	shown->write_seq = READ_AGAIN(tp->write_seq);
	shown->copied_seq = READ_AGAIN(tp->copied_seq);
	barrier();
}

/* False: the socket is no longer what it was taken for. */
static __always_inline bool write_look_row(struct connection_row *row,
					   struct tracked_socket *tracked, struct tcp_sock *tp,
					   struct sock *sk, int state)
{
	__builtin_memset(row, 0, sizeof(*row));
	fill_row(row, tracked, tp, KIND_SNAPSHOT, bpf_ktime_get_boot_ns());
	row->state = state;
	if (state == TCP_LISTEN)
		fill_queue(row, sk);
	else if (!fill_live_traffic(row, tp, tracked, sk))
		return false;
	/* An id that no event has given yet is the one that an event will give. */
	if (!row->connection_id)
		row->connection_id = name_of(row->socket_id, connection_tag(isn_of(tp)));
	return true;
}

/*
 * Shows each open socket once: what this look has shown already it skips. So a walk can be repeated
 * until one came to its end without a pause. After a pause the kernel counts elements to find where
 * it was, and misses one for each that went away meanwhile. The row of a socket that nothing has
 * happened to is left as it is: of 10,000 sockets the memory of most is in no cache, and to read
 * all that a row says takes twice as long as to see that it says so already.
 */
SEC("iter/bpf_sk_storage_map")
int look_at_sockets(struct bpf_iter__bpf_sk_storage_map *ctx)
{
	struct tracked_socket *tracked = ctx->value;
	struct look *look = this_look();
	struct connection_row *row;
	struct sock *sk = ctx->sk;
	struct shown *shown;
	struct tcp_sock *tp;
	__u64 *turn;
	__u32 place;
	int state;

	if (!tracked || !sk || !look || !tracked->socket_id || tracked->shown.turn == look->turn)
		return 0;
	tp = bpf_skc_to_tcp_sock(sk);
	state = sk->__sk_common.skc_state;
	/* A clone has its listener's storage, with the place of its row, until it is told of. */
	if (!tp || state == TCP_CLOSE || sk->__sk_common.skc_cookie.counter != tracked->socket_id)
		return 0;
	shown = &tracked->shown;
	place = shown->whole == look->whole ? shown->place : look->filled;
	turn = bpf_map_lookup_elem(&look_turns, &place);
	row = bpf_map_lookup_elem(&look_rows, &place);
	if (!turn || !row) {
		look->without_room++;
		return look->turn == look->whole ? PAUSE : 0;
	}
	adopt_subflow(tracked, tp, sk, look);
	count_doubts(tracked, look);
	if (!is_as_shown(tracked, tp, state, look)) {
		note_as_shown(shown, tp);
		if (!write_look_row(row, tracked, tp, sk, state))
			return 0;
		if (place == look->filled)
			look->filled = place + 1;
		shown->place = place;
		shown->whole = look->whole;
		/* The queue of a listener moves nothing else. */
		shown->state = row->exact & GROUP_TRAFFIC ? row->state : 0;
	}
	shown->turn = *turn = look->turn;
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
