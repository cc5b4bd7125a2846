/* SPDX-License-Identifier: MIT */
/* unit/service/test-state.c - every event in every situation of a service's life, and long lives by chance */
#include "service/state.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define SECOND INT64_C(1000000000)
#define NOW (1000 * SECOND)

enum {
	PATH_MAX_EVENTS = 6,
	WALK_STEPS = 3000,
	TIMERS_UNTIL_KILL = 2,
};

static const struct berth_service_times times = {
	.grace_ns = 10 * SECOND,
	.notice_ns = 3 * SECOND,
	.daemon_ns = 5 * SECOND,
};

static const struct berth_service_facts failed = { .main_failed = true };
static const struct berth_service_facts left_with_0 = { .main_failed = false };
static const struct berth_service_facts left_and_listens = { .tree_listens = true };

static const char *const event_names[] = {
	"START", "START_FAILED", "LISTENING", "NOT_LISTENING", "MAIN_ENDED", "TREE_GONE",
	"STOP",	 "INTERRUPT",	 "KILL",      "RESTART",       "TIMER",
};
_Static_assert(BERTH_ARRAY_SIZE(event_names) == BERTH_SERVICE_EVENT_COUNT_,
	       "an event has no name here");

/* Where a service can be as far as its future goes: the state, and how it got there. */
enum situation {
	WAITING,
	STARTING,
	BACKGROUND, /* its first process left with 0, others live */
	READY,
	READY_BACKGROUND,
	UNREADY,
	ASKED, /* STOPPING since somebody wanted it */
	INTERRUPTED, /* STOPPING since Ctrl-C: nobody has been signalled by us */
	FAILING, /* STOPPING since the first process failed */
	KILLED, /* STOPPING without grace */
	RESTARTING, /* STOPPING on the way to the next life */
	STOPPED,
	FAILED,
	SITUATION_COUNT,
};

struct path {
	const char *name;
	enum berth_service_event events[PATH_MAX_EVENTS];
	size_t count;
	bool with_0; /* MAIN_ENDED is an exit 0 */
	enum berth_service_state state;
};

#define EVENTS(...) \
	.events = { __VA_ARGS__ }, .count = sizeof((enum berth_service_event[]){ __VA_ARGS__ }) / \
					    sizeof(enum berth_service_event)

static const struct path paths[SITUATION_COUNT] = {
	[WAITING] = { "waiting", .state = BERTH_SERVICE_WAITING },
	[STARTING] = { "starting", EVENTS(BERTH_SERVICE_ON_START),
		       .state = BERTH_SERVICE_STARTING },
	[BACKGROUND] = { "in the background",
			 EVENTS(BERTH_SERVICE_ON_START, BERTH_SERVICE_ON_MAIN_ENDED),
			 .with_0 = true, .state = BERTH_SERVICE_STARTING },
	[READY] = { "ready", EVENTS(BERTH_SERVICE_ON_START, BERTH_SERVICE_ON_LISTENING),
		    .state = BERTH_SERVICE_READY },
	[READY_BACKGROUND] = { "ready in the background",
			       EVENTS(BERTH_SERVICE_ON_START, BERTH_SERVICE_ON_MAIN_ENDED,
				      BERTH_SERVICE_ON_LISTENING),
			       .with_0 = true, .state = BERTH_SERVICE_READY },
	[UNREADY] = { "unready",
		      EVENTS(BERTH_SERVICE_ON_START, BERTH_SERVICE_ON_LISTENING,
			     BERTH_SERVICE_ON_NOT_LISTENING),
		      .state = BERTH_SERVICE_UNREADY },
	[ASKED] = { "stopping, asked", EVENTS(BERTH_SERVICE_ON_START, BERTH_SERVICE_ON_STOP),
		    .state = BERTH_SERVICE_STOPPING },
	[INTERRUPTED] = { "stopping, interrupted",
			  EVENTS(BERTH_SERVICE_ON_START, BERTH_SERVICE_ON_INTERRUPT),
			  .state = BERTH_SERVICE_STOPPING },
	[FAILING] = { "stopping, failed",
		      EVENTS(BERTH_SERVICE_ON_START, BERTH_SERVICE_ON_MAIN_ENDED),
		      .state = BERTH_SERVICE_STOPPING },
	[KILLED] = { "stopping, killed", EVENTS(BERTH_SERVICE_ON_START, BERTH_SERVICE_ON_KILL),
		     .state = BERTH_SERVICE_STOPPING },
	[RESTARTING] = { "restarting",
			 EVENTS(BERTH_SERVICE_ON_START, BERTH_SERVICE_ON_LISTENING,
				BERTH_SERVICE_ON_RESTART),
			 .state = BERTH_SERVICE_STOPPING },
	[STOPPED] = { "stopped",
		      EVENTS(BERTH_SERVICE_ON_START, BERTH_SERVICE_ON_STOP,
			     BERTH_SERVICE_ON_MAIN_ENDED, BERTH_SERVICE_ON_TREE_GONE),
		      .state = BERTH_SERVICE_STOPPED },
	[FAILED] = { "failed", EVENTS(BERTH_SERVICE_ON_START, BERTH_SERVICE_ON_START_FAILED),
		     .state = BERTH_SERVICE_FAILED },
};

static struct berth_service in(enum situation situation)
{
	const struct path *path = &paths[situation];
	struct berth_service service = { .times = times };

	for (size_t i = 0; i < path->count; i++)
		berth_service_step(&service, path->events[i], path->with_0 ? &left_with_0 : &failed,
				   NOW);
	if (service.state != path->state)
		fail_msg("the way to '%s' ends in '%s'", path->name,
			 berth_service_state_name(service.state));
	return service;
}

struct cell {
	char state; /* first letter of where it leads to; 0: it stays, and nothing is done */
	unsigned int actions;
};

enum {
	SPAWN = BERTH_SERVICE_DO_SPAWN,
	DROP = BERTH_SERVICE_DO_DROP,
	MAIN = BERTH_SERVICE_DO_SIGNAL_MAIN,
	TREE = BERTH_SERVICE_DO_SIGNAL_TREE,
	KILL = BERTH_SERVICE_DO_KILL_TREE,
	TELL = BERTH_SERVICE_DO_TELL_READY,
	SILENT = BERTH_SERVICE_DO_TELL_SILENT,
	FINISH = BERTH_SERVICE_DO_FINISH,
};

/* B(egun), R(eady), U(nready), E(nding), S(topped), F(ailed). */
static enum berth_service_state state_of(char letter, enum berth_service_state otherwise)
{
	switch (letter) {
	case 'B':
		return BERTH_SERVICE_STARTING;
	case 'R':
		return BERTH_SERVICE_READY;
	case 'U':
		return BERTH_SERVICE_UNREADY;
	case 'E':
		return BERTH_SERVICE_STOPPING;
	case 'S':
		return BERTH_SERVICE_STOPPED;
	case 'F':
		return BERTH_SERVICE_FAILED;
	default:
		return otherwise;
	}
}

/* clang-format off */
#define STAY { 0 }
/* MAIN_ENDED here: with something else than 0. */
static const struct cell expected[SITUATION_COUNT][BERTH_SERVICE_EVENT_COUNT_] = {
	/*                     START           START_FAILED     LISTENING      NOT_LISTENING  MAIN_ENDED            TREE_GONE        STOP                  INTERRUPT             KILL                  RESTART        TIMER */
	[WAITING]          = { { 'B', SPAWN }, { 'F', FINISH }, STAY,          STAY,          STAY,                 STAY,            { 'S', FINISH },      { 'S', FINISH },      { 'S', FINISH },      STAY,          STAY },
	[STARTING]         = { STAY,           { 'F', FINISH }, { 'R', TELL }, STAY,          { 'E', DROP | TREE }, { 'F', FINISH }, { 'E', DROP | MAIN }, { 'E', DROP },        { 'E', DROP | KILL }, { 'E', MAIN }, { 'B', SILENT } },
	[BACKGROUND]       = { STAY,           { 'F', FINISH }, { 'R', TELL }, STAY,          { 'E', DROP | TREE }, { 'S', FINISH }, { 'E', DROP | TREE }, { 'E', DROP | TREE }, { 'E', DROP | KILL }, { 'E', TREE }, { 'E', DROP | TREE } },
	[READY]            = { STAY,           STAY,            STAY,          { 'U', 0 },    { 'E', DROP | TREE }, { 'F', FINISH }, { 'E', DROP | MAIN }, { 'E', DROP },        { 'E', DROP | KILL }, { 'E', MAIN }, STAY },
	[READY_BACKGROUND] = { STAY,           STAY,            STAY,          { 'U', 0 },    { 'E', DROP | TREE }, { 'S', FINISH }, { 'E', DROP | TREE }, { 'E', DROP | TREE }, { 'E', DROP | KILL }, { 'E', TREE }, STAY },
	[UNREADY]          = { STAY,           STAY,            { 'R', 0 },    STAY,          { 'E', DROP | TREE }, { 'F', FINISH }, { 'E', DROP | MAIN }, { 'E', DROP },        { 'E', DROP | KILL }, { 'E', MAIN }, STAY },
	[ASKED]            = { STAY,           STAY,            STAY,          STAY,          { 'E', TREE },        { 'S', FINISH }, STAY,                 STAY,                 { 'E', DROP | KILL }, STAY,          { 'E', TREE } },
	[INTERRUPTED]      = { STAY,           STAY,            STAY,          STAY,          { 'E', TREE },        { 'S', FINISH }, { 'E', MAIN },        STAY,                 { 'E', DROP | KILL }, STAY,          { 'E', TREE } },
	[FAILING]          = { STAY,           STAY,            STAY,          STAY,          STAY,                 { 'F', FINISH }, STAY,                 STAY,                 { 'E', DROP | KILL }, STAY,          STAY },
	[KILLED]           = { STAY,           STAY,            STAY,          STAY,          STAY,                 { 'S', FINISH }, STAY,                 STAY,                 { 'E', DROP | KILL }, STAY,          { 'E', KILL } },
	[RESTARTING]       = { STAY,           STAY,            STAY,          STAY,          { 'E', TREE },        { 'B', SPAWN },  { 'E', DROP },        STAY,                 { 'E', DROP | KILL }, STAY,          { 'E', TREE } },
	[STOPPED]          = { { 'B', SPAWN }, STAY,            STAY,          STAY,          STAY,                 STAY,            STAY,                 STAY,                 STAY,                 STAY,          STAY },
	[FAILED]           = { { 'B', SPAWN }, STAY,            STAY,          STAY,          STAY,                 STAY,            STAY,                 STAY,                 STAY,                 STAY,          STAY },
};
#undef STAY
/* clang-format on */

static void every_event_has_its_answer_in_every_situation(void **state)
{
	(void)state;
	for (int situation = 0; situation < SITUATION_COUNT; situation++)
		for (int event = 0; event < BERTH_SERVICE_EVENT_COUNT_; event++) {
			struct berth_service service = in((enum situation)situation);
			const struct cell *cell = &expected[situation][event];
			enum berth_service_state wanted = state_of(cell->state, service.state);
			unsigned int actions = berth_service_step(
				&service, (enum berth_service_event)event, &failed, NOW + SECOND);

			if (service.state != wanted || actions != cell->actions)
				fail_msg("%s, %s: '%s' with 0x%x, not '%s' with 0x%x",
					 paths[situation].name, event_names[event],
					 berth_service_state_name(service.state), actions,
					 berth_service_state_name(wanted), cell->actions);
		}
}

static void what_changes_nothing_moves_no_deadline(void **state)
{
	(void)state;
	for (int situation = 0; situation < SITUATION_COUNT; situation++)
		for (int event = 0; event < BERTH_SERVICE_EVENT_COUNT_; event++) {
			struct berth_service service = in((enum situation)situation);
			int64_t deadline_ns = service.deadline_ns;

			if (expected[situation][event].state || event == BERTH_SERVICE_ON_TIMER)
				continue;
			berth_service_step(&service, (enum berth_service_event)event, &failed,
					   NOW + SECOND);
			if (service.deadline_ns != deadline_ns)
				fail_msg("%s, %s moves the deadline", paths[situation].name,
					 event_names[event]);
		}
}

static void the_states_have_the_words_of_the_json_output(void **state)
{
	static const char *const names[] = { "waiting",	 "starting", "ready", "unready",
					     "stopping", "stopped",  "failed" };

	(void)state;
	assert_int_equal(BERTH_ARRAY_SIZE(names), BERTH_SERVICE_STATE_COUNT_);
	for (int i = 0; i < BERTH_SERVICE_STATE_COUNT_; i++)
		assert_string_equal(berth_service_state_name((enum berth_service_state)i),
				    names[i]);
}

static void the_end_of_the_first_process_means_what_the_rest_of_the_tree_does(void **state)
{
	static const struct {
		enum situation from;
		const struct berth_service_facts *facts;
		enum berth_service_state state;
		unsigned int actions;
		int64_t deadline_ns; /* from the event; 0: none */
	} rows[] = {
		/* Put itself into the background: some time to listen. */
		{ STARTING, &left_with_0, BERTH_SERVICE_STARTING, 0, 5 * SECOND },
		{ STARTING, &failed, BERTH_SERVICE_STOPPING, DROP | TREE, 5 * SECOND },
		/* It has listened: the end of the first is the end, unless the tree still does. */
		{ READY, &left_with_0, BERTH_SERVICE_STOPPING, DROP | TREE, 5 * SECOND },
		{ READY, &left_and_listens, BERTH_SERVICE_READY, 0, 0 },
		{ READY, &failed, BERTH_SERVICE_STOPPING, DROP | TREE, 5 * SECOND },
		{ UNREADY, &left_with_0, BERTH_SERVICE_STOPPING, DROP | TREE, 5 * SECOND },
		{ UNREADY, &left_and_listens, BERTH_SERVICE_UNREADY, 0, 0 },
		{ UNREADY, &failed, BERTH_SERVICE_STOPPING, DROP | TREE, 5 * SECOND },
		/* On its way out it is all the same: the rest is asked at once. */
		{ ASKED, &left_with_0, BERTH_SERVICE_STOPPING, TREE, 4 * SECOND },
		{ ASKED, &left_and_listens, BERTH_SERVICE_STOPPING, TREE, 4 * SECOND },
		{ RESTARTING, &left_with_0, BERTH_SERVICE_STOPPING, TREE, 4 * SECOND },
		{ KILLED, &left_with_0, BERTH_SERVICE_STOPPING, 0, SECOND / 10 - SECOND },
	};

	(void)state;
	for (size_t i = 0; i < BERTH_ARRAY_SIZE(rows); i++) {
		struct berth_service service = in(rows[i].from);
		int64_t now = NOW + SECOND;
		unsigned int actions = berth_service_step(&service, BERTH_SERVICE_ON_MAIN_ENDED,
							  rows[i].facts, now);
		int64_t deadline_ns = rows[i].deadline_ns ? now + rows[i].deadline_ns : 0;

		if (service.state != rows[i].state || actions != rows[i].actions ||
		    service.deadline_ns != deadline_ns)
			fail_msg("row %zu (%s): '%s', 0x%x, %lld s", i, paths[rows[i].from].name,
				 berth_service_state_name(service.state), actions,
				 (long long)((service.deadline_ns - now) / SECOND));
	}
}

struct step {
	enum berth_service_event event;
	const struct berth_service_facts *facts;
};

static void stopped_is_what_was_wanted_or_left_with_0_and_failed_all_else(void **state)
{
	static const struct {
		const char *what;
		struct step steps[8];
		enum berth_service_state end;
	} rows[] = {
		{ "never started", { { BERTH_SERVICE_ON_STOP } }, BERTH_SERVICE_STOPPED },
		{ "no lease", { { BERTH_SERVICE_ON_START_FAILED } }, BERTH_SERVICE_FAILED },
		{ "no exec",
		  { { BERTH_SERVICE_ON_START }, { BERTH_SERVICE_ON_START_FAILED } },
		  BERTH_SERVICE_FAILED },
		{ "exit 0 of a short command",
		  { { BERTH_SERVICE_ON_START },
		    { BERTH_SERVICE_ON_MAIN_ENDED, &left_with_0 },
		    { BERTH_SERVICE_ON_TREE_GONE } },
		  BERTH_SERVICE_STOPPED },
		{ "exit 1",
		  { { BERTH_SERVICE_ON_START },
		    { BERTH_SERVICE_ON_MAIN_ENDED, &failed },
		    { BERTH_SERVICE_ON_TREE_GONE } },
		  BERTH_SERVICE_FAILED },
		{ "exit 0 of a server",
		  { { BERTH_SERVICE_ON_START },
		    { BERTH_SERVICE_ON_LISTENING },
		    { BERTH_SERVICE_ON_MAIN_ENDED, &left_with_0 },
		    { BERTH_SERVICE_ON_TREE_GONE } },
		  BERTH_SERVICE_STOPPED },
		{ "a signal, as asked",
		  { { BERTH_SERVICE_ON_START },
		    { BERTH_SERVICE_ON_STOP },
		    { BERTH_SERVICE_ON_MAIN_ENDED, &failed },
		    { BERTH_SERVICE_ON_TREE_GONE } },
		  BERTH_SERVICE_STOPPED },
		{ "asked only after it had failed",
		  { { BERTH_SERVICE_ON_START },
		    { BERTH_SERVICE_ON_MAIN_ENDED, &failed },
		    { BERTH_SERVICE_ON_STOP },
		    { BERTH_SERVICE_ON_TREE_GONE } },
		  BERTH_SERVICE_STOPPED },
		{ "Ctrl-C",
		  { { BERTH_SERVICE_ON_START },
		    { BERTH_SERVICE_ON_INTERRUPT },
		    { BERTH_SERVICE_ON_MAIN_ENDED, &failed },
		    { BERTH_SERVICE_ON_TREE_GONE } },
		  BERTH_SERVICE_STOPPED },
		{ "a daemon that never listened",
		  { { BERTH_SERVICE_ON_START },
		    { BERTH_SERVICE_ON_MAIN_ENDED, &left_with_0 },
		    { BERTH_SERVICE_ON_TIMER },
		    { BERTH_SERVICE_ON_TREE_GONE } },
		  BERTH_SERVICE_STOPPED },
		{ "a second life that fails",
		  { { BERTH_SERVICE_ON_START },
		    { BERTH_SERVICE_ON_RESTART },
		    { BERTH_SERVICE_ON_MAIN_ENDED, &left_with_0 },
		    { BERTH_SERVICE_ON_TREE_GONE },
		    { BERTH_SERVICE_ON_MAIN_ENDED, &failed },
		    { BERTH_SERVICE_ON_TREE_GONE } },
		  BERTH_SERVICE_FAILED },
		{ "a second life that can't begin",
		  { { BERTH_SERVICE_ON_START },
		    { BERTH_SERVICE_ON_RESTART },
		    { BERTH_SERVICE_ON_MAIN_ENDED, &left_with_0 },
		    { BERTH_SERVICE_ON_TREE_GONE },
		    { BERTH_SERVICE_ON_START_FAILED } },
		  BERTH_SERVICE_FAILED },
		{ "a stop takes a restart back",
		  { { BERTH_SERVICE_ON_START },
		    { BERTH_SERVICE_ON_RESTART },
		    { BERTH_SERVICE_ON_STOP },
		    { BERTH_SERVICE_ON_TREE_GONE } },
		  BERTH_SERVICE_STOPPED },
		{ "and no restart takes back a stop",
		  { { BERTH_SERVICE_ON_START },
		    { BERTH_SERVICE_ON_STOP },
		    { BERTH_SERVICE_ON_RESTART },
		    { BERTH_SERVICE_ON_TREE_GONE } },
		  BERTH_SERVICE_STOPPED },
		{ "nor a kill",
		  { { BERTH_SERVICE_ON_START },
		    { BERTH_SERVICE_ON_RESTART },
		    { BERTH_SERVICE_ON_KILL },
		    { BERTH_SERVICE_ON_RESTART },
		    { BERTH_SERVICE_ON_TREE_GONE } },
		  BERTH_SERVICE_STOPPED },
		{ "but it follows a failure",
		  { { BERTH_SERVICE_ON_START },
		    { BERTH_SERVICE_ON_MAIN_ENDED, &failed },
		    { BERTH_SERVICE_ON_RESTART },
		    { BERTH_SERVICE_ON_TREE_GONE } },
		  BERTH_SERVICE_STARTING },
	};

	(void)state;
	for (size_t i = 0; i < BERTH_ARRAY_SIZE(rows); i++) {
		struct berth_service service = { .times = times };

		for (size_t j = 0; j < BERTH_ARRAY_SIZE(rows[i].steps); j++) {
			const struct step *step = &rows[i].steps[j];

			/* START is 0 too, which pads the rows: it does nothing to what lives, but would begin anew. */
			if (j && step->event == BERTH_SERVICE_ON_START)
				break;
			berth_service_step(&service, step->event, step->facts, NOW + (int64_t)j);
		}
		if (service.state != rows[i].end)
			fail_msg("%s: '%s'", rows[i].what, berth_service_state_name(service.state));
		if (service.state != BERTH_SERVICE_STARTING && service.deadline_ns)
			fail_msg("%s: a deadline is left", rows[i].what);
	}
}

static void silence_is_told_once(void **state)
{
	struct berth_service service = in(STARTING);

	(void)state;
	assert_int_equal(service.deadline_ns, NOW + 3 * SECOND);
	assert_int_equal(
		berth_service_step(&service, BERTH_SERVICE_ON_TIMER, NULL, NOW + 3 * SECOND),
		SILENT);
	assert_int_equal(service.deadline_ns, 0);
	assert_int_equal(
		berth_service_step(&service, BERTH_SERVICE_ON_LISTENING, NULL, NOW + 9 * SECOND),
		TELL);
	assert_int_equal(service.deadline_ns, 0);
}

static void ready_is_told_once_in_a_life(void **state)
{
	struct berth_service service = in(UNREADY);

	(void)state;
	assert_int_equal(berth_service_step(&service, BERTH_SERVICE_ON_LISTENING, NULL, NOW), 0);
	assert_int_equal(berth_service_step(&service, BERTH_SERVICE_ON_RESTART, NULL, NOW), MAIN);
	assert_int_equal(berth_service_step(&service, BERTH_SERVICE_ON_TREE_GONE, NULL, NOW),
			 SPAWN);
	assert_int_equal(service.restarts, 1);
	assert_int_equal(service.deadline_ns, NOW + 3 * SECOND);
	assert_int_equal(berth_service_step(&service, BERTH_SERVICE_ON_LISTENING, NULL, NOW), TELL);
}

static void pressure_rises_at_half_of_the_grace_period_and_at_its_end(void **state)
{
	struct berth_service service = in(READY);
	int64_t begin = NOW + 7 * SECOND;

	(void)state;
	assert_int_equal(berth_service_step(&service, BERTH_SERVICE_ON_STOP, NULL, begin),
			 DROP | MAIN);
	assert_int_equal(service.pressure, 0);
	assert_int_equal(service.deadline_ns, begin + 5 * SECOND);
	assert_int_equal(
		berth_service_step(&service, BERTH_SERVICE_ON_TIMER, NULL, begin + 5 * SECOND),
		TREE);
	assert_int_equal(service.pressure, 1);
	assert_int_equal(service.deadline_ns, begin + 10 * SECOND);
	assert_int_equal(
		berth_service_step(&service, BERTH_SERVICE_ON_TIMER, NULL, begin + 10 * SECOND),
		KILL);
	assert_int_equal(service.pressure, 2);
	/* What is born while we look is met by the next look. */
	for (int64_t now = begin + 10 * SECOND; now < begin + 11 * SECOND;) {
		assert_true(service.deadline_ns > now && service.deadline_ns <= now + SECOND);
		now = service.deadline_ns;
		assert_int_equal(berth_service_step(&service, BERTH_SERVICE_ON_TIMER, NULL, now),
				 KILL);
	}
}

static void a_tree_that_was_asked_early_has_its_whole_grace_period(void **state)
{
	struct berth_service service = in(READY);

	(void)state;
	berth_service_step(&service, BERTH_SERVICE_ON_STOP, NULL, NOW);
	assert_int_equal(
		berth_service_step(&service, BERTH_SERVICE_ON_MAIN_ENDED, &failed, NOW + SECOND),
		TREE);
	assert_int_equal(service.deadline_ns, NOW + 5 * SECOND);
	assert_int_equal(
		berth_service_step(&service, BERTH_SERVICE_ON_TIMER, NULL, NOW + 5 * SECOND), 0);
	assert_int_equal(service.deadline_ns, NOW + 10 * SECOND);
	assert_int_equal(
		berth_service_step(&service, BERTH_SERVICE_ON_TIMER, NULL, NOW + 10 * SECOND),
		KILL);
}

/* A second signal would make many servers drop their clients. */
static void a_stop_after_a_ctrl_c_says_what_that_may_not_have_said_but_once(void **state)
{
	struct berth_service service = in(INTERRUPTED);

	(void)state;
	assert_int_equal(berth_service_step(&service, BERTH_SERVICE_ON_STOP, NULL, NOW), MAIN);
	assert_int_equal(berth_service_step(&service, BERTH_SERVICE_ON_STOP, NULL, NOW), 0);

	service = in(INTERRUPTED);
	berth_service_step(&service, BERTH_SERVICE_ON_MAIN_ENDED, &failed, NOW);
	assert_int_equal(berth_service_step(&service, BERTH_SERVICE_ON_STOP, NULL, NOW), 0);

	service = in(INTERRUPTED);
	assert_int_equal(
		berth_service_step(&service, BERTH_SERVICE_ON_TIMER, NULL, NOW + 5 * SECOND), TREE);
	assert_int_equal(
		berth_service_step(&service, BERTH_SERVICE_ON_STOP, NULL, NOW + 5 * SECOND), 0);
}

static void without_grace_all_three_steps_are_due_at_once(void **state)
{
	struct berth_service service = in(READY);

	(void)state;
	service.times.grace_ns = 0;
	assert_int_equal(berth_service_step(&service, BERTH_SERVICE_ON_STOP, NULL, NOW),
			 DROP | MAIN);
	assert_int_equal(service.deadline_ns, NOW);
	assert_int_equal(berth_service_step(&service, BERTH_SERVICE_ON_TIMER, NULL, NOW), TREE);
	assert_int_equal(service.deadline_ns, NOW);
	assert_int_equal(berth_service_step(&service, BERTH_SERVICE_ON_TIMER, NULL, NOW), KILL);
	assert_true(service.deadline_ns > NOW);
}

static void a_clock_that_comes_late_kills_no_sooner_than_a_step_later(void **state)
{
	struct berth_service service = in(ASKED);

	(void)state;
	assert_int_equal(
		berth_service_step(&service, BERTH_SERVICE_ON_TIMER, NULL, NOW + 60 * SECOND),
		TREE);
	assert_true(service.deadline_ns <= NOW + 60 * SECOND);
	assert_int_equal(
		berth_service_step(&service, BERTH_SERVICE_ON_TIMER, NULL, NOW + 60 * SECOND),
		KILL);
	assert_true(service.deadline_ns > NOW + 60 * SECOND);
}

/* The world around the machine: what lives, and what it may therefore be told. */
struct world {
	uint64_t seed;
	int64_t now;
	bool lives, main_lives;
	bool listened; /* in this life */
};

static unsigned int draw(struct world *world, unsigned int below)
{
	world->seed ^= world->seed << 13;
	world->seed ^= world->seed >> 7;
	world->seed ^= world->seed << 17;
	return (unsigned int)((world->seed >> 33) % below);
}

static bool is_over(const struct berth_service *service)
{
	return service->state == BERTH_SERVICE_STOPPED || service->state == BERTH_SERVICE_FAILED;
}

static bool can_happen(const struct world *world, const struct berth_service *service,
		       enum berth_service_event event)
{
	switch (event) {
	case BERTH_SERVICE_ON_START:
		return true; /* refused where something lives: that is looked at */
	case BERTH_SERVICE_ON_START_FAILED:
		return service->state == BERTH_SERVICE_WAITING;
	case BERTH_SERVICE_ON_LISTENING:
	case BERTH_SERVICE_ON_NOT_LISTENING:
		return world->lives;
	case BERTH_SERVICE_ON_MAIN_ENDED:
		return world->main_lives;
	case BERTH_SERVICE_ON_TREE_GONE:
		return world->lives && !world->main_lives;
	case BERTH_SERVICE_ON_TIMER:
		return service->deadline_ns != 0;
	case BERTH_SERVICE_ON_STOP:
	case BERTH_SERVICE_ON_INTERRUPT:
	case BERTH_SERVICE_ON_KILL:
	case BERTH_SERVICE_ON_RESTART:
	case BERTH_SERVICE_EVENT_COUNT_:
		break;
	}
	return true;
}

static void happen(struct world *world, struct berth_service *service,
		   enum berth_service_event event)
{
	struct berth_service before = *service;
	const struct berth_service_facts facts = { .main_failed = draw(world, 2) != 0,
						   .tree_listens = draw(world, 2) != 0 };
	unsigned int actions;

	world->now += (int64_t)draw(world, 1000000);
	if (event == BERTH_SERVICE_ON_TIMER && world->now < service->deadline_ns)
		world->now = service->deadline_ns;
	if (event == BERTH_SERVICE_ON_MAIN_ENDED)
		world->main_lives = false;
	if (event == BERTH_SERVICE_ON_TREE_GONE)
		world->lives = false;
	actions = berth_service_step(service, event, &facts, world->now);

	assert_false(actions & SPAWN && world->lives);
	if (actions & SPAWN) {
		world->lives = world->main_lives = true;
		world->listened = false;
		assert_int_equal(service->state, BERTH_SERVICE_STARTING);
	}
	if (event == BERTH_SERVICE_ON_LISTENING)
		world->listened = true;

	if (service->state == BERTH_SERVICE_READY || service->state == BERTH_SERVICE_UNREADY)
		assert_true(world->listened);
	assert_int_equal(!!(actions & FINISH), is_over(service) && !is_over(&before));
	assert_false(is_over(service) && world->lives);
	if (actions & (DROP | MAIN | TREE | KILL))
		assert_int_equal(service->state, BERTH_SERVICE_STOPPING);
	if (actions & MAIN)
		assert_true(world->main_lives);
	if (service->state == BERTH_SERVICE_STOPPING) {
		assert_true(service->deadline_ns != 0);
		assert_true(service->pressure <= 2);
		if (before.state == BERTH_SERVICE_STOPPING)
			assert_true(service->pressure >= before.pressure);
	}
	if (before.state == BERTH_SERVICE_STOPPING && event != BERTH_SERVICE_ON_TREE_GONE)
		assert_int_equal(service->state, BERTH_SERVICE_STOPPING);
	if (actions & KILL)
		assert_int_equal(service->pressure, 2);
}

/* Nothing but time passes after a stop: all is killed, and with the tree's end it is over. */
static void come_to_an_end(struct world *world, struct berth_service *service)
{
	happen(world, service, BERTH_SERVICE_ON_STOP);
	if (is_over(service))
		return;
	assert_int_equal(service->state, BERTH_SERVICE_STOPPING);
	for (int i = 0; i < TIMERS_UNTIL_KILL; i++)
		happen(world, service, BERTH_SERVICE_ON_TIMER);
	assert_int_equal(service->pressure, 2);
	if (world->main_lives)
		happen(world, service, BERTH_SERVICE_ON_MAIN_ENDED);
	happen(world, service, BERTH_SERVICE_ON_TREE_GONE);
	assert_int_equal(service->state, BERTH_SERVICE_STOPPED);
	assert_int_equal(service->deadline_ns, 0);
}

static void whatever_happens_the_promises_hold(void **state)
{
	static const uint64_t seeds[] = { 1,  2,  3,  5,    8,	   13,	       21,
					  34, 55, 89, 4711, 65537, 0xdecafbad, 0x5eed5eed5eed };
	bool seen[BERTH_SERVICE_STATE_COUNT_] = { 0 };

	(void)state;
	for (size_t i = 0; i < BERTH_ARRAY_SIZE(seeds); i++) {
		struct world world = { .seed = seeds[i], .now = NOW };
		struct berth_service service = { .times = times };

		for (int step = 0; step < WALK_STEPS; step++) {
			enum berth_service_event event =
				(enum berth_service_event)draw(&world, BERTH_SERVICE_EVENT_COUNT_);

			if (can_happen(&world, &service, event))
				happen(&world, &service, event);
			seen[service.state] = true;
			if (draw(&world, 100) == 0)
				come_to_an_end(&world, &service);
		}
	}
	for (int i = 0; i < BERTH_SERVICE_STATE_COUNT_; i++)
		assert_true(seen[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_event_has_its_answer_in_every_situation),
		cmocka_unit_test(what_changes_nothing_moves_no_deadline),
		cmocka_unit_test(the_states_have_the_words_of_the_json_output),
		cmocka_unit_test(the_end_of_the_first_process_means_what_the_rest_of_the_tree_does),
		cmocka_unit_test(stopped_is_what_was_wanted_or_left_with_0_and_failed_all_else),
		cmocka_unit_test(silence_is_told_once),
		cmocka_unit_test(ready_is_told_once_in_a_life),
		cmocka_unit_test(pressure_rises_at_half_of_the_grace_period_and_at_its_end),
		cmocka_unit_test(a_tree_that_was_asked_early_has_its_whole_grace_period),
		cmocka_unit_test(a_stop_after_a_ctrl_c_says_what_that_may_not_have_said_but_once),
		cmocka_unit_test(without_grace_all_three_steps_are_due_at_once),
		cmocka_unit_test(a_clock_that_comes_late_kills_no_sooner_than_a_step_later),
		cmocka_unit_test(whatever_happens_the_promises_hold),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
