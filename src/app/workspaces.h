/* SPDX-License-Identifier: MIT */
/* app/workspaces.h - the packages of a workspace: which folders its patterns mean */
#pragma once

#include "base/attr.h"

enum {
	BERTH_WORKSPACES_MAX = 256,
};

/*
 * The folders below @folder (absolute) that one of @patterns means and that hold a package.json, as
 * npm, pnpm and yarn have them: * and ? within a name, ** for any number of folders, ! in front
 * takes out again. Relative paths in order, at most 256, NULL-terminated; the caller frees them
 * with berth_workspaces_free(). node_modules, hidden folders and symlinks are not entered. -ENOMEM;
 * what can't be read is passed over.
 */
BERTH_MUST_USE int berth_workspaces_find(const char *folder, char *const *patterns,
					 char ***ret_folders);
void berth_workspaces_free(char **folders);
