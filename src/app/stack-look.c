/* SPDX-License-Identifier: MIT */
/* app/stack-look.c - what has become of the services of a stack */
#include "app/stack-look.h"

#include <errno.h>

#include "app/siblings.h"
#include "base/str.h"
#include "base/time.h"

static void count_unit(struct berth_stack_member *member, const struct berth_unit *unit)
{
	member->living++;
	if (unit->done || unit->cause != BERTH_END_BY_ITSELF || member->state.ending)
		return;
	member->lasting++;
	member->ready += unit->state == BERTH_SERVICE_READY;
	member->started += unit->started_ms != 0;
}

/* As it is now: what was ready once, and is on its way out or back, is not. */
static void judge(struct berth_stack_member *member)
{
	struct berth_order_service *state = &member->state;
	bool has_all = member->lasting + member->completed >= member->ordered;

	state->living = member->living || member->again;
	state->started |= member->lasting && member->started == member->lasting;
	/* Of one that never listened, but did what it had to do, too. */
	state->ready = has_all && member->ready == member->lasting &&
		       (member->lasting || member->completed);
	state->lost = !has_all && !member->again;
	if (member->again)
		state->started = state->succeeded = false;
	if (state->ready)
		member->failed = false;
}

void berth_stack_look_round(struct berth_supervisor *supervisor)
{
	struct berth_stack_run *run = supervisor->stack;
	size_t count = run->stack->manifest.service_count;

	for (size_t i = 0; i < count; i++) {
		struct berth_stack_member *member = &run->members[i];

		member->living = member->lasting = member->ready = member->started = 0;
	}
	for (size_t i = 0; i < supervisor->unit_count; i++)
		count_unit(&run->members[supervisor->units[i]->job->member], supervisor->units[i]);
	for (size_t i = 0; i < count; i++)
		judge(&run->members[i]);
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

bool berth_stack_look_is_gone(const struct berth_stack_run *run, uint16_t number)
{
	for (size_t i = 0; i < run->stack->manifest.service_count; i++)
		for (size_t j = 0; j < run->members[i].gone_count; j++)
			if (run->members[i].gone[j] == number)
				return true;
	return false;
}

/* Does anybody wait for it to have completed? */
static bool is_awaited(const struct berth_stack_run *run, size_t index)
{
	const struct berth_manifest *manifest = &run->stack->manifest;

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

static void note_failed(const struct berth_unit *unit)
{
	if (unit->cause == BERTH_END_BY_SCALE)
		return;
	if (unit->has_end && unit->cause == BERTH_END_BY_ITSELF && unit->exit_code &&
	    is_awaited(unit->supervisor->stack, unit->job->member))
		fail(unit, "ended, and has not completed");
	else if (!unit->was_ready)
		fail(unit, "was stopped before it was ready");
	else if (unit->cause == BERTH_END_BY_LIVENESS)
		fail(unit, "was ended: it failed its liveness probe");
	else if (is_unasked(unit) && unit->exit_code)
		fail(unit, "ended after it was ready");
}

static void abort_all(const struct berth_unit *unit)
{
	struct berth_supervisor *supervisor = unit->supervisor;

	supervisor->exit_code = unit->exit_code;
	supervisor->end_signal = unit->has_end && unit->end.by_signal ? unit->end.status : 0;
	berth_announce_stack(supervisor, "%s has ended: so does all (--abort-on-exit)", unit->name);
	berth_stack_run_stop_all(supervisor, BERTH_END_BY_STACK);
}

void berth_stack_look_note_gone(struct berth_unit *unit)
{
	struct berth_stack_run *run = unit->supervisor->stack;
	struct berth_stack_member *member = &run->members[unit->job->member];
	bool by_itself = unit->has_end && unit->cause == BERTH_END_BY_ITSELF;

	run->file_ns = 1;
	keep_numbers(member, &unit->ports);
	berth_siblings_remember(unit);
	note_stopped(run, unit);
	if (by_itself && unit->exit_code && !member->exit_code)
		member->exit_code = unit->exit_code;
	note_failed(unit);
	member->state.started |= unit->started_ms != 0;
	member->completed += by_itself && !unit->exit_code && unit->was_ready;
	member->state.succeeded = by_itself && !member->exit_code;
	if (is_unasked(unit) && run->stack->abort_on_exit && !run->ending)
		abort_all(unit);
}

void berth_stack_look_note_fault(const struct berth_unit *unit, const struct berth_err *err)
{
	struct berth_stack_member *member = &unit->supervisor->stack->members[unit->job->member];

	berth_announce_stack(unit->supervisor, "%s", err->msg);
	if (member->failed)
		return;
	member->failed = true;
	member->fault = *err;
	berth_str_copy(member->log, sizeof(member->log), unit->log.path ? unit->log.path : "");
}
