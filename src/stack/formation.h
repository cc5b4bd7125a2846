/* SPDX-License-Identifier: MIT */
/* stack/formation.h - foreman's -m "all=1,web=2": how many of each service */
#pragma once

#include "base/err.h"
#include "stack/manifest.h"

/*
 * "web=2,worker=0", blanks allowed, `all` for those that are not named. As in foreman, a service
 * that neither a name nor `all` speaks of is not started. Sets `instances` of those that are, and
 * @ret_started, one for each service: false for 0. A name may be as a Procfile has it (web_1), or
 * as berth calls it (web-1). Pure. -EINVAL (USAGE): no such service, with the closest; no number up
 * to 100; a name twice; nobody is left; more of a service than its other keys allow, where @profile
 * (NULL: none) is what all numbers are taken from. @manifest and @ret_started are untouched then.
 */
BERTH_MUST_USE int berth_formation_parse(const char *text, struct berth_manifest *manifest,
					 const struct berth_manifest_profile *profile,
					 bool *ret_started, struct berth_err *err);
