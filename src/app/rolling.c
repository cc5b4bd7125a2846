/* SPDX-License-Identifier: MIT */
/*
 * app/rolling.c - one worker after the other is replaced by its like
 *
 * What follows what is decided by service/rollout. The new worker joins the port as any second worker
 * does (sharing.c); the old one is told to end when the new one is ready. If both accept from one
 * socket, nothing is lost by that. If each has its own in a group, clients wait in the queue of the
 * one that goes, and would be reset with it: so the kernel is told to give new ones to the others
 * first (berth_lease_prefer()), and the old one ends when its queue is empty.
 */

#include "app/unit.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "app/supervisor.h"
#include "base/str.h"
#include "base/time.h"

enum {
	DRAIN_LOOK_NS = 5 * 1000 * 1000,
};

/* A program that accepts at all has emptied its queue long before. */
#define DRAIN_MAX_NS 2000000000LL

static struct berth_worker *find(const struct berth_unit *unit, unsigned int number, bool next)
{
	for (size_t i = 0; i < unit->worker_count; i++) {
		struct berth_worker *worker = unit->workers[i];

		if (worker->number == number && worker->next == next && !worker->retiring)
			return worker;
	}
	return NULL;
}

static bool is_used_by(const struct berth_port *port, uint64_t inode, unsigned int serial)
{
	for (size_t i = 0; i < port->user_size; i++)
		if (port->users[i].inode == inode && port->users[i].worker == serial)
			return true;
	return false;
}

/* Clients that wait in queues which @worker alone accepts from. */
static unsigned int count_waiting(const struct berth_unit *unit, const struct berth_worker *worker)
{
	unsigned int waiting = 0;

	for (size_t i = 0; i < unit->ports.count; i++) {
		const struct berth_lease *lease = &unit->ports.port[i]->lease;

		for (size_t j = 0; j < lease->owner_size; j++)
			if (lease->owners[j].fd >= 0 && lease->owners[j].grouped &&
			    is_used_by(unit->ports.port[i], lease->owners[j].inode, worker->serial))
				waiting += berth_lease_waiting(&lease->owners[j]);
	}
	return waiting;
}

/* New clients of a group go to @worker's sockets only, NULL: to all again. */
static void prefer(struct berth_unit *unit, const struct berth_worker *worker)
{
	for (size_t i = 0; i < unit->ports.count; i++) {
		struct berth_port *port = unit->ports.port[i];
		int r = 0;

		if (!worker && unit->sharing != BERTH_UNIT_SHARES_NOTHING)
			r = berth_lease_prefer(&port->lease, NULL);
		for (size_t j = 0; worker && j < port->lease.owner_size; j++) {
			struct berth_lease_owner *owner = &port->lease.owners[j];

			if (owner->fd >= 0 && owner->grouped &&
			    is_used_by(port, owner->inode, worker->serial))
				r |= berth_lease_prefer(&port->lease, owner);
		}
		if (r < 0)
			berth_unit_verbose(unit, "port %u: new clients can't be kept from the old",
					   unit->ports.steer[i].given);
	}
}

static void stop_old(struct berth_unit *unit)
{
	struct berth_worker *old = find(unit, unit->rollout.number, false);
	struct berth_worker *next = find(unit, unit->rollout.number, true);

	if (next) {
		next->next = false;
		next->service.policy.restart = unit->job->policy.restart;
	}
	if (!old || old == next)
		return;
	old->retiring = true;
	old->cause = BERTH_END_BY_RESTART;
	if (next)
		prefer(unit, next);
	unit->drain_from_ns = berth_time_mono_ns();
	berth_unit_roll_drain(unit);
}

void berth_unit_roll_drain(struct berth_unit *unit)
{
	int64_t now = berth_time_mono_ns();

	unit->drain_until_ns = 0;
	for (size_t i = 0; i < unit->worker_count; i++) {
		struct berth_worker *worker = unit->workers[i];

		if (!worker->retiring || worker->service.asked ||
		    worker->cause != BERTH_END_BY_RESTART)
			continue;
		if (count_waiting(unit, worker) && now - unit->drain_from_ns < DRAIN_MAX_NS)
			unit->drain_until_ns = now + DRAIN_LOOK_NS;
		else
			berth_unit_step_worker(worker, BERTH_SERVICE_ON_STOP);
		return;
	}
}

static void start_new(struct berth_unit *unit)
{
	struct berth_worker *worker = berth_unit_add_worker(unit, unit->rollout.number);

	if (!worker) {
		berth_unit_roll(unit, BERTH_ROLLOUT_ON_NEW_ENDED);
		return;
	}
	worker->next = true;
	/* One that does not get ready shall not be tried for ever beside one that serves. */
	worker->service.policy.restart = BERTH_SERVICE_RESTART_NO;
	berth_unit_step_worker(worker, BERTH_SERVICE_ON_START);
}

static void set_fault(struct berth_unit *unit)
{
	const struct berth_worker *next = find(unit, unit->rollout.number, true);
	struct berth_str text = { 0 };

	berth_str_addf(&text, "the new %s", unit->job->identity.service);
	if (unit->job->workers > 1)
		berth_str_addf(&text, " (worker %u)", unit->rollout.number);
	berth_str_add(&text, " did not get ready");
	if (next && next->has_end && next->end.by_signal)
		berth_str_addf(&text, ": it ended by SIG%s", sigabbrev_np(next->end.status));
	else if (next && next->has_end)
		berth_str_addf(&text, ": it ended with exit %d", next->end.status);
	free(unit->rollout_fault);
	unit->rollout_fault = berth_str_text(&text) ? BERTH_STEAL(text.text) : NULL;
	berth_str_deinit(&text);
}

static void abort_rollout(struct berth_unit *unit)
{
	set_fault(unit);
	berth_unit_restore_command(unit);
	if (unit->cause == BERTH_END_BY_ITSELF && unit->rollout_fault)
		berth_unit_say(unit, "%s; the old one%s on", unit->rollout_fault,
			       unit->job->workers > 1 ? "s go" : " goes");
	berth_unit_touch(unit);
}

static void act(struct berth_unit *unit, unsigned int actions)
{
	if (actions & BERTH_ROLLOUT_DO_STOP_OLD)
		stop_old(unit);
	if (actions & BERTH_ROLLOUT_DO_START_NEW)
		start_new(unit);
	if (actions & BERTH_ROLLOUT_DO_ABORT)
		abort_rollout(unit);
	if (actions & BERTH_ROLLOUT_DO_DONE) {
		free(BERTH_STEAL(unit->rollout_fault));
		berth_unit_forget_old_command(unit);
	}
	if (actions & (BERTH_ROLLOUT_DO_ABORT | BERTH_ROLLOUT_DO_DONE)) {
		berth_unit_fill(unit);
		berth_client_answer_waiting(unit, false, NULL);
	}
}

void berth_unit_roll(struct berth_unit *unit, enum berth_rollout_event event)
{
	unsigned int number = event == BERTH_ROLLOUT_ON_STOP	? 0
			      : event == BERTH_ROLLOUT_ON_BEGIN ? unit->job->workers
								: unit->rollout.number;

	act(unit, berth_rollout_step(&unit->rollout, event, number));
}

int berth_unit_begin_rollout(struct berth_unit *unit, struct berth_err *err)
{
	if (berth_rollout_is_rolling(&unit->rollout))
		return berth_err_set(err, -EBUSY, BERTH_ERR_REFUSED,
				     "a rolling restart of '%s' is under way",
				     unit->job->identity.service);
	if (unit->state != BERTH_SERVICE_READY)
		return berth_err_set(err, -EINVAL, BERTH_ERR_NOT_READY,
				     "'%s' is %s: there is nothing that could go on meanwhile",
				     unit->job->identity.service,
				     berth_service_state_name(unit->state));
	berth_unit_roll(unit, BERTH_ROLLOUT_ON_BEGIN);
	return 0;
}

void berth_unit_roll_on_ready(struct berth_worker *worker)
{
	if (worker->next && worker->number == worker->unit->rollout.number)
		berth_unit_roll(worker->unit, BERTH_ROLLOUT_ON_NEW_READY);
}

void berth_unit_roll_on_end(struct berth_worker *worker)
{
	struct berth_unit *unit = worker->unit;
	bool rolling =
		berth_rollout_is_rolling(&unit->rollout) && worker->number == unit->rollout.number;

	if (rolling && worker->next) {
		berth_unit_roll(unit, BERTH_ROLLOUT_ON_NEW_ENDED);
	} else if (rolling && worker->retiring) {
		prefer(unit, NULL);
		berth_unit_roll(unit, BERTH_ROLLOUT_ON_OLD_GONE);
	} else if (rolling) {
		berth_unit_roll(unit, find(unit, worker->number, true)
					      ? BERTH_ROLLOUT_ON_OLD_ENDED_EARLY
					      : BERTH_ROLLOUT_ON_NEW_ENDED);
	}
	berth_client_answer_waiting(unit, false, NULL);
}
