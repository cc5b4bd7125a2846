/* SPDX-License-Identifier: MIT */
/* cli/owner.h - --owner: the process that a start ends with */
#pragma once

#include "base/err.h"
#include "os/procfs.h"

/*
 * A pid or "parent"; NULL: what BERTH_OWNER says. *ret_owner is a process that lives now, known by
 * its start time from here on; untouched where nobody is named. USAGE.
 */
BERTH_MUST_USE int berth_owner_parse(const char *text, struct berth_proc_id *ret_owner,
				     struct berth_err *err);
