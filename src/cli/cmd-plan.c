/* SPDX-License-Identifier: MIT */
/* cli/cmd-plan.c - berth plan: which ports a stack would get, without starting it */
#include "cli/commands.h"
#include "cli/plan.h"
#include "cli/stack.h"

struct plan_args {
	struct berth_stack_args stack;
	bool write;
};

static const struct berth_opt plan_opts[] = {
	BERTH_STACK_OPTS(struct plan_args),
	BERTH_STACK_START_OPTS(struct plan_args),
	{ 0, "write", NULL, BERTH_AT(FLAG, struct plan_args, write),
	  "and write them to .ports.json: the next start wishes them" },
	{ 0 },
};

static int run_plan(struct berth_cli *cli, void *arguments, struct berth_err *err)
{
	const struct plan_args *args = arguments;
	BERTH_CLEANUP(berth_stack_freep) struct berth_stack *stack = NULL;
	struct berth_stack_spec spec;
	char cwd[PATH_MAX];
	int r = berth_stack_spec_of(cli, &args->stack, cwd, &spec, err);

	if (r < 0)
		return r;
	r = berth_stack_open(cli, &spec, &stack, err);
	return r < 0 ? r : berth_plan_print(cli, stack, args->write, err);
}

const struct berth_cmd berth_cmd_plan = {
	.name = "plan",
	.synopsis = "[options] [SERVICE...]",
	.summary = "show which ports a stack would get; start nothing",
	.details =
		"The ports are chosen and held as by berth up, all at once, and given back. Another program may take one before the "
		"start; berth up then chooses anew.",
	.opts = plan_opts,
	.args_size = sizeof(struct plan_args),
	.max = -1,
	.group = BERTH_CMD_LOOK,
	.complete = BERTH_COMPLETE_SERVICE,
	.starts = true,
	.run = run_plan,
};
