/* SPDX-License-Identifier: MIT */
/* unit/stack/test-interpolate.c - which ${NAME} is filled in with what */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "stack/interpolate.h"
#include "stack/template.h"

static const char *find(const void *arg, const char *name)
{
	(void)arg;
	return !strcmp(name, "A") ? "1" : !strcmp(name, "EMPTY") ? "" : NULL;
}

static const struct berth_interpolate_source source = { .find = find };

static void names_are_filled_in(void **state)
{
	static const struct {
		const char *text, *wanted;
	} rows[] = {
		{ "", "" },
		{ "plain", "plain" },
		{ "${A}", "1" },
		{ "x${A}y${A}", "x1y1" },
		{ "${NONE}", "" },
		{ "${NONE:-text}", "text" },
		{ "${EMPTY:-text}", "text" },
		{ "${A:-text}", "1" },
		{ "${A:-}", "1" },
		{ "${NONE:-}", "" },
		{ "${NONE:-{port}}", "{port}" },
		{ "${NONE:-http://x:1/}", "http://x:1/" },
		{ "${A:?why}", "1" },
		{ "${NONE:-${A}}", "1" },
		{ "${NONE:-x${EMPTY:-${A}y}z}", "x1yz" },
		{ "${NONE:-$$}", "$" },
		{ "$$", "$" },
		{ "$${A}", "${A}" },
		{ "$$$${A}", "$${A}" },
		{ "$$${A}", "$1" },
		/* Dollars that nobody means. */
		{ "$A ^foo$ $ $1 $(x)", "$A ^foo$ $ $1 $(x)" },
	};

	for (size_t i = 0; i < BERTH_ARRAY_SIZE(rows); i++) {
		BERTH_AUTO_FREE char *text = NULL;
		struct berth_err err = { 0 };

		assert_int_equal(berth_interpolate(rows[i].text, &source, &text, &err), 0);
		assert_string_equal(text, rows[i].wanted);
	}
}

static void what_is_no_reference_is_refused(void **state)
{
	static const char hint[] = "${NAME}, ${NAME:-text} or ${NAME:?text}; '$$' is a dollar";
	static const struct {
		const char *text, *msg, *hint;
	} rows[] = {
		{ "${A", "'${A' has no closing brace", hint },
		{ "x ${", "'${' has no closing brace", hint },
		{ "${}", "'${}' names no variable", hint },
		{ "${1}", "'${1}' names no variable", hint },
		{ "${A-x}", "'${A-x}' is more than is understood", hint },
		{ "${A:+x}", "'${A:+x}' is more than is understood", hint },
		{ "${A b}", "'${A b}' is more than is understood", hint },
		{ "${NONE:-${A-x}}", "'${A-x}' is more than is understood", hint },
		{ "${N:-${N:-${N:-${N:-${N:-${N:-${N:-${N:-${N:-x}}}}}}}}}",
		  "'x' is a default within too many others", hint },
		{ "${NONE:?give a token}", "NONE is not set: give a token", "" },
		{ "${EMPTY:?}", "EMPTY is not set: ", "" },
	};

	for (size_t i = 0; i < BERTH_ARRAY_SIZE(rows); i++) {
		struct berth_err err = { 0 };
		char *text = NULL;

		assert_int_equal(berth_interpolate(rows[i].text, &source, &text, &err), -EINVAL);
		assert_null(text);
		assert_int_equal(err.code, BERTH_ERR_CONFIG);
		assert_string_equal(err.msg, rows[i].msg);
		assert_string_equal(err.hint, rows[i].hint);
	}
}

static const char *find_braces(const void *arg, const char *name)
{
	(void)arg;
	return !strcmp(name, "SECRET") ? "p{port}{{id}}{}${x}{" : NULL;
}

/* A password is what it is: no part of it is looked up. */
static void in_a_template_what_was_found_is_text(void **state)
{
	static const struct berth_template_var vars[] = { { "port", "9000" }, { "id", "2abc" } };
	const struct berth_interpolate_source literal = { .find = find_braces, .literal = true };
	BERTH_AUTO_FREE char *text = NULL;
	BERTH_AUTO_FREE char *expanded = NULL;
	struct berth_err err = { 0 };

	assert_int_equal(berth_interpolate("{port} ${SECRET} ${NONE:-{id}}", &literal, &text, &err),
			 0);
	assert_int_equal(berth_template_expand(text, vars, 2, true, &expanded, &err), 0);
	assert_string_equal(expanded, "9000 p{port}{{id}}{}${x}{ 2abc");
}

static void without_values_nothing_is_missed(void **state)
{
	BERTH_AUTO_FREE char *text = NULL;
	struct berth_err err = { 0 };

	assert_int_equal(berth_interpolate("${A:?why}${B:-b}", NULL, &text, &err), 0);
	assert_string_equal(text, "b");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_are_filled_in),
		cmocka_unit_test(what_is_no_reference_is_refused),
		cmocka_unit_test(in_a_template_what_was_found_is_text),
		cmocka_unit_test(without_values_nothing_is_missed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
