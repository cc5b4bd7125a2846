/* SPDX-License-Identifier: MIT */
/* stack/exports.h - variables as text that something else reads: .env lines, a shell's exports */
#pragma once

#include "base/str.h"

/* clang-format off */
#define BERTH_EXPORTS(X)       \
	X(DOTENV, "dotenv")    \
	X(SH, "sh")            \
	X(BASH, "bash")        \
	X(ZSH, "zsh")          \
	X(FISH, "fish")
/* clang-format on */

enum berth_exports {
#define X(id, name) BERTH_EXPORTS_##id,
	BERTH_EXPORTS(X)
#undef X
	BERTH_EXPORTS_COUNT_,
};

/*
 * NAME=VALUE pairs (NULL-terminated), a line each where values have one:
 *   DOTENV: NAME=VALUE, quoted where needed; stack/dotenv.h reads back the very value, and so do
 *           foreman and dotenv of Node and Python, but for control characters
 *   SH, BASH, ZSH: export NAME='VALUE', for eval
 *   FISH: set -gx NAME 'VALUE', for source
 * Nothing of a value is run or expanded by whoever reads it. What is no name of a variable there is
 * left out.
 */
void berth_exports_format(enum berth_exports format, const char *const *pairs,
			  struct berth_str *out);

/* By a path as in $SHELL: "/usr/bin/fish" is FISH; what is none of ours, or NULL: SH. */
enum berth_exports berth_exports_of_shell(const char *shell);
