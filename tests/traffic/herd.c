/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Many small processes with open descriptors that do nothing, until standard input ends.
 *
 * usage: herd PROCESSES FDS SOCKETS
 *
 * Each process has FDS descriptors besides standard input, output and error; SOCKETS of them are
 * TCP listeners on loopback, the others /dev/null. Prints, once all are there:
 * {"sockets": N, "fds": N}.
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static void fail(const char *what)
{
	perror(what);
	_exit(1);
}

static void hold(int fds, int sockets, int ready, int end)
{
	struct sockaddr_in address = {
		.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	char byte = 0;

	for (int i = 0; i < fds; i++) {
		if (i >= sockets) {
			if (open("/dev/null", O_RDONLY) < 0)
				fail("/dev/null");
			continue;
		}
		int listener = socket(AF_INET, SOCK_STREAM, 0);

		if (listener < 0 || bind(listener, (struct sockaddr *)&address, sizeof(address)) ||
		    listen(listener, 1))
			fail("listen");
	}
	if (write(ready, &byte, 1) != 1)
		fail("ready");
	close(ready);
	/* Nobody writes: this is over when the parent is. */
	if (read(end, &byte, 1) < 0)
		fail("end");
	_exit(0);
}

int main(int argc, char **argv)
{
	int processes, fds, sockets, ready[2], end[2];
	char byte;

	if (argc != 4) {
		fprintf(stderr, "usage: herd PROCESSES FDS SOCKETS\n");
		return 2;
	}
	processes = atoi(argv[1]);
	fds = atoi(argv[2]);
	sockets = atoi(argv[3]);
	if (pipe(ready) || pipe(end))
		fail("pipe");
	for (int i = 0; i < processes; i++) {
		int pid = fork();

		if (pid < 0)
			fail("fork");
		if (pid == 0) {
			close(ready[0]);
			close(end[1]);
			/* The pipe that it waits for is one of them. */
			hold(fds - 1, sockets, ready[1], end[0]);
		}
	}
	close(ready[1]);
	for (int i = 0; i < processes; i++)
		if (read(ready[0], &byte, 1) != 1)
			fail("a process");
	printf("{\"sockets\": %d, \"fds\": %d}\n", processes * sockets, processes * fds);
	fflush(stdout);
	while (read(0, &byte, 1) > 0)
		;
	close(end[1]);
	while (wait(NULL) > 0)
		;
	return 0;
}
