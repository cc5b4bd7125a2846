/* SPDX-License-Identifier: MIT */
/* app/machine.h - every listening port of this machine, as documents */
#pragma once

#include "app/registry.h"
#include "base/err.h"
#include "base/json.h"

#include <stdbool.h>
#include <stdint.h>

struct berth_machine_query {
	const struct berth_registry *registry; /* borrowed, as the next */
	json_t *records; /* of berth_registry_load(), living ones, labelled */
	bool udp; /* UDP sockets that are bound and not connected, too */
	/* All members; else those that `ls -m` shows, which is twice as fast with thousands. */
	bool whole;
};

/*
 * What listens, by port. What one process listens on under one number is one of them, with all its
 * addresses.
 */
struct berth_machine_list {
	/*
	 * owned: whole, as in share/schemas/listeners.schema.json. Else without "port", so that
	 * neighbours that differ in nothing else are the very same object: a program may listen on
	 * thousands.
	 */
	json_t *listeners;
	uint16_t *ports; /* owned: of each of the listeners */
	/* owned: an array of sentences: what could not be seen, and what to do about it */
	json_t *unseen;
};

/* -errno with @err. */
BERTH_MUST_USE int berth_machine_load(const struct berth_machine_query *query,
				      struct berth_machine_list *ret_list, struct berth_err *err);

/* machine-list.c */
void berth_machine_list_deinit(struct berth_machine_list *list);
/* The listeners with "port" in each. New reference; NULL: out of memory. */
json_t *berth_machine_list_documents(const struct berth_machine_list *list);
