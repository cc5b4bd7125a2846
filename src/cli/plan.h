/* SPDX-License-Identifier: MIT */
/* cli/plan.h - show which ports a stack would get: `berth plan`, `berth up -n` */
#pragma once

#include "app/stack.h"
#include "cli/cli.h"

/* @write: and write them to its ports file, where the next start finds them as wishes. */
BERTH_MUST_USE int berth_plan_print(struct berth_cli *cli, const struct berth_stack *stack,
				    bool write, struct berth_err *err);
