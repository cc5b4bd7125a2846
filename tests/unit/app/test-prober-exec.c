/* SPDX-License-Identifier: MIT */
/* unit/app/test-prober-exec.c - probes that are commands */
#include "app/prober.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "base/time.h"
#include "os/child.h"
#include "os/tree.h"

enum {
	DEADLINE_MS = 10000,
};

static const struct berth_check exec_check = { .kind = BERTH_CHECK_EXEC, .arg = "" };

struct world {
	struct berth_loop loop;
	struct berth_prober prober;
	unsigned int times;
	bool ok;
	char why[256];
};

static void on_result(struct berth_prober *prober, enum berth_prober_outcome outcome,
		      const char *why, void *arg)
{
	struct world *world = arg;

	assert_false(berth_prober_is_busy(prober));
	world->times++;
	world->ok = outcome == BERTH_PROBER_OK;
	snprintf(world->why, sizeof(world->why), "%s", why);
}

static void world_init(struct world *world)
{
	*world = (struct world){ 0 };
	assert_int_equal(berth_loop_init(&world->loop), 0);
}

static void world_deinit(struct world *world)
{
	berth_prober_cancel(&world->prober);
	berth_loop_deinit(&world->loop);
	while (waitpid(-1, NULL, 0) > 0)
		;
	assert_int_equal(errno, ECHILD);
}

static int try_start(struct world *world, const char *program, const char *script,
		     int64_t timeout_ms)
{
	const char *const argv[] = { program, "-c", script, NULL };
	const char *const env[] = { "PATH=/usr/bin:/bin", "WORD=told", NULL };
	struct berth_aside_spec command = { .argv = argv, .envp = env, .cwd = "/tmp" };
	const struct berth_prober_spec spec = { .check = &exec_check,
						.command = &command,
						.timeout_ms = timeout_ms };

	sigemptyset(&command.signal_mask);
	world->times = 0;
	return berth_prober_start(&world->prober, &world->loop, &spec, berth_time_mono_ns(),
				  on_result, world);
}

static void start(struct world *world, const char *script, int64_t timeout_ms)
{
	assert_int_equal(try_start(world, "/bin/sh", script, timeout_ms), 0);
	assert_int_equal(world->times, 0);
	assert_true(berth_prober_is_busy(&world->prober));
	assert_true(berth_prober_keeper(&world->prober) > 0);
}

static void finish(struct world *world)
{
	int64_t end = berth_time_mono_ns() + DEADLINE_MS * 1000000LL;

	while (!world->times) {
		assert_true(berth_time_mono_ns() < end);
		assert_int_equal(
			berth_loop_turn(&world->loop, berth_prober_deadline(&world->prober)), 0);
		berth_prober_expire(&world->prober, berth_time_mono_ns());
	}
	assert_int_equal(world->times, 1);
	assert_int_equal(berth_prober_deadline(&world->prober), INT64_MAX);
	assert_int_equal(berth_prober_keeper(&world->prober), 0);
}

static const struct {
	const char *script;
	bool ok;
	const char *why;
} rows[] = {
	{ "true", true, "exit 0" },
	{ "exit 3", false, "exit 3" },
	{ "echo; echo '  no disk '; echo more; exit 7", false, "exit 7: no disk " },
	{ "echo first >&2; echo second; exit 1", false, "exit 1: first" },
	{ "printf 'a\\033[31mb'; exit 1", false, "exit 1: a\\e[31mb" },
	{ "printf 'x\\0y\\n'; exit 1", false, "exit 1: x" },
	{ "kill -TERM $$", false, "the command ended by SIGTERM" },
	{ "echo going; kill -KILL $$", false, "the command ended by SIGKILL: going" },
	{ "test $WORD = told && test $PWD = /tmp", true, "exit 0" },
	{ "read line; test -z \"$line\"", true, "exit 0" }, /* nothing comes from us */
	{ "exec head -c 1000000 /dev/zero", true, "exit 0" },
	{ "no-such-command 2>/dev/null", false, "exit 127" },
};

static void exit_0_is_success_and_else_its_first_line_says_why(void **state)
{
	for (size_t i = 0; i < BERTH_ARRAY_SIZE(rows); i++) {
		struct world world;

		world_init(&world);
		start(&world, rows[i].script, DEADLINE_MS);
		finish(&world);
		if (world.ok != rows[i].ok ||
		    strncmp(world.why, rows[i].why, strlen(rows[i].why)) != 0)
			fail_msg("%s: %s: '%s'", rows[i].script, world.ok ? "ok" : "not ok",
				 world.why);
		world_deinit(&world);
	}
}

static void what_takes_too_long_is_killed_with_all_that_it_has_started(void **state)
{
	struct world world;
	struct berth_tree tree;

	world_init(&world);
	start(&world, "echo waiting; setsid sleep 1000 & (sleep 1000 &) ; sleep 1000", 200);
	finish(&world);
	assert_false(world.ok);
	assert_string_equal(world.why, "no end within 0.2 s: waiting");
	world_deinit(&world); /* which waits for the keeper, and that for them */
	assert_int_equal(berth_tree_load(getpid(), NULL, &tree), 0);
	assert_int_equal(tree.count, 0);
	berth_tree_deinit(&tree);
}

static void what_it_leaves_behind_is_killed_when_it_has_ended(void **state)
{
	struct world world;

	world_init(&world);
	start(&world, "setsid sleep 1000 & exit 0", DEADLINE_MS);
	finish(&world);
	assert_true(world.ok);
	world_deinit(&world);
}

static void one_that_is_cancelled_says_nothing(void **state)
{
	struct world world;

	world_init(&world);
	start(&world, "sleep 1000", DEADLINE_MS);
	berth_prober_cancel(&world.prober);
	assert_false(berth_prober_is_busy(&world.prober));
	assert_int_equal(world.times, 0);
	/* A second one in its place. */
	start(&world, "sleep 1000", DEADLINE_MS);
	start(&world, "exit 0", DEADLINE_MS);
	finish(&world);
	assert_true(world.ok);
	world_deinit(&world);
}

static void one_that_cannot_be_started_is_no_result(void **state)
{
	struct world world;

	world_init(&world);
	assert_int_equal(try_start(&world, "/no/such/shell", "true", DEADLINE_MS), -ENOENT);
	assert_false(berth_prober_is_busy(&world.prober));
	assert_int_equal(berth_prober_take_notify(&world.prober), -1);
	world_deinit(&world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(exit_0_is_success_and_else_its_first_line_says_why),
		cmocka_unit_test(what_takes_too_long_is_killed_with_all_that_it_has_started),
		cmocka_unit_test(what_it_leaves_behind_is_killed_when_it_has_ended),
		cmocka_unit_test(one_that_is_cancelled_says_nothing),
		cmocka_unit_test(one_that_cannot_be_started_is_no_result),
	};

	prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
