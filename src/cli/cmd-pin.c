/* SPDX-License-Identifier: MIT */
/* cli/cmd-pin.c - berth pin: keep a number for one service, and list what is kept */
#include <errno.h>

#include "app/pins.h"
#include "base/parse.h"
#include "base/str.h"
#include "base/time.h"
#include "cli/cli.h"
#include "cli/commands.h"
#include "cli/pins.h"
#include "cli/table.h"

struct pin_args {
	const char *as;
	const char *columns;
};

static const struct berth_column columns[] = {
	{ "service", "SERVICE", BERTH_COLUMN_STRING, "label", "for which service and port" },
	{ "port", "PORT", BERTH_COLUMN_INTEGER, "port", "the number" },
	{ "folder", "FOLDER", BERTH_COLUMN_STRING, "root", "the root of its project" },
	{ "from", "FROM", BERTH_COLUMN_STRING, "from",
	  "who says so: \"pin\", this command, or \"config\", the settings" },
	{ 0 },
};

static const struct berth_opt pin_opts[] = {
	{ 0, "as", "NAME", BERTH_AT(STRING, struct pin_args, as),
	  "of the copy NAME of the stack (berth up --as)" },
	{ 'o', "columns", "LIST", BERTH_AT(STRING, struct pin_args, columns),
	  "show these columns: service, port, folder, from", .complete = BERTH_COMPLETE_COLUMN },
	{ 0 },
};

static int list_pins(struct berth_cli *cli, const struct pin_args *args, struct berth_err *err)
{
	BERTH_AUTO_JSON json_t *rows = NULL;
	struct berth_table table;
	int r = berth_table_select(columns, args->columns, &table, err);

	if (r == 0)
		r = berth_pins_rows(&cli->settings, NULL, &rows, err);
	if (r < 0)
		return r;
	if (!json_array_size(rows) && !cli->out.json)
		berth_out_say(&cli->out, "nothing is pinned");
	return berth_table_print(&table, "pins", rows, berth_time_now_ms(), &cli->out, err);
}

static void say(struct berth_cli *cli, const struct berth_pins_operand *operand, uint16_t port)
{
	char name[BERTH_PINS_NAME_SIZE];

	berth_out_say(&cli->out, "%s is pinned to %u",
		      berth_pins_operand_name(operand, name, sizeof(name)), port);
	if (operand->running && operand->running != port)
		berth_out_hint(&cli->out, "it has %u now, and %u when it is stopped and started",
			       operand->running, port);
	else if (!operand->known)
		berth_out_hint(&cli->out, "no '%s' has run here yet, and no manifest here has it",
			       operand->identity.service);
}

static int run_pin(struct berth_cli *cli, void *arguments, struct berth_err *err)
{
	const struct pin_args *args = arguments;
	BERTH_CLEANUP(berth_pins_operand_deinit) struct berth_pins_operand operand = { 0 };
	char shown[64];
	uint16_t port;
	int r;

	if (!cli->operands.count)
		return list_pins(cli, args, err);
	if (cli->operands.count == 1) {
		berth_err_set(err, -EINVAL, BERTH_ERR_USAGE, "which port?");
		berth_err_hint(err, "berth pin SERVICE PORT");
		return -EINVAL;
	}
	if (berth_parse_port(cli->operands.items[1], &port) < 0)
		return berth_err_set(err, -EINVAL, BERTH_ERR_USAGE, "'%s' is not a port (1-65535)",
				     berth_str_printable(cli->operands.items[1], (size_t)-1, shown,
							 sizeof(shown)));
	r = berth_pins_read_operand(cli->operands.items[0], args->as, &operand, err);
	if (r == 0)
		r = berth_pins_check_port(&operand, err);
	if (r == 0)
		r = berth_pins_set(&operand.identity, operand.port_name, port, err);
	if (r < 0)
		return r;
	if (!cli->out.json)
		say(cli, &operand, port);
	return berth_pins_print_json(cli, &operand.identity, err);
}

const struct berth_cmd berth_cmd_pin = {
	.name = "pin",
	.synopsis = "[options] [SERVICE[:NAME] PORT]",
	.summary = "keep a number for one service",
	.details =
		"The service, whether it runs or not, gets PORT at every start before all else, its own --port included, but not "
		"with --strict, --free or --ask. No other service is given it while it can have another one. A pin that is taken by a stranger is no "
		"reason not to start.\n"
		"\n"
		"SERVICE is one of this folder: of the stack around it, or of what was started here. NAME is that of a port, where "
		"a service has several. Without operands: what is pinned, in all folders.",
	.opts = pin_opts,
	.columns = columns,
	.args_size = sizeof(struct pin_args),
	.max = 2,
	.group = BERTH_CMD_CHANGE,
	.complete = BERTH_COMPLETE_SERVICE,
	.run = run_pin,
};
