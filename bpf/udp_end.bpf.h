/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* How flows end: their socket is closed, or nobody has used them for long. */
#ifndef CONNSCOPE_UDP_END_BPF_H
#define CONNSCOPE_UDP_END_BPF_H

#include "udp_flow.bpf.h"

/* After so long no program runs any more that has found a slot before its key was deleted. */
#define GRACE_NS 100000000ULL

/* Nobody has heard from the peer, or sent to it, for so long; user space sets them. */
const volatile __u64 idle_ns = 30000000000ULL;
const volatile __u64 idle_both_ns = 120000000000ULL;

/* Sockets with several flows that were closed → when, CLOCK_BOOTTIME. User space deletes what one
 * walk through the flows has seen. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 65536);
	__type(key, __u64);
	__type(value, __u64);
} closed_sockets SEC(".maps");

/* How long no datagram was counted, in nanoseconds; 0 if that can not be said yet. What includes
 * this knows its clock. */
static __always_inline __u64 rest_of(const struct udp_flow *flow);

/* The last row of a flow: of one that has failed, what was counted since that was told. True if
 * there is nothing left to tell. */
static __always_inline bool tell_end(struct udp_flow *flow, int kind, __u64 now)
{
	if (flow->has_failed) {
		if (!flow->row.segments_sent && !flow->row.segments_received)
			return true;
		kind = KIND_FAILED;
	}
	return tell_flow(flow, kind, now);
}

/* The last descriptor of a socket is closed: no call on it is under way, and none will come. */
static __always_inline void close_flows(struct udp_socket *socket, __u64 cookie)
{
	__u64 now = bpf_ktime_get_boot_ns();
	struct udp_flow *flow;
	__u32 *found, slot;

	if (!socket->flows)
		return;
	if (socket->flows > 1 || socket->begun > 1) {
		bpf_map_update_elem(&closed_sockets, &cookie, &now, BPF_ANY);
		ADD_TOTAL(closed);
		return;
	}
	found = bpf_map_lookup_elem(&flow_slots, &socket->only_peer);
	if (!found)
		return;
	slot = *found;
	flow = bpf_map_lookup_elem(&flows, &slot);
	if (!flow || bpf_map_delete_elem(&flow_slots, &socket->only_peer))
		return;
	if (!tell_end(flow, KIND_CLOSED, now))
		COUNT_LOSS(rows_lost);
	free_slot(slot, flow);
}

/* Ends a flow if its socket was closed, and takes its key away if it is idle. */
static __always_inline void end_flow(const struct flow_key *key, __u32 slot)
{
	struct udp_flow *flow = bpf_map_lookup_elem(&flows, &slot);
	struct retired retired = {};
	__u64 *closed_ns, limit_ns;

	if (!flow || flow->state != FLOW_LIVE || flow->row.socket_id != key->socket_id)
		return;
	closed_ns = bpf_map_lookup_elem(&closed_sockets, &key->socket_id);
	if (closed_ns) {
		/* If the ring is full it is told in the next walk. */
		if (tell_end(flow, KIND_CLOSED, *closed_ns) &&
		    !bpf_map_delete_elem(&flow_slots, key))
			free_slot(slot, flow);
		return;
	}
	limit_ns = flow->row.segments_sent && flow->row.segments_received ? idle_both_ns : idle_ns;
	/* Whoever deletes the key has the slot: its socket may be closed just now. */
	if (rest_of(flow) < limit_ns || bpf_map_delete_elem(&flow_slots, key))
		return;
	flow->state = FLOW_RETIRED;
	retired.since_ns = bpf_ktime_get_boot_ns();
	retired.slot = slot;
	if (!bpf_map_update_elem(&retired_flows, key, &retired, BPF_NOEXIST))
		return;
	/* There is no memory: it goes on, and is told another time. */
	flow->state = FLOW_LIVE;
	bpf_map_update_elem(&flow_slots, key, &slot, BPF_NOEXIST);
}

/* Tells that a flow was idle if nobody has used it since it lost its key. */
static __always_inline void tell_retired(const struct flow_key *key, const struct retired *retired)
{
	__u64 now_ns = bpf_ktime_get_boot_ns();
	__u32 slot = retired->slot;
	struct udp_flow *flow;

	if (now_ns - retired->since_ns < GRACE_NS)
		return;
	flow = bpf_map_lookup_elem(&flows, &slot);
	if (!flow || bpf_map_delete_elem(&retired_flows, key))
		return;
	flow->row.closed_ns = now_ns - rest_of(flow);
	/* The clock may be coarse. */
	if (flow->row.closed_ns < flow->row.opened_ns)
		flow->row.closed_ns = flow->row.opened_ns;
	if (tell_end(flow, KIND_IDLE, now_ns))
		free_slot(slot, flow);
	else
		bpf_map_update_elem(&retired_flows, key, retired, BPF_ANY);
}

#endif
