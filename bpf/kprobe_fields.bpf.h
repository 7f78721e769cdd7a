/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Where this kernel keeps the fields that the kprobe tier reads: user space says, by BTF or by its
 * guess (src/connscope/capture/kprobe/guess/fields.py has the same names). Pointers are plain
 * numbers, so nothing here needs types or CO-RE.
 */
#ifndef CONNSCOPE_KPROBE_FIELDS_BPF_H
#define CONNSCOPE_KPROBE_FIELDS_BPF_H

#include "kernel.bpf.h"
#include <bpf/bpf_helpers.h>

#define NOWHERE 0xffff

/* In bytes from the start of what it is a member of. Default: not known. */
#define FIELD(name) const volatile __u16 at_##name = NOWHERE

FIELD(saddr);
FIELD(daddr);
FIELD(family);
FIELD(sport);
FIELD(dport);
FIELD(netns);
FIELD(netns_inode);
FIELD(daddr_v6);
FIELD(saddr_v6);
FIELD(num);
FIELD(state);
FIELD(cookie);
FIELD(flags);
FIELD(error);
FIELD(shutdown);
FIELD(uid);
FIELD(backlog);
FIELD(backlog_max);
FIELD(write_seq);
FIELD(snd_nxt);
FIELD(snd_una);
FIELD(rcv_nxt);
FIELD(copied_seq);
FIELD(bytes_acked);
FIELD(bytes_received);
FIELD(bytes_sent);
FIELD(bytes_retrans);
FIELD(segs_in);
FIELD(segs_out);
FIELD(total_retrans);
FIELD(srtt);
FIELD(mdev);
FIELD(min_rtt);
FIELD(task_flags);
FIELD(task_comm);
FIELD(task_start);
FIELD(task_leader);
FIELD(file_socket);
FIELD(socket_sock);
/* Known from BTF only: what they tell is a little more, or a little more certain. */
FIELD(owned);
FIELD(slock);
FIELD(is_mptcp);

/* How much of a socket is copied: up to behind the last field. Default: nothing. */
const volatile __u32 socket_bytes = 0;

#define COPY_BYTES 4096
#define WIDEST	   16

/* A copy of a socket's memory: one call for all fields is cheaper than one for each. */
struct copy {
	__u8 bytes[COPY_BYTES + WIDEST];
};

/* 0 → the socket that is looked at. The kernel runs no probe's program inside another one's, so one
 * for each CPU is enough. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct copy);
} copies SEC(".maps");

static __always_inline __u64 read_at(__u64 base, __u16 at, __u32 size)
{
	__u64 value = 0;

	if (at != NOWHERE)
		bpf_probe_read_kernel(&value, size, (const void *)(base + at));
	return value;
}

/* The bytes of a field as a number, read now; 0 if it is not known where it is. */
#define NOW8(base, field)  ((__u8)read_at(base, at_##field, 1))
#define NOW16(base, field) ((__u16)read_at(base, at_##field, 2))
#define NOW32(base, field) ((__u32)read_at(base, at_##field, 4))
#define NOW64(base, field) read_at(base, at_##field, 8)

/* NULL: never. */
static __always_inline struct copy *copy_socket(__u64 sk)
{
	__u32 zero = 0, size = socket_bytes;
	struct copy *copy = bpf_map_lookup_elem(&copies, &zero);

	if (copy && size <= COPY_BYTES)
		bpf_probe_read_kernel(copy->bytes, size, (const void *)sk);
	return copy;
}

/* The same of a copy. */
#define GET(type, copy, field) \
	(at_##field < COPY_BYTES ? *(const type *)((copy)->bytes + at_##field) : 0)
#define GET8(copy, field)  GET(__u8, copy, field)
#define GET16(copy, field) GET(__u16, copy, field)
#define GET32(copy, field) GET(__u32, copy, field)
#define GET64(copy, field) GET(__u64, copy, field)

#define IS_KNOWN(field) (at_##field != NOWHERE)

#endif
