/* SPDX-License-Identifier: MIT */
/* unit/os/test-crew.c - every thing is done once, by whichever thread */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "os/crew.h"

enum {
	THINGS = 1000,
};

struct tally {
	atomic_int done[THINGS];
	atomic_size_t workers[BERTH_CREW_MAX];
	atomic_int unblocked; /* threads beside the caller's that would take a signal */
};

static void do_one(size_t index, size_t worker, void *arg)
{
	struct tally *tally = arg;
	sigset_t set;

	atomic_fetch_add(&tally->done[index], 1);
	atomic_fetch_add(&tally->workers[worker], 1);
	sigprocmask(SIG_SETMASK, NULL, &set);
	if (worker && !sigismember(&set, SIGTERM))
		atomic_fetch_add(&tally->unblocked, 1);
}

static void assert_done(size_t count, size_t each)
{
	static struct tally tally;
	size_t by_workers = 0;

	tally = (struct tally){ 0 };
	berth_crew_run(count, each, do_one, &tally);
	for (size_t i = 0; i < THINGS; i++)
		assert_int_equal(tally.done[i], i < count);
	for (size_t i = 0; i < BERTH_CREW_MAX; i++)
		by_workers += tally.workers[i];
	assert_int_equal(by_workers, count);
	assert_int_equal(tally.unblocked, 0);
	if (count < 2 * each)
		assert_int_equal(tally.workers[0], count);
}

static void each_thing_is_done_once(void **state)
{
	assert_done(THINGS, 1);
	assert_done(THINGS, 100);
	assert_done(3, 1);
}

static void few_things_are_done_by_the_caller(void **state)
{
	assert_done(99, 50);
	assert_done(1, 1);
	assert_done(0, 1);
}

static void the_callers_signals_are_its_own_afterwards(void **state)
{
	sigset_t before, after;

	sigprocmask(SIG_SETMASK, NULL, &before);
	assert_done(THINGS, 1);
	sigprocmask(SIG_SETMASK, NULL, &after);
	for (int signum = 1; signum < SIGRTMIN; signum++)
		assert_int_equal(sigismember(&before, signum), sigismember(&after, signum));
}

static void *ask_mask(void *arg)
{
	pthread_sigmask(SIG_SETMASK, NULL, arg);
	return arg;
}

static void one_beside_takes_no_signals(void **state)
{
	sigset_t theirs, ours;
	pthread_t thread;
	void *result;

	sigemptyset(&theirs);
	assert_int_equal(berth_crew_start(ask_mask, &theirs, &thread), 0);
	assert_int_equal(pthread_join(thread, &result), 0);
	assert_ptr_equal(result, &theirs);
	assert_true(sigismember(&theirs, SIGTERM));
	sigprocmask(SIG_SETMASK, NULL, &ours);
	assert_false(sigismember(&ours, SIGTERM));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_thing_is_done_once),
		cmocka_unit_test(few_things_are_done_by_the_caller),
		cmocka_unit_test(the_callers_signals_are_its_own_afterwards),
		cmocka_unit_test(one_beside_takes_no_signals),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
