/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* The arguments and the result of a probed function, from the registers that a kprobe is given. */
#ifndef CONNSCOPE_KPROBE_REGISTERS_BPF_H
#define CONNSCOPE_KPROBE_REGISTERS_BPF_H

#include <linux/bpf.h>

/* Places in struct pt_regs, in words: part of the kernel's interface on both. */
#if defined(__TARGET_ARCH_x86)
#define ARGUMENT_1 14 /* rdi */
#define ARGUMENT_2 13 /* rsi */
#define ARGUMENT_4 11 /* rcx */
#define ARGUMENT_5 9  /* r8 */
#define RESULT	   10 /* rax */
#elif defined(__TARGET_ARCH_arm64)
#define ARGUMENT_1 0 /* x0 */
#define ARGUMENT_2 1
#define ARGUMENT_4 3
#define ARGUMENT_5 4
#define RESULT	   0
#endif

#define REGISTER(ctx, place) (((const __u64 *)(ctx))[place])

#endif
