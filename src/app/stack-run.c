/* SPDX-License-Identifier: MIT */
/*
 * app/stack-run.c - a stack as its supervisor runs it: what starts when, what stops when
 *
 * All units of a stack are there before the first one is started: named, leased, in the registry,
 * "waiting". So each can be told the others' ports, and nobody else takes one meanwhile. From then
 * on nothing is planned ahead: after each turn of the loop we look what has become of the services,
 * and stack/order.h says which may start and which may stop. Whether something was asked for, has
 * become ready, ended, or was killed by somebody makes no difference to that.
 */
#include "app/stack-run.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "app/stack-file.h"
#include "app/stack-serve.h"
#include "app/stack-status.h"
#include "base/str.h"
#include "base/time.h"

/* Prepared, and nothing of it has run yet. */
static bool is_held(const struct berth_unit *unit)
{
	return !unit->worker_count && !unit->done;
}

static const struct berth_manifest *manifest_of(const struct berth_stack_run *run)
{
	return &run->stack->manifest;
}

static const char *name_of(const struct berth_stack_run *run, size_t index)
{
	return run->stack->manifest.services[index].name;
}

struct berth_unit *berth_stack_run_unit(const struct berth_supervisor *supervisor, size_t index)
{
	for (size_t i = 0; i < supervisor->unit_count; i++)
		if (supervisor->units[i]->job->member == index)
			return supervisor->units[i];
	return NULL;
}

static int add_unit(struct berth_supervisor *supervisor, const struct berth_job *job,
		    bool any_instance, struct berth_err *err)
{
	struct berth_unit *unit;
	int r = berth_supervisor_add(supervisor, job, any_instance, &unit, err);

	if (r == 0 && !supervisor->job->detach)
		unit->console =
			berth_console_add(&supervisor->console, unit->job->identity.service,
					  unit->job->identity.instance, (unsigned int)job->member);
	return r;
}

/* The instances of a service, one for each that is wanted and not there. */
static int add_units(struct berth_supervisor *supervisor, size_t index, struct berth_err *err)
{
	struct berth_stack_run *run = supervisor->stack;
	const struct berth_job *job = run->stack->services[index].job;
	int r = 0;

	run->members[index] = (struct berth_stack_member){ .state.wanted = true };
	for (unsigned int i = 0; i < job->instances && r == 0; i++)
		r = add_unit(supervisor, job, i > 0, err);
	return r;
}

/* From here on others see them; the guardian knows that there is something to clear up. */
static void show(struct berth_supervisor *supervisor, size_t first)
{
	berth_supervisor_report(supervisor, BERTH_NOTE_STARTED, 0, 0);
	for (size_t i = first; i < supervisor->unit_count; i++)
		berth_unit_save(supervisor->units[i]);
	/* Programs may read it as they start. */
	berth_stack_file_write(supervisor);
}

static void drop(struct berth_supervisor *supervisor, size_t first)
{
	while (supervisor->unit_count > first)
		berth_unit_free(supervisor->units[--supervisor->unit_count]);
}

int berth_stack_run_begin(struct berth_supervisor *supervisor, struct berth_err *err)
{
	const struct berth_stack *stack = supervisor->job->stack;
	struct berth_stack_run *run = calloc(1, sizeof(*run));
	int r;

	if (!run)
		return berth_err_errno(err, -ENOMEM, "cannot start a stack");
	supervisor->stack = run;
	run->supervisor = supervisor;
	run->stack = stack;
	run->control_fd = -1;
	run->members = calloc(stack->manifest.service_count, sizeof(*run->members));
	run->ended = json_array();
	if (!run->members || !run->ended)
		return berth_err_errno(err, -ENOMEM, "cannot start a stack");
	r = berth_stack_serve_listen(supervisor, err);
	for (size_t i = 0; i < stack->manifest.service_count && r == 0; i++)
		if (stack->services[stack->order[i]].wanted)
			r = add_units(supervisor, stack->order[i], err);
	if (r == 0)
		show(supervisor, 0);
	return r;
}

void berth_stack_run_end(struct berth_supervisor *supervisor)
{
	struct berth_stack_run *run = supervisor->stack;

	if (!run)
		return;
	if (run->control_fd >= 0) {
		berth_stack_file_remove(supervisor);
		berth_stack_serve_answer_gone(supervisor, true);
		berth_loop_remove(&supervisor->loop, &run->control_source);
		berth_fd_close(&run->control_fd);
	}
	json_decref(run->ended);
	for (size_t i = 0; i < run->loaded_count; i++)
		berth_stack_free(run->loaded[i]);
	free(run->loaded);
	free(run->members);
	free(run);
	supervisor->stack = NULL;
}

/* --- what has become of them --- */

static void look(struct berth_supervisor *supervisor)
{
	struct berth_stack_run *run = supervisor->stack;
	size_t count = manifest_of(run)->service_count;

	for (size_t i = 0; i < count; i++) {
		run->members[i].living = 0;
		run->members[i].started = run->members[i].ready = true;
	}
	for (size_t i = 0; i < supervisor->unit_count; i++) {
		const struct berth_unit *unit = supervisor->units[i];
		struct berth_stack_member *member = &run->members[unit->job->member];

		member->living++;
		member->started &= unit->started_ms != 0;
		member->ready &= unit->was_ready;
	}
	for (size_t i = 0; i < count; i++) {
		struct berth_stack_member *member = &run->members[i];

		member->state.living = member->living > 0;
		member->state.started |= member->living && member->started;
		member->state.ready |= member->living && member->ready;
	}
}

/* {"id","exit","also_ended","took_ms"}: the least that tells how it went. */
static void note_stopped(struct berth_stack_run *run, struct berth_unit *unit)
{
	const struct berth_stack_member *member = &run->members[unit->job->member];
	BERTH_AUTO_JSON json_t *document = NULL;

	if (!member->state.ending || json_array_size(run->ended) >= BERTH_STACK_UNITS_MAX)
		return;
	document = berth_unit_document(unit);
	json_array_append_new(run->ended,
			      json_pack("{s:s,s:O,s:s,s:I}", "id", unit->id, "exit",
					json_object_get(document, "exit"), "also_ended",
					unit->also_ended ? unit->also_ended : "", "took_ms",
					(json_int_t)((berth_time_mono_ns() - member->ending_ns) /
						     BERTH_NS_PER_MS)));
}

/* It may come back; until then its neighbours are refused, and not led to a stranger. */
static void keep_numbers(struct berth_stack_member *member, const struct berth_ports *ports)
{
	for (size_t i = 0; i < ports->count; i++) {
		const struct berth_steer_port *steer = &ports->steer[i];

		for (size_t j = 0; j < steer->asked_count && !steer->udp; j++)
			if (member->gone_count < BERTH_STACK_RUN_GONE_MAX)
				member->gone[member->gone_count++] = steer->asked[j];
	}
}

bool berth_stack_run_is_gone(const struct berth_stack_run *run, uint16_t number)
{
	for (size_t i = 0; i < manifest_of(run)->service_count; i++)
		for (size_t j = 0; j < run->members[i].gone_count; j++)
			if (run->members[i].gone[j] == number)
				return true;
	return false;
}

/* Does anybody wait for it to have completed? */
static bool is_awaited(const struct berth_stack_run *run, size_t index)
{
	const struct berth_manifest *manifest = manifest_of(run);

	for (size_t i = 0; i < manifest->service_count; i++)
		for (size_t j = 0; j < manifest->services[i].depend_count; j++) {
			const struct berth_manifest_dependency *depend =
				&manifest->services[i].depends[j];

			if (depend->service == index &&
			    depend->condition == BERTH_MANIFEST_COMPLETED)
				return true;
		}
	return false;
}

/* The first reason counts. */
static void fail(const struct berth_unit *unit, const char *how)
{
	struct berth_stack_member *member = &unit->supervisor->stack->members[unit->job->member];

	if (member->failed)
		return;
	member->failed = true;
	if (unit->has_end && unit->cause == BERTH_END_BY_ITSELF)
		berth_err_set(&member->fault, -EIO, BERTH_ERR_START_FAILED, "%s %s (exit %d)",
			      unit->name, how, unit->exit_code);
	else
		berth_err_set(&member->fault, -EIO, BERTH_ERR_START_FAILED, "%s %s", unit->name,
			      how);
	berth_str_copy(member->log, sizeof(member->log), unit->log.path ? unit->log.path : "");
}

/* Neither the user nor the stack wanted its end: it did, or it was not what it had to be. */
static bool is_unasked(const struct berth_unit *unit)
{
	return unit->cause == BERTH_END_BY_ITSELF || unit->cause == BERTH_END_BY_TIMEOUT ||
	       unit->cause == BERTH_END_BY_LIVENESS || unit->cause == BERTH_END_BY_OOM;
}

static void abort_all(const struct berth_unit *unit)
{
	struct berth_supervisor *supervisor = unit->supervisor;

	supervisor->exit_code = unit->exit_code;
	supervisor->end_signal = unit->has_end && unit->end.by_signal ? unit->end.status : 0;
	berth_announce_stack(supervisor, "%s has ended: so does all (--abort-on-exit)", unit->name);
	berth_stack_run_stop_all(supervisor, BERTH_END_BY_STACK);
}

void berth_stack_run_note_gone(struct berth_unit *unit)
{
	struct berth_stack_run *run = unit->supervisor->stack;
	struct berth_stack_member *member = &run->members[unit->job->member];
	bool by_itself = unit->has_end && unit->cause == BERTH_END_BY_ITSELF;

	run->file_ns = 1;
	keep_numbers(member, &unit->ports);
	note_stopped(run, unit);
	if (by_itself && unit->exit_code && !member->exit_code)
		member->exit_code = unit->exit_code;
	if (by_itself && unit->exit_code && is_awaited(run, unit->job->member))
		fail(unit, "ended, and has not completed");
	else if (!unit->was_ready)
		fail(unit, "was stopped before it was ready");
	member->state.started |= unit->started_ms != 0;
	/* Of one that never listened, but did what it had to do. */
	member->state.ready |= unit->was_ready && member->living <= 1;
	member->state.succeeded = by_itself && !member->exit_code;
	if (is_unasked(unit) && run->stack->abort_on_exit && !run->ending)
		abort_all(unit);
}

void berth_stack_run_note_fault(const struct berth_unit *unit, const struct berth_err *err)
{
	struct berth_stack_member *member = &unit->supervisor->stack->members[unit->job->member];

	berth_announce_stack(unit->supervisor, "%s", err->msg);
	if (member->failed)
		return;
	member->failed = true;
	member->fault = *err;
	berth_str_copy(member->log, sizeof(member->log), unit->log.path ? unit->log.path : "");
}

/* --- start --- */

static void start(struct berth_supervisor *supervisor, size_t index)
{
	for (size_t i = 0; i < supervisor->unit_count; i++) {
		struct berth_unit *unit = supervisor->units[i];

		if (unit->job->member == index && is_held(unit))
			berth_unit_start(unit);
	}
}

static void give_up(struct berth_supervisor *supervisor, size_t index, size_t dependency)
{
	struct berth_stack_run *run = supervisor->stack;
	const struct berth_stack_member *cause = &run->members[dependency];
	struct berth_stack_member *member = &run->members[index];

	berth_err_set(&member->fault, -ECANCELED, BERTH_ERR_START_FAILED,
		      "%s is not started: it depends on %s, which %s", name_of(run, index),
		      name_of(run, dependency),
		      cause->state.ending ? "was stopped"
		      : cause->failed	  ? "has failed"
					  : "has ended");
	berth_announce_stack(supervisor, "%s", member->fault.msg);
	member->failed = true;
	for (size_t i = 0; i < supervisor->unit_count; i++)
		if (supervisor->units[i]->job->member == index)
			berth_unit_end(supervisor->units[i], BERTH_END_BY_STACK,
				       BERTH_SERVICE_ON_STOP);
}

static bool has_held(const struct berth_supervisor *supervisor, size_t index)
{
	for (size_t i = 0; i < supervisor->unit_count; i++) {
		const struct berth_unit *unit = supervisor->units[i];

		if (unit->job->member == index && is_held(unit) &&
		    unit->cause == BERTH_END_BY_ITSELF)
			return true;
	}
	return false;
}

static void wait_for(struct berth_supervisor *supervisor, size_t index, size_t dependency)
{
	struct berth_stack_member *member = &supervisor->stack->members[index];

	if (member->since_ns && member->waits_for == dependency)
		return;
	if (!member->since_ns)
		member->since_ns = berth_time_mono_ns();
	member->waits_for = dependency;
	/* Records tell it. */
	for (size_t i = 0; i < supervisor->unit_count; i++)
		if (supervisor->units[i]->job->member == index)
			berth_unit_touch(supervisor->units[i]);
}

/* Was any started, or given up? Then others may have their turn at once. */
static bool start_what_may(struct berth_supervisor *supervisor)
{
	struct berth_stack_run *run = supervisor->stack;
	const struct berth_manifest *manifest = manifest_of(run);
	struct berth_order_service states[BERTH_MANIFEST_SERVICES_MAX];
	size_t dependency = 0;
	bool any = false;

	for (size_t i = 0; i < manifest->service_count; i++)
		states[i] = run->members[i].state;
	for (size_t i = 0; i < manifest->service_count && !run->ending; i++) {
		size_t index = run->stack->order[i];
		struct berth_stack_member *member = &run->members[index];

		if (!has_held(supervisor, index))
			continue;
		switch (berth_order_start(manifest, states, index, &dependency)) {
		case BERTH_ORDER_WAIT:
			wait_for(supervisor, index, dependency);
			break;
		case BERTH_ORDER_START:
			member->since_ns = 0;
			start(supervisor, index);
			any = true;
			break;
		case BERTH_ORDER_GIVE_UP:
			member->since_ns = 0;
			give_up(supervisor, index, dependency);
			states[index].living = false;
			any = true;
			break;
		}
	}
	return any;
}

int berth_stack_run_start(struct berth_supervisor *supervisor, const bool *wanted,
			  struct berth_err *err)
{
	struct berth_stack_run *run = supervisor->stack;
	size_t first = supervisor->unit_count;
	int r = 0;

	look(supervisor);
	for (size_t i = 0; i < manifest_of(run)->service_count && r == 0; i++) {
		size_t index = run->stack->order[i];

		if (wanted[index] && !run->members[index].living)
			r = add_units(supervisor, index, err);
	}
	if (r < 0) {
		drop(supervisor, first);
		return r;
	}
	run->settled = false;
	json_array_clear(run->ended);
	show(supervisor, first);
	return 0;
}

/* --- stop --- */

void berth_stack_run_stop(struct berth_supervisor *supervisor, size_t index,
			  enum berth_end_cause cause)
{
	struct berth_stack_run *run = supervisor->stack;
	struct berth_stack_member *member = &run->members[index];

	if (member->state.ending)
		return;
	member->state.ending = true;
	member->cause = cause;
	member->ending_ns = berth_time_mono_ns();
}

void berth_stack_run_stop_all(struct berth_supervisor *supervisor, enum berth_end_cause cause)
{
	struct berth_stack_run *run = supervisor->stack;

	run->ending = true;
	for (size_t i = 0; i < manifest_of(run)->service_count; i++)
		berth_stack_run_stop(supervisor, i, cause);
}

static void stop_what_may(struct berth_supervisor *supervisor)
{
	struct berth_stack_run *run = supervisor->stack;
	const struct berth_manifest *manifest = manifest_of(run);
	struct berth_order_service states[BERTH_MANIFEST_SERVICES_MAX];

	for (size_t i = 0; i < manifest->service_count; i++)
		states[i] = run->members[i].state;
	for (size_t i = 0; i < supervisor->unit_count; i++) {
		struct berth_unit *unit = supervisor->units[i];
		const struct berth_stack_member *member = &run->members[unit->job->member];

		/* What has never run is in nobody's way. */
		if (!member->state.ending || unit->cause != BERTH_END_BY_ITSELF ||
		    (!is_held(unit) && !berth_order_may_stop(manifest, states, unit->job->member)))
			continue;
		berth_unit_end(unit, member->cause, BERTH_SERVICE_ON_STOP);
	}
}

/* --- told --- */

static bool has_settled(const struct berth_stack_run *run)
{
	for (size_t i = 0; i < manifest_of(run)->service_count; i++) {
		const struct berth_order_service *state = &run->members[i].state;

		if (state->wanted && state->living && !state->ready)
			return false;
	}
	return true;
}

/* The first that has failed; -1: none. */
static int find_failed(const struct berth_stack_run *run)
{
	for (size_t i = 0; i < manifest_of(run)->service_count; i++)
		if (run->members[run->stack->order[i]].failed)
			return (int)run->stack->order[i];
	return -1;
}

static void tell_settled(struct berth_supervisor *supervisor)
{
	struct berth_stack_run *run = supervisor->stack;
	int failed = find_failed(run);

	run->settled = true;
	berth_stack_serve_answer_settled(supervisor);
	if (failed < 0)
		berth_supervisor_tell_stack(supervisor, BERTH_NOTE_READY, 0, NULL);
	else if (supervisor->job->detach)
		berth_supervisor_tell_stack(supervisor, BERTH_NOTE_FAILED, 1,
					    &run->members[failed].fault);
}

void berth_stack_run_turn(struct berth_supervisor *supervisor)
{
	struct berth_stack_run *run = supervisor->stack;

	if (!run)
		return;
	do
		look(supervisor);
	while (start_what_may(supervisor));
	stop_what_may(supervisor);
	/* Whoever is told that all is ready finds the file as it says. */
	if (run->file_ns &&
	    (run->file_ns <= berth_time_mono_ns() || (!run->settled && has_settled(run))))
		berth_stack_file_write(supervisor);
	if (!run->settled && has_settled(run))
		tell_settled(supervisor);
	berth_stack_status_show(supervisor);
	berth_stack_serve_answer_gone(supervisor, false);
}

int64_t berth_stack_run_deadline_ns(const struct berth_supervisor *supervisor)
{
	const struct berth_stack_run *run = supervisor->stack;
	int64_t next = INT64_MAX;

	if (run && run->file_ns)
		next = run->file_ns;
	if (run && run->status_ns && run->status_ns < next)
		next = run->status_ns;
	return next;
}

json_t *berth_stack_run_document(const struct berth_supervisor *supervisor)
{
	const struct berth_stack_run *run = supervisor->stack;
	json_t *services = json_array(), *failed = json_array();

	for (size_t i = 0; i < supervisor->unit_count; i++)
		json_array_append_new(services, json_string(supervisor->units[i]->id));
	for (size_t i = 0; i < manifest_of(run)->service_count; i++) {
		size_t index = run->stack->order[i];
		const struct berth_stack_member *member = &run->members[index];

		if (member->failed)
			json_array_append_new(failed,
					      json_pack("{s:s,s:o,s:o,s:i}", "service",
							name_of(run, index), "message",
							berth_json_text(member->fault.msg), "log",
							berth_json_text_or_null(member->log),
							"exit", member->exit_code));
	}
	return json_pack("{s:o,s:o,s:O}", "ids", services, "failed", failed, "ended", run->ended);
}
