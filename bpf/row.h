/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The row: what the kernel programs write, what a look is made of, what an event is.
 * src/connscope/row/columns.py declares the same record as a NumPy dtype; tests/unit/row compares
 * both with the BTF of the built object. Change both, or neither.
 *
 * Times are CLOCK_BOOTTIME nanoseconds. Ports are host order. Addresses are 16 bytes as on the
 * wire, IPv4 as v4-mapped (::ffff:a.b.c.d). 0 means unknown, except in the columns of a group that
 * `known` has a bit for.
 */
#ifndef CONNSCOPE_ROW_H
#define CONNSCOPE_ROW_H

enum row_kind {
	KIND_OPENED = 1,
	KIND_ACCEPTED = 2,
	KIND_FAILED = 3,
	KIND_CLOSED = 4,
	KIND_LISTENING = 5,
	KIND_UNLISTENED = 6,
	KIND_IDLE = 7,
	KIND_SNAPSHOT = 8,
	KIND_LOST = 9,
};

enum row_role {
	ROLE_UNKNOWN = 0,
	ROLE_CLIENT = 1,
	ROLE_SERVER = 2,
};

enum row_owner_evidence {
	OWNER_UNKNOWN = 0,
	OWNER_CONNECT = 1,
	OWNER_ACCEPT = 2,
	OWNER_LISTENER = 3,
	OWNER_CLOSE = 4,
	OWNER_FD_TABLE = 5,
};

enum row_failure {
	FAILURE_NONE = 0,
	FAILURE_REFUSED = 1,
	FAILURE_TIMEOUT = 2,
	FAILURE_UNREACHABLE = 3,
	FAILURE_RESET = 4,
	FAILURE_NO_PORT = 5,
	FAILURE_DENIED = 6,
	FAILURE_ABANDONED = 7,
	FAILURE_UNKNOWN = 8,
};

enum row_closed_by {
	CLOSED_BY_UNKNOWN = 0,
	CLOSED_BY_LOCAL = 1,
	CLOSED_BY_PEER = 2,
	CLOSED_BY_LOCAL_RESET = 3,
	CLOSED_BY_PEER_RESET = 4,
	CLOSED_BY_TIMEOUT = 5,
};

/* Bits of `known` and `exact`: which groups of columns are filled, and which of those are the truth
 * rather than an estimate. */
enum row_group {
	GROUP_IDENTITY = 1 << 0,
	GROUP_ENDS = 1 << 1,
	GROUP_OWNER = 1 << 2,
	GROUP_TRAFFIC = 1 << 3,
	GROUP_QUALITY = 1 << 4,
	GROUP_LIFE = 1 << 5,
	GROUP_JOIN = 1 << 6,
};

struct connection_row {
	/* identity */
	__u64 connection_id; /* socket cookie, and a tag of the connection in the top 16 bits */
	__u64 socket_id;     /* socket cookie */
	__u64 subflow_of;    /* socket cookie of the MPTCP socket */
	/* what, life */
	__u64 time_ns;
	__u64 opened_ns;
	__u64 closed_ns;
	__u64 lost; /* rows that a lost row stands for */
	/* owner */
	__u64 process_start_ns;
	__u64 cgroup_id;
	/* traffic */
	__u64 bytes_sent;
	__u64 bytes_received;
	/* ends */
	__u8 local_address[16]; /* network order */
	__u8 peer_address[16];	/* network order */
	__u8 comm[16];
	__u32 socket_inode;
	__u32 netns;
	__u32 pid;
	__u32 uid; /* 0xffffffff unknown */
	__u32 unread_bytes;
	__u32 unacked_bytes;
	__u32 segments_sent;
	__u32 segments_received;
	__u32 retransmits;
	/* quality */
	__u32 rtt_us;
	__u32 rtt_var_us;
	__u32 min_rtt_us;
	__u32 connect_us;
	__u32 queue_length;
	__u32 queue_limit;
	/* join */
	__u32 isn_local;
	__u32 isn_peer;
	__u16 local_port;
	__u16 peer_port;
	__u16 error;
	__u16 known;
	__u16 exact;
	__u8 kind;
	__u8 tier; /* written by user space */
	__u8 protocol;
	__u8 family; /* 4 or 6 */
	__u8 role;
	__u8 state; /* TCP_ESTABLISHED … of the kernel */
	__u8 owner_evidence;
	__u8 failure;
	__u8 closed_by;
	__u8 left_state; /* closed: the state before CLOSE; of UDP written by user space: cast.py */
};

_Static_assert(sizeof(struct connection_row) == 224, "the row is 224 bytes in columns.py too");
_Static_assert(sizeof(struct connection_row) % 8 == 0, "the ring pads every record to 8 bytes");
_Static_assert(__builtin_offsetof(struct connection_row, local_address) == 88, "");
_Static_assert(__builtin_offsetof(struct connection_row, socket_inode) == 136, "");
_Static_assert(__builtin_offsetof(struct connection_row, local_port) == 204, "");

/* What went missing and where. */
struct capture_losses {
	__u64 rows_lost;      /* the ring was full */
	__u64 storage_failed; /* no memory for a socket's storage */
	__u64 owners_full;    /* the map of exact accept owners was full */
};

#endif
