/* SPDX-License-Identifier: MIT */
/* cli/cmd-ls.c - berth ls: what of mine runs, where, and since when; and who listens at all */
#include <errno.h>
#include <limits.h>

#include "app/machine.h"
#include "base/time.h"
#include "cli/cli.h"
#include "cli/commands.h"
#include "cli/listener-columns.h"
#include "cli/service-columns.h"
#include "cli/services.h"
#include "cli/watch.h"
#include "os/statefile.h"

struct ls_args {
	const char *columns;
	bool machine;
	bool udp;
	bool watch;
};

static const struct berth_opt ls_opts[] = {
	{ 'm', "machine", NULL, BERTH_AT(FLAG, struct ls_args, machine),
	  "every listening port of this machine, whoever has it" },
	{ 'u', "udp", NULL, BERTH_AT(FLAG, struct ls_args, udp), "with -m: UDP, too" },
	{ 'o', "columns", "LIST", BERTH_AT(STRING, struct ls_args, columns),
	  "show these columns: service,state,url,pid; with -m port,process,since,unit" },
	{ 'w', "watch", NULL, BERTH_AT(FLAG, struct ls_args, watch),
	  "go on and show each change; in a pipe, as a line of JSON" },
	{ 0 },
};

/* One of the two lists. */
struct list {
	const struct ls_args *args;
	struct berth_table table;
	bool whole; /* all that is known of each row */
	uint16_t *ports; /* owned: of the rows at hand, for the table; NULL: in the rows */
	json_t *unseen; /* owned: what could not be seen at the last look */
};

static int load_services(struct list *list, json_t **ret_rows, struct berth_err *err)
{
	struct berth_services services;
	int r = berth_services_load_anywhere(&services, err);

	if (r < 0)
		return r;
	*ret_rows = list->whole ? berth_services_documents(services.records)
				: berth_services_summaries(services.records);
	berth_services_deinit(&services);
	return 0;
}

/* What is watched is compared and printed by others: it has all in its rows. */
static int take_machine(struct list *list, struct berth_machine_list *machine, json_t **ret_rows,
			struct berth_err *err)
{
	json_t *rows = list->args->watch ? berth_machine_list_documents(machine)
					 : BERTH_STEAL(machine->listeners);

	if (!rows)
		return berth_err_errno(err, -ENOMEM, "cannot list the listening ports");
	json_decref(list->unseen);
	list->unseen = BERTH_STEAL(machine->unseen);
	if (!list->args->watch)
		list->table.numbers = list->ports = BERTH_STEAL(machine->ports);
	*ret_rows = rows;
	return 0;
}

static int load_machine(struct list *list, json_t **ret_rows, struct berth_err *err)
{
	struct berth_services services;
	int r = berth_services_load_anywhere(&services, err);
	struct berth_machine_list machine = { 0 };
	struct berth_machine_query query;

	if (r < 0)
		return r;
	query = (struct berth_machine_query){
		.registry = &services.registry,
		.records = services.records,
		.udp = list->args->udp,
		.whole = list->whole,
	};
	r = berth_machine_load(&query, &machine, err);
	if (r == 0)
		r = take_machine(list, &machine, ret_rows, err);
	berth_machine_list_deinit(&machine);
	berth_services_deinit(&services);
	return r;
}

static int load(struct berth_cli *cli, void *arg, json_t **ret_rows, struct berth_err *err)
{
	struct list *list = arg;

	return list->args->machine ? load_machine(list, ret_rows, err)
				   : load_services(list, ret_rows, err);
}

/* What could not be seen goes with it, as of the same look. */
static int print_document(struct berth_cli *cli, void *arg, const json_t *rows,
			  struct berth_err *err)
{
	struct list *list = arg;
	BERTH_AUTO_JSON json_t *document =
		json_pack("{s:i,s:o}", "version", 1, list->args->machine ? "listeners" : "services",
			  berth_table_json(&list->table, rows, berth_time_now_ms()));

	if (!document)
		return berth_err_errno(err, -ENOMEM, "cannot print the list");
	if (list->args->machine)
		json_object_set(document, "unseen", list->unseen);
	berth_out_json(&cli->out, document);
	return 0;
}

static int watch(struct berth_cli *cli, struct list *list, struct berth_err *err)
{
	char path[PATH_MAX];
	struct berth_watch watch = {
		.table = &list->table,
		.nothing = list->args->machine ? "nothing listens" : "nothing runs",
		.load = load,
		.print = print_document,
		.arg = list,
	};

	if (berth_statefile_path(BERTH_PLACE_RUNTIME, path, sizeof(path)) == 0)
		watch.path = path;
	return berth_watch_run(cli, &watch, err);
}

static int print(struct berth_cli *cli, struct list *list, struct berth_err *err)
{
	bool machine = list->args->machine;
	BERTH_AUTO_JSON json_t *rows = NULL;
	const json_t *sentence;
	size_t i;
	int r = load(cli, list, &rows, err);

	if (r == 0 && cli->out.json)
		return print_document(cli, list, rows, err);
	if (r == 0)
		r = berth_table_print(&list->table, "", rows, berth_time_now_ms(), &cli->out, err);
	if (r < 0)
		return r;
	if (!json_array_size(rows))
		berth_out_say(&cli->out, machine ? "nothing listens" : "nothing runs");
	json_array_foreach (list->unseen, i, sentence)
		berth_out_hint(&cli->out, "not seen: %s", json_string_value(sentence));
	return 0;
}

static int run_ls(struct berth_cli *cli, void *arguments, struct berth_err *err)
{
	const struct ls_args *args = arguments;
	const char *columns = args->columns;
	struct list list = { .args = args };
	int r;

	if (args->udp && !args->machine)
		return berth_err_set(err, -EINVAL, BERTH_ERR_USAGE, "--udp goes with -m");
	if (args->udp && !columns)
		columns = berth_listener_columns_with_protocol;
	r = berth_table_select(args->machine ? berth_listener_columns : berth_service_columns,
			       columns, &list.table, err);
	if (r < 0)
		return r;
	/* As JSON, what was not chosen is left out. */
	list.table.chosen = args->columns;
	/* A pipe that is watched gets documents. */
	list.whole = cli->out.json || args->columns || (args->watch && !cli->out.terminal);
	r = args->watch ? watch(cli, &list, err) : print(cli, &list, err);
	json_decref(list.unseen);
	free(list.ports);
	return r;
}

const struct berth_cmd berth_cmd_ls = {
	.name = "ls",
	.synopsis = "[options]",
	.summary = "list what runs: where, since when, in what state",
	.details =
		"All services of this user, of every project. ASKED is the number that the service wanted, where it has another one.\n"
		"\n"
		"With -m every listening port of the machine, those of services with their name and state. WHERE is its container, else "
		"its unit, its project, its working folder.",
	.opts = ls_opts,
	.args_size = sizeof(struct ls_args),
	.group = BERTH_CMD_LOOK,
	.run = run_ls,
};
