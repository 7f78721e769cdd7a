/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* UDP sockets of the kprobe tier: copies of their memory, and a hash by cookie. */
#ifndef CONNSCOPE_KPROBE_UDP_BPF_H
#define CONNSCOPE_KPROBE_UDP_BPF_H

#include "kprobe_owner.bpf.h"
#include "kprobe_socket.bpf.h"

typedef const struct copy *udp_ref;

/* All of it is there from the start: nothing is allocated under a probe. */
#define FLOW_HASH_FLAGS 0

#include "udp_count.bpf.h"

/* socket cookie → what UDP knows of it; gone when the socket is closed. Full: counted in
 * losses.storage_failed, and its flows end when they are idle. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 65536); /* user space sets it */
	__type(key, __u64);
	__type(value, struct udp_socket);
} udp_sockets SEC(".maps");

/* 0 → 1: user space has marked all sockets that are older than us. Until then any may be. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} older_are_marked SEC(".maps");

/* The peer that a socket is connected to; false if it is not. */
static __always_inline bool connected_peer(const struct copy *sk, struct flow_key *key)
{
	if (GET8(sk, state) != TCP_ESTABLISHED || !GET16(sk, dport))
		return false;
	key->peer_port = bpf_ntohs(GET16(sk, dport));
	if (GET16(sk, family) == AF_INET6 && IS_KNOWN(daddr_v6))
		copy_v6(key->peer_address, sk, at_daddr_v6);
	else
		map_v4(key->peer_address, GET32(sk, daddr));
	return true;
}

static __always_inline void fill_flow(struct connection_row *row, const struct copy *sk,
				      const struct flow_key *key, int direction, __u64 now)
{
	struct process owner = {};

	name_row(row, key, direction, now);
	fill_ends(row, sk);
	fill_flow_peer(row, key);
	/* Whoever makes the first call: no other socket belongs to it. */
	note_current(&owner, direction == SENT ? OWNER_CONNECT : OWNER_ACCEPT);
	fill_owner(row, sk, &owner);
}

static __always_inline struct udp_socket *udp_socket_of(const struct copy *sk,
							const struct flow_key *key, bool is_wanted)
{
	struct udp_socket *known = bpf_map_lookup_elem(&udp_sockets, &key->socket_id), made = {};
	__u32 zero = 0, *are_marked;

	if (known || !is_wanted)
		return known;
	are_marked = bpf_map_lookup_elem(&older_are_marked, &zero);
	made.is_older = !are_marked || !*are_marked;
	bpf_map_update_elem(&udp_sockets, &key->socket_id, &made, BPF_NOEXIST);
	return bpf_map_lookup_elem(&udp_sockets, &key->socket_id);
}

/* On loopback ICMP comes before the send that it is about returns; the socket still has it. */
static __always_inline int take_early_error(const struct copy *sk, const struct flow_key *key)
{
	struct flow_key connected = {};
	int error = GET32(sk, error);

	return tell_udp_failure(error) && connected_peer(sk, &connected) ? error : 0;
}

/* Beside what a probe costs this is nothing, and jiffies are not to be had before 5.12. */
static __always_inline __u64 flow_clock(void)
{
	return bpf_ktime_get_boot_ns();
}

#endif
