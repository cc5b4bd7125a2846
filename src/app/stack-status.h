/* SPDX-License-Identifier: MIT */
/* app/stack-status.h - what a stack in the foreground says while it comes up */
#pragma once

#include "app/stack-run.h"

/* The line at the bottom of a terminal; elsewhere a line for each that waits for long. */
void berth_stack_status_show(struct berth_supervisor *supervisor);
