/* SPDX-License-Identifier: MIT */
/* app/stack-plan.h - which ports a stack would get, were it started now */
#pragma once

#include "app/stack.h"

/*
 * What is wanted of @stack, in the order of its start, as an array of
 *   {"service","instance","running","ports":[{"name","protocol","asked","port","reason","url"}]}
 * Of what runs (@records, of berth_registry_load()) the ports that it has; for all else they are
 * leased as a start would do it, all at once, and given back. NO_PORT as for a start.
 */
BERTH_MUST_USE int berth_stack_plan(const struct berth_stack *stack, const json_t *records,
				    json_t **ret_services, struct berth_err *err);
