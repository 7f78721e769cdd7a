/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A connection whose ends io_uring made, held until standard input ends.
 *
 *   uring_direct connect PORT    a direct descriptor, in no fd table, connected to 127.0.0.1
 *   uring_direct accept          listens on loopback, prints the port, accepts with io_uring
 *
 * Prints an empty line once it is connected. Needs 5.19.
 */
#include "uring.h"
#include <arpa/inet.h>

static struct sockaddr_in address = {.sin_family = AF_INET};

static void connect_direct(int port)
{
	int empty_slot = -1;
	struct io_uring_sqe make = {
		.opcode = IORING_OP_SOCKET,
		.fd = AF_INET,
		.off = SOCK_STREAM,
		.file_index = 1, /* the first slot: 0 means a normal descriptor */
	};
	struct io_uring_sqe connect = {
		.opcode = IORING_OP_CONNECT,
		.flags = IOSQE_FIXED_FILE,
		.fd = 0,
		.addr = (unsigned long)&address,
		.off = sizeof(address),
	};

	address.sin_port = htons(port);
	if (syscall(SYS_io_uring_register, ring.fd, IORING_REGISTER_FILES, &empty_slot, 1))
		die("io_uring_register");
	complete(&make);
	complete(&connect);
}

static void accept_one(void)
{
	struct io_uring_sqe accept = {.opcode = IORING_OP_ACCEPT};
	socklen_t length = sizeof(address);

	accept.fd = socket(AF_INET, SOCK_STREAM, 0);
	if (bind(accept.fd, (struct sockaddr *)&address, length) || listen(accept.fd, 16) ||
	    getsockname(accept.fd, (struct sockaddr *)&address, &length))
		die("listen");
	printf("%d\n", ntohs(address.sin_port));
	fflush(stdout);
	complete(&accept);
}

int main(int argc, char **argv)
{
	char byte;

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (argc < 2) {
		fprintf(stderr, "usage: uring_direct connect PORT | uring_direct accept\n");
		return 2;
	}
	open_ring();
	if (argc == 3)
		connect_direct(atoi(argv[2]));
	else
		accept_one();
	printf("\n");
	fflush(stdout);
	return read(0, &byte, 1) != 0;
}
