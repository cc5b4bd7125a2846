/* SPDX-License-Identifier: MIT */
/* cli/cmd-url.c - berth url: print the address of a service */
#include <errno.h>

#include "cli/cli.h"
#include "cli/commands.h"
#include "cli/one-port.h"

static int run_url(struct berth_cli *cli, void *arguments, struct berth_err *err)
{
	BERTH_AUTO_JSON json_t *port = NULL;
	BERTH_AUTO_JSON json_t *document = NULL;
	const char *url;
	int r = berth_one_port(cli->operands.count ? cli->operands.items[0] : NULL, &port, err);

	if (r < 0)
		return r;
	url = berth_json_string(port, "url", NULL);
	if (!url)
		return berth_err_set(err, -ENOENT, BERTH_ERR_NOT_FOUND, "port %lld has no URL",
				     (long long)berth_json_int(port, "port", 0));
	document = json_pack("{s:i,s:s}", "version", 1, "url", url);
	if (cli->out.json)
		berth_out_json(&cli->out, document);
	else
		berth_out_result(&cli->out, "%s\n", url);
	return 0;
}

const struct berth_cmd berth_cmd_url = {
	.name = "url",
	.synopsis = "[SERVICE[:NAME]]",
	.summary = "print the address of a service",
	.details =
		"NAME is that of a port, where a service has several. Without an operand: the one service of this project.",
	.max = 1,
	.group = BERTH_CMD_LOOK,
	.complete = BERTH_COMPLETE_SERVICE,
	.run = run_url,
};
