/* SPDX-License-Identifier: MIT */
/* unit/app/test-workspaces.c - which folders the patterns of a workspace mean */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../own-folder.h"
#include "app/workspaces.h"
#include "base/str.h"

static char folder[OWN_FOLDER_SIZE];

/* An empty package.json at @path, and the folders above it. */
static void make_package(const char *path)
{
	char text[256];
	FILE *file;

	snprintf(text, sizeof(text), "%s/%s", folder, path);
	for (char *slash = strchr(text + strlen(folder) + 1, '/'); slash;
	     slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		(void)mkdir(text, 0755);
		*slash = '/';
	}
	file = fopen(text, "w");
	assert_non_null(file);
	assert_int_equal(fclose(file), 0);
}

static int make(void **state)
{
	static const char *const files[] = {
		"package.json",
		"apps/web/package.json",
		"apps/api/package.json",
		"apps/docs/readme",
		"apps/.hidden/package.json",
		"apps/web/node_modules/x/package.json",
		"libs/a/b/package.json",
		"libs/a/package.json",
		"tool/package.json",
	};
	char from[128], to[128];

	if (!own_folder_make(folder))
		return -1;
	for (size_t i = 0; i < BERTH_ARRAY_SIZE(files); i++)
		make_package(files[i]);
	snprintf(from, sizeof(from), "%s/tool", folder);
	snprintf(to, sizeof(to), "%s/apps/linked", folder);
	return symlink(from, to);
}

static int clear(void **state)
{
	return own_folder_remove(folder) ? 0 : -1;
}

static void patterns_are_those_of_npm_and_pnpm(void **state)
{
	static const struct {
		const char *patterns[4];
		const char *folders;
	} rows[] = {
		{ { "apps/*" }, "[apps/api][apps/web]" },
		{ { "apps/web", "tool" }, "[apps/web][tool]" },
		{ { "./apps/web/", "apps/*" }, "[apps/api][apps/web]" },
		{ { "apps/w?b" }, "[apps/web]" },
		{ { "*" }, "[tool]" },
		{ { "libs/*" }, "[libs/a]" },
		{ { "libs/**" }, "[libs/a][libs/a/b]" },
		{ { "**" }, "[apps/api][apps/web][libs/a][libs/a/b][tool]" },
		{ { "**/b" }, "[libs/a/b]" },
		{ { "apps/*", "!apps/web" }, "[apps/api]" },
		{ { "**", "!libs/**", "!**/api" }, "[apps/web][tool]" },
		{ { "apps/docs", "nothing", "nothing/*" }, "" },
		{ { ".", "", "/" }, "" },
		{ { "../*", "apps/../tool", "/tmp/*" }, "" },
		{ { NULL }, "" },
	};

	for (size_t i = 0; i < BERTH_ARRAY_SIZE(rows); i++) {
		BERTH_CLEANUP(berth_str_deinit) struct berth_str out = { 0 };
		char **found = NULL;

		assert_int_equal(
			berth_workspaces_find(folder, (char *const *)rows[i].patterns, &found), 0);
		for (size_t j = 0; found[j]; j++)
			berth_str_addf(&out, "[%s]", found[j]);
		berth_workspaces_free(found);
		assert_string_equal(berth_str_text(&out), rows[i].folders);
	}
}

static void a_folder_that_is_not_there_has_none(void **state)
{
	static const char *const patterns[] = { "*", NULL };
	char **found = NULL;

	assert_int_equal(berth_workspaces_find("/nonexistent", (char *const *)patterns, &found), 0);
	assert_null(found[0]);
	berth_workspaces_free(found);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(patterns_are_those_of_npm_and_pnpm, make, clear),
		cmocka_unit_test(a_folder_that_is_not_there_has_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
