/* SPDX-License-Identifier: MIT */
/* cli/cmd-port.c - berth port: print the port of a service */
#include <errno.h>
#include <string.h>

#include "base/str.h"
#include "cli/cli.h"
#include "cli/commands.h"
#include "cli/one-port.h"

static int run_port(struct berth_cli *cli, void *arguments, struct berth_err *err)
{
	BERTH_AUTO_JSON json_t *port = NULL;
	BERTH_AUTO_JSON json_t *document = NULL;
	int r = berth_one_port(cli->operands.count ? cli->operands.items[0] : NULL, &port, err);

	if (r < 0)
		return r;
	document = json_pack("{s:i,s:O}", "version", 1, "port", port);
	if (cli->out.json)
		berth_out_json(&cli->out, document);
	else
		berth_out_result(&cli->out, "%lld\n", (long long)berth_json_int(port, "port", 0));
	return 0;
}

const struct berth_cmd berth_cmd_port = {
	.name = "port",
	.synopsis = "[SERVICE[:NAME]]",
	.summary = "print the port of a service",
	.details =
		"NAME is that of a port, where a service has several. Without an operand: the one service of this project.",
	.max = 1,
	.group = BERTH_CMD_LOOK,
	.complete = BERTH_COMPLETE_SERVICE,
	.run = run_port,
};
