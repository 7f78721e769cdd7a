/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* A row about a socket that has storage: what every event of a tracked connection begins with. */
#ifndef CONNSCOPE_EVENT_BPF_H
#define CONNSCOPE_EVENT_BPF_H

#include "tracked_socket.bpf.h"

/* Nobody reads it: it makes the compiler describe the row in this object's BTF, for the test that
 * compares it with the NumPy dtype. */
const struct connection_row row_layout = {};

/* accept.bpf.o is loaded: accept_owners has the exact owners. Default: no. */
const volatile bool accept_owners_kept = false;

/* The kernel has the kfunc bpf_rdonly_cast. Default: no; user space asks BTF. */
const volatile bool rdonly_cast_exists = false;

/*
 * Which MPTCP socket this is a subflow of; 0 if it has no cookie yet. bpf_skc_to_mptcp_sock is no
 * way: it does not take the typed pointers of a tracepoint.
 */
static __always_inline void fill_subflow(struct connection_row *row, struct tcp_sock *tp)
{
	struct mptcp_subflow_context *subflow;

	if (!rdonly_cast_exists || !bpf_core_type_exists(struct mptcp_subflow_context) ||
	    !bpf_core_field_exists(tp->is_mptcp) || !tp->is_mptcp)
		return;
	subflow = bpf_rdonly_cast(tp->inet_conn.icsk_ulp_data,
				  bpf_core_type_id_kernel(struct mptcp_subflow_context));
	row->subflow_of = subflow->conn->__sk_common.skc_cookie.counter;
}

/* Who accepted it, if accept.bpf.o saw that; NULL: it did not. */
static __always_inline const struct owner *find_accept_owner(__u64 cookie, struct tcp_sock *tp)
{
	const struct owner *found = bpf_map_lookup_elem(&accept_owners, &cookie);
	__u64 address = (__u64)tp;

	return found ? found : bpf_map_lookup_elem(&accept_owners, &address);
}

/* All that is the same for every kind of row, but for the traffic. */
static __always_inline void fill_row(struct connection_row *row, struct tracked_socket *tracked,
				     struct tcp_sock *tp, int kind, __u64 now)
{
	const struct owner *owner = &tracked->owner;

	fill_connection(row, (const struct connection *)tracked, kind, now);
	row->socket_inode = tracked->socket_inode;
	if (accept_owners_kept && tracked->role == ROLE_SERVER) {
		const struct owner *accepted = find_accept_owner(tracked->socket_id, tp);

		if (accepted)
			owner = accepted;
	}
	fill_ends(row, tp);
	fill_owner(row, tp, owner);
	fill_quality(row, tp);
	fill_subflow(row, tp);
}

/* fill_traffic() with what we know of the ISN; a handshake shows it. */
static __always_inline void fill_tracked_traffic(struct connection_row *row,
						 const struct tracked_socket *tracked,
						 struct tcp_sock *tp, int state)
{
	bool has_isn = tracked->has_isn;
	__u32 isn_local = tracked->isn_local;

	if (!has_isn && (state == TCP_SYN_SENT || state == TCP_SYN_RECV)) {
		has_isn = true;
		isn_local = isn_of(tp) - (tracked->role != ROLE_CLIENT);
	}
	fill_traffic(row, tp, state, has_isn, isn_local);
}

/* Of a listener, instead of traffic. */
static __always_inline void fill_queue(struct connection_row *row, struct sock *sk)
{
	make_listener(row, sk->sk_ack_backlog, sk->sk_max_ack_backlog);
}

/*
 * Reserves the row of an event and fills it in. state is the one whose FIN rules hold for the
 * counters: the old state at a change to CLOSE.
 */
static __always_inline struct connection_row *
start_row(struct tracked_socket *tracked, struct tcp_sock *tp, int kind, __u64 now, int state)
{
	struct connection_row *row = reserve_row();

	if (!row)
		return NULL;
	fill_row(row, tracked, tp, kind, now);
	fill_tracked_traffic(row, tracked, tp, state);
	return row;
}

#endif
