/* SPDX-License-Identifier: MIT */
/* service/identity.h - which service this is: its folder, not its name */
#pragma once

#include "base/err.h"
#include "service/name.h"

#include <stdbool.h>

enum {
	BERTH_KEY_MAX = 40
};

/*
 * Small, since every service has one: its paths belong to whoever has loaded it, and copies of the
 * struct borrow them.
 */
struct berth_identity {
	/*
	 * Canonical: the nearest git root above (that of $HOME itself, where people keep dotfiles,
	 * only if we are right there), else the nearest folder with a berth.yaml, else the working
	 * folder.
	 */
	const char *root;
	const char *folder; /* working folder below the root, "" at the root itself */
	const char *common; /* the main worktree, or bare repository; root unless linked */
	char project[BERTH_NAME_MAX]; /* label: the folder name of `common`, made a name */
	char branch[128]; /* of .git/HEAD; short hash when detached; "" without git */
	bool linked; /* a linked worktree (git-worktree(1)) */
	char service[BERTH_NAME_MAX];
	char copy[BERTH_NAME_MAX]; /* of `up --as`: several stacks in one folder; "" else */
	unsigned int instance; /* 1 .. */
	/*
	 * Set by berth_identity_seal(): hex of a 128-bit hash (FNV-1a 128) over root, folder,
	 * service, instance and the copy if it has a name, NUL-separated. `family` leaves out
	 * instance and copy, and stands for the root by the main worktree's path, so that copies
	 * of one service in several worktrees share it.
	 */
	char key[BERTH_KEY_MAX];
	char family[BERTH_KEY_MAX];
};

/*
 * Fill all but service and the hashes from the file system, starting at @cwd (absolute); instance
 * is 1. git is not run; whatever is broken in its files means less is known, not an error.
 */
BERTH_MUST_USE int berth_identity_load(const char *cwd, struct berth_identity *ret_identity,
				       struct berth_err *err);
void berth_identity_deinit(struct berth_identity *identity);
void berth_identity_seal(struct berth_identity *identity);
