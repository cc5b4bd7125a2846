/* SPDX-License-Identifier: MIT */
/* unit/os/test-brief.c - command lines and folders of real processes */
#include <limits.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "os/brief.h"

enum {
	MANY = 300, /* enough for several threads */
};

static void our_own_process_is_told(void **state)
{
	struct berth_brief *briefs;
	pid_t pid = getpid();
	char cwd[PATH_MAX];

	assert_non_null(getcwd(cwd, sizeof(cwd)));
	assert_int_equal(berth_brief_load(&pid, 1, &briefs), 0);
	assert_non_null(briefs[0].command);
	assert_non_null(strstr(briefs[0].command, "test-"));
	assert_string_equal(briefs[0].cwd, cwd);
	assert_false(berth_brief_is_foreign(pid, cwd));
	assert_true(berth_brief_is_foreign(pid, "/proc"));
	assert_true(berth_brief_is_foreign(INT32_MAX, cwd));
	berth_brief_free(briefs, 1);
}

static void arguments_end_in_a_nul_each(void **state)
{
	struct berth_brief *briefs;
	char ready;
	int fds[2];
	pid_t pid;

	assert_int_equal(pipe(fds), 0);
	pid = fork();
	if (pid == 0) {
		dup2(fds[1], STDOUT_FILENO);
		close(fds[0]);
		close(fds[1]);
		execl("/bin/sh", "sh", "-c", "echo; exec sleep 60 # two words", "", NULL);
		_exit(1);
	}
	close(fds[1]);
	assert_int_equal(read(fds[0], &ready, 1), 1);
	/* It may be sh still, or sleep already; in between it has no command line. */
	assert_int_equal(berth_brief_load(&pid, 1, &briefs), 0);
	while (!briefs[0].command) {
		berth_brief_free(briefs, 1);
		assert_int_equal(berth_brief_load(&pid, 1, &briefs), 0);
	}
	if (strcmp(briefs[0].command, "sh") == 0) {
		assert_memory_equal(briefs[0].command, "sh\0-c\0echo;",
				    sizeof("sh\0-c\0echo;") - 1);
		assert_int_equal(briefs[0].command_len,
				 sizeof("sh\0-c\0echo; exec sleep 60 # two words\0") - 1);
	} else {
		assert_int_equal(briefs[0].command_len, sizeof("sleep\00060") - 1);
		assert_memory_equal(briefs[0].command, "sleep\00060", sizeof("sleep\00060"));
	}
	berth_brief_free(briefs, 1);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	close(fds[0]);
}

static void a_process_that_is_not_there_is_empty(void **state)
{
	struct berth_brief *briefs;
	pid_t pids[] = { INT32_MAX, getpid() };

	assert_int_equal(berth_brief_load(pids, 2, &briefs), 0);
	assert_null(briefs[0].command);
	assert_null(briefs[0].cwd);
	assert_non_null(briefs[1].command);
	berth_brief_free(briefs, 2);
}

static void many_come_in_their_order(void **state)
{
	struct berth_brief *briefs;
	pid_t pids[MANY];

	for (size_t i = 0; i < MANY; i++)
		pids[i] = i % 3 ? getpid() : INT32_MAX;
	assert_int_equal(berth_brief_load(pids, MANY, &briefs), 0);
	for (size_t i = 0; i < MANY; i++)
		assert_int_equal(briefs[i].command != NULL, i % 3 != 0);
	berth_brief_free(briefs, MANY);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(our_own_process_is_told),
		cmocka_unit_test(arguments_end_in_a_nul_each),
		cmocka_unit_test(a_process_that_is_not_there_is_empty),
		cmocka_unit_test(many_come_in_their_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
