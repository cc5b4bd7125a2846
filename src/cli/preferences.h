/* SPDX-License-Identifier: MIT */
/* cli/preferences.h - the user's settings, and what to do where they are broken */
#pragma once

#include "cli/cli.h"

struct berth_preferences_fault {
	struct berth_settings_source source;
	struct berth_faults faults;
	struct berth_err err;
};

/* Into cli->settings; -errno with *ret_fault: then they are as if there were none. */
BERTH_MUST_USE int berth_preferences_load(struct berth_cli *cli,
					  struct berth_preferences_fault *ret_fault);

/*
 * After a load that failed: where cli->cmd starts services, show what is wrong and return -errno
 * with @err; else say in one line that the settings do not count, and return 0.
 */
BERTH_MUST_USE int berth_preferences_refuse(struct berth_cli *cli,
					    struct berth_preferences_fault *fault,
					    struct berth_err *err);
void berth_preferences_fault_deinit(struct berth_preferences_fault *fault);
