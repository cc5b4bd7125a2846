/* SPDX-License-Identifier: MIT */
/* app/stack-run.h - a stack as its supervisor runs it: what starts when, what stops when */
#pragma once

#include "app/stack.h"
#include "app/supervisor.h"
#include "stack/order.h"

enum {
	BERTH_STACK_RUN_GONE_MAX = 32,
};

/*
 * Of a service: what has become of its instances together. Written by stack-run.c, and by nobody
 * else.
 */
struct berth_stack_member {
	struct berth_order_service state;
	size_t living; /* units */
	bool started, ready; /* of those that live */
	bool failed; /* an instance ended before it was ready, or was given up */
	int exit_code; /* of the first that ended by itself otherwise than with 0 */
	int64_t since_ns; /* it waits since then; 0: it does not */
	size_t waits_for; /* with since_ns: the service */
	bool wait_said;
	enum berth_end_cause cause; /* with state.ending, as is: */
	int64_t ending_ns;
	struct berth_err fault; /* with failed */
	char log[PATH_MAX]; /* of the instance that failed; "" none */
	/* Of instances that have gone: what they asked for is nobody else's in this copy. */
	uint16_t gone[BERTH_STACK_RUN_GONE_MAX];
	size_t gone_count;
};

/* In the supervisor, beside the stack that it was given. */
struct berth_stack_run {
	struct berth_supervisor *supervisor; /* borrowed, as is: */
	const struct berth_stack *stack; /* as its manifest was read last */
	struct berth_stack **loaded; /* owned; those read since the start: see stack-reload.c */
	size_t loaded_count;
	struct berth_stack_member *members; /* owned; one for each service */
	int control_fd; /* the stack's own socket: its lock; owned, -1: none */
	struct berth_loop_source control_source;
	bool ending; /* all of it */
	json_t *ended; /* owned; what was stopped, for whoever asked for that */
	bool settled; /* all that were wanted are ready, have ended, or won't start: that was told */
	int64_t status_ns; /* what waits is to be looked at again then; 0: nothing does */
	int64_t file_ns; /* the ports file is to be written then; 0: nothing has changed */
	int64_t file_since_ns; /* since when somebody keeps us from that; 0: nobody does */
	bool file_fault_said; /* and not mended since */
};

/* The lock of the stack, and all units that are wanted, leased. All or nothing. */
BERTH_MUST_USE int berth_stack_run_begin(struct berth_supervisor *supervisor,
					 struct berth_err *err);
void berth_stack_run_end(struct berth_supervisor *supervisor);

/* Whatever has happened: start what may start now, stop what may, say what has settled. */
void berth_stack_run_turn(struct berth_supervisor *supervisor);
int64_t berth_stack_run_deadline_ns(const struct berth_supervisor *supervisor);

/* @unit has gone, and is about to be freed. */
void berth_stack_run_note_gone(struct berth_unit *unit);
/* Did a service that has gone ask for @number, which nobody else of the stack has? */
bool berth_stack_run_is_gone(const struct berth_stack_run *run, uint16_t number);
/* @unit failed before it was ever ready. */
void berth_stack_run_note_fault(const struct berth_unit *unit, const struct berth_err *err);

/* Stop service @index, or all: each behind those that depend on it. */
void berth_stack_run_stop(struct berth_supervisor *supervisor, size_t index,
			  enum berth_end_cause cause);
void berth_stack_run_stop_all(struct berth_supervisor *supervisor, enum berth_end_cause cause);
/* Those that are not there, of @names and what they depend on; with none, all that are enabled. */
BERTH_MUST_USE int berth_stack_run_start(struct berth_supervisor *supervisor, const bool *wanted,
					 struct berth_err *err);

/* {"services":[{"service","state","waits_for",...}],"failed":[...]}; a new reference. */
json_t *berth_stack_run_document(const struct berth_supervisor *supervisor);

/* The first living unit of service @index; NULL: none. */
struct berth_unit *berth_stack_run_unit(const struct berth_supervisor *supervisor, size_t index);
