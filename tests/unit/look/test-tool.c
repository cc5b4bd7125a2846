/* SPDX-License-Identifier: MIT */
/* unit/look/test-tool.c - programs that say much, nothing, or never end */
#include "look/tool.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "base/time.h"

enum {
	DEADLINE_MS = 10000
};

static const char *const shell[] = { "/nowhere/sh", "/bin/sh", NULL };

static int run(const char *script, int timeout_ms, size_t max, char **ret_text, size_t *ret_len)
{
	const char *const argv[] = { "-c", script, NULL };
	struct berth_tool_spec spec = {
		.paths = shell,
		.argv = argv,
		.timeout_ms = timeout_ms,
		.max = max,
	};

	return berth_tool_run(&spec, ret_text, ret_len);
}

static void assert_nothing_is_left(void)
{
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
	assert_int_equal(errno, ECHILD);
}

static void what_it_says_comes_whole_with_its_length(void **state)
{
	char *text = NULL;
	size_t len = 99;

	(void)state;
	assert_int_equal(
		run("printf 'one\\ntwo\\0three'; echo no >&2", DEADLINE_MS, 100, &text, &len), 0);
	assert_int_equal(len, 13);
	assert_memory_equal(text, "one\ntwo\0three", 14);
	free(text);
	assert_int_equal(run(":", DEADLINE_MS, 0, &text, &len), 0);
	assert_int_equal(len, 0);
	assert_string_equal(text, "");
	free(text);
	assert_nothing_is_left();
}

static void it_gets_no_environment_and_no_input(void **state)
{
	const char *const path[] = { "/usr/bin/env", "/bin/env", NULL };
	const char *const argv[] = { NULL }, *const envp[] = { "A=b", NULL };
	struct berth_tool_spec spec = {
		.paths = path, .argv = argv, .timeout_ms = DEADLINE_MS, .max = 1000
	};
	char *text = NULL;
	size_t len = 0;

	(void)state;
	assert_int_equal(setenv("LD_DEBUG_OUTPUT", "/tmp/x", 1), 0);
	assert_int_equal(berth_tool_run(&spec, &text, &len), 0);
	assert_string_equal(text, "");
	free(text);
	spec.envp = envp;
	assert_int_equal(berth_tool_run(&spec, &text, &len), 0);
	assert_string_equal(text, "A=b\n");
	free(text);
	assert_int_equal(
		run("read x || echo end; read y <&2 || echo end", DEADLINE_MS, 1000, &text, &len),
		0);
	assert_string_equal(text, "end\nend\n");
	free(text);
}

static void a_failure_is_told_and_nothing_returned(void **state)
{
	char *text = (char *)8;
	size_t len = 77;

	(void)state;
	assert_int_equal(run("echo something; exit 3", DEADLINE_MS, 100, &text, &len),
			 BERTH_TOOL_E_FAILED);
	assert_int_equal(run("kill -KILL $$", DEADLINE_MS, 100, &text, &len), BERTH_TOOL_E_FAILED);
	assert_ptr_equal(text, (char *)8);
	assert_int_equal(len, 77);
	assert_nothing_is_left();
}

static void none_of_the_paths_is_enoent(void **state)
{
	const char *const nowhere[] = { "/nowhere/a", "/etc/passwd", NULL };
	const char *const argv[] = { NULL };
	struct berth_tool_spec spec = { .paths = nowhere, .argv = argv, .timeout_ms = 100 };
	char *text = NULL;
	size_t len = 0;

	(void)state;
	assert_int_equal(berth_tool_run(&spec, &text, &len), -ENOENT);
	assert_nothing_is_left();
}

static void too_much_is_refused_and_its_end_not_waited_for(void **state)
{
	char *text = NULL;
	size_t len = 0;

	(void)state;
	assert_int_equal(run("while :; do echo y; done", DEADLINE_MS, 100000, &text, &len), -EFBIG);
	assert_int_equal(run("printf 12345", DEADLINE_MS, 4, &text, &len), -EFBIG);
	assert_nothing_is_left();
}

static void what_hangs_is_killed_at_its_time(void **state)
{
	int64_t before = berth_time_mono_ns();
	char *text = NULL;
	size_t len = 0;

	(void)state;
	assert_int_equal(run("trap '' TERM; echo begun; exec sleep 1000", 50, 100, &text, &len),
			 -ETIMEDOUT);
	/* Its output is closed, itself it goes on. */
	assert_int_equal(run("exec >&-; exec sleep 1000", 50, 100, &text, &len), -ETIMEDOUT);
	assert_true(berth_time_mono_ns() - before < (int64_t)DEADLINE_MS * 1000000);
	assert_nothing_is_left();
}

static void where_nobody_may_reap_the_output_has_to_do(void **state)
{
	char *text = NULL;
	size_t len = 0;

	(void)state;
	assert_true(signal(SIGCHLD, SIG_IGN) != SIG_ERR);
	assert_int_equal(run("echo all", DEADLINE_MS, 100, &text, &len), 0);
	assert_string_equal(text, "all\n");
	free(text);
	assert_true(signal(SIGCHLD, SIG_DFL) != SIG_ERR);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_it_says_comes_whole_with_its_length),
		cmocka_unit_test(it_gets_no_environment_and_no_input),
		cmocka_unit_test(a_failure_is_told_and_nothing_returned),
		cmocka_unit_test(none_of_the_paths_is_enoent),
		cmocka_unit_test(too_much_is_refused_and_its_end_not_waited_for),
		cmocka_unit_test(what_hangs_is_killed_at_its_time),
		cmocka_unit_test(where_nobody_may_reap_the_output_has_to_do),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
