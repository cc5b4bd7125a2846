/* SPDX-License-Identifier: MIT */
/* app/init.h - a first berth.yaml, from what a project has already */
#pragma once

#include "base/err.h"
#include "base/str.h"
#include "service/name.h"

#include <stdbool.h>
#include <stddef.h>

enum {
	BERTH_INIT_E_NOTHING = 1, /* nothing here tells of services */
	BERTH_INIT_E_PROCFILE = 2, /* there is a Procfile, which needs no berth.yaml */
};

/* What berth.yaml would be. */
struct berth_init {
	char *yaml; /* owned; checked: it can be read */
	char *notes; /* owned; what was left out or is to be looked at: one line each, "" for none */
	char from[256]; /* "package.json and compose.yaml" */
	char (*names)[BERTH_NAME_MAX]; /* owned; of the services */
	size_t count;
};
void berth_init_deinit(struct berth_init *init);

/*
 * Of the folder @folder (absolute). @from: "package", "compose", "procfile", or a file; NULL: what
 * is there, package.json and a Compose file together. 0; E_NOTHING and E_PROCFILE (only without
 * @from); -errno with @err: a file can't be read, or is no such file. Writes nothing.
 */
BERTH_MUST_USE int berth_init_make(const char *folder, const char *from,
				   struct berth_init *ret_init, struct berth_err *err);

/*
 * The same for `berth up` in a folder without a manifest: the text that `berth init` would write,
 * and its notes. 0, or E_NOTHING; -errno with @err.
 */
BERTH_MUST_USE int berth_init_propose(const char *folder, struct berth_str *ret_yaml,
				      struct berth_str *ret_notes, struct berth_err *err);
