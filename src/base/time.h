/* SPDX-License-Identifier: MIT */
/* base/time.h - times as values: ms since the epoch for people, monotonic ns for deadlines */
#pragma once

#include "base/attr.h"

#include <stdint.h>

#define BERTH_NS_PER_MS INT64_C(1000000)
#define BERTH_NS_PER_S INT64_C(1000000000)

enum {
	BERTH_TIME_RFC3339_SIZE = 32,
	BERTH_TIME_AGE_SIZE = 16
};

/* CLOCK_REALTIME in ms; CLOCK_MONOTONIC in ns. */
int64_t berth_time_now_ms(void);
int64_t berth_time_mono_ns(void);

/* "2026-11-21T09:30:00.123Z". Returns @buf. */
const char *berth_time_format(int64_t ms, char buf[BERTH_TIME_RFC3339_SIZE]);
/* The reverse, exactly that form. -EINVAL. */
BERTH_MUST_USE int berth_time_parse(const char *text, int64_t *ret_ms);
/* "09:30" of the local day, "Nov 20 09:30" of another one. Returns @buf. */
const char *berth_time_clock(int64_t ms, int64_t now_ms, char buf[BERTH_TIME_RFC3339_SIZE]);
/* How long, roughly: "8 s", "2 min", "3 h", "5 d"; negative counts as 0. Returns @buf. */
const char *berth_time_age(int64_t duration_ms, char buf[BERTH_TIME_AGE_SIZE]);
