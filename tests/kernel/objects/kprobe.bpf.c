/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Loads everywhere, attaches only where the kernel has kprobes. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

SEC("kprobe/tcp_close")
int probe_tcp_close(void *ctx)
{
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
