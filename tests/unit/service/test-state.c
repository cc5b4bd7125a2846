/* SPDX-License-Identifier: MIT */
/*
 * unit/service/test-state.c - every event in every situation of a service's life, and long lives by
 * chance
 *
 * In one file, over 600 lines, because the table, the stories and the walks speak of the same
 * situations.
 */
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
	WALKS = 20, /* of each seed */
	WALK_STEPS = 1500,
};

#define MS INT64_C(1000000)

static const struct berth_service_policy policy = {
	.backoff_ns = 100 * MS,
	.backoff_max_ns = 30 * SECOND,
	.stable_ns = 10 * SECOND,
	.limit = 5,
	.limit_ns = 10 * SECOND,
	.grace_ns = 10 * SECOND,
	.notice_ns = 3 * SECOND,
	.daemon_ns = 5 * SECOND,
};

static const struct berth_service_facts failed = { .main_failed = true };
static const struct berth_service_facts left_with_0 = { .main_failed = false };
static const struct berth_service_facts left_and_listens = { .tree_listens = true };

static const char *const event_names[] = {
	"START", "START_FAILED", "READY", "UNREADY", "UNHEALTHY", "MAIN_ENDED", "TREE_GONE",
	"STOP",	 "INTERRUPT",	 "GRACE", "KILL",    "RESTART",	  "TIMER",
};
_Static_assert(BERTH_ARRAY_SIZE(event_names) == BERTH_SERVICE_EVENT_COUNT_,
	       "an event has no name here");

/* Where a service can be as far as its future goes: the state, and how it got there. */
enum situation {
	WAITING,
	DELAYED, /* WAITING for the delay before a restart */
	STARTING,
	ANEW, /* STARTING, not for the first time */
	GUARDED, /* STARTING, and the policy will want another life */
	BACKGROUND, /* its first process left with 0, others live */
	READY,
	READY_GUARDED,
	READY_BACKGROUND,
	UNREADY,
	ASKED, /* STOPPING since somebody wanted it */
	INTERRUPTED, /* STOPPING since Ctrl-C: nobody has been signalled by us */
	FAILING, /* STOPPING since the first process failed */
	FALLING, /* the same, and the policy will want another life */
	SICK, /* STOPPING since it is not healthy */
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
	enum berth_service_restart restart;
	enum berth_service_state state;
};

#define EVENTS(...) \
	.events = { __VA_ARGS__ }, .count = sizeof((enum berth_service_event[]){ __VA_ARGS__ }) / \
					    sizeof(enum berth_service_event)

static const struct path paths[SITUATION_COUNT] = {
	[WAITING] = { "waiting", .state = BERTH_SERVICE_WAITING },
	[DELAYED] = { "delayed",
		      EVENTS(BERTH_SERVICE_ON_START, BERTH_SERVICE_ON_MAIN_ENDED,
			     BERTH_SERVICE_ON_TREE_GONE),
		      .restart = BERTH_SERVICE_RESTART_ON_FAILURE, .state = BERTH_SERVICE_WAITING },
	[STARTING] = { "starting", EVENTS(BERTH_SERVICE_ON_START),
		       .state = BERTH_SERVICE_STARTING },
	[ANEW] = { "starting anew",
		   EVENTS(BERTH_SERVICE_ON_START, BERTH_SERVICE_ON_RESTART,
			  BERTH_SERVICE_ON_MAIN_ENDED, BERTH_SERVICE_ON_TREE_GONE),
		   .state = BERTH_SERVICE_STARTING },
	[GUARDED] = { "starting anew, guarded",
		      EVENTS(BERTH_SERVICE_ON_START, BERTH_SERVICE_ON_RESTART,
			     BERTH_SERVICE_ON_MAIN_ENDED, BERTH_SERVICE_ON_TREE_GONE),
		      .restart = BERTH_SERVICE_RESTART_ON_FAILURE,
		      .state = BERTH_SERVICE_STARTING },
	[BACKGROUND] = { "in the background",
			 EVENTS(BERTH_SERVICE_ON_START, BERTH_SERVICE_ON_MAIN_ENDED),
			 .with_0 = true, .state = BERTH_SERVICE_STARTING },
	[READY] = { "ready", EVENTS(BERTH_SERVICE_ON_START, BERTH_SERVICE_ON_READY),
		    .state = BERTH_SERVICE_READY },
	[READY_GUARDED] = { "ready, guarded",
			    EVENTS(BERTH_SERVICE_ON_START, BERTH_SERVICE_ON_READY),
			    .restart = BERTH_SERVICE_RESTART_ALWAYS, .state = BERTH_SERVICE_READY },
	[READY_BACKGROUND] = { "ready in the background",
			       EVENTS(BERTH_SERVICE_ON_START, BERTH_SERVICE_ON_MAIN_ENDED,
				      BERTH_SERVICE_ON_READY),
			       .with_0 = true, .state = BERTH_SERVICE_READY },
	[UNREADY] = { "unready",
		      EVENTS(BERTH_SERVICE_ON_START, BERTH_SERVICE_ON_READY,
			     BERTH_SERVICE_ON_UNREADY),
		      .state = BERTH_SERVICE_UNREADY },
	[ASKED] = { "stopping, asked", EVENTS(BERTH_SERVICE_ON_START, BERTH_SERVICE_ON_STOP),
		    .state = BERTH_SERVICE_STOPPING },
	[INTERRUPTED] = { "stopping, interrupted",
			  EVENTS(BERTH_SERVICE_ON_START, BERTH_SERVICE_ON_INTERRUPT),
			  .state = BERTH_SERVICE_STOPPING },
	[FAILING] = { "stopping, failed",
		      EVENTS(BERTH_SERVICE_ON_START, BERTH_SERVICE_ON_MAIN_ENDED),
		      .state = BERTH_SERVICE_STOPPING },
	[FALLING] = { "stopping, failed, guarded",
		      EVENTS(BERTH_SERVICE_ON_START, BERTH_SERVICE_ON_MAIN_ENDED),
		      .restart = BERTH_SERVICE_RESTART_ON_FAILURE,
		      .state = BERTH_SERVICE_STOPPING },
	[SICK] = { "stopping, not healthy",
		   EVENTS(BERTH_SERVICE_ON_START, BERTH_SERVICE_ON_READY,
			  BERTH_SERVICE_ON_UNHEALTHY),
		   .state = BERTH_SERVICE_STOPPING },
	[KILLED] = { "stopping, killed", EVENTS(BERTH_SERVICE_ON_START, BERTH_SERVICE_ON_KILL),
		     .state = BERTH_SERVICE_STOPPING },
	[RESTARTING] = { "restarting",
			 EVENTS(BERTH_SERVICE_ON_START, BERTH_SERVICE_ON_READY,
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
	struct berth_service service = { .policy = policy, .seed = 1 };

	service.policy.restart = path->restart;
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
	DROP = BERTH_SERVICE_DO_DROP,
	KEEP = BERTH_SERVICE_DO_KEEP,
	SPAWN = BERTH_SERVICE_DO_SPAWN,
	MAIN = BERTH_SERVICE_DO_SIGNAL_MAIN,
	TREE = BERTH_SERVICE_DO_SIGNAL_TREE,
	KILL = BERTH_SERVICE_DO_KILL_TREE,
	TELL = BERTH_SERVICE_DO_TELL_READY,
	SILENT = BERTH_SERVICE_DO_TELL_SILENT,
	FINISH = BERTH_SERVICE_DO_FINISH,
};

/* W(aiting), B(egun), R(eady), U(nready), E(nding), S(topped), F(ailed). */
static enum berth_service_state state_of(char letter, enum berth_service_state otherwise)
{
	switch (letter) {
	case 'W':
		return BERTH_SERVICE_WAITING;
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
/* MAIN_ENDED here: with something else than 0. TIMER: when it is due. */
static const struct cell expected[SITUATION_COUNT][BERTH_SERVICE_EVENT_COUNT_] = {
	/*                     START           START_FAILED            READY          UNREADY     UNHEALTHY             MAIN_ENDED            TREE_GONE               STOP                    INTERRUPT               GRACE  KILL                    RESTART         TIMER */
	[WAITING]          = { { 'B', SPAWN }, { 'F', FINISH },        STAY,          STAY,       STAY,                 STAY,                 STAY,                   { 'S', FINISH },        { 'S', FINISH },        STAY,  { 'S', FINISH },        { 'B', SPAWN }, STAY },
	[DELAYED]          = { { 'B', SPAWN }, STAY,                   STAY,          STAY,       STAY,                 STAY,                 STAY,                   { 'S', DROP | FINISH }, { 'S', DROP | FINISH }, STAY,  { 'S', DROP | FINISH }, { 'B', SPAWN }, { 'B', SPAWN } },
	[STARTING]         = { STAY,           { 'F', DROP | FINISH }, { 'R', TELL }, STAY,       { 'E', DROP | MAIN }, { 'E', DROP | TREE }, { 'F', DROP | FINISH }, { 'E', DROP | MAIN },   { 'E', DROP },          STAY,  { 'E', DROP | KILL },   { 'E', MAIN },  { 'B', SILENT } },
	[ANEW]             = { STAY,           { 'F', DROP | FINISH }, { 'R', TELL }, STAY,       { 'E', DROP | MAIN }, { 'E', DROP | TREE }, { 'F', DROP | FINISH }, { 'E', DROP | MAIN },   { 'E', DROP },          STAY,  { 'E', DROP | KILL },   { 'E', MAIN },  { 'B', SILENT } },
	[GUARDED]          = { STAY,           { 'W', KEEP },          { 'R', TELL }, STAY,       { 'E', MAIN },        { 'E', TREE },        { 'W', KEEP },          { 'E', DROP | MAIN },   { 'E', DROP },          STAY,  { 'E', DROP | KILL },   { 'E', MAIN },  { 'B', SILENT } },
	[BACKGROUND]       = { STAY,           { 'F', DROP | FINISH }, { 'R', TELL }, STAY,       { 'E', DROP | TREE }, { 'E', DROP | TREE }, { 'S', DROP | FINISH }, { 'E', DROP | TREE },   { 'E', DROP | TREE },   STAY,  { 'E', DROP | KILL },   { 'E', TREE },  { 'E', DROP | TREE } },
	[READY]            = { STAY,           STAY,                   STAY,          { 'U', 0 }, { 'E', DROP | MAIN }, { 'E', DROP | TREE }, { 'F', DROP | FINISH }, { 'E', DROP | MAIN },   { 'E', DROP },          STAY,  { 'E', DROP | KILL },   { 'E', MAIN },  STAY },
	[READY_GUARDED]    = { STAY,           STAY,                   STAY,          { 'U', 0 }, { 'E', MAIN },        { 'E', TREE },        { 'W', KEEP },          { 'E', DROP | MAIN },   { 'E', DROP },          STAY,  { 'E', DROP | KILL },   { 'E', MAIN },  STAY },
	[READY_BACKGROUND] = { STAY,           STAY,                   STAY,          { 'U', 0 }, { 'E', DROP | TREE }, { 'E', DROP | TREE }, { 'S', DROP | FINISH }, { 'E', DROP | TREE },   { 'E', DROP | TREE },   STAY,  { 'E', DROP | KILL },   { 'E', TREE },  STAY },
	[UNREADY]          = { STAY,           STAY,                   { 'R', 0 },    STAY,       { 'E', DROP | MAIN }, { 'E', DROP | TREE }, { 'F', DROP | FINISH }, { 'E', DROP | MAIN },   { 'E', DROP },          STAY,  { 'E', DROP | KILL },   { 'E', MAIN },  STAY },
	[ASKED]            = { STAY,           { 'S', FINISH },        STAY,          STAY,       STAY,                 { 'E', TREE },        { 'S', FINISH },        STAY,                   STAY,                   STAY,  { 'E', DROP | KILL },   STAY,           { 'E', TREE } },
	[INTERRUPTED]      = { STAY,           { 'S', FINISH },        STAY,          STAY,       STAY,                 { 'E', TREE },        { 'S', FINISH },        { 'E', MAIN },          STAY,                   STAY,  { 'E', DROP | KILL },   STAY,           { 'E', TREE } },
	[FAILING]          = { STAY,           { 'F', FINISH },        STAY,          STAY,       STAY,                 STAY,                 { 'F', FINISH },        STAY,                   STAY,                   STAY,  { 'E', DROP | KILL },   STAY,           STAY },
	[FALLING]          = { STAY,           { 'F', DROP | FINISH }, STAY,          STAY,       STAY,                 STAY,                 { 'W', KEEP },          { 'E', DROP },          { 'E', DROP },          STAY,  { 'E', DROP | KILL },   STAY,           STAY },
	[SICK]             = { STAY,           { 'F', FINISH },        STAY,          STAY,       STAY,                 { 'E', TREE },        { 'F', FINISH },        STAY,                   STAY,                   STAY,  { 'E', DROP | KILL },   STAY,           { 'E', TREE } },
	[KILLED]           = { STAY,           { 'S', FINISH },        STAY,          STAY,       STAY,                 STAY,                 { 'S', FINISH },        STAY,                   STAY,                   STAY,  { 'E', DROP | KILL },   STAY,           { 'E', KILL } },
	[RESTARTING]       = { STAY,           { 'B', KEEP | SPAWN },  STAY,          STAY,       STAY,                 { 'E', TREE },        { 'B', KEEP | SPAWN },  { 'E', DROP },          { 'E', DROP },          STAY,  { 'E', DROP | KILL },   STAY,           { 'E', TREE } },
	[STOPPED]          = { { 'B', SPAWN }, STAY,                   STAY,          STAY,       STAY,                 STAY,                 STAY,                   STAY,                   STAY,                   STAY,  STAY,                   { 'B', SPAWN }, STAY },
	[FAILED]           = { { 'B', SPAWN }, STAY,                   STAY,          STAY,       STAY,                 STAY,                 STAY,                   STAY,                   STAY,                   STAY,  STAY,                   { 'B', SPAWN }, STAY },
};
#undef STAY
/* clang-format on */

static int64_t time_of(const struct berth_service *service, int event)
{
	if (event == BERTH_SERVICE_ON_TIMER && service->deadline_ns > NOW + SECOND)
		return service->deadline_ns;
	return NOW + SECOND;
}

static void every_event_has_its_answer_in_every_situation(void **state)
{
	(void)state;
	for (int situation = 0; situation < SITUATION_COUNT; situation++)
		for (int event = 0; event < BERTH_SERVICE_EVENT_COUNT_; event++) {
			struct berth_service service = in((enum situation)situation);
			const struct cell *cell = &expected[situation][event];
			enum berth_service_state wanted = state_of(cell->state, service.state);
			unsigned int actions =
				berth_service_step(&service, (enum berth_service_event)event,
						   &failed, time_of(&service, event));

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
		    { BERTH_SERVICE_ON_READY },
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
		struct berth_service service = { .policy = policy, .seed = 1 };

		for (size_t j = 0; j < BERTH_ARRAY_SIZE(rows[i].steps); j++) {
			const struct step *step = &rows[i].steps[j];

			/* START is 0 too, which pads the rows: it does nothing to what lives, but would begin anew. */
			if (j && step->event == BERTH_SERVICE_ON_START)
				break;
			berth_service_step(&service, step->event, step->facts,
					   step->event == BERTH_SERVICE_ON_TIMER
						   ? service.deadline_ns
						   : NOW + (int64_t)j);
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
		berth_service_step(&service, BERTH_SERVICE_ON_READY, NULL, NOW + 9 * SECOND), TELL);
	assert_int_equal(service.deadline_ns, 0);
}

static void without_a_notice_time_silence_is_not_told(void **state)
{
	struct berth_service service = { .policy = policy };

	(void)state;
	service.policy.notice_ns = 0;
	berth_service_step(&service, BERTH_SERVICE_ON_START, NULL, NOW);
	assert_int_equal(service.deadline_ns, 0);
}

static void ready_is_told_once_in_a_life(void **state)
{
	struct berth_service service = in(UNREADY);

	(void)state;
	assert_int_equal(berth_service_step(&service, BERTH_SERVICE_ON_READY, NULL, NOW), 0);
	assert_int_equal(berth_service_step(&service, BERTH_SERVICE_ON_RESTART, NULL, NOW), MAIN);
	assert_int_equal(berth_service_step(&service, BERTH_SERVICE_ON_TREE_GONE, NULL, NOW),
			 KEEP | SPAWN);
	assert_int_equal(service.restarts, 1);
	assert_int_equal(service.deadline_ns, NOW + 3 * SECOND);
	assert_int_equal(berth_service_step(&service, BERTH_SERVICE_ON_READY, NULL, NOW), TELL);
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

static void another_grace_period_brings_the_end_nearer_and_never_farther(void **state)
{
	static const struct {
		int64_t first, after, second; /* s */
		int64_t tree, kill; /* s from the first request; 0: the tree has been asked */
	} rows[] = {
		{ 60, 10, 4, 12, 14 }, /* before half of the first one */
		{ 60, 29, 4, 30, 33 }, { 60, 40, 4, 0, 44 }, /* after it */
		{ 60, 40, 20, 0, 60 }, { 60, 40, 30, 0, 60 },
		{ 4, 1, 60, 2, 4 },    { 60, 10, 0, 10, 10 },
	};

	(void)state;
	for (size_t i = 0; i < BERTH_ARRAY_SIZE(rows); i++) {
		struct berth_service service = in(READY);
		int64_t at = NOW + rows[i].after * SECOND;
		unsigned int actions = 0;

		service.policy.grace_ns = rows[i].first * SECOND;
		berth_service_step(&service, BERTH_SERVICE_ON_STOP, NULL, NOW);
		if (service.deadline_ns <= at)
			berth_service_step(&service, BERTH_SERVICE_ON_TIMER, NULL,
					   service.deadline_ns);
		service.policy.grace_ns = rows[i].second * SECOND;
		assert_int_equal(berth_service_step(&service, BERTH_SERVICE_ON_GRACE, NULL, at), 0);
		if (rows[i].tree) {
			assert_int_equal(service.deadline_ns, NOW + rows[i].tree * SECOND);
			actions = berth_service_step(&service, BERTH_SERVICE_ON_TIMER, NULL,
						     service.deadline_ns);
			assert_int_equal(actions, TREE);
		}
		assert_int_equal(service.deadline_ns, NOW + rows[i].kill * SECOND);
		actions = berth_service_step(&service, BERTH_SERVICE_ON_TIMER, NULL,
					     service.deadline_ns);
		assert_int_equal(actions, KILL);
	}
}

static void without_grace_all_three_steps_are_due_at_once(void **state)
{
	struct berth_service service = in(READY);

	(void)state;
	service.policy.grace_ns = 0;
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

static void a_timer_that_comes_before_its_time_changes_nothing(void **state)
{
	(void)state;
	for (int situation = 0; situation < SITUATION_COUNT; situation++) {
		struct berth_service service = in((enum situation)situation);
		struct berth_service before = service;
		unsigned int actions =
			berth_service_step(&service, BERTH_SERVICE_ON_TIMER, NULL,
					   service.deadline_ns ? service.deadline_ns - 1 : NOW);

		if (actions || memcmp(&service, &before, sizeof(service)))
			fail_msg("%s: 0x%x", paths[situation].name, actions);
	}
}

static void the_policies_have_the_words_of_the_option(void **state)
{
	(void)state;
	assert_int_equal(BERTH_SERVICE_RESTART_COUNT_, 3);
	assert_string_equal(berth_service_restart_name(BERTH_SERVICE_RESTART_NO), "no");
	assert_string_equal(berth_service_restart_name(BERTH_SERVICE_RESTART_ON_FAILURE),
			    "on-failure");
	assert_string_equal(berth_service_restart_name(BERTH_SERVICE_RESTART_ALWAYS), "always");
}

static unsigned int step_at(struct berth_service *service, enum berth_service_event event,
			    int64_t now)
{
	return berth_service_step(service, event, &failed, now);
}

static struct berth_service started(enum berth_service_restart restart, int64_t now)
{
	struct berth_service service = { .policy = policy, .seed = 1 };

	service.policy.restart = restart;
	assert_int_equal(step_at(&service, BERTH_SERVICE_ON_START, now), SPAWN);
	return service;
}

/* Returns what follows the end of the tree. */
static unsigned int die(struct berth_service *service, int64_t now)
{
	step_at(service, BERTH_SERVICE_ON_MAIN_ENDED, now);
	assert_int_equal(service->state, BERTH_SERVICE_STOPPING);
	return step_at(service, BERTH_SERVICE_ON_TREE_GONE, now);
}

/* Dies, waits, and is started again. Returns the delay. */
static int64_t die_and_return(struct berth_service *service, int64_t *now)
{
	unsigned int actions = die(service, *now);
	int64_t delay = 0;

	if (service->state == BERTH_SERVICE_WAITING) {
		assert_int_equal(actions, KEEP);
		delay = service->deadline_ns - *now;
		*now = service->deadline_ns;
		actions = KEEP | step_at(service, BERTH_SERVICE_ON_TIMER, *now);
	}
	assert_int_equal(actions, KEEP | SPAWN);
	assert_int_equal(service->state, BERTH_SERVICE_STARTING);
	return delay;
}

static void who_lives_again_is_a_matter_of_the_policy_and_of_how_it_ended(void **state)
{
	static const struct {
		const char *what;
		struct step steps[4];
		char end[BERTH_SERVICE_RESTART_COUNT_]; /* no, on-failure, always */
	} rows[] = {
		{ "exit 1",
		  { { BERTH_SERVICE_ON_MAIN_ENDED, &failed }, { BERTH_SERVICE_ON_TREE_GONE } },
		  { 'F', 'W', 'W' } },
		{ "exit 0",
		  { { BERTH_SERVICE_ON_READY },
		    { BERTH_SERVICE_ON_MAIN_ENDED, &left_with_0 },
		    { BERTH_SERVICE_ON_TREE_GONE } },
		  { 'S', 'S', 'W' } },
		{ "exit 0 of a short command",
		  { { BERTH_SERVICE_ON_MAIN_ENDED, &left_with_0 }, { BERTH_SERVICE_ON_TREE_GONE } },
		  { 'S', 'S', 'W' } },
		{ "the end of what went into the background",
		  { { BERTH_SERVICE_ON_MAIN_ENDED, &left_and_listens },
		    { BERTH_SERVICE_ON_READY },
		    { BERTH_SERVICE_ON_TREE_GONE } },
		  { 'S', 'S', 'W' } },
		{ "not healthy, then exit 0",
		  { { BERTH_SERVICE_ON_READY },
		    { BERTH_SERVICE_ON_UNHEALTHY },
		    { BERTH_SERVICE_ON_MAIN_ENDED, &left_with_0 },
		    { BERTH_SERVICE_ON_TREE_GONE } },
		  { 'F', 'W', 'W' } },
		{ "not ready any more",
		  { { BERTH_SERVICE_ON_READY }, { BERTH_SERVICE_ON_UNREADY } },
		  { 'U', 'U', 'U' } },
		{ "stopped",
		  { { BERTH_SERVICE_ON_STOP },
		    { BERTH_SERVICE_ON_MAIN_ENDED, &failed },
		    { BERTH_SERVICE_ON_TREE_GONE } },
		  { 'S', 'S', 'S' } },
		{ "interrupted while it fell",
		  { { BERTH_SERVICE_ON_MAIN_ENDED, &failed },
		    { BERTH_SERVICE_ON_INTERRUPT },
		    { BERTH_SERVICE_ON_TREE_GONE } },
		  { 'S', 'S', 'S' } },
		{ "killed while it fell",
		  { { BERTH_SERVICE_ON_MAIN_ENDED, &failed },
		    { BERTH_SERVICE_ON_KILL },
		    { BERTH_SERVICE_ON_TREE_GONE } },
		  { 'S', 'S', 'S' } },
		{ "asked to restart while it fell",
		  { { BERTH_SERVICE_ON_MAIN_ENDED, &failed },
		    { BERTH_SERVICE_ON_RESTART },
		    { BERTH_SERVICE_ON_TREE_GONE } },
		  { 'B', 'B', 'B' } },
	};

	(void)state;
	for (size_t i = 0; i < BERTH_ARRAY_SIZE(rows); i++)
		for (int restart = 0; restart < BERTH_SERVICE_RESTART_COUNT_; restart++) {
			struct berth_service service =
				started((enum berth_service_restart)restart, NOW);

			for (size_t j = 0; j < 4 && rows[i].steps[j].event; j++)
				berth_service_step(&service, rows[i].steps[j].event,
						   rows[i].steps[j].facts, NOW);
			if (service.state != state_of(rows[i].end[restart], service.state))
				fail_msg("%s, --restart %s: '%s'", rows[i].what,
					 berth_service_restart_name(
						 (enum berth_service_restart)restart),
					 berth_service_state_name(service.state));
			assert_false(service.gave_up);
		}
}

/* Who is there again at once needs its sockets kept; who may not be drops them before it is asked. */
static void sockets_are_dropped_when_a_stop_begins_unless_another_life_is_certain(void **state)
{
	struct berth_service service = in(FALLING);

	(void)state;
	assert_int_equal(step_at(&service, BERTH_SERVICE_ON_STOP, NOW), DROP);
	assert_int_equal(step_at(&service, BERTH_SERVICE_ON_STOP, NOW), 0);
	assert_int_equal(step_at(&service, BERTH_SERVICE_ON_RESTART, NOW), 0);
	assert_int_equal(step_at(&service, BERTH_SERVICE_ON_TREE_GONE, NOW), FINISH);
	assert_int_equal(service.state, BERTH_SERVICE_STOPPED);

	/* Not certain, then asked for: it is too late to keep them, but it lives. */
	service = in(FAILING);
	assert_int_equal(step_at(&service, BERTH_SERVICE_ON_RESTART, NOW), 0);
	assert_int_equal(step_at(&service, BERTH_SERVICE_ON_TREE_GONE, NOW), KEEP | SPAWN);

	/* One who has used up the limit is not certain. */
	service = in(READY_GUARDED);
	service.policy.limit = 1;
	service.restarted_ns[0] = NOW;
	service.restarted_next = 1;
	assert_int_equal(step_at(&service, BERTH_SERVICE_ON_MAIN_ENDED, NOW), DROP | TREE);
	assert_int_equal(step_at(&service, BERTH_SERVICE_ON_TREE_GONE, NOW), FINISH);
	assert_int_equal(service.state, BERTH_SERVICE_FAILED);
	assert_true(service.gave_up);

	/* The policy was taken back in between: what was kept is not forgotten. */
	service = in(FALLING);
	service.policy.restart = BERTH_SERVICE_RESTART_NO;
	assert_int_equal(step_at(&service, BERTH_SERVICE_ON_TREE_GONE, NOW), DROP | FINISH);
}

static void delays_double_up_to_their_most_with_a_quarter_of_jitter_at_most(void **state)
{
	struct berth_service service = started(BERTH_SERVICE_RESTART_ON_FAILURE, NOW);
	int64_t now = NOW, base = 100 * MS;
	int64_t most = 0;

	(void)state;
	service.policy.limit = 0;
	for (unsigned int i = 0; i < 100; i++) {
		int64_t delay = die_and_return(&service, &now);

		if (delay < base || delay > base + base / 4)
			fail_msg("failure %u: %lld ns", i, (long long)delay);
		most = delay > most ? delay : most;
		base = base * 2 < 30 * SECOND ? base * 2 : 30 * SECOND;
		assert_int_equal(service.restarts, i + 1);
		assert_int_equal(service.failures, i + 1);
	}
	assert_true(most > 36 * SECOND);
}

static void jitter_spreads_over_its_quarter_and_differs_between_seeds(void **state)
{
	int64_t least = INT64_MAX, most = 0;

	(void)state;
	for (uint32_t seed = 1; seed <= 200; seed++) {
		struct berth_service service = started(BERTH_SERVICE_RESTART_ALWAYS, NOW);
		int64_t now = NOW, delay;

		service.seed = seed * 2654435761U;
		delay = die_and_return(&service, &now);
		least = delay < least ? delay : least;
		most = delay > most ? delay : most;
	}
	assert_in_range(least, 100 * MS, 103 * MS);
	assert_in_range(most, 122 * MS, 125 * MS);
}

static void no_delay_overflows(void **state)
{
	static const struct {
		int64_t backoff_ns, backoff_max_ns, delay_ns;
		unsigned int failures;
	} rows[] = {
		{ 100 * MS, 30 * SECOND, 30 * SECOND, 62 },
		{ 100 * MS, 30 * SECOND, 30 * SECOND, 63 },
		{ 100 * MS, 30 * SECOND, 30 * SECOND, 64 },
		{ 100 * MS, 30 * SECOND, 30 * SECOND, UINT32_MAX - 1 },
		{ 1, INT64_MAX / 4, INT64_C(1) << 60, 60 },
		{ 1, INT64_MAX / 4, INT64_MAX / 4, 62 },
		{ 60 * SECOND, 30 * SECOND, 30 * SECOND, 0 }, /* the most is the most */
	};

	(void)state;
	for (size_t i = 0; i < BERTH_ARRAY_SIZE(rows); i++) {
		struct berth_service service = started(BERTH_SERVICE_RESTART_ALWAYS, NOW);
		int64_t now = NOW, delay;

		service.policy.backoff_ns = rows[i].backoff_ns;
		service.policy.backoff_max_ns = rows[i].backoff_max_ns;
		service.failures = rows[i].failures;
		delay = die_and_return(&service, &now);
		if (delay < rows[i].delay_ns || delay - rows[i].delay_ns > rows[i].delay_ns / 4)
			fail_msg("row %zu: %lld ns", i, (long long)delay);
	}
}

static void after_a_stable_life_it_is_there_at_once_and_delays_begin_anew(void **state)
{
	struct berth_service service = started(BERTH_SERVICE_RESTART_ON_FAILURE, NOW);
	int64_t now = NOW;

	(void)state;
	for (int i = 0; i < 3; i++)
		die_and_return(&service, &now);
	now += 10 * SECOND - 1;
	assert_true(die_and_return(&service, &now) >= 800 * MS);
	now += 10 * SECOND;
	assert_int_equal(die_and_return(&service, &now), 0);
	assert_int_equal(service.failures, 0);
	assert_in_range(die_and_return(&service, &now), 100 * MS, 125 * MS);
}

static void without_backoff_it_is_there_at_once_each_time(void **state)
{
	struct berth_service service = started(BERTH_SERVICE_RESTART_ALWAYS, NOW);
	int64_t now = NOW;

	(void)state;
	service.policy.backoff_ns = 0;
	for (int i = 0; i < 5; i++)
		assert_int_equal(die_and_return(&service, &now), 0);
	assert_int_equal(die(&service, now), FINISH);
}

static void the_limit_slides_and_ends_exactly_at_its_border(void **state)
{
	static const struct {
		int64_t sixth_ns; /* after the first of five, a second each */
		bool lives;
	} rows[] = {
		{ 4 * SECOND, false },
		{ 10 * SECOND - 1, false },
		{ 10 * SECOND, true },
		{ 60 * SECOND, true },
	};

	(void)state;
	for (size_t i = 0; i < BERTH_ARRAY_SIZE(rows); i++) {
		struct berth_service service = started(BERTH_SERVICE_RESTART_ALWAYS, NOW);
		int64_t now = NOW;

		service.policy.backoff_ns = 0;
		for (int j = 0; j < 5; j++, now += SECOND)
			die_and_return(&service, &now);
		now = NOW + rows[i].sixth_ns;
		die(&service, now);
		assert_int_equal(service.state,
				 rows[i].lives ? BERTH_SERVICE_STARTING : BERTH_SERVICE_FAILED);
		assert_int_equal(service.gave_up, !rows[i].lives);
		assert_int_equal(service.restarts, rows[i].lives ? 6 : 5);
		if (!rows[i].lives || rows[i].sixth_ns > 10 * SECOND)
			continue;
		/* The window has moved on by one, not begun anew. */
		die(&service, NOW + 11 * SECOND - 1);
		assert_int_equal(service.state, BERTH_SERVICE_FAILED);
		assert_int_equal(service.deadline_ns, 0);
	}
}

static void the_limit_is_as_long_as_its_ring_at_most_and_0_is_none(void **state)
{
	static const struct {
		unsigned int limit, lives;
	} rows[] = {
		{ 1, 1 },
		{ BERTH_SERVICE_LIMIT_MAX - 1, BERTH_SERVICE_LIMIT_MAX - 1 },
		{ BERTH_SERVICE_LIMIT_MAX, BERTH_SERVICE_LIMIT_MAX },
		{ BERTH_SERVICE_LIMIT_MAX + 8, BERTH_SERVICE_LIMIT_MAX },
		{ 0, 1000 },
	};

	(void)state;
	for (size_t i = 0; i < BERTH_ARRAY_SIZE(rows); i++) {
		struct berth_service service = started(BERTH_SERVICE_RESTART_ALWAYS, NOW);
		int64_t now = NOW;

		service.policy.backoff_ns = 0;
		service.policy.limit = rows[i].limit;
		for (unsigned int j = 0; j < rows[i].lives; j++)
			die_and_return(&service, &now);
		die(&service, now);
		assert_int_equal(service.state,
				 rows[i].limit ? BERTH_SERVICE_FAILED : BERTH_SERVICE_STARTING);
	}
}

static void what_is_asked_for_does_not_count_and_forgives(void **state)
{
	struct berth_service service = started(BERTH_SERVICE_RESTART_ON_FAILURE, NOW);
	int64_t now = NOW;

	(void)state;
	for (int i = 0; i < 20; i++) {
		assert_int_equal(step_at(&service, BERTH_SERVICE_ON_RESTART, now), MAIN);
		step_at(&service, BERTH_SERVICE_ON_MAIN_ENDED, now);
		assert_int_equal(step_at(&service, BERTH_SERVICE_ON_TREE_GONE, now), KEEP | SPAWN);
	}
	for (int i = 0; i < 5; i++)
		die_and_return(&service, &now);
	assert_int_equal(die(&service, now), FINISH);
	assert_true(service.gave_up);
	assert_int_equal(service.restarts, 25);

	assert_int_equal(step_at(&service, BERTH_SERVICE_ON_RESTART, now), SPAWN);
	assert_false(service.gave_up);
	assert_int_equal(service.restarts, 26);
	assert_in_range(die_and_return(&service, &now), 100 * MS, 125 * MS);
}

static void in_the_delay_a_restart_is_at_once_and_a_stop_lets_go_of_what_is_kept(void **state)
{
	struct berth_service service = in(DELAYED);

	(void)state;
	assert_in_range(service.deadline_ns, NOW + 100 * MS, NOW + 125 * MS);
	assert_int_equal(step_at(&service, BERTH_SERVICE_ON_RESTART, NOW), SPAWN);
	assert_int_equal(service.restarts, 1);
	assert_int_equal(service.failures, 0);

	service = in(DELAYED);
	assert_int_equal(step_at(&service, BERTH_SERVICE_ON_STOP, NOW), DROP | FINISH);
	assert_int_equal(service.state, BERTH_SERVICE_STOPPED);
	assert_int_equal(service.restarts, 0);
	assert_int_equal(service.deadline_ns, 0);
	assert_int_equal(step_at(&service, BERTH_SERVICE_ON_TIMER, NOW + SECOND), 0);
}

static void what_cannot_be_started_is_tried_again_only_if_it_once_could(void **state)
{
	struct berth_service service = started(BERTH_SERVICE_RESTART_ALWAYS, NOW);

	(void)state;
	assert_int_equal(step_at(&service, BERTH_SERVICE_ON_START_FAILED, NOW), DROP | FINISH);
	assert_int_equal(service.state, BERTH_SERVICE_FAILED);
	assert_false(service.gave_up);

	service = in(GUARDED);
	for (int i = 0; i < 5; i++) {
		assert_int_equal(step_at(&service, BERTH_SERVICE_ON_START_FAILED, NOW), KEEP);
		assert_int_equal(service.failures, i + 1);
		assert_in_range(service.deadline_ns, NOW + (100 << i) * MS, NOW + (125 << i) * MS);
		assert_int_equal(step_at(&service, BERTH_SERVICE_ON_TIMER, service.deadline_ns),
				 SPAWN);
		service.spawned_ns = NOW;
	}
	assert_int_equal(step_at(&service, BERTH_SERVICE_ON_START_FAILED, NOW), DROP | FINISH);
	assert_int_equal(service.state, BERTH_SERVICE_FAILED);
	assert_true(service.gave_up);
}

/* The caller learns of it while it acts on SPAWN: another one at once would be a recursion. */
static void what_cannot_be_started_is_not_tried_again_in_the_same_breath(void **state)
{
	struct berth_service service = in(GUARDED);

	(void)state;
	service.policy.backoff_ns = 0;
	assert_int_equal(step_at(&service, BERTH_SERVICE_ON_START_FAILED, NOW), KEEP);
	assert_int_equal(service.state, BERTH_SERVICE_WAITING);
	assert_int_equal(service.deadline_ns, NOW);
	assert_int_equal(step_at(&service, BERTH_SERVICE_ON_TIMER, NOW), SPAWN);
}

static void a_start_that_takes_too_long_is_told_then_ended_as_a_failure(void **state)
{
	struct berth_service service = { .policy = policy, .seed = 1 };

	(void)state;
	service.policy.start_timeout_ns = 8 * SECOND;
	step_at(&service, BERTH_SERVICE_ON_START, NOW);
	assert_int_equal(service.deadline_ns, NOW + 3 * SECOND);
	assert_int_equal(step_at(&service, BERTH_SERVICE_ON_TIMER, NOW + 3 * SECOND), SILENT);
	assert_int_equal(service.deadline_ns, NOW + 8 * SECOND);
	assert_int_equal(step_at(&service, BERTH_SERVICE_ON_TIMER, NOW + 8 * SECOND), DROP | MAIN);
	assert_true(service.timed_out);
	assert_int_equal(service.deadline_ns, NOW + 13 * SECOND);
	berth_service_step(&service, BERTH_SERVICE_ON_MAIN_ENDED, &left_with_0, NOW + 9 * SECOND);
	step_at(&service, BERTH_SERVICE_ON_TREE_GONE, NOW + 9 * SECOND);
	assert_int_equal(service.state, BERTH_SERVICE_FAILED);

	/* Both are over for who gets ready. */
	service.policy.start_timeout_ns = 2 * SECOND;
	step_at(&service, BERTH_SERVICE_ON_START, NOW);
	assert_false(service.timed_out);
	assert_int_equal(service.deadline_ns, NOW + 2 * SECOND);
	assert_int_equal(step_at(&service, BERTH_SERVICE_ON_READY, NOW + SECOND), TELL);
	assert_int_equal(service.deadline_ns, 0);
	assert_int_equal(service.notice_at_ns, 0);
	assert_int_equal(service.timeout_at_ns, 0);

	/* The policy wants another life: it is asked to end, and nothing is dropped. */
	service = started(BERTH_SERVICE_RESTART_ON_FAILURE, NOW);
	service.timeout_at_ns = service.deadline_ns = NOW + SECOND;
	assert_int_equal(step_at(&service, BERTH_SERVICE_ON_TIMER, NOW + SECOND), MAIN);
	step_at(&service, BERTH_SERVICE_ON_MAIN_ENDED, NOW + SECOND);
	assert_int_equal(step_at(&service, BERTH_SERVICE_ON_TREE_GONE, NOW + SECOND), KEEP);
}

static void going_into_the_background_does_not_escape_the_start_timeout(void **state)
{
	struct berth_service service = { .policy = policy, .seed = 1 };

	(void)state;
	service.policy.start_timeout_ns = 4 * SECOND;
	step_at(&service, BERTH_SERVICE_ON_START, NOW);
	berth_service_step(&service, BERTH_SERVICE_ON_MAIN_ENDED, &left_with_0, NOW + SECOND);
	assert_int_equal(service.deadline_ns, NOW + 4 * SECOND);
	assert_int_equal(step_at(&service, BERTH_SERVICE_ON_TIMER, NOW + 4 * SECOND), DROP | TREE);
	assert_true(service.timed_out);

	service.policy.start_timeout_ns = 20 * SECOND;
	step_at(&service, BERTH_SERVICE_ON_TREE_GONE, NOW + 4 * SECOND);
	step_at(&service, BERTH_SERVICE_ON_START, NOW);
	berth_service_step(&service, BERTH_SERVICE_ON_MAIN_ENDED, &left_with_0, NOW + SECOND);
	assert_int_equal(service.deadline_ns, NOW + 6 * SECOND);
	assert_int_equal(step_at(&service, BERTH_SERVICE_ON_TIMER, NOW + 6 * SECOND), DROP | TREE);
	assert_false(service.timed_out);
	step_at(&service, BERTH_SERVICE_ON_TREE_GONE, NOW + 7 * SECOND);
	assert_int_equal(service.state, BERTH_SERVICE_STOPPED);
}

/* Whoever spawns from outside of its own process hears of the failure after the stop. */
static void a_start_that_fails_after_the_stop_is_the_end_of_it(void **state)
{
	struct berth_service service = in(ASKED);

	(void)state;
	assert_int_equal(step_at(&service, BERTH_SERVICE_ON_START_FAILED, NOW), FINISH);
	assert_int_equal(service.state, BERTH_SERVICE_STOPPED);
}

/* The world around the machine: what lives, and what it may therefore be told. */
struct world {
	uint64_t seed;
	int64_t now;
	bool lives, main_lives;
	bool heard_ready; /* in this life */
	bool stopped; /* somebody wanted the end, and no start since */
	bool holds; /* a life or KEEP, and no DROP since */
	bool certain; /* a stop has begun without DROP */
	int64_t kept[BERTH_SERVICE_LIMIT_MAX]; /* restarts by policy since somebody asked */
	unsigned int kept_count;
	unsigned long steps;
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
		return service->state == BERTH_SERVICE_WAITING ||
		       (world->main_lives && !world->heard_ready);
	case BERTH_SERVICE_ON_READY:
	case BERTH_SERVICE_ON_UNREADY:
	case BERTH_SERVICE_ON_UNHEALTHY:
		return world->lives;
	case BERTH_SERVICE_ON_MAIN_ENDED:
		return world->main_lives;
	case BERTH_SERVICE_ON_TREE_GONE:
		return world->lives && !world->main_lives;
	case BERTH_SERVICE_ON_TIMER:
	case BERTH_SERVICE_ON_STOP:
	case BERTH_SERVICE_ON_INTERRUPT:
	case BERTH_SERVICE_ON_GRACE:
	case BERTH_SERVICE_ON_KILL:
	case BERTH_SERVICE_ON_RESTART:
	case BERTH_SERVICE_EVENT_COUNT_:
		break;
	}
	return true;
}

static void check_state(const struct world *world, const struct berth_service *before,
			const struct berth_service *service, enum berth_service_event event)
{
	if (service->state == BERTH_SERVICE_READY || service->state == BERTH_SERVICE_UNREADY)
		assert_true(world->heard_ready);
	if (is_over(service) || service->state == BERTH_SERVICE_READY)
		assert_int_equal(service->deadline_ns, 0);
	if (is_over(service) || service->state == BERTH_SERVICE_WAITING)
		assert_false(world->lives);
	if (service->state != BERTH_SERVICE_STARTING) {
		assert_int_equal(service->notice_at_ns, 0);
		assert_int_equal(service->timeout_at_ns, 0);
	}
	if (service->state == BERTH_SERVICE_STOPPING) {
		assert_true(service->deadline_ns != 0);
		assert_true(service->pressure <= 2);
		if (before->state == BERTH_SERVICE_STOPPING)
			assert_true(service->pressure >= before->pressure);
	}
	if (before->state == BERTH_SERVICE_STOPPING && event != BERTH_SERVICE_ON_TREE_GONE &&
	    event != BERTH_SERVICE_ON_START_FAILED)
		assert_int_equal(service->state, BERTH_SERVICE_STOPPING);
	if (service->gave_up)
		assert_int_equal(service->state, BERTH_SERVICE_FAILED);
	if (service->state == BERTH_SERVICE_STOPPED)
		assert_true(world->stopped || !service->failed);
}

/* At most so many in any limit_ns, whatever the machine believes to have counted. */
static void check_limit(struct world *world, const struct berth_service *service)
{
	unsigned int limit = service->policy.limit;

	if (limit && world->kept_count >= limit)
		assert_true(world->now - world->kept[(world->kept_count - limit) %
						     BERTH_SERVICE_LIMIT_MAX] >=
			    service->policy.limit_ns);
	world->kept[world->kept_count++ % BERTH_SERVICE_LIMIT_MAX] = world->now;
	if (service->state == BERTH_SERVICE_WAITING)
		assert_in_range(service->deadline_ns - world->now, 0,
				service->policy.backoff_max_ns / 4 * 5);
}

static void check_actions(struct world *world, const struct berth_service *before,
			  const struct berth_service *service, enum berth_service_event event,
			  unsigned int actions)
{
	bool asked = event == BERTH_SERVICE_ON_START || event == BERTH_SERVICE_ON_RESTART;

	assert_false(actions & KEEP && actions & DROP);
	assert_int_equal(!!(actions & FINISH), is_over(service) && !is_over(before));
	if (actions & (MAIN | TREE | KILL))
		assert_int_equal(service->state, BERTH_SERVICE_STOPPING);
	if (actions & DROP)
		assert_true(actions & FINISH || service->state == BERTH_SERVICE_STOPPING);
	if (actions & MAIN)
		assert_true(world->main_lives);
	if (actions & KILL)
		assert_int_equal(service->pressure, 2);
	if (actions & KEEP) {
		assert_false(world->stopped);
		assert_false(world->lives);
		if (!before->again)
			check_limit(world, service);
	}
	if (actions & FINISH)
		assert_true(actions & DROP || !world->holds);
	/* What was foreseen comes true, unless somebody has wanted the end since. */
	if (world->certain && (event == BERTH_SERVICE_ON_TREE_GONE))
		assert_true(actions & KEEP);
	if (actions & SPAWN) {
		assert_false(world->lives);
		assert_false(world->stopped && !asked);
		assert_int_equal(service->state, BERTH_SERVICE_STARTING);
	} else {
		assert_int_equal(service->restarts, before->restarts);
	}
	if (service->state != BERTH_SERVICE_STARTING)
		assert_false(actions & (SPAWN | SILENT));
}

static void note(struct world *world, const struct berth_service *before,
		 const struct berth_service *service, enum berth_service_event event,
		 unsigned int actions)
{
	bool begins = service->state == BERTH_SERVICE_STOPPING && before->state != service->state;

	if (actions & (SPAWN | KEEP))
		world->holds = true;
	if (actions & DROP)
		world->holds = false;
	if (begins)
		world->certain = !(actions & DROP);
	if (service->state != BERTH_SERVICE_STOPPING || actions & DROP)
		world->certain = false;
	if (actions & SPAWN) {
		world->lives = world->main_lives = true;
		world->heard_ready = world->stopped = false;
		if (event == BERTH_SERVICE_ON_START || event == BERTH_SERVICE_ON_RESTART ||
		    before->again)
			world->kept_count = 0;
	}
}

static void happen(struct world *world, struct berth_service *service,
		   enum berth_service_event event)
{
	struct berth_service before = *service;
	const struct berth_service_facts facts = { .main_failed = draw(world, 2) != 0,
						   .tree_listens = draw(world, 2) != 0 };
	unsigned int actions;

	world->steps++;
	world->now += (int64_t)draw(world, draw(world, 8) ? 1000000 : 2000000000) *
		      (draw(world, 4) ? 1 : 6);
	if (event == BERTH_SERVICE_ON_TIMER && draw(world, 8) && world->now < service->deadline_ns)
		world->now = service->deadline_ns;
	if (event == BERTH_SERVICE_ON_MAIN_ENDED || event == BERTH_SERVICE_ON_START_FAILED)
		world->main_lives = false;
	if (event == BERTH_SERVICE_ON_TREE_GONE || event == BERTH_SERVICE_ON_START_FAILED)
		world->lives = false;
	if (event == BERTH_SERVICE_ON_READY)
		world->heard_ready = true;
	if (!is_over(service) &&
	    (event == BERTH_SERVICE_ON_STOP || event == BERTH_SERVICE_ON_INTERRUPT ||
	     event == BERTH_SERVICE_ON_KILL))
		world->stopped = true;
	actions = berth_service_step(service, event, &facts, world->now);

	check_actions(world, &before, service, event, actions);
	note(world, &before, service, event, actions);
	check_state(world, &before, service, event);
}

/* Nothing but time passes after a stop: all is killed, and with the tree's end it is over. */
static void come_to_an_end(struct world *world, struct berth_service *service)
{
	happen(world, service, BERTH_SERVICE_ON_STOP);
	if (is_over(service))
		return;
	assert_int_equal(service->state, BERTH_SERVICE_STOPPING);
	while (service->pressure < 2) {
		world->now = service->deadline_ns;
		happen(world, service, BERTH_SERVICE_ON_TIMER);
	}
	if (world->main_lives)
		happen(world, service, BERTH_SERVICE_ON_MAIN_ENDED);
	happen(world, service, BERTH_SERVICE_ON_TREE_GONE);
	assert_int_equal(service->state, BERTH_SERVICE_STOPPED);
	assert_int_equal(service->deadline_ns, 0);
}

static struct berth_service some_service(struct world *world)
{
	struct berth_service service = { .policy = policy, .seed = draw(world, 1000) };

	service.policy.restart = (enum berth_service_restart)draw(world, 3);
	service.policy.limit = draw(world, 6);
	service.policy.backoff_ns = draw(world, 3) * 100 * MS;
	service.policy.start_timeout_ns = draw(world, 3) * 2 * SECOND;
	return service;
}

static void whatever_happens_the_promises_hold(void **state)
{
	static const uint64_t seeds[] = { 1,  2,  3,  5,    8,	   13,	       21,
					  34, 55, 89, 4711, 65537, 0xdecafbad, 0x5eed5eed5eed };
	bool seen[BERTH_SERVICE_STATE_COUNT_] = { 0 };
	bool gave_up = false, timed_out = false;
	unsigned long steps = 0;

	(void)state;
	for (size_t i = 0; i < BERTH_ARRAY_SIZE(seeds) * WALKS; i++) {
		struct world world = { .seed = seeds[i % BERTH_ARRAY_SIZE(seeds)] * (i + 1),
				       .now = NOW };
		struct berth_service service = some_service(&world);

		while (world.steps < WALK_STEPS) {
			enum berth_service_event event =
				(enum berth_service_event)draw(&world, BERTH_SERVICE_EVENT_COUNT_);
			bool rare = event >= BERTH_SERVICE_ON_STOP &&
				    event <= BERTH_SERVICE_ON_RESTART && draw(&world, 20);

			if (!rare && can_happen(&world, &service, event))
				happen(&world, &service, event);
			seen[service.state] = true;
			gave_up |= service.gave_up;
			timed_out |= service.timed_out;
			if (draw(&world, 200) == 0)
				come_to_an_end(&world, &service);
		}
		steps += world.steps;
	}
	for (int i = 0; i < BERTH_SERVICE_STATE_COUNT_; i++)
		assert_true(seen[i]);
	assert_true(gave_up && timed_out);
	assert_true(steps >= 200000);
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
		cmocka_unit_test(without_a_notice_time_silence_is_not_told),
		cmocka_unit_test(ready_is_told_once_in_a_life),
		cmocka_unit_test(pressure_rises_at_half_of_the_grace_period_and_at_its_end),
		cmocka_unit_test(a_tree_that_was_asked_early_has_its_whole_grace_period),
		cmocka_unit_test(a_stop_after_a_ctrl_c_says_what_that_may_not_have_said_but_once),
		cmocka_unit_test(another_grace_period_brings_the_end_nearer_and_never_farther),
		cmocka_unit_test(without_grace_all_three_steps_are_due_at_once),
		cmocka_unit_test(a_clock_that_comes_late_kills_no_sooner_than_a_step_later),
		cmocka_unit_test(a_timer_that_comes_before_its_time_changes_nothing),
		cmocka_unit_test(the_policies_have_the_words_of_the_option),
		cmocka_unit_test(who_lives_again_is_a_matter_of_the_policy_and_of_how_it_ended),
		cmocka_unit_test(
			sockets_are_dropped_when_a_stop_begins_unless_another_life_is_certain),
		cmocka_unit_test(delays_double_up_to_their_most_with_a_quarter_of_jitter_at_most),
		cmocka_unit_test(jitter_spreads_over_its_quarter_and_differs_between_seeds),
		cmocka_unit_test(no_delay_overflows),
		cmocka_unit_test(after_a_stable_life_it_is_there_at_once_and_delays_begin_anew),
		cmocka_unit_test(without_backoff_it_is_there_at_once_each_time),
		cmocka_unit_test(the_limit_slides_and_ends_exactly_at_its_border),
		cmocka_unit_test(the_limit_is_as_long_as_its_ring_at_most_and_0_is_none),
		cmocka_unit_test(what_is_asked_for_does_not_count_and_forgives),
		cmocka_unit_test(
			in_the_delay_a_restart_is_at_once_and_a_stop_lets_go_of_what_is_kept),
		cmocka_unit_test(what_cannot_be_started_is_tried_again_only_if_it_once_could),
		cmocka_unit_test(what_cannot_be_started_is_not_tried_again_in_the_same_breath),
		cmocka_unit_test(a_start_that_takes_too_long_is_told_then_ended_as_a_failure),
		cmocka_unit_test(going_into_the_background_does_not_escape_the_start_timeout),
		cmocka_unit_test(a_start_that_fails_after_the_stop_is_the_end_of_it),
		cmocka_unit_test(whatever_happens_the_promises_hold),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
