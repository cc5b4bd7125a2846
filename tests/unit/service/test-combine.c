/* SPDX-License-Identifier: MIT */
/* unit/service/test-combine.c - every combination of up to three workers */
#include "service/combine.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

enum {
	WORKERS_MAX = 3,
	KINDS = BERTH_SERVICE_STATE_COUNT_ * 2, /* of a worker: state and was_ready */
};

/* One letter per state, upper case: was ready. */
static const char letters[] = "wsrupxf";

static struct berth_combine_worker worker_of(char letter)
{
	struct berth_combine_worker worker = { .was_ready = letter < 'a' };

	worker.state = (enum berth_service_state)(
		strchr(letters, worker.was_ready ? letter - 'A' + 'a' : letter) - letters);
	return worker;
}

/* w(aiting) s(tarting) r(eady) u(nready) p: stopping x: stopped f(ailed), as in letters. */
static void the_table_holds(void **state)
{
	static const struct {
		const char *workers;
		bool was_ready;
		char expected;
	} rows[] = {
		/* A single one is the service. */
		{ "w", false, 'w' },
		{ "w", true, 'w' },
		{ "s", true, 's' },
		{ "u", true, 'u' },
		{ "p", true, 'p' },
		/* Its first start. */
		{ "ww", false, 'w' },
		{ "ws", false, 's' },
		{ "Rs", false, 's' },
		{ "Rw", false, 's' },
		{ "RRR", false, 'r' },
		/* Each was ready once, if never at the same time. */
		{ "RW", false, 'r' },
		{ "RS", false, 'r' },
		{ "RU", false, 'r' },
		{ "RSU", false, 'r' },
		{ "Rf", false, 's' },
		/* Later. */
		{ "Rs", true, 'r' },
		{ "Rw", true, 'r' },
		{ "Rpf", true, 'r' },
		{ "rsw", true, 'r' },
		{ "ss", true, 'u' },
		{ "sw", true, 'u' },
		{ "uu", true, 'u' },
		{ "uw", true, 'u' },
		{ "up", true, 'u' },
		{ "sp", true, 'u' },
		{ "ww", true, 'w' },
		{ "wf", true, 'w' },
		{ "wx", false, 'w' },
		/* On its way out. */
		{ "ppp", true, 'p' },
		{ "pxf", true, 'p' },
		{ "pp", false, 'p' },
		{ "pw", true, 'p' },
		/* The end. */
		{ "xxx", true, 'x' },
		{ "xfx", true, 'f' },
		{ "FF", false, 'f' },
		{ "", true, 'x' },
	};

	(void)state;
	for (size_t i = 0; i < BERTH_ARRAY_SIZE(rows); i++) {
		struct berth_combine_worker workers[WORKERS_MAX];
		size_t count = strlen(rows[i].workers);
		char got;

		for (size_t j = 0; j < count; j++)
			workers[j] = worker_of(rows[i].workers[j]);
		got = letters[berth_combine_state(workers, count, rows[i].was_ready)];
		if (got != rows[i].expected)
			fail_msg("'%s'%s: '%c', not '%c'", rows[i].workers,
				 rows[i].was_ready ? ", was ready" : "", got, rows[i].expected);
	}
}

static bool lives(enum berth_service_state state)
{
	return state == BERTH_SERVICE_STARTING || state == BERTH_SERVICE_READY ||
	       state == BERTH_SERVICE_UNREADY || state == BERTH_SERVICE_STOPPING;
}

static size_t count_of(const struct berth_combine_worker *workers, size_t count,
		       enum berth_service_state state)
{
	size_t found = 0;

	for (size_t i = 0; i < count; i++)
		found += workers[i].state == state;
	return found;
}

/* What each answer promises, and by what it is forced: said from the answer, not as the code does. */
static void check(const struct berth_combine_worker *workers, size_t count, bool was_ready)
{
	enum berth_service_state got = berth_combine_state(workers, count, was_ready);
	size_t living = 0, once = 0;
	size_t ready = count_of(workers, count, BERTH_SERVICE_READY);
	size_t waiting = count_of(workers, count, BERTH_SERVICE_WAITING);
	size_t stopping = count_of(workers, count, BERTH_SERVICE_STOPPING);
	size_t failed = count_of(workers, count, BERTH_SERVICE_FAILED);
	bool serving;

	for (size_t i = 0; i < count; i++) {
		living += lives(workers[i].state);
		once += workers[i].was_ready;
	}
	serving = living > stopping && (was_ready || once == count);
	assert_int_equal(lives(got), living > 0);
	assert_int_equal(got == BERTH_SERVICE_STOPPING, living && living == stopping);
	assert_int_equal(got == BERTH_SERVICE_WAITING, !living && waiting);
	assert_int_equal(got == BERTH_SERVICE_FAILED, !living && !waiting && failed);
	assert_int_equal(got == BERTH_SERVICE_STOPPED, !living && !waiting && !failed);
	if (count == 1) {
		assert_int_equal(got, workers[0].state);
		return;
	}
	assert_int_equal(got == BERTH_SERVICE_READY, serving && ready);
	assert_int_equal(got == BERTH_SERVICE_UNREADY, serving && !ready);
	assert_int_equal(got == BERTH_SERVICE_STARTING, living > stopping && !serving);
}

static void every_combination_of_up_to_three_workers_keeps_its_promises(void **state)
{
	struct berth_combine_worker workers[WORKERS_MAX];
	size_t of_count = 1;

	(void)state;
	for (size_t count = 0; count <= WORKERS_MAX; count++, of_count *= KINDS)
		for (size_t i = 0; i < of_count * 2; i++) {
			size_t rest = i / 2;

			for (size_t j = 0; j < count; j++, rest /= KINDS)
				workers[j] = (struct berth_combine_worker){
					.state = (enum berth_service_state)(rest % KINDS / 2),
					.was_ready = rest % 2,
				};
			check(workers, count, i % 2);
		}
}

static void the_order_of_the_workers_is_of_no_account(void **state)
{
	(void)state;
	for (size_t i = 0; i < KINDS * KINDS * KINDS; i++) {
		struct berth_combine_worker there[WORKERS_MAX], back[WORKERS_MAX];
		size_t rest = i;

		for (size_t j = 0; j < WORKERS_MAX; j++, rest /= KINDS) {
			there[j].state = (enum berth_service_state)(rest % KINDS / 2);
			there[j].was_ready = rest % 2;
			back[WORKERS_MAX - 1 - j] = there[j];
		}
		assert_int_equal(berth_combine_state(there, WORKERS_MAX, false),
				 berth_combine_state(back, WORKERS_MAX, false));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_table_holds),
		cmocka_unit_test(every_combination_of_up_to_three_workers_keeps_its_promises),
		cmocka_unit_test(the_order_of_the_workers_is_of_no_account),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
