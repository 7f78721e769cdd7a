/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Writes rows of connscope's real width into a ring, as many as asked for: the work of the bench of
 * the ring. Runs by BPF_PROG_TEST_RUN, so nothing else of the machine is touched.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include "../../bpf/row.h"

/* How many rows one run writes. Default: 256. */
const volatile __u32 rows_per_run = 256;

/* rows for the reader under test. Full: the row is not written. */
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 8 << 20);
} rows SEC(".maps");

static long write_row(__u32 index, void *context)
{
	struct connection_row *row = bpf_ringbuf_reserve(&rows, sizeof(*row), 0);

	if (!row)
		return 1;
	__builtin_memset(row, 0, sizeof(*row));
	row->time_ns = bpf_ktime_get_boot_ns();
	row->pid = bpf_get_smp_processor_id();
	row->segments_sent = index;
	bpf_ringbuf_submit(row, 0);
	return 0;
}

SEC("raw_tp")
int write_rows(void *context)
{
	return bpf_loop(rows_per_run, write_row, NULL, 0);
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
