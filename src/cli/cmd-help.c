/* SPDX-License-Identifier: MIT */
/* cli/cmd-help.c - berth help: the overview, a command's page, the page for coding agents */
#include <errno.h>
#include <string.h>

#include "cli/agents.h" /* made from cli/agents.md by the build */
#include "cli/cli.h"
#include "cli/commands.h"
#include "cli/help.h"

static const char *const topics[] = { "agents", NULL };

static int print_agents_page(struct berth_out *out, struct berth_err *err)
{
	BERTH_AUTO_JSON json_t *document = NULL;

	if (!out->json) {
		berth_out_result(out, "%s", agents_page);
		return 0;
	}
	document = json_pack("{s:i, s:s}", "version", 1, "page", agents_page);
	if (!document)
		return berth_err_errno(err, -ENOMEM, "cannot print the help");
	berth_out_json(out, document);
	return 0;
}

static int help_run(struct berth_cli *cli, void *args, struct berth_err *err)
{
	const char *topic = cli->operands.count ? cli->operands.items[0] : NULL;
	const struct berth_cmd *cmd;

	if (!topic)
		return berth_help_print(&cli->out, berth_commands, NULL, err);
	if (strcmp(topic, topics[0]) == 0)
		return print_agents_page(&cli->out, err);
	cmd = berth_commands_find(topic);
	if (!cmd)
		return berth_commands_unknown(topic, err);
	return berth_help_print(&cli->out, berth_commands, cmd, err);
}

const struct berth_cmd berth_cmd_help = {
	.name = "help",
	.synopsis = "[COMMAND | agents]",
	.summary = "show the help of a command",
	.details =
		"'berth help agents' is one page with what a coding agent needs. With --json: all "
		"commands and options, and the error codes with their exit codes.",
	.max = 1,
	.group = BERTH_CMD_REST,
	.complete = BERTH_COMPLETE_COMMAND,
	.words = topics,
	.run = help_run,
};
