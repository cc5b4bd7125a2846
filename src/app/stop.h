/* SPDX-License-Identifier: MIT */
/* app/stop.h - end a service from outside, whatever state its supervisor is in */
#pragma once

#include "app/registry.h"

/* Positive outcome. */
enum {
	BERTH_STOP_E_GONE = 1, /* somebody else has ended it meanwhile: the goal holds */
};

struct berth_stop_spec {
	int64_t grace_ms; /* -1: the service's own */
	bool kill; /* without grace */
	bool force; /* for another start of it */
};

/*
 * Returns when nothing of the service lives and its ports are bindable. *ret_answer (new reference,
 * NULL where the supervisor had to be killed and had nothing else) has the last "service" document
 * and "also_ended". A supervisor that does not answer is continued (SIGCONT), then killed: its
 * guardian clears up, and where it had other services, "also_ended" names them. One that answers is
 * never killed, however long it takes. 0, E_GONE, or -errno with @err.
 */
BERTH_MUST_USE int berth_stop(struct berth_registry *registry, json_t *record,
			      const struct berth_stop_spec *spec, json_t **ret_answer,
			      struct berth_err *err);

/* The same in two steps, so that several services end at the same time. */
struct berth_stop {
	json_t *record; /* borrowed */
	struct berth_stop_spec spec;
	int fd; /* on which its supervisor has been asked; owned, -1: it could not be */
};
/* Ask, and don't wait; berth_stop_finish() has to follow, and asks again where that has failed. */
void berth_stop_begin(struct berth_stop *stop, json_t *record, const struct berth_stop_spec *spec);
BERTH_MUST_USE int berth_stop_finish(struct berth_registry *registry, struct berth_stop *stop,
				     json_t **ret_answer, struct berth_err *err);
