/* SPDX-License-Identifier: MIT */
/*
 * os/cradle.c - a small process of which keepers are born
 *
 * clone() copies what the caller has: page tables, and the table of descriptors. A supervisor of a
 * hundred services has a lot of both, and pays twice: each page that it writes afterwards is copied,
 * and the copy that has become a keeper has a thousand descriptors to close. So the first keeper
 * has a cradle made: one copy of the supervisor that gives back its memory, closes all but one
 * socket, and waits for orders. What it clones with CLONE_PARENT is a child of the supervisor as if
 * that had done it, SIGCHLD and PR_SET_PDEATHSIG included, and is small from birth.
 *
 * An order is a message with the descriptors; the rest of the specification, strings and filter, is
 * copied into memory that both sides have at the same address, so that pointers stay true. One
 * order at a time: berth_child_start() returns when the command has called exec(), or has failed,
 * and by then nobody reads that memory any more.
 *
 * It dies with the supervisor. If somebody kills or stops it, the order comes back unfulfilled, is
 * carried out without it, and the next one makes another cradle.
 */
#include "os/cradle.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <sched.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "os/child.h"
#include "os/keeper.h"
#include "os/uds.h"

enum {
	SHARED_SIZE = 1 << 20, /* arguments and environment beyond it are left to a plain clone */
	ALIGN = 16,
	PATIENCE_S = 2, /* one clone() takes less than a millisecond */
	/* What each order has: report, keeper, standard input, output and error. */
	FIXED_FDS = 5,
	FDS_MAX = FIXED_FDS + 1 + BERTH_CHILD_PASS_MAX,
};

struct request {
	const struct berth_child_spec *spec; /* in the shared memory */
	void (*run)(const struct berth_child_spec *spec, int report_fd, int keeper_fd,
		    pid_t parent);
	size_t fd_count;
};

struct reply {
	pid_t pid; /* or -errno; a pidfd comes with it */
};

union fds_control {
	char buf[CMSG_SPACE(FDS_MAX * sizeof(int))];
	struct cmsghdr align;
};

void berth_cradle_init(struct berth_cradle *cradle)
{
	*cradle = (struct berth_cradle){ .pidfd = -1, .fd = -1 };
}

void berth_cradle_deinit(struct berth_cradle *cradle)
{
	if (!cradle)
		return;
	berth_fd_close(&cradle->fd);
	if (cradle->pidfd >= 0) {
		/* Stopped, it would not see the end of file. That it is reaped already is fine. */
		(void)!berth_child_signal(cradle->pidfd, SIGKILL);
		waitpid(cradle->pid, NULL, 0);
	}
	berth_fd_close(&cradle->pidfd);
	if (cradle->shared)
		munmap(cradle->shared, SHARED_SIZE);
	cradle->shared = NULL;
	cradle->pid = 0;
}

/* --- in the cradle --- */

static size_t take_fds(struct msghdr *msg, int *fds)
{
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(msg);

	if (!cmsg || cmsg->cmsg_level != SOL_SOCKET || cmsg->cmsg_type != SCM_RIGHTS)
		return 0;
	memcpy(fds, CMSG_DATA(cmsg), cmsg->cmsg_len - CMSG_LEN(0));
	return (cmsg->cmsg_len - CMSG_LEN(0)) / sizeof(int);
}

static int receive(struct request *ret_request, int *ret_fds)
{
	union fds_control control;
	struct iovec iov = { .iov_base = ret_request, .iov_len = sizeof(*ret_request) };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	ssize_t n = recvmsg(0, &msg, MSG_CMSG_CLOEXEC);

	if (n != sizeof(*ret_request))
		_exit(0); /* nobody wants anything any more */
	/* Our table may be full, for the limit is the supervisor's. */
	return take_fds(&msg, ret_fds) == ret_request->fd_count ? 0 : -EMFILE;
}

BERTH_NORETURN static void begin(const struct request *request, const int *fds, pid_t parent)
{
	struct berth_child_spec spec = *request->spec;
	size_t i = FIXED_FDS;

	spec.stdin_fd = fds[2];
	spec.stdout_fd = fds[3];
	spec.stderr_fd = fds[4];
	if (spec.cgroup_fd >= 0)
		spec.cgroup_fd = fds[i++];
	for (size_t k = 0; k < spec.pass_count; k++)
		spec.pass_fds[k] = fds[i++];
	request->run(&spec, fds[0], fds[1], parent);
	_exit(127);
}

BERTH_NORETURN static void serve(int fd, pid_t parent)
{
	int fds[FDS_MAX];

	berth_keeper_prepare(parent);
	prctl(PR_SET_NAME, "berth: cradle", 0, 0, 0);
	/* What comes later must not lie where the command has its standard descriptors. */
	for (int i = 0; i < 3; i++)
		dup2(fd, i);
	closefrom(3);
	(void)!chdir("/"); /* in nobody's way: a folder that we are in can't be unmounted */
	berth_keeper_shed((uintptr_t)__builtin_frame_address(0));
	for (;;) {
		struct request request;
		struct reply reply;
		int pidfd = -1;
		struct clone_args args = {
			.flags = CLONE_PARENT | CLONE_PIDFD,
			.pidfd = (uint64_t)(uintptr_t)&pidfd,
		};

		memset(fds, -1, sizeof(fds));
		reply.pid = receive(&request, fds);
		if (reply.pid == 0) {
			long pid = syscall(SYS_clone3, &args, sizeof(args));

			if (pid == 0)
				begin(&request, fds, parent);
			reply.pid = pid < 0 ? (pid_t)-errno : (pid_t)pid;
		}
		for (size_t i = 0; i < FDS_MAX; i++)
			berth_fd_close(&fds[i]);
		(void)!berth_uds_send(0, &reply, sizeof(reply), pidfd);
		berth_fd_close(&pidfd);
	}
}

/* --- in the supervisor --- */

static int start(struct berth_cradle *cradle)
{
	const struct timeval patience = { .tv_sec = PATIENCE_S };
	pid_t parent = getpid();
	int ends[2];
	int r;

	berth_cradle_deinit(cradle);
	cradle->shared = mmap(NULL, SHARED_SIZE, PROT_READ | PROT_WRITE,
			      MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (cradle->shared == MAP_FAILED) {
		cradle->shared = NULL;
		return -errno;
	}
	r = berth_uds_pair(SOCK_SEQPACKET, ends);
	if (r < 0)
		return r;
	cradle->fd = ends[0];
	cradle->pid = berth_child_fork(&cradle->pidfd);
	if (cradle->pid == 0)
		serve(ends[1], parent);
	close(ends[1]);
	if (cradle->pid < 0)
		return cradle->pid;
	if (setsockopt(cradle->fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) < 0)
		return -errno;
	return 0;
}

/* NULL: there is no room. */
static void *put(struct berth_cradle *cradle, const void *data, size_t len)
{
	size_t at = cradle->used;

	if (len > SHARED_SIZE - at)
		return NULL;
	cradle->used = (at + len + ALIGN - 1) & ~(size_t)(ALIGN - 1);
	return memcpy(cradle->shared + at, data, len);
}

static const char *const *put_words(struct berth_cradle *cradle, const char *const *words)
{
	const char **copy;
	size_t count = 0;

	while (words[count])
		count++;
	copy = put(cradle, words, (count + 1) * sizeof(*words));
	for (size_t i = 0; copy && i < count; i++) {
		copy[i] = put(cradle, words[i], strlen(words[i]) + 1);
		if (!copy[i])
			return NULL;
	}
	return copy;
}

static const struct berth_notify_program *put_filter(struct berth_cradle *cradle,
						     const struct berth_notify_program *filter)
{
	struct berth_notify_program *copy = put(cradle, filter, sizeof(*filter));

	if (copy)
		copy->insns = put(cradle, filter->insns, filter->len * sizeof(*filter->insns));
	return copy && copy->insns ? copy : NULL;
}

/* The whole specification, in the shared memory. NULL: there is no room. */
static const struct berth_child_spec *put_spec(struct berth_cradle *cradle,
					       const struct berth_child_spec *spec)
{
	struct berth_child_spec *copy;

	cradle->used = 0;
	copy = put(cradle, spec, sizeof(*spec));
	if (!copy)
		return NULL;
	copy->argv = put_words(cradle, spec->argv);
	copy->envp = put_words(cradle, spec->envp);
	copy->cwd = put(cradle, spec->cwd, strlen(spec->cwd) + 1);
	if (spec->filter)
		copy->filter = put_filter(cradle, spec->filter);
	return copy->argv && copy->envp && copy->cwd && (!spec->filter || copy->filter) ? copy
											: NULL;
}

static int or_ours(int fd, int ours)
{
	return fd >= 0 ? fd : ours;
}

static int order(struct berth_cradle *cradle, const struct berth_cradle_order *order,
		 struct request *request)
{
	const struct berth_child_spec *spec = order->spec;
	int fds[FDS_MAX] = {
		order->report_fd,
		order->keeper_fd,
		or_ours(spec->stdin_fd, STDIN_FILENO),
		or_ours(spec->stdout_fd, STDOUT_FILENO),
		or_ours(spec->stderr_fd, STDERR_FILENO),
	};
	union fds_control control = { 0 };
	struct iovec iov = { .iov_base = request, .iov_len = sizeof(*request) };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control };

	request->fd_count = FIXED_FDS;
	if (spec->cgroup_fd >= 0)
		fds[request->fd_count++] = spec->cgroup_fd;
	for (size_t i = 0; i < spec->pass_count; i++)
		fds[request->fd_count++] = spec->pass_fds[i];
	msg.msg_controllen = CMSG_SPACE(request->fd_count * sizeof(int));
	control.align = (struct cmsghdr){
		.cmsg_len = CMSG_LEN(request->fd_count * sizeof(int)),
		.cmsg_level = SOL_SOCKET,
		.cmsg_type = SCM_RIGHTS,
	};
	memcpy(CMSG_DATA(&control.align), fds, request->fd_count * sizeof(int));
	return sendmsg(cradle->fd, &msg, MSG_NOSIGNAL) < 0 ? -errno : 0;
}

static int await(struct berth_cradle *cradle, pid_t *ret_pid, int *ret_pidfd)
{
	struct reply reply;
	int pidfd = -1;
	ssize_t n = berth_uds_recv(cradle->fd, &reply, sizeof(reply), &pidfd);

	if (n == sizeof(reply) && reply.pid > 0 && pidfd >= 0) {
		*ret_pid = reply.pid;
		*ret_pidfd = pidfd;
		return 0;
	}
	berth_fd_close(&pidfd);
	if (n == sizeof(reply) && reply.pid < 0) {
		cradle->useless = reply.pid == -ENOSYS || reply.pid == -EPERM;
		return reply.pid;
	}
	return BERTH_CRADLE_E_LOST;
}

int berth_cradle_make(struct berth_cradle *cradle, const struct berth_cradle_order *what,
		      pid_t *ret_pid, int *ret_pidfd)
{
	struct request request = { .run = what->run };
	int r = 0;

	if (cradle->useless)
		return -ENOSYS;
	/* Its own folder is not ours. */
	if (!what->spec->cwd || what->spec->cwd[0] != '/')
		return -EINVAL;
	if (cradle->fd < 0)
		r = start(cradle);
	if (r == 0) {
		request.spec = put_spec(cradle, what->spec);
		if (!request.spec)
			return -E2BIG;
		r = order(cradle, what, &request);
	}
	if (r == 0)
		r = await(cradle, ret_pid, ret_pidfd);
	/* Whatever it was: the next one is a new one, without an answer that comes late. */
	if (r)
		berth_cradle_deinit(cradle);
	return r;
}
