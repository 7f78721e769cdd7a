/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Counts UDP calls where fexit may be loaded: the functions that send and receive return with how
 * much, and still have the message with the name in it. No other protocol passes here, no cgroup
 * program is needed, and 5.17 will do instead of 6.3: since then a program may ask by number for
 * what a function was given and returned. Those that receive have had three signatures (see
 * received).
 *
 * Unlike a tracepoint's, these programs may be preempted, and the kernel runs none inside itself: a
 * call of another task in just that moment is missed. The kernel counts those, and so do we.
 */
#include "kernel.bpf.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include "udp_hint.bpf.h"
#include "udp_name.bpf.h"

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)
struct msghdr {
	void *msg_name;
	unsigned int msg_flags;
};
#pragma clang attribute pop

struct page;

/* udp_sendpage is there; user space sets it. */
const volatile __u32 has_sendpage = 0;

#define MSG_MORE 0x8000

struct last_send {
	struct flow_key key;
	__u64 sk;	  /* of the last call that named a peer */
	__u32 is_counted; /* by udp_sendmsg, which others call too: see sendmsg6, sendpage */
	__u32 is_page;	  /* udp_sendpage is under way */
};

struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct last_send);
} last_sends SEC(".maps");

static __always_inline struct last_send *last_send_of_current(__u64 flags)
{
	return bpf_task_storage_get(&last_sends, bpf_get_current_task_btf(), NULL, flags);
}

/* The peer that the message names; false if it names none. */
static __always_inline bool named_peer(struct msghdr *msg, struct flow_key *key)
{
	return read_name(msg->msg_name, key);
}

/*
 * Whom a send was about. One that names nobody on a socket without a connection adds to a datagram
 * that is held back (UDP_CORK, MSG_MORE): it goes where the one before it went.
 */
static __always_inline bool find_receiver(struct sock *sk, struct msghdr *msg, struct flow_key *key)
{
	struct last_send *last;

	key->socket_id = cookie_of(sk);
	if (msg && named_peer(msg, key)) {
		last = last_send_of_current(BPF_LOCAL_STORAGE_GET_F_CREATE);
		if (last) {
			last->key = *key;
			last->sk = (__u64)sk;
		}
		return true;
	}
	if (connected_peer(sk, key))
		return true;
	last = last_send_of_current(0);
	if (!last || last->sk != (__u64)sk)
		return false;
	key->peer_port = last->key.peer_port;
	__builtin_memcpy(key->peer_address, last->key.peer_address, 16);
	return true;
}

static __always_inline void sent(struct sock *sk, struct msghdr *msg, int length)
{
	struct flow_key key = {};
	bool is_known;

	if (!is_udp(sk))
		return;
	/* So udp_sendpage asks for the route. */
	if (!length && msg && !msg->msg_name && msg->msg_flags & MSG_MORE)
		return;
	is_known = find_receiver(sk, msg, &key);
	if (length >= 0)
		count_datagram(sk, &key, SENT, length, hint_of(&key));
	else if (is_known && tell_udp_failure(-length))
		count_refusal(sk, &key, -length);
}

/*
 * The fourth argument is the flags. Until ec095263a965 ("net: remove noblock parameter from
 * recvmsg() entities", 5.19) it was the fifth of six; since 8341c989ac77 ("net: remove addr_len
 * argument of recvmsg() handlers", 7.1) it is the last. So neither it nor what is returned has one
 * place.
 */
static __always_inline int received(__u64 *ctx, struct sock *sk, struct msghdr *msg)
{
	__u64 flags = 0, returned = 0;
	struct flow_key key = {};
	int length;

	if (bpf_get_func_arg(ctx, bpf_get_func_arg_cnt(ctx) > 5 ? 4 : 3, &flags) ||
	    bpf_get_func_ret(ctx, &returned))
		return 0;
	length = returned;
	if (length < 0 || flags & (MSG_PEEK | MSG_ERRQUEUE) || !is_udp(sk))
		return 0;
	/* Nothing, and no datagram either. */
	if (!length && sk->sk_shutdown & RCV_SHUTDOWN)
		return 0;
	key.socket_id = cookie_of(sk);
	if (named_peer(msg, &key) || connected_peer(sk, &key))
		count_datagram(sk, &key, RECEIVED, length, hint_of(&key));
	else
		count_nameless(sk, &key, length);
	return 0;
}

SEC("fexit/udp_sendmsg")
int BPF_PROG(sendmsg4, struct sock *sk, struct msghdr *msg, unsigned long size, int length)
{
	struct last_send *last;

	sent(sk, msg, length);
	if (sk->__sk_common.skc_family == AF_INET6) {
		last = last_send_of_current(BPF_LOCAL_STORAGE_GET_F_CREATE);
		if (last)
			last->is_counted = 1;
	} else if (has_sendpage && length > 0) {
		last = last_send_of_current(0);
		if (last && last->is_page)
			last->is_counted = 1;
	}
	return 0;
}

/* It calls udp_sendmsg if the peer is v4-mapped. */
SEC("fexit/udpv6_sendmsg")
int BPF_PROG(sendmsg6, struct sock *sk, struct msghdr *msg, unsigned long size, int length)
{
	struct last_send *last = last_send_of_current(0);

	if (last && last->is_counted)
		last->is_counted = 0;
	else
		sent(sk, msg, length);
	return 0;
}

/* sendfile and splice, until 6.5. It calls udp_sendmsg if the route can not take pages. */
SEC("fentry/udp_sendpage")
int BPF_PROG(begin_sendpage, struct sock *sk)
{
	struct last_send *last = last_send_of_current(BPF_LOCAL_STORAGE_GET_F_CREATE);

	if (last) {
		last->is_page = 1;
		last->is_counted = 0;
	}
	return 0;
}

SEC("fexit/udp_sendpage")
int BPF_PROG(sendpage, struct sock *sk, struct page *page, int offset, unsigned long size,
	     int flags, int length)
{
	struct last_send *last = last_send_of_current(0);

	if (!last || !last->is_counted)
		sent(sk, NULL, length);
	if (last)
		last->is_page = last->is_counted = 0;
	return 0;
}

SEC("fexit/udp_recvmsg")
int BPF_PROG(recvmsg4, struct sock *sk, struct msghdr *msg)
{
	return received(ctx, sk, msg);
}

SEC("fexit/udpv6_recvmsg")
int BPF_PROG(recvmsg6, struct sock *sk, struct msghdr *msg)
{
	return received(ctx, sk, msg);
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
