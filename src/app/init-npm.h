/* SPDX-License-Identifier: MIT */
/* app/init-npm.h - the scripts that `berth init --npm` puts into package.json */
#pragma once

#include "base/err.h"
#include "stack/package-edit.h"

#include <stdbool.h>

enum {
	BERTH_INIT_NPM_SCRIPTS = 4,
};

/* package.json with the scripts of `berth init --npm`. */
struct berth_init_npm {
	char *text; /* owned; the whole file */
	char path[4096]; /* where it lies: symlinks resolved */
	unsigned int mode; /* of the file */
	bool changed;
	char commands[BERTH_INIT_NPM_SCRIPTS][512];
	struct berth_package_entry scripts[BERTH_INIT_NPM_SCRIPTS]; /* point into `commands` */
};
void berth_init_npm_deinit(struct berth_init_npm *npm);

/*
 * dev:safe, force-start, stop and status around the script that starts it; what is there already is
 * kept unless @force. @npm must stay where it is. BERTH_INIT_E_NOTHING: there is no script that
 * starts it. -errno with @err. Writes nothing.
 */
BERTH_MUST_USE int berth_init_npm_make(const char *folder, bool force, struct berth_init_npm *npm,
				       struct berth_err *err);
