/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Known TCP traffic on loopback, as fast as it goes: pairs of a server and a client process. A
 * client connects, sends, receives, closes; the server accepts, receives, sends, waits for the end,
 * closes. At the end one JSON line says how much it was.
 *
 *   churn [-6] [-l] [-n CONNECTIONS] [-t MILLISECONDS] [-w PAIRS] [-s BYTES] [-r BYTES]
 *         [-u MICROSECONDS]
 *
 *   -6  IPv6 (default IPv4)             -l  clients close with SO_LINGER 0: a reset
 *   -n  connections of each pair        -t  stop after so long; whichever of the two is first
 *   -w  pairs, default 1                -s  a client sends so much, default 64
 *   -r  a server sends so much, default 128      -u  a client rests so long after each connection
 *
 * Clients take turns with many source addresses (127.0.0.1 to .64), so that TIME_WAIT never uses up
 * the ports of one; IPv6 has one loopback address only and relies on net.ipv4.tcp_tw_reuse.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PAIRS_MAX	 64
#define SOURCE_ADDRESSES 64
#define BACKLOG		 1024
#define CHUNK		 65536

static struct {
	bool v6, linger;
	long connections, milliseconds, pairs, sent, received, rest_us;
} wish = {.pairs = 1, .sent = 64, .received = 128};

/* What one pair did; each side writes its own cache line. */
struct tally {
	struct {
		unsigned long connections, sent, received;
	} client __attribute__((aligned(64))), server __attribute__((aligned(64)));
};

static struct tally *tallies;
static char payload[CHUNK];

static void die(const char *what)
{
	fprintf(stderr, "churn: %s: %s\n", what, strerror(errno));
	exit(1);
}

static long now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000L + now.tv_nsec;
}

static socklen_t loopback(struct sockaddr_storage *address, in_port_t port, int host)
{
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)address;
	struct sockaddr_in *v4 = (struct sockaddr_in *)address;

	memset(address, 0, sizeof(*address));
	if (wish.v6) {
		v6->sin6_family = AF_INET6;
		v6->sin6_port = port;
		v6->sin6_addr = in6addr_loopback;
		return sizeof(*v6);
	}
	v4->sin_family = AF_INET;
	v4->sin_port = port;
	v4->sin_addr.s_addr = htonl(INADDR_LOOPBACK + host);
	return sizeof(*v4);
}

static int open_socket(void)
{
	int fd = socket(wish.v6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, IPPROTO_TCP);

	if (fd < 0)
		die("socket");
	return fd;
}

static int open_listener(struct sockaddr_storage *address, socklen_t *length)
{
	int fd = open_socket();

	*length = loopback(address, 0, 0);
	if (bind(fd, (struct sockaddr *)address, *length) || listen(fd, BACKLOG) ||
	    getsockname(fd, (struct sockaddr *)address, length))
		die("listen");
	return fd;
}

/* Returns how much really went. */
static long send_all(int fd, long bytes)
{
	long done = 0, now;

	while (done < bytes) {
		now = send(fd, payload, bytes - done < CHUNK ? bytes - done : CHUNK, MSG_NOSIGNAL);
		if (now <= 0)
			break;
		done += now;
	}
	return done;
}

/* Takes so many bytes, or what comes until the end if that is sooner. */
static long receive_all(int fd, long bytes)
{
	char room[CHUNK];
	long done = 0, now;

	while (done < bytes) {
		now = recv(fd, room, bytes - done < CHUNK ? bytes - done : CHUNK, 0);
		if (now <= 0)
			break;
		done += now;
	}
	return done;
}

static void serve_one(int fd, struct tally *tally)
{
	tally->server.received += receive_all(fd, wish.sent);
	tally->server.sent += send_all(fd, wish.received);
	receive_all(fd, 1);
	close(fd);
	__atomic_store_n(&tally->server.connections, tally->server.connections + 1,
			 __ATOMIC_RELEASE);
}

static void serve(int listener, struct tally *tally)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (;;) {
		int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);

		if (fd >= 0)
			serve_one(fd, tally);
		else if (errno == EINVAL)
			exit(0); /* the listener was shut down */
		else if (errno != ECONNABORTED && errno != EINTR)
			die("accept");
	}
}

static int connect_once(const struct sockaddr_storage *peer, socklen_t length, int host)
{
	struct sockaddr_storage local;
	int fd = open_socket(), yes = 1;

	if (!wish.v6) {
		loopback(&local, 0, host);
		setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &yes, sizeof(yes));
		if (bind(fd, (struct sockaddr *)&local, length))
			die("bind");
	}
	if (connect(fd, (const struct sockaddr *)peer, length))
		die("connect");
	return fd;
}

static void request(const struct sockaddr_storage *peer, socklen_t length, long deadline_ns,
		    struct tally *tally)
{
	struct linger reset = {.l_onoff = 1};
	unsigned long done = 0;
	int fd;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	while ((!wish.connections || done < (unsigned long)wish.connections) &&
	       (!deadline_ns || now_ns() < deadline_ns)) {
		fd = connect_once(peer, length, done % SOURCE_ADDRESSES);
		tally->client.sent += send_all(fd, wish.sent);
		tally->client.received += receive_all(fd, wish.received);
		if (wish.linger)
			setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
		close(fd);
		tally->client.connections = ++done;
		if (wish.rest_us)
			usleep(wish.rest_us);
	}
	exit(0);
}

static void wait_for(pid_t child)
{
	int status;

	if (waitpid(child, &status, 0) != child || status)
		exit(1);
}

/* The server has the last connections still in its queue when the client is done. */
static void wait_for_server(struct tally *tally)
{
	while (__atomic_load_n(&tally->server.connections, __ATOMIC_ACQUIRE) <
	       tally->client.connections)
		usleep(200);
}

static void run(void)
{
	pid_t clients[PAIRS_MAX], servers[PAIRS_MAX];
	struct sockaddr_storage addresses[PAIRS_MAX];
	int listeners[PAIRS_MAX];
	socklen_t length = 0;
	long start_ns, deadline_ns = 0;

	for (long i = 0; i < wish.pairs; i++) {
		listeners[i] = open_listener(&addresses[i], &length);
		servers[i] = fork();
		if (!servers[i])
			serve(listeners[i], &tallies[i]);
	}
	start_ns = now_ns();
	if (wish.milliseconds)
		deadline_ns = start_ns + wish.milliseconds * 1000000L;
	for (long i = 0; i < wish.pairs; i++) {
		clients[i] = fork();
		if (!clients[i])
			request(&addresses[i], length, deadline_ns, &tallies[i]);
	}
	for (long i = 0; i < wish.pairs; i++) {
		wait_for(clients[i]);
		wait_for_server(&tallies[i]);
	}
	start_ns = now_ns() - start_ns;
	for (long i = 0; i < wish.pairs; i++) {
		shutdown(listeners[i], SHUT_RDWR);
		wait_for(servers[i]);
	}
	printf("{\"elapsed_ns\":%ld,", start_ns);
}

static void print_tallies(void)
{
	struct tally sum = {};

	for (long i = 0; i < wish.pairs; i++) {
		sum.client.connections += tallies[i].client.connections;
		sum.client.sent += tallies[i].client.sent;
		sum.client.received += tallies[i].client.received;
		sum.server.sent += tallies[i].server.sent;
		sum.server.received += tallies[i].server.received;
	}
	printf("\"connections\":%lu,\"client_sent\":%lu,\"client_received\":%lu,"
	       "\"server_sent\":%lu,\"server_received\":%lu}\n",
	       sum.client.connections, sum.client.sent, sum.client.received, sum.server.sent,
	       sum.server.received);
}

static void usage(void)
{
	fprintf(stderr, "usage: churn [-6] [-l] [-n CONNECTIONS] [-t MILLISECONDS] [-w PAIRS] "
			"[-s BYTES] [-r BYTES] [-u MICROSECONDS]\ngive -n or -t\n");
	exit(2);
}

static void read_options(int argc, char **argv)
{
	int option;

	while ((option = getopt(argc, argv, "6ln:t:w:s:r:u:")) != -1) {
		switch (option) {
		case '6':
			wish.v6 = true;
			break;
		case 'l':
			wish.linger = true;
			break;
		case 'n':
			wish.connections = atol(optarg);
			break;
		case 't':
			wish.milliseconds = atol(optarg);
			break;
		case 'w':
			wish.pairs = atol(optarg);
			break;
		case 's':
			wish.sent = atol(optarg);
			break;
		case 'r':
			wish.received = atol(optarg);
			break;
		case 'u':
			wish.rest_us = atol(optarg);
			break;
		default:
			usage();
		}
	}
	if (wish.pairs < 1 || wish.pairs > PAIRS_MAX || optind != argc ||
	    (!wish.connections && !wish.milliseconds))
		usage();
}

int main(int argc, char **argv)
{
	read_options(argc, argv);
	tallies = mmap(NULL, sizeof(*tallies) * wish.pairs, PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (tallies == MAP_FAILED)
		die("mmap");
	run();
	print_tallies();
	return 0;
}
