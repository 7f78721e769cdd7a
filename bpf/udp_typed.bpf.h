/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* UDP sockets of the btf tier: typed loads, and socket storage. */
#ifndef CONNSCOPE_UDP_TYPED_BPF_H
#define CONNSCOPE_UDP_TYPED_BPF_H

#include "fill.bpf.h"
#include "owner.bpf.h"

typedef struct sock *udp_ref;

#define FLOW_HASH_FLAGS BPF_F_NO_PREALLOC

#include "udp_count.bpf.h"

struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct udp_socket);
} udp_sockets SEC(".maps");

static __always_inline bool is_udp(struct sock *sk)
{
	/* Protocol 17 of another family is something else. */
	return sk->sk_protocol == IPPROTO_UDP &&
	       (sk->__sk_common.skc_family == AF_INET || sk->__sk_common.skc_family == AF_INET6);
}

static __always_inline __u64 cookie_of(struct sock *sk)
{
	__u64 cookie = sk->__sk_common.skc_cookie.counter;

	return cookie ? cookie : bpf_get_socket_cookie(sk);
}

/* The peer that a socket is connected to; false if it is not. */
static __always_inline bool connected_peer(struct sock *sk, struct flow_key *key)
{
	struct sock_common *common = &sk->__sk_common;

	if (common->skc_state != TCP_ESTABLISHED || !common->skc_dport)
		return false;
	key->peer_port = bpf_ntohs(common->skc_dport);
	if (common->skc_family == AF_INET6 && bpf_core_field_exists(common->skc_v6_daddr))
		copy_v6(key->peer_address, &common->skc_v6_daddr);
	else
		map_v4(key->peer_address, common->skc_daddr);
	return true;
}

static __always_inline void fill_flow(struct connection_row *row, struct sock *sk,
				      const struct flow_key *key, int direction, __u64 now)
{
	struct owner owner = {};

	name_row(row, key, direction, now);
	row->uid = sk->sk_uid.val;
	row->cgroup_id = sk->sk_cgrp_data.cgroup->kn->id;
	row->socket_inode = sk->sk_socket->file->f_inode->i_ino;
	fill_common(row, &sk->__sk_common);
	fill_flow_peer(row, key);
	/* Whoever makes the first call: no other socket belongs to it. */
	if (!note_current(&owner, direction == SENT ? OWNER_CONNECT : OWNER_ACCEPT))
		return;
	row->pid = owner.pid;
	row->process_start_ns = owner.process_start_ns;
	row->owner_evidence = owner.evidence;
	__builtin_memcpy(row->comm, owner.comm, sizeof(row->comm));
	row->known |= GROUP_OWNER;
	row->exact |= GROUP_OWNER;
}

static __always_inline struct udp_socket *udp_socket_of(struct sock *sk, const struct flow_key *key,
							bool is_wanted)
{
	struct udp_socket *found;

	if (!is_wanted)
		return bpf_sk_storage_get(&udp_sockets, sk, NULL, 0);
	found = bpf_sk_storage_get(&udp_sockets, sk, NULL, BPF_SK_STORAGE_GET_F_CREATE);
	/* Of two that make it at once one is refused (EAGAIN, EEXIST); it finds the other's. */
	if (!found)
		found = bpf_sk_storage_get(&udp_sockets, sk, NULL, BPF_SK_STORAGE_GET_F_CREATE);
	return found;
}

static __always_inline int take_early_error(struct sock *sk, const struct flow_key *key)
{
	struct udp_socket *socket = udp_socket_of(sk, key, false);
	int error = socket ? socket->error : 0;

	if (error)
		socket->error = 0;
	return error;
}

/* Jiffies: they cost nothing to read. */
static __always_inline __u64 flow_clock(void)
{
	return bpf_jiffies64();
}

#endif
