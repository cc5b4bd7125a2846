/* SPDX-License-Identifier: MIT */
/* cli/cmd-exec.c - berth exec: run a command, a test, a browser inside a copy's view */
#include <errno.h>
#include <signal.h>
#include <string.h>

#include "app/find.h"
#include "app/view.h"
#include "cli/cli.h"
#include "cli/commands.h"
#include "cli/services.h"

struct exec_args {
	const char *in;
};

static const struct berth_opt exec_opts[] = {
	{ 0, "in", "SERVICE", BERTH_AT(STRING, struct exec_args, in),
	  "whose view; without it, that of the one service of this project",
	  .complete = BERTH_COMPLETE_SERVICE },
	{ 0 },
};

static int run_exec(struct berth_cli *cli, void *arguments, struct berth_err *err)
{
	const struct exec_args *args = arguments;
	struct berth_services services;
	json_t *record;
	sigset_t mask;
	int r;

	sigprocmask(SIG_SETMASK, NULL, &mask);
	r = berth_services_load(&services, err);
	if (r < 0)
		return r;
	r = berth_services_one(&services, args->in, &record, err);
	if (r == 0)
		r = berth_view_run(record, cli->operands.items, &mask, err);
	/* As shells have it. */
	if (r == -ENOENT && err->code == BERTH_ERR_START_FAILED)
		cli->error_exit = 127;
	else if (r < 0 && err->code == BERTH_ERR_START_FAILED)
		cli->error_exit = 126;
	berth_services_deinit(&services);
	return r;
}

const struct berth_cmd berth_cmd_exec = {
	.name = "exec",
	.synopsis = "[--in SERVICE] [--] COMMAND [ARG...]",
	.summary = "run a command, a test or a browser in a copy's own view",
	.details =
		"In COMMAND and all that it starts, a connection to a number that the service asked for reaches the service, wherever "
		"it was moved: http://localhost:5173 is this copy. The variables of the service (PORT ...) are set too.\n"
		"\n"
		"The exit code is COMMAND's own.",
	.opts = exec_opts,
	.args_size = sizeof(struct exec_args),
	.min = 1,
	.max = -1,
	.command_rest = true,
	.group = BERTH_CMD_START,
	.complete = BERTH_COMPLETE_FOREIGN,
	.run = run_exec,
};
