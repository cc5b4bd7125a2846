/* SPDX-License-Identifier: MIT */
/* unit/stack/test-package-edit.c - scripts added to a package.json of which nothing else changes */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "stack/package-edit.h"

static struct berth_package_entry entries[2];

static int edit(const char *text, bool force, char **ret_text, struct berth_err *err)
{
	entries[0] = (struct berth_package_entry){ .name = "a:b", .command = "x \"y\"" };
	entries[1] = (struct berth_package_entry){ .name = "stop", .command = "berth stop" };
	return berth_package_edit_scripts(text, strlen(text), entries, BERTH_ARRAY_SIZE(entries),
					  force, ret_text, err);
}

static void the_style_of_the_file_stays(void **state)
{
	static const struct {
		const char *before, *after;
	} rows[] = {
		{ "{}",
		  "{\n  \"scripts\": {\n    \"a:b\": \"x \\\"y\\\"\",\n    \"stop\": \"berth stop\"\n  }\n}" },
		{ "{\"n\":1}",
		  "{\"n\":1,\"scripts\":{\"a:b\":\"x \\\"y\\\"\",\"stop\":\"berth stop\"}}" },
		{ "{\"scripts\":{\"dev\":\"v\"},\"n\":1}\n",
		  "{\"scripts\":{\"dev\":\"v\",\"a:b\":\"x \\\"y\\\"\",\"stop\":\"berth stop\"},\"n\":1}\n" },
		{ "{\n\t\"n\": [1, {\"}\": \"]\\\"\"}],\n\t\"scripts\": {\n\t\t\"dev\" : \"v\"\n\t}\n}\n",
		  "{\n\t\"n\": [1, {\"}\": \"]\\\"\"}],\n\t\"scripts\": {\n\t\t\"dev\" : \"v\",\n\t\t\"a:b\" : "
		  "\"x \\\"y\\\"\",\n\t\t\"stop\" : \"berth stop\"\n\t}\n}\n" },
		{ "{\r\n    \"scripts\": {},\r\n    \"n\": -1.5e3\r\n}\r\n",
		  "{\r\n    \"scripts\": {\r\n        \"a:b\": \"x \\\"y\\\"\",\r\n        \"stop\": "
		  "\"berth stop\"\r\n    },\r\n    \"n\": -1.5e3\r\n}\r\n" },
		{ "{\n  \"n\": null\n}",
		  "{\n  \"n\": null,\n  \"scripts\": {\n    \"a:b\": \"x \\\"y\\\"\",\n    \"stop\": "
		  "\"berth stop\"\n  }\n}" },
		/* "scripts" within something else is not meant. */
		{ "{\"x\": {\"scripts\": {\"stop\": \"no\"}}, \"scripts\": {\"d\": \"v\"}}",
		  "{\"x\": {\"scripts\": {\"stop\": \"no\"}}, \"scripts\": {\"d\": \"v\",\"a:b\": \"x "
		  "\\\"y\\\"\",\"stop\": \"berth stop\"}}" },
	};

	for (size_t i = 0; i < BERTH_ARRAY_SIZE(rows); i++) {
		BERTH_AUTO_FREE char *text = NULL;
		struct berth_err err = { 0 };

		if (edit(rows[i].before, false, &text, &err) != 0)
			fail_msg("'%s': %s", rows[i].before, err.msg);
		assert_string_equal(text, rows[i].after);
		assert_int_equal(entries[0].done, BERTH_PACKAGE_ADDED);
		assert_int_equal(entries[1].done, BERTH_PACKAGE_ADDED);
	}
}

static void what_is_there_is_replaced_only_by_force(void **state)
{
	static const char before[] =
		"{ \"scripts\": { \"stop\": \"kill\", \"a:b\": \"x \\\"y\\\"\" } }";
	BERTH_AUTO_FREE char *kept = NULL;
	BERTH_AUTO_FREE char *replaced = NULL;
	struct berth_err err = { 0 };

	assert_int_equal(edit(before, false, &kept, &err), 0);
	assert_string_equal(kept, before);
	assert_int_equal(entries[0].done, BERTH_PACKAGE_SAME);
	assert_int_equal(entries[1].done, BERTH_PACKAGE_KEPT);

	assert_int_equal(edit(before, true, &replaced, &err), 0);
	assert_string_equal(
		replaced,
		"{ \"scripts\": { \"stop\": \"berth stop\", \"a:b\": \"x \\\"y\\\"\" } }");
	assert_int_equal(entries[0].done, BERTH_PACKAGE_SAME);
	assert_int_equal(entries[1].done, BERTH_PACKAGE_REPLACED);
}

static void what_can_not_be_edited_is_refused(void **state)
{
	static const char *const rows[] = {
		"[]",
		"{\"scripts\": []}",
		"{\"scripts\": null}",
		"{",
		/* A key in another spelling: a second "scripts" would come beside it. */
		"{\"scr\\u0069pts\": {\"dev\": \"v\"}}",
	};

	for (size_t i = 0; i < BERTH_ARRAY_SIZE(rows); i++) {
		char *text = NULL;
		struct berth_err err = { 0 };

		assert_int_equal(edit(rows[i], true, &text, &err), -EINVAL);
		assert_int_equal(err.code, BERTH_ERR_CONFIG);
		assert_null(text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_style_of_the_file_stays),
		cmocka_unit_test(what_is_there_is_replaced_only_by_force),
		cmocka_unit_test(what_can_not_be_edited_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
