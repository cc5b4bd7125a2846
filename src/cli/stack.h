/* SPDX-License-Identifier: MIT */
/* cli/stack.h - what the commands about stacks have in common: which one is meant, and loading it */
#pragma once

#include "app/stack.h"
#include "cli/cli.h"

/* The options of every command that means a stack. */
struct berth_stack_args {
	const char *file, *copy, *profile;
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
			"with the services and the range of ports of that profile" \
	}

/* What @args say, and the working folder, which *ret_spec borrows from @cwd. */
BERTH_MUST_USE int berth_stack_spec_of(const struct berth_stack_args *args, char cwd[PATH_MAX],
				       struct berth_stack_spec *ret_spec, struct berth_err *err);

/* Load it; what is wrong with its files is shown. Where there is none, say what could be done. */
BERTH_MUST_USE int berth_stack_open(struct berth_cli *cli, const struct berth_stack_spec *spec,
				    struct berth_stack **ret_stack, struct berth_err *err);

/* Those of @records that run in the stack with @key: a new array. */
json_t *berth_stack_records(const char *key, const json_t *records);
