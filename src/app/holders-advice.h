/* SPDX-License-Identifier: MIT */
/* app/holders-advice.h - what to do about a port that is held */
#pragma once

#include "app/holders-join.h"
#include "look/verdict.h"

/*
 * Set "hint" (why, in words; null: nothing to add), "fix" (the command that would free it, as an
 * argv; null) and "fix_needs" ("root", null) of @port, whose other members are there.
 */
void berth_holders_advice_give(const struct berth_holders_sources *sources,
			       const struct berth_verdict *verdict, json_t *port);
