/* SPDX-License-Identifier: MIT */
/* stack/procfile.h - a Procfile, as foreman and honcho read it */
#pragma once

#include "stack/dotenv.h"
#include "stack/manifest.h"

enum {
	BERTH_PROCFILE_BASE = 5000, /* foreman's number for the first line */
};

/*
 * "name: command" a line, commands for a shell; what is no such line is passed over, as foreman
 * does, and so are comments. A name begins its line, has no blank before its colon, and is of
 * [A-Za-z0-9_-]; a name that berth's rules do not allow (web_1, Web) is made one that they do; two
 * that become the same are a fault, as is a name that comes twice. The ports are wishes: @base
 * (0: 5000), 100 more for each line that is one; instances count up from there. Braces in commands
 * are the shell's: only exact {port} and its like are ours, as on a command line. Pure. 0; -EINVAL
 * with @faults; -ENOMEM.
 */
BERTH_MUST_USE int berth_procfile_parse(const char *text, size_t len, uint16_t base,
					struct berth_faults *faults,
					struct berth_manifest *ret_manifest);

/*
 * As a berth.yaml has it. There no service is called "host" or what else is a word of templates: it
 * gets a number behind its name.
 */
void berth_procfile_yaml_name(const struct berth_manifest *manifest, size_t index,
			      char ret_name[BERTH_NAME_MAX]);
/*
 * A command of @manifest, a Procfile: there all {name} would be filled in, here only what berth
 * knows. The names of services are those of berth_procfile_yaml_name().
 */
void berth_procfile_yaml_text(const struct berth_manifest *manifest, const char *text,
			      struct berth_str *out);

/*
 * The number of the first line where no flag says it: PORT of @dotenv (NULL: there is no file),
 * else @environment, the value of PORT there (NULL: not set), else 5000. Foreman's order: with a
 * Procfile .env goes before the environment. -EINVAL, code CONFIG.
 */
BERTH_MUST_USE int berth_procfile_base(const struct berth_dotenv *dotenv, const char *environment,
				       uint16_t *ret_base, struct berth_err *err);
