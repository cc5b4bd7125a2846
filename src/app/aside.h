/* SPDX-License-Identifier: MIT */
/* app/aside.h - a command that runs beside a service, and is none of it: a check, a stop command */
#pragma once

#include "os/child.h"
#include "os/loop.h"

/* All borrowed for the time of the call. */
struct berth_aside_spec {
	const char *const *argv, *const *envp;
	const char *cwd;
	const struct berth_notify_program *filter; /* NULL: none; see berth_aside_take_notify() */
	int stdin_fd, stdout_fd, stderr_fd; /* -1: ours */
	sigset_t signal_mask;
	rlim_t open_files;
};

struct berth_aside;

/*
 * Start it, in a session and below a keeper of its own, so that nothing of it is taken for a part of
 * a service's tree. When the command itself has ended @fn is called, once, never from within this
 * call; it may end the aside. 0, or -errno of what failed at *ret_stage.
 */
BERTH_MUST_USE int berth_aside_start(struct berth_loop *loop, const struct berth_aside_spec *spec,
				     void (*fn)(struct berth_aside *aside,
						const struct berth_child_end *end, void *arg),
				     void *arg, struct berth_aside **ret_aside,
				     enum berth_child_stage *ret_stage);

/* Kill all that lives of it, and free it; @fn is not called any more. NULL allowed. */
void berth_aside_end(struct berth_aside *aside);

/* The process that its tree hangs below; 0 for NULL. */
pid_t berth_aside_keeper(const struct berth_aside *aside);

/* Of the filter: the caller's from then on; -1: there is none. */
int berth_aside_take_notify(struct berth_aside *aside);
