/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Which argument of udp_recvmsg has the flags? Our own thread receives with flags that we know, and
 * this sees where they are.
 */
#include "kprobe_registers.bpf.h"
#include <bpf/bpf_helpers.h>

struct seen_call {
	__u8 name[16]; /* of our thread, for a moment */
	__u64 fourth;
	__u64 fifth;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct seen_call);
} seen_calls SEC(".maps");

SEC("kprobe/udp_recvmsg")
int see_call(void *ctx)
{
	__u64 name[2] = {}, *wanted;
	struct seen_call *seen;
	__u32 zero = 0;

	seen = bpf_map_lookup_elem(&seen_calls, &zero);
	if (!seen)
		return 0;
	wanted = (__u64 *)seen->name;
	bpf_get_current_comm(name, sizeof(name));
	if (name[0] != wanted[0] || name[1] != wanted[1])
		return 0;
	seen->fourth = REGISTER(ctx, ARGUMENT_4);
	seen->fifth = REGISTER(ctx, ARGUMENT_5);
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
