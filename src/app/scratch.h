/* SPDX-License-Identifier: MIT */
/* app/scratch.h - a process of our own, to try things on */
#pragma once

#include "base/attr.h"

#include <stddef.h>
#include <sys/types.h>

/* How long anybody waits for anybody here: far longer than it takes where it works. */
enum {
	BERTH_SCRATCH_DEADLINE_MS = 1000
};

struct berth_scratch {
	pid_t pid; /* 0: none */
	int pidfd; /* owned */
	int fd; /* owned: our end of a socket pair (SOCK_SEQPACKET); it has the other one */
};

/*
 * A copy of this process that runs @body, with its end of the socket pair, and ends. It dies with
 * us.
 */
BERTH_MUST_USE int berth_scratch_start(struct berth_scratch *ret_scratch,
				       void (*body)(int fd, const void *arg), const void *arg);

/* Kill it, whatever it is at, and wait for its end. Harmless on none (zero). */
void berth_scratch_end(struct berth_scratch *scratch);

/*
 * A message of exactly @size bytes from @fd, with the descriptor that came with it (owned by the
 * caller; NULL: none is expected). -ETIMEDOUT, -ECHILD (it ended without a word).
 */
BERTH_MUST_USE int berth_scratch_hear(int fd, void *message, size_t size, int *ret_fd);

/* The other side: @passed_fd goes with the message (-1: none). */
void berth_scratch_say(int fd, const void *message, size_t size, int passed_fd);

/* strerror() of a failed try. */
const char *berth_scratch_error(int r);
