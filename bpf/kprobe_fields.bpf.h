/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Where this kernel keeps the fields that the kprobe tier reads: user space says, by BTF or by its
 * guess (src/connscope/capture/guess_fields.py has the same names). Pointers are plain numbers, so
 * nothing here needs types or CO-RE.
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

static __always_inline __u64 read_at(__u64 base, __u16 at, __u32 size)
{
	__u64 value = 0;

	if (at != NOWHERE)
		bpf_probe_read_kernel(&value, size, (const void *)(base + at));
	return value;
}

/* The bytes of a field as a number; 0 if it is not known where it is. */
#define GET8(base, field)  ((__u8)read_at(base, at_##field, 1))
#define GET16(base, field) ((__u16)read_at(base, at_##field, 2))
#define GET32(base, field) ((__u32)read_at(base, at_##field, 4))
#define GET64(base, field) read_at(base, at_##field, 8)

#define IS_KNOWN(field) (at_##field != NOWHERE)

#endif
