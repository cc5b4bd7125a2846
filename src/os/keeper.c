/* SPDX-License-Identifier: MIT */
/*
 * os/keeper.c - a small process above a tree that lives beside others
 *
 * An orphan becomes the child of its nearest ancestor that is a subreaper (PR_SET_CHILD_SUBREAPER).
 * A supervisor with one tree is that itself. With several it could not tell whose orphan it has
 * got, so each hangs below a keeper, and "all below the keeper" is the tree.
 *
 * It is a copy of the supervisor that never calls exec(): cheap to start, and to have, because what
 * it does not touch is shared. But a page that the supervisor writes later is no longer shared, and
 * the old one would be the keeper's alone: so it gives back heap and stack at once.
 *
 * It only waits. All signals are blocked, so that waitid() is not interrupted, and its end of file
 * is of no interest: without a supervisor it dies by PR_SET_PDEATHSIG, and without children it has
 * nothing to do. A change is told before it is reaped: killed in between, it leaves the zombie to
 * the supervisor, and no end is lost.
 */
#include "os/keeper.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "os/uds.h"

struct change {
	pid_t pid;
	int code, status; /* as in siginfo_t */
};

/* What lies below the stack pointer is from calls that have returned: none went deeper. */
#define STACK_BELOW ((uintptr_t)1 << 20)
/*
 * One that was small has only its first steps below. A larger piece would go beyond the mapping, and
 * errno, which tells so, has a page of its own in each keeper.
 */
#define STACK_OF_CLONE ((uintptr_t)1 << 15)
/* No program of ours has more above it. */
#define STACK_ABOVE ((uintptr_t)8 << 20)

void berth_keeper_prepare(pid_t parent)
{
	struct sigaction action = { .sa_handler = SIG_DFL };
	sigset_t all;

	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	/* Ignored, children would be reaped by the kernel, and nobody would know how they ended. */
	sigaction(SIGCHLD, &action, NULL);
	prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	if (getppid() != parent) /* it died before that took effect */
		_exit(127);
	prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
	prctl(PR_SET_NAME, "berth: keeper", 0, 0, 0);
}

/* Field @number of proc_pid_stat(5); 0: not told. Nothing here may allocate. */
static uintptr_t own_stat(const char *text, int number)
{
	const char *field = strrchr(text, ')');
	uintptr_t value = 0;

	for (int i = 2; field && i < number; i++) {
		field = strchr(field, ' ');
		field += field ? 1 : 0;
	}
	for (; field && *field >= '0' && *field <= '9'; field++)
		value = value * 10 + (uintptr_t)(*field - '0');
	return value;
}

static uintptr_t round_down(uintptr_t address)
{
	return address & ~((uintptr_t)sysconf(_SC_PAGESIZE) - 1);
}

static void drop(uintptr_t from, uintptr_t to)
{
	if (from < to)
		madvise((void *)from, to - from, MADV_DONTNEED);
}

static void drop_below(uintptr_t frame, uintptr_t size)
{
	drop(round_down(frame) - size, round_down(frame) - (uintptr_t)sysconf(_SC_PAGESIZE));
}

/* What lies above the first frame of all is the arguments, and ps shows them. */
void berth_keeper_shed(uintptr_t frame)
{
	uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE), heap, stack;
	int fd = open("/proc/self/stat", O_RDONLY | O_CLOEXEC);
	char text[1024];
	ssize_t n = fd >= 0 ? read(fd, text, sizeof(text) - 1) : -1;

	if (fd >= 0)
		close(fd);
	if (n <= 0)
		return;
	text[n] = '\0';
	stack = round_down(own_stat(text, 28));
	heap = own_stat(text, 47);
	if (heap)
		drop(round_down(heap + page - 1), round_down((uintptr_t)sbrk(0)));
	if (stack > frame && stack - frame < STACK_ABOVE) {
		drop(round_down(frame) + 2 * page, stack);
		drop_below(frame, STACK_BELOW);
	}
}

static void tell(int fd, const siginfo_t *info)
{
	const struct change change = { info->si_pid, info->si_code, info->si_status };

	/* Nobody listens any more: then nobody wants to know. */
	(void)!berth_uds_send(fd, &change, sizeof(change), -1);
}

void berth_keeper_run(int fd, pid_t command, bool shed)
{
	/*
	 * closefrom() finds its way without close_range(2) too: a port that we kept open would
	 * never be free.
	 */
	dup2(fd, 0);
	closefrom(1);
	if (shed)
		berth_keeper_shed((uintptr_t)__builtin_frame_address(0));
	else
		drop_below((uintptr_t)__builtin_frame_address(0), STACK_OF_CLONE);
	for (;;) {
		siginfo_t info = { 0 };
		bool stopped;

		if (waitid(P_ALL, 0, &info, WEXITED | WSTOPPED | WNOWAIT) < 0)
			_exit(0);
		stopped = info.si_code == CLD_STOPPED || info.si_code == CLD_TRAPPED;
		if (info.si_pid == command) {
			tell(0, &info);
			if (!stopped)
				command = 0; /* the number may come again */
		}
		/* Continued or killed meanwhile, it is not stopped any more. */
		waitid(P_PID, (id_t)info.si_pid, &info, (stopped ? WSTOPPED : WEXITED) | WNOHANG);
	}
}

int berth_keeper_recv(int fd, siginfo_t *ret_info)
{
	struct change change;
	ssize_t n = berth_uds_recv(fd, &change, sizeof(change), NULL);

	if (n <= 0)
		return n == -ECONNRESET ? 0 : (int)n;
	if (n != sizeof(change))
		return -EPROTO;
	*ret_info = (siginfo_t){ .si_signo = SIGCHLD, .si_code = change.code };
	ret_info->si_pid = change.pid;
	ret_info->si_status = change.status;
	return 1;
}
