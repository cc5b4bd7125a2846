/* SPDX-License-Identifier: MIT */
/* cli/opt.h - commands and their options as tables, and the parser they drive */
#pragma once

#include "base/err.h"
#include "base/value.h"
#include "port/range.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct berth_cli; /* cli/cli.h */
struct berth_column; /* cli/table.h */

/* Words in the order they were given, NULL-terminated like an argv, borrowed from it. */
struct berth_opt_list {
	const char **items; /* NULL when count is 0 */
	size_t count;
	size_t before_dashes; /* operands: how many of them stand before a `--`; without one, all */
};

/*
 * What an option's value is, and so how it is checked and where it goes. The columns: kind, type of
 * the member of the args struct that takes it. Without the option, and without a `preset` in its
 * row, the member stays zero (FD: -1).
 */
enum berth_opt_kind {
	BERTH_OPT_END, /* closes a table */
	BERTH_OPT_FLAG, /* bool */
	BERTH_OPT_COUNT, /* unsigned int: how often it was given */
	BERTH_OPT_STRING, /* const char *, not empty */
	BERTH_OPT_PORT, /* uint16_t: 1-65535, "8080" or ":8080" */
	BERTH_OPT_U16, /* uint16_t, within min and max */
	BERTH_OPT_DURATION, /* int64_t ms, within min and max; a number alone counts in `unit` */
	BERTH_OPT_RANGE, /* struct berth_range */
	BERTH_OPT_LIST, /* struct berth_opt_list: may be given again; values not empty */
	BERTH_OPT_CHOICE, /* an enum or unsigned int: `base` + the index in `words` */
	BERTH_OPT_FD, /* int: a descriptor number; whether it is open is the command's to check */
	BERTH_OPT_SIGNAL, /* int: "TERM", "SIGTERM", "15" */
	BERTH_OPT_SIZE, /* int64_t bytes, within min and max: "10M", "512k" */
	BERTH_OPT_LIMIT, /* struct berth_value_limit: "5/10s" or "none"; max bounds the count */
};

/* What the shell completion offers in the place of a value or an operand. */
enum berth_opt_complete {
	BERTH_COMPLETE_NONE,
	BERTH_COMPLETE_FILE,
	BERTH_COMPLETE_FOLDER,
	BERTH_COMPLETE_SERVICE, /* names and leased ports of what runs */
	BERTH_COMPLETE_PORT, /* the leased ports alone */
	BERTH_COMPLETE_FOREIGN, /* a foreign command with its arguments */
	BERTH_COMPLETE_COMMAND, /* a command of berth */
	BERTH_COMPLETE_WORDS, /* the `words` of the row or the command */
	BERTH_COMPLETE_COLUMN, /* the `columns` of the command, with commas between */
};

/*
 * One option. Written as
 *	{ 'p', "port", "PORT", BERTH_AT(LIST, struct run_args, ports), "the port it wants" },
 * and the table ends with { 0 }. BERTH_AT fails to compile where the member is not of the kind's
 * type.
 */
struct berth_opt {
	char short_name; /* 0: none */
	const char *long_name; /* never NULL; without the dashes */
	const char *argument; /* label of the value ("PORT"); NULL exactly for FLAG and COUNT */
	enum berth_opt_kind kind;
	size_t offset; /* of the member in the args struct */
	const char *help; /* one sentence; NULL: works, but is not shown */
	const char *group; /* heading above this row and those after it, in help */
	const char *preset; /* value when not given, parsed like one given; shown in help */
	/* What --name alone means, parsed like a value, which then must be joined: --name=VALUE. */
	const char *bare;
	const char *const *words; /* CHOICE, BERTH_COMPLETE_WORDS: NULL-terminated */
	unsigned int base; /* CHOICE: number of words[0] */
	int64_t min, max; /* U16, DURATION, SIZE; LIMIT: max only; max 0: no bound */
	int64_t unit; /* DURATION: ms; 0: a second */
	bool once; /* STRING: a second one is refused, and does not take the place of the first */
	/* Where a bool tells that the preset was not what was taken; 0: nowhere. */
	size_t given_at;
	enum berth_opt_complete complete; /* CHOICE completes its words by itself */
};

/* clang-format off */
#define BERTH_OPT_IS_(type, wanted) __builtin_types_compatible_p(type, wanted)
#define BERTH_OPT_FITS_FLAG(type)     BERTH_OPT_IS_(type, bool)
#define BERTH_OPT_FITS_COUNT(type)    BERTH_OPT_IS_(type, unsigned int)
#define BERTH_OPT_FITS_STRING(type)   BERTH_OPT_IS_(type, const char *)
#define BERTH_OPT_FITS_PORT(type)     BERTH_OPT_IS_(type, uint16_t)
#define BERTH_OPT_FITS_U16(type)      BERTH_OPT_IS_(type, uint16_t)
#define BERTH_OPT_FITS_DURATION(type) BERTH_OPT_IS_(type, int64_t)
#define BERTH_OPT_FITS_RANGE(type)    BERTH_OPT_IS_(type, struct berth_range)
#define BERTH_OPT_FITS_LIST(type)     BERTH_OPT_IS_(type, struct berth_opt_list)
#define BERTH_OPT_FITS_CHOICE(type)   (sizeof(type) == sizeof(unsigned int))
#define BERTH_OPT_FITS_FD(type)       BERTH_OPT_IS_(type, int)
#define BERTH_OPT_FITS_SIGNAL(type)   BERTH_OPT_IS_(type, int)
#define BERTH_OPT_FITS_SIZE(type)     BERTH_OPT_IS_(type, int64_t)
#define BERTH_OPT_FITS_LIMIT(type)    BERTH_OPT_IS_(type, struct berth_value_limit)

/* 0; where @fits is false, an array of negative size. */
#define BERTH_OPT_CHECK_(fits) (sizeof(char[(fits) ? 1 : -1]) - 1)
#define BERTH_OPT_TYPE_(type, member) __typeof__(((type *)0)->member)

/* The kind and offset columns of a row. */
#define BERTH_AT(kind, type, member) \
	BERTH_OPT_##kind, offsetof(type, member) + \
	BERTH_OPT_CHECK_(BERTH_OPT_FITS_##kind(BERTH_OPT_TYPE_(type, member)))

/* Where a command stands in `berth --help`; the order here is the order there. */
#define BERTH_CMD_GROUPS(X)            \
	X(START, "Start")              \
	X(LOOK, "Look")                \
	X(CHANGE, "Stop and change")   \
	X(REST, "Help")
/* clang-format on */

enum berth_cmd_group {
#define X(id, title) BERTH_CMD_##id,
	BERTH_CMD_GROUPS(X)
#undef X
	BERTH_CMD_GROUP_COUNT_,
};

struct berth_cmd {
	const char *name;
	const char *synopsis; /* after the name: "[options] [--] COMMAND [ARG...]" */
	const char *summary; /* one line, lower case, no full stop */
	/*
	 * Paragraphs for --help, parted by an empty line; lines that begin with a blank stay as
	 * they are. NULL: none.
	 */
	const char *details;
	const struct berth_opt *opts; /* NULL: only the common ones */
	const struct berth_column *columns; /* of what it lists, for its help; NULL: nothing */
	size_t args_size; /* of the args struct; 0: none */
	int min, max; /* number of operands; max -1: any. For a foreign command: its words. */
	bool command_rest; /* the first operand begins a foreign command: no option after it */
	bool command_last; /* what stands behind `--` is a foreign command, not operands */
	bool hidden; /* works, but is not listed */
	enum berth_cmd_group group;
	enum berth_opt_complete complete; /* of the operands */
	const char *const *words; /* with BERTH_COMPLETE_WORDS */
	bool starts; /* it starts services: not with settings (config.yaml) that are broken */
	/*
	 * @args is the args struct, filled; the operands are in @cli. Returns the exit code (0 ..),
	 * or -errno with @err set: main prints that and exits with its code.
	 */
	int (*run)(struct berth_cli *cli, void *args, struct berth_err *err);
};

/* Options that every command has; also allowed in front of the command's name. */
struct berth_common {
	bool help;
	bool quiet; /* -q: only errors */
	unsigned int verbose; /* -v, -v -v */
	bool json;
	bool no_color;
	const char *folder; /* -C: main has changed to it before run() */
};
extern const struct berth_opt berth_common_opts[];

/*
 * Parse @argv (NULL-terminated, without the command's own name) by the tables of @cmd: GNU style,
 * options and operands in any order, `--` ends the options, no abbreviations (a script that uses
 * one breaks when an option is added). @args has cmd->args_size zero bytes (NULL if that is 0).
 * After a `--help` the number of operands is not checked.
 *
 * Pure: prints nothing and changes nothing but its outputs. On failure (-EINVAL, code USAGE; or
 * -ENOMEM) @args and @ret_operands are empty, but @common has what could be understood, so that the
 * caller knows in what form to report it. On success the caller ends with berth_opt_deinit().
 */
BERTH_MUST_USE int berth_opt_parse(const struct berth_cmd *cmd, const char *const *argv,
				   struct berth_common *common, void *args,
				   struct berth_opt_list *ret_operands, struct berth_err *err);

/* Free the lists in @args and @operands. Both may be zeroed, @args NULL when args_size is 0. */
void berth_opt_deinit(const struct berth_cmd *cmd, void *args, struct berth_opt_list *operands);

/* The row of @cmd or of the common ones that @word ("--port=5", "-p") names; NULL: none. */
const struct berth_opt *berth_opt_find(const struct berth_cmd *cmd, const char *word);

/* Is the value of @opt a word of its own when not joined to the option ("-p 5000")? */
static inline bool berth_opt_takes_word(const struct berth_opt *opt)
{
	return opt->argument && !opt->bare;
}
