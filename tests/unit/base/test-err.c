/* SPDX-License-Identifier: MIT */
/* unit/base/test-err.c - errors as the user will read them */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/err.h"

static void set_returns_what_it_was_given(void **state)
{
	struct berth_err err = { 0 };

	assert_int_equal(berth_err_set(&err, -EINVAL, BERTH_ERR_USAGE, "no '%s'", "x"), -EINVAL);
	assert_int_equal(err.code, BERTH_ERR_USAGE);
	assert_string_equal(err.msg, "no 'x'");
	assert_string_equal(err.hint, "");
	assert_int_equal(berth_err_set(&err, 3, BERTH_ERR_NO_PORT, "none"), 3);
	assert_string_equal(err.msg, "none");
}

static void a_second_set_forgets_the_hint(void **state)
{
	struct berth_err err = { 0 };

	berth_err_set(&err, -1, BERTH_ERR_USAGE, "one");
	berth_err_hint(&err, "try %d", 2);
	assert_string_equal(err.hint, "try 2");
	berth_err_set(&err, -1, BERTH_ERR_USAGE, "two");
	assert_string_equal(err.hint, "");
	berth_err_hint(&err, "again");
	berth_err_errno(&err, -EIO, "three");
	assert_string_equal(err.hint, "");
}

static void errno_is_the_cause(void **state)
{
	struct berth_err err = { 0 };

	assert_int_equal(berth_err_errno(&err, -ENOENT, "cannot read '%s'", "/x"), -ENOENT);
	assert_string_equal(err.msg, "cannot read '/x': No such file or directory");
	assert_int_equal(err.code, BERTH_ERR_INTERNAL);
	berth_err_errno(&err, -EACCES, "cannot read");
	assert_int_equal(err.code, BERTH_ERR_DENIED);
	berth_err_errno(&err, -EPERM, "cannot read");
	assert_int_equal(err.code, BERTH_ERR_DENIED);
}

static void wrap_puts_the_context_in_front_and_keeps_the_rest(void **state)
{
	struct berth_err err = { 0 };

	berth_err_set(&err, -EINVAL, BERTH_ERR_CONFIG, "bad");
	berth_err_hint(&err, "better");
	assert_int_equal(berth_err_wrap(&err, -EINVAL, "line %d", 7), -EINVAL);
	assert_string_equal(err.msg, "line 7: bad");
	assert_string_equal(err.hint, "better");
	assert_int_equal(err.code, BERTH_ERR_CONFIG);
}

static void nobody_has_to_listen(void **state)
{
	assert_int_equal(berth_err_set(NULL, -1, BERTH_ERR_USAGE, "x"), -1);
	assert_int_equal(berth_err_errno(NULL, -2, "x"), -2);
	assert_int_equal(berth_err_wrap(NULL, -3, "x"), -3);
	berth_err_hint(NULL, "x");
}

static void what_is_too_long_is_cut(void **state)
{
	struct berth_err err = { 0 };
	char big[4096];

	memset(big, 'a', sizeof(big) - 1);
	big[sizeof(big) - 1] = '\0';
	berth_err_set(&err, -1, BERTH_ERR_USAGE, "%s", big);
	assert_int_equal(strlen(err.msg), sizeof(err.msg) - 1);
	berth_err_wrap(&err, -1, "%s", big);
	assert_int_equal(strlen(err.msg), sizeof(err.msg) - 1);
	berth_err_errno(&err, -EIO, "%s", big);
	assert_int_equal(strlen(err.msg), sizeof(err.msg) - 1);
	berth_err_hint(&err, "%s", big);
	assert_int_equal(strlen(err.hint), sizeof(err.hint) - 1);
}

static void each_code_has_the_name_and_exit_code_that_are_documented(void **state)
{
	static const struct {
		enum berth_err_code code;
		const char *name;
		int exit;
	} rows[] = {
		{ BERTH_ERR_NONE, "none", 0 },
		{ BERTH_ERR_USAGE, "usage", 2 },
		{ BERTH_ERR_CONFIG, "config", 2 },
		{ BERTH_ERR_NOT_FOUND, "not-found", 3 },
		{ BERTH_ERR_NOT_RUNNING, "not-running", 3 },
		{ BERTH_ERR_ALREADY_RUNNING, "already-running", 4 },
		{ BERTH_ERR_NO_PORT, "no-port", 75 },
		{ BERTH_ERR_START_FAILED, "start-failed", 1 },
		{ BERTH_ERR_NOT_READY, "not-ready", 1 },
		{ BERTH_ERR_TIMEOUT, "timeout", 124 },
		{ BERTH_ERR_REFUSED, "refused", 1 },
		{ BERTH_ERR_DENIED, "denied", 1 },
		{ BERTH_ERR_UNSUPPORTED, "unsupported", 1 },
		{ BERTH_ERR_INTERNAL, "internal", 1 },
	};

	_Static_assert(BERTH_ARRAY_SIZE(rows) == BERTH_ERR_CODE_COUNT_, "one row per code");
	for (size_t i = 0; i < BERTH_ARRAY_SIZE(rows); i++) {
		assert_int_equal(rows[i].code, i);
		assert_string_equal(berth_err_code_name(rows[i].code), rows[i].name);
		assert_int_equal(berth_err_code_exit(rows[i].code), rows[i].exit);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(set_returns_what_it_was_given),
		cmocka_unit_test(a_second_set_forgets_the_hint),
		cmocka_unit_test(errno_is_the_cause),
		cmocka_unit_test(wrap_puts_the_context_in_front_and_keeps_the_rest),
		cmocka_unit_test(nobody_has_to_listen),
		cmocka_unit_test(what_is_too_long_is_cut),
		cmocka_unit_test(each_code_has_the_name_and_exit_code_that_are_documented),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
