/* SPDX-License-Identifier: MIT */
/* app/start.c - from a job to a running service: the processes of one start */
#include "app/start.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>

#include "app/note.h"
#include "app/supervisor.h"
#include "base/time.h"
#include "os/child.h"

enum {
	OURS_MAX = 2,
};

/*
 * Close what was open when berth was started, but for @ours (-1: none), which are moved. What goes
 * on in the background would hold the lock of a script, and whoever waits for the end of a pipe would
 * wait for that of the service. The first service of a stack would have what the others, which are
 * not our children, can't have. What a command has in the foreground is as after exec(3).
 */
static void close_inherited(int *const *ours, size_t count)
{
	int moved[OURS_MAX];
	int next = 3;

	for (size_t i = 0; i < count; i++) {
		moved[i] = *ours[i] < 0 ? -1 : fcntl(*ours[i], F_DUPFD_CLOEXEC, 3 + OURS_MAX);
		if (*ours[i] >= 0 && moved[i] < 0)
			return;
	}
	for (size_t i = 0; i < count; i++)
		if (moved[i] >= 0 && dup3(moved[i], next, O_CLOEXEC) == next)
			*ours[i] = next++;
	closefrom(next);
}

/* The supervisor, below this process. @starter_fd goes to it (-1: none). */
static pid_t fork_supervisor(struct berth_job *job, int starter_fd, int *ret_report_fd,
			     int *ret_pidfd)
{
	int ends[2];
	pid_t pid;
	int r;

	r = berth_uds_pair(SOCK_SEQPACKET, ends);
	if (r < 0)
		return r;
	berth_guardian_prepare();
	pid = berth_child_fork(ret_pidfd);
	if (pid == 0) {
		close(ends[0]);
		if (job->stack && !job->detach)
			close_inherited((int *[]){ &ends[1] }, 1);
		_exit(berth_supervisor_run(job, ends[1], starter_fd));
	}
	close(ends[1]);
	if (pid < 0)
		close(ends[0]);
	else
		*ret_report_fd = ends[0];
	return pid;
}

int berth_start_foreground(struct berth_job *job, struct berth_guardian_end *ret_end,
			   struct berth_err *err)
{
	int report_fd, pidfd;
	pid_t pid;

	*ret_end = (struct berth_guardian_end){ .exit_code = 125 };
	/* Whatever stdio holds would be written twice. */
	fflush(NULL);
	pid = fork_supervisor(job, -1, &report_fd, &pidfd);
	if (pid < 0)
		return berth_err_errno(err, pid, "cannot start a supervisor");
	berth_guardian_run(job, report_fd, pid, pidfd, true, ret_end, err);
	return err->code == BERTH_ERR_NONE ? 0 : -EIO;
}

static void leave_terminal(void)
{
	int fd = open("/dev/null", O_RDWR | O_CLOEXEC);

	setsid();
	if (fd >= 0) {
		dup2(fd, 0);
		dup2(fd, 1);
		dup2(fd, 2);
		if (fd > 2)
			close(fd);
	}
	/* No folder, and no mount, is kept busy by us. */
	(void)!chdir("/");
}

BERTH_NORETURN static void be_guardian(struct berth_job *job, int starter_fd)
{
	struct berth_guardian_end end = { 0 };
	struct berth_err err = { 0 };
	int report_fd, pidfd;
	pid_t pid;

	leave_terminal();
	close_inherited((int *[]){ &starter_fd, &job->status_fd }, 2);
	pid = fork_supervisor(job, starter_fd, &report_fd, &pidfd);
	close(starter_fd);
	if (pid < 0)
		_exit(125);
	berth_guardian_run(job, report_fd, pid, pidfd, false, &end, &err);
	_exit(end.exit_code);
}

static int await_note(int fd, int64_t wait_ms, struct berth_note *ret_note, json_t **ret_document)
{
	int64_t deadline = berth_time_mono_ns() + wait_ms * BERTH_NS_PER_MS;

	for (;;) {
		int64_t left = (deadline - berth_time_mono_ns()) / BERTH_NS_PER_MS;
		struct pollfd poll_fd = { .fd = fd, .events = POLLIN };
		int r = poll(&poll_fd, 1, left > 0 ? (int)(left < 86400000 ? left : 86400000) : 0);

		if (r > 0)
			return berth_note_recv(fd, ret_note, ret_document, NULL);
		if (r < 0 && errno != EINTR)
			return -errno;
		if (r == 0 && left <= 0)
			return -ETIMEDOUT;
	}
}

int berth_start_detached(struct berth_job *job, json_t **ret_document, int *ret_exit,
			 struct berth_err *err)
{
	struct berth_note note;
	BERTH_AUTO_FD int pidfd = -1;
	int ends[2];
	pid_t pid;
	int r;

	*ret_document = NULL;
	*ret_exit = 1;
	fflush(NULL);
	r = berth_uds_pair(SOCK_SEQPACKET, ends);
	if (r < 0)
		return berth_err_errno(err, r, "cannot start a guardian");
	pid = berth_child_fork(&pidfd);
	if (pid == 0) {
		close(ends[0]);
		be_guardian(job, ends[1]);
	}
	close(ends[1]);
	r = pid < 0 ? pid : await_note(ends[0], job->wait_ms, &note, ret_document);
	close(ends[0]);
	if (r == -ETIMEDOUT) {
		berth_err_set(err, r, BERTH_ERR_TIMEOUT,
			      "%s is not ready after %g s; it goes on in the background",
			      job->identity.service, (double)job->wait_ms / 1000);
		berth_err_hint(err, "see berth status %s, or wait longer: --wait=SECONDS",
			       job->identity.service);
		*ret_exit = 124;
		return r;
	}
	if (r <= 0)
		return berth_err_set(err, -EIO, BERTH_ERR_START_FAILED,
				     "the supervisor of '%s' ended at its start",
				     job->identity.service);
	if (note.kind != BERTH_NOTE_FAILED)
		return 0;
	*err = note.err;
	*ret_exit = note.value;
	return -EIO;
}
