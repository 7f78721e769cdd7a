/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Must be refused by the verifier, which is a fault of the program: it reads where it may not. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} cells SEC(".maps");

SEC("tp_btf/task_rename")
int read_without_check(void *ctx)
{
	__u32 zero = 0;
	__u32 *cell = bpf_map_lookup_elem(&cells, &zero);

	return *cell & 1;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
