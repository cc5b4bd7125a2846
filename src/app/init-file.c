/* SPDX-License-Identifier: MIT */
/* app/init-file.c - the files of a project, as `berth init` reads them */
#include "app/init-file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "os/userfile.h"

enum {
	FILE_MAX = 1024 * 1024,
};

static bool join(const char *folder, const char *name, char path[PATH_MAX])
{
	bool whole = name[0] == '/';

	return snprintf(path, PATH_MAX, "%s%s%s", whole ? "" : folder, whole ? "" : "/", name) <
	       PATH_MAX;
}

bool berth_init_file_is_there(const char *folder, const char *name)
{
	char path[PATH_MAX];

	return join(folder, name, path) && access(path, F_OK) == 0;
}

int berth_init_file_read(const char *folder, const char *name, char **ret_text, size_t *ret_len,
			 struct berth_err *err)
{
	char path[PATH_MAX], shown[256];
	int r = -ENAMETOOLONG;

	if (join(folder, name, path))
		r = berth_userfile_read(path, FILE_MAX, ret_text, ret_len);
	if (r < 0) {
		berth_err_errno(err, r, "cannot read '%s'",
				berth_str_printable(name, (size_t)-1, shown, sizeof(shown)));
		if (r == -ENOENT)
			err->code = BERTH_ERR_CONFIG;
	}
	return r;
}

int berth_init_file_package(const char *folder, const char *name, struct berth_package *ret_package,
			    struct berth_err *err)
{
	BERTH_AUTO_FREE char *text = NULL;
	size_t len;
	int r = berth_init_file_read(folder, name, &text, &len, err);

	return r < 0 ? r : berth_package_parse(text, len, name, ret_package, err);
}

const char *berth_init_file_manager(const char *folder, const struct berth_package *package)
{
	static const struct {
		const char *file, *manager;
	} rows[] = {
		{ "pnpm-lock.yaml", "pnpm" }, { "pnpm-workspace.yaml", "pnpm" },
		{ "yarn.lock", "yarn" },      { "bun.lock", "bun" },
		{ "bun.lockb", "bun" },
	};
	const char *said = berth_package_manager(package);

	if (said)
		return said;
	for (size_t i = 0; i < BERTH_ARRAY_SIZE(rows); i++)
		if (berth_init_file_is_there(folder, rows[i].file))
			return rows[i].manager;
	return "npm";
}
