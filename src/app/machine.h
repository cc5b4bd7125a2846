/* SPDX-License-Identifier: MIT */
/* app/machine.h - every listening port of this machine, as documents */
#pragma once

#include "app/registry.h"
#include "base/err.h"
#include "base/json.h"

#include <stdbool.h>

struct berth_machine_query {
	const struct berth_registry *registry; /* borrowed, as the next */
	json_t *records; /* of berth_registry_load(), living ones, labelled */
	bool udp; /* UDP sockets that are bound and not connected, too */
	/* All members; else those that `ls -m` shows, which is twice as fast with thousands. */
	bool whole;
};

/*
 * An array of listeners (share/schemas/listeners.schema.json), by port. What one process listens on
 * under one number is one of them, with all its addresses. *ret_unseen is an array of sentences:
 * what could not be seen, and what to do about it. New references. -errno with @err.
 */
BERTH_MUST_USE int berth_machine_load(const struct berth_machine_query *query,
				      json_t **ret_listeners, json_t **ret_unseen,
				      struct berth_err *err);
