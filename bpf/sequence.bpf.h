/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* What a connection's sequence numbers and byte counters say of its payload. Numbers only: each
 * tier reads them in its own way. */
#ifndef CONNSCOPE_SEQUENCE_BPF_H
#define CONNSCOPE_SEQUENCE_BPF_H

#include "kernel.bpf.h"
#include <bpf/bpf_helpers.h>
#include "row.h"

/* Of a tcp_sock, by the kernel's names. */
struct sequence {
	__u64 bytes_acked;
	__u64 bytes_received;
	__u64 bytes_sent;
	__u64 bytes_retrans;
	__u32 write_seq;
	__u32 snd_nxt;
	__u32 snd_una;
	__u32 rcv_nxt;
	__u32 copied_seq;
	bool sock_done; /* SOCK_DONE: the peer's FIN is in rcv_nxt and bytes_received */
};

static __always_inline __u32 positive(__u32 difference)
{
	return (__s32)difference > 0 ? difference : 0;
}

/* In these states our FIN has a sequence number already. At ESTABLISHED → FIN_WAIT1 it has none
 * yet. */
static __always_inline bool fin_queued(int state)
{
	return state == TCP_FIN_WAIT1 || state == TCP_FIN_WAIT2 || state == TCP_CLOSING ||
	       state == TCP_LAST_ACK || state == TCP_TIME_WAIT;
}

/*
 * Payload bytes. The kernel counts the SYN and the FIN as bytes once they are acknowledged:
 * bytes_acked of a client has the SYN in it, that of a server has not, both have the FIN. With a
 * known ISN write_seq alone gives the low half of what was sent, whatever a softirq acknowledges
 * meanwhile; bytes_acked, which is never 2 GiB away, gives the high half. Without (a socket older
 * than us) bytes_sent - bytes_retrans + what is unsent is the same number, as long as nothing is
 * being sent at this moment.
 */
static __always_inline void fill_payload(struct connection_row *row, const struct sequence *seq,
					 int state, bool has_isn, __u32 isn_local)
{
	__u32 our_fin = fin_queued(state), their_fin = seq->sock_done;
	__u32 unsent = seq->write_seq - seq->snd_nxt;

	if (has_isn) {
		__u32 low = seq->write_seq - isn_local - 1 - our_fin;
		__s64 sent = seq->bytes_acked + (__s32)(low - (__u32)seq->bytes_acked);

		/* No SYN is in write_seq of a connect() that found no port. */
		row->bytes_sent = sent > 0 ? sent : 0;
	} else {
		row->bytes_sent =
			seq->bytes_sent - seq->bytes_retrans + unsent - (our_fin && unsent);
	}
	row->bytes_received = seq->bytes_received > their_fin ? seq->bytes_received - their_fin : 0;
	row->unread_bytes = positive(seq->rcv_nxt - seq->copied_seq - their_fin);
	row->unacked_bytes = positive(seq->write_seq - seq->snd_una - our_fin -
				      (has_isn && seq->snd_una == isn_local));
}

#endif
