/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Walks the storage of tracked sockets and writes the id of each, to see what is left of them. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)
struct seq_file;
struct bpf_iter_meta {
	struct seq_file *seq;
};
struct sock;
struct bpf_map;
struct bpf_iter__bpf_sk_storage_map {
	struct bpf_iter_meta *meta;
	struct bpf_map *map;
	struct sock *sk;
	void *value;
};
#pragma clang attribute pop

SEC("iter/bpf_sk_storage_map")
int walk_storage(struct bpf_iter__bpf_sk_storage_map *ctx)
{
	__u64 *socket_id = ctx->value;

	if (socket_id)
		bpf_seq_write(ctx->meta->seq, socket_id, sizeof(*socket_id));
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
