/* SPDX-License-Identifier: MIT */
/* stack/compose.h - a Compose file, as a berth.yaml that starts the same containers */
#pragma once

#include "base/faults.h"
#include "stack/draft.h"

/*
 * Each service with an image becomes one of @draft: `docker run` as its command, its published
 * ports as wishes, its environment, dependencies, health check and restart policy. What can't be
 * said that way is left out, with a line of @draft->notes for each. ret_project: its `name`, if
 * that is one for berth, else "". -EINVAL with @faults: no YAML, or no `services`; -ENOMEM. Pure.
 */
BERTH_MUST_USE int berth_compose_draft(const char *text, size_t len, struct berth_faults *faults,
				       struct berth_draft *draft, char ret_project[BERTH_NAME_MAX]);
