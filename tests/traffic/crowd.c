/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Many open connections that do nothing, until standard input ends.
 *
 * usage: crowd PROCESSES CONNECTIONS
 *
 * Each process holds both ends of its connections, 64 bytes sent each way, on an address of its own
 * (127.0.1.N). Prints, once all are open: {"sockets": N} without the listeners.
 */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define BYTES 64

static void fail(const char *what)
{
	perror(what);
	_exit(1);
}

static void connect_once(int listener, struct sockaddr_in *address)
{
	char content[BYTES] = {0};
	int client = socket(AF_INET, SOCK_STREAM, 0), server;

	if (client < 0 || connect(client, (struct sockaddr *)address, sizeof(*address)))
		fail("connect");
	server = accept(listener, NULL, NULL);
	if (server < 0)
		fail("accept");
	for (int way = 0; way < 2; way++) {
		int from = way ? server : client, to = way ? client : server;

		if (write(from, content, BYTES) != BYTES)
			fail("write");
		if (recv(to, content, BYTES, MSG_WAITALL) != BYTES)
			fail("recv");
	}
}

static void hold(int number, int connections, int ready, int end)
{
	struct sockaddr_in address = {
		.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(0x7f000100 + number + 1),
	};
	socklen_t length = sizeof(address);
	int listener = socket(AF_INET, SOCK_STREAM, 0);
	char byte = 0;

	if (bind(listener, (struct sockaddr *)&address, length) || listen(listener, 128) ||
	    getsockname(listener, (struct sockaddr *)&address, &length))
		fail("listen");
	for (int i = 0; i < connections; i++)
		connect_once(listener, &address);
	if (write(ready, &byte, 1) != 1)
		fail("write");
	/* Nobody writes: this ends when the parent closes the other end, or dies. */
	_exit(read(end, &byte, 1) != 0);
}

int main(int argc, char **argv)
{
	int processes = argc == 3 ? atoi(argv[1]) : 0, ready[2], end[2];
	char byte;

	if (processes < 1) {
		fprintf(stderr, "usage: crowd PROCESSES CONNECTIONS\n");
		return 2;
	}
	if (pipe(ready) || pipe(end))
		fail("pipe");
	for (int i = 0; i < processes; i++) {
		if (!fork()) {
			close(end[1]);
			close(ready[0]);
			hold(i, atoi(argv[2]), ready[1], end[0]);
		}
	}
	close(ready[1]);
	for (int i = 0; i < processes; i++)
		if (read(ready[0], &byte, 1) != 1)
			return 1;
	printf("{\"sockets\": %d}\n", 2 * processes * atoi(argv[2]));
	fflush(stdout);
	while (read(0, &byte, 1) > 0)
		;
	close(end[1]);
	while (wait(NULL) > 0)
		;
	return 0;
}
