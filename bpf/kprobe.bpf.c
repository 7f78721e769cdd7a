/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The core of the kprobe tier, for kernels without types: probes where a TCP socket changes its
 * state. None is where bytes are sent or received; the counters are the kernel's own, read when a
 * connection ends. kprobe_calls.bpf.c has the probes at the system calls.
 *
 * A probe that is reached while another one is at work on the same CPU is not run; the kernel
 * counts those, and user space tells how many.
 */
#include "ending.bpf.h"
#include "kprobe_attempt.bpf.h"
#include "kprobe_owner.bpf.h"
#include "kprobe_registers.bpf.h"
#include "kprobe_row.bpf.h"

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
static __always_inline void opened(void *ctx, __u64 sk, int oldstate, __u64 now)
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
	send_row(ctx, row);
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
static __always_inline void failed(void *ctx, struct known_socket *known, __u64 sk,
				   const struct copy *copy, int oldstate, __u64 now)
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
	send_row(ctx, row);
	if (calls)
		bpf_map_delete_elem(&attempts, &thread);
}

/* Any state of an open connection → CLOSE: once for each, with the final counters. */
static __always_inline void closed(void *ctx, struct known_socket *known, const struct copy *copy,
				   int oldstate, __u64 now)
{
	bool with_fins = ended_with_fins(oldstate, GET32(copy, snd_una) == GET32(copy, write_seq),
					 GET64(copy, flags) >> SOCK_DONE & 1);
	__u16 sk_err = GET32(copy, error);
	__u16 error = with_fins && sk_err != ECONNRESET ? 0 : sk_err;
	__u8 closed_by = tell_closed_by(known->closed_by, oldstate, error);
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
	if (may_be_own_reset(oldstate, error,
			     IS_KNOWN(shutdown) ? GET8(copy, shutdown) : RCV_SHUTDOWN))
		row->exact &= ~GROUP_QUALITY;
	row->closed_ns = now;
	send_row(ctx, row);
}

static __always_inline void unlistened(void *ctx, struct known_socket *known,
				       const struct copy *copy, __u64 now)
{
	struct connection_row *row = start_row(known, copy, KIND_UNLISTENED, now, TCP_LISTEN);

	if (!row)
		return;
	row->role = ROLE_SERVER;
	row->state = TCP_CLOSE;
	row->closed_ns = now;
	fill_queue(row, copy);
	send_row(ctx, row);
}

static __always_inline void ended(void *ctx, __u64 sk, int oldstate, __u64 now)
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
		unlistened(ctx, known, copy, now);
	/* Of a fast open the server's application may have accepted a child before that. */
	else if (oldstate == TCP_SYN_SENT ||
		 (oldstate == TCP_SYN_RECV && known->owner.evidence != OWNER_ACCEPT))
		failed(ctx, known, sk, copy, oldstate, now);
	else
		closed(ctx, known, copy, oldstate, now);
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
	now = boottime_ns();
	if (newstate == TCP_SYN_SENT) {
		connecting(sk, now);
	} else if (newstate == TCP_ESTABLISHED) {
		if (oldstate == TCP_SYN_SENT || oldstate == TCP_SYN_RECV)
			opened(ctx, sk, oldstate, now);
	} else if (newstate == TCP_FIN_WAIT1 || newstate == TCP_LAST_ACK) {
		closing(sk);
	} else if (newstate == TCP_CLOSE_WAIT) {
		struct known_socket *known = remember(sk, false);

		if (known)
			known->closed_by = CLOSED_BY_PEER;
	} else if (newstate == TCP_CLOSE) {
		ended(ctx, sk, oldstate, now);
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
		known->syn_ns = boottime_ns();
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

char LICENSE[] SEC("license") = "Dual BSD/GPL";
