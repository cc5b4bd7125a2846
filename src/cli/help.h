/* SPDX-License-Identifier: MIT */
/* cli/help.h - help texts and the machine-readable help, from the tables of the commands */
#pragma once

#include "base/json.h"
#include "base/str.h"
#include "cli/opt.h"
#include "cli/out.h"

struct berth_help_style {
	unsigned int width; /* in columns */
	const char *bold, *plain; /* around headings; "" without colours */
};

/* `berth --help`: what it is, examples, and those of @cmds (NULL-terminated) not hidden. */
void berth_help_overview(const struct berth_cmd *const *cmds, const struct berth_help_style *style,
			 struct berth_str *text);

/* `berth CMD --help`. */
void berth_help_command(const struct berth_cmd *cmd, const struct berth_help_style *style,
			struct berth_str *text);

/*
 * {"version":1,"commands":[{"name","synopsis","summary","options":[OPTION...]}],
 *  "options":[OPTION...],"error_codes":[{"code","exit"}]}
 * with OPTION = {"long","short","argument","help"}; the outer ones are those of every command. New
 * reference; NULL: out of memory.
 */
json_t *berth_help_json(const struct berth_cmd *const *cmds);

/* The value's label in help ("PORT", "own|any"), "" for an option that takes none. Returns @buf. */
const char *berth_help_label(const struct berth_opt *opt, char *buf, size_t size);

/*
 * Print the help of @cmd (NULL: the overview of @cmds) as a result, in the form that was asked for;
 * with JSON, @cmd alone or all of @cmds. 0, or -ENOMEM with @err.
 */
BERTH_MUST_USE int berth_help_print(struct berth_out *out, const struct berth_cmd *const *cmds,
				    const struct berth_cmd *cmd, struct berth_err *err);

/* The overview on standard error, for who typed `berth` alone. 0, or -ENOMEM with @err. */
BERTH_MUST_USE int berth_help_print_message(struct berth_out *out,
					    const struct berth_cmd *const *cmds,
					    struct berth_err *err);
