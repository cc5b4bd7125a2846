/* SPDX-License-Identifier: MIT */
/* app/scratch.c - a process of our own, to try things on */
#include "app/scratch.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "os/child.h"
#include "os/uds.h"

int berth_scratch_start(struct berth_scratch *ret_scratch, void (*body)(int fd, const void *arg),
			const void *arg)
{
	struct berth_scratch scratch = { 0 };
	int ends[2];
	int r;

	r = berth_uds_pair(SOCK_SEQPACKET, ends);
	if (r < 0)
		return r;
	scratch.pid = berth_child_fork(&scratch.pidfd);
	if (scratch.pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
		close(ends[0]);
		body(ends[1], arg);
		_exit(0);
	}
	close(ends[1]);
	if (scratch.pid < 0) {
		close(ends[0]);
		return scratch.pid;
	}
	scratch.fd = ends[0];
	*ret_scratch = scratch;
	return 0;
}

void berth_scratch_end(struct berth_scratch *scratch)
{
	siginfo_t info;

	if (!scratch->pid)
		return;
	(void)!berth_child_signal(scratch->pidfd, SIGKILL); /* ESRCH: it has ended by itself */
	waitid(P_PIDFD, (id_t)scratch->pidfd, &info, WEXITED);
	close(scratch->pidfd);
	close(scratch->fd);
	scratch->pid = 0;
}

int berth_scratch_hear(int fd, void *message, size_t size, int *ret_fd)
{
	struct pollfd poll_fd = { .fd = fd, .events = POLLIN };
	ssize_t n;

	if (poll(&poll_fd, 1, BERTH_SCRATCH_DEADLINE_MS) <= 0)
		return -ETIMEDOUT;
	n = berth_uds_recv(fd, message, size, ret_fd);
	if (n < 0)
		return (int)n;
	return (size_t)n == size ? 0 : -ECHILD;
}

void berth_scratch_say(int fd, const void *message, size_t size, int passed_fd)
{
	/* Whoever should hear it waits no longer than the deadline. */
	(void)!berth_uds_send(fd, message, size, passed_fd);
}

const char *berth_scratch_error(int r)
{
	/* Nobody answered: no connection is meant. */
	return r == -ETIMEDOUT ? "nothing came of it within a second" : strerror(-r);
}
