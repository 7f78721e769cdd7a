/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The core of the btf tier: two typed tracepoints. Kernel structures are read through typed
 * pointers only, which lockdown=confidentiality allows and a probe read is refused for.
 *
 * The state changes of a socket happen under its lock, so its storage needs none.
 */
#include "kernel.bpf.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include "ending.bpf.h"
#include "event.bpf.h"
#include "failed_attempt.bpf.h"

/* CLOSE → SYN_SENT, in the connecting process. */
static __always_inline void connecting(struct tracked_socket *tracked, struct sock *sk, __u64 now)
{
	forget_connection(tracked);
	tracked->role = ROLE_CLIENT;
	tracked->connect_ns = now;
	/* The attempt that connect.bpf.c has just noted, with its owner: it became a SYN. */
	if (tracked->attempt.started_ns)
		tracked->attempt.started_ns = 0;
	else if (!note_current(&tracked->owner, OWNER_CONNECT))
		tracked->owner.pid = 0;
	note_inode(tracked, sk);
}

/* LISTEN → SYN_RECV, in softirq, on the child: its storage is a clone of the listener's, and on
 * kernels such as 6.1 it still has the listener's cookie too. */
static __always_inline void arriving(struct tracked_socket *tracked, __u64 now)
{
	forget_parent(tracked);
	tracked->role = ROLE_SERVER;
	tracked->connect_ns = now;
}

/* → ESTABLISHED, in softirq: whoever runs now has nothing to do with it. */
static __noinline void opened(struct tracked_socket *tracked, struct tcp_sock *tp, int oldstate,
			      __u64 now)
{
	__u32 isn = isn_of(tp);
	struct connection_row *row;

	if (tracked->role == ROLE_UNKNOWN)
		tracked->role = oldstate == TCP_SYN_SENT ? ROLE_CLIENT : ROLE_SERVER;
	name_connection(tracked, isn);
	/* The child's snd_una starts behind its SYN, so bytes_acked never has it. */
	tracked->isn_local = tracked->role == ROLE_CLIENT ? isn : isn - 1;
	tracked->isn_peer = tp->rcv_nxt - (__u32)tp->bytes_received - 1;
	tracked->has_isn = 1;
	tracked->opened_ns = now;
	/* The SYN of a deferred fast open left long after SYN_SENT. */
	if (tracked->role == ROLE_CLIENT && tracked->connect_ns &&
	    !BPF_CORE_READ_BITFIELD(tp, fastopen_connect))
		tracked->connect_us = (now - tracked->connect_ns) / 1000;
	row = start_row(tracked, tp, KIND_OPENED, now, TCP_ESTABLISHED);
	if (!row)
		return;
	/* Older kernels call the tracepoint before, newer ones after the state is stored. */
	row->state = TCP_ESTABLISHED;
	bpf_ringbuf_submit(row, 0);
}

/* A process took the last step it can take: who closes has held the socket. */
static __always_inline void correct_owner(struct tracked_socket *tracked)
{
	__u32 evidence = tracked->owner.evidence;

	if (evidence != OWNER_CONNECT && evidence != OWNER_ACCEPT)
		note_current(&tracked->owner, OWNER_CLOSE);
}

/* ESTABLISHED → FIN_WAIT1, CLOSE_WAIT → LAST_ACK: in the closing process. */
static __always_inline void closing(struct tracked_socket *tracked, struct sock *sk)
{
	if (!tracked->closed_by)
		tracked->closed_by = CLOSED_BY_LOCAL;
	correct_owner(tracked);
	note_inode(tracked, sk);
}

/*
 * What ICMP said of a connect, if the application has read it with SO_ERROR and then given up: the
 * kernel has cleared sk_err, but the message is still in the error queue. Single bytes, because
 * that is how the verifier lets cb be read; an errno fits into one. It may be left from an earlier
 * connect of the same socket, so it is an inference.
 */
static __always_inline __u16 read_icmp_error(struct sock *sk)
{
	struct sk_buff *message = sk->sk_error_queue.next;
	__u32 at = bpf_core_field_offset(struct sk_buff, cb);
	__u8 origin;

	if (!sk->sk_error_queue.qlen)
		return 0;
	origin = *((__u8 *)message + at +
		   bpf_core_field_offset(struct sock_exterr_skb, ee.ee_origin));
	if (origin != SO_EE_ORIGIN_ICMP && origin != SO_EE_ORIGIN_ICMP6)
		return 0;
	return *((__u8 *)message + at + bpf_core_field_offset(struct sock_exterr_skb, ee.ee_errno));
}

/* No SYN left the socket, and no data of a fast open wait for one: connect() found no free port. */
static __always_inline bool found_no_port(struct tcp_sock *tp)
{
	return !tp->segs_out && !(BPF_CORE_READ_BITFIELD(tp, fastopen_connect) &&
				  tp->inet_conn.icsk_inet.inet_sport);
}

/* SYN_SENT → CLOSE, SYN_RECV → CLOSE. The life of what failed is that of the attempt. */
static __noinline void failed(struct tracked_socket *tracked, struct tcp_sock *tp, int oldstate,
			      __u64 now)
{
	struct sock *sk = &tp->inet_conn.icsk_inet.sk;
	struct connection_row *row;

	name_connection(tracked, isn_of(tp));
	tracked->opened_ns = tracked->connect_ns;
	row = start_row(tracked, tp, KIND_FAILED, now, oldstate);
	if (row) {
		row->state = TCP_CLOSE;
		row->error = sk->sk_err;
		if (!row->error && tracked->role == ROLE_CLIENT) {
			row->error = read_icmp_error(sk);
			if (row->error)
				row->exact &= ~GROUP_QUALITY;
		}
		if (!row->error && tracked->role == ROLE_CLIENT && found_no_port(tp))
			row->error = EADDRNOTAVAIL;
		row->failure = word_of_failure(row->error);
		row->closed_ns = now;
		bpf_ringbuf_submit(row, 0);
	}
	forget_connection(tracked);
}

/* Any state of an open connection → CLOSE: once for each, with the final counters. */
static __noinline void closed(struct tracked_socket *tracked, struct tcp_sock *tp, int oldstate,
			      __u64 now)
{
	struct sock *sk = &tp->inet_conn.icsk_inet.sk;
	bool with_fins = ended_with_fins(oldstate, tp->snd_una == tp->write_seq,
					 sk->__sk_common.skc_flags >> SOCK_DONE & 1);
	__u16 error = with_fins && sk->sk_err != ECONNRESET ? 0 : sk->sk_err;
	__u8 closed_by = tell_closed_by(tracked->closed_by, oldstate, error);
	struct connection_row *row;

	/* No error and the socket's lock held by a task: it is that task that closes. */
	if (closed_by == CLOSED_BY_LOCAL_RESET && !error && sk->sk_lock.owned)
		correct_owner(tracked);
	if (!tracked->connection_id)
		name_connection(tracked, isn_of(tp));
	row = start_row(tracked, tp, KIND_CLOSED, now, oldstate);
	if (row) {
		row->state = TCP_CLOSE;
		row->left_state = oldstate;
		row->error = error;
		row->closed_by = closed_by;
		if (may_be_own_reset(oldstate, error, sk->sk_shutdown))
			row->exact &= ~GROUP_QUALITY;
		row->closed_ns = now;
		bpf_ringbuf_submit(row, 0);
	}
	forget_connection(tracked);
}

/* → LISTEN, in the listening process. */
static __noinline void listening(struct tracked_socket *tracked, struct tcp_sock *tp, __u64 now)
{
	struct sock *sk = &tp->inet_conn.icsk_inet.sk;
	struct connection_row *row;

	settle_attempt(tracked, tp);
	forget_connection(tracked);
	tracked->role = ROLE_SERVER;
	tracked->opened_ns = now;
	if (!note_current(&tracked->owner, OWNER_LISTENER))
		tracked->owner.pid = 0;
	note_inode(tracked, sk);
	name_connection(tracked, isn_of(tp));
	row = start_row(tracked, tp, KIND_LISTENING, now, TCP_LISTEN);
	if (!row)
		return;
	row->state = TCP_LISTEN;
	fill_queue(row, sk);
	bpf_ringbuf_submit(row, 0);
}

/* LISTEN → CLOSE. */
static __noinline void unlistened(struct tracked_socket *tracked, struct tcp_sock *tp, __u64 now)
{
	struct connection_row *row;

	if (!tracked->connection_id)
		name_connection(tracked, isn_of(tp));
	row = start_row(tracked, tp, KIND_UNLISTENED, now, TCP_LISTEN);
	if (row) {
		row->state = TCP_CLOSE;
		row->closed_ns = now;
		fill_queue(row, &tp->inet_conn.icsk_inet.sk);
		bpf_ringbuf_submit(row, 0);
	}
	forget_connection(tracked);
}

static __always_inline bool handshaking(int state)
{
	return state == TCP_SYN_SENT || state == TCP_SYN_RECV;
}

static __always_inline bool tells_something(struct sock *sk, int oldstate, int newstate)
{
	/* The peer's steps after our FIN: nothing that the row at CLOSE does not tell. */
	if (newstate == TCP_FIN_WAIT2 || newstate == TCP_CLOSING || newstate == TCP_TIME_WAIT)
		return false;
	/* MPTCP's own sockets (262) make no row, their subflows are TCP. */
	return sk->sk_protocol == IPPROTO_TCP && (oldstate != TCP_CLOSE || newstate != TCP_CLOSE);
}

struct state_change {
	__u64 sk;
	__u64 state;
};

/* 0 → the change that this CPU handled last. Written when a change begins to be handled. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct state_change);
} last_changes SEC(".maps");

static __always_inline void change_state(struct sock *sk, int oldstate, int newstate)
{
	struct tcp_sock *tp = bpf_skc_to_tcp_sock(sk);
	struct tracked_socket *tracked;
	struct state_change *last;
	__u32 zero = 0;
	__u64 now;

	last = bpf_map_lookup_elem(&last_changes, &zero);
	if (last) {
		last->sk = (__u64)sk;
		last->state = newstate;
	}
	if (!tp)
		return;
	tracked = track(sk);
	if (!tracked)
		return;
	tracked->state = newstate;
	now = bpf_ktime_get_boot_ns();
	if (newstate == TCP_SYN_SENT)
		connecting(tracked, sk, now);
	else if (oldstate == TCP_LISTEN && newstate == TCP_SYN_RECV)
		arriving(tracked, now);
	else if (newstate == TCP_ESTABLISHED && handshaking(oldstate))
		opened(tracked, tp, oldstate, now);
	else if (newstate == TCP_LISTEN)
		listening(tracked, tp, now);
	else if (newstate == TCP_FIN_WAIT1 || newstate == TCP_LAST_ACK)
		closing(tracked, sk);
	else if (newstate == TCP_CLOSE_WAIT)
		tracked->closed_by = CLOSED_BY_PEER;
	else if (newstate == TCP_CLOSE && oldstate == TCP_LISTEN)
		unlistened(tracked, tp, now);
	/* Of a fast open the server's application may have accepted a child before that. */
	else if (newstate == TCP_CLOSE && handshaking(oldstate) && !tracked->opened_ns &&
		 !(tracked->role == ROLE_SERVER && sk->sk_socket))
		failed(tracked, tp, oldstate, now);
	else if (newstate == TCP_CLOSE)
		closed(tracked, tp, oldstate, now);
}

SEC("tp_btf/inet_sock_set_state")
int BPF_PROG(inet_sock_set_state, struct sock *sk, int oldstate, int newstate)
{
	if (tells_something(sk, oldstate, newstate))
		change_state(sk, oldstate, newstate);
	return 0;
}

/*
 * The kernel runs no program inside itself: if a softirq interrupts the one above on this CPU and
 * changes a state too, that run is skipped (recursion_misses of bpf_prog_info; seen twice in 3,000
 * connections on a slow machine). This one, attached after it, takes what it left: at most one of
 * the two is interrupted. What was handled shows in the socket's storage.
 */
SEC("tp_btf/inet_sock_set_state")
int BPF_PROG(inet_sock_set_state_again, struct sock *sk, int oldstate, int newstate)
{
	struct tracked_socket *tracked;
	struct state_change *last;
	__u32 zero = 0;

	if (!tells_something(sk, oldstate, newstate))
		return 0;
	/* Nearly always it is this one, and that is cheaper to see than the storage. */
	last = bpf_map_lookup_elem(&last_changes, &zero);
	if (last && last->sk == (__u64)sk && last->state == newstate)
		return 0;
	tracked = bpf_sk_storage_get(&tracked_sockets, sk, NULL, 0);
	if (!tracked || tracked->state != newstate)
		change_state(sk, oldstate, newstate);
	return 0;
}

/* The very end of a socket: too late to read it, right to settle what never became a SYN. */
static __always_inline void end_socket(struct sock *sk)
{
	struct tracked_socket *tracked;
	struct tcp_sock *tp;

	if (sk->sk_protocol != IPPROTO_TCP)
		return;
	if (accept_owners_kept) {
		__u64 cookie = bpf_get_socket_cookie(sk), address = (__u64)sk;

		bpf_map_delete_elem(&accept_owners, &cookie);
		bpf_map_delete_elem(&accept_owners, &address);
	}
	tracked = bpf_sk_storage_get(&tracked_sockets, sk, NULL, 0);
	tp = bpf_skc_to_tcp_sock(sk);
	if (tracked && tp)
		settle_attempt(tracked, tp);
}

SEC("tp_btf/tcp_destroy_sock")
int BPF_PROG(tcp_destroy_sock, struct sock *sk)
{
	end_socket(sk);
	return 0;
}

/* For the runs of the one above that the kernel skips, see inet_sock_set_state_again. What was
 * settled is not settled twice. */
SEC("tp_btf/tcp_destroy_sock")
int BPF_PROG(tcp_destroy_sock_again, struct sock *sk)
{
	end_socket(sk);
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
