/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Who holds the sockets that are older than us: one walk over every fd of every process, in all
 * network namespaces. Above all it gives the listeners their owners, which the connections that
 * they accept from now on inherit.
 */
#include "kernel.bpf.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include "tracked_socket.bpf.h"

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)
struct bpf_iter_meta {
	struct seq_file *seq;
};

struct bpf_iter__task_file {
	struct bpf_iter_meta *meta;
	struct task_struct *task;
	__u32 fd;
	struct file *file;
};
#pragma clang attribute pop

/* What a walk tells user space of each socket that it gave an owner. */
struct adopted_socket {
	__u64 socket_id;
};

SEC("iter/task_file")
int adopt_sockets(struct bpf_iter__task_file *ctx)
{
	struct adopted_socket adopted = {};
	struct task_struct *task = ctx->task;
	struct file *file = ctx->file;
	struct tracked_socket *tracked;
	struct socket *socket;
	struct sock *sk;

	if (!task || !file)
		return 0;
	socket = bpf_sock_from_file(file);
	if (!socket)
		return 0;
	sk = socket->sk;
	if (!sk || sk->sk_protocol != IPPROTO_TCP || !bpf_skc_to_tcp_sock(sk))
		return 0;
	tracked = track(sk);
	/* Tasks come in the order of their pids: of many holders the lowest one stays. An event
	 * that came meanwhile knows better. */
	if (!tracked || tracked->owner.pid)
		return 0;
	note_task(&tracked->owner, task, OWNER_FD_TABLE);
	tracked->socket_inode = file->f_inode->i_ino;
	adopted.socket_id = tracked->socket_id;
	bpf_seq_write(ctx->meta->seq, &adopted, sizeof(adopted));
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
