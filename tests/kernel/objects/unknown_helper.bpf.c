/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Must be refused as not supported: it calls a helper that no kernel has. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

static long (*no_such_helper)(void) = (void *)5000;

SEC("tp_btf/task_rename")
int call_unknown_helper(void *ctx)
{
	return no_such_helper() & 1;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
