/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * What the offset guess looks at: the memory of a socket, of a file, and of the task, copied when a
 * thread of ours that calls itself by a random name asks the kernel about that very socket. User
 * space compares it with what it knows (src/connscope/capture/kprobe/guess/candidates.py). Nobody
 * else's call is ever copied, and once copied nothing is until it is asked for again.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include "kprobe_registers.bpf.h"

#define SOCKET_BYTES   4096
#define TASK_BYTES     8192
#define FOLLOWED_BYTES 1024
#define CHUNK	       256
#define NOTHING	       0xffffffff

enum {
	WANT_NOTHING = 0,
	WANT_SOCKET = 1,
	WANT_FILE = 2
};

struct observation {
	__u32 wanted;
	__u32 follow;  /* where in memory a pointer is, of whose target a part is copied too */
	__u8 name[16]; /* of the thread whose call it is */
	__u64 thread;  /* tgid and tid as the kernel has them */
	__u64 base;    /* of memory */
	__u64 task;
	__u8 memory[SOCKET_BYTES];
	__u8 task_memory[TASK_BYTES];
	__u8 followed[FOLLOWED_BYTES];
};

/* 0 → what is wanted, and what was seen. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct observation);
} observations SEC(".maps");

/* In chunks: what is behind the end of the object may not be mapped. */
#define COPY(to, from, size)                                                                \
	do {                                                                                \
		_Pragma("unroll") for (int at = 0; at < (size); at += CHUNK)                \
			bpf_probe_read_kernel((to) + at, CHUNK, (const char *)(from) + at); \
	} while (0)

static __always_inline int observe(__u32 kind, __u64 base)
{
	struct observation *seen;
	__u32 zero = 0, follow;
	__u64 name[2] = {}, *wanted, target = 0;

	seen = bpf_map_lookup_elem(&observations, &zero);
	if (!seen || seen->wanted != kind)
		return 0;
	bpf_get_current_comm(name, sizeof(name));
	wanted = (__u64 *)seen->name;
	if (name[0] != wanted[0] || name[1] != wanted[1])
		return 0;
	seen->wanted = WANT_NOTHING;
	seen->thread = bpf_get_current_pid_tgid();
	seen->base = base;
	seen->task = bpf_get_current_task();
	COPY(seen->memory, base, SOCKET_BYTES);
	COPY(seen->task_memory, seen->task, TASK_BYTES);
	follow = seen->follow;
	if (follow == NOTHING)
		return 0;
	bpf_probe_read_kernel(&target, sizeof(target), (const char *)base + follow);
	COPY(seen->followed, target, FOLLOWED_BYTES);
	return 0;
}

/* getsockopt(TCP_INFO). What answers it, tcp_get_info, is in part copied into its caller (5.10). */
SEC("kprobe/tcp_getsockopt")
int observe_socket(void *ctx)
{
	return observe(WANT_SOCKET, REGISTER(ctx, ARGUMENT_1));
}

/* dup() */
SEC("kprobe/fd_install")
int observe_file(void *ctx)
{
	return observe(WANT_FILE, REGISTER(ctx, ARGUMENT_2));
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
