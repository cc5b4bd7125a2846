/* SPDX-License-Identifier: MIT */
/* fuzz/fuzz-package.c - any package.json: what it tells, and scripts added to it */
#include "fuzz.h"

#include "stack/package-edit.h"

static void check_edit(const char *text, size_t size, bool force)
{
	struct berth_package_entry entries[] = {
		{ .name = "stop", .command = "berth stop \"\\x\"" },
		{ .name = "dev:safe", .command = "berth run npm run dev" },
	};
	BERTH_CLEANUP(berth_package_deinit) struct berth_package package = { 0 };
	BERTH_AUTO_FREE char *edited = NULL;
	struct berth_err err = { 0 };

	if (berth_package_edit_scripts(text, size, entries, BERTH_ARRAY_SIZE(entries), force,
				       &edited, &err) < 0) {
		MUST(err.code == BERTH_ERR_CONFIG && !edited);
		return;
	}
	MUST(berth_package_parse(edited, strlen(edited), "f", &package, &err) == 0);
	for (size_t i = 0; i < BERTH_ARRAY_SIZE(entries); i++) {
		const char *script = berth_package_script(&package, entries[i].name);

		MUST(entries[i].done == BERTH_PACKAGE_KEPT ||
		     (script && !strcmp(script, entries[i].command)));
		MUST(!force || entries[i].done != BERTH_PACKAGE_KEPT);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	BERTH_CLEANUP(berth_package_deinit) struct berth_package package = { 0 };
	struct berth_err err = { 0 };
	const char *script, *tool;

	if (berth_package_parse((const char *)data, size, "f", &package, &err) < 0) {
		MUST(err.code == BERTH_ERR_CONFIG && !package.document);
		return 0;
	}
	script = berth_package_start(&package);
	if (script)
		(void)berth_package_port(&package, script, &tool);
	check_edit((const char *)data, size, false);
	check_edit((const char *)data, size, true);
	return 0;
}
