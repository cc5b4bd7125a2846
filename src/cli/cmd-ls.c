/* SPDX-License-Identifier: MIT */
/* cli/cmd-ls.c - berth ls: what of mine runs, where, and since when */
#include "base/time.h"
#include "cli/cli.h"
#include "cli/commands.h"
#include "cli/service-columns.h"
#include "cli/services.h"

struct ls_args {
	const char *columns;
};

static const struct berth_opt ls_opts[] = {
	{ 'o', "columns", "LIST", BERTH_AT(STRING, struct ls_args, columns),
	  "show these columns: service,state,url,pid" },
	{ 0 },
};

static int run_ls(struct berth_cli *cli, void *arguments, struct berth_err *err)
{
	const struct ls_args *args = arguments;
	BERTH_AUTO_JSON json_t *documents = NULL;
	struct berth_services services;
	struct berth_table table;
	int r;

	r = berth_table_select(berth_service_columns, args->columns, &table, err);
	if (r < 0)
		return r;
	r = berth_services_load(&services, err);
	if (r < 0)
		return r;
	documents = cli->out.json || args->columns ? berth_services_documents(services.records)
						   : berth_services_summaries(services.records);
	r = berth_table_print(&table, "services", documents, berth_time_now_ms(), &cli->out, err);
	if (r == 0 && !json_array_size(documents) && !cli->out.json)
		berth_out_say(&cli->out, "nothing runs");
	berth_services_deinit(&services);
	return r;
}

const struct berth_cmd berth_cmd_ls = {
	.name = "ls",
	.synopsis = "[options]",
	.summary = "list what runs: where, since when, in what state",
	.details =
		"All services of this user, of every project. ASKED is the number that the service wanted, where it has another one.",
	.opts = ls_opts,
	.args_size = sizeof(struct ls_args),
	.group = BERTH_CMD_LOOK,
	.run = run_ls,
};
