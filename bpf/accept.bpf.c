/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The exact owner of an accepted connection: the task that accept() or accept4() returns to, also
 * if it was blocked there before we came. The new socket is reached through the fd that the call
 * returned. Not seen: io_uring (no system call returns the fd) and 32-bit processes.
 *
 * The price is paid by every system call of the machine, not only by accept: the kernel's slow path
 * at system call exit. So this is loaded only if asked for. It probes kernel memory, which
 * lockdown=confidentiality refuses: it may fail alone.
 */
#include "kernel.bpf.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_tracing.h>

#define READ(...) BPF_CORE_READ(__VA_ARGS__)
#include "fill.bpf.h"
#include "owner.bpf.h"

#if defined(__TARGET_ARCH_x86)
#define ACCEPT	     43
#define ACCEPT4	     288
#define NUMBER(regs) ((regs)->orig_ax)
#elif defined(__TARGET_ARCH_arm64)
#define ACCEPT	     202
#define ACCEPT4	     242
#define NUMBER(regs) ((regs)->syscallno)
#endif

/* The TCP socket behind an fd of the current task; NULL if it is something else. */
static __always_inline struct tcp_sock *socket_of(long fd)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct file **files = BPF_CORE_READ(task, files, fdt, fd);
	struct socket *socket;
	struct file *file;
	struct sock *sk;

	if (bpf_core_read(&file, sizeof(file), &files[fd]))
		return NULL;
	socket = BPF_CORE_READ(file, private_data);
	sk = BPF_CORE_READ(socket, sk);
	if (BPF_CORE_READ(sk, sk_protocol) != IPPROTO_TCP)
		return NULL;
	return (struct tcp_sock *)sk;
}

static __noinline void accepted(struct tcp_sock *tp)
{
	struct sock *sk = &tp->inet_conn.icsk_inet.sk;
	__u64 cookie = BPF_CORE_READ(sk, __sk_common.skc_cookie.counter);
	__u64 key = cookie ? cookie : (__u64)sk;
	struct connection_row *row;
	struct owner owner = {};

	if (!note_current(&owner, OWNER_ACCEPT))
		return;
	if (bpf_map_update_elem(&accept_owners, &key, &owner, BPF_ANY))
		COUNT_LOSS(owners_full);
	/*
	 * Its handshake gives it a cookie. Without one it is older than us, or a fast open that was
	 * accepted before its handshake was done, on a kernel that takes away the cookie that a
	 * child had before: only its later rows name the owner.
	 */
	if (!cookie)
		return;
	row = reserve_row();
	if (!row)
		return;
	row->kind = KIND_ACCEPTED;
	row->time_ns = bpf_ktime_get_boot_ns();
	row->socket_id = cookie;
	row->role = ROLE_SERVER;
	row->connection_id = name_of(cookie, connection_tag(isn_of(tp)));
	row->socket_inode = BPF_CORE_READ(sk, sk_socket, file, f_inode, i_ino);
	row->known = GROUP_IDENTITY;
	row->exact = GROUP_IDENTITY;
	fill_ends(row, tp);
	fill_owner(row, tp, &owner);
	fill_traffic(row, tp, row->state, true, isn_of(tp) - 1);
	fill_quality(row, tp);
	bpf_ringbuf_submit(row, 0);
}

SEC("tp_btf/sys_exit")
int BPF_PROG(sys_exit, struct pt_regs *regs, long fd)
{
	long number = NUMBER(regs);
	struct tcp_sock *tp;

	if ((number != ACCEPT4 && number != ACCEPT) || fd < 0)
		return 0;
	tp = socket_of(fd);
	if (tp)
		accepted(tp);
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
