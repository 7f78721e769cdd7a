/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * What a connection is called. A socket can connect, disconnect and connect again, so its cookie
 * names no connection. Its ISN does, and snd_una - bytes_acked gives it (or it + 1, for a server)
 * at any moment of the connection's life: so the id is the same after a restart of ours, which a
 * count of generations would not be. 16 bits of it tell one socket's connections apart.
 */
#ifndef CONNSCOPE_CONNECTION_ID_BPF_H
#define CONNSCOPE_CONNECTION_ID_BPF_H

#include "fill.bpf.h"

#define CONNECTION_TAG_SHIFT 48

/* The ISN as long as bytes_acked has the SYN in it (client), else the ISN + 1 (server). */
static __always_inline __u32 isn_of(struct tcp_sock *tp)
{
	return READ(tp, snd_una) - (__u32)READ(tp, bytes_acked);
}

static __always_inline __u16 connection_tag(__u32 isn)
{
	return isn ^ (isn >> 16);
}

static __always_inline __u64 name_of(__u64 socket_id, __u16 tag)
{
	return (socket_id & ((1ULL << CONNECTION_TAG_SHIFT) - 1)) | (__u64)tag
									    << CONNECTION_TAG_SHIFT;
}

#endif
