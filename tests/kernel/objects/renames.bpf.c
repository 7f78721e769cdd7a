/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* The example of docs/kernel-library.md: tells when a process gets another name. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

/* Only the fields that are read; libbpf finds where this kernel has them. */
struct task_struct {
	int tgid;
} __attribute__((preserve_access_index));

/* Whose renames are told. 0: everybody's. */
const volatile __u32 watched_pid = 0;

struct rename {
	__u64 time_ns;
	__u32 pid;
	__u32 reserved;
	char old_name[16];
};

/* Renames for user space. Full: the rename is counted in `lost` and gone. */
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 65536); /* user space sets it */
} renames SEC(".maps");

/* 0 → renames that were lost on this CPU. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} lost SEC(".maps");

SEC("tp_btf/task_rename")
int task_rename(void *ctx)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct rename *rename;
	__u32 zero = 0;
	__u64 *count;

	if (watched_pid && task->tgid != watched_pid)
		return 0;
	rename = bpf_ringbuf_reserve(&renames, sizeof(*rename), 0);
	if (!rename) {
		count = bpf_map_lookup_elem(&lost, &zero);
		if (count)
			(*count)++;
		return 0;
	}
	rename->time_ns = bpf_ktime_get_boot_ns();
	rename->pid = task->tgid;
	rename->reserved = 0;
	bpf_get_current_comm(rename->old_name, sizeof(rename->old_name));
	bpf_ringbuf_submit(rename, 0);
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
