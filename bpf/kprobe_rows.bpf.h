/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The way of rows to user space on a kernel that may be older than the ring buffer (457f44363a88,
 * 5.8): there a row is drafted in a map and copied into the perf buffer of this CPU. User space
 * says which, before the object is loaded, and the verifier removes the other way.
 */
#ifndef CONNSCOPE_KPROBE_ROWS_BPF_H
#define CONNSCOPE_KPROBE_ROWS_BPF_H

#include "rows.bpf.h"

/* Default: through the ring. */
const volatile bool rows_through_perf = false;

/* CLOCK_BOOTTIME - CLOCK_MONOTONIC: bpf_ktime_get_boot_ns() is as young as the ring (71d19214776e).
 * Read when rows go through perf only. */
const volatile __u64 boottime_ahead_ns = 0;

/* CPU → its perf buffer, for user space. Full: counted in losses.rows_lost. */
struct {
	__uint(type, BPF_MAP_TYPE_PERF_EVENT_ARRAY);
	__type(key, __u32);
	__type(value, __u32);
} perf_rows SEC(".maps");

/* 0 → the row that is being made: too large for the stack. The kernel runs no probe's program
 * inside another one's, so one for each CPU is enough. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct connection_row);
} row_drafts SEC(".maps");

static __always_inline __u64 boottime_ns(void)
{
	return rows_through_perf ? bpf_ktime_get_ns() + boottime_ahead_ns : bpf_ktime_get_boot_ns();
}

/* NULL: there is no room, which is counted. */
static __always_inline struct connection_row *new_row(void)
{
	struct connection_row *row;
	__u32 zero = 0;

	if (!rows_through_perf)
		return reserve_row();
	row = bpf_map_lookup_elem(&row_drafts, &zero);
	if (row)
		__builtin_memset(row, 0, sizeof(*row));
	return row;
}

static __always_inline void send_row(void *ctx, struct connection_row *row)
{
	if (!rows_through_perf)
		bpf_ringbuf_submit(row, 0);
	else if (bpf_perf_event_output(ctx, &perf_rows, BPF_F_CURRENT_CPU, row, sizeof(*row)))
		COUNT_LOSS(rows_lost);
}

#endif
