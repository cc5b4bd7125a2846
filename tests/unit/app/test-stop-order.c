/* SPDX-License-Identifier: MIT */
/* unit/app/test-stop-order.c - stop commands that are carried out for a supervisor */
#include "app/stop-order.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/time.h"

static json_t *order_of(const char *script)
{
	return json_pack("{s:s,s:[s,s,s],s:s,s:[s,s],s:i}", "id", "aaaaaa", "argv", "/bin/sh", "-c",
			 script, "cwd", "/tmp", "env", "WORD=told", "HOME=/nowhere", "patience_ms",
			 1);
}

/* What all of @orders (consumed) write, in the order in which they do. */
static size_t run(json_t *orders, char *buf, size_t size)
{
	BERTH_AUTO_JSON json_t *owned = orders;
	int ends[2];
	size_t failed;
	ssize_t n;

	assert_int_equal(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
	failed = berth_stop_order_run_all(owned, ends[1]);
	n = read(ends[0], buf, size - 1);
	buf[n > 0 ? n : 0] = '\0';
	close(ends[0]);
	close(ends[1]);
	return failed;
}

static void it_has_our_environment_and_its_own_over_it(void **state)
{
	char text[256];

	setenv("OURS", "kept", 1);
	setenv("HOME", "/root", 1);
	assert_int_equal(
		run(json_pack("[o]", order_of("echo $WORD $HOME $OURS $PWD; echo also >&2")), text,
		    sizeof(text)),
		0);
	assert_string_equal(text, "told /nowhere kept /tmp\nalso\n");
}

static void each_that_fails_is_counted(void **state)
{
	BERTH_AUTO_JSON json_t *missing = order_of("true");
	char text[256];

	json_object_set_new(missing, "argv", json_pack("[s]", "/no/such/engine"));
	assert_int_equal(run(json_pack("[o,o,o,O,{}]", order_of("exit 3"), order_of("true"),
				       order_of("kill -TERM $$"), missing),
			     text, sizeof(text)),
			 4);
	assert_int_equal(run(json_array(), text, sizeof(text)), 0);
}

static void they_run_at_the_same_time(void **state)
{
	char text[256];

	/* Each waits for the other. */
	assert_int_equal(run(json_pack("[o,o]",
				       order_of("d=/tmp/test-stop-order-$PPID; mkfifo $d; "
						"timeout 5 cat $d; r=$?; rm $d; exit $r"),
				       order_of("d=/tmp/test-stop-order-$PPID; "
						"until test -p $d; do :; done; echo met > $d")),
			     text, sizeof(text)),
			 0);
	assert_string_equal(text, "met\n");
}

static void one_that_does_not_end_is_killed_after_its_patience(void **state)
{
	int64_t began = berth_time_mono_ns();
	char text[256];

	assert_int_equal(run(json_pack("[o]", order_of("trap '' TERM; echo at it; sleep 1000")),
			     text, sizeof(text)),
			 1);
	/* Five seconds at least, whatever it says. */
	assert_true(berth_time_mono_ns() - began >= BERTH_STOP_ORDER_PATIENCE_MS * 1000000LL);
	assert_string_equal(text, "at it\n");
	while (waitpid(-1, NULL, 0) > 0)
		;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_has_our_environment_and_its_own_over_it),
		cmocka_unit_test(each_that_fails_is_counted),
		cmocka_unit_test(they_run_at_the_same_time),
		cmocka_unit_test(one_that_does_not_end_is_killed_after_its_patience),
	};

	prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
