/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * UDP flows: how they end, what fails, which sockets are older than us. The calls that send and
 * receive are counted by udp_calls.bpf.c, or by udp_fexit.bpf.c where fexit may be loaded.
 */
#include "kernel.bpf.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include "udp_count.bpf.h"

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)
struct bpf_iter_meta;
struct bpf_map;

struct bpf_iter__bpf_map_elem {
	struct bpf_iter_meta *meta;
	struct bpf_map *map;
	void *key;
	void *value;
};

struct bpf_iter__task_file {
	struct bpf_iter_meta *meta;
	struct task_struct *task;
	__u32 fd;
	struct file *file;
};
#pragma clang attribute pop

/* After so long no program runs any more that has found a slot before its key was deleted. */
#define GRACE_NS 100000000ULL

/* Nobody has heard from the peer, or sent to it, for so long; user space sets them. */
const volatile __u64 idle_ns = 30000000000ULL;
const volatile __u64 idle_both_ns = 120000000000ULL;

/* The size of flows. */
const volatile __u32 slots_max = 65536;

/* 0 → when we came, by both clocks: so long lasts a tick of jiffies here. */
struct start {
	__u64 jiffies;
	__u64 ns;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct start);
} starts SEC(".maps");

/* How long no datagram was counted, in nanoseconds; 0 if that can not be said yet. */
static __always_inline __u64 rest_of(const struct udp_flow *flow)
{
	__u64 now = bpf_jiffies64(), last = flow->last_jiffies;
	__u32 zero = 0;
	struct start *start = bpf_map_lookup_elem(&starts, &zero);

	if (!start || !start->ns || now <= start->jiffies || now <= last)
		return 0;
	return (now - last) * ((bpf_ktime_get_ns() - start->ns) / (now - start->jiffies));
}

/* Sockets with several flows that were closed → when, CLOCK_BOOTTIME. User space deletes what one
 * walk of end_flows has seen. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 65536);
	__type(key, __u64);
	__type(value, __u64);
} closed_sockets SEC(".maps");

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
SEC("cgroup/sock_release")
int release_socket(struct bpf_sock *ctx)
{
	struct udp_socket *socket;
	struct udp_flow *flow;
	__u64 now, cookie;
	__u32 *found, slot;

	if (ctx->protocol != IPPROTO_UDP)
		return 1;
	socket = bpf_sk_storage_get(&udp_sockets, ctx, NULL, 0);
	if (!socket || !socket->flows)
		return 1;
	now = bpf_ktime_get_boot_ns();
	if (socket->flows > 1 || socket->begun > 1) {
		cookie = bpf_get_socket_cookie(ctx);
		bpf_map_update_elem(&closed_sockets, &cookie, &now, BPF_ANY);
		ADD_TOTAL(closed);
		return 1;
	}
	found = bpf_map_lookup_elem(&flow_slots, &socket->only_peer);
	if (!found)
		return 1;
	slot = *found;
	flow = bpf_map_lookup_elem(&flows, &slot);
	if (!flow || bpf_map_delete_elem(&flow_slots, &socket->only_peer))
		return 1;
	if (!tell_end(flow, KIND_CLOSED, now))
		COUNT_LOSS(rows_lost);
	free_slot(slot, flow);
	return 1;
}

/* ICMP said something of a datagram, on behalf of a connected socket or one with IP_RECVERR. In
 * softirq; on loopback before the send that it is about returns. */
SEC("tp_btf/inet_sk_error_report")
int BPF_PROG(hear_error, struct sock *sk)
{
	struct udp_socket *socket;
	struct flow_key key = {};
	struct udp_flow *flow;
	int error;

	if (!is_udp(sk))
		return 0;
	error = sk->sk_err;
	if (!tell_udp_failure(error))
		return 0;
	key.socket_id = cookie_of(sk);
	if (!connected_peer(sk, &key)) {
		socket = bpf_sk_storage_get(&udp_sockets, sk, NULL, 0);
		/* Which of several peers it is about is in the packet only. */
		if (!socket || socket->flows != 1)
			return 0;
		key = socket->only_peer;
	}
	flow = find_flow(&key);
	if (flow) {
		fail_flow(flow, error);
		return 0;
	}
	socket = bpf_sk_storage_get(&udp_sockets, sk, NULL, BPF_SK_STORAGE_GET_F_CREATE);
	if (socket)
		socket->error = error;
	return 0;
}

/* Ends flows of closed sockets, and takes the keys of those that are idle away. */
SEC("iter/bpf_map_elem")
int end_flows(struct bpf_iter__bpf_map_elem *ctx)
{
	struct flow_key key, *at = ctx->key;
	__u32 *value = ctx->value, slot;
	struct retired retired = {};
	struct udp_flow *flow;
	__u64 *closed_ns, limit_ns;

	if (!at || !value)
		return 0;
	key = *at;
	slot = *value;
	flow = bpf_map_lookup_elem(&flows, &slot);
	if (!flow || flow->state != FLOW_LIVE || flow->row.socket_id != key.socket_id)
		return 0;
	closed_ns = bpf_map_lookup_elem(&closed_sockets, &key.socket_id);
	if (closed_ns) {
		/* If the ring is full it is told in the next walk. */
		if (tell_end(flow, KIND_CLOSED, *closed_ns) &&
		    !bpf_map_delete_elem(&flow_slots, &key))
			free_slot(slot, flow);
		return 0;
	}
	limit_ns = flow->row.segments_sent && flow->row.segments_received ? idle_both_ns : idle_ns;
	if (rest_of(flow) < limit_ns)
		return 0;
	retired.since_ns = bpf_ktime_get_boot_ns();
	retired.slot = slot;
	flow->state = FLOW_RETIRED;
	bpf_map_delete_elem(&flow_slots, &key);
	if (bpf_map_update_elem(&retired_flows, &key, &retired, BPF_NOEXIST))
		flow->state = FLOW_LIVE;
	return 0;
}

/* Tells of flows that nobody has used since they lost their key. */
SEC("iter/bpf_map_elem")
int tell_idle(struct bpf_iter__bpf_map_elem *ctx)
{
	struct flow_key key, *at = ctx->key;
	struct retired retired, *value = ctx->value;
	__u64 now_ns = bpf_ktime_get_boot_ns();
	struct udp_flow *flow;

	if (!at || !value)
		return 0;
	key = *at;
	retired = *value;
	if (now_ns - retired.since_ns < GRACE_NS)
		return 0;
	flow = bpf_map_lookup_elem(&flows, &retired.slot);
	if (!flow || bpf_map_delete_elem(&retired_flows, &key))
		return 0;
	flow->row.closed_ns = now_ns - rest_of(flow);
	/* Jiffies are coarse. */
	if (flow->row.closed_ns < flow->row.opened_ns)
		flow->row.closed_ns = flow->row.opened_ns;
	if (tell_end(flow, KIND_IDLE, now_ns))
		free_slot(retired.slot, flow);
	else
		bpf_map_update_elem(&retired_flows, &key, &retired, BPF_ANY);
	return 0;
}

/* Fills the stack, so that the lowest slots come out first. */
SEC("iter/bpf_map_elem")
int offer_slots(struct bpf_iter__bpf_map_elem *ctx)
{
	__u32 *slot = ctx->key, place;
	struct start *start;

	if (!slot || !ctx->value)
		return 0;
	place = slots_max - 1 - *slot;
	if (!place) {
		start = bpf_map_lookup_elem(&starts, &place);
		if (start) {
			start->jiffies = bpf_jiffies64();
			start->ns = bpf_ktime_get_ns();
		}
	}
	bpf_map_push_elem(&free_slots, &place, 0);
	return 0;
}

/* Marks the sockets that are there when we come: what they sent before nobody has counted. */
SEC("iter/task_file")
int mark_older(struct bpf_iter__task_file *ctx)
{
	struct file *file = ctx->file;
	struct udp_socket *known;
	struct socket *socket;
	struct sock *sk;

	if (!ctx->task || !file)
		return 0;
	socket = bpf_sock_from_file(file);
	if (!socket)
		return 0;
	sk = socket->sk;
	if (!sk || !is_udp(sk))
		return 0;
	known = bpf_sk_storage_get(&udp_sockets, sk, NULL, BPF_SK_STORAGE_GET_F_CREATE);
	if (known)
		known->is_older = 1;
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
