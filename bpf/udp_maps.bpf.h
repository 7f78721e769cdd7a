/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * A UDP flow: the datagrams between one socket and one peer. The kernel counts none of them for us,
 * so each call that sends or receives is counted here, in the row that is told of the flow.
 *
 * A flow has a slot, found through a hash of socket and peer. A slot is given to another flow only
 * after nothing leads to it for as long as a program may run: what finds a slot can count in it,
 * and nothing that was counted is lost.
 *
 * The same for both tiers that count flows. What differs is in udp_typed.bpf.h (btf), which has
 * sockets of types that the kernel knows, and in kprobe_udp.bpf.h, which has copies of them.
 */
#ifndef CONNSCOPE_UDP_MAPS_BPF_H
#define CONNSCOPE_UDP_MAPS_BPF_H

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include "row.h"

#define IPPROTO_UDP  17
#define BLOCK_SLOTS  256 /* slots that share one mark in flow_blocks */
#define MSG_PEEK     0x2
#define MSG_ERRQUEUE 0x2000
#define EACCES	     13
#define ENONET	     64
#define ENOPROTOOPT  92
#define EHOSTDOWN    112

enum direction {
	SENT,
	RECEIVED,
};

enum flow_state {
	FLOW_FREE = 0,
	FLOW_LIVE = 1,
	FLOW_RETIRED = 2, /* nothing leads to it any more, but for programs that run now */
};

/* What can not change while a flow lives, and finds it. */
struct flow_key {
	__u64 socket_id;
	__u8 peer_address[16]; /* zeros, with port 0: the call did not say */
	__u16 peer_port;
	__u16 zero[3];
};

/* udp_flows.py has the same as a NumPy dtype. */
struct udp_flow {
	struct connection_row row;
	__u64 last_clock; /* of the last datagram, see flow_clock */
	__u32 generation; /* moves when the slot is given to another flow */
	__u8 state;	  /* enum flow_state */
	__u8 has_failed;  /* told as failed, and no datagram was received since */
	__u8 has_guesses; /* some datagrams are its peer's by inference */
	__u8 reserved;
};

_Static_assert(sizeof(struct udp_flow) == 240, "udp_flows.py has 240 too");

/* What user space sees at a glance. Added to, never set, so that no CPU is overwritten. */
struct udp_totals {
	__u64 begun;
	__u64 freed;
	__u64 dropped; /* datagrams of flows for which no slot was left */
	__u64 closed;  /* sockets with several peers; retire_flows tells of their flows */
};

/* What UDP knows of a socket; made with its first flow. */
struct udp_socket {
	struct flow_key only_peer; /* of its only flow so far */
	__u16 error;		   /* came before its datagram was counted */
	__u8 flows;		   /* 0, 1; 2: more than one, ever */
	__u8 is_older;		   /* it was there before us */
	__u32 begun; /* flows; two that began at once may each be taken for the first */
};

/* A flow to which no key leads any more. */
struct retired {
	__u64 since_ns; /* CLOCK_BOOTTIME */
	__u32 slot;
	__u32 reserved;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, FLOW_HASH_FLAGS);
	__uint(max_entries, 65536); /* user space sets it, as those of the next four */
	__type(key, struct flow_key);
	__type(value, __u32);
} flow_slots SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 65536);
	__type(key, __u32);
	__type(value, struct udp_flow);
} flows SEC(".maps");

/* Slots that are free; the lowest come out first, so that a look reads no more than it must. */
struct {
	__uint(type, BPF_MAP_TYPE_STACK);
	__uint(max_entries, 65536);
	__type(value, __u32);
} free_slots SEC(".maps");

/* Whoever deletes an entry has the slot: the flow is told as idle, or it goes on. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, FLOW_HASH_FLAGS);
	__uint(max_entries, 65536);
	__type(key, struct flow_key);
	__type(value, struct retired);
} retired_flows SEC(".maps");

/* A mark for each block of slots that was ever used; a store of 1 needs no lock. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 256);
	__type(key, __u32);
	__type(value, __u64);
} flow_blocks SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct udp_totals);
} udp_totals SEC(".maps");

#define ADD_TOTAL(field)                                                             \
	do {                                                                         \
		__u32 zero = 0;                                                      \
		struct udp_totals *totals = bpf_map_lookup_elem(&udp_totals, &zero); \
		if (totals)                                                          \
			__sync_fetch_and_add(&totals->field, 1);                     \
	} while (0)

#endif
