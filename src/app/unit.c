/* SPDX-License-Identifier: MIT */
/*
 * app/unit.c - one instance of a service: its workers, and what they are together
 *
 * The first worker is started alone: how it listens decides how the others join it (sharing.c), so
 * they follow when it is ready. From then on each lives for itself (worker.c); here their states
 * become one, which the record, the starter and waiting clients are told. The unit ends with its last
 * worker.
 */

#include "app/unit.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "app/stack-look.h"
#include "app/supervisor.h"
#include "app/steering.h"
#include "base/str.h"
#include "base/time.h"

/* Longer than anybody waits, and far from overflowing in ns. */
#define GRACE_MAX_MS (366 * 24 * 3600 * 1000LL)

enum {
	INSTANCES_MAX = 10000,
	SAVE_NS = 2 * BERTH_NS_PER_MS, /* several changes in a row are one */
};

struct berth_unit *berth_unit_new(struct berth_supervisor *supervisor, const struct berth_job *job)
{
	struct berth_unit *unit = calloc(1, sizeof(*unit));

	if (!unit)
		return NULL;
	unit->job = malloc(sizeof(*unit->job));
	if (!unit->job) {
		free(unit);
		return NULL;
	}
	*unit->job = *job;
	unit->supervisor = supervisor;
	unit->control_fd = unit->notify_fd = -1;
	unit->scope = job->outside ? BERTH_STEER_OFF : job->scope;
	unit->next_serial = 1;
	return unit;
}

static void free_worker(struct berth_worker *worker)
{
	struct berth_loop *loop = &worker->unit->supervisor->loop;

	berth_unit_end_checks(worker);
	berth_unit_free_ending(worker);
	berth_loop_remove(loop, &worker->keeper_source);
	berth_loop_remove(loop, &worker->main_source);
	berth_fd_close(&worker->main_fd);
	berth_steering_close_view(&worker->view);
	berth_child_deinit(&worker->child);
	berth_cgroup_remove(&worker->cgroup);
	free(worker->sessions);
	free(worker->checks);
	free(worker->status);
	free(worker);
}

void berth_unit_free(struct berth_unit *unit)
{
	if (!unit)
		return;
	berth_loop_remove(&unit->supervisor->loop, &unit->control_source);
	berth_loop_remove(&unit->supervisor->loop, &unit->notify_source);
	berth_fd_close(&unit->control_fd);
	berth_fd_close(&unit->notify_fd);
	berth_steering_forget(unit);
	for (size_t i = 0; i < unit->worker_count; i++)
		free_worker(unit->workers[i]);
	free(unit->workers);
	berth_unit_forget_watches(unit);
	berth_ports_deinit(&unit->ports);
	berth_log_close(&unit->log);
	berth_unit_free_words(unit->argv);
	berth_unit_free_words(unit->extra_env);
	berth_unit_free_words(unit->old_argv);
	berth_unit_free_words(unit->old_extra_env);
	berth_unit_free_env_file(unit->env_file);
	berth_unit_free_env_file(unit->old_env_file);
	berth_unit_free_pattern(unit);
	free(unit->confined);
	free(unit->also_ended);
	free(unit->rollout_fault);
	free(unit->told_order);
	free(unit->job);
	free(unit);
}

/* The socket is the lock: one process of the network namespace can have the name. */
static int take_name(struct berth_unit *unit, bool any_instance, struct berth_err *err)
{
	struct berth_identity *identity = &unit->job->identity;
	int r = -EADDRINUSE;

	for (int tries = 0; r == -EADDRINUSE && tries < INSTANCES_MAX; tries++) {
		if (tries > 0 && !any_instance)
			break;
		identity->instance += tries > 0;
		berth_identity_seal(identity);
		snprintf(unit->socket_name, sizeof(unit->socket_name), "berth/%u/%s", geteuid(),
			 identity->key);
		r = berth_client_listen(unit);
	}
	if (r == -EADDRINUSE)
		return berth_err_set(err, r, BERTH_ERR_ALREADY_RUNNING, "'%s' is already running",
				     identity->service);
	if (r < 0)
		return berth_err_errno(err, r, "cannot take the name of '%s'", identity->service);
	berth_str_copy(unit->name, sizeof(unit->name), identity->service);
	if (identity->instance > 1)
		snprintf(unit->name, sizeof(unit->name), "%s.%u", identity->service,
			 identity->instance);
	return 0;
}

/* A service of the foreground has no log, unless a line of its output makes it ready. */
static int open_log(struct berth_unit *unit, struct berth_err *err)
{
	const struct berth_job *job = unit->job;

	return berth_log_open(&unit->log, &unit->supervisor->loop, job->apart ? unit->id : NULL,
			      &job->log, err);
}

static int lease_ports(struct berth_unit *unit, struct berth_err *err)
{
	struct berth_remembered memory;
	int r;

	berth_ports_recall(unit->supervisor->memory_fd, unit->job, &memory);
	berth_ports_init(&unit->ports, unit->job);
	unit->ports.holder_fn = berth_unit_own_holder;
	unit->ports.holder_arg = unit;
	unit->ports.shared = unit->supervisor->shared;
	r = berth_ports_lease(&unit->ports, &memory, unit->supervisor->memory_fd, err);
	unit->ports.shared = NULL;
	return r > 0 ? -EADDRINUSE : r;
}

int berth_unit_prepare(struct berth_unit *unit, bool any_instance, struct berth_err *err)
{
	int r = berth_registry_new_id(unit->id);

	if (r < 0)
		return berth_err_errno(err, r, "cannot name '%s'", unit->job->identity.service);
	r = take_name(unit, any_instance, err);
	if (r == 0)
		r = open_log(unit, err);
	if (r == 0 && unit->job->ready.kind == BERTH_CHECK_NOTIFY) {
		r = berth_unit_open_notify(unit);
		if (r < 0)
			berth_err_errno(err, r, "cannot listen to what '%s' says of itself",
					unit->job->identity.service);
	}
	if (r == 0 && unit->job->ready.kind == BERTH_CHECK_LOG) {
		r = berth_unit_compile_pattern(unit);
		if (r < 0)
			berth_err_errno(err, r, "cannot prepare the pattern of --ready");
	}
	return r == 0 ? lease_ports(unit, err) : r;
}

struct berth_worker *berth_unit_find_worker(const struct berth_unit *unit, unsigned int serial)
{
	for (size_t i = 0; i < unit->worker_count; i++)
		if (unit->workers[i]->serial == serial)
			return unit->workers[i];
	return NULL;
}

struct berth_worker *berth_unit_add_worker(struct berth_unit *unit, unsigned int number)
{
	struct berth_worker *worker = calloc(1, sizeof(*worker));
	struct berth_worker **grown =
		reallocarray(unit->workers, unit->worker_count + 1, sizeof(*grown));
	size_t at = unit->worker_count;

	if (grown)
		unit->workers = grown;
	if (!worker || !grown || unit->worker_count == BERTH_UNIT_TREES_MAX) {
		free(worker);
		return NULL;
	}
	*worker = (struct berth_worker){
		.unit = unit,
		.number = number,
		.serial = unit->next_serial++,
		.service.policy = unit->job->policy,
		.service.seed = (uint32_t)berth_time_mono_ns() | 1,
		.child = BERTH_CHILD_NONE,
		.cgroup.fd = -1,
		.view.notify_fd = -1,
		.main_fd = -1,
	};
	/* In the order of the numbers, the newer of two behind the older. */
	for (; at > 0 && unit->workers[at - 1]->number > number; at--)
		unit->workers[at] = unit->workers[at - 1];
	unit->workers[at] = worker;
	unit->worker_count++;
	return worker;
}

static void remove_worker(struct berth_unit *unit, struct berth_worker *worker)
{
	size_t at = 0;

	while (at < unit->worker_count && unit->workers[at] != worker)
		at++;
	unit->restarts += worker->service.restarts;
	memmove(&unit->workers[at], &unit->workers[at + 1],
		(unit->worker_count - at - 1) * sizeof(*unit->workers));
	unit->worker_count--;
	free_worker(worker);
}

bool berth_unit_is_single(const struct berth_unit *unit)
{
	return unit->worker_count == 1;
}

bool berth_unit_has_ended(const struct berth_worker *worker)
{
	return worker->service.state == BERTH_SERVICE_STOPPED ||
	       worker->service.state == BERTH_SERVICE_FAILED;
}

void berth_unit_purge(struct berth_unit *unit)
{
	for (size_t i = unit->worker_count; i-- > 0;) {
		struct berth_worker *worker = unit->workers[i];

		if (berth_unit_has_ended(worker) && (worker->retiring || worker->next) &&
		    unit->worker_count > 1) {
			remove_worker(unit, worker);
			berth_unit_combine(unit);
			/* There may have been no room for all that were wanted. */
			berth_unit_fill(unit);
		}
	}
}

static bool has_number(const struct berth_unit *unit, unsigned int number)
{
	for (size_t i = 0; i < unit->worker_count; i++)
		if (unit->workers[i]->number == number && !unit->workers[i]->retiring)
			return true;
	return false;
}

static bool has_shown_how(const struct berth_unit *unit)
{
	if (unit->job->no_port)
		return true;
	for (size_t i = 0; i < unit->worker_count; i++)
		if (unit->workers[i]->service.state == BERTH_SERVICE_READY)
			return true;
	return false;
}

bool berth_unit_can_share(const struct berth_unit *unit, const char **ret_why)
{
	*ret_why = *unit->scope_why ? unit->scope_why : "--steer=off";
	if (unit->job->outside)
		*ret_why = "it is bound by a process that is not ours";
	if (unit->job->stop_argv) {
		*ret_why = "its stop command ends all of them";
		return false;
	}
	return unit->job->no_port || unit->scope != BERTH_STEER_OFF;
}

void berth_unit_fill(struct berth_unit *unit)
{
	bool ending = unit->cause != BERTH_END_BY_ITSELF || unit->done;
	const char *why;

	for (unsigned int number = 1; number <= unit->job->workers && !ending; number++) {
		struct berth_worker *worker;

		if (has_number(unit, number))
			continue;
		if (unit->worker_count && !has_shown_how(unit))
			return;
		if (unit->worker_count && !berth_unit_can_share(unit, &why)) {
			berth_unit_say(unit, "%s has one worker instead of %u: %s", unit->name,
				       unit->job->workers, why);
			unit->job->workers = 1;
			berth_unit_combine(unit);
			return;
		}
		worker = berth_unit_add_worker(unit, number);
		if (!worker) {
			berth_unit_say(unit, "no room for worker %u of %s yet", number, unit->name);
			return;
		}
		berth_unit_step_worker(worker, BERTH_SERVICE_ON_START);
	}
}

void berth_unit_start(struct berth_unit *unit)
{
	berth_unit_event(unit, "leased", json_pack("{s:o}", "service", berth_unit_document(unit)));
	berth_unit_fill(unit);
}

void berth_unit_restart(struct berth_unit *unit)
{
	/* Who accepts no more while it ends, or begins, does not refuse. */
	berth_unit_raise_queues(unit);
	for (size_t i = 0; i < unit->worker_count; i++) {
		struct berth_worker *worker = unit->workers[i];

		if (worker->retiring)
			continue;
		if (worker->next) {
			berth_unit_retire(worker, BERTH_END_BY_RESTART);
			continue;
		}
		worker->cause = BERTH_END_BY_RESTART;
		berth_unit_step_worker(worker, BERTH_SERVICE_ON_RESTART);
	}
}

void berth_unit_scale(struct berth_unit *unit, unsigned int workers)
{
	unit->job->workers = workers;
	/* Of a stack, whose turn has not come. */
	if (!unit->worker_count)
		return;
	for (size_t i = unit->worker_count; i-- > 0;) {
		struct berth_worker *worker = unit->workers[i];

		if (worker->number > workers)
			berth_unit_retire(worker, BERTH_END_BY_SCALE);
		else if (berth_unit_has_ended(worker) && !worker->retiring && !worker->next)
			berth_unit_step_worker(worker, BERTH_SERVICE_ON_START);
	}
	berth_unit_fill(unit);
	berth_unit_combine(unit);
}

void berth_unit_touch(struct berth_unit *unit)
{
	if (!unit->save_ns)
		unit->save_ns = berth_time_mono_ns() + SAVE_NS;
}

/* -d, and it never got ready: the starter shows the end of its log. */
static void tell_failed(struct berth_unit *unit)
{
	struct berth_err err = { 0 };
	int64_t began_ns = unit->worker_count ? unit->workers[0]->service.spawned_ns : 0;
	double seconds = (double)(berth_time_mono_ns() - began_ns) / 1e9;
	const char *service = unit->name;
	const char *goal = unit->job->ready.kind == BERTH_CHECK_LISTEN && !unit->job->outside
				   ? "it listened"
				   : "it was ready";

	/* What could not be started at all was told when that was tried. */
	if (unit->was_ready || !unit->worker_count ||
	    (!unit->has_end && !unit->workers[0]->service.restarts))
		return;
	if (!unit->has_end)
		berth_err_set(&err, 0, BERTH_ERR_START_FAILED, "%s could not be started again",
			      service);
	else if (unit->cause == BERTH_END_BY_TIMEOUT)
		berth_err_set(&err, 0, BERTH_ERR_START_FAILED, "%s was not ready within %g s",
			      service, (double)unit->job->policy.start_timeout_ns / 1e9);
	else if (unit->end.by_signal)
		berth_err_set(&err, 0, BERTH_ERR_START_FAILED,
			      "%s ended before %s (SIG%s after %.1f s)", service, goal,
			      sigabbrev_np(unit->end.status), seconds);
	else
		berth_err_set(&err, 0, BERTH_ERR_START_FAILED,
			      "%s ended before %s (exit %d after %.1f s)", service, goal,
			      unit->end.status, seconds);
	if (unit->log.path)
		berth_err_hint(&err, "its output is in %s", unit->log.path);
	if (unit->supervisor->stack && unit->cause != BERTH_END_BY_USER)
		berth_stack_look_note_fault(unit, &err);
	else if (unit->supervisor->starter_fd >= 0)
		berth_supervisor_tell_starter(unit->supervisor, BERTH_NOTE_FAILED, 1, &err);
}

static void release_ports(struct berth_unit *unit)
{
	for (size_t i = 0; i < unit->ports.count; i++) {
		uint16_t port = unit->ports.steer[i].given;
		bool held = unit->ports.port[i]->lease.port != 0;

		berth_lease_release(&unit->ports.port[i]->lease);
		if (held && port && unit->ports.steer[i].kind == BERTH_STEER_DECLARED &&
		    !berth_lease_is_bindable(port,
					     unit->ports.steer[i].udp ? SOCK_DGRAM : SOCK_STREAM,
					     unit->ports.means))
			berth_unit_verbose(unit, "port %u was taken by somebody else at once",
					   port);
	}
}

/* The last word: of the only worker, or of the first that failed. */
static void take_end(struct berth_unit *unit)
{
	for (size_t i = 0; i < unit->worker_count; i++) {
		const struct berth_worker *worker = unit->workers[i];
		int code =
			worker->has_end ? berth_child_end_exit(&worker->end) : worker->spawn_exit;

		/* What had to be ended, or came back too often, has failed though it left with 0. */
		if (!code && worker->service.state == BERTH_SERVICE_FAILED)
			code = 1;
		if (worker->next || (unit->has_end && (unit->exit_code || !code)))
			continue;
		unit->has_end = worker->has_end;
		unit->end = worker->end;
		unit->exit_code = code;
		if (unit->cause == BERTH_END_BY_ITSELF)
			unit->cause = worker->cause;
	}
}

static void finish(struct berth_unit *unit)
{
	unit->done = true;
	take_end(unit);
	tell_failed(unit);
	berth_unit_drop_sockets(unit, NULL);
	berth_unit_tell_stop_order(unit, false);
	berth_unit_unsave(unit, unit->has_end || unit->was_ready);
	release_ports(unit);
	berth_unit_event(unit, "exited",
			 json_pack("{s:i,s:o,s:s}", "code", unit->exit_code, "signal",
				   unit->has_end && unit->end.by_signal
					   ? json_string(sigabbrev_np(unit->end.status))
					   : json_null(),
				   "by", berth_end_cause_name(unit->cause)));
	if (unit->also_ended && unit->cause != BERTH_END_BY_USER)
		berth_unit_say(unit, "%s%salso ended: %s",
			       unit->supervisor->stack ? unit->name : "",
			       unit->supervisor->stack ? ": " : "", unit->also_ended);
}

static enum berth_service_state combined(const struct berth_unit *unit, bool *ret_all_ready)
{
	struct berth_combine_worker states[BERTH_UNIT_TREES_MAX];
	size_t count = 0;

	*ret_all_ready = true;
	for (size_t i = 0; i < unit->worker_count && count < BERTH_ARRAY_SIZE(states); i++) {
		const struct berth_worker *worker = unit->workers[i];

		if (worker->next || (worker->retiring && unit->worker_count > 1))
			continue;
		states[count].state = worker->service.state;
		states[count++].was_ready = worker->was_ready;
		*ret_all_ready &= worker->service.state == BERTH_SERVICE_READY;
	}
	*ret_all_ready &= count >= unit->job->workers;
	if (count < unit->job->workers && !unit->was_ready && count &&
	    states[0].state == BERTH_SERVICE_READY)
		return BERTH_SERVICE_STARTING; /* the others are still to come */
	return berth_combine_state(states, count, unit->was_ready);
}

static void tell_ready(struct berth_unit *unit)
{
	unit->ready_ms = berth_time_now_ms();
	unit->was_ready = true;
	berth_unit_save(unit);
	berth_unit_event(unit, "ready", json_pack("{s:o}", "service", berth_unit_document(unit)));
	if (!unit->supervisor->stack)
		berth_supervisor_tell_starter(unit->supervisor, BERTH_NOTE_READY, 0, NULL);
}

void berth_unit_combine(struct berth_unit *unit)
{
	enum berth_service_state before = unit->state;
	bool all_ready;

	if (unit->done)
		return;
	unit->state = combined(unit, &all_ready);
	if (unit->state != before)
		berth_unit_touch(unit);
	if (all_ready)
		berth_unit_hurry_kept(unit);
	/* Coming and going within a life is no news. */
	if (unit->state == BERTH_SERVICE_READY && before != BERTH_SERVICE_READY &&
	    (before != BERTH_SERVICE_UNREADY || !unit->was_ready))
		tell_ready(unit);
	for (size_t i = 0; i < unit->worker_count; i++)
		if (!berth_unit_has_ended(unit->workers[i])) {
			berth_client_answer_all(unit->supervisor);
			return;
		}
	finish(unit);
}

void berth_unit_note_fault(struct berth_worker *worker, int exit_code, const struct berth_err *err)
{
	struct berth_unit *unit = worker->unit;
	struct berth_err named = *err;

	berth_err_wrap(&named, 0, "%s", unit->name);
	if (unit->supervisor->stack && !unit->was_ready)
		berth_stack_look_note_fault(unit, &named);
	else if (!unit->was_ready && !worker->service.restarts && !worker->next)
		berth_supervisor_tell_starter(unit->supervisor, BERTH_NOTE_FAILED, exit_code, err);
	else
		berth_unit_say(unit, "%s", err->msg);
	berth_client_fail_waiting(unit, BERTH_CLIENT_WAITS_FOR_LIFE, err);
}

void berth_unit_end(struct berth_unit *unit, enum berth_end_cause cause,
		    enum berth_service_event event)
{
	if (unit->cause == BERTH_END_BY_ITSELF)
		unit->cause = cause;
	/* Of a stack, whose turn had not come. */
	if (!unit->worker_count && !unit->done) {
		unit->state = BERTH_SERVICE_STOPPED;
		finish(unit);
	}
	berth_unit_roll(unit, BERTH_ROLLOUT_ON_STOP);
	for (size_t i = 0; i < unit->worker_count; i++) {
		struct berth_worker *worker = unit->workers[i];

		if (worker->cause == BERTH_END_BY_ITSELF)
			worker->cause = cause;
		worker->drain_from_ns = 0;
		if (worker->retiring)
			berth_unit_drop_sockets(unit, worker);
		berth_unit_step_worker(worker, event);
	}
}

void berth_unit_set_grace(struct berth_unit *unit, int64_t grace_ms)
{
	if (grace_ms < 0 || grace_ms > GRACE_MAX_MS)
		return;
	for (size_t i = 0; i < unit->worker_count; i++) {
		unit->workers[i]->service.policy.grace_ns = grace_ms * BERTH_NS_PER_MS;
		berth_unit_hurry_ending(unit->workers[i]);
		berth_unit_step_worker(unit->workers[i], BERTH_SERVICE_ON_GRACE);
	}
}
