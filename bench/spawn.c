/* SPDX-License-Identifier: MIT */
/* bench/spawn.c - how long two commands take from start to end, run by turns */
/*
 * usage: spawn COUNT COMMAND [ARG...] --and COMMAND [ARG...]
 *
 * Started by posix_spawn(), which for this purpose is vfork(): what the measuring program itself
 * has in memory costs nothing. Standard output of the commands goes to /dev/null. Prints a line a
 * turn: the nanoseconds of the first, those of the second.
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
	WARM_UP = 5,
	COUNT_MAX = 100000
};

static long now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000L + ts.tv_nsec;
}

static long time_command(char **argv, const posix_spawn_file_actions_t *actions)
{
	long begin = now_ns(), end;
	int status;
	pid_t pid;
	int r = posix_spawnp(&pid, argv[0], actions, NULL, argv, environ);

	if (r) {
		errno = r;
		err(1, "cannot run '%s'", argv[0]);
	}
	if (waitpid(pid, &status, 0) < 0)
		err(1, "cannot wait for '%s'", argv[0]);
	end = now_ns();
	if (status)
		errx(1, "'%s' failed (status %d)", argv[0], status);
	return end - begin;
}

int main(int argc, char **argv)
{
	long count = argc > 1 ? strtol(argv[1], NULL, 10) : 0;
	posix_spawn_file_actions_t actions;
	int split = 2;

	while (split < argc && strcmp(argv[split], "--and"))
		split++;
	if (count <= 0 || count > COUNT_MAX || split == 2 || split + 1 >= argc)
		errx(2, "usage: spawn COUNT COMMAND [ARG...] --and COMMAND [ARG...]");
	argv[split] = NULL;
	if (posix_spawn_file_actions_init(&actions) ||
	    posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0))
		errx(1, "cannot prepare a start");
	for (long i = -WARM_UP; i < count; i++) {
		long first = time_command(argv + 2, &actions);
		long second = time_command(argv + split + 1, &actions);

		if (i >= 0)
			printf("%ld %ld\n", first, second);
	}
	return 0;
}
