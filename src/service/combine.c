/* SPDX-License-Identifier: MIT */
/*
 * service/combine.c - the state of a service from those of its workers
 *
 * Until all have been ready once it is starting, so that "ready" promises what was ordered; from
 * then on one that serves is enough, because clients can't tell.
 */
#include "service/combine.h"

enum berth_service_state berth_combine_state(const struct berth_combine_worker *workers,
					     size_t count, bool was_ready)
{
	size_t in[BERTH_SERVICE_STATE_COUNT_] = { 0 };
	size_t living, once = 0;

	if (count == 1)
		return workers[0].state;
	for (size_t i = 0; i < count; i++) {
		in[workers[i].state]++;
		once += workers[i].was_ready;
	}
	living = count - in[BERTH_SERVICE_WAITING] - in[BERTH_SERVICE_STOPPED] -
		 in[BERTH_SERVICE_FAILED];
	if (!living && !in[BERTH_SERVICE_WAITING])
		return in[BERTH_SERVICE_FAILED] ? BERTH_SERVICE_FAILED : BERTH_SERVICE_STOPPED;
	if (!living)
		return BERTH_SERVICE_WAITING;
	if (in[BERTH_SERVICE_STOPPING] == living)
		return BERTH_SERVICE_STOPPING;
	if (!was_ready && once < count)
		return BERTH_SERVICE_STARTING;
	return in[BERTH_SERVICE_READY] ? BERTH_SERVICE_READY : BERTH_SERVICE_UNREADY;
}
