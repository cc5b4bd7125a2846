/* SPDX-License-Identifier: MIT */
/* bench/holds.c - what libberth takes to lease a port: a free one, one behind many taken ones, none */
/*
 * usage: holds take COUNT | behind COUNT TAKEN | full COUNT TAKEN
 *
 *   take     by turns a hold of one free port, made and given back, and what no program can do
 *            without: two sockets, one of each family, bound to it and closed
 *   behind   the first TAKEN numbers of a range are taken, the next one is free
 *   full     all TAKEN numbers of a range are taken: the refusal, with its text
 *
 * Prints the nanoseconds of each turn, a line each; "take" has two numbers in a line, the hold
 * and the bare sockets.
 */
#include <berth/berth.h>

#include <err.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

enum {
	WARM_UP = 10,
	FIRST = 20000,
	COUNT_MAX = 100000,
	TAKEN_MAX = 12000
};

static long now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000L + ts.tv_nsec;
}

static int bind_bare(int family, unsigned int port)
{
	const struct sockaddr_in any4 = { .sin_family = AF_INET,
					  .sin_port = htons((uint16_t)port) };
	const struct sockaddr_in6 any6 = { .sin6_family = AF_INET6,
					   .sin6_port = htons((uint16_t)port) };
	const struct sockaddr *addr = (const struct sockaddr *)&any4;
	socklen_t len = sizeof(any4);
	const int on = 1;
	int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd >= 0 && family == AF_INET6) {
		addr = (const struct sockaddr *)&any6;
		len = sizeof(any6);
		if (setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on)) < 0)
			err(1, "cannot leave IPv4 alone");
	}
	if (fd < 0 || bind(fd, addr, len) < 0)
		err(1, "cannot bind port %u", port);
	return fd;
}

static long time_bare(unsigned int port)
{
	long begin = now_ns();
	int fd4 = bind_bare(AF_INET, port);
	int fd6 = bind_bare(AF_INET6, port);

	close(fd4);
	close(fd6);
	return now_ns() - begin;
}

/* @expected: the number that is to be had; 0: none is. */
static long time_hold(const struct berth_hold_spec *spec, unsigned int expected)
{
	struct berth_hold *hold = NULL;
	struct berth_error error = { 0 };
	long begin = now_ns();
	int r = berth_hold_new(spec, &hold, &error);
	long end;

	if (expected && r < 0)
		errx(1, "%s", error.message);
	if (expected && berth_hold_port(hold, NULL) != expected)
		errx(1, "got %u, not %u", berth_hold_port(hold, NULL), expected);
	if (!expected && (r >= 0 || error.code != BERTH_E_NO_PORT))
		errx(1, "a full range was not refused");
	berth_hold_free(hold);
	end = now_ns();
	return end - begin;
}

static void raise_limit(rlim_t files)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		err(1, "cannot tell the limit of open files");
	if (limit.rlim_cur >= files)
		return;
	limit.rlim_cur = files;
	if (limit.rlim_max < files)
		limit.rlim_max = files;
	if (setrlimit(RLIMIT_NOFILE, &limit) < 0)
		err(1, "cannot have %lu open files", (unsigned long)files);
}

/* As servers take them: listening, on every address, with SO_REUSEADDR. */
static void take_numbers(unsigned int count)
{
	const int on = 1;

	raise_limit(count + 100);
	for (unsigned int i = 0; i < count; i++) {
		const struct sockaddr_in any = { .sin_family = AF_INET,
						 .sin_port = htons((uint16_t)(FIRST + i)) };
		int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

		if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0 ||
		    bind(fd, (const struct sockaddr *)&any, sizeof(any)) < 0 || listen(fd, 1) < 0)
			err(1, "cannot take port %u", FIRST + i);
	}
}

static void measure_take(long count)
{
	const struct berth_hold_spec spec = { .port = FIRST };

	for (long i = -WARM_UP; i < count; i++) {
		long hold = time_hold(&spec, FIRST);
		long bare = time_bare(FIRST);

		if (i >= 0)
			printf("%ld %ld\n", hold, bare);
	}
}

static void measure_range(long count, unsigned int taken, bool has_free)
{
	const struct berth_hold_spec spec = {
		.port = FIRST,
		.range_low = FIRST,
		.range_high = (uint16_t)(FIRST + taken - !has_free),
	};

	take_numbers(taken);
	for (long i = -WARM_UP; i < count; i++) {
		long ns = time_hold(&spec, has_free ? FIRST + taken : 0);

		if (i >= 0)
			printf("%ld\n", ns);
	}
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";
	long count = argc > 2 ? strtol(argv[2], NULL, 10) : 0;
	long taken = argc > 3 ? strtol(argv[3], NULL, 10) : 0;
	bool takes = !strcmp(what, "take"), full = !strcmp(what, "full");

	if (count <= 0 || count > COUNT_MAX || (!takes && !full && strcmp(what, "behind")) ||
	    (takes ? argc != 3 : argc != 4 || taken <= 0 || taken > TAKEN_MAX))
		errx(2, "usage: holds take COUNT | behind COUNT TAKEN | full COUNT TAKEN");
	if (takes)
		measure_take(count);
	else
		measure_range(count, (unsigned int)taken, !full);
	return 0;
}
