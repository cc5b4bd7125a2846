/* SPDX-License-Identifier: MIT */
/* unit/stack/test-mentions.c - whose ports a service is told */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/str.h"
#include "stack/mentions.h"

static void a_sibling_is_mentioned_wherever_braces_are_filled_in(void **state)
{
	char program[] = "serve", option[] = "--db={db.url}", stop[] = "stop {cache.port}";
	char plain[] = "PLAIN", api[] = "API", value[] = "{backend.port.http}";
	char *words[] = { program, option, NULL };
	struct berth_manifest_variable variables[] = {
		{ .name = plain }, /* as it is in the environment: no value */
		{ .name = api, .value = value },
	};
	const struct berth_manifest_service service = {
		.command.argv = words,
		.stop_command.text = stop,
		.environment = variables,
		.environment_count = BERTH_ARRAY_SIZE(variables),
	};

	assert_true(berth_mentions(&service, "db"));
	assert_true(berth_mentions(&service, "backend"));
	assert_true(berth_mentions(&service, "cache"));
	assert_false(berth_mentions(&service, "worker"));
	assert_false(berth_mentions(&service, "back"));
}

static void a_name_is_mentioned_only_in_braces_of_its_own(void **state)
{
	static const struct {
		const char *text;
		bool mentioned;
	} rows[] = {
		{ "{db.port}", true },
		{ "a{db.port}b", true },
		{ "{x.port} {db.port}", true },
		{ "{{db.port}}", false }, /* "{db.port}", literally */
		{ "{db}", false },
		{ "{adb.port}", false },
		{ "db.port", false },
		{ "", false },
	};

	for (size_t i = 0; i < BERTH_ARRAY_SIZE(rows); i++) {
		char text[64];
		const struct berth_manifest_service service = { .command.text = text };

		assert_true(berth_str_copy(text, sizeof(text), rows[i].text));
		assert_int_equal(berth_mentions(&service, "db"), rows[i].mentioned);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_sibling_is_mentioned_wherever_braces_are_filled_in),
		cmocka_unit_test(a_name_is_mentioned_only_in_braces_of_its_own),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
