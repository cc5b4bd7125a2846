/* SPDX-License-Identifier: MIT */
/* bench/calls.c - how long one bind() or connect() takes, as this process sees it */
/*
 * usage: calls bind|again|connect COUNT PORT...
 *
 * The same program runs bare and below berth; only who answers its calls differs.
 *
 *   bind     fresh sockets on each PORT at 127.0.0.1, 127.0.0.2 ..., at most 7, which all stay open
 *   again    fresh sockets on each PORT at 127.0.0.1, one closed before the next one is bound
 *   connect  to a listener on each PORT at 127.0.0.1, a fresh socket each time
 *
 * Begins as late after its start as a server does that has to load itself first. Prints the
 * nanoseconds of each call, a line each.
 */
#include <err.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
	COUNT_MAX = 100000,
	OPEN_MAX_AT_ONCE = 7,
	LOAD_NS = 20 * 1000 * 1000,
};

static long now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000L + ts.tv_nsec;
}

static int new_socket(void)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	/* A reset instead of TIME_WAIT: thousands of those would be measured as well. */
	const struct linger reset = { .l_onoff = 1 };
	const int on = 1;

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset)) < 0)
		err(1, "cannot make a socket");
	return fd;
}

static long time_call(int fd, bool connects, const struct sockaddr_in *addr)
{
	long begin = now_ns(), end;
	int r = connects ? connect(fd, (const struct sockaddr *)addr, sizeof(*addr))
			 : bind(fd, (const struct sockaddr *)addr, sizeof(*addr));

	end = now_ns();
	if (r < 0)
		err(1, "%s", connects ? "connect" : "bind");
	return end - begin;
}

int main(int argc, char **argv)
{
	const struct timespec load = { .tv_nsec = LOAD_NS };
	struct sockaddr_in addr = { .sin_family = AF_INET };
	const char *what = argc > 1 ? argv[1] : "";
	bool connects = !strcmp(what, "connect"), binds = !strcmp(what, "bind");
	long count = argc > 2 ? strtol(argv[2], NULL, 10) : 0;
	size_t done = 0;
	long *times;

	if (argc < 4 || (!connects && !binds && strcmp(what, "again")) || count <= 0 ||
	    count > (binds ? OPEN_MAX_AT_ONCE : COUNT_MAX))
		errx(2, "usage: calls bind|again|connect COUNT PORT...");
	times = calloc((size_t)count * (size_t)(argc - 3), sizeof(*times));
	if (!times)
		err(1, "cannot keep %ld times", count);
	nanosleep(&load, NULL);
	for (char **port = argv + 3; *port; port++) {
		addr.sin_port = htons((uint16_t)strtoul(*port, NULL, 10));
		for (long i = 0; i < count; i++) {
			int fd = new_socket();

			addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK + (binds ? (in_addr_t)i : 0));
			times[done++] = time_call(fd, connects, &addr);
			if (!binds)
				close(fd);
		}
	}
	for (size_t i = 0; i < done; i++)
		printf("%ld\n", times[i]);
	return 0;
}
