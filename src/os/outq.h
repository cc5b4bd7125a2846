/* SPDX-License-Identifier: MIT */
/* os/outq.h - output that never makes the writer wait */
#pragma once

#include "base/attr.h"
#include "os/loop.h"

#include <stdbool.h>
#include <sys/types.h>

enum {
	BERTH_OUTQ_MAX = 65536
};

/*
 * A bounded queue in front of a descriptor that others write to as well (the terminal of the
 * service, a pipe), and whose flags are therefore not ours to change. What does not fit is dropped,
 * in whole messages, and counted.
 */
struct berth_outq {
	int fd; /* owned; -1: output is off */
	char *text; /* owned */
	size_t len, size;
	size_t dropped; /* messages */
	struct berth_loop *loop; /* borrowed */
	struct berth_loop_source source;
};

/*
 * The same file as @fd (borrowed), in a descriptor to write to that is not blocking if that can be
 * had without changing theirs. Else, and in any case for what others write to as well: ask poll(2),
 * and write at most PIPE_BUF bytes. -errno.
 */
BERTH_MUST_USE int berth_outq_open(int fd);

/*
 * How much of it such a descriptor takes now, without waiting. -EPIPE: its last reader has gone.
 * What fails for another reason (disk full, terminal hung up) counts as taken: nobody waits for it.
 */
BERTH_MUST_USE ssize_t berth_outq_write(int fd, const char *text, size_t len);

/* Write to the same file as @fd (borrowed; -1: output off). */
void berth_outq_init(struct berth_outq *queue, struct berth_loop *loop, int fd);
/* Tries once more to get rid of what is left, without waiting. */
void berth_outq_deinit(struct berth_outq *queue);
void berth_outq_add(struct berth_outq *queue, const char *text, size_t len);
