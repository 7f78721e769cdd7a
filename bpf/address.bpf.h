/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Addresses as a row has them: 16 bytes as on the wire, IPv4 within ::ffff:0:0/96 (RFC 4291,
 * 2.5.5.2). */
#ifndef CONNSCOPE_ADDRESS_BPF_H
#define CONNSCOPE_ADDRESS_BPF_H

#include <linux/bpf.h>
#include <stdbool.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_endian.h>

static __always_inline void map_v4(__u8 address[16], __u32 v4)
{
	__u32 *words = (__u32 *)address;

	words[0] = 0;
	words[1] = 0;
	words[2] = bpf_htonl(0xffff);
	words[3] = v4;
}

static __always_inline bool is_v4_mapped(const __u8 address[16])
{
	const __u32 *words = (const __u32 *)address;

	return words[0] == 0 && words[1] == 0 && words[2] == bpf_htonl(0xffff);
}

#endif
