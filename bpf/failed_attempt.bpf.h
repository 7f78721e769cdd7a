/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * A connect() that never sent a SYN (no route, denied): the kernel tells nobody. connect.bpf.c
 * notes the attempt; if the socket next connects again or dies, without a SYN in between, it has
 * failed.
 */
#ifndef CONNSCOPE_FAILED_ATTEMPT_BPF_H
#define CONNSCOPE_FAILED_ATTEMPT_BPF_H

#include "fill.bpf.h"
#include "tracked_socket.bpf.h"

/* Sends the failed row of the noted attempt, if there is one, and forgets the attempt. */
static __always_inline void settle_attempt(struct tracked_socket *tracked, struct tcp_sock *tp)
{
	struct attempt *attempt = &tracked->attempt;
	struct connection_row *row;

	if (!attempt->started_ns)
		return;
	row = reserve_row();
	if (row) {
		row->kind = KIND_FAILED;
		row->time_ns = bpf_ktime_get_boot_ns();
		row->socket_id = tracked->socket_id;
		row->connection_id = name_connection(tracked, tracked->last_tag + 1);
		row->role = ROLE_CLIENT;
		row->opened_ns = attempt->started_ns;
		row->closed_ns = row->time_ns;
		row->known = GROUP_IDENTITY | GROUP_LIFE | GROUP_QUALITY;
		/* The kernel said "denied" itself; "unreachable" is what remains. */
		row->exact = GROUP_IDENTITY | (attempt->denied ? GROUP_QUALITY : 0);
		row->failure = attempt->denied ? FAILURE_DENIED : FAILURE_UNREACHABLE;
		row->error = attempt->denied ? EPERM : 0;
		fill_ends(row, tp);
		fill_owner(row, tp, &tracked->owner);
		row->state = TCP_CLOSE;
		row->family = attempt->family;
		row->peer_port = attempt->peer_port;
		__builtin_memcpy(row->peer_address, attempt->peer_address,
				 sizeof(row->peer_address));
		bpf_ringbuf_submit(row, 0);
	}
	attempt->started_ns = 0;
}

#endif
