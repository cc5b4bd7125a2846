/* SPDX-License-Identifier: MIT */
/* app/init-npm.c - the scripts that `berth init --npm` puts into package.json */
#include "app/init-npm.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "app/init-file.h"
#include "app/init.h"
#include "service/name.h"

_Static_assert(PATH_MAX <= sizeof(((struct berth_init_npm *)0)->path), "any path fits");

/* The four commands around @script. */
static void make_commands(struct berth_init_npm *npm, const struct berth_package *package,
			  const char *manager, const char *script)
{
	static const char *const names[] = { "dev:safe", "force-start", "stop", "status" };
	const char *argv[] = { manager, "run", script, NULL };
	size_t size = sizeof(npm->commands[0]);
	char service[BERTH_NAME_MAX], wish[64] = "", words[256];
	const char *tool;
	uint16_t port = berth_package_port(package, script, &tool);

	_Static_assert(BERTH_ARRAY_SIZE(names) == BERTH_INIT_NPM_SCRIPTS, "a name for each script");
	/* As `berth run` will call it. */
	berth_name_guess(argv, package->name, NULL, service);
	berth_str_quote_argv(argv, words, sizeof(words));
	if (port)
		snprintf(wish, sizeof(wish), "--free=any --port %u ", port);
	snprintf(npm->commands[0], size, "berth run %s", words);
	snprintf(npm->commands[1], size, "berth run --force %s%s", wish, words);
	snprintf(npm->commands[2], size, "berth stop %s", service);
	snprintf(npm->commands[3], size, "berth status %s", service);
	for (size_t i = 0; i < BERTH_INIT_NPM_SCRIPTS; i++)
		npm->scripts[i] = (struct berth_package_entry){ .name = names[i],
								.command = npm->commands[i] };
}

static int find_file(const char *folder, struct berth_init_npm *npm, struct berth_err *err)
{
	char path[PATH_MAX];
	struct stat st;

	if (snprintf(path, sizeof(path), "%s/package.json", folder) >= (int)sizeof(path))
		return berth_err_errno(err, -ENAMETOOLONG, "cannot read 'package.json'");
	if (!realpath(path, npm->path) || stat(npm->path, &st) < 0) {
		int r = -errno;

		berth_err_errno(err, r, "cannot read 'package.json'");
		if (r == -ENOENT)
			err->code = BERTH_ERR_CONFIG;
		return r;
	}
	npm->mode = st.st_mode & 0777;
	return 0;
}

int berth_init_npm_make(const char *folder, bool force, struct berth_init_npm *npm,
			struct berth_err *err)
{
	BERTH_CLEANUP(berth_package_deinit) struct berth_package package = { 0 };
	BERTH_AUTO_FREE char *text = NULL;
	const char *script;
	size_t len;
	int r = find_file(folder, npm, err);

	if (r == 0)
		r = berth_init_file_read(folder, "package.json", &text, &len, err);
	if (r == 0)
		r = berth_package_parse(text, len, "package.json", &package, err);
	if (r < 0)
		return r;
	script = berth_package_start(&package);
	if (!script)
		return BERTH_INIT_E_NOTHING;
	make_commands(npm, &package, berth_init_file_manager(folder, &package), script);
	r = berth_package_edit_scripts(text, len, npm->scripts, BERTH_INIT_NPM_SCRIPTS, force,
				       &npm->text, err);
	if (r < 0)
		return berth_err_wrap(err, r, "package.json");
	npm->changed = strlen(npm->text) != len || memcmp(npm->text, text, len) != 0;
	return 0;
}

void berth_init_npm_deinit(struct berth_init_npm *npm)
{
	if (!npm)
		return;
	free(BERTH_STEAL(npm->text));
}
