/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* The storage of a socket: made, told from a clone's, named. Typed loads only. */
#ifndef CONNSCOPE_TRACKED_SOCKET_BPF_H
#define CONNSCOPE_TRACKED_SOCKET_BPF_H

#include "fill.bpf.h"
#include "owner.bpf.h"
#include <bpf/bpf_core_read.h>

/* Forgets the last connection of the socket, keeps its owner and tag. */
static __always_inline void forget_connection(struct tracked_socket *tracked)
{
	tracked->connection_id = 0;
	tracked->connect_ns = 0;
	tracked->opened_ns = 0;
	tracked->isn_local = 0;
	tracked->isn_peer = 0;
	tracked->connect_us = 0;
	tracked->role = ROLE_UNKNOWN;
	tracked->closed_by = CLOSED_BY_UNKNOWN;
	tracked->has_isn = 0;
	tracked->shown.bytes_sent = 0;
	tracked->shown.bytes_received = 0;
	tracked->shown.whole = 0;
}

/* Of what a child was cloned with it keeps nothing but the owner. */
static __always_inline void forget_parent(struct tracked_socket *tracked)
{
	forget_connection(tracked);
	tracked->socket_inode = 0;
	tracked->attempt.started_ns = 0;
	tracked->has_tag = 0;
	tracked->last_tag = 0;
	tracked->holder_look = 0;
	tracked->owner.look = 0;
	if (tracked->owner.pid)
		tracked->owner.evidence = OWNER_LISTENER;
}

/*
 * The storage of sk, made if need be; NULL, counted, if there is no memory. The child of an accept
 * arrives here with a copy of its listener's storage. Kernels such as 6.1 give a child a cookie of
 * its own only after its change to SYN_RECV: what is in that state was told from its parent then.
 */
static __always_inline struct tracked_socket *track(struct sock *sk)
{
	__u64 cookie = bpf_get_socket_cookie(sk);
	struct tracked_socket *tracked =
		bpf_sk_storage_get(&tracked_sockets, sk, NULL, BPF_SK_STORAGE_GET_F_CREATE);

	/* An event and a walk that make a socket's first storage at once: the kernel refuses one of
	 * them, which finds it when it asks again. */
	if (!tracked)
		tracked =
			bpf_sk_storage_get(&tracked_sockets, sk, NULL, BPF_SK_STORAGE_GET_F_CREATE);
	if (!tracked) {
		COUNT_LOSS(storage_failed);
		return NULL;
	}
	if (tracked->socket_id && tracked->socket_id != cookie && tracked->state != TCP_SYN_RECV)
		forget_parent(tracked);
	/* New storage is all zero: a walk that meets an event on another CPU must not clear it. */
	tracked->socket_id = cookie;
	return tracked;
}

/* Gives the connection that begins on the socket its id; never that of the one before it. */
static __always_inline __u64 name_connection(struct tracked_socket *tracked, __u32 isn)
{
	__u16 tag = connection_tag(isn);

	if (tracked->has_tag && tag == tracked->last_tag)
		tag++;
	tracked->has_tag = 1;
	tracked->last_tag = tag;
	tracked->connection_id = name_of(tracked->socket_id, tag);
	return tracked->connection_id;
}

/* The inode that /proc/PID/fd shows; gone from the socket once it is an orphan. */
static __always_inline void note_inode(struct tracked_socket *tracked, struct sock *sk)
{
	__u32 inode = sk->sk_socket->file->f_inode->i_ino;

	if (inode)
		tracked->socket_inode = inode;
}

#endif
