/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Must be refused as not supported: no kernel's task has this field. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct task_struct {
	int no_such_field;
} __attribute__((preserve_access_index));

SEC("tp_btf/task_rename")
int read_missing_field(void *ctx)
{
	struct task_struct *task = bpf_get_current_task_btf();

	return task->no_such_field & 1;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
