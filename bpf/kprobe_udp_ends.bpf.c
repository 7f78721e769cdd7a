/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * How UDP flows of the kprobe tier end. No iterator can be had without BTF, so a socket filter goes
 * through the slots that user space finds due, and sends it.
 */
#include "kprobe_udp.bpf.h"
#include "udp_end.bpf.h"

/* Slots in a message to sweep. */
#define SWEPT_AT_ONCE 32

/* The size of flows. */
const volatile __u32 slots_max = 65536;

SEC("cgroup/sock_release")
int release_socket(struct bpf_sock *ctx)
{
	struct udp_socket *socket;
	__u64 cookie;

	if (ctx->protocol != IPPROTO_UDP)
		return 1;
	cookie = bpf_get_socket_cookie(ctx);
	socket = bpf_map_lookup_elem(&udp_sockets, &cookie);
	if (!socket)
		return 1;
	close_flows(socket, cookie);
	bpf_map_delete_elem(&udp_sockets, &cookie);
	return 1;
}

static __always_inline __u64 rest_of(const struct udp_flow *flow)
{
	__u64 now = bpf_ktime_get_boot_ns(), last = flow->last_clock;

	return now > last ? now - last : 0;
}

static __noinline void sweep_slot(__u32 slot)
{
	struct udp_flow *flow = bpf_map_lookup_elem(&flows, &slot);
	struct retired retired, *found_retired;
	struct flow_key key = {};
	__u32 *found;

	if (!flow)
		return;
	key.socket_id = flow->row.socket_id;
	key.peer_port = flow->row.peer_port;
	__builtin_memcpy(key.peer_address, flow->row.peer_address, 16);
	/* The slot may be another flow's by now: only what the key leads to is certain. */
	found = bpf_map_lookup_elem(&flow_slots, &key);
	if (found) {
		if (*found == slot)
			end_flow(&key, slot);
		return;
	}
	found_retired = bpf_map_lookup_elem(&retired_flows, &key);
	if (!found_retired || found_retired->slot != slot)
		return;
	retired = *found_retired;
	tell_retired(&key, &retired);
}

/* Ends those of the flows whose time has come; for a message of slot numbers. */
SEC("socket")
int sweep(struct __sk_buff *message)
{
	__u32 slot;

	for (int at = 0; at < SWEPT_AT_ONCE; at++) {
		if (bpf_skb_load_bytes(message, at * sizeof(slot), &slot, sizeof(slot)))
			break;
		sweep_slot(slot);
	}
	return 0;
}

/* Offers a block of slots, the lowest to be taken first; for a message with its first one. */
SEC("socket")
int offer_slots(struct __sk_buff *message)
{
	__u32 first, slot;

	if (bpf_skb_load_bytes(message, 0, &first, sizeof(first)))
		return 0;
	for (int at = BLOCK_SLOTS - 1; at >= 0; at--) {
		slot = first + at;
		if (slot < slots_max)
			bpf_map_push_elem(&free_slots, &slot, 0);
	}
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
