/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * What a tier remembers of the connection that is open on a socket, and what it is called. A socket
 * can connect, disconnect and connect again, so its cookie names no connection. Its ISN does, and
 * snd_una - bytes_acked gives it (or it + 1, for a server) at any moment of the connection's life:
 * so the id is the same after a restart of ours, which a count of generations would not be. 16 bits
 * of it tell one socket's connections apart.
 */
#ifndef CONNSCOPE_CONNECTION_BPF_H
#define CONNSCOPE_CONNECTION_BPF_H

#include <linux/bpf.h>
#include <stdbool.h>
#include <bpf/bpf_helpers.h>
#include "row.h"

#define CONNECTION_TAG_SHIFT 48

struct connection {
	__u64 socket_id;     /* cookie; 0: it has none yet */
	__u64 connection_id; /* of the connection that is open now; 0: none */
	__u64 connect_ns;    /* when the handshake began */
	__u64 opened_ns;
	__u32 isn_local;
	__u32 isn_peer;
	__u32 connect_us;
	__u8 role;
	__u8 closed_by; /* who sent the first FIN */
	__u8 has_isn;
};

static __always_inline __u16 connection_tag(__u32 isn)
{
	return isn ^ (isn >> 16);
}

static __always_inline __u64 name_of(__u64 socket_id, __u16 tag)
{
	return (socket_id & ((1ULL << CONNECTION_TAG_SHIFT) - 1)) | (__u64)tag
									    << CONNECTION_TAG_SHIFT;
}

/* The columns of a row that none but us remembers. */
static __always_inline void fill_connection(struct connection_row *row,
					    const struct connection *connection, int kind,
					    __u64 now)
{
	row->kind = kind;
	row->time_ns = now;
	row->socket_id = connection->socket_id;
	row->connection_id = connection->connection_id;
	row->role = connection->role;
	row->opened_ns = connection->opened_ns;
	row->connect_us = connection->connect_us;
	row->known = GROUP_IDENTITY;
	/* A socket without a cookie is called by its ISN alone. */
	row->exact = connection->socket_id ? GROUP_IDENTITY : 0;
	if (connection->opened_ns) {
		row->known |= GROUP_LIFE;
		row->exact |= GROUP_LIFE;
	}
	if (connection->has_isn) {
		row->isn_local = connection->isn_local;
		row->isn_peer = connection->isn_peer;
		row->known |= GROUP_JOIN;
		row->exact |= GROUP_JOIN;
	}
}

/* Of a listener, instead of traffic. */
static __always_inline void make_listener(struct connection_row *row, __u32 queue_length,
					  __u32 queue_limit)
{
	row->queue_length = queue_length;
	row->queue_limit = queue_limit;
	row->peer_port = 0;
	row->known &= ~GROUP_TRAFFIC;
	row->exact &= ~GROUP_TRAFFIC;
}

#endif
