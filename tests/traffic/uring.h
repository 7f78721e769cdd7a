/* SPDX-License-Identifier: Apache-2.0 */
/* io_uring by its raw system calls, one operation at a time: there need be no liburing. */
#ifndef CONNSCOPE_TRAFFIC_URING_H
#define CONNSCOPE_TRAFFIC_URING_H

#include <errno.h>
#include <linux/io_uring.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#define ENTRIES 4

static struct {
	int fd;
	unsigned *sq_tail, *sq_array, *cq_head, *cq_tail;
	unsigned sq_mask, cq_mask;
	struct io_uring_sqe *sqes;
	struct io_uring_cqe *cqes;
} ring;

static void die(const char *what)
{
	fprintf(stderr, "io_uring: %s: %s\n", what, strerror(errno));
	exit(1);
}

static char *map(size_t size, off_t offset)
{
	char *area = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, ring.fd,
			  offset);

	if (area == MAP_FAILED)
		die("mmap");
	return area;
}

static int enter(unsigned submit, unsigned wait_for)
{
	return syscall(SYS_io_uring_enter, ring.fd, submit, wait_for,
		       wait_for ? IORING_ENTER_GETEVENTS : 0, NULL, 0);
}

static void open_ring(void)
{
	struct io_uring_params is = {};
	char *sq, *cq;

	ring.fd = syscall(SYS_io_uring_setup, ENTRIES, &is);
	if (ring.fd < 0)
		die("io_uring_setup");
	sq = map(is.sq_off.array + is.sq_entries * sizeof(unsigned), IORING_OFF_SQ_RING);
	cq = map(is.cq_off.cqes + is.cq_entries * sizeof(*ring.cqes), IORING_OFF_CQ_RING);
	ring.sqes = (void *)map(is.sq_entries * sizeof(*ring.sqes), IORING_OFF_SQES);
	ring.sq_tail = (void *)(sq + is.sq_off.tail);
	ring.sq_array = (void *)(sq + is.sq_off.array);
	ring.sq_mask = *(unsigned *)(sq + is.sq_off.ring_mask);
	ring.cq_head = (void *)(cq + is.cq_off.head);
	ring.cq_tail = (void *)(cq + is.cq_off.tail);
	ring.cq_mask = *(unsigned *)(cq + is.cq_off.ring_mask);
	ring.cqes = (void *)(cq + is.cq_off.cqes);
}

struct completion {
	int result;
	bool more; /* a second one follows */
};

static struct completion next_completion(void)
{
	unsigned head = *ring.cq_head;
	struct completion completion;
	struct io_uring_cqe *cqe;

	while (head == __atomic_load_n(ring.cq_tail, __ATOMIC_ACQUIRE))
		if (enter(0, 1) < 0 && errno != EINTR)
			die("io_uring_enter");
	cqe = &ring.cqes[head & ring.cq_mask];
	completion.result = cqe->res;
	completion.more = cqe->flags & IORING_CQE_F_MORE;
	__atomic_store_n(ring.cq_head, head + 1, __ATOMIC_RELEASE);
	return completion;
}

static struct completion complete(const struct io_uring_sqe *operation)
{
	unsigned tail = *ring.sq_tail, slot = tail & ring.sq_mask;
	struct completion completion;

	ring.sqes[slot] = *operation;
	ring.sq_array[slot] = slot;
	__atomic_store_n(ring.sq_tail, tail + 1, __ATOMIC_RELEASE);
	if (enter(1, 0) != 1)
		die("io_uring_enter");
	completion = next_completion();
	/* Without a copy: the second one says that the pages are free again. */
	if (completion.more)
		next_completion();
	if (completion.result < 0) {
		errno = -completion.result;
		die("operation");
	}
	return completion;
}

#endif
