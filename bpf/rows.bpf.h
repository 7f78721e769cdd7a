/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* The way of rows to user space, and the count of what does not get there. */
#ifndef CONNSCOPE_ROWS_BPF_H
#define CONNSCOPE_ROWS_BPF_H

#include <linux/bpf.h>
#include <stdbool.h>
#include <bpf/bpf_helpers.h>
#include "row.h"

/* rows for user space. Full: the row is counted in losses.rows_lost and gone. */
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 8 << 20); /* user space sets it */
} rows SEC(".maps");

/* 0 → what went missing so far. User space maps it: while a system call looks into a map, the
 * kernel runs no kprobe's program on that CPU. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct capture_losses);
} losses SEC(".maps");

/* Adds one to a field of losses. */
#define COUNT_LOSS(field)                                                            \
	do {                                                                         \
		__u32 zero = 0;                                                      \
		struct capture_losses *counts = bpf_map_lookup_elem(&losses, &zero); \
		if (counts)                                                          \
			__sync_fetch_and_add(&counts->field, 1);                     \
	} while (0)

static __always_inline struct connection_row *reserve_row(void)
{
	struct connection_row *row = bpf_ringbuf_reserve(&rows, sizeof(*row), 0);

	if (!row) {
		COUNT_LOSS(rows_lost);
		return NULL;
	}
	__builtin_memset(row, 0, sizeof(*row));
	return row;
}

#endif
