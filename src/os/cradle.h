/* SPDX-License-Identifier: MIT */
/* os/cradle.h - a small process of which keepers are born */
#pragma once

#include "base/attr.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct berth_child_spec;

struct berth_cradle {
	pid_t pid; /* our child, never more than waiting; 0: not started yet */
	int pidfd, fd; /* owned; -1: not started yet */
	char *shared; /* mapped at the same place on both sides; NULL: not started yet */
	size_t used; /* of @shared */
	bool useless; /* nothing can be made that way here: it is not tried again */
};

/* Used by os/child.c: berth_child_spec.cradle. All borrowed for the time of the call. */
struct berth_cradle_order {
	const struct berth_child_spec *spec;
	int report_fd, keeper_fd;
	/* In the new process, where the descriptors, those of @spec among them, have new numbers. */
	void (*run)(const struct berth_child_spec *spec, int report_fd, int keeper_fd,
		    pid_t parent);
};

void berth_cradle_init(struct berth_cradle *cradle);
/* It ends and is reaped. */
void berth_cradle_deinit(struct berth_cradle *cradle);

enum {
	BERTH_CRADLE_E_LOST = 1,
};

/*
 * Have order->run() called in a new process that is our child. It must not return. The first call
 * starts the cradle. 0: *ret_pidfd is owned by the caller. -errno: nothing has been started, and a
 * plain clone may still succeed. E_LOST: the cradle has gone, or was stopped, and whether there is a
 * new process with duplicates of the descriptors is not known: close yours, and begin anew.
 */
BERTH_MUST_USE int berth_cradle_make(struct berth_cradle *cradle,
				     const struct berth_cradle_order *order, pid_t *ret_pid,
				     int *ret_pidfd);
