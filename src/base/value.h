/* SPDX-License-Identifier: MIT */
/* base/value.h - values that are neither numbers nor words: signals, sizes, durations, limits */
#pragma once

#include "base/attr.h"

#include <stdint.h>

/* "5/10s": so many in so long a time. count 0: any number. */
struct berth_value_limit {
	unsigned int count;
	int64_t ms;
};

/* "TERM", "SIGTERM", "15", "RTMIN+1", in either case. -EINVAL. */
BERTH_MUST_USE int berth_value_signal(const char *text, int *ret_signal);
/* The name that @text most likely means ("TEMR": "TERM"); NULL: none. Static. */
const char *berth_value_closest_signal(const char *text);

/*
 * "65536", "512k", "10M", "1G", either case, with or without "B" or "iB" behind it: to bytes, by
 * 1024. -EINVAL: not that; -ERANGE: does not fit.
 */
BERTH_MUST_USE int berth_value_size(const char *text, int64_t *ret_bytes);
/* 10485760 -> "10M": in the largest unit that divides it. Returns @buf. */
const char *berth_value_format_size(int64_t bytes, char buf[32]);

/* 90000 -> "90s", 3600000 -> "1h": in the largest unit that divides it. Returns @buf. */
const char *berth_value_format_duration(int64_t ms, char buf[32]);

/*
 * "5/10s", "5/10" (seconds), or "none". -EINVAL: not that; -ERANGE: a count or time of 0, or a
 * count above @max.
 */
BERTH_MUST_USE int berth_value_limit(const char *text, unsigned int max,
				     struct berth_value_limit *ret_limit);
/* "5/10s", "none": as it is read back. Returns @buf. */
const char *berth_value_format_limit(const struct berth_value_limit *limit, char buf[48]);
