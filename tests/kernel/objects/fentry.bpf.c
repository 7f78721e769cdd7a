/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Loads only where the kernel is not locked down: it patches a kernel function. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

SEC("fentry/tcp_close")
int enter_tcp_close(void *ctx)
{
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
