/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* The life of a UDP flow: how it is found, begun, told, and given up. See udp_maps.bpf.h. */
#ifndef CONNSCOPE_UDP_FLOW_BPF_H
#define CONNSCOPE_UDP_FLOW_BPF_H

#include "udp_maps.bpf.h"

/*
 * What differs between tiers; whoever includes this has it. A udp_ref is a socket: what it points
 * to is the tier's affair.
 */

/* The row of a flow that begins: all but its counters. */
static __always_inline void fill_flow(struct connection_row *row, udp_ref sk,
				      const struct flow_key *key, int direction, __u64 now);
/* What UDP knows of the socket of that key, made if it is wanted; NULL: nothing, or no memory. */
static __always_inline struct udp_socket *udp_socket_of(udp_ref sk, const struct flow_key *key,
							bool is_wanted);
/* An error that came before the first datagram of the flow was counted; 0: none. */
static __always_inline int take_early_error(udp_ref sk, const struct flow_key *key);
/* What time it is, by a clock that costs little to read. */
static __always_inline __u64 flow_clock(void);

static __always_inline bool same_address(const __u8 one[16], const __u8 other[16])
{
	const __u64 *a = (const __u64 *)one, *b = (const __u64 *)other;

	return a[0] == b[0] && a[1] == b[1];
}

static __always_inline bool is_unspecified(const __u8 address[16])
{
	const __u32 *words = (const __u32 *)address;

	return !words[0] && !words[1] && !words[3] && (!words[2] || is_v4_mapped(address));
}

/* The id of a flow: all of the socket's cookie and of the peer, so that it is the same after a
 * restart of ours, and also in the next life of a flow that was idle. */
static __always_inline __u64 mix(__u64 state, __u64 more)
{
	state = (state ^ more) * 0x9E3779B97F4A7C15ULL;
	return state ^ (state >> 29);
}

static __always_inline __u64 name_flow(const struct flow_key *key)
{
	const __u64 *address = (const __u64 *)key->peer_address;
	__u64 id = mix(mix(key->socket_id, address[0]), address[1]);

	id = mix(mix(id, key->peer_port), 0);
	return id ? id : 1;
}

/* The peer of a flow, over that of the socket. */
static __always_inline void fill_flow_peer(struct connection_row *row, const struct flow_key *key)
{
	row->protocol = IPPROTO_UDP;
	row->state = TCP_ESTABLISHED;
	row->peer_port = key->peer_port;
	__builtin_memcpy(row->peer_address, key->peer_address, 16);
	if (key->peer_port) {
		row->family = is_v4_mapped(key->peer_address) ? 4 : 6;
		if (row->family == 4 && !is_v4_mapped(row->local_address))
			map_v4(row->local_address, 0);
	}
	/* A socket that is bound to no address sends from the one that the route says. */
	if (!key->peer_port || is_unspecified(row->local_address))
		row->exact &= ~GROUP_ENDS;
}

/* Who the flow is, and how it began. */
static __always_inline void name_row(struct connection_row *row, const struct flow_key *key,
				     int direction, __u64 now)
{
	row->known = GROUP_IDENTITY | GROUP_TRAFFIC | GROUP_LIFE;
	row->exact = row->known;
	row->connection_id = name_flow(key);
	row->socket_id = key->socket_id;
	row->opened_ns = now;
	row->role = direction == SENT ? ROLE_CLIENT : ROLE_SERVER;
}

/* Which peers the socket has, for receives that do not say, and for its end. */
static __always_inline void note_flow(struct connection_row *row, udp_ref sk,
				      const struct flow_key *key)
{
	struct udp_socket *socket = udp_socket_of(sk, key, true);

	if (!socket) {
		COUNT_LOSS(storage_failed);
		return;
	}
	if (socket->is_older) {
		/* What went before we came nobody has counted; nor who began. */
		row->exact &= ~(GROUP_TRAFFIC | GROUP_LIFE);
		row->role = ROLE_UNKNOWN;
	}
	__sync_fetch_and_add(&socket->begun, 1);
	if (!socket->flows) {
		socket->only_peer = *key;
		socket->flows = 1;
	} else if (socket->only_peer.peer_port != key->peer_port ||
		   !same_address(socket->only_peer.peer_address, key->peer_address)) {
		socket->flows = 2;
	}
}

/* Sends a row of the flow as it is now; false if the ring is full. */
static __always_inline bool tell_flow(struct udp_flow *flow, int kind, __u64 now)
{
	struct connection_row *row = bpf_ringbuf_reserve(&rows, sizeof(*row), 0);

	if (!row)
		return false;
	__builtin_memcpy(row, &flow->row, sizeof(*row));
	row->kind = kind;
	row->time_ns = now;
	if (flow->has_guesses)
		row->exact &= ~GROUP_TRAFFIC;
	if (kind != KIND_OPENED) {
		row->state = TCP_CLOSE;
		if (kind != KIND_IDLE)
			row->closed_ns = now;
	}
	if (kind == KIND_FAILED) {
		row->known |= GROUP_QUALITY;
		row->exact |= GROUP_QUALITY;
	} else {
		row->error = 0;
		row->failure = FAILURE_NONE;
	}
	if (kind == KIND_CLOSED)
		row->closed_by = CLOSED_BY_LOCAL;
	bpf_ringbuf_submit(row, 0);
	return true;
}

static __always_inline void add_datagram(struct connection_row *row, int direction, __u64 bytes)
{
	if (direction == SENT) {
		__sync_fetch_and_add(&row->bytes_sent, bytes);
		__sync_fetch_and_add(&row->segments_sent, 1);
	} else {
		__sync_fetch_and_add(&row->bytes_received, bytes);
		__sync_fetch_and_add(&row->segments_received, 1);
	}
}

static __always_inline void free_slot(__u32 slot, struct udp_flow *flow)
{
	flow->state = FLOW_FREE;
	ADD_TOTAL(freed);
	bpf_map_push_elem(&free_slots, &slot, 0);
}

/* The flow in a slot, if it is the one that the key leads to, and alive. */
static __always_inline struct udp_flow *flow_in(__u32 slot, const struct flow_key *key)
{
	struct udp_flow *flow = bpf_map_lookup_elem(&flows, &slot);

	if (!flow || flow->state != FLOW_LIVE || flow->row.socket_id != key->socket_id ||
	    flow->row.peer_port != key->peer_port ||
	    !same_address(flow->row.peer_address, key->peer_address))
		return NULL;
	return flow;
}

/* The live flow of a socket and peer; NULL if there is none. What the hash says is looked at again:
 * its entry may have been deleted, and used anew, since it was found. */
static __always_inline struct udp_flow *find_flow(const struct flow_key *key)
{
	__u32 *slot = bpf_map_lookup_elem(&flow_slots, key);

	return slot ? flow_in(*slot, key) : NULL;
}

/* A flow that was about to be told as idle goes on; false if there is none. */
static __always_inline bool revive_flow(const struct flow_key *key)
{
	struct retired *found = bpf_map_lookup_elem(&retired_flows, key);
	struct udp_flow *flow;
	__u32 slot;

	if (!found)
		return false;
	slot = found->slot;
	flow = bpf_map_lookup_elem(&flows, &slot);
	if (!flow || bpf_map_delete_elem(&retired_flows, key))
		return false;
	flow->last_clock = flow_clock();
	if (bpf_map_update_elem(&flow_slots, key, &slot, BPF_NOEXIST)) {
		struct retired again = {.since_ns = bpf_ktime_get_boot_ns(), .slot = slot};

		bpf_map_update_elem(&retired_flows, key, &again, BPF_NOEXIST);
		return false;
	}
	flow->state = FLOW_LIVE;
	return true;
}

/* Takes a free slot for a flow and lets the key lead to it. 0 and the slot, or not 0: there is none
 * left, or another CPU was faster. */
static __noinline __attribute__((unused)) int claim_slot(udp_ref sk, const struct flow_key *key,
							 int direction)
{
	__u64 now = bpf_ktime_get_boot_ns();
	struct udp_flow *flow;
	__u32 slot, block;
	__u64 *mark;

	if (bpf_map_pop_elem(&free_slots, &slot))
		return -1;
	flow = bpf_map_lookup_elem(&flows, &slot);
	block = slot / BLOCK_SLOTS;
	mark = bpf_map_lookup_elem(&flow_blocks, &block);
	if (!flow || !mark)
		return -1;
	*mark = 1;
	flow->generation++;
	__builtin_memset(&flow->row, 0, sizeof(flow->row));
	flow->has_failed = flow->has_guesses = 0;
	fill_flow(&flow->row, sk, key, direction, now);
	note_flow(&flow->row, sk, key);
	flow->last_clock = flow_clock();
	ADD_TOTAL(begun);
	if (bpf_map_update_elem(&flow_slots, key, &slot, BPF_NOEXIST)) {
		free_slot(slot, flow);
		return -1;
	}
	flow->state = FLOW_LIVE;
	return 0;
}

#endif
