/* SPDX-License-Identifier: MIT */
/*
 * app/doctor-tree.c - can we find and end all that a program starts?
 *
 * Tried on a daemon that leaves its parent and its session. It is not our child, so it ends when
 * the socket to its ancestor does, should that be killed before it could end it.
 */
#include "app/doctor.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "app/scratch.h"
#include "app/sweep.h"
#include "os/cgroup.h"
#include "os/child.h"
#include "os/uds.h"

enum {
	REMOVE_ROUNDS = 100,
};

struct daemon_report {
	pid_t pid;
};

struct ancestor_report {
	bool adopted; /* the daemon became our child when its parent had gone */
	bool hup_early, hup; /* the notify descriptor: while it lived, and after its end */
	bool filtered;
	int ended; /* how many were found and killed */
};

/* Leaves session and parent behind, as daemons do. */
static void be_daemon(int fd, const struct berth_notify_program *filter)
{
	struct daemon_report report;
	int notify_fd = -1, pidfd;
	char byte;

	setsid();
	if (filter && berth_notify_install(filter, &notify_fd) < 0)
		notify_fd = -1;
	report.pid = berth_child_fork(&pidfd);
	if (report.pid == 0) {
		/* Killed here; or the ancestor has gone, and with it the other end. */
		(void)!read(fd, &byte, sizeof(byte));
		_exit(0);
	}
	berth_scratch_say(fd, &report, sizeof(report), notify_fd);
	_exit(0);
}

static bool hangs_up(int notify_fd, int timeout_ms)
{
	struct pollfd poll_fd = { .fd = notify_fd };

	return notify_fd >= 0 && poll(&poll_fd, 1, timeout_ms) > 0 && (poll_fd.revents & POLLHUP);
}

static void be_ancestor(int fd, const void *arg)
{
	struct ancestor_report report = { 0 };
	struct daemon_report daemon = { 0 };
	struct berth_proc_stat stat;
	int ends[2], notify_fd = -1, pidfd;
	pid_t parent;

	if (prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) < 0 ||
	    berth_uds_pair(SOCK_SEQPACKET, ends) < 0)
		return;
	parent = berth_child_fork(&pidfd);
	if (parent == 0) {
		close(ends[0]);
		be_daemon(ends[1], arg);
	}
	close(ends[1]);
	if (parent < 0 || berth_scratch_hear(ends[0], &daemon, sizeof(daemon), &notify_fd) < 0 ||
	    daemon.pid <= 0)
		return;
	waitpid(parent, NULL, 0);
	report.filtered = notify_fd >= 0;
	report.adopted = berth_procfs_stat(daemon.pid, &stat) == 0 && stat.ppid == getpid();
	report.hup_early = hangs_up(notify_fd, 0);
	report.ended = berth_sweep_descendants(NULL);
	report.hup = report.ended == 1 && hangs_up(notify_fd, BERTH_SCRATCH_DEADLINE_MS);
	berth_scratch_say(fd, &report, sizeof(report), -1);
}

void berth_doctor_containment(const struct berth_doctor_place *place,
			      struct berth_doctor_finding *finding)
{
	struct berth_notify_program filter = { 0 };
	struct ancestor_report report = { 0 };
	struct berth_scratch ancestor = { 0 };
	bool filtered = !place->filter_error;
	int r = 0;

	if (filtered)
		r = berth_notify_program_new(false, &filter);
	if (r == 0)
		r = berth_scratch_start(&ancestor, be_ancestor, filtered ? &filter : NULL);
	if (r == 0)
		r = berth_scratch_hear(ancestor.fd, &report, sizeof(report), NULL);
	berth_scratch_end(&ancestor);
	berth_notify_program_deinit(&filter);

	if (r < 0) {
		berth_doctor_found(finding, BERTH_DOCTOR_MISSING, "cannot follow a daemon: %s",
				   berth_scratch_error(r));
		berth_doctor_cost(
			finding,
			"what a service puts into the background may live on after 'berth stop'");
	} else if (!report.adopted || report.ended != 1) {
		berth_doctor_found(finding, BERTH_DOCTOR_MISSING,
				   "a daemon that left its parent was not %s",
				   report.adopted ? "ended" : "given to its ancestor");
		berth_doctor_cost(
			finding,
			"what a service puts into the background may live on after 'berth stop'");
	} else if (report.filtered && (report.hup_early || !report.hup)) {
		berth_doctor_found(finding, BERTH_DOCTOR_DEGRADED,
				   "the end of the last process of a program is told %s",
				   report.hup_early ? "too early" : "by nobody");
		berth_doctor_cost(
			finding,
			"'berth stop' may return before the last process of a service has ended");
	} else {
		berth_doctor_found(
			finding, BERTH_DOCTOR_OK,
			"a daemon that left its parent and its session was found and ended%s",
			report.filtered ? "; its end was told" : "");
	}
}

/* ---- a control group ---- */

/* Waits for @child at most BERTH_SCRATCH_DEADLINE_MS, and then kills it by itself. */
static bool reap(struct berth_child *child)
{
	struct pollfd poll_fd = { .fd = child->pidfd, .events = POLLIN };
	bool ended = poll(&poll_fd, 1, BERTH_SCRATCH_DEADLINE_MS) > 0;
	siginfo_t info;

	if (!ended)
		(void)!berth_child_signal(child->pidfd, SIGKILL);
	waitid(P_PIDFD, (id_t)child->pidfd, &info, WEXITED);
	berth_child_deinit(child);
	return ended;
}

/* Start something in @cgroup that lives until its input ends, and have the group kill it. */
static int try_cgroup(struct berth_cgroup *cgroup, const char **ret_step)
{
	const char *const argv[] = { "cat", NULL };
	struct berth_child_spec spec = {
		.argv = argv,
		.envp = (const char *const *)environ,
		.stdout_fd = -1,
		.stderr_fd = -1,
		.parent_death_signal = SIGKILL,
		.cgroup_fd = cgroup->fd,
	};
	enum berth_child_stage stage;
	struct berth_child child;
	int ends[2];
	int r;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return -errno;
	spec.stdin_fd = ends[0];
	*ret_step = "start a process in a group of its own";
	r = berth_child_start(&spec, &child, &stage);
	if (r == 0) {
		*ret_step = "kill a group";
		r = berth_cgroup_kill(cgroup->path);
		if (!reap(&child) && r == 0)
			r = -ETIMEDOUT;
	}
	close(ends[0]);
	close(ends[1]);
	return r;
}

static int remove_cgroup(struct berth_cgroup *cgroup)
{
	struct berth_cgroup again = *cgroup;
	int r;

	/* The dead leave the group a moment after they can be reaped, and nothing tells. */
	for (int round = 0; round < REMOVE_ROUNDS && rmdir(cgroup->path) < 0 && errno == EBUSY;
	     round++)
		poll(NULL, 0, 1);
	r = berth_cgroup_remove(&again);
	cgroup->fd = -1;
	return r == -ENOENT ? 0 : r;
}

void berth_doctor_cgroup(const struct berth_doctor_place *place,
			 struct berth_doctor_finding *finding)
{
	struct berth_cgroup cgroup;
	const char *step = "make a group below our own";
	char name[48];
	int r, removed = 0;

	snprintf(name, sizeof(name), "berth-doctor-%d", getpid());
	r = berth_cgroup_new(name, &cgroup);
	if (r == 0) {
		r = try_cgroup(&cgroup, &step);
		removed = remove_cgroup(&cgroup);
	}
	if (r == 0 && removed < 0) {
		step = "remove a group";
		r = removed;
	}
	if (r == 0) {
		berth_doctor_found(finding, BERTH_DOCTOR_OK,
				   "a service can have a group of its own");
		return;
	}
	berth_doctor_found(finding, BERTH_DOCTOR_DEGRADED, "cannot %s: %s", step,
			   berth_scratch_error(r));
	berth_doctor_cost(finding,
			  "a service is ended process by process, which takes some milliseconds "
			  "longer, and its end for want of memory is not told as such");
	if (access("/run/systemd/system", F_OK) == 0)
		berth_doctor_fix(finding, false,
				 "systemd-run %s--scope -p Delegate=yes berth run COMMAND",
				 geteuid() ? "--user " : "");
}
