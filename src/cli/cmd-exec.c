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
	{ 0, "in", "NAME", BERTH_AT(STRING, struct exec_args, in),
	  "whose view: a service, or a project with its stack; without it, what runs of this project",
	  .complete = BERTH_COMPLETE_SERVICE },
	{ 0 },
};

/* Are they all of one stack? Whoever of it answers has the same view. */
static bool is_one_stack(const json_t *records)
{
	const json_t *first = berth_registry_private(json_array_get(records, 0), "stack");
	const json_t *record;
	size_t i;

	json_array_foreach (records, i, record) {
		const json_t *other = berth_registry_private(record, "stack");

		if (!first || !other || !json_equal(first, other))
			return false;
	}
	return first;
}

/* One that is ready, if any is: it will not go so soon. */
static json_t *pick(const json_t *records)
{
	json_t *record;
	size_t i;

	json_array_foreach (records, i, record)
		if (strcmp(berth_json_string(berth_registry_service(record), "state", ""),
			   "ready") == 0)
			return record;
	return json_array_get(records, 0);
}

/* *ret_record is kept alive by @services. */
static int find(struct berth_services *services, const char *name, json_t **ret_record,
		bool *ret_whole, struct berth_err *err)
{
	struct berth_opt_list names = { .items = &name, .count = name != NULL };
	BERTH_AUTO_JSON json_t *found = NULL;
	int r = berth_services_select_own(services, &names, &found, err);

	*ret_whole = r == 0 && json_array_size(found) > 1 && !berth_services_is_one(found) &&
		     is_one_stack(found);
	if (r == 0 && json_array_size(found) == 1) {
		*ret_record = json_array_get(found, 0);
		return 0;
	}
	if (r < 0 || !*ret_whole)
		return r < 0 ? r : berth_services_one(services, name, ret_record, err);
	*ret_record = pick(found);
	return 0;
}

static int run_exec(struct berth_cli *cli, void *arguments, struct berth_err *err)
{
	const struct exec_args *args = arguments;
	struct berth_services services;
	json_t *record;
	sigset_t mask;
	bool whole;
	int r;

	sigprocmask(SIG_SETMASK, NULL, &mask);
	r = berth_services_load(&services, err);
	if (r < 0)
		return r;
	r = find(&services, args->in, &record, &whole, err);
	if (r == 0)
		r = berth_view_run(record, whole, cli->operands.items, &mask, err);
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
	.synopsis = "[--in NAME] [--] COMMAND [ARG...]",
	.summary = "run a command, a test or a browser in a copy's own view",
	.details =
		"In COMMAND and all that it starts, a connection to a number that the service asked for reaches the service, wherever "
		"it was moved: http://localhost:5173 is this copy. The variables of the service (PORT ...) are set too.\n"
		"\n"
		"In a stack the numbers of all its services lead to this copy. --in shop is the stack of project shop, --in shop+demo "
		"its copy called demo; then the variables are those that its services have of each other (BACKEND_URL ...).\n"
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
