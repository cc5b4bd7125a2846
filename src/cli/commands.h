/* SPDX-License-Identifier: MIT */
/* cli/commands.h - the commands of berth, and what to say of a word that is none */
#pragma once

#include "cli/opt.h"

/* The one list: each is defined in cli/cmd-NAME.c; this order is that of the help. */
/* clang-format off */
#define BERTH_COMMANDS(X) \
	X(run)            \
	X(up)             \
	X(exec)           \
	X(init)           \
	X(ls)             \
	X(status)         \
	X(who)            \
	X(scan)           \
	X(plan)           \
	X(config)         \
	X(port)           \
	X(url)            \
	X(env)            \
	X(open)           \
	X(logs)           \
	X(history)        \
	X(wait)           \
	X(down)           \
	X(stop)           \
	X(free)           \
	X(restart)        \
	X(scale)          \
	X(pin)            \
	X(unpin)          \
	X(doctor)         \
	X(completion)     \
	X(version)        \
	X(help)
/* clang-format on */

#define X(name) extern const struct berth_cmd berth_cmd_##name;
BERTH_COMMANDS(X)
#undef X

/* NULL-terminated. */
extern const struct berth_cmd *const berth_commands[];

/* The command that @word names, aliases ("ps") included; NULL: none. */
const struct berth_cmd *berth_commands_find(const char *word);

/* Set @err (USAGE) for a @word that is no command, with what berth has instead. -EINVAL. */
int berth_commands_unknown(const char *word, struct berth_err *err);
