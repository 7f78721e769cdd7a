/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * What the tests of connscope.kernel load: knobs, maps of each shape, an iterator, and a program
 * that writes records whenever the watched process, or a child of it, renames itself. Nobody else
 * renames itself often, so it costs the machine nothing.
 */
#include <linux/bpf.h>
#include <stdbool.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#define MAX_RECORDS_PER_RUN 512
#define SHORT_BYTES	    20 /* no multiple of 8: the ring pads it */

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct task_struct {
	int tgid;
	struct task_struct *real_parent;
};

struct bpf_iter_meta {
	struct seq_file *seq;
};

struct bpf_iter__bpf_map_elem {
	struct bpf_iter_meta *meta;
	void *key;
	void *value;
};

#pragma clang attribute pop

/* Whose renames count: a process and its children. 0: nobody's. */
const volatile __u32 watched_pid = 0;
/* Records per rename, at most MAX_RECORDS_PER_RUN. */
const volatile __u16 records_per_run = 1;
/* Every so manieth record is discarded, is short. 0: none. */
const volatile __u8 discard_every = 0;
const volatile __u8 short_every = 0;
/* To the perf buffer instead of the ring. */
const volatile bool to_perf = false;
/* Values that come back in each record. */
const volatile __u64 mark = 1;
const volatile __s8 shift8 = -1;
const volatile __s16 shift16 = -1;
const volatile __s32 shift32 = -1;
const volatile __s64 shift64 = -1;
const volatile __u8 label[3] = {};

struct library_record {
	__u64 number; /* of all that this process attempted to write, from 0; a gap is a loss */
	__u64 mark;
	__s64 shift64;
	__s32 shift32;
	__u32 pid;
	__u32 cpu;
	__s16 shift16;
	__s8 shift8;
	__u8 reserved;
	__u8 filling[184];
};

_Static_assert(sizeof(struct library_record) == 224, "as wide as a connection_row");

struct library_counts {
	__u64 attempted;
	__u64 lost;
	__u64 discarded;
};

struct element {
	__u64 key;
	__u64 value;
};

/* Three words: the kernel pads each CPU's copy to 16 bytes. */
struct place {
	__u32 words[3];
};

/* Written and deleted by user space, walked by the iterator. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1024);
	__type(key, __u64);
	__type(value, __u64);
} elements SEC(".maps");

/* Filled by collect_elements, which pauses when it is full; emptied by user space. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 64);
	__type(key, __u32);
	__type(value, struct element);
} collected SEC(".maps");

/* 0 → how many are in it. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} collected_count SEC(".maps");

/* Written and deleted by user space. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_HASH);
	__uint(max_entries, 64);
	__type(key, __u32);
	__type(value, struct place);
} places SEC(".maps");

/* Written and deleted by user space. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 8);
	__type(key, __u32);
	__type(value, __u32);
} cells SEC(".maps");

/* process → the number of its next record. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 64);
	__type(key, __u32);
	__type(value, __u64);
} next_numbers SEC(".maps");

/* 0 → what happened on this CPU. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct library_counts);
} counts SEC(".maps");

/* Full: the record is counted in counts.lost and gone. */
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 16384); /* user space sets it */
} ring SEC(".maps");

/* Full: as above. */
struct {
	__uint(type, BPF_MAP_TYPE_PERF_EVENT_ARRAY);
	__uint(key_size, 4);
	__uint(value_size, 4);
} samples SEC(".maps");

static __always_inline void fill(struct library_record *record, __u64 number, __u32 pid)
{
	__builtin_memset(record, 0, sizeof(*record));
	record->number = number;
	record->mark = mark;
	record->shift64 = shift64;
	record->shift32 = shift32;
	record->shift16 = shift16;
	record->shift8 = shift8;
	record->filling[0] = label[0];
	record->filling[1] = label[1];
	record->filling[2] = label[2];
	record->pid = pid;
	record->cpu = bpf_get_smp_processor_id();
}

static __noinline int write_short(__u64 number)
{
	__u32 words[SHORT_BYTES / 4] = {number};

	return bpf_ringbuf_output(&ring, words, sizeof(words), 0);
}

static __always_inline void write_to_ring(struct library_counts *here, __u64 number, __u32 pid)
{
	struct library_record *record;

	if (short_every && number % short_every == 0) {
		if (write_short(number))
			here->lost++;
		return;
	}
	record = bpf_ringbuf_reserve(&ring, sizeof(*record), 0);
	if (!record) {
		here->lost++;
		return;
	}
	fill(record, number, pid);
	if (discard_every && number % discard_every == 0) {
		here->discarded++;
		bpf_ringbuf_discard(record, 0);
	} else {
		bpf_ringbuf_submit(record, 0);
	}
}

static __always_inline void write_to_perf(void *ctx, struct library_counts *here, __u64 number,
					  __u32 pid)
{
	struct library_record record;

	fill(&record, number, pid);
	if (bpf_perf_event_output(ctx, &samples, BPF_F_CURRENT_CPU, &record, sizeof(record)))
		here->lost++;
}

SEC("tp_btf/task_rename")
int write_records(void *ctx)
{
	struct task_struct *task = bpf_get_current_task_btf();
	__u64 first = 0, *number;
	__u32 pid, zero = 0;
	struct library_counts *here;

	if (!watched_pid || (task->tgid != watched_pid && task->real_parent->tgid != watched_pid))
		return 0;
	pid = task->tgid;
	here = bpf_map_lookup_elem(&counts, &zero);
	if (!here)
		return 0;
	bpf_map_update_elem(&next_numbers, &pid, &first, BPF_NOEXIST);
	number = bpf_map_lookup_elem(&next_numbers, &pid);
	if (!number)
		return 0;
	for (int i = 0; i < MAX_RECORDS_PER_RUN && i < records_per_run; i++) {
		here->attempted++;
		if (to_perf)
			write_to_perf(ctx, here, *number, pid);
		else
			write_to_ring(here, *number, pid);
		(*number)++;
	}
	return 0;
}

SEC("iter/bpf_map_elem")
int walk_elements(struct bpf_iter__bpf_map_elem *ctx)
{
	__u64 *key = ctx->key, *value = ctx->value;
	struct element element;

	if (!key || !value)
		return 0;
	element.key = *key;
	element.value = *value;
	bpf_seq_write(ctx->meta->seq, &element, sizeof(element));
	return 0;
}

SEC("iter/bpf_map_elem")
int collect_elements(struct bpf_iter__bpf_map_elem *ctx)
{
	__u64 *key = ctx->key, *value = ctx->value;
	struct element *element;
	__u32 zero = 0, *count;

	count = bpf_map_lookup_elem(&collected_count, &zero);
	if (!key || !value || !count)
		return 0;
	element = bpf_map_lookup_elem(&collected, count);
	if (!element)
		return 1;
	element->key = *key;
	element->value = *value;
	(*count)++;
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
