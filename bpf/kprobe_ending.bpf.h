/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* The words for how a connect failed and how a connection ended; see ending.bpf.h. */
#ifndef CONNSCOPE_KPROBE_ENDING_BPF_H
#define CONNSCOPE_KPROBE_ENDING_BPF_H

#include "kprobe_maps.bpf.h"

static __always_inline __u8 word_of_failure(__u32 error)
{
	switch (error) {
	case 0:
		return FAILURE_ABANDONED;
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
	case EADDRNOTAVAIL:
		return FAILURE_NO_PORT;
	case EPERM:
		return FAILURE_DENIED;
	}
	return FAILURE_UNKNOWN;
}

/* It ended with the FINs of both and the acknowledgement of ours: no error did that. */
static __always_inline bool ended_with_fins(const struct copy *sk, int oldstate)
{
	if (GET32(sk, snd_una) != GET32(sk, write_seq))
		return false;
	return oldstate == TCP_LAST_ACK || oldstate == TCP_CLOSING ||
	       (oldstate == TCP_FIN_WAIT2 && GET64(sk, flags) >> SOCK_DONE & 1);
}

static __always_inline __u8 tell_closed_by(const struct known_socket *known, int oldstate,
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
	return known->closed_by;
}

/* Data after close() makes the kernel reset our own socket, as if a RST had come. */
static __always_inline bool may_be_own_reset(const struct copy *sk, int oldstate, __u16 error)
{
	return error == ECONNRESET && (oldstate == TCP_FIN_WAIT1 || oldstate == TCP_FIN_WAIT2) &&
	       (!IS_KNOWN(shutdown) || GET8(sk, shutdown) & RCV_SHUTDOWN);
}

#endif
