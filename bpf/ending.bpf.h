/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* The words for how a connect failed and how a connection ended, from what the kernel left behind.
 */
#ifndef CONNSCOPE_ENDING_BPF_H
#define CONNSCOPE_ENDING_BPF_H

#include "maps.bpf.h"
#include <bpf/bpf_core_read.h>

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

static __always_inline __u8 tell_failure(const struct tracked_socket *tracked, struct tcp_sock *tp,
					 __u16 *error)
{
	switch (*error) {
	case ECONNREFUSED:
		return FAILURE_REFUSED;
	case ETIMEDOUT:
		return FAILURE_TIMEOUT;
	case EHOSTUNREACH:
	case ENETUNREACH:
		return FAILURE_UNREACHABLE;
	case ECONNRESET:
	case EPIPE:
		return FAILURE_RESET;
	case 0:
		/* No error, and no SYN left the socket: connect() found no free port. */
		if (tp->segs_out == 0 && tracked->role == ROLE_CLIENT &&
		    !(BPF_CORE_READ_BITFIELD(tp, fastopen_connect) &&
		      tp->inet_conn.icsk_inet.inet_sport)) {
			*error = EADDRNOTAVAIL;
			return FAILURE_NO_PORT;
		}
		return FAILURE_ABANDONED;
	}
	return FAILURE_UNKNOWN;
}

/* It ended with the FINs of both and the acknowledgement of ours: no error did that. */
static __always_inline bool ended_with_fins(struct tcp_sock *tp, int oldstate)
{
	struct sock *sk = &tp->inet_conn.icsk_inet.sk;

	if (tp->snd_una != tp->write_seq)
		return false;
	return oldstate == TCP_LAST_ACK || oldstate == TCP_CLOSING ||
	       (oldstate == TCP_FIN_WAIT2 && sk->__sk_common.skc_flags >> SOCK_DONE & 1);
}

static __always_inline __u8 tell_closed_by(const struct tracked_socket *tracked, int oldstate,
					   __u16 error)
{
	switch (error) {
	case 0:
		break;
	case ECONNRESET:
	case EPIPE:
		return CLOSED_BY_PEER_RESET;
	case ECONNABORTED:
		return CLOSED_BY_LOCAL_RESET;
	default: /* tcp_write_err(): ETIMEDOUT, or what ICMP left in sk_err_soft */
		return CLOSED_BY_TIMEOUT;
	}
	if (oldstate == TCP_ESTABLISHED || oldstate == TCP_CLOSE_WAIT || oldstate == TCP_SYN_RECV)
		return CLOSED_BY_LOCAL_RESET;
	return tracked->closed_by;
}

/* Data after close() makes the kernel call tcp_reset() on our own socket: as if a RST had come. */
static __always_inline bool may_be_own_reset(struct sock *sk, int oldstate, __u16 error)
{
	return error == ECONNRESET && (oldstate == TCP_FIN_WAIT1 || oldstate == TCP_FIN_WAIT2) &&
	       (sk->sk_shutdown & RCV_SHUTDOWN);
}

#endif
