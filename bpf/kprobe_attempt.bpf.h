/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* connect() on its way, between the programs that see its call, its failure and its return. */
#ifndef CONNSCOPE_KPROBE_ATTEMPT_BPF_H
#define CONNSCOPE_KPROBE_ATTEMPT_BPF_H

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

/* What the socket does not tell any more when it has failed. */
struct attempt {
	__u64 sk;
	__u64 started_ns;
	__u8 peer_address[16];
	__u16 peer_port;
	__u8 family;
	__u8 reserved[5];
};

/* thread → the connect() that it is in. Made at the call, gone at its return. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096);
	__type(key, __u64);
	__type(value, struct attempt);
} attempts SEC(".maps");

#endif
