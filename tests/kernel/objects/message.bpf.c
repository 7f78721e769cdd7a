/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Adds up the numbers of each message. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#define NUMBERS_MAX 8

struct heard {
	__u64 messages;
	struct {
		__u32 sum;
		__u32 count;
	} numbers;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 2);
	__type(key, __u32);
	__type(value, struct heard);
} heard SEC(".maps");

SEC("socket")
int add_up(struct __sk_buff *message)
{
	__u32 zero = 0, number;
	struct heard *here = bpf_map_lookup_elem(&heard, &zero);

	if (!here)
		return 0;
	here->messages++;
	for (int at = 0; at < NUMBERS_MAX; at++) {
		if (bpf_skb_load_bytes(message, at * sizeof(number), &number, sizeof(number)))
			break;
		here->numbers.sum += number;
		here->numbers.count++;
	}
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
