/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Moves bytes over a connected socket with io_uring, one operation at a time, by the raw system
 * calls. Prints one JSON line.
 *
 *   uring probe                     exit 0 if io_uring may be used here; else says why not
 *   uring send|send_zc|recv FD BYTES
 */
#include "uring.h"

#define CHUNK (1 << 16)

static char buffer[CHUNK];

/* One operation; returns how many bytes it moved. */
static long move(int operation, int fd, long bytes)
{
	struct io_uring_sqe sqe = {
		.opcode = operation,
		.fd = fd,
		.addr = (unsigned long)buffer,
		.len = bytes < CHUNK ? bytes : CHUNK,
		.msg_flags = MSG_NOSIGNAL,
	};

	return complete(&sqe).result;
}

static int operation_of(const char *name)
{
	if (!strcmp(name, "send"))
		return IORING_OP_SEND;
	if (!strcmp(name, "send_zc"))
		return IORING_OP_SEND_ZC;
	return IORING_OP_RECV;
}

int main(int argc, char **argv)
{
	long bytes, done = 0, now;

	if (argc != 4 && !(argc == 2 && !strcmp(argv[1], "probe"))) {
		fprintf(stderr, "usage: uring probe | uring send|send_zc|recv FD BYTES\n");
		return 2;
	}
	open_ring();
	if (argc == 2)
		return 0;
	bytes = atol(argv[3]);
	while (done < bytes) {
		now = move(operation_of(argv[1]), atoi(argv[2]), bytes - done);
		if (!now)
			break;
		done += now;
	}
	printf("{\"bytes\":%ld}\n", done);
	return 0;
}
