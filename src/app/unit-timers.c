/* SPDX-License-Identifier: MIT */
/* app/unit-timers.c - when something of a unit is due next, and doing it */
#include "app/unit.h"

static int64_t earlier(int64_t a, int64_t b)
{
	return b && b < a ? b : a;
}

int64_t berth_unit_deadline_ns(const struct berth_unit *unit)
{
	int64_t next = INT64_MAX;

	for (size_t i = 0; i < unit->worker_count; i++) {
		next = earlier(next, unit->workers[i]->service.deadline_ns);
		next = earlier(next, berth_unit_checks_deadline_ns(unit->workers[i]));
		next = earlier(next, berth_unit_ending_deadline_ns(unit->workers[i]));
	}
	next = earlier(next, unit->save_ns);
	next = earlier(next, unit->settle_ns);
	next = earlier(next, unit->rearm_ns);
	next = earlier(next, unit->keep_until_ns);
	next = earlier(next, unit->drain_look_ns);
	return earlier(next, unit->poll_ns);
}

static bool is_due(int64_t deadline_ns, int64_t now_ns)
{
	return deadline_ns && deadline_ns <= now_ns;
}

void berth_unit_run_timers(struct berth_unit *unit, int64_t now_ns)
{
	if (is_due(unit->settle_ns, now_ns))
		berth_unit_settle(unit);
	if (is_due(unit->rearm_ns, now_ns))
		berth_unit_rearm(unit);
	if (is_due(unit->poll_ns, now_ns))
		berth_unit_poll_ports(unit);
	if (is_due(unit->keep_until_ns, now_ns))
		berth_unit_unkeep_all(unit);
	if (is_due(unit->drain_look_ns, now_ns))
		berth_unit_look_at_drains(unit);
	for (size_t i = 0; i < unit->worker_count; i++) {
		berth_unit_run_checks(unit->workers[i], now_ns);
		berth_unit_run_ending(unit->workers[i], now_ns);
		if (is_due(unit->workers[i]->service.deadline_ns, now_ns))
			berth_unit_step_worker(unit->workers[i], BERTH_SERVICE_ON_TIMER);
	}
	if (!unit->done && is_due(unit->save_ns, now_ns))
		berth_unit_save(unit);
}
