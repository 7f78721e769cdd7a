/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Counts UDP calls where only tracepoints can be had: sock_send_length and sock_recv_length (6.3)
 * say how much, cgroup programs whom the call named. A call runs in one task from the one to the
 * other, so the name waits in that task's storage: two threads may use one socket with two peers.
 *
 * TCP passes through the same tracepoints and leaves them after one comparison.
 */
#include "kernel.bpf.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include "udp_hint.bpf.h"

struct call {
	struct flow_key key;
	__u64 sk;	    /* of the last call that named a peer */
	__u32 port;	    /* that socket's own */
	__u32 is_under_way; /* the call that named this peer has not returned */
};

struct calls {
	struct call send;
	struct call receive;
};

struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct calls);
} calls SEC(".maps");

static __always_inline void count_named(__u32 port, int more)
{
	struct hint *hint = hint_at(port);

	if (hint)
		__sync_fetch_and_add(&hint->named_calls, more);
}

static __always_inline struct calls *calls_of_current(__u64 flags)
{
	return bpf_task_storage_get(&calls, bpf_get_current_task_btf(), NULL, flags);
}

static __always_inline void note_call(struct bpf_sock_addr *ctx, int direction, bool is_v6)
{
	struct bpf_sock *sk = ctx->sk;
	struct calls *calls;
	struct call *call;
	__u32 *words;

	if (!sk)
		return;
	/* UDP only: other protocols have no such hooks. */
	calls = calls_of_current(BPF_LOCAL_STORAGE_GET_F_CREATE);
	if (!calls) {
		COUNT_LOSS(storage_failed);
		return;
	}
	call = direction == SENT ? &calls->send : &calls->receive;
	if (call->is_under_way) /* its tracepoint was missed */
		count_named(call->port, -1);
	call->sk = (__u64)sk;
	call->port = sk->src_port;
	call->key.peer_port = bpf_ntohs(ctx->user_port);
	words = (__u32 *)call->key.peer_address;
	if (is_v6) {
		words[0] = ctx->user_ip6[0];
		words[1] = ctx->user_ip6[1];
		words[2] = ctx->user_ip6[2];
		words[3] = ctx->user_ip6[3];
	} else {
		map_v4(call->key.peer_address, ctx->user_ip4);
	}
	call->is_under_way = 1;
	count_named(call->port, 1);
}

SEC("cgroup/sendmsg4")
int sendmsg4(struct bpf_sock_addr *ctx)
{
	note_call(ctx, SENT, false);
	return 1;
}

SEC("cgroup/sendmsg6")
int sendmsg6(struct bpf_sock_addr *ctx)
{
	note_call(ctx, SENT, true);
	return 1;
}

SEC("cgroup/recvmsg4")
int recvmsg4(struct bpf_sock_addr *ctx)
{
	note_call(ctx, RECEIVED, false);
	return 1;
}

SEC("cgroup/recvmsg6")
int recvmsg6(struct bpf_sock_addr *ctx)
{
	note_call(ctx, RECEIVED, true);
	return 1;
}

/*
 * The call that named the peer of this one; NULL if none did. A send on a socket without a
 * connection that named nobody adds to a datagram that is held back (UDP_CORK, MSG_MORE): it goes
 * where the one before it went.
 */
static __always_inline struct call *naming_call(struct sock *sk, int direction)
{
	struct calls *calls = calls_of_current(0);
	struct call *call;

	if (!calls)
		return NULL;
	call = direction == SENT ? &calls->send : &calls->receive;
	if (call->sk != (__u64)sk)
		return NULL;
	if (call->is_under_way) {
		call->is_under_way = 0;
		count_named(call->port, -1);
		return call;
	}
	if (direction == SENT && sk->__sk_common.skc_state != TCP_ESTABLISHED)
		return call;
	return NULL;
}

/* Whom the call was about; false if nobody says. */
static __always_inline bool find_peer(struct sock *sk, struct flow_key *key, int direction)
{
	struct call *call = naming_call(sk, direction);

	key->socket_id = cookie_of(sk);
	if (!call)
		return connected_peer(sk, key);
	key->peer_port = call->key.peer_port;
	__builtin_memcpy(key->peer_address, call->key.peer_address, 16);
	return true;
}

static __always_inline void sent(struct sock *sk, int length)
{
	struct flow_key key = {};
	bool is_known = find_peer(sk, &key, SENT);

	if (length >= 0)
		count_datagram(sk, &key, SENT, length, hint_of(&key));
	else if (is_known && tell_udp_failure(-length))
		count_refusal(sk, &key, -length);
}

static __always_inline void received(struct sock *sk, int length)
{
	struct flow_key key = {};

	/* Nothing, and no datagram either. */
	if (!length && sk->sk_shutdown & RCV_SHUTDOWN)
		return;
	if (find_peer(sk, &key, RECEIVED))
		count_datagram(sk, &key, RECEIVED, length, hint_of(&key));
	else
		count_nameless(sk, &key, length);
}

SEC("tp_btf/sock_send_length")
int BPF_PROG(sock_send_length, struct sock *sk, int length, int flags)
{
	if (sk->sk_protocol == IPPROTO_UDP && is_udp(sk) &&
	    (length < 0 || !count_connected(sk, SENT, length)))
		sent(sk, length);
	return 0;
}

SEC("tp_btf/sock_recv_length")
int BPF_PROG(sock_recv_length, struct sock *sk, int length, int flags)
{
	if (sk->sk_protocol == IPPROTO_UDP && is_udp(sk) && length >= 0 &&
	    !(flags & (MSG_PEEK | MSG_ERRQUEUE)) &&
	    (!length || !count_connected(sk, RECEIVED, length)))
		received(sk, length);
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
