/* SPDX-License-Identifier: MIT */
/* unit/stack/test-draft.c - a berth.yaml in the making */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/yaml.h"
#include "stack/draft.h"

/* What stands there is what comes back, plain or in quotes, alone or in a list. */
static void each_text_is_read_as_it_was_written(void **state)
{
	static const char *const texts[] = {
		"plain",
		"two words",
		"",
		" ",
		"x ",
		" x",
		"no",
		"NULL",
		"~",
		"true",
		"3.10",
		"22:22",
		"a: b",
		"a:",
		":a",
		"a #b",
		"a#b",
		"#a",
		"-",
		"- a",
		"-a",
		"--rm",
		"---",
		"--- a",
		"...",
		"? a",
		"?a",
		"{a}",
		"[a]",
		"a {b}, [c]",
		"a, b",
		"&a",
		"*a",
		"!a",
		"|",
		">",
		"%a",
		"@a",
		"`a`",
		"'a'",
		"\"a\"",
		"it's \"so\"",
		"a\\b",
		"a\nb",
		"a\tb\r",
		"\x01\x1b[0m\x7f",
		"na\xc3\xafve \xe2\x82\xac \xf0\x9f\x9a\xa2",
		"\xc2\x85\xe2\x80\xa8\xef\xbb\xbf",
		"<<",
		"=",
		"${A:-b}",
		"a=b",
	};

	for (size_t i = 0; i < BERTH_ARRAY_SIZE(texts); i++) {
		const char *const list[] = { "x", texts[i], "y", NULL };
		BERTH_CLEANUP(berth_draft_deinit) struct berth_draft draft = { 0 };
		BERTH_CLEANUP(berth_faults_deinit) struct berth_faults faults = { 0 };
		BERTH_CLEANUP(berth_yaml_freep) struct berth_yaml_node *root = NULL;
		const struct berth_yaml_node *node;
		BERTH_AUTO_FREE char *yaml = NULL;

		berth_draft_begin(&draft, berth_draft_name(&draft, "web"));
		berth_draft_value(&draft, 1, "one", texts[i], "of many");
		berth_draft_list(&draft, 1, "many", list);
		yaml = berth_draft_finish(&draft, "a test", "");
		if (berth_yaml_parse(yaml, strlen(yaml), &faults, &root) != 0)
			fail_msg("%s\n%s", yaml, faults.items[0].text);
		node = berth_yaml_get(berth_yaml_get(root, "services"), "web");
		assert_string_equal(berth_yaml_get(node, "one")->text, texts[i]);
		assert_false(berth_yaml_is_null(berth_yaml_get(node, "one")));
		node = berth_yaml_get(node, "many");
		assert_int_equal(node->count, 3);
		assert_string_equal(node->items[1].text, texts[i]);
		assert_string_equal(node->items[2].text, "y");
	}
}

static void bytes_that_are_no_text_become_a_mark(void **state)
{
	BERTH_CLEANUP(berth_draft_deinit) struct berth_draft draft = { 0 };

	berth_draft_value(&draft, 1, "a", "x\xff", NULL);
	assert_string_equal(berth_str_text(&draft.services), "    a: \"x\xef\xbf\xbd\"\n");
}

static void the_whole_is_as_people_write_it(void **state)
{
	BERTH_CLEANUP(berth_draft_deinit) struct berth_draft draft = { 0 };
	BERTH_AUTO_FREE char *yaml = NULL;
	static const char wanted[] = "project: shop\n"
				     "services:\n"
				     "  web:\n"
				     "    command: \"npm run dev --x {port}\" # here\n"
				     "    outside: true\n"
				     "    ports:\n"
				     "      main: 80\n"
				     "\n"
				     "  web-2:\n"
				     "    # a comment\n"
				     "    args: [a, \"{b}\"]\n"
				     "\n";

	berth_draft_begin(&draft, berth_draft_name(&draft, "Web"));
	berth_draft_value(&draft, 1, "command", "npm run dev --x {port}", "here");
	berth_draft_plain(&draft, 1, "outside", "true", NULL);
	berth_draft_open(&draft, 1, "ports");
	berth_draft_plain(&draft, 2, "main", "80", NULL);
	berth_draft_begin(&draft, berth_draft_name(&draft, "web"));
	berth_draft_comment(&draft, 1, "a comment");
	berth_draft_list(&draft, 1, "args", (const char *const[]){ "a", "{b}", NULL });
	yaml = berth_draft_finish(&draft, "x.json", "shop");
	assert_non_null(strstr(yaml, "'berth init' from x.json"));
	assert_non_null(strstr(yaml, wanted));
}

static void no_port_is_wished_twice(void **state)
{
	BERTH_CLEANUP(berth_draft_deinit) struct berth_draft draft = { 0 };

	assert_int_equal(berth_draft_port(&draft, 0, false), 0);
	assert_int_equal(berth_draft_port(&draft, 5174, false), 5174);
	assert_int_equal(berth_draft_port(&draft, 5173, false), 5173);
	assert_int_equal(berth_draft_port(&draft, 5173, false), 5175);
	assert_int_equal(berth_draft_port(&draft, 5173, false), 5176);
	assert_int_equal(berth_draft_port(&draft, 65535, false), 65535);
	assert_int_equal(berth_draft_port(&draft, 65535, false), 65534);
	assert_int_equal(berth_draft_port(&draft, 65534, false), 65533);
	assert_int_equal(berth_draft_port(&draft, 0, false), 0);
	/* UDP has its own. */
	assert_int_equal(berth_draft_port(&draft, 5173, true), 5173);
	assert_int_equal(berth_draft_port(&draft, 5173, true), 5174);
}

/* A service called so made `berth init` fail: {port} would mean two things. */
static void words_of_templates_are_no_names(void **state)
{
	BERTH_CLEANUP(berth_draft_deinit) struct berth_draft draft = { 0 };

	assert_string_equal(berth_draft_name(&draft, "host"), "host-2");
	assert_string_equal(berth_draft_name(&draft, "Host"), "host-3");
	assert_string_equal(berth_draft_name(&draft, "port"), "port-2");
	assert_string_equal(berth_draft_name(&draft, "@shop/url"), "shop-url");
	assert_string_equal(berth_draft_name(&draft, "url"), "url-2");
	assert_string_equal(berth_draft_name(&draft, "id"), "id-2");
	assert_string_equal(berth_draft_name(&draft, "ports"), "ports");
}

static void what_a_manifest_refuses_is_taken_off_again(void **state)
{
	static const struct {
		const char *within, *key, *value, *waiter;
		const char *why; /* NULL: it is kept */
	} rows[] = {
		{ NULL, "restart", "on-failure:3", NULL, NULL },
		{ NULL, "restart", "always", NULL, NULL },
		{ NULL, "restart", "always", "y",
		  "'x' is never completed: it is always started again" },
		{ NULL, "stop_signal", "SIGKILL", NULL,
		  "SIGKILL does not ask, and leaves no time to end" },
		{ "healthcheck", "interval", "100ms", NULL, NULL },
		{ "healthcheck", "interval", "50ms", NULL,
		  "'interval' takes a time of at least 100ms, not '50ms'" },
		{ "environment", "A", "{{b}} $$C ${D:?e}", NULL, NULL },
		{ "environment", "A b", "c", NULL, "'A b' is no name for a variable" },
		{ NULL, "image", "c", NULL, "'image' is no key of a service" },
	};

	for (size_t i = 0; i < BERTH_ARRAY_SIZE(rows); i++) {
		const struct berth_draft_place place = { "x", rows[i].within, rows[i].waiter };
		BERTH_CLEANUP(berth_draft_deinit) struct berth_draft draft = { 0 };
		char why[BERTH_DRAFT_WHY_MAX] = "";
		size_t mark;

		berth_draft_begin(&draft, "x");
		mark = draft.services.len;
		berth_draft_value(&draft, rows[i].within ? 2 : 1, rows[i].key, rows[i].value,
				  "of many");
		assert_int_equal(berth_draft_keep(&draft, mark, &place, why), !rows[i].why);
		assert_string_equal(why, rows[i].why ? rows[i].why : "");
		assert_int_equal(draft.services.len > mark, !rows[i].why);
		if (rows[i].why)
			assert_string_equal(berth_str_text(&draft.services), "  x:\n");
	}
}

static void what_is_cut_off_may_be_had(void **state)
{
	BERTH_CLEANUP(berth_draft_deinit) struct berth_draft draft = { 0 };
	BERTH_CLEANUP(berth_str_deinit) struct berth_str text = { 0 };

	berth_draft_cut(&draft, 0, &text);
	assert_string_equal(berth_str_text(&text), "");
	berth_draft_begin(&draft, "x");
	berth_draft_value(&draft, 1, "a", "b", NULL);
	berth_draft_cut(&draft, strlen("  x:\n"), &text);
	assert_string_equal(berth_str_text(&text), "    a: b\n");
	assert_string_equal(berth_str_text(&draft.services), "  x:\n");
}

static void there_are_at_most_256_services(void **state)
{
	BERTH_CLEANUP(berth_draft_deinit) struct berth_draft draft = { 0 };

	for (int i = 0; i < 256; i++)
		assert_non_null(berth_draft_name(&draft, "web"));
	assert_string_equal(draft.names[255], "web-256");
	assert_null(berth_draft_name(&draft, "web"));
	assert_null(berth_draft_name(&draft, "web"));
	assert_string_equal(berth_str_text(&draft.notes),
			    "only the first 256 services are written\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_text_is_read_as_it_was_written),
		cmocka_unit_test(bytes_that_are_no_text_become_a_mark),
		cmocka_unit_test(the_whole_is_as_people_write_it),
		cmocka_unit_test(no_port_is_wished_twice),
		cmocka_unit_test(words_of_templates_are_no_names),
		cmocka_unit_test(what_a_manifest_refuses_is_taken_off_again),
		cmocka_unit_test(what_is_cut_off_may_be_had),
		cmocka_unit_test(there_are_at_most_256_services),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
