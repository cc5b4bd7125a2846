/* SPDX-License-Identifier: MIT */
/* unit/stack/test-order.c - which service of a stack may start, and which may stop */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "stack/order.h"

/* db <- backend <- frontend; migrate needs db, and web needs migrate to have completed. */
enum {
	DB,
	BACKEND,
	FRONTEND,
	MIGRATE,
	WEB,
	COUNT
};

struct world {
	struct berth_manifest manifest;
	struct berth_order_service states[COUNT];
};

static void depend(struct world *world, size_t of, size_t on, enum berth_manifest_condition how)
{
	struct berth_manifest_service *service = &world->manifest.services[of];

	service->depends = reallocarray(service->depends, service->depend_count + 1,
					sizeof(*service->depends));
	assert_non_null(service->depends);
	service->depends[service->depend_count++] =
		(struct berth_manifest_dependency){ .service = on, .condition = how };
}

static int set_up(void **state)
{
	static const char *const names[] = { "db", "backend", "frontend", "migrate", "web" };
	struct world *world = calloc(1, sizeof(*world));

	assert_non_null(world);
	for (size_t i = 0; i < COUNT; i++)
		assert_non_null(berth_manifest_add(&world->manifest, names[i]));
	depend(world, BACKEND, DB, BERTH_MANIFEST_READY);
	depend(world, FRONTEND, BACKEND, BERTH_MANIFEST_READY);
	depend(world, MIGRATE, DB, BERTH_MANIFEST_STARTED);
	depend(world, WEB, BACKEND, BERTH_MANIFEST_READY);
	depend(world, WEB, MIGRATE, BERTH_MANIFEST_COMPLETED);
	*state = world;
	return 0;
}

static int tear_down(void **state)
{
	struct world *world = *state;

	berth_manifest_deinit(&world->manifest);
	free(world);
	return 0;
}

static enum berth_order_verdict start(const struct world *world, size_t index, size_t *for_which)
{
	return berth_order_start(&world->manifest, world->states, index, for_which);
}

static void wanting_one_wants_all_below_it_and_nothing_else(void **state)
{
	struct world *world = *state;

	berth_order_want(&world->manifest, world->states, FRONTEND);
	assert_true(world->states[FRONTEND].wanted);
	assert_true(world->states[BACKEND].wanted);
	assert_true(world->states[DB].wanted);
	assert_false(world->states[MIGRATE].wanted);
	assert_false(world->states[WEB].wanted);
}

static void who_depends_on_nothing_starts_at_once(void **state)
{
	size_t unused = 99;

	assert_int_equal(start(*state, DB, &unused), BERTH_ORDER_START);
	assert_int_equal(unused, 99);
}

/* Every condition against every state that a dependency can be in. */
static void a_condition_is_met_as_its_word_says(void **state)
{
	static const struct {
		enum berth_manifest_condition condition;
		struct berth_order_service dependency;
		enum berth_order_verdict verdict;
	} table[] = {
		{ BERTH_MANIFEST_STARTED, { .living = true }, BERTH_ORDER_WAIT },
		{ BERTH_MANIFEST_STARTED, { .living = true, .started = true }, BERTH_ORDER_START },
		{ BERTH_MANIFEST_STARTED, { .started = true }, BERTH_ORDER_START },
		{ BERTH_MANIFEST_STARTED, { 0 }, BERTH_ORDER_GIVE_UP },
		{ BERTH_MANIFEST_READY, { .living = true, .started = true }, BERTH_ORDER_WAIT },
		{ BERTH_MANIFEST_READY, { .living = true, .ready = true }, BERTH_ORDER_START },
		{ BERTH_MANIFEST_READY, { .started = true }, BERTH_ORDER_GIVE_UP },
		{ BERTH_MANIFEST_READY, { .ready = true }, BERTH_ORDER_START },
		/* One of its instances has failed. */
		{ BERTH_MANIFEST_READY, { .living = true, .lost = true }, BERTH_ORDER_GIVE_UP },
		{ BERTH_MANIFEST_STARTED, { .living = true, .lost = true }, BERTH_ORDER_WAIT },
		{ BERTH_MANIFEST_COMPLETED, { .living = true, .ready = true }, BERTH_ORDER_WAIT },
		{ BERTH_MANIFEST_COMPLETED, { .ready = true }, BERTH_ORDER_GIVE_UP },
		{ BERTH_MANIFEST_COMPLETED, { .succeeded = true }, BERTH_ORDER_START },
		{ BERTH_MANIFEST_COMPLETED,
		  { .succeeded = true, .living = true }, /* it was started again */
		  BERTH_ORDER_WAIT },
	};
	struct world *world = *state;

	for (size_t i = 0; i < BERTH_ARRAY_SIZE(table); i++) {
		size_t for_which = 99;

		world->manifest.services[BACKEND].depends[0].condition = table[i].condition;
		world->states[DB] = table[i].dependency;
		assert_int_equal(start(world, BACKEND, &for_which), table[i].verdict);
		assert_int_equal(for_which, table[i].verdict == BERTH_ORDER_START ? 99 : DB);
	}
}

static void who_waits_for_several_is_told_the_first_and_given_up_for_any(void **state)
{
	struct world *world = *state;
	size_t for_which = 99;

	world->states[BACKEND].living = true;
	world->states[MIGRATE].living = true;
	assert_int_equal(start(world, WEB, &for_which), BERTH_ORDER_WAIT);
	assert_int_equal(for_which, BACKEND);
	world->states[MIGRATE].living = false;
	assert_int_equal(start(world, WEB, &for_which), BERTH_ORDER_GIVE_UP);
	assert_int_equal(for_which, MIGRATE);
	world->states[MIGRATE].succeeded = true;
	assert_int_equal(start(world, WEB, &for_which), BERTH_ORDER_WAIT);
	assert_int_equal(for_which, BACKEND);
	world->states[BACKEND].ready = true;
	assert_int_equal(start(world, WEB, &for_which), BERTH_ORDER_START);
}

static void who_is_depended_on_stops_last(void **state)
{
	struct world *world = *state;

	for (size_t i = 0; i < COUNT; i++)
		world->states[i] = (struct berth_order_service){ .living = true, .ending = true };
	assert_false(berth_order_may_stop(&world->manifest, world->states, DB));
	assert_false(berth_order_may_stop(&world->manifest, world->states, BACKEND));
	assert_true(berth_order_may_stop(&world->manifest, world->states, FRONTEND));
	assert_true(berth_order_may_stop(&world->manifest, world->states, WEB));
	world->states[FRONTEND].living = world->states[WEB].living = false;
	assert_true(berth_order_may_stop(&world->manifest, world->states, BACKEND));
	assert_true(berth_order_may_stop(&world->manifest, world->states, MIGRATE));
	assert_false(berth_order_may_stop(&world->manifest, world->states, DB));
}

static void who_is_stopped_alone_waits_for_nobody_that_goes_on(void **state)
{
	struct world *world = *state;

	for (size_t i = 0; i < COUNT; i++)
		world->states[i].living = true;
	world->states[DB].ending = true;
	assert_true(berth_order_may_stop(&world->manifest, world->states, DB));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(wanting_one_wants_all_below_it_and_nothing_else),
		TEST(who_depends_on_nothing_starts_at_once),
		TEST(a_condition_is_met_as_its_word_says),
		TEST(who_waits_for_several_is_told_the_first_and_given_up_for_any),
		TEST(who_is_depended_on_stops_last),
		TEST(who_is_stopped_alone_waits_for_nobody_that_goes_on),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
