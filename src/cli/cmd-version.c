/* SPDX-License-Identifier: MIT */
/* cli/cmd-version.c - berth version */
#include <errno.h>

#include "cli/cli.h"
#include "cli/commands.h"

static int version_run(struct berth_cli *cli, void *args, struct berth_err *err)
{
	BERTH_AUTO_JSON json_t *document = NULL;

	if (!cli->out.json) {
		berth_out_result(&cli->out, "berth %s\n", BERTH_VERSION);
		return 0;
	}
	document = json_pack("{s:i, s:s}", "version", 1, "berth", BERTH_VERSION);
	if (!document)
		return berth_err_errno(err, -ENOMEM, "cannot print the version");
	berth_out_json(&cli->out, document);
	return 0;
}

const struct berth_cmd berth_cmd_version = {
	.name = "version",
	.synopsis = "",
	.summary = "print the version of berth",
	.group = BERTH_CMD_REST,
	.run = version_run,
};
