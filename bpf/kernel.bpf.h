/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The kernel fields that we read, and no others. Names are the kernel's; order and offsets do not
 * matter, CO-RE relocates each access against the running kernel's BTF. Kernel history lives here.
 */
#ifndef CONNSCOPE_KERNEL_BPF_H
#define CONNSCOPE_KERNEL_BPF_H

#include <linux/bpf.h>
#include <stdbool.h>

/* Constants that BTF does not carry. */
#define AF_INET		   2
#define AF_INET6	   10
#define IPPROTO_TCP	   6
#define IPPROTO_MPTCP	   262
#define SOCK_STREAM	   1
#define PF_KTHREAD	   0x00200000 /* include/linux/sched.h */
#define RCV_SHUTDOWN	   1
#define SOCK_DONE	   1 /* enum sock_flags, include/net/sock.h */
#define SO_EE_ORIGIN_ICMP  2 /* include/uapi/linux/errqueue.h */
#define SO_EE_ORIGIN_ICMP6 3
#define EPERM		   1
#define E2BIG		   7
#define EPIPE		   32
#define EADDRNOTAVAIL	   99
#define ENETUNREACH	   101
#define ECONNABORTED	   103
#define ECONNRESET	   104
#define ETIMEDOUT	   110
#define ECONNREFUSED	   111
#define EHOSTUNREACH	   113

enum {
	TCP_ESTABLISHED = 1,
	TCP_SYN_SENT = 2,
	TCP_SYN_RECV = 3,
	TCP_FIN_WAIT1 = 4,
	TCP_FIN_WAIT2 = 5,
	TCP_TIME_WAIT = 6,
	TCP_CLOSE = 7,
	TCP_CLOSE_WAIT = 8,
	TCP_LAST_ACK = 9,
	TCP_LISTEN = 10,
	TCP_CLOSING = 11,
};

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct ns_common {
	unsigned int inum;
};

struct net {
	struct ns_common ns;
};

typedef struct {
	struct net *net;
} possible_net_t;

struct in6_addr {
	union {
		__u32 u6_addr32[4];
	} in6_u;
};

struct sock_common {
	__u32 skc_daddr;
	__u32 skc_rcv_saddr;
	__u16 skc_dport;
	__u16 skc_num;
	unsigned short skc_family;
	volatile unsigned char skc_state;
	unsigned long skc_flags;
	possible_net_t skc_net;
	struct in6_addr skc_v6_daddr;
	struct in6_addr skc_v6_rcv_saddr;
	struct {
		__s64 counter;
	} skc_cookie;
};

struct kernfs_node {
	__u64 id;
};

struct cgroup {
	struct kernfs_node *kn;
};

struct sock_cgroup_data {
	struct cgroup *cgroup;
};

struct inode {
	unsigned long i_ino;
};

struct file {
	struct inode *f_inode;
	void *private_data;
};

struct socket {
	short type;
	struct file *file;
	struct sock *sk;
};

typedef struct {
	__u32 val;
} kuid_t;

struct qspinlock {
	struct {
		int counter;
	} val;
};

struct raw_spinlock {
	struct qspinlock raw_lock;
};

struct spinlock {
	struct raw_spinlock rlock;
};

typedef struct {
	struct spinlock slock;
	int owned;
} socket_lock_t;

struct sk_buff {
	char cb[48];
};

struct sk_buff_head {
	struct sk_buff *next;
	__u32 qlen;
};

struct sock_extended_err {
	__u32 ee_errno;
	__u8 ee_origin;
};

struct sock_exterr_skb {
	struct sock_extended_err ee;
};

struct sock {
	struct sock_common __sk_common;
	socket_lock_t sk_lock;
	struct sk_buff_head sk_error_queue;
	__u8 sk_shutdown;
	int sk_err;
	__u32 sk_ack_backlog;
	__u32 sk_max_ack_backlog;
	kuid_t sk_uid;
	__u16 sk_protocol;
	struct socket *sk_socket;
	struct sock_cgroup_data sk_cgrp_data;
};

struct inet_sock {
	struct sock sk;
	__u16 inet_sport;
};

struct inet_connection_sock {
	struct inet_sock icsk_inet;
	void *icsk_ulp_data;
};

struct minmax_sample {
	__u32 t;
	__u32 v;
};

struct minmax {
	struct minmax_sample s[3];
};

struct tcp_sock {
	struct inet_connection_sock inet_conn;
	__u64 bytes_acked;
	__u64 bytes_received;
	__u64 bytes_sent;
	__u64 bytes_retrans;
	__u32 segs_in;
	__u32 segs_out;
	__u32 total_retrans;
	__u32 rcv_nxt;
	__u32 copied_seq;
	__u32 snd_nxt;
	__u32 snd_una;
	__u32 write_seq;
	__u32 srtt_us;
	__u32 mdev_us;
	struct minmax rtt_min;
	bool is_mptcp;
	__u8 fastopen_connect : 1;
};

/* What icsk_ulp_data of an MPTCP subflow points to. */
struct mptcp_subflow_context {
	struct sock *conn;
};

struct fdtable {
	unsigned int max_fds;
	struct file **fd;
};

struct files_struct {
	struct fdtable *fdt;
};

struct task_struct {
	unsigned int flags;
	int pid;
	int tgid;
	struct task_struct *group_leader;
	__u64 start_boottime;
	char comm[16];
	struct files_struct *files;
};

struct pt_regs {
	unsigned long orig_ax;
	unsigned long syscallno; /* arm64 */
};

struct proto_accept_arg;

#pragma clang attribute pop

/* A helper that a kernel may lack; the suffix is cut off when CO-RE looks for the name. */
enum bpf_func_id___local {
	BPF_FUNC_get_retval___local = 186, /* b44123b4a3dc ("bpf: Add cgroup helpers …"), 5.18 */
};

/* a35b9af4ec2c ("bpf: Add a kfunc for generic type cast"), 6.2 */
void *bpf_rdonly_cast(const void *object, __u32 btf_id) __attribute__((section(".ksyms")))
__attribute__((weak));

#endif
