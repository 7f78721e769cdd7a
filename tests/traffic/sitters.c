/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Many small processes that sit in accept(), each on a listener of its own on loopback, until
 * standard input ends; then they are killed where they sit.
 *
 * usage: sitters PROCESSES
 *
 * Prints, once all are about to sit down: {"sitters": N}; and when all are dead: {"killed": N}.
 */
#include <arpa/inet.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static void fail(const char *what)
{
	perror(what);
	_exit(1);
}

static void sit(int ready)
{
	struct sockaddr_in address = {
		.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	int listener = socket(AF_INET, SOCK_STREAM, 0);
	char byte = 0;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (listener < 0 || bind(listener, (struct sockaddr *)&address, sizeof(address)) ||
	    listen(listener, 1))
		fail("listen");
	if (write(ready, &byte, 1) != 1)
		fail("ready");
	close(ready);
	accept(listener, NULL, NULL);
	fail("accept");
}

int main(int argc, char **argv)
{
	int processes = argc == 2 ? atoi(argv[1]) : 0, ready[2], killed = 0, status;
	pid_t *sitters;
	char byte;

	if (processes < 1) {
		fprintf(stderr, "usage: sitters PROCESSES\n");
		return 2;
	}
	sitters = calloc(processes, sizeof(*sitters));
	if (!sitters || pipe(ready))
		fail("pipe");
	for (int i = 0; i < processes; i++) {
		sitters[i] = fork();
		if (sitters[i] < 0)
			fail("fork");
		if (!sitters[i])
			sit(ready[1]);
	}
	close(ready[1]);
	for (int i = 0; i < processes; i++)
		if (read(ready[0], &byte, 1) != 1)
			fail("a sitter");
	printf("{\"sitters\": %d}\n", processes);
	fflush(stdout);
	while (read(0, &byte, 1) > 0)
		;
	for (int i = 0; i < processes; i++)
		kill(sitters[i], SIGKILL);
	while (wait(&status) > 0)
		killed += WIFSIGNALED(status);
	printf("{\"killed\": %d}\n", killed);
	return killed != processes;
}
