/* SPDX-License-Identifier: MIT */
/* unit/service/test-rollout.c - every event in every phase of a rolling restart, and many by chance */
#include "service/rollout.h"

#include "base/attr.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

enum {
	START = BERTH_ROLLOUT_DO_START_NEW,
	STOP_OLD = BERTH_ROLLOUT_DO_STOP_OLD,
	DONE = BERTH_ROLLOUT_DO_DONE,
	ABORT = BERTH_ROLLOUT_DO_ABORT,
	WORKERS = 3,
	WALKS = 400,
	WALK_STEPS = 500,
};

#define X(id) #id,
static const char *const phase_names[] = { BERTH_ROLLOUT_PHASES(X) };
#undef X
static const char *const event_names[] = { "BEGIN",    "NEW_READY",	  "NEW_ENDED",
					   "OLD_GONE", "OLD_ENDED_EARLY", "STOP" };
_Static_assert(BERTH_ARRAY_SIZE(event_names) == BERTH_ROLLOUT_EVENT_COUNT_,
	       "an event has no name here");

/* The worker 1 of three in @phase, by the events that lead there. */
static struct berth_rollout in(enum berth_rollout_phase phase)
{
	static const enum berth_rollout_event ways[][4] = {
		[BERTH_ROLLOUT_STARTING] = { BERTH_ROLLOUT_ON_BEGIN },
		[BERTH_ROLLOUT_ALONE] = { BERTH_ROLLOUT_ON_BEGIN,
					  BERTH_ROLLOUT_ON_OLD_ENDED_EARLY },
		[BERTH_ROLLOUT_STOPPING] = { BERTH_ROLLOUT_ON_BEGIN, BERTH_ROLLOUT_ON_NEW_READY },
		[BERTH_ROLLOUT_LAST] = { BERTH_ROLLOUT_ON_BEGIN, BERTH_ROLLOUT_ON_NEW_READY,
					 BERTH_ROLLOUT_ON_NEW_ENDED },
		[BERTH_ROLLOUT_ABORTED] = { BERTH_ROLLOUT_ON_BEGIN, BERTH_ROLLOUT_ON_STOP },
	};
	struct berth_rollout rollout = { .phase = BERTH_ROLLOUT_IDLE };

	if (phase == BERTH_ROLLOUT_IDLE)
		return rollout;
	if (phase == BERTH_ROLLOUT_DONE) {
		assert_int_equal(berth_rollout_step(&rollout, BERTH_ROLLOUT_ON_BEGIN, 0), DONE);
		return rollout;
	}
	berth_rollout_step(&rollout, BERTH_ROLLOUT_ON_BEGIN, WORKERS);
	for (size_t i = 1; i < 4 && ways[phase][i]; i++)
		berth_rollout_step(&rollout, ways[phase][i], 1);
	assert_int_equal(rollout.phase, phase);
	return rollout;
}

struct cell {
	int phase; /* where it leads to; -1: it stays, and nothing is done */
	unsigned int actions;
	unsigned int number;
};

/* clang-format off */
#define STAY           { -1, 0, 0 }
#define TO(phase, ...) { BERTH_ROLLOUT_##phase, __VA_ARGS__ }
static const struct cell expected[BERTH_ROLLOUT_PHASE_COUNT_][BERTH_ROLLOUT_EVENT_COUNT_] = {
	/*                         BEGIN                   NEW_READY                 NEW_ENDED              OLD_GONE               OLD_ENDED_EARLY        STOP */
	[BERTH_ROLLOUT_IDLE]     = { TO(STARTING, START, 1), STAY,                     STAY,                  STAY,                  STAY,                  STAY },
	[BERTH_ROLLOUT_STARTING] = { STAY,                   TO(STOPPING, STOP_OLD, 1), TO(ABORTED, ABORT, 1), TO(ALONE, 0, 1),       TO(ALONE, 0, 1),       TO(ABORTED, ABORT, 1) },
	[BERTH_ROLLOUT_ALONE]    = { STAY,                   TO(STARTING, START, 2),    TO(ABORTED, ABORT, 1), STAY,                  STAY,                  TO(ABORTED, ABORT, 1) },
	[BERTH_ROLLOUT_STOPPING] = { STAY,                   STAY,                      TO(LAST, 0, 1),        TO(STARTING, START, 2), TO(STARTING, START, 2), TO(ABORTED, ABORT, 1) },
	[BERTH_ROLLOUT_LAST]     = { STAY,                   STAY,                      STAY,                  TO(ABORTED, ABORT, 1), TO(ABORTED, ABORT, 1), TO(ABORTED, ABORT, 1) },
	[BERTH_ROLLOUT_DONE]     = { TO(STARTING, START, 1), STAY,                      STAY,                  STAY,                  STAY,                  STAY },
	[BERTH_ROLLOUT_ABORTED]  = { TO(STARTING, START, 1), STAY,                      STAY,                  STAY,                  STAY,                  STAY },
};
#undef STAY
#undef TO
/* clang-format on */

static void every_event_has_its_answer_in_every_phase(void **state)
{
	(void)state;
	for (int phase = 0; phase < BERTH_ROLLOUT_PHASE_COUNT_; phase++)
		for (int event = 0; event < BERTH_ROLLOUT_EVENT_COUNT_; event++) {
			const struct cell *cell = &expected[phase][event];
			struct berth_rollout rollout = in((enum berth_rollout_phase)phase);
			unsigned int number = cell->phase < 0 ? rollout.number : cell->number;
			int wanted = cell->phase < 0 ? phase : cell->phase;
			unsigned int actions = berth_rollout_step(
				&rollout, (enum berth_rollout_event)event,
				event == BERTH_ROLLOUT_ON_BEGIN ? WORKERS : rollout.number);

			if ((int)rollout.phase != wanted || actions != cell->actions ||
			    rollout.number != number)
				fail_msg("%s, %s: %s of %u with 0x%x", phase_names[phase],
					 event_names[event], phase_names[rollout.phase],
					 rollout.number, actions);
		}
}

static void what_is_told_of_another_worker_changes_nothing(void **state)
{
	(void)state;
	for (int phase = 0; phase < BERTH_ROLLOUT_PHASE_COUNT_; phase++)
		for (int event = BERTH_ROLLOUT_ON_NEW_READY; event < BERTH_ROLLOUT_ON_STOP;
		     event++) {
			struct berth_rollout rollout = in((enum berth_rollout_phase)phase);
			unsigned int number = rollout.number;

			assert_int_equal(berth_rollout_step(&rollout,
							    (enum berth_rollout_event)event,
							    number + 1),
					 0);
			assert_int_equal(rollout.phase, phase);
			assert_int_equal(rollout.number, number);
		}
}

static void it_rolls_between_its_begin_and_its_end(void **state)
{
	(void)state;
	for (int phase = 0; phase < BERTH_ROLLOUT_PHASE_COUNT_; phase++) {
		struct berth_rollout rollout = in((enum berth_rollout_phase)phase);

		assert_int_equal(berth_rollout_is_rolling(&rollout),
				 phase >= BERTH_ROLLOUT_STARTING && phase <= BERTH_ROLLOUT_LAST);
	}
}

static void one_after_the_other_each_is_ready_before_its_old_one_is_stopped(void **state)
{
	struct berth_rollout rollout = { .phase = BERTH_ROLLOUT_IDLE };

	(void)state;
	assert_int_equal(berth_rollout_step(&rollout, BERTH_ROLLOUT_ON_BEGIN, WORKERS), START);
	for (unsigned int k = 1; k <= WORKERS; k++) {
		assert_int_equal(rollout.number, k);
		assert_int_equal(berth_rollout_step(&rollout, BERTH_ROLLOUT_ON_NEW_READY, k),
				 STOP_OLD);
		assert_int_equal(rollout.number, k);
		assert_int_equal(berth_rollout_step(&rollout, BERTH_ROLLOUT_ON_OLD_GONE, k),
				 k < WORKERS ? START : DONE);
	}
	assert_int_equal(rollout.phase, BERTH_ROLLOUT_DONE);
}

static void an_abort_says_whether_anything_of_the_worker_is_left(void **state)
{
	static const struct {
		enum berth_rollout_phase from;
		enum berth_rollout_event event;
		bool old_gone;
	} rows[] = {
		{ BERTH_ROLLOUT_STARTING, BERTH_ROLLOUT_ON_NEW_ENDED, false },
		{ BERTH_ROLLOUT_ALONE, BERTH_ROLLOUT_ON_NEW_ENDED, true },
		{ BERTH_ROLLOUT_LAST, BERTH_ROLLOUT_ON_OLD_GONE, true },
		{ BERTH_ROLLOUT_STOPPING, BERTH_ROLLOUT_ON_STOP, false },
	};

	(void)state;
	for (size_t i = 0; i < BERTH_ARRAY_SIZE(rows); i++) {
		struct berth_rollout rollout = in(rows[i].from);

		assert_int_equal(berth_rollout_step(&rollout, rows[i].event, 1), ABORT);
		assert_int_equal(rollout.old_gone, rows[i].old_gone);
		assert_int_equal(berth_rollout_step(&rollout, BERTH_ROLLOUT_ON_BEGIN, 1), START);
		assert_false(rollout.old_gone);
	}
}

/* What lives of each worker, and what was asked of it. */
struct world {
	uint64_t seed;
	bool old[WORKERS + 1], fresh[WORKERS + 1];
	bool fresh_ready[WORKERS + 1]; /* it was, once */
	bool asked[WORKERS + 1]; /* the old one was told to end */
	unsigned int count, turn, done, aborted;
};

static unsigned int draw(struct world *world, unsigned int below)
{
	world->seed ^= world->seed << 13;
	world->seed ^= world->seed >> 7;
	world->seed ^= world->seed << 17;
	return (unsigned int)((world->seed >> 33) % below);
}

static void begin_world(struct world *world)
{
	for (unsigned int k = 1; k <= world->count; k++) {
		world->old[k] = true;
		world->fresh[k] = world->fresh_ready[k] = world->asked[k] = false;
	}
	world->turn = 0;
}

static bool can_happen(const struct world *world, enum berth_rollout_event event, unsigned int k)
{
	switch (event) {
	case BERTH_ROLLOUT_ON_NEW_READY:
		return world->fresh[k] && !world->fresh_ready[k];
	case BERTH_ROLLOUT_ON_NEW_ENDED:
		return world->fresh[k];
	case BERTH_ROLLOUT_ON_OLD_GONE:
		return world->old[k] && world->asked[k];
	case BERTH_ROLLOUT_ON_OLD_ENDED_EARLY:
		return world->old[k];
	case BERTH_ROLLOUT_ON_BEGIN:
	case BERTH_ROLLOUT_ON_STOP:
	case BERTH_ROLLOUT_EVENT_COUNT_:
		break;
	}
	return true;
}

static void act(struct world *world, const struct berth_rollout *rollout, unsigned int actions)
{
	unsigned int k = rollout->number;

	if (actions & START) {
		assert_int_equal(k, world->turn + 1);
		world->turn = k;
		assert_false(world->fresh[k]);
		world->fresh[k] = true;
	}
	if (actions & STOP_OLD) {
		assert_true(world->fresh[k] && world->fresh_ready[k]);
		assert_true(world->old[k] && !world->asked[k]);
		world->asked[k] = true;
	}
	if (actions & DONE) {
		assert_int_equal(world->turn, world->count);
		for (unsigned int i = 1; i <= world->count; i++)
			assert_true(world->fresh_ready[i] && !world->old[i]);
		world->done++;
	}
	if (actions & ABORT)
		world->aborted++;
	assert_int_equal(!!(actions & (DONE | ABORT)) && berth_rollout_is_rolling(rollout), 0);
}

static void check(const struct world *world, const struct berth_rollout *rollout)
{
	unsigned int doubled = 0;

	for (unsigned int k = 1; k <= world->count; k++) {
		doubled += world->old[k] && world->fresh[k];
		if (k > world->turn)
			assert_false(world->fresh[k] || world->asked[k]);
		if (k < world->turn)
			assert_true(world->fresh_ready[k] && !world->old[k]);
	}
	assert_true(doubled <= 1);
	if (rollout->phase == BERTH_ROLLOUT_STARTING)
		assert_true(world->old[world->turn] && world->fresh[world->turn]);
	if (berth_rollout_is_rolling(rollout))
		assert_int_equal(rollout->old_gone, !world->old[world->turn]);
}

static void happen(struct world *world, struct berth_rollout *rollout,
		   enum berth_rollout_event event)
{
	unsigned int k = 1 + draw(world, WORKERS), actions;
	bool rolling = berth_rollout_is_rolling(rollout);

	/* An old one of another turn that ends is started again by its policy: it stays the same. */
	if (event == BERTH_ROLLOUT_ON_BEGIN) {
		if (!rolling) {
			world->count = draw(world, WORKERS + 1);
			begin_world(world);
		}
		actions = berth_rollout_step(rollout, event, world->count);
		assert_false(rolling && actions);
	} else if (k > world->count || !can_happen(world, event, k)) {
		return;
	} else {
		if (event == BERTH_ROLLOUT_ON_NEW_READY)
			world->fresh_ready[k] = true;
		if (event == BERTH_ROLLOUT_ON_NEW_ENDED && k == world->turn)
			world->fresh[k] = false;
		if ((event == BERTH_ROLLOUT_ON_OLD_GONE ||
		     event == BERTH_ROLLOUT_ON_OLD_ENDED_EARLY) &&
		    k == world->turn)
			world->old[k] = false;
		actions = berth_rollout_step(rollout, event, k);
		assert_false(!rolling && actions);
	}
	act(world, rollout, actions);
	check(world, rollout);
}

static void whatever_happens_at_most_one_worker_has_two_generations(void **state)
{
	unsigned int done = 0, aborted = 0;

	(void)state;
	for (uint64_t seed = 1; seed <= WALKS; seed++) {
		struct world world = { .seed = seed * 2654435761U };
		struct berth_rollout rollout = { .phase = BERTH_ROLLOUT_IDLE };

		for (int i = 0; i < WALK_STEPS; i++) {
			enum berth_rollout_event event =
				(enum berth_rollout_event)draw(&world, BERTH_ROLLOUT_EVENT_COUNT_);

			if (event == BERTH_ROLLOUT_ON_STOP && draw(&world, 10))
				continue;
			if (event == BERTH_ROLLOUT_ON_NEW_ENDED && draw(&world, 4))
				continue;
			happen(&world, &rollout, event);
		}
		done += world.done;
		aborted += world.aborted;
	}
	assert_true(done > WALKS && aborted > WALKS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_event_has_its_answer_in_every_phase),
		cmocka_unit_test(what_is_told_of_another_worker_changes_nothing),
		cmocka_unit_test(it_rolls_between_its_begin_and_its_end),
		cmocka_unit_test(one_after_the_other_each_is_ready_before_its_old_one_is_stopped),
		cmocka_unit_test(an_abort_says_whether_anything_of_the_worker_is_left),
		cmocka_unit_test(whatever_happens_at_most_one_worker_has_two_generations),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
