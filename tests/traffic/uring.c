/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Moves bytes over a connected socket with io_uring, one operation at a time, by the raw system
 * calls. Prints one JSON line.
 *
 *   uring probe                     exit 0 if io_uring may be used here; else says why not
 *   uring send|send_zc|recv FD BYTES
 */
#define _GNU_SOURCE
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
#define CHUNK	(1 << 16)

static struct {
	int fd;
	unsigned *sq_tail, *sq_array, *cq_head, *cq_tail;
	unsigned sq_mask, cq_mask;
	struct io_uring_sqe *sqes;
	struct io_uring_cqe *cqes;
} ring;

static char buffer[CHUNK];

static void die(const char *what)
{
	fprintf(stderr, "uring: %s: %s\n", what, strerror(errno));
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

/* One operation; returns how many bytes it moved. */
static long move(int operation, int fd, long bytes)
{
	unsigned tail = *ring.sq_tail, slot = tail & ring.sq_mask;
	struct completion completion;

	ring.sqes[slot] = (struct io_uring_sqe){
		.opcode = operation,
		.fd = fd,
		.addr = (unsigned long)buffer,
		.len = bytes < CHUNK ? bytes : CHUNK,
		.msg_flags = MSG_NOSIGNAL,
	};
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
	return completion.result;
}

static int operation_of(const char *name)
{
	if (!strcmp(name, "send"))
		return IORING_OP_SEND;
	if (!strcmp(name, "send_zc"))
		return IORING_OP_SEND_ZC;
	return IORING_OP_RECV;
}

int main(int argc, char **argv)
{
	long bytes, done = 0, now;

	if (argc != 4 && !(argc == 2 && !strcmp(argv[1], "probe"))) {
		fprintf(stderr, "usage: uring probe | uring send|send_zc|recv FD BYTES\n");
		return 2;
	}
	open_ring();
	if (argc == 2)
		return 0;
	bytes = atol(argv[3]);
	while (done < bytes) {
		now = move(operation_of(argv[1]), atoi(argv[2]), bytes - done);
		if (!now)
			break;
		done += now;
	}
	printf("{\"bytes\":%ld}\n", done);
	return 0;
}
