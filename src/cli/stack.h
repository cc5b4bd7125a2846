/* SPDX-License-Identifier: MIT */
/* cli/stack.h - what the commands about stacks have in common: which one is meant, and loading it */
#pragma once

#include "app/stack.h"
#include "cli/cli.h"

/* The options of every command that means a stack. */
struct berth_stack_args {
	const char *file, *copy, *profile;
	/* of those that start one, or would */
	const char *formation;
	struct berth_opt_list ports;
	bool any;
};

/* Those rows of its option table; @type has a member `stack` of the struct above. */
#define BERTH_STACK_OPTS(type) \
	{ 'f', \
	  "file", \
	  "FILE", \
	  BERTH_AT(STRING, type, stack.file), \
	  "the manifest; without it the nearest berth.yaml or Procfile", \
	  .group = "Which stack", \
	  .complete = BERTH_COMPLETE_FILE }, \
		{ 0, "as", "NAME", BERTH_AT(STRING, type, stack.copy), \
		  "a copy of its own in the same folder, called NAME" }, \
	{ \
		0, "profile", "NAME", BERTH_AT(STRING, type, stack.profile), \
			"with the services and the range of ports of that profile", .once = true, \
	}

/* Those of a start, in the same way. */
#define BERTH_STACK_START_OPTS(type) \
	{ 'm', \
	  "formation", \
	  "LIST", \
	  BERTH_AT(STRING, type, stack.formation), \
	  "how many of each: web=2,worker=0, or all=1", \
	  .group = "What is started" }, \
		{ 'p', "port", "SERVICE=PORT", BERTH_AT(LIST, type, stack.ports), \
		  "the port a service wants, whatever the manifest says; SERVICE:NAME for one of several; PORT alone: that of a Procfile's first line" }, \
	{ \
		0, "any", NULL, BERTH_AT(FLAG, type, stack.any), \
			"when all else is taken, any free number" \
	}

/*
 * What @args and the operands say, and the working folder; *ret_spec borrows from all of them and
 * from @cwd.
 */
BERTH_MUST_USE int berth_stack_spec_of(const struct berth_cli *cli,
				       const struct berth_stack_args *args, char cwd[PATH_MAX],
				       struct berth_stack_spec *ret_spec, struct berth_err *err);

/* Load it; what is wrong with its files is shown. Where there is none, say what could be done. */
BERTH_MUST_USE int berth_stack_open(struct berth_cli *cli, const struct berth_stack_spec *spec,
				    struct berth_stack **ret_stack, struct berth_err *err);

/* Those of @records that run in the stack with @key: a new array. */
json_t *berth_stack_records(const char *key, const json_t *records);
