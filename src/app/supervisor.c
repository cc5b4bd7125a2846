/* SPDX-License-Identifier: MIT */
/*
 * app/supervisor.c - the process that holds the ports of services and answers for them
 *
 * One thread, one loop, never waiting for anybody but in it. Events come from: the notify
 * descriptors (steering.c), signals (our children), keepers (worker.c), the guardian, the control
 * sockets (serve.c), an owner's pidfd, and time. What they mean for the life of a worker is decided
 * by service/state, and done by worker.c and unit.c.
 *
 * Everything that must not outlive us is held by a descriptor: ports, the instances' names.
 * Processes are not: they die of the guardian's hands when we do, and we of the end of its socket
 * when it does in the foreground.
 */
#include "app/supervisor.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "app/stack-look.h"
#include "app/stack-run.h"
#include "app/stack.h"
#include "app/steering.h"
#include "base/time.h"

static int64_t next_deadline(const struct berth_supervisor *supervisor)
{
	int64_t next = berth_steering_retry_ns(supervisor);
	int64_t stack = berth_stack_run_deadline_ns(supervisor);

	if (stack < next)
		next = stack;
	if (supervisor->ttl_ns && supervisor->ttl_ns < next)
		next = supervisor->ttl_ns;
	for (size_t i = 0; i < supervisor->unit_count; i++) {
		int64_t own = berth_unit_deadline_ns(supervisor->units[i]);

		if (own < next)
			next = own;
	}
	return next;
}

static void run_timers(struct berth_supervisor *supervisor)
{
	int64_t now = berth_time_mono_ns();

	berth_steering_retry(supervisor, now);
	if (supervisor->ttl_ns && supervisor->ttl_ns <= now) {
		supervisor->ttl_ns = 0;
		berth_supervisor_end(supervisor, BERTH_END_BY_TTL, BERTH_SERVICE_ON_STOP);
	}
	for (size_t i = 0; i < supervisor->unit_count; i++)
		berth_unit_run_timers(supervisor->units[i], now);
}

void berth_supervisor_end(struct berth_supervisor *supervisor, enum berth_end_cause cause,
			  enum berth_service_event event)
{
	if (supervisor->stack)
		berth_stack_run_stop_all(supervisor, cause);
	/* A stack is stopped from its end, where there is time for that. */
	if (supervisor->stack && event != BERTH_SERVICE_ON_KILL)
		return;
	for (size_t i = 0; i < supervisor->unit_count; i++)
		berth_unit_end(supervisor->units[i], cause, event);
}

bool berth_supervisor_was_ready(const struct berth_supervisor *supervisor)
{
	for (size_t i = 0; i < supervisor->unit_count; i++)
		if (supervisor->units[i]->was_ready)
			return true;
	return false;
}

bool berth_supervisor_is_stopping(const struct berth_supervisor *supervisor)
{
	if (supervisor->stack)
		return supervisor->stack->ending;
	for (size_t i = 0; i < supervisor->unit_count; i++)
		if (supervisor->units[i]->state != BERTH_SERVICE_STOPPING ||
		    supervisor->units[i]->cause == BERTH_END_BY_ITSELF)
			return false;
	return true;
}

bool berth_supervisor_has_bare_tree(const struct berth_supervisor *supervisor)
{
	for (size_t i = 0; i < supervisor->unit_count; i++)
		for (size_t j = 0; j < supervisor->units[i]->worker_count; j++) {
			const struct berth_child *child = &supervisor->units[i]->workers[j]->child;

			if (child->pid > 0 && !child->keeper.pid)
				return true;
		}
	return false;
}

/* The worker whose command, or main process, is our child @pid. */
static struct berth_worker *find_main(const struct berth_supervisor *supervisor, pid_t pid)
{
	for (size_t i = 0; i < supervisor->unit_count; i++)
		for (size_t j = 0; j < supervisor->units[i]->worker_count; j++)
			if (supervisor->units[i]->workers[j]->main_pid == pid)
				return supervisor->units[i]->workers[j];
	return NULL;
}

/*
 * Job control: the command was stopped (Ctrl-Z, SIGTTIN): the job that the shell sees must stop
 * too. A keeper tells it of its own.
 */
static void look_for_stop(struct berth_supervisor *supervisor)
{
	for (size_t i = 0; i < supervisor->unit_count; i++)
		for (size_t j = 0; j < supervisor->units[i]->worker_count; j++) {
			const struct berth_worker *worker = supervisor->units[i]->workers[j];
			siginfo_t info = { 0 };

			if (worker->child.pid <= 0 || worker->child.keeper.pid ||
			    worker->service.main_gone)
				continue;
			if (waitid(P_PID, (id_t)worker->child.pid, &info, WSTOPPED | WNOHANG) ==
				    0 &&
			    info.si_pid && info.si_code == CLD_STOPPED)
				berth_supervisor_report(supervisor, BERTH_NOTE_STOPPED,
							info.si_status, 0);
		}
}

void berth_supervisor_reap(struct berth_supervisor *supervisor)
{
	struct berth_child_end end;
	bool reaped = false;
	pid_t pid;

	look_for_stop(supervisor);
	while (berth_child_reap(&pid, &end) == 0 && pid) {
		struct berth_worker *worker = find_main(supervisor, pid);

		reaped = true;
		berth_client_answer_ended(supervisor, pid, &end);
		if (!worker)
			continue;
		/* Whatever the policy: who interrupts a command does not want it back. */
		if (berth_supervisor_was_interrupted(supervisor) &&
		    worker->unit->job->policy.restart != BERTH_SERVICE_RESTART_NO)
			berth_supervisor_end(supervisor, BERTH_END_BY_INTERRUPT,
					     BERTH_SERVICE_ON_INTERRUPT);
		berth_unit_note_end(worker, &end);
	}
	for (size_t i = 0; i < supervisor->unit_count && reaped; i++)
		for (size_t j = 0; j < supervisor->units[i]->worker_count; j++)
			berth_unit_press_on(supervisor->units[i]->workers[j]);
}

int berth_supervisor_add(struct berth_supervisor *supervisor, const struct berth_job *job,
			 bool any_instance, struct berth_unit **ret_unit, struct berth_err *err)
{
	struct berth_unit *unit = berth_unit_new(supervisor, job);
	struct berth_unit **grown =
		reallocarray(supervisor->units, supervisor->unit_count + 1, sizeof(*grown));
	int r;

	if (grown)
		supervisor->units = grown;
	if (!unit || !grown || supervisor->unit_count == BERTH_SUPERVISOR_UNITS_MAX) {
		berth_unit_free(unit);
		return berth_err_errno(err, unit && grown ? -E2BIG : -ENOMEM, "cannot start '%s'",
				       job->identity.service);
	}
	r = berth_unit_prepare(unit, any_instance, err);
	if (r < 0) {
		berth_unit_free(unit);
		return r;
	}
	supervisor->units[supervisor->unit_count++] = unit;
	*ret_unit = unit;
	return 0;
}

/* The guardian knows from then on that there are records to clear up, should we be killed. */
static void start_unit(struct berth_supervisor *supervisor, struct berth_unit *unit)
{
	berth_supervisor_report(supervisor, BERTH_NOTE_STARTED, 0, 0);
	berth_unit_start(unit);
}

/* Is @other an instance of the same service, and not on its way out? */
static bool is_lasting(const struct berth_unit *unit, const struct berth_unit *other)
{
	return other->job->member == unit->job->member && other->cause == BERTH_END_BY_ITSELF;
}

bool berth_supervisor_has_instances(const struct berth_unit *unit)
{
	size_t count = 0;

	for (size_t i = 0; i < unit->supervisor->unit_count; i++)
		count += unit->supervisor->units[i]->job->member == unit->job->member;
	return count > 1 || unit->job->instances > 1;
}

static struct berth_unit *highest_instance(const struct berth_unit *unit)
{
	const struct berth_supervisor *supervisor = unit->supervisor;
	struct berth_unit *highest = NULL;

	for (size_t i = 0; i < supervisor->unit_count; i++) {
		struct berth_unit *other = supervisor->units[i];

		if (is_lasting(unit, other) &&
		    (!highest || other->job->identity.instance > highest->job->identity.instance))
			highest = other;
	}
	return highest;
}

int berth_supervisor_scale(struct berth_unit *unit, size_t count, struct berth_err *err)
{
	struct berth_supervisor *supervisor = unit->supervisor;
	size_t lasting = 0;

	for (size_t i = 0; i < supervisor->unit_count; i++)
		lasting += is_lasting(unit, supervisor->units[i]);
	for (; lasting > count; lasting--)
		berth_unit_end(highest_instance(unit), BERTH_END_BY_SCALE, BERTH_SERVICE_ON_STOP);
	if (supervisor->stack)
		return berth_stack_run_order(supervisor, unit->job->member, count, err);
	for (; lasting < count; lasting++) {
		struct berth_unit *another;
		int r = berth_supervisor_add(supervisor, supervisor->job, true, &another, err);

		if (r < 0)
			return r;
		start_unit(supervisor, another);
	}
	return 0;
}

/* All instances, before any of them starts: all or none. */
static int add_instances(struct berth_supervisor *supervisor, struct berth_err *err)
{
	const struct berth_job *job = supervisor->job;
	struct berth_unit *unit;
	int r = 0;

	for (unsigned int i = 0; i < job->instances && r == 0; i++)
		r = berth_supervisor_add(supervisor, job, i > 0 || job->fresh, &unit, err);
	return r;
}

static int add_units(struct berth_supervisor *supervisor, struct berth_err *err)
{
	struct berth_ports_shared shared = { 0 };
	int r;

	supervisor->shared = &shared;
	r = supervisor->job->stack ? berth_stack_run_begin(supervisor, err)
				   : add_instances(supervisor, err);
	supervisor->shared = NULL;
	berth_ports_shared_deinit(&shared);
	return r;
}

static void look_for_ends(struct berth_supervisor *supervisor)
{
	for (size_t i = 0; i < supervisor->unit_count; i++) {
		struct berth_unit *unit = supervisor->units[i];

		for (size_t j = 0; j < unit->worker_count; j++)
			berth_unit_look_for_end(unit->workers[j]);
		berth_unit_purge(unit);
	}
}

/* How one ended that was not wanted any more says nothing of the service. */
static bool has_failed(const struct berth_unit *unit)
{
	if (!unit->exit_code || unit->cause == BERTH_END_BY_SCALE)
		return false;
	return !unit->supervisor->stack || unit->cause == BERTH_END_BY_ITSELF ||
	       unit->cause == BERTH_END_BY_TIMEOUT || unit->cause == BERTH_END_BY_LIVENESS ||
	       unit->cause == BERTH_END_BY_OOM;
}

/* Its name is free, its ports are: those who wait for the end may hear of it. */
static void remove_unit(struct berth_supervisor *supervisor, size_t index)
{
	struct berth_unit *unit = supervisor->units[index];

	berth_loop_remove(&supervisor->loop, &unit->control_source);
	berth_fd_close(&unit->control_fd);
	if (has_failed(unit) && !supervisor->exit_code) {
		supervisor->exit_code = unit->exit_code;
		supervisor->end_signal =
			unit->has_end && unit->end.by_signal ? unit->end.status : 0;
	}
	if (supervisor->stack)
		berth_stack_look_note_gone(unit);
	berth_client_answer_waiting(unit, true);
	memmove(&supervisor->units[index], &supervisor->units[index + 1],
		(--supervisor->unit_count - index) * sizeof(*supervisor->units));
	berth_unit_free(unit);
	berth_client_answer_all(supervisor);
}

static bool remove_done(struct berth_supervisor *supervisor)
{
	size_t before = supervisor->unit_count;

	for (size_t i = supervisor->unit_count; i-- > 0;)
		if (supervisor->units[i]->done)
			remove_unit(supervisor, i);
	return supervisor->unit_count < before;
}

/* What has ended goes; then what waited for that, or for anything else, has its turn. */
static void settle(struct berth_supervisor *supervisor)
{
	/* Nobody reads any more what it is in the foreground for. */
	if (supervisor->stack && berth_console_is_gone(&supervisor->console))
		berth_stack_run_stop_all(supervisor, BERTH_END_BY_INTERRUPT);
	look_for_ends(supervisor);
	remove_done(supervisor);
	do
		berth_stack_run_turn(supervisor);
	while (remove_done(supervisor));
}

static void live(struct berth_supervisor *supervisor)
{
	size_t count = supervisor->stack ? 0 : supervisor->unit_count;

	if (supervisor->job->ttl_ms)
		supervisor->ttl_ns =
			berth_time_mono_ns() + supervisor->job->ttl_ms * BERTH_NS_PER_MS;
	for (size_t i = 0; i < count; i++)
		start_unit(supervisor, supervisor->units[i]);
	settle(supervisor);
	while (supervisor->unit_count) {
		if (berth_loop_turn(&supervisor->loop, next_deadline(supervisor)) < 0)
			break;
		run_timers(supervisor);
		settle(supervisor);
	}
	/* All may have ended before that was told. */
	berth_stack_run_turn(supervisor);
	berth_stack_run_end(supervisor);
}

static void let_go(struct berth_supervisor *supervisor)
{
	while (supervisor->unit_count)
		remove_unit(supervisor, supervisor->unit_count - 1);
	berth_stack_run_end(supervisor);
}

static void deinit(struct berth_supervisor *supervisor)
{
	let_go(supervisor);
	free(supervisor->units);
	for (size_t i = 0; i < BERTH_ARRAY_SIZE(supervisor->filters); i++)
		berth_notify_program_deinit(&supervisor->filters[i]);
	berth_console_deinit(&supervisor->console);
	berth_outq_deinit(&supervisor->messages);
	berth_outq_deinit(&supervisor->status);
	berth_registry_close(&supervisor->registry);
	berth_loop_deinit(&supervisor->loop);
	berth_cradle_deinit(&supervisor->cradle);
	berth_fd_close(&supervisor->memory_fd);
	berth_fd_close(&supervisor->signal_fd);
	berth_fd_close(&supervisor->owner_fd);
	berth_fd_close(&supervisor->spare_fd);
	berth_fd_close(&supervisor->starter_fd);
	berth_fd_close(&supervisor->report_fd);
}

static void name_process(const struct berth_job *job)
{
	char name[16];

	snprintf(name, sizeof(name), "berth: %.8s",
		 job->stack ? job->identity.project : job->identity.service);
	prctl(PR_SET_NAME, name, 0, 0, 0);
}

/* What has no exit code of its own is berth's failure, which the command's codes leave 125 for. */
static int exit_of(const struct berth_err *err)
{
	bool named = err->code == BERTH_ERR_ALREADY_RUNNING || err->code == BERTH_ERR_NO_PORT ||
		     err->code == BERTH_ERR_CONFIG || err->code == BERTH_ERR_USAGE;

	return named ? berth_err_code_exit(err->code) : 125;
}

int berth_supervisor_run(struct berth_job *job, int report_fd, int starter_fd)
{
	struct berth_supervisor *supervisor = malloc(sizeof(*supervisor));
	struct berth_err err = { 0 };
	int exit_code, r;

	if (!supervisor)
		return 125;
	berth_supervisor_init(supervisor, job, report_fd, starter_fd);
	setpgid(0, 0);
	prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
	name_process(job);
	r = berth_supervisor_prepare(supervisor, &err);
	if (r == 0)
		r = add_units(supervisor, &err);
	if (r < 0) {
		/* Whoever hears of it may want ports and name for something else, at once. */
		let_go(supervisor);
		supervisor->exit_code = exit_of(&err);
		berth_supervisor_tell_starter(supervisor, BERTH_NOTE_FAILED, supervisor->exit_code,
					      &err);
	} else {
		live(supervisor);
	}
	exit_code = supervisor->exit_code;
	berth_supervisor_report(supervisor, BERTH_NOTE_ENDED, exit_code, supervisor->end_signal);
	deinit(supervisor);
	free(supervisor);
	return exit_code;
}
