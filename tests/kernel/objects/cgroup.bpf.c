/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Watches sockets being made in a cgroup; always allows. Its section does not say which cgroup. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

/* How many sockets were made, on all CPUs. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} made SEC(".maps");

SEC("cgroup/sock_create")
int sock_create(struct bpf_sock *ctx)
{
	__u32 zero = 0;
	__u64 *count = bpf_map_lookup_elem(&made, &zero);

	if (count)
		__sync_fetch_and_add(count, 1);
	return 1;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
