/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * From a tcp_sock to a row. Typed loads only, unless the including file defines READ to probe.
 */
#ifndef CONNSCOPE_FILL_BPF_H
#define CONNSCOPE_FILL_BPF_H

#include "maps.bpf.h"
#include <bpf/bpf_core_read.h>
#include "address.bpf.h"
#include "sequence.bpf.h"

/* READ(p, a, b) is p->a->b; an object whose pointers are plain numbers makes it BPF_CORE_READ. */
#ifndef READ
#define READ(...) ___arrow(__VA_ARGS__)
#endif

static __always_inline void copy_v6(__u8 address[16], struct in6_addr *from)
{
	__u32 *words = (__u32 *)address;

	words[0] = READ(from, in6_u.u6_addr32[0]);
	words[1] = READ(from, in6_u.u6_addr32[1]);
	words[2] = READ(from, in6_u.u6_addr32[2]);
	words[3] = READ(from, in6_u.u6_addr32[3]);
}

/* The ends of anything that is a socket, was one or becomes one. */
static __always_inline void fill_common(struct connection_row *row, struct sock_common *common)
{
	row->protocol = IPPROTO_TCP;
	row->netns = READ(common, skc_net.net, ns.inum);
	row->state = READ(common, skc_state);
	row->local_port = READ(common, skc_num);
	row->peer_port = bpf_ntohs(READ(common, skc_dport));
	row->family = 4;
	if (READ(common, skc_family) == AF_INET6 && bpf_core_field_exists(common->skc_v6_daddr)) {
		copy_v6(row->local_address, &common->skc_v6_rcv_saddr);
		copy_v6(row->peer_address, &common->skc_v6_daddr);
		if (!is_v4_mapped(row->peer_address) && !is_v4_mapped(row->local_address))
			row->family = 6;
	} else {
		map_v4(row->local_address, READ(common, skc_rcv_saddr));
		map_v4(row->peer_address, READ(common, skc_daddr));
	}
	row->known |= GROUP_ENDS;
	row->exact |= GROUP_ENDS;
}

static __always_inline void fill_ends(struct connection_row *row, struct tcp_sock *tp)
{
	struct inet_sock *inet = &tp->inet_conn.icsk_inet;

	fill_common(row, &inet->sk.__sk_common);
	/* tcp_set_state(CLOSE) gives the port back before its tracepoint; inet_sport keeps it. */
	if (!row->local_port)
		row->local_port = bpf_ntohs(READ(inet, inet_sport));
}

/* The ISN as long as bytes_acked has the SYN in it (client), else the ISN + 1 (server). */
static __always_inline __u32 isn_of(struct tcp_sock *tp)
{
	return READ(tp, snd_una) - (__u32)READ(tp, bytes_acked);
}

static __always_inline void fill_traffic(struct connection_row *row, struct tcp_sock *tp, int state,
					 bool has_isn, __u32 isn_local)
{
	struct sock *sk = &tp->inet_conn.icsk_inet.sk;
	struct sequence seq = {
		.write_seq = READ(tp, write_seq),
		.snd_una = READ(tp, snd_una),
		.snd_nxt = READ(tp, snd_nxt),
		.bytes_received = READ(tp, bytes_received),
		.sock_done = (READ(sk, __sk_common.skc_flags) >> SOCK_DONE) & 1,
		.rcv_nxt = READ(tp, rcv_nxt),
		.copied_seq = READ(tp, copied_seq),
		.bytes_acked = READ(tp, bytes_acked),
		.bytes_sent = READ(tp, bytes_sent),
		.bytes_retrans = READ(tp, bytes_retrans),
	};

	fill_payload(row, &seq, state, has_isn, isn_local);
	row->segments_sent = READ(tp, segs_out);
	row->segments_received = READ(tp, segs_in);
	row->retransmits = READ(tp, total_retrans);
	row->known |= GROUP_TRAFFIC;
	/* MPTCP sends over one subflow again what another one, or the same, had sent before. */
	if (!bpf_core_field_exists(tp->is_mptcp) || !READ(tp, is_mptcp))
		row->exact |= GROUP_TRAFFIC;
}

static __always_inline void fill_quality(struct connection_row *row, struct tcp_sock *tp)
{
	__u32 srtt_us = READ(tp, srtt_us);
	__u32 min_rtt_us = READ(tp, rtt_min.s[0].v);

	/* Without a sample mdev_us is 250 ms << 2 and rtt_min is ~0. */
	if (srtt_us) {
		row->rtt_us = srtt_us >> 3;
		row->rtt_var_us = READ(tp, mdev_us) >> 2;
	}
	if (min_rtt_us != ~0U)
		row->min_rtt_us = min_rtt_us;
	row->known |= GROUP_QUALITY;
	row->exact |= GROUP_QUALITY;
}

static __always_inline void fill_owner(struct connection_row *row, struct tcp_sock *tp,
				       const struct owner *owner)
{
	struct sock *sk = &tp->inet_conn.icsk_inet.sk;

	row->uid = READ(sk, sk_uid.val);
	row->cgroup_id = READ(sk, sk_cgrp_data.cgroup, kn, id);
	if (!owner || !owner->pid)
		return;
	row->pid = owner->pid;
	row->process_start_ns = owner->process_start_ns;
	row->owner_evidence = owner->evidence;
	__builtin_memcpy(row->comm, owner->comm, sizeof(row->comm));
	row->known |= GROUP_OWNER;
	if (owner->evidence == OWNER_CONNECT || owner->evidence == OWNER_ACCEPT)
		row->exact |= GROUP_OWNER;
}

#endif
