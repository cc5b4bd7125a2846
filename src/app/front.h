/* SPDX-License-Identifier: MIT */
/* app/front.h - be the job that a shell sees: its signals, as data */
#pragma once

#include "base/attr.h"

#include <stdbool.h>

/*
 * Block the signals that a front passes on, but those that were ignored at our start (nohup); the
 * disposition of SIGCHLD is reset. Before any fork.
 */
void berth_front_block(void);

/* Is there a controlling terminal? */
bool berth_front_has_terminal(void);

/* A descriptor that they come out of; owned by the caller, close-on-exec, non-blocking. */
BERTH_MUST_USE int berth_front_open(void);

struct berth_front_signal {
	int signo;
	bool from_terminal; /* sent to the whole foreground group: the command has it already */
	bool hangup; /* SIGHUP, and no terminal: it has gone, if there was one at the start */
};

/* The next one; false: none. */
bool berth_front_next(int fd, struct berth_front_signal *ret_signal);

/* Stop ourselves, as the command has been; returns when we are continued. */
void berth_front_stop(void);

/*
 * End as the command did: by SIGINT if that was it, so that a script's loop ends too; else returns.
 */
void berth_front_die_of(int signo);
