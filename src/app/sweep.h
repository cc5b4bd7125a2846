/* SPDX-License-Identifier: MIT */
/* app/sweep.h - clear up after a supervisor that could not do it itself */
#pragma once

#include "app/registry.h"

/*
 * End what is left of a service whose supervisor and guardian were both killed, found by what can't
 * be forged or given again (see sweep.c), and take back its record and files. Returns how many
 * processes were ended, or -errno.
 */
BERTH_MUST_USE int berth_sweep(struct berth_registry *registry, json_t *record);

/*
 * End all descendants of this process but those below @spare (zero-terminated), until none is left;
 * reaps them. Returns how many.
 */
int berth_sweep_descendants(const pid_t *spare);

/*
 * Only the record and the files that it names; the end goes to the history as one of the
 * supervisor's.
 */
void berth_sweep_record(struct berth_registry *registry, json_t *record);

/* Before a start: a dead one's container may hold what this one wants. What fails is met again. */
void berth_sweep_all(void);

/* Sweep every dead record of @records (of berth_registry_load()), and leave those that live. */
void berth_sweep_dead(struct berth_registry *registry, json_t *records);
