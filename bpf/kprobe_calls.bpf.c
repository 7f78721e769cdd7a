/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The calls of the kprobe tier: what the change of a socket's state does not tell of connect(),
 * listen() and accept(). Shares the maps of kprobe.bpf.c.
 */
#include "ending.bpf.h"
#include "kprobe_attempt.bpf.h"
#include "kprobe_owner.bpf.h"
#include "kprobe_registers.bpf.h"
#include "kprobe_row.bpf.h"

/* thread → the socket that it is about to listen on. Made at the call, gone at its return. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1024);
	__type(key, __u64);
	__type(value, __u64);
} listen_calls SEC(".maps");

/* Threads that were in accept() before us, by number. Written by user space; an entry goes with the
 * call that it is about, or with its thread. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16384); /* user space sets it */
	__type(key, __u32);
	__type(value, __u32);
} watched_threads SEC(".maps");

static __always_inline struct attempt *note_attempt(struct attempt *attempt, void *ctx)
{
	attempt->sk = REGISTER(ctx, ARGUMENT_1);
	attempt->started_ns = boottime_ns();
	return attempt;
}

/* For struct sockaddr_in: family, port, address. */
SEC("kprobe/tcp_v4_connect")
int connect_v4(void *ctx)
{
	__u64 thread = bpf_get_current_pid_tgid(), address = REGISTER(ctx, ARGUMENT_2);
	struct attempt attempt = {};

	note_attempt(&attempt, ctx);
	attempt.family = 4;
	attempt.peer_port = bpf_ntohs((__u16)read_at(address, 2, 2));
	map_v4(attempt.peer_address, (__u32)read_at(address, 4, 4));
	bpf_map_update_elem(&attempts, &thread, &attempt, BPF_ANY);
	return 0;
}

/* For struct sockaddr_in6: family, port, flow, address. One with a v4-mapped address goes on into
 * tcp_v4_connect, which then tells how it went. */
SEC("kprobe/tcp_v6_connect")
int connect_v6(void *ctx)
{
	__u64 thread = bpf_get_current_pid_tgid(), address = REGISTER(ctx, ARGUMENT_2);
	struct attempt attempt = {};

	note_attempt(&attempt, ctx);
	attempt.peer_port = bpf_ntohs((__u16)read_at(address, 2, 2));
	bpf_probe_read_kernel(attempt.peer_address, 16, (const void *)(address + 8));
	attempt.family = is_v4_mapped(attempt.peer_address) ? 4 : 6;
	bpf_map_update_elem(&attempts, &thread, &attempt, BPF_ANY);
	return 0;
}

/* A connect() that changed no state: it found no way to the peer. */
static __always_inline void tell_attempt(void *ctx, const struct attempt *attempt, __u32 error)
{
	struct known_socket *known = stranger();
	struct copy *copy = copy_socket(attempt->sk);
	struct connection_row *row;
	__u64 now = boottime_ns();

	if (!known || !copy)
		return;
	known->role = ROLE_CLIENT;
	known->opened_ns = attempt->started_ns;
	note_current(&known->owner, OWNER_CONNECT);
	row = start_row(known, copy, KIND_FAILED, now, TCP_CLOSE);
	if (!row)
		return;
	row->state = TCP_CLOSE;
	row->bytes_sent = row->bytes_received = 0;
	row->closed_ns = now;
	row->error = error;
	row->failure = word_of_failure(error);
	row->family = attempt->family;
	row->peer_port = attempt->peer_port;
	__builtin_memcpy(row->peer_address, attempt->peer_address, sizeof(row->peer_address));
	send_row(ctx, row);
}

static __always_inline int connect_returns(void *ctx)
{
	__u64 thread = bpf_get_current_pid_tgid();
	int result = REGISTER(ctx, RESULT);
	struct attempt *attempt = bpf_map_lookup_elem(&attempts, &thread);

	if (!attempt)
		return 0;
	if (result < 0 && NOW8(attempt->sk, state) == TCP_CLOSE)
		tell_attempt(ctx, attempt, -result);
	bpf_map_delete_elem(&attempts, &thread);
	return 0;
}

SEC("kretprobe/tcp_v4_connect")
int connect_v4_returns(void *ctx)
{
	return connect_returns(ctx);
}

SEC("kretprobe/tcp_v6_connect")
int connect_v6_returns(void *ctx)
{
	return connect_returns(ctx);
}

SEC("kprobe/inet_csk_listen_start")
int listen(void *ctx)
{
	__u64 thread = bpf_get_current_pid_tgid(), sk = REGISTER(ctx, ARGUMENT_1);

	bpf_map_update_elem(&listen_calls, &thread, &sk, BPF_ANY);
	return 0;
}

SEC("kretprobe/inet_csk_listen_start")
int listen_returns(void *ctx)
{
	__u64 thread = bpf_get_current_pid_tgid(), now = boottime_ns(), sk;
	__u64 *call = bpf_map_lookup_elem(&listen_calls, &thread);
	struct known_socket *known;
	struct connection_row *row;
	struct copy *copy;

	if (!call)
		return 0;
	sk = *call;
	bpf_map_delete_elem(&listen_calls, &thread);
	if ((int)REGISTER(ctx, RESULT) || NOW8(sk, state) != TCP_LISTEN)
		return 0;
	known = remember(sk, true);
	copy = copy_socket(sk);
	if (!known || !copy)
		return 0;
	known->role = ROLE_SERVER;
	known->opened_ns = now;
	note_current(&known->owner, OWNER_LISTENER);
	row = start_row(known, copy, KIND_LISTENING, now, TCP_LISTEN);
	if (!row)
		return 0;
	fill_queue(row, copy);
	send_row(ctx, row);
	return 0;
}

/* accept() has this socket for the process that runs now. */
static __always_inline void accepted(void *ctx, struct known_socket *known, __u64 sk, int state)
{
	struct copy *copy = copy_socket(sk);
	struct connection_row *row;

	if (!copy || !note_current(&known->owner, OWNER_ACCEPT))
		return;
	known->role = ROLE_SERVER;
	row = start_row(known, copy, KIND_ACCEPTED, boottime_ns(), state);
	if (row)
		send_row(ctx, row);
}

SEC("kretprobe/inet_csk_accept")
int accept_returns(void *ctx)
{
	__u64 sk = REGISTER(ctx, RESULT);
	__u32 thread = bpf_get_current_pid_tgid();
	struct known_socket *known;
	int state;

	bpf_map_delete_elem(&watched_threads, &thread);
	if (!sk)
		return 0;
	state = NOW8(sk, state);
	/* Of one that was reset while it waited in the queue the closed row is out already. */
	known = state == TCP_CLOSE ? stranger() : remember(sk, false);
	if (known)
		accepted(ctx, known, sk, state);
	return 0;
}

/* A descriptor for a thread that was in accept() before us, whose return no probe sees. */
SEC("kprobe/fd_install")
int fd_install(void *ctx)
{
	__u32 thread = bpf_get_current_pid_tgid();
	struct known_socket *known;
	__u64 sk;

	if (!bpf_map_lookup_elem(&watched_threads, &thread))
		return 0;
	sk = NOW64(NOW64(REGISTER(ctx, ARGUMENT_2), file_socket), socket_sock);
	known = sk ? bpf_map_lookup_elem(&known_sockets, &sk) : NULL;
	/* Another descriptor: it has left accept() for another reason, and may come back. */
	if (!known || known->role != ROLE_SERVER || known->owner.evidence == OWNER_ACCEPT ||
	    NOW8(sk, state) == TCP_LISTEN)
		return 0;
	accepted(ctx, known, sk, NOW8(sk, state));
	bpf_map_delete_elem(&watched_threads, &thread);
	return 0;
}

SEC("kprobe/do_exit")
int thread_exits(void *ctx)
{
	__u32 thread = bpf_get_current_pid_tgid();

	bpf_map_delete_elem(&watched_threads, &thread);
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
