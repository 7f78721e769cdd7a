/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Denies every IPv4 connect of the cgroup that it is attached to. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

SEC("cgroup/connect4")
int deny_connect4(struct bpf_sock_addr *ctx)
{
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
