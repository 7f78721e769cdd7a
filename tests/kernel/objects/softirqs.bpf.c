/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Counts the softirqs whose tracepoint is called; /proc/softirqs has all that ran. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

/* enum of linux/interrupt.h → how many of it began, on all CPUs. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 16);
	__type(key, __u32);
	__type(value, __u64);
} begun SEC(".maps");

SEC("tp_btf/softirq_entry")
int softirq_entry(__u64 *vec_nr)
{
	__u32 vec = *vec_nr;
	__u64 *count = bpf_map_lookup_elem(&begun, &vec);

	if (count)
		__sync_fetch_and_add(count, 1);
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
