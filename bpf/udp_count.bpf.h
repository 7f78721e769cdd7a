/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* What a call that sends or receives does to its flow, and what an error does. */
#ifndef CONNSCOPE_UDP_COUNT_BPF_H
#define CONNSCOPE_UDP_COUNT_BPF_H

#include "udp_flow.bpf.h"

/* What an error says of the way to the peer; 0: nothing. */
static __always_inline __u8 tell_udp_failure(int error)
{
	switch (error) {
	case ECONNREFUSED:
		return FAILURE_REFUSED;
	case EHOSTUNREACH:
	case ENETUNREACH:
	case EHOSTDOWN:
	case ENOPROTOOPT:
	case ENONET:
		return FAILURE_UNREACHABLE;
	case EPERM:
	case EACCES:
		return FAILURE_DENIED;
	}
	return FAILURE_NONE;
}

/*
 * Tells that the flow has failed, once until the peer is heard again. What is sent meanwhile is
 * counted, and told when the flow is idle or its socket is closed.
 */
static __always_inline void fail_flow(struct udp_flow *flow, int error)
{
	struct connection_row *row = &flow->row;
	__u64 sent = row->bytes_sent, received = row->bytes_received;
	__u32 sends = row->segments_sent, receives = row->segments_received;

	if (flow->has_failed)
		return;
	flow->has_failed = 1;
	row->error = error;
	row->failure = tell_udp_failure(error);
	if (!tell_flow(flow, KIND_FAILED, bpf_ktime_get_boot_ns()))
		COUNT_LOSS(rows_lost);
	/* Each datagram is told once. What another CPU adds just now stays. */
	__sync_fetch_and_add(&row->bytes_sent, -sent);
	__sync_fetch_and_add(&row->bytes_received, -received);
	__sync_fetch_and_add(&row->segments_sent, -sends);
	__sync_fetch_and_add(&row->segments_received, -receives);
}

static __always_inline void tell_opened(struct udp_flow *flow)
{
	if (!tell_flow(flow, KIND_OPENED, bpf_ktime_get_boot_ns()))
		COUNT_LOSS(rows_lost);
}

static __always_inline void add_to_flow(struct udp_flow *flow, int direction, __u64 bytes)
{
	add_datagram(&flow->row, direction, bytes);
	flow->last_clock = flow_clock();
	if (flow->has_failed && direction == RECEIVED) {
		flow->has_failed = 0;
		tell_opened(flow);
	}
}

/* The first datagram of a flow. */
static __noinline __attribute__((unused)) void count_first(udp_ref sk, const struct flow_key *key,
							   int direction, int bytes)
{
	bool is_new = !revive_flow(key) && !claim_slot(sk, key, direction);
	struct udp_flow *flow = find_flow(key);
	int error;

	if (!flow) {
		ADD_TOTAL(dropped);
		return;
	}
	add_to_flow(flow, direction, bytes);
	if (!is_new)
		return;
	tell_opened(flow);
	error = take_early_error(sk, key);
	if (error && direction == SENT)
		fail_flow(flow, error);
}

/* Spares most datagrams the hash of flows; what it says is looked at before it is believed. */
struct hint {
	__u32 slot;	   /* of the flow that was counted last of those with this hash */
	__u32 named_calls; /* calls that name a peer, under way on this local port */
};

static __always_inline void count_datagram(udp_ref sk, const struct flow_key *key, int direction,
					   int bytes, struct hint *hint)
{
	struct udp_flow *flow = hint ? flow_in(hint->slot, key) : NULL;
	__u32 *slot;

	if (!flow) {
		slot = bpf_map_lookup_elem(&flow_slots, key);
		flow = slot ? flow_in(*slot, key) : NULL;
		if (flow && hint)
			hint->slot = *slot;
	}
	if (flow)
		add_to_flow(flow, direction, bytes);
	else
		count_first(sk, key, direction, bytes);
}

/* A send was refused before anything left. */
static __noinline __attribute__((unused)) void count_refusal(udp_ref sk, const struct flow_key *key,
							     int error)
{
	struct udp_flow *flow = find_flow(key);

	if (!flow) {
		if (revive_flow(key) || !claim_slot(sk, key, SENT))
			flow = find_flow(key);
	}
	if (flow)
		fail_flow(flow, error);
}

/*
 * A receive on a socket without a connection that did not ask who sent. If the socket has had one
 * peer only it is taken to be that one, an inference; else nobody knows.
 */
static __noinline __attribute__((unused)) void count_nameless(udp_ref sk, struct flow_key *key,
							      int bytes)
{
	struct udp_socket *socket = udp_socket_of(sk, key, false);
	struct udp_flow *flow;

	if (socket && socket->flows == 1)
		*key = socket->only_peer;
	count_datagram(sk, key, RECEIVED, bytes, NULL);
	if (!key->peer_port)
		return;
	flow = find_flow(key);
	if (flow)
		flow->has_guesses = 1;
}

#endif
