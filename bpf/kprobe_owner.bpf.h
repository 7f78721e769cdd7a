/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* The process that is running now, as an owner of a socket. */
#ifndef CONNSCOPE_KPROBE_OWNER_BPF_H
#define CONNSCOPE_KPROBE_OWNER_BPF_H

#include "kprobe_maps.bpf.h"

/* The process, not its thread. A kernel thread owns nothing; false then. */
static __noinline bool note_current(struct process *owner, __u32 evidence)
{
	__u64 task = bpf_get_current_task(), leader = NOW64(task, task_leader);

	if (NOW32(task, task_flags) & PF_KTHREAD)
		return false;
	owner->pid = bpf_get_current_pid_tgid() >> 32;
	owner->cgroup_id = bpf_get_current_cgroup_id();
	owner->evidence = evidence;
	owner->start_ns = 0;
	/* Behind the end of a name the kernel may have left the one before it. */
	__builtin_memset(owner->comm, 0, sizeof(owner->comm));
	if (leader) {
		owner->start_ns = NOW64(leader, task_start);
		if (IS_KNOWN(task_comm))
			bpf_probe_read_kernel_str(owner->comm, sizeof(owner->comm),
						  (const void *)(leader + at_task_comm));
	}
	if (!leader || !IS_KNOWN(task_comm))
		bpf_get_current_comm(owner->comm, sizeof(owner->comm));
	return true;
}

#endif
