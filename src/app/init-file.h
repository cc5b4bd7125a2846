/* SPDX-License-Identifier: MIT */
/* app/init-file.h - the files of a project, as `berth init` reads them */
#pragma once

#include "base/err.h"
#include "stack/package.h"

#include <stdbool.h>

/*
 * Read @name, relative to @folder or absolute; symlinks are followed, at most 1 MiB. -ENOENT
 * (CONFIG): it is not there. The caller frees *ret_text.
 */
BERTH_MUST_USE int berth_init_file_read(const char *folder, const char *name, char **ret_text,
					size_t *ret_len, struct berth_err *err);
bool berth_init_file_is_there(const char *folder, const char *name);
/* The same as a package. */
BERTH_MUST_USE int berth_init_file_package(const char *folder, const char *name,
					   struct berth_package *ret_package,
					   struct berth_err *err);
/* npm, pnpm, yarn or bun: as the package says, else by the lock file beside it. Static. */
const char *berth_init_file_manager(const char *folder, const struct berth_package *package);
