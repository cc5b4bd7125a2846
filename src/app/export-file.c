/* SPDX-License-Identifier: MIT */
/*
 * app/export-file.c - the file of --export-env: .env lines, true while a stack runs
 *
 * It is replaced at each change, and goes with the stack. So that no file of a user's ever does, its
 * first line says whose it is, and berth touches no other.
 */
#include "app/export-file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "base/str.h"
#include "os/statefile.h"
#include "stack/exports.h"

enum {
	FILE_MAX = 1024 * 1024,
	FILE_MODE = 0644,
};

static const char mark[] = "# Written by berth up, and removed when the stack ends.\n";

/* 0: it is ours; -EEXIST: somebody else's; -ENOENT; -errno. */
static int look(const char *path)
{
	BERTH_AUTO_FREE char *text = NULL;
	size_t len;
	int r = berth_statefile_read(AT_FDCWD, path, FILE_MAX, &text, &len);

	if (r == -ELOOP || r == -EINVAL || r == -EFBIG)
		return -EEXIST;
	if (r < 0)
		return r;
	return strncmp(text, mark, sizeof(mark) - 1) == 0 ? 0 : -EEXIST;
}

int berth_export_file_check(const char *path, struct berth_err *err)
{
	int r = look(path);

	if (r == 0 || r == -ENOENT)
		return 0;
	if (r != -EEXIST)
		return berth_err_errno(err, r, "cannot write '%s'", path);
	berth_err_set(err, r, BERTH_ERR_USAGE,
		      "--export-env: '%s' is not berth's, and would be lost", path);
	berth_err_hint(err, "name a file that does not exist yet");
	return r;
}

int berth_export_file_write(const char *path, const char *const *pairs, struct berth_err *err)
{
	BERTH_CLEANUP(berth_str_deinit) struct berth_str text = { 0 };
	int r = look(path);

	if (r == -ENOENT)
		r = 0;
	berth_str_add(&text, mark);
	berth_exports_format(BERTH_EXPORTS_DOTENV, pairs, &text);
	if (r == 0)
		r = text.failed ? -ENOMEM
				: berth_statefile_write_path(path, berth_str_text(&text), text.len,
							     FILE_MODE);
	return r < 0 ? berth_err_errno(err, r, "cannot write '%s'", path) : 0;
}

void berth_export_file_remove(const char *path)
{
	if (look(path) == 0)
		unlink(path);
}
