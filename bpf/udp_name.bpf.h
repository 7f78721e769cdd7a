/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* The name of a peer in the message of a call, by a probe read. */
#ifndef CONNSCOPE_UDP_NAME_BPF_H
#define CONNSCOPE_UDP_NAME_BPF_H

#include "udp_flow.bpf.h"

/* struct sockaddr_in and, beyond its first eight bytes, struct sockaddr_in6. */
struct name {
	__u16 family;
	__u16 port;
	__u32 v4;
	__u8 v6[16];
};

/* False if there is none. */
static __always_inline bool read_name(const void *from, struct flow_key *key)
{
	struct name name = {};
	__u32 size = sizeof(name);

	if (!from || bpf_probe_read_kernel(&name, 8, from))
		return false;
	if (name.family == AF_INET6) {
		if (bpf_probe_read_kernel(&name, size, from))
			return false;
		__builtin_memcpy(key->peer_address, name.v6, 16);
	} else if (name.family == AF_INET || !name.family) { /* AF_UNSPEC may send IPv4 */
		map_v4(key->peer_address, name.v4);
	} else {
		return false;
	}
	key->peer_port = bpf_ntohs(name.port);
	return true;
}

#endif
