/* SPDX-License-Identifier: MIT */
/* service/combine.h - the state of a service from those of its workers */
#pragma once

#include "service/state.h"

#include <stdbool.h>
#include <stddef.h>

struct berth_combine_worker {
	enum berth_service_state state;
	bool was_ready; /* once, in whichever life */
};

/*
 * @was_ready: the service was READY before (in earlier calls). A single worker's state is the
 * service's. Of several, the first line that fits; a worker lives in STARTING, READY, UNREADY and
 * STOPPING:
 *
 *   none lives, none is WAITING                      FAILED if one is, else STOPPED
 *   none lives                                       WAITING
 *   all that live are STOPPING                       STOPPING
 *   not @was_ready, and not each one was ready once  STARTING
 *   one is READY                                     READY
 *   else                                             UNREADY
 */
enum berth_service_state berth_combine_state(const struct berth_combine_worker *workers,
					     size_t count, bool was_ready);
