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
static __always_inline void learn_isn(struct known_socket *known, __u64 sk, const struct copy *copy,
				      int state)
{
	__u32 snd_una = GET32(copy, snd_una), snd_nxt = GET32(copy, snd_nxt);
	__u64 acked = GET64(copy, bytes_acked), received = GET64(copy, bytes_received);
	__u32 our_fin = fin_queued(state) && snd_nxt == GET32(copy, write_seq);
	__u32 sent = GET64(copy, bytes_sent) - GET64(copy, bytes_retrans);
	__u32 syn = (__u32)acked + snd_nxt - snd_una - sent - our_fin;

	if (!IS_KNOWN(bytes_sent) || !IS_KNOWN(bytes_retrans) || syn > 1 ||
	    snd_una != NOW32(sk, snd_una) || snd_nxt != NOW32(sk, snd_nxt) ||
	    acked != NOW64(sk, bytes_acked) || received != NOW64(sk, bytes_received) ||
	    GET32(copy, rcv_nxt) != NOW32(sk, rcv_nxt))
		return;
	known->role = syn ? ROLE_CLIENT : ROLE_SERVER;
	known->isn_local = snd_una - (__u32)acked - !syn;
	known->isn_peer = GET32(copy, rcv_nxt) - (__u32)received - 1;
	known->has_isn = 1;
}

static __always_inline void learn_beginning(struct known_socket *known, __u64 sk,
					    const struct copy *copy, int state)
{
	if (state == TCP_LISTEN)
		known->role = ROLE_SERVER;
	else if (state == TCP_SYN_SENT)
		known->role = ROLE_CLIENT;
	else if (state != TCP_SYN_RECV && !known->has_isn)
		learn_isn(known, sk, copy, state);
}

/* Whether the socket is as it was copied, and nobody is at work on it. */
static __always_inline bool is_as_copied(__u64 sk, const struct copy *copy)
{
	return !NOW32(sk, owned) && !NOW32(sk, slock) &&
	       GET32(copy, snd_una) == NOW32(sk, snd_una) &&
	       GET32(copy, write_seq) == NOW32(sk, write_seq) &&
	       GET32(copy, rcv_nxt) == NOW32(sk, rcv_nxt) &&
	       GET64(copy, flags) == NOW64(sk, flags) && GET8(copy, state) == NOW8(sk, state);
}

/* Counters of a socket that nobody locks for us: copied again if they moved meanwhile. */
static __always_inline bool fill_live_traffic(struct connection_row *row, __u64 sk,
					      const struct copy *copy,
					      const struct known_socket *known)
{
	bool is_quiet = is_as_copied(sk, copy);

	for (int tries = 0; tries < 2 && !is_quiet; tries++) {
		copy_socket(sk);
		is_quiet = is_as_copied(sk, copy);
	}
	row->state = GET8(copy, state);
	fill_traffic(row, copy, known, row->state);
	if (!is_quiet) {
		row->exact &= ~GROUP_TRAFFIC;
		/* It may be a FIN for which SOCK_DONE is not set yet. */
		if (row->bytes_received)
			row->bytes_received--;
	}
	return row->state != TCP_CLOSE;
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
	int state = NOW8(sk, state);
	struct connection_row *row;
	struct known_socket *known;
	__u32 zero = 0, number;
	struct copy *copy;
	struct look *look;

	look = bpf_map_lookup_elem(&looks, &zero);
	if (!look || !is_ours(look) || state == TCP_CLOSE)
		return 0;
	known = remember(sk, false);
	number = look->seen;
	row = bpf_map_lookup_elem(&look_rows, &number);
	copy = copy_socket(sk);
	if (!known || !copy)
		return 0;
	learn_beginning(known, sk, copy, state);
	look->seen = number + 1;
	if (row) {
		__builtin_memset(row, 0, sizeof(*row));
		fill_row(row, known, copy, KIND_SNAPSHOT, boottime_ns());
		if (state == TCP_LISTEN)
			fill_queue(row, copy);
		else if (!fill_live_traffic(row, sk, copy, known))
			look->seen = number;
		else
			never_less(row, known);
	}
	/* Made after the probe at the change to CLOSE: nobody else would delete it. */
	if (NOW8(sk, state) == TCP_CLOSE)
		bpf_map_delete_elem(&known_sockets, &sk);
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
