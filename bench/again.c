/* SPDX-License-Identifier: MIT */
/* bench/again.c - ends at once, and writes down when it began and ended, to be started again */
/*
 * usage: again FILE COUNT
 *
 * Appends two numbers of 8 bytes to FILE, CLOCK_MONOTONIC in nanoseconds: as the first thing in
 * main(), and as the last before it ends. In its COUNT-th life it stays.
 */
#include <err.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static int64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000L + ts.tv_nsec;
}

static void note(int fd, int64_t ns)
{
	if (write(fd, &ns, sizeof(ns)) != sizeof(ns))
		err(1, "cannot write");
}

int main(int argc, char **argv)
{
	int64_t began = now_ns();
	long count = argc == 3 ? strtol(argv[2], NULL, 10) : 0;
	struct stat st;
	int fd;

	if (count <= 0)
		errx(2, "usage: again FILE COUNT");
	fd = open(argv[1], O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0 || fstat(fd, &st) < 0)
		err(1, "cannot open '%s'", argv[1]);
	note(fd, began);
	if (st.st_size / (off_t)(2 * sizeof(began)) >= count - 1)
		pause();
	note(fd, now_ns());
	_exit(0);
}
