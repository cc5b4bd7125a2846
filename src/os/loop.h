/* SPDX-License-Identifier: MIT */
/* os/loop.h - wait for descriptors and one deadline: epoll(7), level-triggered */
#pragma once

#include "base/attr.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * One watched descriptor, embedded in what owns it. The callback may remove and free any source,
 * its own included: events are taken one at a time.
 */
struct berth_loop_source {
	int fd; /* borrowed; -1: not watched */
	void (*fn)(struct berth_loop_source *source, uint32_t events);
};

struct berth_loop {
	int epoll_fd; /* owned */
};

BERTH_MUST_USE int berth_loop_init(struct berth_loop *loop);
void berth_loop_deinit(struct berth_loop *loop);

/* Watch @fd for @events (EPOLLIN ...). @source stays where it is until removed. */
BERTH_MUST_USE int berth_loop_add(struct berth_loop *loop, struct berth_loop_source *source, int fd,
				  uint32_t events,
				  void (*fn)(struct berth_loop_source *source, uint32_t events));
BERTH_MUST_USE int berth_loop_change(struct berth_loop *loop, struct berth_loop_source *source,
				     uint32_t events);
/*
 * Before the descriptor is closed. Harmless on a source that is not watched (fd -1, or zeroed with
 * fd 0 and no fn).
 */
void berth_loop_remove(struct berth_loop *loop, struct berth_loop_source *source);

/*
 * Wait for one event and call its source, or until @deadline_ns (CLOCK_MONOTONIC; INT64_MAX: for
 * ever). 0 in both cases, -errno.
 */
BERTH_MUST_USE int berth_loop_turn(struct berth_loop *loop, int64_t deadline_ns);
