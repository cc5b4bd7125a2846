/* SPDX-License-Identifier: MIT */
/* cli/faults.h - what is wrong with a user's file, shown */
#pragma once

#include "base/faults.h"
#include "cli/cli.h"

/*
 * To standard error, each with its line and a caret; with --json into the error document instead, as
 * "faults". @path as it is to be called; where it is below the working folder, from there. @text:
 * what the file holds, NULL where that is not at hand.
 */
void berth_cli_faults(struct berth_cli *cli, struct berth_faults *faults, const char *path,
		      const char *text, size_t len);
