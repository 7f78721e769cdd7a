/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Many processes that live a few milliseconds and make some connections each.
 *
 * usage: short_lived PORT PROCESSES CONNECTIONS
 *
 * Prints a JSON list: pid, name, and nanoseconds lived of each process. Every process has a name of
 * its own: "brief N".
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static long long now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000LL + now.tv_nsec;
}

static void live(int number, int port, int connections)
{
	struct sockaddr_in address = {
		.sin_family = AF_INET,
		.sin_port = htons(port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	char name[32];

	snprintf(name, sizeof(name), "brief %d", number);
	prctl(PR_SET_NAME, name);
	for (int i = 0; i < connections; i++) {
		int fd = socket(AF_INET, SOCK_STREAM, 0);

		if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)))
			_exit(1);
		close(fd);
	}
	_exit(0);
}

int main(int argc, char **argv)
{
	if (argc != 4) {
		fprintf(stderr, "usage: short_lived PORT PROCESSES CONNECTIONS\n");
		return 2;
	}
	printf("[");
	for (int i = 0; i < atoi(argv[2]); i++) {
		long long born_ns = now_ns();
		int status;
		pid_t child;

		fflush(stdout);
		child = fork();
		if (!child)
			live(i, atoi(argv[1]), atoi(argv[3]));
		if (waitpid(child, &status, 0) != child || status)
			return 1;
		printf("%s[%d, \"brief %d\", %lld]", i ? ", " : "", child, i, now_ns() - born_ns);
	}
	printf("]\n");
	return 0;
}
