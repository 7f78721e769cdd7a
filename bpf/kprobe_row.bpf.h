/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* From a socket of which only the places of the fields are known to a row. The rules are those of
 * fill.bpf.h, which has the reasons. */
#ifndef CONNSCOPE_KPROBE_ROW_BPF_H
#define CONNSCOPE_KPROBE_ROW_BPF_H

#include "kprobe_maps.bpf.h"
#include <bpf/bpf_endian.h>

#define CONNECTION_TAG_SHIFT 48
#define NO_UID		     0xffffffff

/* Nobody reads it: it makes the compiler describe the row in this object's BTF. */
const struct connection_row row_layout = {};

static __always_inline __u32 positive(__u32 difference)
{
	return (__s32)difference > 0 ? difference : 0;
}

/* The ISN as long as bytes_acked has the SYN in it (client), else the ISN + 1 (server). */
static __always_inline __u32 isn_of(const struct copy *sk)
{
	return GET32(sk, snd_una) - (__u32)GET64(sk, bytes_acked);
}

/* Cookie, and 16 bits of the ISN that tell one socket's connections apart. */
static __always_inline void name_connection(struct known_socket *known, const struct copy *sk)
{
	__u32 isn = isn_of(sk);
	__u64 tag = (__u16)(isn ^ (isn >> 16));

	known->socket_id = GET64(sk, cookie);
	known->connection_id = (known->socket_id & ((1ULL << CONNECTION_TAG_SHIFT) - 1)) |
			       tag << CONNECTION_TAG_SHIFT;
}

static __always_inline void map_v4(__u8 address[16], __u32 v4)
{
	__u32 *words = (__u32 *)address;

	words[0] = 0;
	words[1] = 0;
	words[2] = bpf_htonl(0xffff);
	words[3] = v4;
}

static __always_inline bool is_v4_mapped(const __u8 address[16])
{
	const __u32 *words = (const __u32 *)address;

	return words[0] == 0 && words[1] == 0 && words[2] == bpf_htonl(0xffff);
}

static __always_inline void copy_v6(__u8 address[16], const struct copy *sk, __u16 at)
{
	__u32 *words = (__u32 *)address;
	const __u32 *from = (const __u32 *)(sk->bytes + at);

	if (at >= COPY_BYTES)
		return;
	words[0] = from[0];
	words[1] = from[1];
	words[2] = from[2];
	words[3] = from[3];
}

static __always_inline void fill_ends(struct connection_row *row, const struct copy *sk)
{
	row->protocol = IPPROTO_TCP;
	row->netns = NOW32(GET64(sk, netns), netns_inode);
	row->state = GET8(sk, state);
	row->local_port = GET16(sk, num);
	if (!row->local_port)
		row->local_port = bpf_ntohs(GET16(sk, sport));
	row->peer_port = bpf_ntohs(GET16(sk, dport));
	row->family = 4;
	if (GET16(sk, family) == AF_INET6 && IS_KNOWN(daddr_v6) && IS_KNOWN(saddr_v6)) {
		copy_v6(row->local_address, sk, at_saddr_v6);
		copy_v6(row->peer_address, sk, at_daddr_v6);
		if (!is_v4_mapped(row->peer_address) && !is_v4_mapped(row->local_address))
			row->family = 6;
	} else {
		map_v4(row->local_address, GET32(sk, saddr));
		map_v4(row->peer_address, GET32(sk, daddr));
	}
	row->known |= GROUP_ENDS;
	row->exact |= GROUP_ENDS;
}

static __always_inline void fill_owner(struct connection_row *row, const struct copy *sk,
				       const struct process *owner)
{
	row->uid = IS_KNOWN(uid) ? GET32(sk, uid) : NO_UID;
	if (!owner->pid)
		return;
	row->pid = owner->pid;
	row->cgroup_id = owner->cgroup_id;
	row->process_start_ns = owner->start_ns;
	row->owner_evidence = owner->evidence;
	__builtin_memcpy(row->comm, owner->comm, sizeof(row->comm));
	row->known |= GROUP_OWNER;
	/* Without its start the process may be another one with the same number. */
	if (owner->start_ns &&
	    (owner->evidence == OWNER_CONNECT || owner->evidence == OWNER_ACCEPT))
		row->exact |= GROUP_OWNER;
}

static __always_inline bool fin_queued(int state)
{
	return state == TCP_FIN_WAIT1 || state == TCP_FIN_WAIT2 || state == TCP_CLOSING ||
	       state == TCP_LAST_ACK || state == TCP_TIME_WAIT;
}

/* In the row: sent and received payload. False if it is not known how much was sent. */
static __always_inline bool fill_payload(struct connection_row *row, const struct copy *sk,
					 int state, bool has_isn, __u32 isn_local)
{
	__u32 write_seq = GET32(sk, write_seq), snd_una = GET32(sk, snd_una);
	__u32 unread = GET32(sk, rcv_nxt) - GET32(sk, copied_seq);
	__u64 bytes_received = GET64(sk, bytes_received);
	__u32 their_fin = (GET64(sk, flags) >> SOCK_DONE) & 1;
	__u32 our_fin = fin_queued(state);

	row->bytes_received = bytes_received > their_fin ? bytes_received - their_fin : 0;
	row->unread_bytes = positive(unread - their_fin);
	row->unacked_bytes =
		positive(write_seq - snd_una - our_fin - (has_isn && snd_una == isn_local));
	if (has_isn) {
		__u64 bytes_acked = GET64(sk, bytes_acked);
		__u32 low = write_seq - isn_local - 1 - our_fin;
		__s64 sent = bytes_acked + (__s32)(low - (__u32)bytes_acked);

		row->bytes_sent = sent > 0 ? sent : 0;
		return true;
	}
	if (!IS_KNOWN(bytes_sent) || !IS_KNOWN(bytes_retrans))
		return false;
	write_seq -= GET32(sk, snd_nxt); /* unsent */
	row->bytes_sent = GET64(sk, bytes_sent) - GET64(sk, bytes_retrans) + write_seq -
			  (our_fin && write_seq);
	return true;
}

static __noinline void fill_traffic(struct connection_row *row, const struct copy *sk,
				    const struct known_socket *known, int state)
{
	bool has_isn = known->has_isn;
	__u32 isn_local = known->isn_local;

	if (!has_isn && (state == TCP_SYN_SENT || state == TCP_SYN_RECV)) {
		has_isn = true;
		isn_local = isn_of(sk) - (known->role != ROLE_CLIENT);
	}
	row->segments_sent = GET32(sk, segs_out);
	row->segments_received = GET32(sk, segs_in);
	row->retransmits = GET32(sk, total_retrans);
	if (!fill_payload(row, sk, state, has_isn, isn_local))
		return;
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
	row->kind = kind;
	row->time_ns = now;
	row->socket_id = known->socket_id;
	row->connection_id = known->connection_id;
	row->role = known->role;
	row->opened_ns = known->opened_ns;
	row->connect_us = known->connect_us;
	row->known = GROUP_IDENTITY;
	/* A socket without a cookie is called by its ISN alone. */
	row->exact = known->socket_id ? GROUP_IDENTITY : 0;
	if (known->opened_ns) {
		row->known |= GROUP_LIFE;
		row->exact |= GROUP_LIFE;
	}
	if (known->has_isn) {
		row->isn_local = known->isn_local;
		row->isn_peer = known->isn_peer;
		row->known |= GROUP_JOIN;
		row->exact |= GROUP_JOIN;
	}
	fill_ends(row, sk);
	fill_owner(row, sk, &known->owner);
	fill_quality(row, sk);
}

/* Of a listener, instead of traffic. */
static __always_inline void fill_queue(struct connection_row *row, const struct copy *sk)
{
	row->queue_length = GET32(sk, backlog);
	row->queue_limit = GET32(sk, backlog_max);
	row->peer_port = 0;
	row->known &= ~GROUP_TRAFFIC;
	row->exact &= ~GROUP_TRAFFIC;
}

static __always_inline struct connection_row *reserve_row(void)
{
	struct connection_row *row = bpf_ringbuf_reserve(&rows, sizeof(*row), 0);

	if (!row) {
		COUNT_LOSS(rows_lost);
		return NULL;
	}
	__builtin_memset(row, 0, sizeof(*row));
	return row;
}

/* state is the one whose FIN rules hold for the counters: the old one at a change to CLOSE. */
static __always_inline struct connection_row *
start_row(struct known_socket *known, const struct copy *sk, int kind, __u64 now, int state)
{
	struct connection_row *row = reserve_row();

	if (!row)
		return NULL;
	fill_row(row, known, sk, kind, now);
	fill_traffic(row, sk, known, state);
	return row;
}

#endif
