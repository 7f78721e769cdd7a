/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Looks of the kprobe tier: our own sock_diag dump asks the kernel about each socket, and that is
 * where this probe meets it. Nobody else's question is looked at.
 */
#include "kprobe_registers.bpf.h"
#include "kprobe_row.bpf.h"

struct look {
	__u64 thread;  /* ours, as the kernel numbers it; 0: take it from the one with that name */
	__u8 name[16]; /* that our thread has for a moment */
	__u32 seen;    /* sockets since user space has set it to 0 */
	__u32 room;    /* rows in look_rows */
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct look);
} looks SEC(".maps");

/* number → a row of this look. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1); /* user space sets it */
	__type(key, __u32);
	__type(value, struct connection_row);
} look_rows SEC(".maps");

/* How a connection that is older than us began; see learn_isn() of unlocked.bpf.h. */
static __always_inline void learn_isn(struct known_socket *known, __u64 sk, int state)
{
	__u32 snd_una = GET32(sk, snd_una), snd_nxt = GET32(sk, snd_nxt);
	__u64 acked = GET64(sk, bytes_acked);
	__u32 our_fin = fin_queued(state) && snd_nxt == GET32(sk, write_seq);
	__u32 sent = GET64(sk, bytes_sent) - GET64(sk, bytes_retrans);
	__u32 syn = (__u32)acked + snd_nxt - snd_una - sent - our_fin;
	__u32 isn_peer = GET32(sk, rcv_nxt) - (__u32)GET64(sk, bytes_received) - 1;

	if (!IS_KNOWN(bytes_sent) || !IS_KNOWN(bytes_retrans) || syn > 1 ||
	    snd_una != GET32(sk, snd_una) || snd_nxt != GET32(sk, snd_nxt) ||
	    acked != GET64(sk, bytes_acked) ||
	    isn_peer != GET32(sk, rcv_nxt) - (__u32)GET64(sk, bytes_received) - 1)
		return;
	known->role = syn ? ROLE_CLIENT : ROLE_SERVER;
	known->isn_local = snd_una - (__u32)acked - !syn;
	known->isn_peer = isn_peer;
	known->has_isn = 1;
}

static __always_inline void learn_beginning(struct known_socket *known, __u64 sk, int state)
{
	if (state == TCP_LISTEN)
		known->role = ROLE_SERVER;
	else if (state == TCP_SYN_SENT)
		known->role = ROLE_CLIENT;
	else if (state != TCP_SYN_RECV && !known->has_isn)
		learn_isn(known, sk, state);
}

/* Counters of a socket that nobody locks for us: read again if they moved meanwhile. */
static __always_inline bool fill_live_traffic(struct connection_row *row, __u64 sk,
					      const struct known_socket *known)
{
	__u32 snd_una, write_seq, rcv_nxt;
	bool is_quiet = false;
	__u64 flags;
	int state = 0;

#pragma unroll
	for (int tries = 0; tries < 3; tries++) {
		if (is_quiet)
			break;
		snd_una = GET32(sk, snd_una);
		write_seq = GET32(sk, write_seq);
		rcv_nxt = GET32(sk, rcv_nxt);
		flags = GET64(sk, flags);
		state = GET8(sk, state);
		fill_traffic(row, sk, known, state);
		is_quiet = !GET32(sk, owned) && !GET32(sk, slock) &&
			   snd_una == GET32(sk, snd_una) && write_seq == GET32(sk, write_seq) &&
			   rcv_nxt == GET32(sk, rcv_nxt) && flags == GET64(sk, flags) &&
			   state == GET8(sk, state);
	}
	row->state = state;
	if (!is_quiet) {
		row->exact &= ~GROUP_TRAFFIC;
		/* It may be a FIN for which SOCK_DONE is not set yet. */
		if (row->bytes_received)
			row->bytes_received--;
	}
	return state != TCP_CLOSE;
}

static __always_inline void never_less(struct connection_row *row, struct known_socket *known)
{
	if (row->bytes_sent < known->shown_sent)
		row->bytes_sent = known->shown_sent;
	if (row->bytes_received < known->shown_received)
		row->bytes_received = known->shown_received;
	known->shown_sent = row->bytes_sent;
	known->shown_received = row->bytes_received;
}

static __always_inline bool is_ours(struct look *look)
{
	__u64 thread = bpf_get_current_pid_tgid(), name[2] = {}, *wanted = (__u64 *)look->name;

	if (look->thread)
		return look->thread == thread;
	bpf_get_current_comm(name, sizeof(name));
	if (name[0] != wanted[0] || name[1] != wanted[1])
		return false;
	look->thread = thread;
	return true;
}

SEC("kprobe/tcp_get_info")
int look_at(void *ctx)
{
	__u64 sk = REGISTER(ctx, ARGUMENT_1);
	int state = GET8(sk, state);
	struct connection_row *row;
	struct known_socket *known;
	__u32 zero = 0, number;
	struct look *look;

	look = bpf_map_lookup_elem(&looks, &zero);
	if (!look || !is_ours(look) || state == TCP_CLOSE)
		return 0;
	known = remember(sk, false);
	number = look->seen;
	row = bpf_map_lookup_elem(&look_rows, &number);
	if (!known)
		return 0;
	learn_beginning(known, sk, state);
	look->seen = number + 1;
	if (row) {
		__builtin_memset(row, 0, sizeof(*row));
		fill_row(row, known, sk, KIND_SNAPSHOT, bpf_ktime_get_boot_ns());
		if (state == TCP_LISTEN)
			fill_queue(row, sk);
		else if (!fill_live_traffic(row, sk, known))
			look->seen = number;
		else
			never_less(row, known);
	}
	/* Made after the probe at the change to CLOSE: nobody else would delete it. */
	if (GET8(sk, state) == TCP_CLOSE)
		bpf_map_delete_elem(&known_sockets, &sk);
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
