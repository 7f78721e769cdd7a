/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * UDP flows: how they end, what fails, which sockets are older than us. The calls that send and
 * receive are counted by udp_calls.bpf.c, or by udp_fexit.bpf.c where fexit may be loaded.
 */
#include "kernel.bpf.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include "udp_typed.bpf.h"
#include "udp_end.bpf.h"

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

/* A tick of jiffies is as long as it was since we came. */
static __always_inline __u64 rest_of(const struct udp_flow *flow)
{
	__u64 now = bpf_jiffies64(), last = flow->last_clock;
	__u32 zero = 0;
	struct start *start = bpf_map_lookup_elem(&starts, &zero);

	if (!start || !start->ns || now <= start->jiffies || now <= last)
		return 0;
	return (now - last) * ((bpf_ktime_get_ns() - start->ns) / (now - start->jiffies));
}

/* The last descriptor of a socket is closed: no call on it is under way, and none will come. */
SEC("cgroup/sock_release")
int release_socket(struct bpf_sock *ctx)
{
	struct udp_socket *socket;

	if (ctx->protocol != IPPROTO_UDP)
		return 1;
	socket = bpf_sk_storage_get(&udp_sockets, ctx, NULL, 0);
	if (socket)
		close_flows(socket, bpf_get_socket_cookie(ctx));
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
	socket = udp_socket_of(sk, &key, true);
	if (socket)
		socket->error = error;
	return 0;
}

/* Ends flows of closed sockets, and takes the keys of those that are idle away. */
SEC("iter/bpf_map_elem")
int end_flows(struct bpf_iter__bpf_map_elem *ctx)
{
	struct flow_key key, *at = ctx->key;
	__u32 *value = ctx->value;

	if (!at || !value)
		return 0;
	key = *at;
	end_flow(&key, *value);
	return 0;
}

/* Tells of flows that nobody has used since they lost their key. */
SEC("iter/bpf_map_elem")
int tell_idle(struct bpf_iter__bpf_map_elem *ctx)
{
	struct flow_key key, *at = ctx->key;
	struct retired retired, *value = ctx->value;

	if (!at || !value)
		return 0;
	key = *at;
	retired = *value;
	tell_retired(&key, &retired);
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
	known = udp_socket_of(sk, NULL, true);
	if (known)
		known->is_older = 1;
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
