/* SPDX-License-Identifier: MIT */
/*
 * app/rolling.c - one worker after the other is replaced by its like, or goes for good
 *
 * What follows what is decided by service/rollout. The new worker joins the port as any second worker
 * does (sharing.c); the old one is told to end when the new one is ready. If both accept from one
 * socket, nothing is lost by that. If each has its own, clients wait in the queue of the one that
 * goes, and would be reset with it. So it is drained first: the kernel is told to give new clients to
 * the others of the group (berth_lease_avoid()), its queue is made long, so that those whose
 * handshake hangs before a full one get in, and it is told to end when nobody waits there.
 */

#include "app/unit.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "app/supervisor.h"
#include "base/str.h"
#include "base/time.h"

enum {
	DRAIN_LOOK_NS = 5 * BERTH_NS_PER_MS,
};

/* To get ready, where no --start-timeout says how long that may take: a rollout has an end. */
#define PATIENCE_NS (10 * 60 * BERTH_NS_PER_S)

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

/* Calls @fn for each listening socket that @worker alone accepts from; their sum. */
static unsigned int for_its_own(const struct berth_worker *worker,
				unsigned int (*fn)(struct berth_lease *lease,
						   struct berth_lease_owner *owner))
{
	const struct berth_unit *unit = worker->unit;
	unsigned int sum = 0;

	for (size_t i = 0; i < unit->ports.count; i++) {
		struct berth_port *port = unit->ports.port[i];

		for (size_t j = 0; j < port->lease.owner_size; j++) {
			struct berth_lease_owner *owner = &port->lease.owners[j];

			if (owner->fd >= 0 && owner->listening &&
			    is_used_by(port, owner->inode, worker->serial) &&
			    !berth_unit_is_shared(port, owner->inode, worker))
				sum += fn(&port->lease, owner);
		}
	}
	return sum;
}

static unsigned int begin_drain(struct berth_lease *lease, struct berth_lease_owner *owner)
{
	berth_lease_raise_queue(owner);
	/* If it can't be had, some new clients meet the end of its queue. */
	if (owner->grouped)
		(void)!berth_lease_avoid(lease, owner, true);
	return 1;
}

static unsigned int count_waiting(struct berth_lease *lease, struct berth_lease_owner *owner)
{
	return berth_lease_waiting(owner) + berth_lease_has_handshakes(lease);
}

void berth_unit_retire(struct berth_worker *worker, enum berth_end_cause cause)
{
	struct berth_unit *unit = worker->unit;

	if (worker->retiring)
		return;
	worker->retiring = true;
	worker->cause = cause;
	if (worker->service.state != BERTH_SERVICE_STOPPING && for_its_own(worker, begin_drain)) {
		worker->drain_from_ns = berth_time_mono_ns();
		/* Not at once: what the kernel was about just then has still got into the queue. */
		unit->drain_look_ns = worker->drain_from_ns + DRAIN_LOOK_NS;
	} else {
		berth_unit_step_worker(worker, BERTH_SERVICE_ON_STOP);
	}
}

void berth_unit_look_at_drains(struct berth_unit *unit)
{
	int64_t now = berth_time_mono_ns();

	unit->drain_look_ns = 0;
	for (size_t i = 0; i < unit->worker_count; i++) {
		struct berth_worker *worker = unit->workers[i];

		if (!worker->drain_from_ns)
			continue;
		if (now - worker->drain_from_ns < DRAIN_MAX_NS &&
		    for_its_own(worker, count_waiting)) {
			unit->drain_look_ns = now + DRAIN_LOOK_NS;
			continue;
		}
		worker->drain_from_ns = 0;
		berth_unit_step_worker(worker, BERTH_SERVICE_ON_STOP);
	}
}

/* The new one is the worker now; one before that has ended is nobody's last word. */
static void adopt(struct berth_worker *worker)
{
	struct berth_unit *unit = worker->unit;

	worker->next = false;
	worker->service.policy.restart = unit->job->policy.restart;
	worker->service.policy.start_timeout_ns = unit->job->policy.start_timeout_ns;
	for (size_t i = 0; i < unit->worker_count; i++)
		if (unit->workers[i] != worker && unit->workers[i]->number == worker->number &&
		    berth_unit_has_ended(unit->workers[i]))
			unit->workers[i]->retiring = true;
}

/* Of the two that are this number's by now, the older one goes. */
static void stop_old(struct berth_unit *unit)
{
	struct berth_worker *old = find(unit, unit->rollout.number, false);

	if (old)
		berth_unit_retire(old, BERTH_END_BY_RESTART);
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
	if (!worker->service.policy.start_timeout_ns)
		worker->service.policy.start_timeout_ns = PATIENCE_NS;
	berth_unit_step_worker(worker, BERTH_SERVICE_ON_START);
}

static void describe_fault(const struct berth_unit *unit, struct berth_str *text)
{
	const struct berth_worker *next = find(unit, unit->rollout.number, true);

	berth_str_addf(text, "the new %s", unit->name);
	if (unit->job->workers > 1)
		berth_str_addf(text, " (worker %u)", unit->rollout.number);
	berth_str_add(text, " did not get ready");
	if (next && next->has_end && next->end.by_signal)
		berth_str_addf(text, ": it ended by SIG%s", sigabbrev_np(next->end.status));
	else if (next && next->has_end)
		berth_str_addf(text, ": it ended with exit %d", next->end.status);
}

/* @asked: not the new version's fault, but somebody wants a stop or a restart at once. */
static void abort_rollout(struct berth_unit *unit, bool asked)
{
	struct berth_str text = { 0 };

	if (asked)
		berth_str_addf(&text, "the rolling restart of %s was given up: it was %s meanwhile",
			       unit->name,
			       unit->cause == BERTH_END_BY_ITSELF ? "restarted" : "stopped");
	else
		describe_fault(unit, &text);
	free(unit->rollout_fault);
	unit->rollout_fault = berth_str_text(&text) ? BERTH_STEAL(text.text) : NULL;
	berth_str_deinit(&text);
	unit->rollout_refused = asked;
	berth_unit_restore_command(unit);
	if (!asked && unit->rollout_fault)
		berth_unit_say(unit, "%s; the old one%s on", unit->rollout_fault,
			       unit->job->workers > 1 ? "s go" : " goes");
	berth_unit_touch(unit);
}

static void act(struct berth_unit *unit, enum berth_rollout_event event, unsigned int actions)
{
	if (actions & BERTH_ROLLOUT_DO_STOP_OLD)
		stop_old(unit);
	if (actions & BERTH_ROLLOUT_DO_START_NEW)
		start_new(unit);
	if (actions & BERTH_ROLLOUT_DO_ABORT)
		abort_rollout(unit, event == BERTH_ROLLOUT_ON_STOP);
	if (actions & BERTH_ROLLOUT_DO_DONE) {
		free(BERTH_STEAL(unit->rollout_fault));
		berth_unit_forget_old_command(unit);
	}
	if (actions & (BERTH_ROLLOUT_DO_ABORT | BERTH_ROLLOUT_DO_DONE)) {
		berth_unit_fill(unit);
		berth_client_answer_waiting(unit, false);
	}
}

void berth_unit_roll(struct berth_unit *unit, enum berth_rollout_event event)
{
	unsigned int number = event == BERTH_ROLLOUT_ON_STOP	? 0
			      : event == BERTH_ROLLOUT_ON_BEGIN ? unit->job->workers
								: unit->rollout.number;

	act(unit, event, berth_rollout_step(&unit->rollout, event, number));
}

int berth_unit_begin_rollout(struct berth_unit *unit, struct berth_err *err)
{
	if (berth_rollout_is_rolling(&unit->rollout))
		return berth_err_set(err, -EBUSY, BERTH_ERR_REFUSED,
				     "a rolling restart of '%s' is under way", unit->name);
	if (unit->state != BERTH_SERVICE_READY)
		return berth_err_set(err, -EINVAL, BERTH_ERR_NOT_READY,
				     "'%s' is %s: there is nothing that could go on meanwhile",
				     unit->name, berth_service_state_name(unit->state));
	/* Two of it at a time: neither can be. */
	if (unit->job->outside || unit->job->stop_argv)
		return berth_err_set(err, -EOPNOTSUPP, BERTH_ERR_UNSUPPORTED,
				     "'%s' can't be restarted while it goes on: %s", unit->name,
				     unit->job->outside
					     ? "its port is bound by a process that is not ours"
					     : "its stop command would end the new one, too");
	berth_unit_roll(unit, BERTH_ROLLOUT_ON_BEGIN);
	return 0;
}

void berth_unit_roll_on_ready(struct berth_worker *worker)
{
	if (!worker->next || worker->retiring)
		return;
	adopt(worker);
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
		berth_unit_roll(unit, BERTH_ROLLOUT_ON_OLD_GONE);
	} else if (rolling) {
		berth_unit_roll(unit, find(unit, worker->number, true)
					      ? BERTH_ROLLOUT_ON_OLD_ENDED_EARLY
					      : BERTH_ROLLOUT_ON_NEW_ENDED);
	}
	berth_client_answer_waiting(unit, false);
}
