/* SPDX-License-Identifier: MIT */
/*
 * service/probe.c - when the next probe is due, and what a row of results means, pure
 *
 * As Kubernetes does it (kubelet's prober/worker.go): a period is counted from start to start; a
 * result counts when its row reaches the threshold; a failed liveness is said once. Two things
 * differ. Readiness is asked for every 100 ms until it first succeeds, since somebody waits for it;
 * and liveness begins when the service is ready, so that no third, "startup" probe has to keep it
 * away from a slow start.
 */
#include "service/probe.h"

#include <assert.h>

#include "base/time.h"

static const int64_t poll_ns = 100 * BERTH_NS_PER_MS;

/* Durations are bounded by base/parse, sums by this: no deadline of a person's is that far off. */
static int64_t later(int64_t now_ns, int64_t delay_ns)
{
	int64_t sum;

	return __builtin_add_overflow(now_ns, delay_ns, &sum) ? INT64_MAX : sum;
}

static int64_t from_ms(int64_t ms)
{
	int64_t ns;

	return __builtin_mul_overflow(ms, BERTH_NS_PER_MS, &ns) ? INT64_MAX : ns;
}

void berth_probe_begin(struct berth_probe *probe, enum berth_probe_use use,
		       const struct berth_check_timing *timing, int64_t now_ns)
{
	*probe = (struct berth_probe){
		.timing = *timing,
		.use = use,
		.began = true,
		.next_ns = later(now_ns, from_ms(timing->initial_delay_ms)),
	};
}

void berth_probe_end(struct berth_probe *probe)
{
	probe->began = false;
	probe->under_way = false;
}

int64_t berth_probe_next(const struct berth_probe *probe)
{
	return probe->began && !probe->under_way ? probe->next_ns : INT64_MAX;
}

void berth_probe_start(struct berth_probe *probe, int64_t now_ns)
{
	assert(probe->began && !probe->under_way);
	probe->under_way = true;
	probe->started_ns = now_ns;
}

/* One that took longer than the period is followed at once by one, not by all that were missed. */
static void plan_next(struct berth_probe *probe, int64_t now_ns)
{
	int64_t period = from_ms(probe->timing.period_ms);
	int64_t poll = probe->timing.poll_ms ? from_ms(probe->timing.poll_ms) : poll_ns;

	probe->under_way = false;
	if (probe->use == BERTH_PROBE_READINESS && !probe->was_ok && period > poll)
		period = poll;
	probe->next_ns = later(probe->started_ns, period);
	if (probe->next_ns < now_ns)
		probe->next_ns = now_ns;
}

static bool is_reached(unsigned int row, unsigned int threshold)
{
	return row >= (threshold ? threshold : 1);
}

static enum berth_probe_outcome note_success(struct berth_probe *probe)
{
	unsigned int threshold =
		probe->use == BERTH_PROBE_LIVENESS ? 1 : probe->timing.success_threshold;

	probe->failures = 0;
	if (probe->state == BERTH_PROBE_OK)
		return BERTH_PROBE_NONE;
	if (!is_reached(++probe->successes, threshold))
		return BERTH_PROBE_NONE;
	probe->state = BERTH_PROBE_OK;
	probe->was_ok = true;
	return BERTH_PROBE_BECAME_OK;
}

static enum berth_probe_outcome note_failure(struct berth_probe *probe)
{
	probe->successes = 0;
	if (probe->state == BERTH_PROBE_FAILING ||
	    (probe->use == BERTH_PROBE_READINESS && !probe->was_ok))
		return BERTH_PROBE_NONE;
	if (!is_reached(++probe->failures, probe->timing.failure_threshold))
		return BERTH_PROBE_NONE;
	probe->state = BERTH_PROBE_FAILING;
	return BERTH_PROBE_BECAME_FAILING;
}

enum berth_probe_outcome berth_probe_result(struct berth_probe *probe, bool ok, int64_t now_ns)
{
	enum berth_probe_outcome outcome;

	if (!probe->under_way)
		return BERTH_PROBE_NONE;
	outcome = ok ? note_success(probe) : note_failure(probe);
	plan_next(probe, now_ns);
	if (probe->use == BERTH_PROBE_LIVENESS && probe->state == BERTH_PROBE_FAILING)
		probe->began = false;
	return outcome;
}

void berth_probe_skip(struct berth_probe *probe, int64_t now_ns)
{
	if (probe->under_way)
		plan_next(probe, now_ns);
}
