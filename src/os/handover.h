/* SPDX-License-Identifier: MIT */
/* os/handover.h - a kept listening socket put in the place of the service's own */
#pragma once

#include "base/attr.h"
#include "os/notify.h"

#include <stdbool.h>

struct berth_handover_spec {
	int notify_fd;
	const struct berth_notify_call *call; /* a bind() that waits for its answer */
	int fd; /* our duplicate of the caller's socket, borrowed */
	int kept; /* the listening socket that takes its place, borrowed */
	bool shared; /* other live processes have @kept: neither its flags nor options are touched */
	bool compare_nonblock; /* with @shared: refuse where O_NONBLOCK of the two differs */
};

enum berth_handover_outcome {
	BERTH_HANDOVER_E_UNREADABLE = 1, /* we may not see the caller's descriptors */
	BERTH_HANDOVER_E_COPIED, /* the caller has its socket under another number too */
	BERTH_HANDOVER_E_BLOCKING, /* one blocks and the other does not, and a third shares it */
	BERTH_HANDOVER_E_EPOLL, /* the caller waits for the socket in an epoll that we can't change */
};

/*
 * Are the two of one kind: family, protocol (TCP is not MPTCP), IPV6_V6ONLY, and the device they
 * are tied to? Addresses are the caller's to compare: @fd has none yet.
 */
bool berth_handover_fits(int fd, int kept);

/*
 * 0: the caller's descriptor call->fd is @kept now, in its epoll descriptors too; the bind() is
 * still to be answered (with 0). An outcome, or -errno (-ENOENT: the caller has gone): nothing has
 * changed for the caller, and its bind() can go on as if this had not been tried. Not found out
 * here: that another process has the caller's socket, or that a live one has @kept (procfs.h:
 * berth_procsock_find(), with both inodes).
 *
 * Takes some 0.2 ms; where an epoll descriptor has the socket, 0.4 ms, with a fork() of us and a
 * wait for that process (its SIGCHLD is left behind). There must be no other threads.
 */
BERTH_MUST_USE int berth_handover(const struct berth_handover_spec *spec);

/* An outcome in words, for `berth status`: "... has a copy of its socket". */
const char *berth_handover_why(int outcome);
