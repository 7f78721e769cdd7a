/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Moves bytes over a connected socket with sendmmsg or recvmmsg, many messages of uneven sizes in
 * each call. Prints one JSON line.
 *
 *   messages send|recv FD BYTES
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

#define MESSAGES 8
#define CHUNK	 8192

static char buffers[MESSAGES][CHUNK];

static void die(const char *what)
{
	fprintf(stderr, "messages: %s: %s\n", what, strerror(errno));
	exit(1);
}

/* Lays out messages of at most so many bytes together; returns how many messages. */
static unsigned lay_out(struct mmsghdr messages[MESSAGES], struct iovec pieces[MESSAGES],
			long bytes)
{
	unsigned count = 0;

	for (; count < MESSAGES && bytes > 0; count++) {
		long size = CHUNK - 977 * count;

		if (size > bytes)
			size = bytes;
		pieces[count] = (struct iovec){.iov_base = buffers[count], .iov_len = size};
		messages[count] = (struct mmsghdr){
			.msg_hdr = {.msg_iov = &pieces[count], .msg_iovlen = 1},
		};
		bytes -= size;
	}
	return count;
}

/* One call; returns how many bytes it moved. */
static long move(int sending, int fd, long bytes)
{
	struct mmsghdr messages[MESSAGES];
	struct iovec pieces[MESSAGES];
	unsigned count = lay_out(messages, pieces, bytes);
	long done = 0;
	int moved;

	if (sending)
		moved = sendmmsg(fd, messages, count, MSG_NOSIGNAL);
	else
		moved = recvmmsg(fd, messages, count, MSG_WAITFORONE, NULL);
	if (moved < 0)
		die(sending ? "sendmmsg" : "recvmmsg");
	for (int i = 0; i < moved; i++)
		done += messages[i].msg_len;
	return done;
}

int main(int argc, char **argv)
{
	long bytes, done = 0, now;

	if (argc != 4) {
		fprintf(stderr, "usage: messages send|recv FD BYTES\n");
		return 2;
	}
	bytes = atol(argv[3]);
	while (done < bytes) {
		now = move(!strcmp(argv[1], "send"), atoi(argv[2]), bytes - done);
		if (!now)
			break;
		done += now;
	}
	printf("{\"bytes\":%ld}\n", done);
	return 0;
}
