/* SPDX-License-Identifier: MIT */
/* unit/service/test-probe.c - a row of probes: when each is due, and what becomes of the service */
#include "service/probe.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum {
	PROBES_MAX = 12,
	OK = 1,
	BAD = 0,
	SKIP = -1
};

static const int64_t ms = 1000000;

/* Kubernetes' defaults. */
static const struct berth_check_timing usual = {
	.period_ms = 10000, .timeout_ms = 1000, .success_threshold = 1, .failure_threshold = 3
};

struct step {
	int64_t due_ms; /* since the beginning */
	int64_t takes_ms;
	int result;
	enum berth_probe_outcome outcome;
	enum berth_probe_state state;
};

#define NOTHING BERTH_PROBE_NONE
#define GOOD BERTH_PROBE_BECAME_OK
#define FAILED BERTH_PROBE_BECAME_FAILING
#define S_UNKNOWN BERTH_PROBE_UNKNOWN
#define S_OK BERTH_PROBE_OK
#define S_FAILING BERTH_PROBE_FAILING

/* clang-format off */
static const struct {
	const char *what;
	enum berth_probe_use use;
	struct berth_check_timing timing; /* zero: the usual one */
	struct step steps[PROBES_MAX];
	size_t count;
	bool rests; /* afterwards nothing is due */
} rows[] = {
	{ "readiness is polled until it comes, then at the period", BERTH_PROBE_READINESS, { 0 }, {
		{ 0, 1, BAD, NOTHING, S_UNKNOWN },
		{ 100, 1, BAD, NOTHING, S_UNKNOWN },
		{ 200, 1, BAD, NOTHING, S_UNKNOWN },
		{ 300, 1, BAD, NOTHING, S_UNKNOWN }, /* more than the threshold */
		{ 400, 1, OK, GOOD, S_OK },
		{ 10400, 1, OK, NOTHING, S_OK },
		{ 20400, 1, OK, NOTHING, S_OK } }, 7 },
	{ "readiness is polled as often as it is said", BERTH_PROBE_READINESS,
	  { .period_ms = 10000, .timeout_ms = 1000, .success_threshold = 1, .failure_threshold = 3, .poll_ms = 500 }, {
		{ 0, 1, BAD, NOTHING, S_UNKNOWN },
		{ 500, 1, BAD, NOTHING, S_UNKNOWN },
		{ 1000, 1, OK, GOOD, S_OK },
		{ 11000, 1, OK, NOTHING, S_OK } }, 4 },
	{ "readiness is lost at the third failure in a row, and comes back", BERTH_PROBE_READINESS, { 0 }, {
		{ 0, 0, OK, GOOD, S_OK },
		{ 10000, 0, BAD, NOTHING, S_OK },
		{ 20000, 0, BAD, NOTHING, S_OK },
		{ 30000, 0, OK, NOTHING, S_OK },
		{ 40000, 0, BAD, NOTHING, S_OK },
		{ 50000, 0, BAD, NOTHING, S_OK },
		{ 60000, 0, BAD, FAILED, S_FAILING },
		{ 70000, 0, BAD, NOTHING, S_FAILING },
		{ 80000, 0, OK, GOOD, S_OK },
		{ 90000, 0, BAD, NOTHING, S_OK } }, 10 },
	{ "the success threshold counts in a row, and polls on",
	  BERTH_PROBE_READINESS, { 0, 10000, 1000, 3, 1 }, {
		{ 0, 0, OK, NOTHING, S_UNKNOWN },
		{ 100, 0, OK, NOTHING, S_UNKNOWN },
		{ 200, 0, BAD, NOTHING, S_UNKNOWN },
		{ 300, 0, OK, NOTHING, S_UNKNOWN },
		{ 400, 0, OK, NOTHING, S_UNKNOWN },
		{ 500, 0, OK, GOOD, S_OK },
		{ 10500, 0, BAD, FAILED, S_FAILING },
		{ 20500, 0, OK, NOTHING, S_FAILING },
		{ 30500, 0, OK, NOTHING, S_FAILING },
		{ 40500, 0, OK, GOOD, S_OK } }, 10 },
	{ "an initial delay comes before all",
	  BERTH_PROBE_READINESS, { 2500, 10000, 1000, 1, 3 }, {
		{ 2500, 0, BAD, NOTHING, S_UNKNOWN },
		{ 2600, 0, OK, GOOD, S_OK } }, 2 },
	{ "a period below 100 ms is kept to", BERTH_PROBE_READINESS, { 0, 20, 1000, 1, 3 }, {
		{ 0, 0, BAD, NOTHING, S_UNKNOWN },
		{ 20, 0, OK, GOOD, S_OK },
		{ 40, 0, OK, NOTHING, S_OK } }, 3 },
	{ "one longer than the period is followed at once by one, no more",
	  BERTH_PROBE_READINESS, { 0, 1000, 5000, 1, 3 }, {
		{ 0, 1000, OK, GOOD, S_OK },
		{ 1000, 4500, OK, NOTHING, S_OK },
		{ 5500, 0, OK, NOTHING, S_OK },
		{ 6500, 0, OK, NOTHING, S_OK } }, 4 },
	{ "what could not be asked does not count", BERTH_PROBE_READINESS, { 0 }, {
		{ 0, 0, SKIP, NOTHING, S_UNKNOWN },
		{ 100, 0, OK, GOOD, S_OK },
		{ 10100, 0, BAD, NOTHING, S_OK },
		{ 20100, 0, SKIP, NOTHING, S_OK },
		{ 30100, 0, BAD, NOTHING, S_OK },
		{ 40100, 0, BAD, FAILED, S_FAILING } }, 6 },
	{ "liveness fails at the third failure in a row, and rests", BERTH_PROBE_LIVENESS, { 0 }, {
		{ 0, 0, OK, GOOD, S_OK },
		{ 10000, 0, BAD, NOTHING, S_OK },
		{ 20000, 0, BAD, NOTHING, S_OK },
		{ 30000, 0, OK, NOTHING, S_OK },
		{ 40000, 0, BAD, NOTHING, S_OK },
		{ 50000, 1000, BAD, NOTHING, S_OK },
		{ 60000, 1000, BAD, FAILED, S_FAILING } }, 7, .rests = true },
	{ "liveness that never succeeded fails too", BERTH_PROBE_LIVENESS, { 500, 1000, 1000, 1, 2 }, {
		{ 500, 0, BAD, NOTHING, S_UNKNOWN },
		{ 1500, 0, BAD, FAILED, S_FAILING } }, 2, .rests = true },
	{ "of liveness the success threshold is 1", BERTH_PROBE_LIVENESS, { 0, 1000, 1000, 5, 2 }, {
		{ 0, 0, OK, GOOD, S_OK } }, 1 },
	{ "thresholds of 0 are 1", BERTH_PROBE_READINESS, { 0, 1000, 1000, 0, 0 }, {
		{ 0, 0, OK, GOOD, S_OK },
		{ 1000, 0, BAD, FAILED, S_FAILING } }, 2 },
};
/* clang-format on */

static void walk(const char *what, struct berth_probe *probe, const struct step *step,
		 int64_t begin)
{
	enum berth_probe_outcome outcome = BERTH_PROBE_NONE;
	int64_t now = berth_probe_next(probe);

	if (now != begin + step->due_ms * ms)
		fail_msg("%s: due at %lld ms, not %lld", what, (long long)((now - begin) / ms),
			 (long long)step->due_ms);
	berth_probe_start(probe, now);
	assert_int_equal(berth_probe_next(probe), INT64_MAX);
	now += step->takes_ms * ms;
	if (step->result == SKIP)
		berth_probe_skip(probe, now);
	else
		outcome = berth_probe_result(probe, step->result == OK, now);
	if (outcome != step->outcome || probe->state != step->state)
		fail_msg("%s: at %lld ms: outcome %d, state %d", what, (long long)step->due_ms,
			 (int)outcome, (int)probe->state);
}

static void each_row_of_results_means_what_it_should(void **state)
{
	const int64_t begin = 123456789;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		bool zero = !rows[i].timing.period_ms;
		struct berth_probe probe = { 0 };

		berth_probe_begin(&probe, rows[i].use, zero ? &usual : &rows[i].timing, begin);
		for (size_t k = 0; k < rows[i].count; k++)
			walk(rows[i].what, &probe, &rows[i].steps[k], begin);
		if (rows[i].rests != (berth_probe_next(&probe) == INT64_MAX))
			fail_msg("%s: %s", rows[i].what, rows[i].rests ? "goes on" : "rests");
	}
}

static void nothing_is_due_before_the_beginning_and_after_the_end(void **state)
{
	struct berth_probe probe = { 0 };

	assert_int_equal(berth_probe_next(&probe), INT64_MAX);
	assert_int_equal(berth_probe_result(&probe, true, 5), BERTH_PROBE_NONE);
	berth_probe_skip(&probe, 5);
	assert_int_equal(probe.state, BERTH_PROBE_UNKNOWN);
	berth_probe_begin(&probe, BERTH_PROBE_READINESS, &usual, 0);
	berth_probe_start(&probe, 0);
	assert_int_equal(berth_probe_result(&probe, true, 0), BERTH_PROBE_BECAME_OK);
	assert_int_equal(berth_probe_result(&probe, false, 0), BERTH_PROBE_NONE);
	berth_probe_end(&probe);
	assert_int_equal(berth_probe_next(&probe), INT64_MAX);
	assert_int_equal(probe.state, BERTH_PROBE_OK);
}

static void a_result_after_the_end_changes_nothing(void **state)
{
	struct berth_probe probe;

	berth_probe_begin(&probe, BERTH_PROBE_LIVENESS, &usual, 0);
	berth_probe_start(&probe, 0);
	berth_probe_end(&probe);
	assert_int_equal(berth_probe_result(&probe, true, ms), BERTH_PROBE_NONE);
	assert_int_equal(probe.state, BERTH_PROBE_UNKNOWN);
	assert_int_equal(berth_probe_next(&probe), INT64_MAX);
}

static void beginning_anew_forgets_the_life_before(void **state)
{
	struct berth_check_timing once = usual;
	struct berth_probe probe;

	once.failure_threshold = 1;
	berth_probe_begin(&probe, BERTH_PROBE_LIVENESS, &once, 0);
	berth_probe_start(&probe, 0);
	assert_int_equal(berth_probe_result(&probe, false, 0), BERTH_PROBE_BECAME_FAILING);
	berth_probe_begin(&probe, BERTH_PROBE_LIVENESS, &once, 70 * ms);
	assert_int_equal(probe.state, BERTH_PROBE_UNKNOWN);
	assert_int_equal(berth_probe_next(&probe), 70 * ms);
}

static void times_beyond_all_bounds_are_never(void **state)
{
	struct berth_check_timing timing = { INT64_MAX, INT64_MAX, 1000, 1, 1 };
	struct berth_probe probe;

	berth_probe_begin(&probe, BERTH_PROBE_LIVENESS, &timing, ms);
	assert_int_equal(berth_probe_next(&probe), INT64_MAX);
	timing.initial_delay_ms = 0;
	berth_probe_begin(&probe, BERTH_PROBE_LIVENESS, &timing, ms);
	berth_probe_start(&probe, ms);
	assert_int_equal(berth_probe_result(&probe, true, ms), BERTH_PROBE_BECAME_OK);
	assert_int_equal(berth_probe_next(&probe), INT64_MAX);
}

/* What holds in whatever order results come, with a plain count beside it. */
static void any_row_keeps_to_the_thresholds(void **state)
{
	struct berth_probe probe;
	unsigned int seed = 7;

	for (int walk_number = 0; walk_number < 2000; walk_number++) {
		struct berth_check_timing timing = {
			.period_ms = 1 + rand_r(&seed) % 300,
			.success_threshold = 1 + (unsigned int)rand_r(&seed) % 3,
			.failure_threshold = 1 + (unsigned int)rand_r(&seed) % 3,
		};
		unsigned int row_ok = 0, row_bad = 0;
		int64_t now = 0;

		berth_probe_begin(&probe, BERTH_PROBE_READINESS, &timing, now);
		for (int i = 0; i < 60; i++) {
			enum berth_probe_state before = probe.state;
			enum berth_probe_outcome outcome;
			bool ok = rand_r(&seed) & 1;

			assert_true(berth_probe_next(&probe) >= now);
			now = berth_probe_next(&probe);
			berth_probe_start(&probe, now);
			now += rand_r(&seed) % 500 * ms;
			outcome = berth_probe_result(&probe, ok, now);
			row_ok = ok ? row_ok + 1 : 0;
			row_bad = ok ? 0 : row_bad + 1;
			assert_true((outcome == BERTH_PROBE_NONE) == (probe.state == before));
			if (outcome == BERTH_PROBE_BECAME_OK)
				assert_true(row_ok >= timing.success_threshold);
			if (outcome == BERTH_PROBE_BECAME_FAILING)
				assert_true(row_bad == timing.failure_threshold &&
					    before == BERTH_PROBE_OK);
			if (row_ok >= timing.success_threshold)
				assert_int_equal(probe.state, BERTH_PROBE_OK);
			if (row_bad >= timing.failure_threshold)
				assert_int_not_equal(probe.state, BERTH_PROBE_OK);
			assert_true(berth_probe_next(&probe) - now <= timing.period_ms * ms);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_row_of_results_means_what_it_should),
		cmocka_unit_test(nothing_is_due_before_the_beginning_and_after_the_end),
		cmocka_unit_test(a_result_after_the_end_changes_nothing),
		cmocka_unit_test(beginning_anew_forgets_the_life_before),
		cmocka_unit_test(times_beyond_all_bounds_are_never),
		cmocka_unit_test(any_row_keeps_to_the_thresholds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
