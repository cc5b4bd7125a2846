/* SPDX-License-Identifier: MIT */
/* look/collect.h - all that comes through a pipe or socket, within bounds of size and time */
#pragma once

#include "base/str.h"

/* 0 when @fd is readable or at its end; -ETIMEDOUT. The deadline is of CLOCK_MONOTONIC. */
BERTH_MUST_USE int berth_collect_await(int fd, int64_t deadline_ns);
/* Up to the end of @fd, added to @text; -ETIMEDOUT, -EFBIG: more than @max in @text, -ENOMEM. */
BERTH_MUST_USE int berth_collect(int fd, size_t max, int64_t deadline_ns, struct berth_str *text);
