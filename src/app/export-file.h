/* SPDX-License-Identifier: MIT */
/* app/export-file.h - the file of --export-env: .env lines, true while a stack runs */
#pragma once

#include "base/err.h"

/* Before a start: is there none at @path, or one of berth's? Else -EEXIST with @err: it would be lost. */
BERTH_MUST_USE int berth_export_file_check(const char *path, struct berth_err *err);
/* NAME=VALUE @pairs (NULL-terminated), as the whole of it. -errno with @err. */
BERTH_MUST_USE int berth_export_file_write(const char *path, const char *const *pairs,
					   struct berth_err *err);
/* If it is still berth's. */
void berth_export_file_remove(const char *path);
