/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* The process that is running now, as an owner of a socket. Typed loads only. */
#ifndef CONNSCOPE_OWNER_BPF_H
#define CONNSCOPE_OWNER_BPF_H

#include "maps.bpf.h"

/*
 * Writes the process of a task, not its thread, into owner: a row's pid is the thread group's, so
 * its name and start time are too.
 */
static __always_inline void note_task(struct owner *owner, struct task_struct *task, __u32 evidence)
{
	struct task_struct *leader = task->group_leader;

	owner->pid = task->tgid;
	owner->process_start_ns = leader->start_boottime;
	owner->evidence = evidence;
	owner->look = 0;
	/* Two loads, not sixteen: the verifier takes a wider one as long as it ends within the
	 * array. */
	((__u64 *)owner->comm)[0] = *(__u64 *)&leader->comm[0];
	((__u64 *)owner->comm)[1] = *(__u64 *)&leader->comm[8];
}

/*
 * The same with the process that runs now. A kernel thread owns nothing (MPTCP and delayed fput
 * close sockets from workers); false then.
 */
static __always_inline bool note_current(struct owner *owner, __u32 evidence)
{
	struct task_struct *task = bpf_get_current_task_btf();

	if (task->flags & PF_KTHREAD)
		return false;
	note_task(owner, task, evidence);
	return true;
}

#endif
