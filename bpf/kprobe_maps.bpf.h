/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* What the kprobe tier remembers of sockets, and the ring; lent to each object by the first. */
#ifndef CONNSCOPE_KPROBE_MAPS_BPF_H
#define CONNSCOPE_KPROBE_MAPS_BPF_H

#include "connection.bpf.h"
#include "kprobe_fields.bpf.h"
#include "kprobe_rows.bpf.h"

struct process {
	__u64 start_ns;
	__u64 cgroup_id;
	__u32 pid;
	__u8 evidence; /* enum row_owner_evidence */
	__u8 reserved[3];
	__u8 comm[16];
};

/* A connection or a listener, from its begin to its end. */
struct known_socket {
	struct connection;
	__u64 syn_ns; /* when the first SYN left; connect_ns is when connect() was called */
	struct process owner;
	__u64 shown_sent; /* by looks, which may never show less */
	__u64 shown_received;
};

/* struct sock → what we know of it. Made when it connects, opens or listens, or by a look; gone
 * when it changes to CLOSE. All of it is there from the start: nothing is allocated under a probe.
 * Full: counted in losses.storage_failed, and the socket's row has what the socket itself tells. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 65536); /* user space sets it */
	__type(key, __u64);
	__type(value, struct known_socket);
} known_sockets SEC(".maps");

/* 0 → a socket that nothing is known of, to be filled in: too large for the stack. The kernel runs
 * no probe's program inside another one's, so one for each CPU is enough. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct known_socket);
} strangers SEC(".maps");

static __always_inline struct known_socket *stranger(void)
{
	__u32 zero = 0;
	struct known_socket *made = bpf_map_lookup_elem(&strangers, &zero);

	if (made)
		__builtin_memset(made, 0, sizeof(*made));
	return made;
}

/* The entry of a socket, empty if it is a new one; without room one that is nobody's and lasts as
 * long as the probe. NULL: never. */
static __always_inline struct known_socket *remember(__u64 sk, bool afresh)
{
	struct known_socket *known = NULL, *empty;

	if (!afresh)
		known = bpf_map_lookup_elem(&known_sockets, &sk);
	if (known)
		return known;
	empty = stranger();
	if (!empty)
		return NULL;
	if (bpf_map_update_elem(&known_sockets, &sk, empty, BPF_ANY)) {
		COUNT_LOSS(storage_failed);
		return empty;
	}
	return bpf_map_lookup_elem(&known_sockets, &sk);
}

#endif
