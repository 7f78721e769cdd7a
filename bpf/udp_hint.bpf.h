/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Finds the flow of most calls without a call into the kernel. */
#ifndef CONNSCOPE_UDP_HINT_BPF_H
#define CONNSCOPE_UDP_HINT_BPF_H

#include "udp_typed.bpf.h"

/*
 * By local port, and by the hash of a flow's key. An array needs no call into the kernel, which is
 * most of the price of a datagram: plain calls on connected sockets are counted without any.
 */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 65536);
	__type(key, __u32);
	__type(value, struct hint);
} hints SEC(".maps");

static __always_inline struct hint *hint_at(__u64 number)
{
	__u32 place = number & 0xffff;

	return bpf_map_lookup_elem(&hints, &place);
}

static __always_inline struct hint *hint_of(const struct flow_key *key)
{
	const __u32 *words = (const __u32 *)key->peer_address;

	return hint_at(key->socket_id + key->peer_port * 0x9e37U + words[3] * 0x61c9U);
}

/* Counts a call on a connected socket; false if that needs more: nobody has counted there yet, or
 * this call may be one of those on the port that name a peer. */
static __always_inline bool count_connected(struct sock *sk, int direction, int bytes)
{
	struct flow_key key = {};
	struct udp_flow *flow;
	struct hint *hint;

	if (!connected_peer(sk, &key))
		return false;
	hint = hint_at(sk->__sk_common.skc_num);
	if (!hint || hint->named_calls)
		return false;
	key.socket_id = sk->__sk_common.skc_cookie.counter;
	hint = hint_of(&key);
	flow = hint ? flow_in(hint->slot, &key) : NULL;
	if (!flow)
		return false;
	add_to_flow(flow, direction, bytes);
	return true;
}

#endif
