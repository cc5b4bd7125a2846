/* SPDX-License-Identifier: MIT */
/* cli/cmd-history.c - berth history: how services ended */
#include <errno.h>
#include <string.h>

#include "app/history-find.h"
#include "app/history.h"
#include "base/str.h"
#include "base/time.h"
#include "cli/cli.h"
#include "cli/commands.h"
#include "cli/end-text.h"
#include "cli/ends.h"
#include "cli/services.h"
#include "cli/table.h"

struct history_args {
	const char *columns;
	bool all;
};

static const struct berth_opt history_opts[] = {
	{ 'a', "all", NULL, BERTH_AT(FLAG, struct history_args, all), "of every project" },
	{ 'o', "columns", "LIST", BERTH_AT(STRING, struct history_args, columns),
	  "show these columns: service,ended,end,log" },
	{ 0 },
};

/* "port 5000", "ports 5002, 5003" */
static void format_ports(const json_t *row, struct berth_str *text)
{
	const json_t *ports = json_object_get(row, "ports");
	const json_t *port;
	size_t i;

	berth_str_add(text, json_array_size(ports) == 1 ? "port " : "ports ");
	json_array_foreach (ports, i, port)
		berth_str_addf(text, "%s%lld", i ? ", " : "", (long long)json_integer_value(port));
}

static void format_service(const json_t *row, const json_t *value, int64_t now_ms,
			   struct berth_str *text)
{
	char label[BERTH_ENDS_LABEL_SIZE];

	if (berth_history_is_freed(row))
		format_ports(row, text);
	else
		berth_str_add(text, berth_ends_label(row, label));
}

/* "node 812, SIGTERM by berth free, 2 min ago" */
static void format_freed(const json_t *row, int64_t now_ms, struct berth_str *text)
{
	const char *how = berth_json_string(row, "how", "");
	const char *unit = berth_json_string(row, "unit", "its unit");
	const char *container = berth_json_string(json_object_get(row, "container"), "name", NULL);
	char name[64], shown[128], age[BERTH_TIME_AGE_SIZE];
	int64_t freed_ms = now_ms;

	berth_str_printable(berth_json_string(row, "process", "?"), (size_t)-1, name, sizeof(name));
	berth_str_printable(container ? container : unit, (size_t)-1, shown, sizeof(shown));
	(void)!berth_time_parse(berth_json_string(row, "freed_at", ""), &freed_ms);
	berth_str_addf(text, "%s %lld, ", name, (long long)berth_json_int(row, "pid", 0));
	if (strcmp(how, "container") == 0 && container)
		berth_str_addf(text, "its container '%s' stopped", shown);
	else if (strcmp(how, "container") == 0)
		berth_str_add(text, "its container stopped");
	else if (strcmp(how, "unit") == 0)
		berth_str_addf(text, "%s stopped",
			       berth_str_printable(unit, (size_t)-1, shown, sizeof(shown)));
	else
		berth_str_addf(text, "SIG%s",
			       strcmp(berth_json_string(row, "result", ""), "killed") == 0
				       ? "KILL"
				       : "TERM");
	berth_str_addf(text, " by berth %s, %s ago", berth_json_string(row, "by", "free"),
		       berth_time_age(now_ms - freed_ms, age));
}

static void format_end(const json_t *row, const json_t *value, int64_t now_ms,
		       struct berth_str *text)
{
	char end[256];

	if (berth_history_is_freed(row)) {
		format_freed(row, now_ms, text);
		return;
	}
	berth_str_add(text, berth_end_text(row, now_ms, end, sizeof(end)));
}

static const struct berth_column columns[] = {
	{ "service", "SERVICE", BERTH_COLUMN_STRING, NULL, "project and name",
	  .format = format_service },
	{ "state", "STATE", BERTH_COLUMN_STRING, "state", "stopped or failed; freed: by berth free",
	  .tone = berth_column_state_tone },
	{ "end", "END", BERTH_COLUMN_STRING, NULL, "how, by whom, and when", .format = format_end },
	{ "id", "ID", BERTH_COLUMN_STRING, "id", "of that life of it" },
	{ "code", "CODE", BERTH_COLUMN_INTEGER, "exit.code", "exit code", .extra = true },
	{ "signal", "SIGNAL", BERTH_COLUMN_STRING, "exit.signal", "what ended it", .extra = true },
	{ "by", "BY", BERTH_COLUMN_STRING, "exit.by", "who ended it", .extra = true },
	{ "ended", "ENDED", BERTH_COLUMN_STRING, "ended_at", "when", .extra = true },
	{ "log", "LOG", BERTH_COLUMN_STRING, "log", "its output", .extra = true, .flexible = true },
	{ "also", "ALSO ENDED", BERTH_COLUMN_STRING, "also_ended", "what was ended besides",
	  .extra = true, .flexible = true },
	{ 0 },
};

/* All that the operands mean, newest first, each once; without operands those of the project. */
static int select_ends(const json_t *all, const struct berth_opt_list *operands,
		       const struct berth_identity *here, bool any, json_t **ret_ends,
		       struct berth_err *err)
{
	BERTH_AUTO_JSON json_t *ends = json_array();
	BERTH_AUTO_JSON json_t *meant = json_array();
	json_t *end;
	size_t i;

	for (size_t k = 0; k < operands->count; k++) {
		BERTH_AUTO_JSON json_t *found = NULL;
		int r = berth_history_find(all, operands->items[k], here, any, &found, err);

		if (r < 0)
			return r;
		json_array_extend(meant, found);
	}
	json_array_foreach (all, i, end)
		if (operands->count ? berth_json_has(meant, end)
				    : any || berth_history_find_is_of(end, here->root))
			json_array_append(ends, end);
	*ret_ends = BERTH_STEAL(ends);
	return 0;
}

/* Named ones with the last lines of their output. */
static void print_lines(struct berth_cli *cli, const json_t *ends)
{
	const json_t *end, *last;
	size_t i, j;

	json_array_foreach (ends, i, end) {
		if (!json_array_size(json_object_get(end, "last_lines")))
			continue;
		berth_out_result(&cli->out, "\n%s %s\n", berth_json_string(end, "service", "?"),
				 berth_json_string(end, "id", "?"));
		json_array_foreach (json_object_get(end, "last_lines"), j, last)
			berth_out_result(&cli->out, "  | %s\n", json_string_value(last));
	}
}

static int run_history(struct berth_cli *cli, void *arguments, struct berth_err *err)
{
	const struct history_args *args = arguments;
	BERTH_AUTO_JSON json_t *all = NULL;
	BERTH_AUTO_JSON json_t *ends = NULL;
	BERTH_CLEANUP(berth_identity_deinit) struct berth_identity here = { 0 };
	struct berth_table table;
	int r;

	r = berth_table_select(columns, args->columns, &table, err);
	if (r == 0)
		r = berth_services_load_here(!args->all && !cli->operands.count, &here, err);
	if (r < 0)
		return r;
	r = berth_history_load(&all);
	if (r < 0)
		return berth_err_errno(err, r, "cannot read the history");
	r = select_ends(all, &cli->operands, &here, args->all, &ends, err);
	if (r < 0)
		return r;
	r = berth_table_print(&table, "ends", ends, berth_time_now_ms(), &cli->out, err);
	if (r == 0 && !cli->out.json && cli->operands.count)
		print_lines(cli, ends);
	return r;
}

const struct berth_cmd berth_cmd_history = {
	.name = "history",
	.synopsis = "[options] [SERVICE | PORT | ID]...",
	.summary = "show how services ended, and what berth free has ended",
	.details =
		"The last 20 ends of each service are kept, 200 in all. With an operand, the last lines of their output too, where "
		"berth kept it (-d). A name is one of this project, else of the only one that has it; a port finds what was freed, "
		"too.\n"
		"\n"
		"Exit 3: no end of that name is known.",
	.opts = history_opts,
	.args_size = sizeof(struct history_args),
	.max = -1,
	.group = BERTH_CMD_LOOK,
	.complete = BERTH_COMPLETE_SERVICE,
	.run = run_history,
};
