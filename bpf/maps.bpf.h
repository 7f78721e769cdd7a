/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The maps that the capture programs share. Each object declares them; user space makes them once
 * and lends them to every further object that it loads.
 */
#ifndef CONNSCOPE_MAPS_BPF_H
#define CONNSCOPE_MAPS_BPF_H

#include "connection.bpf.h"
#include "kernel.bpf.h"
#include "rows.bpf.h"

struct owner {
	__u64 process_start_ns;
	__u32 pid;
	__u8 evidence; /* enum row_owner_evidence */
	__u8 look;     /* the last walk that found the socket in its fd table, see holder.bpf.h */
	__u16 reserved;
	__u8 comm[16];
};

/* A connect() that was asked for and of which no SYN was seen yet; its owner is the socket's. */
struct attempt {
	__u64 started_ns; /* 0: none */
	__u8 peer_address[16];
	__u16 peer_port;
	__u8 family;
	__u8 denied;
	__u32 reserved;
};

/* What looks have shown of an open connection: they do not lock it, and may never show less. */
struct shown {
	__u64 bytes_sent;
	__u64 bytes_received;
	__u64 turn;    /* the last look that has shown it */
	__u64 whole;   /* the last one of all rows when its row got this place; 0: it has none */
	__u32 place;   /* in look_rows */
	__u32 segs_in; /* of the socket, this and what follows, before the row was written */
	__u32 segs_out;
	__u32 write_seq;
	__u32 copied_seq;
	__u8 state; /* 0: the row was not all that can be known */
	__u8 reserved[3];
};

struct tracked_socket {
	/* Its socket_id is not the socket's own cookie in a child that was just cloned. */
	struct connection;
	struct owner owner;
	struct attempt attempt;
	struct shown shown;
	__u32 socket_inode;
	__u16 last_tag; /* of the last connection on this socket */
	__u8 has_tag;
	__u8 state;	  /* that the last change we handled led to; a clone has its listener's */
	__u8 holder_look; /* the last walk that found the socket in any fd table; 0: none was made
			   */
};

/* socket → what we know of it. Written by every program; lives and dies with the socket, so it has
 * no size and can not leak. The child of an accept inherits its listener's entry. */
struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC | BPF_F_CLONE);
	__type(key, int);
	__type(value, struct tracked_socket);
} tracked_sockets SEC(".maps");

/* socket cookie, or address if it has none yet → the task that accept() returned to. Written by
 * accept.bpf.c, deleted when the socket is destroyed, counted in losses.owners_full when full. A
 * map of its own because the fd leads to no typed pointer, which can not reach the socket's
 * storage. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 65536); /* user space sets it */
	__type(key, __u64);
	__type(value, struct owner);
} accept_owners SEC(".maps");

#endif
