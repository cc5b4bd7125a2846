/* SPDX-License-Identifier: MIT */
/* service/probe.h - when the next probe is due, and what a row of results means, pure */
#pragma once

#include "service/check.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * READINESS  from the start of a life; every 100 ms until it first succeeds, then at the period;
 *            failures before that say nothing: how long a start may take is the start timeout's
 *            matter
 * LIVENESS   from the moment when the service is first ready in a life; its success threshold is
 *            1, and once it fails it rests until it is begun anew, for the next life
 */
enum berth_probe_use {
	BERTH_PROBE_READINESS,
	BERTH_PROBE_LIVENESS,
};

enum berth_probe_state {
	BERTH_PROBE_UNKNOWN, /* has not succeeded yet, nor failed often enough */
	BERTH_PROBE_OK,
	BERTH_PROBE_FAILING,
};

enum berth_probe_outcome {
	BERTH_PROBE_NONE, /* as before */
	BERTH_PROBE_BECAME_OK,
	BERTH_PROBE_BECAME_FAILING,
};

/* Zero is a probe that was never begun. Written by the functions below only. */
struct berth_probe {
	struct berth_check_timing timing;
	enum berth_probe_use use;
	enum berth_probe_state state;
	unsigned int successes, failures; /* in a row, while the state may change by it */
	bool began; /* else nothing is due */
	bool under_way;
	bool was_ok; /* since it was begun */
	int64_t next_ns; /* see berth_probe_next() */
	int64_t started_ns; /* of the one under way, or of the last one */
};

/* Begin, or begin anew. Thresholds of 0 count as 1. */
void berth_probe_begin(struct berth_probe *probe, enum berth_probe_use use,
		       const struct berth_check_timing *timing, int64_t now_ns);

/* Nothing is due any more: the service is on its way out. The state stays for who asks. */
void berth_probe_end(struct berth_probe *probe);

/* When the next one is to be started; INT64_MAX: none. Of a zeroed probe too. */
int64_t berth_probe_next(const struct berth_probe *probe);

/* One is under way from @now_ns on; only when one is due. */
void berth_probe_start(struct berth_probe *probe, int64_t now_ns);

/*
 * The one under way has come out as @ok. A result that nobody started (after berth_probe_end(), or
 * a second one) changes nothing.
 */
enum berth_probe_outcome berth_probe_result(struct berth_probe *probe, bool ok, int64_t now_ns);

/*
 * The one under way could not be made for a reason of our own (no descriptor left): it does not
 * count, and the next comes at its time.
 */
void berth_probe_skip(struct berth_probe *probe, int64_t now_ns);
