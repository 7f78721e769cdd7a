/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * UDP flows of the kprobe tier: probes at the call and at the return of the functions that send and
 * receive, and where a socket hears of an error. The first two arguments of those functions are the
 * socket and the message on every kernel, and the message begins with where the peer's name is.
 */
#include "kprobe_registers.bpf.h"
#include "kprobe_udp.bpf.h"
#include "udp_name.bpf.h"

/* Which argument of the functions that receive has the flags: the fifth until ec095263a965 ("net:
 * remove noblock parameter from recvmsg() entities", 5.19), the fourth since. User space finds out
 * by kprobe_udp_flags.bpf.c. */
const volatile __u32 flags_argument = 4;

struct send {
	struct flow_key named; /* the peer that the last call with a name named */
	__u64 named_sk;	       /* the socket of that call */
	__u64 sk;	       /* of the call that is under way */
	__u64 msg;
	__u64 page_sk;	  /* udp_sendpage is under way */
	__u64 is_counted; /* by udp_sendmsg, which others call too: see outer_returns */
};

/* thread → its sends. The name of the last one is needed after it: see find_receiver. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 16384);
	__type(key, __u64);
	__type(value, struct send);
} sends SEC(".maps");

struct receive {
	__u64 sk;
	__u64 msg;
};

/* thread → the receive that it is in. Made at the call, gone at its return. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 16384);
	__type(key, __u64);
	__type(value, struct receive);
} receives SEC(".maps");

/* The peer that the message names, where it begins; false if it names none. */
static __always_inline bool named_peer(__u64 msg, struct flow_key *key)
{
	return read_name((const void *)read_at(msg, 0, 8), key);
}

/*
 * Whom a send was about. One that names nobody on a socket without a connection adds to a datagram
 * that is held back (UDP_CORK, MSG_MORE): it goes where the one before it went.
 */
static __always_inline bool find_receiver(const struct copy *copy, struct send *send, __u64 sk,
					  __u64 msg, struct flow_key *key)
{
	if (msg && named_peer(msg, key)) {
		send->named = *key;
		send->named_sk = sk;
		return true;
	}
	if (connected_peer(copy, key))
		return true;
	if (send->named_sk != sk)
		return false;
	*key = send->named;
	return true;
}

static __always_inline void sent(const struct copy *copy, struct send *send, __u64 sk, __u64 msg,
				 int length)
{
	struct flow_key key = {.socket_id = GET64(copy, cookie)};
	bool is_known = find_receiver(copy, send, sk, msg, &key);

	if (!key.socket_id) {
		if (length >= 0)
			ADD_TOTAL(dropped);
	} else if (length >= 0) {
		count_datagram(copy, &key, SENT, length, NULL);
	} else if (is_known && tell_udp_failure(-length)) {
		count_refusal(copy, &key, -length);
	}
}

static __always_inline struct send *send_of_thread(bool is_wanted)
{
	__u64 thread = bpf_get_current_pid_tgid();
	struct send *send = bpf_map_lookup_elem(&sends, &thread), none = {};

	if (send || !is_wanted)
		return send;
	bpf_map_update_elem(&sends, &thread, &none, BPF_ANY);
	return bpf_map_lookup_elem(&sends, &thread);
}

static __always_inline struct send *note_send(void *ctx)
{
	struct send *send = send_of_thread(true);

	if (send) {
		send->sk = REGISTER(ctx, ARGUMENT_1);
		send->msg = REGISTER(ctx, ARGUMENT_2);
	}
	return send;
}

SEC("kprobe/udp_sendmsg")
int sendmsg4(void *ctx)
{
	note_send(ctx);
	return 0;
}

SEC("kretprobe/udp_sendmsg")
int sendmsg4_returns(void *ctx)
{
	struct send *send = send_of_thread(false);
	int length = REGISTER(ctx, RESULT);
	struct copy *copy;
	__u64 sk;

	if (!send || !send->sk)
		return 0;
	sk = send->sk;
	send->sk = 0;
	copy = copy_socket(sk);
	/* With nothing to send udp_sendpage asks for the route. */
	if (!copy || (send->page_sk && !length))
		return 0;
	send->is_counted = GET16(copy, family) == AF_INET6 || (send->page_sk && length > 0);
	sent(copy, send, sk, send->msg, length);
	return 0;
}

SEC("kprobe/udpv6_sendmsg")
int sendmsg6(void *ctx)
{
	struct send *send = note_send(ctx);

	if (send)
		send->is_counted = 0;
	return 0;
}

/* Of a function that may have called udp_sendmsg, which has counted then. */
static __always_inline void outer_returns(struct send *send, __u64 sk, __u64 msg, int length)
{
	struct copy *copy = sk && !send->is_counted ? copy_socket(sk) : NULL;

	if (copy)
		sent(copy, send, sk, msg, length);
	send->is_counted = 0;
}

/* It calls udp_sendmsg if the peer is v4-mapped. */
SEC("kretprobe/udpv6_sendmsg")
int sendmsg6_returns(void *ctx)
{
	struct send *send = send_of_thread(false);
	__u64 sk;

	if (!send)
		return 0;
	sk = send->sk;
	send->sk = 0;
	outer_returns(send, sk, send->msg, REGISTER(ctx, RESULT));
	return 0;
}

/* sendfile and splice, until 6.5. It calls udp_sendmsg if the route can not take pages. */
SEC("kprobe/udp_sendpage")
int sendpage(void *ctx)
{
	struct send *send = send_of_thread(true);

	if (send) {
		send->page_sk = REGISTER(ctx, ARGUMENT_1);
		send->is_counted = 0;
	}
	return 0;
}

SEC("kretprobe/udp_sendpage")
int sendpage_returns(void *ctx)
{
	struct send *send = send_of_thread(false);
	__u64 sk;

	if (!send)
		return 0;
	sk = send->page_sk;
	send->page_sk = 0;
	outer_returns(send, sk, 0, REGISTER(ctx, RESULT));
	return 0;
}

static __always_inline int note_receive(void *ctx)
{
	__u32 fourth = REGISTER(ctx, ARGUMENT_4), fifth = REGISTER(ctx, ARGUMENT_5), flags;
	__u64 thread = bpf_get_current_pid_tgid();
	struct receive call = {
		.sk = REGISTER(ctx, ARGUMENT_1),
		.msg = REGISTER(ctx, ARGUMENT_2),
	};

	/* The verifier wants both read: a place of the context that is chosen it does not allow. */
	barrier_var(fourth);
	barrier_var(fifth);
	flags = flags_argument == 4 ? fourth : fifth;
	if (flags & (MSG_PEEK | MSG_ERRQUEUE))
		bpf_map_delete_elem(&receives, &thread);
	else
		bpf_map_update_elem(&receives, &thread, &call, BPF_ANY);
	return 0;
}

static __always_inline void received(const struct receive *call, int length)
{
	struct copy *copy = copy_socket(call->sk);
	struct flow_key key = {};

	/* Nothing, and no datagram either. */
	if (!copy || (!length && GET8(copy, shutdown) & RCV_SHUTDOWN))
		return;
	key.socket_id = GET64(copy, cookie);
	if (!key.socket_id)
		ADD_TOTAL(dropped);
	else if (named_peer(call->msg, &key) || connected_peer(copy, &key))
		count_datagram(copy, &key, RECEIVED, length, NULL);
	else
		count_nameless(copy, &key, length);
}

static __always_inline int receive_returns(void *ctx)
{
	__u64 thread = bpf_get_current_pid_tgid();
	struct receive *found = bpf_map_lookup_elem(&receives, &thread), call;
	int length = REGISTER(ctx, RESULT);

	if (!found)
		return 0;
	call = *found;
	bpf_map_delete_elem(&receives, &thread);
	if (length >= 0)
		received(&call, length);
	return 0;
}

SEC("kprobe/udp_recvmsg")
int recvmsg4(void *ctx)
{
	return note_receive(ctx);
}

SEC("kretprobe/udp_recvmsg")
int recvmsg4_returns(void *ctx)
{
	return receive_returns(ctx);
}

SEC("kprobe/udpv6_recvmsg")
int recvmsg6(void *ctx)
{
	return note_receive(ctx);
}

SEC("kretprobe/udpv6_recvmsg")
int recvmsg6_returns(void *ctx)
{
	return receive_returns(ctx);
}

/* ICMP said something of a datagram, on behalf of a connected socket or one with IP_RECVERR; other
 * sockets pass here too, and have no flow. */
SEC("kprobe/sock_def_error_report")
int hear_error(void *ctx)
{
	struct copy *copy = copy_socket(REGISTER(ctx, ARGUMENT_1));
	struct udp_socket *socket;
	struct flow_key key = {};
	struct udp_flow *flow;
	int error;

	if (!copy)
		return 0;
	error = GET32(copy, error);
	if (!tell_udp_failure(error))
		return 0;
	key.socket_id = GET64(copy, cookie);
	if (!connected_peer(copy, &key)) {
		socket = udp_socket_of(copy, &key, false);
		/* Which of several peers it is about is in the packet only. */
		if (!socket || socket->flows != 1)
			return 0;
		key = socket->only_peer;
	}
	flow = find_flow(&key);
	if (flow)
		fail_flow(flow, error);
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
