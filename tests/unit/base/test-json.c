/* SPDX-License-Identifier: MIT */
/* unit/base/test-json.c - look-ups that never fail, text that is always valid */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/json.h"

static json_t *parse(const char *text)
{
	return berth_json_parse(text, strlen(text));
}

static void a_member_of_the_wrong_type_is_the_default(void **state)
{
	BERTH_AUTO_JSON json_t *json =
		parse("{\"s\":\"x\",\"i\":5,\"b\":true,\"f\":false,\"n\":null,\"r\":1.5}");

	assert_non_null(json);
	assert_string_equal(berth_json_string(json, "s", "-"), "x");
	assert_string_equal(berth_json_string(json, "i", "-"), "-");
	assert_string_equal(berth_json_string(json, "n", "-"), "-");
	assert_null(berth_json_string(json, "none", NULL));
	assert_int_equal(berth_json_int(json, "i", 7), 5);
	assert_int_equal(berth_json_int(json, "r", 7), 7);
	assert_int_equal(berth_json_int(json, "s", 7), 7);
	assert_int_equal(berth_json_int(json, "none", 7), 7);
	assert_true(berth_json_bool(json, "b", false));
	assert_false(berth_json_bool(json, "f", true));
	assert_true(berth_json_bool(json, "i", true));
	assert_true(berth_json_bool(json, "none", true));
}

static void what_is_no_object_has_no_members(void **state)
{
	BERTH_AUTO_JSON json_t *array = parse("[1]");

	assert_non_null(array);
	assert_int_equal(berth_json_int(array, "0", 7), 7);
	assert_string_equal(berth_json_string(NULL, "s", "-"), "-");
	assert_false(berth_json_bool(NULL, "b", false));
}

static void bad_bytes_become_replacement_characters(void **state)
{
	static const struct {
		const char *bytes, *text;
	} rows[] = {
		{ "", "" },
		{ "plain", "plain" },
		{ "na\xc3\xafve", "na\xc3\xafve" },
		{ "\xf0\x9f\x98\x80", "\xf0\x9f\x98\x80" },
		{ "a\xff z", "a\xef\xbf\xbd z" },
		{ "\xc3", "\xef\xbf\xbd" },
		{ "\xed\xa0\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd" }, /* a surrogate */
		{ "\xc0\xaf", "\xef\xbf\xbd\xef\xbf\xbd" }, /* an overlong '/' */
		{ "tab\t\x1b[0m", "tab\t\x1b[0m" }, /* escaped when it is printed */
	};

	for (size_t i = 0; i < BERTH_ARRAY_SIZE(rows); i++) {
		BERTH_AUTO_JSON json_t *json = berth_json_text(rows[i].bytes);

		assert_non_null(json);
		assert_string_equal(json_string_value(json), rows[i].text);
	}
}

static void nothing_is_null(void **state)
{
	BERTH_AUTO_JSON json_t *none = berth_json_text_or_null(NULL);
	BERTH_AUTO_JSON json_t *empty = berth_json_text_or_null("");
	BERTH_AUTO_JSON json_t *text = berth_json_text_or_null("x");
	BERTH_AUTO_JSON json_t *never = berth_json_time(0);
	BERTH_AUTO_JSON json_t *once = berth_json_time(1795253400123);
	BERTH_AUTO_JSON json_t *nobody = berth_json_pid(0);
	BERTH_AUTO_JSON json_t *somebody = berth_json_pid(812);

	assert_true(json_is_null(none));
	assert_true(json_is_null(empty));
	assert_string_equal(json_string_value(text), "x");
	assert_true(json_is_null(never));
	assert_true(json_is_null(nobody));
	assert_int_equal(json_integer_value(somebody), 812);
	assert_string_equal(json_string_value(once), "2026-11-21T09:30:00.123Z");
}

static void what_is_no_document_is_refused(void **state)
{
	static const char *const texts[] = {
		"",	      "x",	  "{",	"{}x",	   "{\"a\":1,\"a\":2}",
		"{\"a\":1,}", "\"lone\"", "[1", "{'a':1}", "{\"a\":\"\xff\"}",
	};

	for (size_t i = 0; i < BERTH_ARRAY_SIZE(texts); i++)
		assert_null(parse(texts[i]));
	assert_null(berth_json_parse("{}\0", 3));
}

static void a_line_keeps_the_order_and_has_no_breaks(void **state)
{
	BERTH_AUTO_JSON json_t *json =
		parse("{ \"z\": [1, 2],\n\"a\": {\"k\":\t\"\\n\"}, \"m\": null }");
	BERTH_AUTO_JSON json_t *number = json_integer(5);
	BERTH_AUTO_FREE char *line = NULL;
	BERTH_AUTO_FREE char *lone = NULL;

	assert_non_null(json);
	line = berth_json_line(json);
	assert_string_equal(line, "{\"z\":[1,2],\"a\":{\"k\":\"\\n\"},\"m\":null}");
	lone = berth_json_line(number);
	assert_string_equal(lone, "5");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_member_of_the_wrong_type_is_the_default),
		cmocka_unit_test(what_is_no_object_has_no_members),
		cmocka_unit_test(bad_bytes_become_replacement_characters),
		cmocka_unit_test(nothing_is_null),
		cmocka_unit_test(what_is_no_document_is_refused),
		cmocka_unit_test(a_line_keeps_the_order_and_has_no_breaks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
