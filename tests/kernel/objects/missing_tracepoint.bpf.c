/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Must be refused as not supported: no kernel has this tracepoint. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

SEC("tp_btf/no_such_tracepoint")
int watch_missing_tracepoint(void *ctx)
{
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
