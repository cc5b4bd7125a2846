/* SPDX-License-Identifier: MIT */
/* cli/preferences.c - the user's settings, and what to do where they are broken */
#include "cli/preferences.h"

#include <errno.h>

#include "cli/faults.h"

int berth_preferences_load(struct berth_cli *cli, struct berth_preferences_fault *ret_fault)
{
	return berth_settings_load(&cli->settings, &ret_fault->source, &ret_fault->faults,
				   &ret_fault->err);
}

int berth_preferences_refuse(struct berth_cli *cli, struct berth_preferences_fault *fault,
			     struct berth_err *err)
{
	if (!cli->cmd->starts) {
		berth_out_say(&cli->out, "%s; as long as that is so, it does not count",
			      fault->err.msg);
		return 0;
	}
	berth_cli_faults(cli, &fault->faults, fault->source.path, fault->source.text,
			 fault->source.len);
	return berth_err_set(err, -EINVAL, BERTH_ERR_CONFIG, "%s; nothing is started",
			     fault->err.msg);
}

void berth_preferences_fault_deinit(struct berth_preferences_fault *fault)
{
	berth_settings_source_deinit(&fault->source);
	berth_faults_deinit(&fault->faults);
}
