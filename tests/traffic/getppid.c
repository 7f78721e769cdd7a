/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What one system call costs: getppid in a loop, the fastest of many rounds. Prints one JSON line.
 *
 *   getppid [ROUNDS [CALLS]]
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static long now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000L + now.tv_nsec;
}

static long round_ns(long calls)
{
	long start_ns = now_ns();

	for (long i = 0; i < calls; i++)
		syscall(SYS_getppid);
	return now_ns() - start_ns;
}

int main(int argc, char **argv)
{
	long rounds = argc > 1 ? atol(argv[1]) : 100, calls = argc > 2 ? atol(argv[2]) : 20000;
	long best_ns = round_ns(calls);

	for (long i = 1; i < rounds; i++) {
		long ns = round_ns(calls);

		if (ns < best_ns)
			best_ns = ns;
	}
	printf("{\"ns_per_call\":%.2f}\n", (double)best_ns / calls);
	return 0;
}
