/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Requests and responses on loopback between two sockets: of one process, so that no scheduler is
 * in the way, or with "echo" of two. Prints one JSON line: what a round took in the fastest part.
 *
 *   ping udp|connected|tcp PARTS ROUNDS BYTES [echo]
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

static long now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000L + now.tv_nsec;
}

int main(int argc, char **argv)
{
	const struct sockaddr_in *to[2] = {};
	long parts, rounds, bytes, best_ns = -1;
	int fds[2], named, echoes;

	if (argc != 5 && argc != 6) {
		fprintf(stderr, "usage: ping udp|connected|tcp PARTS ROUNDS BYTES [echo]\n");
		return 2;
	}
	named = !strcmp(argv[1], "udp");
	parts = atol(argv[2]);
	rounds = atol(argv[3]);
	bytes = atol(argv[4]);
	echoes = argc == 6;
	if (!strcmp(argv[1], "tcp"))
		open_tcp(fds);
	else
		open_udp(fds, !named);
	for (int i = 0; named && i < 2; i++)
		to[i] = &addresses[!i];
	if (echoes && !fork()) {
		for (long done = 0; done < parts * rounds; done++) {
			hear(fds[1], bytes, named);
			say(fds[1], bytes, to[1]);
		}
		return 0;
	}
	for (long part = 0; part < parts; part++) {
		long ns = -now_ns();

		for (long done = 0; done < rounds; done++) {
			say(fds[0], bytes, to[0]);
			if (!echoes) {
				hear(fds[1], bytes, named);
				say(fds[1], bytes, to[1]);
			}
			hear(fds[0], bytes, named);
		}
		ns += now_ns();
		if (best_ns < 0 || ns < best_ns)
			best_ns = ns;
	}
	printf("{\"ns_per_round\":%.1f}\n", (double)best_ns / rounds);
	return 0;
}
