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

#include "app/siblings.h"
#include "app/stack-file.h"
#include "app/stack-look.h"
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

/* The instances of a service, one for each that is ordered and not there. */
static int add_units(struct berth_supervisor *supervisor, size_t index, struct berth_err *err)
{
	const struct berth_stack_run *run = supervisor->stack;
	const struct berth_stack_member *member = &run->members[index];
	const struct berth_job *job = run->stack->services[index].job;
	int r = 0;

	for (size_t i = member->lasting; i < member->ordered && r == 0; i++)
		r = add_unit(supervisor, job, i > 0, err);
	return r;
}

/* What has become of those before says nothing of those that are to come. */
static void begin_anew(struct berth_stack_member *member)
{
	member->again = member->failed = member->wait_said = false;
	member->completed = 0;
	member->exit_code = 0;
	if (member->lasting)
		return;
	member->state = (struct berth_order_service){ .wanted = true };
	member->since_ns = member->ending_ns = 0;
	member->gone_count = 0;
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
	for (size_t i = 0; i < stack->manifest.service_count && r == 0; i++) {
		size_t index = stack->order[i];
		struct berth_stack_member *member = &run->members[index];

		if (!stack->services[index].wanted)
			continue;
		member->first = member->state.wanted = true;
		member->ordered = stack->services[index].job->instances;
		r = add_units(supervisor, index, err);
	}
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
	for (size_t i = 0; run->members && i < manifest_of(run)->service_count; i++)
		berth_siblings_forget(&run->members[i]);
	for (size_t i = 0; i < run->loaded_count; i++)
		berth_stack_free(run->loaded[i]);
	free(run->loaded);
	free(run->members);
	free(run);
	supervisor->stack = NULL;
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
		if (supervisor->units[i]->job->member == index && is_held(supervisor->units[i])) {
			berth_client_fail_waiting(supervisor->units[i],
						  BERTH_CLIENT_WAITS_FOR_SCALE, &member->fault);
			berth_unit_end(supervisor->units[i], BERTH_END_BY_STACK,
				       BERTH_SERVICE_ON_STOP);
		}
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

/* It waits for a later try, and somebody wants it now. */
static void hurry(struct berth_supervisor *supervisor, size_t index)
{
	for (size_t i = 0; i < supervisor->unit_count; i++) {
		struct berth_unit *unit = supervisor->units[i];

		for (size_t j = 0; unit->job->member == index && j < unit->worker_count; j++)
			if (unit->workers[j]->service.state == BERTH_SERVICE_WAITING)
				berth_unit_step_worker(unit->workers[j], BERTH_SERVICE_ON_START);
	}
}

static bool has_leaving(const struct berth_stack_member *member)
{
	return member->living > member->lasting;
}

/* Those that lack and whose predecessors have gone; the others wait for that. */
static int add_lacking(struct berth_supervisor *supervisor, const bool *wanted,
		       struct berth_err *err)
{
	struct berth_stack_run *run = supervisor->stack;
	int r = 0;

	for (size_t i = 0; i < manifest_of(run)->service_count && r == 0; i++) {
		size_t index = run->stack->order[i];
		struct berth_stack_member *member = &run->members[index];

		if (!wanted[index])
			continue;
		if (!member->lasting)
			member->ordered = run->stack->services[index].job->instances;
		if (!has_leaving(member))
			r = add_units(supervisor, index, err);
	}
	return r;
}

int berth_stack_run_start(struct berth_supervisor *supervisor, const bool *wanted,
			  struct berth_err *err)
{
	struct berth_stack_run *run = supervisor->stack;
	size_t first = supervisor->unit_count;
	int r;

	berth_stack_look_round(supervisor);
	r = add_lacking(supervisor, wanted, err);
	if (r < 0) {
		drop(supervisor, first);
		return r;
	}
	for (size_t i = 0; i < manifest_of(run)->service_count; i++) {
		struct berth_stack_member *member = &run->members[i];

		if (!wanted[i])
			continue;
		if (member->lasting >= member->ordered) {
			member->failed = false;
			hurry(supervisor, i);
		} else if (has_leaving(member)) {
			member->again = true;
		} else {
			begin_anew(member);
		}
	}
	run->settled = false;
	json_array_clear(run->ended);
	show(supervisor, first);
	return 0;
}

int berth_stack_run_order(struct berth_supervisor *supervisor, size_t index, size_t count,
			  struct berth_err *err)
{
	struct berth_stack_member *member = &supervisor->stack->members[index];
	size_t first = supervisor->unit_count;
	int r;

	berth_stack_look_round(supervisor);
	member->ordered = count;
	member->completed = 0;
	r = add_units(supervisor, index, err);
	if (r < 0)
		member->ordered = member->lasting + supervisor->unit_count - first;
	if (supervisor->unit_count > first)
		show(supervisor, first);
	return r;
}

/* What was asked for while it was on its way out, and has gone by now. */
static void start_again(struct berth_supervisor *supervisor)
{
	struct berth_stack_run *run = supervisor->stack;

	for (size_t i = 0; i < manifest_of(run)->service_count; i++) {
		struct berth_stack_member *member = &run->members[i];
		size_t first = supervisor->unit_count;
		struct berth_err err = { 0 };

		if (!member->again || has_leaving(member))
			continue;
		if (add_units(supervisor, i, &err) == 0) {
			begin_anew(member);
			show(supervisor, first);
			continue;
		}
		drop(supervisor, first);
		member->again = false;
		member->failed = true;
		member->fault = err;
		member->log[0] = '\0';
		berth_announce_stack(supervisor, "%s", err.msg);
	}
}

/* --- stop --- */

void berth_stack_run_stop(struct berth_supervisor *supervisor, size_t index,
			  enum berth_end_cause cause)
{
	struct berth_stack_run *run = supervisor->stack;
	struct berth_stack_member *member = &run->members[index];

	member->again = false;
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

bool berth_stack_run_has_settled(const struct berth_stack_run *run, const bool *services)
{
	for (size_t i = 0; i < manifest_of(run)->service_count; i++) {
		const struct berth_stack_member *member = &run->members[i];

		if ((services ? services[i] : member->first) &&
		    (member->again || member->ready < member->living))
			return false;
	}
	return true;
}

/* Of those that were asked for at the start, the first that has failed; -1: none. */
static int find_failed(const struct berth_stack_run *run)
{
	for (size_t i = 0; i < manifest_of(run)->service_count; i++) {
		const struct berth_stack_member *member = &run->members[run->stack->order[i]];

		if (member->first && member->failed)
			return (int)run->stack->order[i];
	}
	return -1;
}

/* Whoever has started the stack; once, but of what was mended a service manager hears, too. */
static void tell_starter(struct berth_supervisor *supervisor)
{
	struct berth_stack_run *run = supervisor->stack;
	int failed;

	if (run->said_ready || run->ending || !berth_stack_run_has_settled(run, NULL))
		return;
	failed = find_failed(run);
	if (failed < 0)
		berth_supervisor_tell_stack(supervisor, BERTH_NOTE_READY, 0, NULL);
	else if (supervisor->job->detach && !run->said_failed)
		berth_supervisor_tell_stack(supervisor, BERTH_NOTE_FAILED, 1,
					    &run->members[failed].fault);
	run->said_ready = failed < 0;
	run->said_failed |= failed >= 0;
}

static bool has_all_settled(const struct berth_stack_run *run)
{
	bool all[BERTH_MANIFEST_SERVICES_MAX];

	memset(all, true, sizeof(all));
	return berth_stack_run_has_settled(run, all);
}

void berth_stack_run_turn(struct berth_supervisor *supervisor)
{
	struct berth_stack_run *run = supervisor->stack;
	bool settled;

	if (!run)
		return;
	berth_stack_look_round(supervisor);
	start_again(supervisor);
	do
		berth_stack_look_round(supervisor);
	while (start_what_may(supervisor));
	stop_what_may(supervisor);
	settled = has_all_settled(run);
	/* Whoever is told that all is ready finds the file as it says. */
	if (run->file_ns && (run->file_ns <= berth_time_mono_ns() || (!run->settled && settled) ||
			     berth_stack_serve_is_due(supervisor)))
		berth_stack_file_write(supervisor);
	tell_starter(supervisor);
	berth_stack_serve_answer_settled(supervisor);
	run->settled |= settled;
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

json_t *berth_stack_run_document(const struct berth_supervisor *supervisor, const bool *services)
{
	const struct berth_stack_run *run = supervisor->stack;
	json_t *ids = json_array(), *failed = json_array();

	for (size_t i = 0; i < supervisor->unit_count; i++)
		json_array_append_new(ids, json_string(supervisor->units[i]->id));
	for (size_t i = 0; i < manifest_of(run)->service_count; i++) {
		size_t index = run->stack->order[i];
		const struct berth_stack_member *member = &run->members[index];

		if ((services ? services[index] : member->first) && member->failed)
			json_array_append_new(failed,
					      json_pack("{s:s,s:o,s:o,s:i}", "service",
							name_of(run, index), "message",
							berth_json_text(member->fault.msg), "log",
							berth_json_text_or_null(member->log),
							"exit", member->exit_code));
	}
	return json_pack("{s:o,s:o,s:O}", "ids", ids, "failed", failed, "ended", run->ended);
}
