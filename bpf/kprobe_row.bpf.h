/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* From a socket of which only the places of the fields are known to a row. The rules are those of
 * fill.bpf.h, which has the reasons. */
#ifndef CONNSCOPE_KPROBE_ROW_BPF_H
#define CONNSCOPE_KPROBE_ROW_BPF_H

#include "kprobe_socket.bpf.h"
#include "sequence.bpf.h"

/* Nobody reads it: it makes the compiler describe the row in this object's BTF. */
const struct connection_row row_layout = {};

/* The ISN as long as bytes_acked has the SYN in it (client), else the ISN + 1 (server). */
static __always_inline __u32 isn_of(const struct copy *sk)
{
	return GET32(sk, snd_una) - (__u32)GET64(sk, bytes_acked);
}

static __always_inline void name_connection(struct known_socket *known, const struct copy *sk)
{
	known->socket_id = GET64(sk, cookie);
	known->connection_id = name_of(known->socket_id, connection_tag(isn_of(sk)));
}

static __noinline void fill_traffic(struct connection_row *row, const struct copy *sk,
				    const struct known_socket *known, int state)
{
	struct sequence seq = {
		.write_seq = GET32(sk, write_seq),
		.snd_una = GET32(sk, snd_una),
		.snd_nxt = GET32(sk, snd_nxt),
		.bytes_received = GET64(sk, bytes_received),
		.sock_done = (GET64(sk, flags) >> SOCK_DONE) & 1,
		.rcv_nxt = GET32(sk, rcv_nxt),
		.copied_seq = GET32(sk, copied_seq),
		.bytes_acked = GET64(sk, bytes_acked),
		.bytes_sent = GET64(sk, bytes_sent),
		.bytes_retrans = GET64(sk, bytes_retrans),
	};
	bool has_isn = known->has_isn;
	__u32 isn_local = known->isn_local;

	if (!has_isn && (state == TCP_SYN_SENT || state == TCP_SYN_RECV)) {
		has_isn = true;
		isn_local = isn_of(sk) - (known->role != ROLE_CLIENT);
	}
	fill_payload(row, &seq, state, has_isn, isn_local);
	row->segments_sent = GET32(sk, segs_out);
	row->segments_received = GET32(sk, segs_in);
	row->retransmits = GET32(sk, total_retrans);
	if (!has_isn && (!IS_KNOWN(bytes_sent) || !IS_KNOWN(bytes_retrans))) {
		row->bytes_sent = 0;
		return;
	}
	row->known |= GROUP_TRAFFIC;
	/* MPTCP sends over one subflow again what another one had sent before. */
	if (!GET8(sk, is_mptcp))
		row->exact |= GROUP_TRAFFIC;
}

static __always_inline void fill_quality(struct connection_row *row, const struct copy *sk)
{
	__u32 srtt = GET32(sk, srtt), min_rtt = IS_KNOWN(min_rtt) ? GET32(sk, min_rtt) : ~0U;

	if (srtt) {
		row->rtt_us = srtt >> 3;
		row->rtt_var_us = GET32(sk, mdev) >> 2;
	}
	if (min_rtt != ~0U)
		row->min_rtt_us = min_rtt;
	row->known |= GROUP_QUALITY;
	row->exact |= GROUP_QUALITY;
}

/* All that is the same for every kind of row, but for the traffic. */
static __noinline void fill_row(struct connection_row *row, struct known_socket *known,
				const struct copy *sk, int kind, __u64 now)
{
	if (!known->connection_id || !known->socket_id)
		name_connection(known, sk);
	fill_connection(row, (const struct connection *)known, kind, now);
	fill_ends(row, sk);
	fill_owner(row, sk, &known->owner);
	fill_quality(row, sk);
}

/* Of a listener, instead of traffic. */
static __always_inline void fill_queue(struct connection_row *row, const struct copy *sk)
{
	make_listener(row, GET32(sk, backlog), GET32(sk, backlog_max));
}

/* state is the one whose FIN rules hold for the counters: the old one at a change to CLOSE. */
static __always_inline struct connection_row *
start_row(struct known_socket *known, const struct copy *sk, int kind, __u64 now, int state)
{
	struct connection_row *row = new_row();

	if (!row)
		return NULL;
	fill_row(row, known, sk, kind, now);
	fill_traffic(row, sk, known, state);
	return row;
}

#endif
