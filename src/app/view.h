/* SPDX-License-Identifier: MIT */
/* app/view.h - run a command in a copy's view */
#pragma once

#include "base/err.h"
#include "base/json.h"

#include <signal.h>
#include <stdbool.h>

/*
 * Run @argv as a child whose calls the supervisor of @record answers like those of its service, in
 * its variables (@whole: in those of its stack), in the foreground of our terminal. When the supervisor goes, the calls go to the
 * kernel. Returns the exit code (126, 127, 128 + signal as shells do), or -errno with @err.
 */
BERTH_MUST_USE int berth_view_run(const json_t *record, bool whole, const char *const *argv,
				  const sigset_t *signal_mask, struct berth_err *err);
