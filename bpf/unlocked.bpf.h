/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Sockets that a walk reads without their lock: how an older one began, what a live one counts. */
#ifndef CONNSCOPE_UNLOCKED_BPF_H
#define CONNSCOPE_UNLOCKED_BPF_H

#include "event.bpf.h"

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

#endif
