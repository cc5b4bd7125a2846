/* SPDX-License-Identifier: MIT */
/* cli/cli.h - what every command is given */
#pragma once

#include "cli/opt.h"
#include "cli/out.h"
#include "stack/settings.h"

enum {
	BERTH_CLI_WAIT_MAX_MS =
		24 * 24 * 3600 * 1000, /* 24 days: what poll(2) can wait at a time */
};

/* Made by main for one command; borrowed by its run(). */
struct berth_cli {
	const struct berth_cmd *cmd;
	struct berth_common common; /* -C is done: the working folder is the one the user means */
	struct berth_opt_list operands; /* with command_rest: the foreign argv */
	struct berth_out out;
	struct berth_settings settings; /* of the user; defaults while they are broken */
	/* Set by run(): the exit code of its failure, in place of the error's own; 0: that one. */
	int error_exit;
};
