/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One TCP connection over loopback that carries much: a child sends, the parent receives. Prints
 * one JSON line, with how many system calls it took.
 *
 *   bulk [BYTES [CHUNK]]
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define CHUNK_MAX (1 << 20)

static char buffer[CHUNK_MAX];

static void die(const char *what)
{
	fprintf(stderr, "bulk: %s: %s\n", what, strerror(errno));
	exit(1);
}

static long now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000L + now.tv_nsec;
}

static int open_listener(struct sockaddr_in *address)
{
	socklen_t length = sizeof(*address);
	int fd = socket(AF_INET, SOCK_STREAM, IPPROTO_TCP);

	*address = (struct sockaddr_in){.sin_family = AF_INET,
					.sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	if (fd < 0 || bind(fd, (struct sockaddr *)address, length) || listen(fd, 1) ||
	    getsockname(fd, (struct sockaddr *)address, &length))
		die("listen");
	return fd;
}

/* Returns how many calls it took. */
static long send_all(const struct sockaddr_in *address, long bytes, long chunk)
{
	int fd = socket(AF_INET, SOCK_STREAM, IPPROTO_TCP);
	long calls = 0, now;

	if (fd < 0 || connect(fd, (const struct sockaddr *)address, sizeof(*address)))
		die("connect");
	for (; bytes > 0; bytes -= now, calls++) {
		now = send(fd, buffer, bytes < chunk ? bytes : chunk, MSG_NOSIGNAL);
		if (now <= 0)
			die("send");
	}
	close(fd);
	return calls;
}

static long receive_all(int fd, long chunk, long *calls)
{
	long bytes = 0, now;

	while ((now = recv(fd, buffer, chunk, 0)) > 0) {
		bytes += now;
		++*calls;
	}
	if (now < 0)
		die("recv");
	return bytes;
}

int main(int argc, char **argv)
{
	long bytes = argc > 1 ? atol(argv[1]) : 1L << 30, chunk = argc > 2 ? atol(argv[2]) : 16384;
	long *sends = mmap(NULL, sizeof(*sends), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
			   -1, 0);
	struct sockaddr_in address;
	long start_ns, received, receives = 0;
	int listener, fd;
	pid_t sender;

	if (sends == MAP_FAILED || bytes < 1 || chunk < 1 || chunk > CHUNK_MAX) {
		fprintf(stderr, "usage: bulk [BYTES [CHUNK up to %d]]\n", CHUNK_MAX);
		return 2;
	}
	listener = open_listener(&address);
	sender = fork();
	if (!sender) {
		*sends = send_all(&address, bytes, chunk);
		exit(0);
	}
	fd = accept(listener, NULL, NULL);
	start_ns = now_ns();
	received = receive_all(fd, chunk, &receives);
	start_ns = now_ns() - start_ns;
	waitpid(sender, NULL, 0);
	printf("{\"elapsed_ns\":%ld,\"bytes\":%ld,\"sends\":%ld,\"receives\":%ld}\n", start_ns,
	       received, *sends, receives);
	return received != bytes;
}
