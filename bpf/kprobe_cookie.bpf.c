/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Gives each socket its cookie, the number by which the kernel calls it: the kernel makes one when
 * it is first asked, and a probe can not ask. On the cgroup2 root; they change nothing else.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

SEC("cgroup/sock_create")
int socket_made(struct bpf_sock *ctx)
{
	bpf_get_socket_cookie(ctx);
	return 1;
}

/* Children of an accept are made without that, and so were sockets that are older than us. */
SEC("sockops")
int socket_used(struct bpf_sock_ops *ctx)
{
	switch (ctx->op) {
	case BPF_SOCK_OPS_TCP_CONNECT_CB:
	case BPF_SOCK_OPS_ACTIVE_ESTABLISHED_CB:
	case BPF_SOCK_OPS_PASSIVE_ESTABLISHED_CB:
	case BPF_SOCK_OPS_TCP_LISTEN_CB:
		bpf_get_socket_cookie(ctx);
	}
	return 1;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
