/* SPDX-License-Identifier: MIT */
/* unit/app/test-init-npm.c - the scripts that `berth init --npm` puts into package.json */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../own-folder.h"
#include "app/init-npm.h"
#include "app/init.h"

static char folder[OWN_FOLDER_SIZE];

static void scripts_are_those_of_the_package(void **state)
{
	static const struct {
		const char *package, *lock;
		const char *commands[BERTH_INIT_NPM_SCRIPTS];
	} rows[] = {
		{ "{\"scripts\": {\"dev\": \"vite\"}}",
		  "pnpm-lock.yaml",
		  { "berth run pnpm run dev",
		    "berth run --force --free=any --port 5173 pnpm run dev", "berth stop dev",
		    "berth status dev" } },
		{ "{\"scripts\": {\"start\": \"node x.js\"}}",
		  "package-lock.json",
		  { "berth run npm run start", "berth run --force npm run start",
		    "berth stop start", "berth status start" } },
	};

	for (size_t i = 0; i < BERTH_ARRAY_SIZE(rows); i++) {
		struct own_file files[] = { { "package.json", rows[i].package },
					    { rows[i].lock, "" },
					    { NULL, NULL } };
		BERTH_CLEANUP(berth_init_npm_deinit) struct berth_init_npm npm = { 0 };
		struct berth_err err = { 0 };
		char path[OWN_FOLDER_SIZE + 16];

		assert_true(own_folder_make_with(folder, files));
		assert_int_equal(berth_init_npm_make(folder, false, &npm, &err), 0);
		assert_true(npm.changed);
		snprintf(path, sizeof(path), "%s/package.json", folder);
		assert_string_equal(npm.path, path);
		for (size_t j = 0; j < BERTH_INIT_NPM_SCRIPTS; j++) {
			assert_string_equal(npm.scripts[j].command, rows[i].commands[j]);
			assert_int_equal(npm.scripts[j].done, BERTH_PACKAGE_ADDED);
			assert_non_null(strstr(npm.text, rows[i].commands[j]));
		}
		assert_true(own_folder_remove(folder));
	}
}

static void without_a_script_to_start_there_are_none(void **state)
{
	static const struct own_file files[] = { { "package.json", "{}" }, { NULL, NULL } };
	static const struct own_file none[] = { { NULL, NULL } };
	struct berth_init_npm npm = { 0 };
	struct berth_err err = { 0 };

	assert_true(own_folder_make_with(folder, files));
	assert_int_equal(berth_init_npm_make(folder, false, &npm, &err), BERTH_INIT_E_NOTHING);
	assert_true(own_folder_remove(folder));
	assert_true(own_folder_make_with(folder, none));
	assert_int_equal(berth_init_npm_make(folder, false, &npm, &err), -ENOENT);
	assert_int_equal(err.code, BERTH_ERR_CONFIG);
	assert_true(own_folder_remove(folder));
	assert_null(npm.text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(scripts_are_those_of_the_package),
		cmocka_unit_test(without_a_script_to_start_there_are_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
