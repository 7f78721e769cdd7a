/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* The words for how a connect failed and how a connection ended, from what the kernel left behind.
 */
#ifndef CONNSCOPE_ENDING_BPF_H
#define CONNSCOPE_ENDING_BPF_H

#include "kernel.bpf.h"
#include <bpf/bpf_helpers.h>
#include "row.h"

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
static __always_inline bool ended_with_fins(int oldstate, bool all_acked, bool sock_done)
{
	return all_acked && (oldstate == TCP_LAST_ACK || oldstate == TCP_CLOSING ||
			     (oldstate == TCP_FIN_WAIT2 && sock_done));
}

static __always_inline __u8 tell_closed_by(__u8 first_fin_by, int oldstate, __u16 error)
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
	return first_fin_by;
}

/* Data after close() makes the kernel call tcp_reset() on our own socket: as if a RST had come. */
static __always_inline bool may_be_own_reset(int oldstate, __u16 error, __u8 sk_shutdown)
{
	return error == ECONNRESET && (oldstate == TCP_FIN_WAIT1 || oldstate == TCP_FIN_WAIT2) &&
	       (sk_shutdown & RCV_SHUTDOWN);
}

#endif
