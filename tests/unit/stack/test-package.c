/* SPDX-License-Identifier: MIT */
/* unit/stack/test-package.c - what a package.json tells */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "stack/package.h"

static void parse(const char *text, struct berth_package *ret_package)
{
	struct berth_err err = { 0 };

	if (berth_package_parse(text, strlen(text), "package.json", ret_package, &err) != 0)
		fail_msg("'%s': %s", text, err.msg);
}

static void the_port_is_that_of_the_words_or_of_the_tool(void **state)
{
	static const struct {
		const char *dev;
		uint16_t port;
		const char *tool;
	} rows[] = {
		{ "vite", 5173, "Vite" },
		{ "vite --host", 5173, "Vite" },
		{ "vite --host 0.0.0.0 --open", 5173, "Vite" },
		{ "vite dev", 5173, "Vite" },
		{ "vite preview", 4173, "Vite's preview" },
		{ "vite build", 0, NULL },
		{ "vite --port 3100", 3100, NULL },
		{ "vite --port=3100", 3100, NULL },
		{ "vite -p 3100", 5173, "Vite" },
		{ "NODE_ENV=development vite", 5173, "Vite" },
		{ "cross-env A=b npx vite@5", 5173, "Vite" },
		{ "./node_modules/.bin/vite", 5173, "Vite" },
		{ "tsc -p . && vite", 5173, "Vite" },
		{ "next dev", 3000, "Next.js" },
		{ "next dev -p 3001", 3001, NULL },
		{ "PORT=3005 next dev", 3005, NULL },
		{ "react-scripts start", 3000, "Create React App" },
		{ "remix dev", 3000, "Remix" },
		{ "nuxt dev", 3000, "Nuxt" },
		{ "astro dev", 4321, "Astro" },
		{ "ng serve", 4200, "Angular" },
		{ "ng serve --port 4300", 4300, NULL },
		{ "webpack serve", 8080, "webpack" },
		{ "webpack-dev-server --hot", 8080, "webpack" },
		{ "webpack --watch", 0, NULL },
		{ "node server.js", 0, NULL },
		{ "node server.js --port 4000", 4000, NULL },
		{ "node server.js --port abc", 0, NULL },
		{ "PORT=4001 node server.js", 4001, NULL },
		{ "PORT=x node server.js", 0, NULL },
		{ "nodemon -p 4000 x.js", 0, NULL },
		{ "tsc --watch", 0, "tsc" },
		{ "tsc && node x.js", 0, NULL },
		{ "node x.js & tsc --watch", 0, NULL },
		{ "npm run web", 5173, "Vite" },
		{ "PORT=9 npm run web", 9, NULL },
		{ "yarn web", 5173, "Vite" },
		{ "yarn vite", 5173, "Vite" },
		{ "pnpm exec vite", 5173, "Vite" },
		{ "npm run dev", 0, NULL },
		{ "npm run watch", 0, "tsc" },
		{ "npm run nothing", 0, NULL },
		{ "npm", 0, NULL },
		{ "PORT=1", 0, NULL },
		{ "&& ;", 0, NULL },
		{ "", 0, NULL },
	};

	for (size_t i = 0; i < BERTH_ARRAY_SIZE(rows); i++) {
		BERTH_CLEANUP(berth_package_deinit) struct berth_package package = { 0 };
		const char *tool = "untouched";
		char text[512];
		uint16_t port;

		snprintf(
			text, sizeof(text),
			"{\"scripts\": {\"web\": \"vite\", \"watch\": \"tsc -w\", \"dev\": \"%s\"}}",
			rows[i].dev);
		parse(text, &package);
		port = berth_package_port(&package, "dev", &tool);
		if (port != rows[i].port ||
		    (tool ? !rows[i].tool || strcmp(tool, rows[i].tool) : rows[i].tool != NULL))
			fail_msg("'%s' has %u (%s)", rows[i].dev, port, tool ? tool : "no tool");
	}
}

static void the_script_that_starts_it_is_found_in_order(void **state)
{
	static const struct {
		const char *text, *script;
	} rows[] = {
		{ "{}", NULL },
		{ "{\"scripts\": {}}", NULL },
		{ "{\"scripts\": []}", NULL },
		{ "{\"scripts\": {\"build\": \"x\"}}", NULL },
		{ "{\"scripts\": {\"dev\": 3, \"start\": \"x\"}}", "start" },
		{ "{\"scripts\": {\"start\": \"x\", \"dev\": \"y\"}}", "dev" },
		{ "{\"scripts\": {\"preview\": \"x\", \"serve\": \"y\"}}", "serve" },
		{ "{\"scripts\": {\"preview\": \"x\"}}", "preview" },
	};

	for (size_t i = 0; i < BERTH_ARRAY_SIZE(rows); i++) {
		BERTH_CLEANUP(berth_package_deinit) struct berth_package package = { 0 };
		const char *script;

		parse(rows[i].text, &package);
		script = berth_package_start(&package);
		if (!rows[i].script)
			assert_null(script);
		else
			assert_string_equal(script, rows[i].script);
	}
}

static void managers_are_known(void **state)
{
	static const struct {
		const char *text, *manager;
	} rows[] = {
		{ "{}", NULL },
		{ "{\"packageManager\": \"pnpm@8.6.0\"}", "pnpm" },
		{ "{\"packageManager\": \"yarn\"}", "yarn" },
		{ "{\"packageManager\": \"rm@1\"}", NULL },
		{ "{\"packageManager\": 3}", NULL },
	};

	for (size_t i = 0; i < BERTH_ARRAY_SIZE(rows); i++) {
		BERTH_CLEANUP(berth_package_deinit) struct berth_package package = { 0 };
		const char *manager;

		parse(rows[i].text, &package);
		manager = berth_package_manager(&package);
		assert_string_equal(manager ? manager : "-",
				    rows[i].manager ? rows[i].manager : "-");
	}
}

static void write_patterns(char *const *patterns, struct berth_str *out)
{
	berth_str_add(out, "");
	for (size_t i = 0; patterns && patterns[i]; i++)
		berth_str_addf(out, "[%s]", patterns[i]);
}

static void workspaces_have_two_forms(void **state)
{
	static const struct {
		const char *text, *patterns;
	} rows[] = {
		{ "{}", "" },
		{ "{\"workspaces\": [\"a\", 3, \"b/*\"]}", "[a][b/*]" },
		{ "{\"workspaces\": {\"packages\": [\"a\"], \"nohoist\": [\"x\"]}}", "[a]" },
		{ "{\"workspaces\": \"a\"}", "" },
		{ "{\"workspaces\": {}}", "" },
	};

	for (size_t i = 0; i < BERTH_ARRAY_SIZE(rows); i++) {
		BERTH_CLEANUP(berth_package_deinit) struct berth_package package = { 0 };
		BERTH_CLEANUP(berth_str_deinit) struct berth_str out = { 0 };

		parse(rows[i].text, &package);
		write_patterns(package.workspaces, &out);
		assert_string_equal(berth_str_text(&out), rows[i].patterns);
	}
}

static void pnpm_has_them_in_a_file_of_its_own(void **state)
{
	static const struct {
		const char *text, *patterns;
		int r;
	} rows[] = {
		{ "packages:\n  - 'a/*'\n  - '!a/x'\n  - [b]\n", "[a/*][!a/x]", 0 },
		{ "catalog: {x: 1}\n", "", 0 },
		{ "", "", 0 },
		{ "packages: [a\n", "", -EINVAL },
	};

	for (size_t i = 0; i < BERTH_ARRAY_SIZE(rows); i++) {
		BERTH_CLEANUP(berth_faults_deinit) struct berth_faults faults = { 0 };
		BERTH_CLEANUP(berth_str_deinit) struct berth_str out = { 0 };
		char **patterns = NULL;

		assert_int_equal(berth_package_parse_pnpm(rows[i].text, strlen(rows[i].text),
							  &faults, &patterns),
				 rows[i].r);
		assert_int_equal(faults.count > 0, rows[i].r < 0);
		write_patterns(patterns, &out);
		berth_package_free_patterns(patterns);
		assert_string_equal(berth_str_text(&out), rows[i].patterns);
	}
}

static void what_is_no_package_is_refused_with_its_place(void **state)
{
	static const struct {
		const char *text, *begins;
	} rows[] = {
		{ "{\n  \"a\": x\n}", "p\\e:2:" },
		{ "[]", "p\\e holds no object" },
		{ "", "p\\e:1:" },
		{ "{\"a\": 1, \"a\": 2}", "p\\e:1:" },
	};

	for (size_t i = 0; i < BERTH_ARRAY_SIZE(rows); i++) {
		struct berth_package package;
		struct berth_err err = { 0 };

		assert_int_equal(berth_package_parse(rows[i].text, strlen(rows[i].text), "p\x1b",
						     &package, &err),
				 -EINVAL);
		assert_int_equal(err.code, BERTH_ERR_CONFIG);
		if (strncmp(err.msg, rows[i].begins, strlen(rows[i].begins)) != 0)
			fail_msg("'%s': %s", rows[i].text, err.msg);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_port_is_that_of_the_words_or_of_the_tool),
		cmocka_unit_test(the_script_that_starts_it_is_found_in_order),
		cmocka_unit_test(managers_are_known),
		cmocka_unit_test(workspaces_have_two_forms),
		cmocka_unit_test(pnpm_has_them_in_a_file_of_its_own),
		cmocka_unit_test(what_is_no_package_is_refused_with_its_place),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
