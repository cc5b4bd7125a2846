/* SPDX-License-Identifier: MIT */
/* unit/stack/test-settings.c - config.yaml: what is understood, and each fault at its place */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "stack/settings.h"

static int parse(const char *text, struct berth_faults *faults, struct berth_settings *settings)
{
	*settings = (struct berth_settings){ 0 };
	return berth_settings_parse(text, strlen(text), "/home/ann", faults, settings);
}

static void every_key_is_understood(void **state)
{
	static const char text[] = "range: 4000-4999\n"
				   "skip: [6000, 7000-7010]\n"
				   "grace: 3s\n"
				   "colour: never\n"
				   "tools: [9876, 9900-9902]\n"
				   "pins:\n"
				   "  shop/backend: 9001\n"
				   "  shop+demo/api.2:ws: 9002\n"
				   "  ~/src/shop/web: 5000\n"
				   "  /srv/app/db: :5432\n"
				   "  ~/top: 81\n";
	static const uint16_t tools[] = { 9876, 9900, 9901, 9902 };
	BERTH_CLEANUP(berth_settings_deinit) struct berth_settings settings = { 0 };
	struct berth_faults faults = { 0 };

	(void)state;
	assert_int_equal(parse(text, &faults, &settings), 0);
	assert_int_equal(settings.range.lo, 4000);
	assert_int_equal(settings.range.hi, 4999);
	assert_string_equal(settings.skip, "6000-6000,7000-7010");
	assert_true(settings.has_grace);
	assert_int_equal(settings.grace_ms, 3000);
	assert_int_equal(settings.colour, BERTH_SETTINGS_COLOUR_NEVER);
	assert_int_equal(settings.tool_count, 4);
	assert_memory_equal(settings.tools, tools, sizeof(tools));
	assert_int_equal(settings.pin_count, 5);
	assert_string_equal(settings.pins[0].project, "shop");
	assert_string_equal(settings.pins[0].service, "backend");
	assert_string_equal(settings.pins[0].port_name, "main");
	assert_int_equal(settings.pins[0].instance, 1);
	assert_int_equal(settings.pins[0].port, 9001);
	assert_null(settings.pins[0].folder);
	assert_string_equal(settings.pins[1].project, "shop+demo");
	assert_string_equal(settings.pins[1].service, "api");
	assert_int_equal(settings.pins[1].instance, 2);
	assert_string_equal(settings.pins[1].port_name, "ws");
	assert_string_equal(settings.pins[2].folder, "/home/ann/src/shop");
	assert_string_equal(settings.pins[3].folder, "/srv/app");
	assert_int_equal(settings.pins[3].port, 5432);
	assert_string_equal(settings.pins[4].folder, "/home/ann");
}

static void what_is_not_said_is_not_settled(void **state)
{
	static const char *const texts[] = { "",	   "# nothing\n",  "---\n",
					     "grace:\n",   "pins: ~\n",	   "skip: []\n",
					     "pins: {}\n", "tools: \"\"\n" };

	(void)state;
	for (size_t i = 0; i < BERTH_ARRAY_SIZE(texts); i++) {
		BERTH_CLEANUP(berth_settings_deinit) struct berth_settings settings;
		struct berth_faults faults = { 0 };

		if (parse(texts[i], &faults, &settings) != 0)
			fail_msg("'%s': %s", texts[i], faults.items[0].text);
		assert_int_equal(settings.range.lo, 0);
		assert_false(settings.has_grace);
		assert_null(settings.skip);
		assert_int_equal(settings.tool_count + settings.pin_count, 0);
		assert_int_equal(settings.colour, BERTH_SETTINGS_COLOUR_AUTO);
	}
}

static void lists_may_be_written_as_on_the_command_line(void **state)
{
	static const char *const texts[] = { "skip: 6000,7000-7010\n",
					     "skip: \"6000, 7000-7010\"\n",
					     "skip: [\"6000\", 7000-7010]\n" };

	(void)state;
	for (size_t i = 0; i < BERTH_ARRAY_SIZE(texts); i++) {
		BERTH_CLEANUP(berth_settings_deinit) struct berth_settings settings;
		struct berth_faults faults = { 0 };

		assert_int_equal(parse(texts[i], &faults, &settings), 0);
		assert_string_equal(settings.skip, "6000-6000,7000-7010");
	}
}

static void color_is_colour(void **state)
{
	BERTH_CLEANUP(berth_settings_deinit) struct berth_settings settings;
	struct berth_faults faults = { 0 };

	(void)state;
	assert_int_equal(parse("color: always\n", &faults, &settings), 0);
	assert_int_equal(settings.colour, BERTH_SETTINGS_COLOUR_ALWAYS);
}

static void each_fault_has_its_place_and_what_was_meant(void **state)
{
	static const struct {
		const char *text;
		unsigned int line, column;
		const char *says, *hint;
	} rows[] = {
		{ "grase: 3s\n", 1, 1, "'grase' is no setting", "did you mean 'grace'?" },
		{ "# x\ngrace: 3 fortnights\n", 2, 8, "'3 fortnights' is not a time", "" },
		{ "grace: [1]\n", 1, 8, "a time, like 10s is expected here", "" },
		{ "range: 4000\nrange: 5000\n", 2, 1, "", "" },
		{ "range: 5000-4000\n", 1, 8, "'5000-4000' is not a range of ports", "" },
		{ "colour: alwys\n", 1, 9, "'alwys' is not auto, always or never",
		  "did you mean 'always'?" },
		{ "colour: auto\ncolor: auto\n", 2, 1, "'colour' and 'color' are one setting", "" },
		{ "skip: [6000, x]\n", 1, 14, "'x' is not a port or a range", "" },
		{ "skip: 6000,x\n", 1, 7, "'6000,x' is not a list of ports", "" },
		{ "skip: {a: 1}\n", 1, 7, "a list of ports", "" },
		{ "tools: 1-1000\n", 1, 8, "more than 256 ports of tools", "" },
		{ "pins: [a]\n", 1, 7, "services and their ports", "pins: { shop/api: 9001 }" },
		{ "pins: {api: 9001}\n", 1, 8, "'api' names no service", "shop/api, or with" },
		{ "pins: {shop/Api: 9001}\n", 1, 8, "'shop/Api' names no service", "" },
		{ "pins: {a/b/api: 9001}\n", 1, 8, "names no service", "" },
		{ "pins: {shop/api.0: 9001}\n", 1, 8, "names no service", "" },
		{ "pins: {shop/: 9001}\n", 1, 8, "names no service", "" },
		{ "pins: {shop/api: 65536}\n", 1, 18, "'65536' is not a port (1-65535)", "" },
		{ "pins: {shop/api: [1]}\n", 1, 18, "a port is expected here", "" },
		{ "pins:\n  shop/api: 9001\n  shop/web: 9001\n", 3, 13,
		  "9001 is pinned for 'api' already", "that is in line 2" },
		{ "pins:\n  shop/api:ws: 9001\n  ~/shop/api: 9001\n", 3, 15,
		  "9001 is pinned for 'api:ws' already", "line 2" },
		{ "pins:\n  shop/api: 9001\n  shop+demo/api: 9001\n", 3, 18, "for 'api' already",
		  "" },
		{ "3000\n", 1, 1, "settings are expected here", "grace: 10s" },
		{ "grace: \"3s\n", 1, 0, "", "" },
	};

	(void)state;
	for (size_t i = 0; i < BERTH_ARRAY_SIZE(rows); i++) {
		BERTH_CLEANUP(berth_faults_deinit) struct berth_faults faults = { 0 };
		BERTH_CLEANUP(berth_settings_deinit) struct berth_settings settings;

		assert_int_equal(parse(rows[i].text, &faults, &settings), -EINVAL);
		assert_true(faults.count > 0);
		if (!strstr(faults.items[0].text, rows[i].says) ||
		    !strstr(faults.items[0].hint, rows[i].hint))
			fail_msg("'%s': %s; %s", rows[i].text, faults.items[0].text,
				 faults.items[0].hint);
		if (rows[i].column && (faults.items[0].at.line != rows[i].line ||
				       faults.items[0].at.column != rows[i].column))
			fail_msg("'%s': at %u:%u", rows[i].text, faults.items[0].at.line,
				 faults.items[0].at.column);
		/* nothing of a broken file counts */
		assert_false(settings.has_grace);
	}
}

static void a_number_may_be_pinned_by_folder_and_by_project(void **state)
{
	BERTH_CLEANUP(berth_settings_deinit) struct berth_settings settings;
	struct berth_faults faults = { 0 };

	(void)state;
	assert_int_equal(parse("pins: {shop/api.2:ws: 9001, ~/src/shop/api.2:ws: 9001}\n", &faults,
			       &settings),
			 0);
	assert_int_equal(settings.pin_count, 2);
}

static void all_faults_are_told_at_once(void **state)
{
	BERTH_CLEANUP(berth_faults_deinit) struct berth_faults faults = { 0 };
	BERTH_CLEANUP(berth_settings_deinit) struct berth_settings settings;

	(void)state;
	assert_int_equal(parse("grace: x\nrange: x\ncolour: x\nx: 1\n", &faults, &settings),
			 -EINVAL);
	assert_int_equal(faults.count, 4);
}

static void without_a_home_there_is_no_tilde(void **state)
{
	static const char text[] = "pins: { ~/shop/api: 9001 }\n";
	BERTH_CLEANUP(berth_faults_deinit) struct berth_faults faults = { 0 };
	BERTH_CLEANUP(berth_settings_deinit) struct berth_settings settings = { 0 };

	(void)state;
	assert_int_equal(berth_settings_parse(text, strlen(text), NULL, &faults, &settings),
			 -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_key_is_understood),
		cmocka_unit_test(what_is_not_said_is_not_settled),
		cmocka_unit_test(lists_may_be_written_as_on_the_command_line),
		cmocka_unit_test(color_is_colour),
		cmocka_unit_test(each_fault_has_its_place_and_what_was_meant),
		cmocka_unit_test(a_number_may_be_pinned_by_folder_and_by_project),
		cmocka_unit_test(all_faults_are_told_at_once),
		cmocka_unit_test(without_a_home_there_is_no_tilde),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
