/* SPDX-License-Identifier: MIT */
/* unit/os/test-loop.c - one event a turn, and who may vanish meanwhile */
#include "os/loop.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/epoll.h>

#include <cmocka.h>

#include "base/time.h"

#define MS INT64_C(1000000)

/* A source that counts, and takes others along where it is told to. */
struct counter {
	struct berth_loop_source source;
	struct berth_loop *loop;
	unsigned int calls;
	uint32_t events;
	struct counter *victim; /* removed and freed by the first call */
};

static void count(struct berth_loop_source *source, uint32_t events)
{
	struct counter *counter = berth_container_of(source, struct counter, source);

	counter->calls++;
	counter->events = events;
	if (counter->victim) {
		berth_loop_remove(counter->loop, &counter->victim->source);
		free(BERTH_STEAL(counter->victim));
	}
}

static void vanish(struct berth_loop_source *source, uint32_t events)
{
	struct counter *counter = berth_container_of(source, struct counter, source);

	berth_loop_remove(counter->loop, source);
	free(counter);
}

struct fixture {
	struct berth_loop loop;
	int a[2], b[2];
};

static int set_up(void **state)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));

	assert_non_null(fixture);
	assert_int_equal(berth_loop_init(&fixture->loop), 0);
	assert_true(fcntl(fixture->loop.epoll_fd, F_GETFD) & FD_CLOEXEC);
	assert_int_equal(pipe2(fixture->a, O_CLOEXEC), 0);
	assert_int_equal(pipe2(fixture->b, O_CLOEXEC), 0);
	*state = fixture;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *fixture = *state;

	berth_loop_deinit(&fixture->loop);
	berth_loop_deinit(&fixture->loop);
	for (int i = 0; i < 2; i++) {
		close(fixture->a[i]);
		close(fixture->b[i]);
	}
	free(fixture);
	return 0;
}

static void turn(struct fixture *fixture)
{
	assert_int_equal(berth_loop_turn(&fixture->loop, berth_time_mono_ns() + 10000 * MS), 0);
}

static void look(struct fixture *fixture)
{
	assert_int_equal(berth_loop_turn(&fixture->loop, 0), 0);
}

static void what_is_ready_is_told_until_it_is_read(void **state)
{
	struct fixture *fixture = *state;
	struct counter a = { .loop = &fixture->loop };
	char byte;

	assert_int_equal(berth_loop_add(&fixture->loop, &a.source, fixture->a[0], EPOLLIN, count),
			 0);
	look(fixture);
	assert_int_equal(a.calls, 0);
	assert_int_equal(write(fixture->a[1], "x", 1), 1);
	turn(fixture);
	turn(fixture);
	assert_int_equal(a.calls, 2);
	assert_int_equal(a.events, EPOLLIN);
	assert_int_equal(read(fixture->a[0], &byte, 1), 1);
	look(fixture);
	assert_int_equal(a.calls, 2);
	/* The same source for something else. */
	assert_int_equal(write(fixture->a[1], "x", 1), 1);
	assert_int_equal(berth_loop_change(&fixture->loop, &a.source, 0), 0);
	look(fixture);
	assert_int_equal(a.calls, 2);
	assert_int_equal(berth_loop_change(&fixture->loop, &a.source, EPOLLIN | EPOLLONESHOT), 0);
	turn(fixture);
	look(fixture);
	assert_int_equal(a.calls, 3);
	berth_loop_remove(&fixture->loop, &a.source);
	assert_int_equal(a.source.fd, -1);
	look(fixture);
	assert_int_equal(a.calls, 3);
}

static void all_that_are_ready_have_their_turn(void **state)
{
	struct fixture *fixture = *state;
	struct counter a = { .loop = &fixture->loop }, b = { .loop = &fixture->loop };

	assert_int_equal(berth_loop_add(&fixture->loop, &a.source, fixture->a[0], EPOLLIN, count),
			 0);
	assert_int_equal(berth_loop_add(&fixture->loop, &b.source, fixture->b[0], EPOLLIN, count),
			 0);
	assert_int_equal(write(fixture->a[1], "x", 1), 1);
	assert_int_equal(write(fixture->b[1], "x", 1), 1);
	for (int i = 0; i < 10; i++)
		turn(fixture);
	assert_int_equal(a.calls, 5);
	assert_int_equal(b.calls, 5);
}

static void who_was_removed_is_not_called_though_it_was_ready(void **state)
{
	struct fixture *fixture = *state;
	struct counter a = { .loop = &fixture->loop };

	a.victim = calloc(1, sizeof(*a.victim));
	assert_non_null(a.victim);
	assert_int_equal(berth_loop_add(&fixture->loop, &a.source, fixture->a[0], EPOLLIN, count),
			 0);
	assert_int_equal(
		berth_loop_add(&fixture->loop, &a.victim->source, fixture->b[0], EPOLLIN, count),
		0);
	assert_int_equal(write(fixture->a[1], "x", 1), 1);
	turn(fixture);
	assert_int_equal(write(fixture->b[1], "x", 1), 1);
	turn(fixture);
	turn(fixture);
	assert_int_equal(a.calls, 3);
	assert_null(a.victim);
}

static void a_source_can_free_itself(void **state)
{
	struct fixture *fixture = *state;
	struct counter *counter = calloc(1, sizeof(*counter));

	assert_non_null(counter);
	counter->loop = &fixture->loop;
	assert_int_equal(
		berth_loop_add(&fixture->loop, &counter->source, fixture->a[0], EPOLLIN, vanish),
		0);
	assert_int_equal(write(fixture->a[1], "x", 1), 1);
	turn(fixture);
	look(fixture);
}

static void what_can_not_be_watched_is_not(void **state)
{
	struct fixture *fixture = *state;
	struct counter a = { .loop = &fixture->loop }, zeroed = { 0 };
	BERTH_AUTO_FD int file = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);

	assert_true(file >= 0);
	assert_int_equal(berth_loop_add(&fixture->loop, &a.source, file, EPOLLIN, count), -EPERM);
	assert_null(a.source.fn);
	berth_loop_remove(&fixture->loop, &a.source);
	assert_int_equal(berth_loop_add(&fixture->loop, &a.source, 999, EPOLLIN, count), -EBADF);
	/* Descriptor 0 is not watched because a structure is zeroed. */
	berth_loop_remove(&fixture->loop, &zeroed.source);
	assert_int_equal(zeroed.source.fd, 0);
}

static void a_turn_ends_at_its_deadline_and_not_before(void **state)
{
	struct fixture *fixture = *state;
	int64_t deadline_ns = berth_time_mono_ns() + 20 * MS;

	look(fixture);
	assert_true(berth_time_mono_ns() < deadline_ns + 10000 * MS);
	assert_int_equal(berth_loop_turn(&fixture->loop, deadline_ns), 0);
	assert_true(berth_time_mono_ns() >= deadline_ns);
	/* A fraction of a millisecond is not rounded to none. */
	deadline_ns = berth_time_mono_ns() + MS / 4;
	assert_int_equal(berth_loop_turn(&fixture->loop, deadline_ns), 0);
	assert_true(berth_time_mono_ns() >= deadline_ns);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(what_is_ready_is_told_until_it_is_read, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(all_that_are_ready_have_their_turn, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(who_was_removed_is_not_called_though_it_was_ready,
						set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_source_can_free_itself, set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_can_not_be_watched_is_not, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_turn_ends_at_its_deadline_and_not_before, set_up,
						tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
