/* SPDX-License-Identifier: MIT */
/* bench/chatty.c - writes numbered lines to standard output, and says how long it took */
/*
 * usage: chatty SOCKET MEGABYTES
 *
 * Says its pid to whoever listens on the unix socket SOCKET, and is told to begin by a line from
 * there. The lines are of LINE_LEN bytes and begin with their number; the last has no newline. Then
 * it says "PID LINES NANOSECONDS" and ends once the socket's other end is closed.
 */
#include <err.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "gathering.h"

enum {
	LINE_LEN = 100,
	BUFFER_LEN = 4096, /* as stdio has for a pipe */
	MEGABYTES_MAX = 100000
};

static int64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000L + ts.tv_nsec;
}

int main(int argc, char **argv)
{
	long megabytes = argc == 3 ? strtol(argv[2], NULL, 10) : 0;
	long lines = megabytes * 1000000 / LINE_LEN;
	static char buffer[BUFFER_LEN];
	char rest[LINE_LEN], byte;
	int64_t begin;
	int report;

	if (megabytes <= 0 || megabytes > MEGABYTES_MAX)
		errx(2, "usage: chatty SOCKET MEGABYTES");
	report = gathering_connect(argv[1]);
	dprintf(report, "%d\n", getpid());
	if (read(report, &byte, 1) != 1)
		return 1;

	/* a line is 10 digits, a space, the rest and the newline */
	memset(rest, 'x', sizeof(rest));
	setvbuf(stdout, buffer, _IOFBF, BUFFER_LEN);
	begin = now_ns();
	for (long i = 1; i <= lines; i++) {
		printf("%010ld ", i);
		fwrite(rest, 1, LINE_LEN - 12, stdout);
		if (i < lines)
			putchar('\n');
	}
	if (fflush(stdout))
		err(1, "cannot write");
	dprintf(report, "%d %ld %ld\n", getpid(), lines, now_ns() - begin);
	while (read(report, &byte, 1) > 0)
		;
	return 0;
}
