/* SPDX-License-Identifier: MIT */
/* os/brief.h - what a list shows of many processes: their command lines and folders */
#pragma once

#include "base/attr.h"

#include <stdbool.h>
#include <sys/types.h>

struct berth_brief {
	char *command; /* owned: arguments, NUL-separated, the first 4 KiB; NULL: none to be had */
	size_t command_len; /* without the last NUL */
	char *cwd; /* owned; NULL: we may not know */
};

/*
 * One for each of @pids, in their order, by several threads if they are many: some 10 us a process.
 * What may not be read, or has gone by now, is empty. -ENOMEM.
 */
BERTH_MUST_USE int berth_brief_load(const pid_t *pids, size_t count,
				    struct berth_brief **ret_briefs);
void berth_brief_free(struct berth_brief *briefs, size_t count);
/*
 * Does the process see other files than we, so that its working folder @cwd is no path of ours?
 * Another 10 us, for whom it matters.
 */
bool berth_brief_is_foreign(pid_t pid, const char *cwd);
