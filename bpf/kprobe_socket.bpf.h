/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* From a copy of any socket, be it of TCP or of UDP, to its ends and its owner in a row. */
#ifndef CONNSCOPE_KPROBE_SOCKET_BPF_H
#define CONNSCOPE_KPROBE_SOCKET_BPF_H

#include "address.bpf.h"
#include "kprobe_maps.bpf.h"

#define NO_UID 0xffffffff

static __always_inline void copy_v6(__u8 address[16], const struct copy *sk, __u16 at)
{
	__u32 *words = (__u32 *)address;
	const __u32 *from = (const __u32 *)(sk->bytes + at);

	if (at >= COPY_BYTES)
		return;
	words[0] = from[0];
	words[1] = from[1];
	words[2] = from[2];
	words[3] = from[3];
}

static __always_inline void fill_ends(struct connection_row *row, const struct copy *sk)
{
	row->protocol = IPPROTO_TCP;
	row->netns = NOW32(GET64(sk, netns), netns_inode);
	row->state = GET8(sk, state);
	row->local_port = GET16(sk, num);
	if (!row->local_port)
		row->local_port = bpf_ntohs(GET16(sk, sport));
	row->peer_port = bpf_ntohs(GET16(sk, dport));
	row->family = 4;
	if (GET16(sk, family) == AF_INET6 && IS_KNOWN(daddr_v6) && IS_KNOWN(saddr_v6)) {
		copy_v6(row->local_address, sk, at_saddr_v6);
		copy_v6(row->peer_address, sk, at_daddr_v6);
		if (!is_v4_mapped(row->peer_address) && !is_v4_mapped(row->local_address))
			row->family = 6;
	} else {
		map_v4(row->local_address, GET32(sk, saddr));
		map_v4(row->peer_address, GET32(sk, daddr));
	}
	row->known |= GROUP_ENDS;
	row->exact |= GROUP_ENDS;
}

static __always_inline void fill_owner(struct connection_row *row, const struct copy *sk,
				       const struct process *owner)
{
	row->uid = IS_KNOWN(uid) ? GET32(sk, uid) : NO_UID;
	if (!owner->pid)
		return;
	row->pid = owner->pid;
	row->cgroup_id = owner->cgroup_id;
	row->process_start_ns = owner->start_ns;
	row->owner_evidence = owner->evidence;
	__builtin_memcpy(row->comm, owner->comm, sizeof(row->comm));
	row->known |= GROUP_OWNER;
	/* Without its start the process may be another one with the same number. */
	if (owner->start_ns &&
	    (owner->evidence == OWNER_CONNECT || owner->evidence == OWNER_ACCEPT))
		row->exact |= GROUP_OWNER;
}

#endif
