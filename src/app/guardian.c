/* SPDX-License-Identifier: MIT */
/*
 * app/guardian.c - the front and the ancestor: what the shell sees, and who clears up if the
 * supervisor can't
 *
 * shell -> guardian -> supervisor -> service. As an ancestor and a subreaper
 * (PR_SET_CHILD_SUBREAPER) the guardian inherits every process of the service when the supervisor
 * is killed, whatever that process has done to its session, environment and descriptors; it ends
 * them until none is left. It holds no port and no name, so that the kernel has freed them by then.
 * What it does hold is a duplicate of the notify descriptor: a call that is trapped at that moment
 * waits, to be killed, and does not fail.
 */
#include "app/guardian.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "app/front.h"
#include "app/note.h"
#include "app/sweep.h"
#include "base/str.h"
#include "os/tree.h"

enum {
	SPARE_MAX = 64
};

struct guardian {
	const struct berth_job *job;
	int report_fd, front_fd, supervisor_fd, notify_fd;
	pid_t supervisor;
	bool foreground;
	bool ended; /* the supervisor has said how */
	char id[BERTH_ID_SIZE];
	pid_t spare[SPARE_MAX + 1]; /* children from before an exec of ours, and what was opened for
				       the service; zero-terminated */
	size_t spare_count;
	struct berth_guardian_end end;
	struct berth_err *err;
};

void berth_guardian_prepare(void)
{
	berth_front_block();
	prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
}

static void spare(struct guardian *guardian, pid_t pid)
{
	if (guardian->spare_count < SPARE_MAX)
		guardian->spare[guardian->spare_count++] = pid;
}

/*
 * `exec berth run` in a script with jobs of its own: they are our children, and none of the
 * service.
 */
static void spare_children(struct guardian *guardian)
{
	struct berth_tree tree;
	siginfo_t info = { 0 };

	/* The supervisor is one; with nobody else, the look at all processes can be spared. */
	if (berth_tree_has_one_child(guardian->supervisor) ||
	    waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) < 0 ||
	    berth_tree_load(getpid(), NULL, &tree) < 0)
		return;
	for (size_t i = 0; i < tree.count; i++)
		if (tree.procs[i].ppid == getpid() && tree.procs[i].id.pid != guardian->supervisor)
			spare(guardian, tree.procs[i].id.pid);
	berth_tree_deinit(&tree);
}

static void tell(struct guardian *guardian, enum berth_note_kind kind, int value, int extra)
{
	const struct berth_note note = { .kind = kind, .value = value, .extra = extra };

	/* Full or gone: its end will show. */
	if (guardian->report_fd >= 0)
		(void)!berth_note_send(guardian->report_fd, &note, NULL, -1);
}

static void on_note(struct guardian *guardian)
{
	struct berth_note note;
	int fd = -1;
	int r;

	r = berth_note_recv(guardian->report_fd, &note, NULL, &fd);
	if (r == -EINTR || r == -EAGAIN)
		return;
	if (r <= 0) {
		berth_fd_close(&guardian->report_fd);
		return;
	}
	switch (note.kind) {
	case BERTH_NOTE_STARTED:
		berth_str_copy(guardian->id, sizeof(guardian->id), note.text);
		break;
	case BERTH_NOTE_WATCH:
		berth_fd_close(&guardian->notify_fd);
		guardian->notify_fd = berth_fd_steal(&fd);
		break;
	case BERTH_NOTE_SPARE:
		spare(guardian, note.value);
		break;
	case BERTH_NOTE_STOPPED:
		if (guardian->foreground)
			berth_front_stop();
		break;
	case BERTH_NOTE_FAILED:
		*guardian->err = note.err;
		guardian->end.exit_code = note.value;
		break;
	case BERTH_NOTE_ENDED:
		guardian->ended = true;
		guardian->end.signal = note.extra;
		if (guardian->err->code == BERTH_ERR_NONE)
			guardian->end.exit_code = note.value;
		break;
	case BERTH_NOTE_READY:
	case BERTH_NOTE_SIGNAL:
	case BERTH_NOTE_HANGUP:
		break;
	}
	berth_fd_close(&fd);
}

static bool has_note(const struct guardian *guardian)
{
	struct pollfd poll_fd = { .fd = guardian->report_fd, .events = POLLIN };

	return guardian->report_fd >= 0 && poll(&poll_fd, 1, 0) == 1;
}

static void on_front(struct guardian *guardian)
{
	struct berth_front_signal signal;

	while (berth_front_next(guardian->front_fd, &signal)) {
		if (signal.signo == SIGCHLD) {
			/*
			 * Orphans come to us only when the supervisor has gone; it is left for the
			 * end.
			 */
			continue;
		}
		if (!guardian->foreground && (signal.signo == SIGHUP || signal.signo == SIGINT))
			continue;
		if (signal.signo == SIGINT && signal.from_terminal)
			guardian->end.interrupted = true;
		if (signal.hangup)
			tell(guardian, BERTH_NOTE_HANGUP, 0, 0);
		else
			tell(guardian, BERTH_NOTE_SIGNAL, signal.signo, signal.from_terminal);
	}
}

/* The supervisor was killed. */
static void clear_up(struct guardian *guardian)
{
	struct berth_registry registry;
	BERTH_AUTO_JSON json_t *record = NULL;

	guardian->end.lost = true;
	guardian->end.exit_code = 125;
	guardian->end.swept = berth_sweep_descendants(guardian->spare);
	if (!guardian->id[0] || berth_registry_open(&registry, NULL) < 0)
		return;
	record = berth_registry_read(&registry, guardian->id);
	if (record)
		berth_sweep_record(&registry, record);
	berth_registry_close(&registry);
}

void berth_guardian_run(const struct berth_job *job, int report_fd, pid_t pid, int pidfd,
			bool foreground, struct berth_guardian_end *ret_end, struct berth_err *err)
{
	struct guardian guardian = {
		.job = job,
		.report_fd = report_fd,
		.supervisor_fd = pidfd,
		.supervisor = pid,
		.notify_fd = -1,
		.front_fd = berth_front_open(),
		.foreground = foreground,
		.err = err,
	};
	struct pollfd fds[3];

	spare_children(&guardian);
	for (;;) {
		fds[0] = (struct pollfd){ .fd = guardian.report_fd, .events = POLLIN };
		fds[1] = (struct pollfd){ .fd = guardian.front_fd, .events = POLLIN };
		fds[2] = (struct pollfd){ .fd = guardian.supervisor_fd, .events = POLLIN };
		if (poll(fds, BERTH_ARRAY_SIZE(fds), -1) < 0)
			continue;
		if (fds[1].revents)
			on_front(&guardian);
		if (fds[0].revents)
			on_note(&guardian);
		if (fds[2].revents)
			break;
	}
	/* Its last words: they may have come after the look at the socket, before that at the process. */
	while (has_note(&guardian))
		on_note(&guardian);
	if (!guardian.ended)
		clear_up(&guardian);
	waitpid(guardian.supervisor, NULL, 0);
	berth_fd_close(&guardian.supervisor_fd);
	berth_fd_close(&guardian.report_fd);
	berth_fd_close(&guardian.front_fd);
	berth_fd_close(&guardian.notify_fd);
	*ret_end = guardian.end;
}
