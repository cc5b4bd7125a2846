/* SPDX-License-Identifier: MIT */
/* stack/package.h - package.json: scripts, workspaces, and the port that a script will want */
#pragma once

#include "base/err.h"
#include "base/faults.h"
#include "base/json.h"

struct berth_package {
	json_t *document; /* owned; an object */
	const char *name; /* borrowed from it; NULL: none */
	char **workspaces; /* owned, NULL-terminated patterns of folders; NULL: none */
};

/*
 * @name is the file, for messages. -EINVAL, code CONFIG: no JSON (with its line), or no object.
 * What is of another type than npm knows counts as absent. Pure.
 */
BERTH_MUST_USE int berth_package_parse(const char *text, size_t len, const char *name,
				       struct berth_package *ret_package, struct berth_err *err);
void berth_package_deinit(struct berth_package *package);

/* The command of a script; NULL: none. Borrowed. */
const char *berth_package_script(const struct berth_package *package, const char *script);
/* The script that starts it in development: dev, start, serve or preview; NULL: none of them. */
const char *berth_package_start(const struct berth_package *package);
/* npm, pnpm, yarn or bun, as its "packageManager" says; NULL: it does not. Static. */
const char *berth_package_manager(const struct berth_package *package);

/*
 * The port that @script will ask for: by its words (--port 3000, PORT=3000 node x.js), else the
 * default of a tool that is known for one, which is then named in *ret_tool (static; NULL: the
 * words said it). Scripts that run other scripts are followed. 0: not known; with a tool: that is
 * known to have none (tsc --watch).
 */
uint16_t berth_package_port(const struct berth_package *package, const char *script,
			    const char **ret_tool);

/*
 * The patterns of pnpm-workspace.yaml, as berth_package.workspaces. *ret_patterns is NULL if there
 * are none. -EINVAL with @faults; -ENOMEM.
 */
BERTH_MUST_USE int berth_package_parse_pnpm(const char *text, size_t len,
					    struct berth_faults *faults, char ***ret_patterns);
void berth_package_free_patterns(char **patterns);
