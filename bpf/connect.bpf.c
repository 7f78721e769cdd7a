/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Attempts to connect, seen before the kernel looks for a route: cgroup programs on the cgroup2
 * root, once per connect() of a stream socket. They only watch; they always allow.
 */
#include "kernel.bpf.h"
#include <bpf/bpf_helpers.h>
#include "fill.bpf.h"
#include "tracked_socket.bpf.h"
#include "failed_attempt.bpf.h"

static __always_inline struct attempt *note_attempt(struct bpf_sock_addr *ctx)
{
	struct tracked_socket *tracked;
	struct attempt *attempt;
	struct tcp_sock *tp;
	__u64 cookie;

	if (ctx->type != SOCK_STREAM || ctx->protocol != IPPROTO_TCP || !ctx->sk)
		return NULL;
	cookie = bpf_get_socket_cookie(ctx);
	tracked = bpf_sk_storage_get(&tracked_sockets, ctx->sk, NULL, BPF_SK_STORAGE_GET_F_CREATE);
	if (!tracked) {
		COUNT_LOSS(storage_failed);
		return NULL;
	}
	tracked->socket_id = cookie;
	tp = bpf_skc_to_tcp_sock(ctx->sk);
	if (tp)
		settle_attempt(tracked, tp);
	/* The kernel asks us only for a socket that is not connected: nobody else owns it now. */
	if (!note_current(&tracked->owner, OWNER_CONNECT))
		tracked->owner.pid = 0;
	attempt = &tracked->attempt;
	attempt->peer_port = bpf_ntohs(ctx->user_port);
	attempt->denied = 0;
	/* Programs of the cgroups below the root have run before us. */
	if (bpf_core_enum_value_exists(enum bpf_func_id___local, BPF_FUNC_get_retval___local))
		attempt->denied = bpf_get_retval() == -EPERM;
	attempt->started_ns = bpf_ktime_get_boot_ns();
	return attempt;
}

SEC("cgroup/connect4")
int connect4(struct bpf_sock_addr *ctx)
{
	struct attempt *attempt = note_attempt(ctx);

	if (attempt) {
		map_v4(attempt->peer_address, ctx->user_ip4);
		attempt->family = 4;
	}
	return 1;
}

SEC("cgroup/connect6")
int connect6(struct bpf_sock_addr *ctx)
{
	struct attempt *attempt = note_attempt(ctx);

	if (attempt) {
		__u32 *words = (__u32 *)attempt->peer_address;

		words[0] = ctx->user_ip6[0];
		words[1] = ctx->user_ip6[1];
		words[2] = ctx->user_ip6[2];
		words[3] = ctx->user_ip6[3];
		attempt->family = is_v4_mapped(attempt->peer_address) ? 4 : 6;
	}
	return 1;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
