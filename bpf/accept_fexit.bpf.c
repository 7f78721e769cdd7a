/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The exact owner of an accepted connection where fexit may be loaded: inet_csk_accept returns in
 * the accepting task. Costs nothing but on accept. The function has two signatures in history, so
 * there are two programs; user space loads the one that the verifier takes.
 */
#include "kernel.bpf.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include "event.bpf.h"

static __always_inline int accepted(struct sock *child)
{
	struct tracked_socket *tracked;
	struct connection_row *row;
	struct tcp_sock *tp;
	bool over;

	if (!child || child->sk_protocol != IPPROTO_TCP)
		return 0;
	tp = bpf_skc_to_tcp_sock(child);
	tracked = track(child);
	if (!tp || !tracked || !note_current(&tracked->owner, OWNER_ACCEPT))
		return 0;
	/* A child that was there before us has no role yet; of one that was reset while it waited
	 * in the queue the closed row is out, and its id is the last one. */
	tracked->role = ROLE_SERVER;
	tracked->shown.whole = 0; /* a look that came before had the listener's owner */
	over = tp->inet_conn.icsk_inet.sk.__sk_common.skc_state == TCP_CLOSE;
	if (over && tracked->has_tag)
		tracked->connection_id = name_of(tracked->socket_id, tracked->last_tag);
	else if (!tracked->connection_id)
		name_connection(tracked, isn_of(tp));
	row = start_row(tracked, tp, KIND_ACCEPTED, bpf_ktime_get_boot_ns(),
			tp->inet_conn.icsk_inet.sk.__sk_common.skc_state);
	if (row)
		bpf_ringbuf_submit(row, 0);
	if (over)
		forget_connection(tracked);
	return 0;
}

/* Since 92ef0fd55ac8 ("net: change proto and proto_ops accept type"), 6.10. */
SEC("fexit/inet_csk_accept")
int BPF_PROG(accept_with_arg, struct sock *sk, struct proto_accept_arg *arg, struct sock *child)
{
	return accepted(child);
}

/* Before it. */
SEC("fexit/inet_csk_accept")
int BPF_PROG(accept_with_flags, struct sock *sk, int flags, int *error, bool kern,
	     struct sock *child)
{
	return accepted(child);
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
