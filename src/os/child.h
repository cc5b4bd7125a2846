/* SPDX-License-Identifier: MIT */
/* os/child.h - start a process, and know it by its pidfd */
#pragma once

#include "base/attr.h"
#include "os/notify.h"

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/types.h>

enum {
	BERTH_CHILD_PASS_MAX = 16
};

struct berth_cradle;

/* All borrowed for the time of the call. Zero: inherit, except where a descriptor says -1. */
struct berth_child_spec {
	const char *const *argv; /* argv[0] is looked up in the PATH of @envp */
	const char *const *envp;
	const char *cwd; /* NULL: ours */
	int stdin_fd, stdout_fd, stderr_fd; /* -1: ours */
	bool new_session; /* setsid(); else see pgrp */
	bool terminal; /* of the new session: @stdin_fd is one, and becomes its controlling one */
	pid_t pgrp; /* 0: ours; the process group to join */
	int parent_death_signal; /* PR_SET_PDEATHSIG; 0: none */
	int cgroup_fd; /* -1: ours; else a cgroup v2 folder to be born in */
	bool keep; /* below a keeper of its own: see struct berth_child_keeper */
	struct berth_cradle
		*cradle; /* where that is born; NULL: of us. Changes nothing but the cost */
	const struct berth_notify_program *filter; /* NULL: none */
	sigset_t signal_mask; /* what the process begins with; dispositions are inherited, ignored
				 ones too */
	rlim_t open_files; /* soft RLIMIT_NOFILE; 0: ours */
	/*
	 * Passed as 3, 4, ... with LISTEN_PID set (sd_listen_fds(3)); LISTEN_FDS and LISTEN_FDNAMES
	 * are in @envp.
	 */
	int pass_fds[BERTH_CHILD_PASS_MAX];
	size_t pass_count;
};

/*
 * A small process between us and the command (os/keeper.h). It is our child, in our process group,
 * and the subreaper of the command's tree: whose parent dies becomes its child, so all of a tree is
 * below its keeper (berth_tree_load()), whatever lives beside it. It ends when it has no children
 * left: by then nothing of the tree lives. Ended by force, its children become ours, if we are a
 * subreaper.
 */
struct berth_child_keeper {
	pid_t pid; /* 0: none; to be reaped like any child, berth_child_reap() */
	int pidfd; /* owned; -1: none */
};

struct berth_child {
	pid_t pid; /* of the command; with a keeper not our child but its */
	int pidfd; /* owned */
	int notify_fd; /* owned; -1: no filter */
	struct berth_child_keeper keeper;
	int keeper_fd; /* owned; -1: none; for berth_child_keeper_next() */
};

#define BERTH_CHILD_NONE \
	((struct berth_child){ .pidfd = -1, .notify_fd = -1, .keeper.pidfd = -1, .keeper_fd = -1 })

/* Where a start failed. */
enum berth_child_stage {
	BERTH_CHILD_FORK,
	BERTH_CHILD_CWD,
	BERTH_CHILD_STDIO,
	BERTH_CHILD_GROUP,
	BERTH_CHILD_FILTER,
	BERTH_CHILD_EXEC,
};

/*
 * Would exec find @name, as execvp(3) does, by @path (of PATH; NULL: none) from the folder @cwd
 * (NULL: ours)? 0, -ENOENT, -EACCES. What is found may still be no program.
 */
BERTH_MUST_USE int berth_child_find(const char *name, const char *path, const char *cwd);

/*
 * Start a process. Returns when exec() has succeeded: 0; or -errno of what failed
 * at *ret_stage, and nothing is left of it. The descriptors of the caller are close-on-exec, so
 * nothing but 0-2 and @pass_fds is inherited.
 */
BERTH_MUST_USE int berth_child_start(const struct berth_child_spec *spec,
				     struct berth_child *ret_child,
				     enum berth_child_stage *ret_stage);

/* Close what the structure owns; the process is not touched. */
void berth_child_deinit(struct berth_child *child);

/*
 * fork() into a process of our own program that goes on from here (guardian, supervisor). Returns 0
 * in the child; in the parent the pid, and *ret_pidfd is owned by the caller. -errno.
 */
BERTH_MUST_USE pid_t berth_child_fork(int *ret_pidfd);

/* How a process ended. */
struct berth_child_end {
	bool by_signal;
	bool core;
	int status; /* exit code, or signal */
};
/* From waitid(2)'s si_code and si_status. */
struct berth_child_end berth_child_end_of(const siginfo_t *info);
/* What a shell would say: the code, or 128 + signal. */
int berth_child_end_exit(const struct berth_child_end *end);

enum berth_child_news {
	BERTH_CHILD_ENDED = 1, /* *ret_end is how; after it no stops come */
	BERTH_CHILD_STOPPED, /* by signal *ret_stopped (job control) */
	BERTH_CHILD_UNKEPT, /* the keeper has ended: nothing more comes, remove the source */
};

/*
 * The next that the keeper tells of the command, when keeper_fd is readable; never blocks. 0: none
 * yet; positive: an enum berth_child_news. UNKEPT without ENDED before it: the keeper was killed,
 * and the command is a child of ours like any other. Both may tell of one end: killed between
 * telling and reaping, the keeper leaves the command to be reaped by us.
 */
BERTH_MUST_USE int berth_child_keeper_next(const struct berth_child *child,
					   struct berth_child_end *ret_end, int *ret_stopped);

/*
 * The next child that has ended, if any: reaps it. 0 and *ret_pid 0 if none has; -ECHILD: there are
 * no children.
 */
BERTH_MUST_USE int berth_child_reap(pid_t *ret_pid, struct berth_child_end *ret_end);

/*
 * A pidfd of a process that we know only by number; -ESRCH. Check its identity afterwards, not
 * before.
 */
BERTH_MUST_USE int berth_child_open(pid_t pid);
BERTH_MUST_USE int berth_child_signal(int pidfd, int signo);
