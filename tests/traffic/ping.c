/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Requests and responses on loopback between two sockets: of one process, so that no scheduler is
 * in the way, or with "echo" of two. Prints one JSON line.
 *
 *   ping udp|connected|tcp ROUNDS BYTES [echo]
 */
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static char buffer[65536];
static struct sockaddr_in addresses[2];

static void check(long result, const char *what)
{
	if (result < 0) {
		perror(what);
		exit(1);
	}
}

static void bind_to_loopback(int fd, struct sockaddr_in *address)
{
	socklen_t length = sizeof(*address);

	address->sin_family = AF_INET;
	address->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	check(bind(fd, (struct sockaddr *)address, length), "bind");
	check(getsockname(fd, (struct sockaddr *)address, &length), "getsockname");
}

static void open_udp(int fds[2], int connects)
{
	for (int i = 0; i < 2; i++) {
		fds[i] = socket(AF_INET, SOCK_DGRAM, 0);
		check(fds[i], "socket");
		bind_to_loopback(fds[i], &addresses[i]);
	}
	for (int i = 0; connects && i < 2; i++)
		check(connect(fds[i], (struct sockaddr *)&addresses[!i], sizeof(addresses[0])),
		      "connect");
}

static void open_tcp(int fds[2])
{
	int listener = socket(AF_INET, SOCK_STREAM, 0), one = 1;

	bind_to_loopback(listener, &addresses[0]);
	check(listen(listener, 1), "listen");
	fds[0] = socket(AF_INET, SOCK_STREAM, 0);
	check(connect(fds[0], (struct sockaddr *)&addresses[0], sizeof(addresses[0])), "connect");
	fds[1] = accept(listener, NULL, NULL);
	check(fds[1], "accept");
	for (int i = 0; i < 2; i++)
		setsockopt(fds[i], IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
}

static void say(int fd, long bytes, const struct sockaddr_in *to)
{
	if (to)
		check(sendto(fd, buffer, bytes, 0, (const struct sockaddr *)to, sizeof(*to)),
		      "sendto");
	else
		check(send(fd, buffer, bytes, 0), "send");
}

static void hear(int fd, long bytes, int is_named)
{
	struct sockaddr_in peer;
	socklen_t length = sizeof(peer);

	if (is_named)
		check(recvfrom(fd, buffer, sizeof(buffer), 0, (struct sockaddr *)&peer, &length),
		      "recvfrom");
	else
		check(recv(fd, buffer, bytes, MSG_WAITALL), "recv");
}

int main(int argc, char **argv)
{
	const struct sockaddr_in *to[2] = {};
	struct timespec begin, end;
	int fds[2], named, echoes;
	long rounds, bytes;

	if (argc != 4 && argc != 5) {
		fprintf(stderr, "usage: ping udp|connected|tcp ROUNDS BYTES [echo]\n");
		return 2;
	}
	named = !strcmp(argv[1], "udp");
	rounds = atol(argv[2]);
	bytes = atol(argv[3]);
	echoes = argc == 5;
	if (!strcmp(argv[1], "tcp"))
		open_tcp(fds);
	else
		open_udp(fds, !named);
	for (int i = 0; named && i < 2; i++)
		to[i] = &addresses[!i];
	if (echoes && !fork()) {
		for (long done = 0; done < rounds; done++) {
			hear(fds[1], bytes, named);
			say(fds[1], bytes, to[1]);
		}
		return 0;
	}
	clock_gettime(CLOCK_MONOTONIC, &begin);
	for (long done = 0; done < rounds; done++) {
		say(fds[0], bytes, to[0]);
		if (!echoes) {
			hear(fds[1], bytes, named);
			say(fds[1], bytes, to[1]);
		}
		hear(fds[0], bytes, named);
	}
	clock_gettime(CLOCK_MONOTONIC, &end);
	printf("{\"ns\":%lld}\n",
	       (end.tv_sec - begin.tv_sec) * 1000000000LL + end.tv_nsec - begin.tv_nsec);
	return 0;
}
