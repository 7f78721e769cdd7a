/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The core of the kprobe tier, for kernels without types: probes where a TCP socket connects,
 * changes its state, listens and is accepted. None is where bytes are sent or received; the
 * counters are the kernel's own, read when a connection ends.
 *
 * A probe that is reached while another one is at work on the same CPU is not run; the kernel
 * counts those, and user space tells how many.
 */
#include "kprobe_ending.bpf.h"
#include "kprobe_owner.bpf.h"
#include "kprobe_registers.bpf.h"
#include "kprobe_row.bpf.h"

/* connect() on its way: what the socket does not tell any more when it has failed. */
struct attempt {
	__u64 sk;
	__u64 started_ns;
	__u8 peer_address[16];
	__u16 peer_port;
	__u8 family;
	__u8 reserved[5];
};

/* thread → the connect() that it is in. Made at the call, gone at its return. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096);
	__type(key, __u64);
	__type(value, struct attempt);
} attempts SEC(".maps");

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

/* CLOSE → SYN_SENT, in the connecting process. */
static __always_inline void connecting(__u64 sk, __u64 now)
{
	struct known_socket *known = remember(sk, true);

	if (!known)
		return;
	known->role = ROLE_CLIENT;
	known->connect_ns = known->syn_ns = now;
	note_current(&known->owner, OWNER_CONNECT);
}

/* → ESTABLISHED, in softirq: whoever runs now has nothing to do with it. */
static __always_inline void opened(__u64 sk, int oldstate, __u64 now)
{
	struct known_socket *known = remember(sk, false);
	struct copy *copy = copy_socket(sk);
	struct connection_row *row;

	if (!known || !copy)
		return;
	if (known->role == ROLE_UNKNOWN)
		known->role = oldstate == TCP_SYN_SENT ? ROLE_CLIENT : ROLE_SERVER;
	name_connection(known, copy);
	/* The child's snd_una starts behind its SYN, so bytes_acked never has it. */
	known->isn_local = known->role == ROLE_CLIENT ? isn_of(copy) : isn_of(copy) - 1;
	known->isn_peer = GET32(copy, rcv_nxt) - (__u32)GET64(copy, bytes_received) - 1;
	known->has_isn = 1;
	known->opened_ns = now;
	if (known->role == ROLE_CLIENT && known->syn_ns)
		known->connect_us = (now - known->syn_ns) / 1000;
	row = start_row(known, copy, KIND_OPENED, now, TCP_ESTABLISHED);
	if (!row)
		return;
	row->state = TCP_ESTABLISHED;
	bpf_ringbuf_submit(row, 0);
}

/* Who closes has held the socket. */
static __always_inline void correct_owner(struct known_socket *known)
{
	__u32 evidence = known->owner.evidence;

	if (evidence != OWNER_CONNECT && evidence != OWNER_ACCEPT)
		note_current(&known->owner, OWNER_CLOSE);
}

/* ESTABLISHED → FIN_WAIT1, CLOSE_WAIT → LAST_ACK: in the closing process. */
static __always_inline void closing(__u64 sk)
{
	struct known_socket *known = remember(sk, false);

	if (!known)
		return;
	if (!known->closed_by)
		known->closed_by = CLOSED_BY_LOCAL;
	correct_owner(known);
}

/* SYN_SENT → CLOSE, SYN_RECV → CLOSE. The life of what failed is that of the attempt. */
static __always_inline void failed(struct known_socket *known, __u64 sk, const struct copy *copy,
				   int oldstate, __u64 now)
{
	__u64 thread = bpf_get_current_pid_tgid();
	struct attempt *attempt = bpf_map_lookup_elem(&attempts, &thread);
	bool calls = attempt && attempt->sk == sk;
	struct connection_row *row;

	name_connection(known, copy);
	known->opened_ns = known->connect_ns;
	row = start_row(known, copy, KIND_FAILED, now, oldstate);
	if (!row)
		return;
	row->state = TCP_CLOSE;
	row->error = GET32(copy, error);
	/* In the middle of connect(), and no SYN has left: there was no free port. */
	if (!row->error && calls && !row->segments_sent)
		row->error = EADDRNOTAVAIL;
	row->failure = word_of_failure(row->error);
	row->closed_ns = now;
	bpf_ringbuf_submit(row, 0);
	if (calls)
		bpf_map_delete_elem(&attempts, &thread);
}

/* Any state of an open connection → CLOSE: once for each, with the final counters. */
static __always_inline void closed(struct known_socket *known, const struct copy *copy,
				   int oldstate, __u64 now)
{
	__u16 sk_err = GET32(copy, error);
	__u16 error = ended_with_fins(copy, oldstate) && sk_err != ECONNRESET ? 0 : sk_err;
	__u8 closed_by = tell_closed_by(known, oldstate, error);
	struct connection_row *row;

	/* No error and the socket's lock held by a task: it is that task that closes. */
	if (closed_by == CLOSED_BY_LOCAL_RESET && !error && GET32(copy, owned))
		correct_owner(known);
	row = start_row(known, copy, KIND_CLOSED, now, oldstate);
	if (!row)
		return;
	row->state = TCP_CLOSE;
	row->left_state = oldstate;
	row->error = error;
	row->closed_by = closed_by;
	if (may_be_own_reset(copy, oldstate, error))
		row->exact &= ~GROUP_QUALITY;
	row->closed_ns = now;
	bpf_ringbuf_submit(row, 0);
}

static __always_inline void unlistened(struct known_socket *known, const struct copy *copy,
				       __u64 now)
{
	struct connection_row *row = start_row(known, copy, KIND_UNLISTENED, now, TCP_LISTEN);

	if (!row)
		return;
	row->role = ROLE_SERVER;
	row->state = TCP_CLOSE;
	row->closed_ns = now;
	fill_queue(row, copy);
	bpf_ringbuf_submit(row, 0);
}

static __always_inline void ended(__u64 sk, int oldstate, __u64 now)
{
	struct known_socket *known = bpf_map_lookup_elem(&known_sockets, &sk);
	bool is_new = !known;
	struct copy *copy;

	if (oldstate == TCP_CLOSE) {
		bpf_map_delete_elem(&known_sockets, &sk);
		return;
	}
	if (is_new)
		known = stranger();
	copy = copy_socket(sk);
	if (!known || !copy)
		return;
	if (oldstate == TCP_LISTEN)
		unlistened(known, copy, now);
	/* Of a fast open the server's application may have accepted a child before that. */
	else if (oldstate == TCP_SYN_SENT ||
		 (oldstate == TCP_SYN_RECV && known->owner.evidence != OWNER_ACCEPT))
		failed(known, sk, copy, oldstate, now);
	else
		closed(known, copy, oldstate, now);
	if (!is_new)
		bpf_map_delete_elem(&known_sockets, &sk);
}

SEC("kprobe/tcp_set_state")
int set_state(void *ctx)
{
	__u64 sk = REGISTER(ctx, ARGUMENT_1), now;
	int newstate = REGISTER(ctx, ARGUMENT_2), oldstate = NOW8(sk, state);

	if (newstate == TCP_FIN_WAIT2 || newstate == TCP_CLOSING || newstate == TCP_TIME_WAIT)
		return 0;
	now = bpf_ktime_get_boot_ns();
	if (newstate == TCP_SYN_SENT) {
		connecting(sk, now);
	} else if (newstate == TCP_ESTABLISHED) {
		if (oldstate == TCP_SYN_SENT || oldstate == TCP_SYN_RECV)
			opened(sk, oldstate, now);
	} else if (newstate == TCP_FIN_WAIT1 || newstate == TCP_LAST_ACK) {
		closing(sk);
	} else if (newstate == TCP_CLOSE_WAIT) {
		struct known_socket *known = remember(sk, false);

		if (known)
			known->closed_by = CLOSED_BY_PEER;
	} else if (newstate == TCP_CLOSE) {
		ended(sk, oldstate, now);
	}
	return 0;
}

/* The SYN is made: later than connect() if that was put off until there are data. */
SEC("kprobe/tcp_connect")
int send_syn(void *ctx)
{
	__u64 sk = REGISTER(ctx, ARGUMENT_1);
	struct known_socket *known = bpf_map_lookup_elem(&known_sockets, &sk);

	if (known)
		known->syn_ns = bpf_ktime_get_boot_ns();
	return 0;
}

/* The end of a socket that never left CLOSE, or that a look met at the wrong moment. */
SEC("kprobe/tcp_v4_destroy_sock")
int destroy(void *ctx)
{
	__u64 sk = REGISTER(ctx, ARGUMENT_1);

	bpf_map_delete_elem(&known_sockets, &sk);
	return 0;
}

static __always_inline struct attempt *note_attempt(struct attempt *attempt, void *ctx)
{
	attempt->sk = REGISTER(ctx, ARGUMENT_1);
	attempt->started_ns = bpf_ktime_get_boot_ns();
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
static __always_inline void tell_attempt(const struct attempt *attempt, __u32 error)
{
	struct known_socket *known = stranger();
	struct copy *copy = copy_socket(attempt->sk);
	struct connection_row *row;
	__u64 now = bpf_ktime_get_boot_ns();

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
	bpf_ringbuf_submit(row, 0);
}

static __always_inline int connect_returns(void *ctx)
{
	__u64 thread = bpf_get_current_pid_tgid();
	int result = REGISTER(ctx, RESULT);
	struct attempt *attempt = bpf_map_lookup_elem(&attempts, &thread);

	if (!attempt)
		return 0;
	if (result < 0 && NOW8(attempt->sk, state) == TCP_CLOSE)
		tell_attempt(attempt, -result);
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
	__u64 thread = bpf_get_current_pid_tgid(), now = bpf_ktime_get_boot_ns(), sk;
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
	bpf_ringbuf_submit(row, 0);
	return 0;
}

/* accept() has this socket for the process that runs now. */
static __always_inline void accepted(struct known_socket *known, __u64 sk, int state)
{
	struct copy *copy = copy_socket(sk);
	struct connection_row *row;

	if (!copy || !note_current(&known->owner, OWNER_ACCEPT))
		return;
	known->role = ROLE_SERVER;
	row = start_row(known, copy, KIND_ACCEPTED, bpf_ktime_get_boot_ns(), state);
	if (row)
		bpf_ringbuf_submit(row, 0);
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
		accepted(known, sk, state);
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
	accepted(known, sk, NOW8(sk, state));
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
