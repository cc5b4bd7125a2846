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
 * Of a service: what has become of its instances together. Written by stack-run.c and stack-look.c,
 * and by nobody else.
 */
struct berth_stack_member {
	struct berth_order_service state;
	bool first; /* whoever started the stack asked for it, or something that needs it */
	size_t ordered; /* instances */
	size_t living; /* units; as is: */
	size_t lasting; /* of them, those that nobody has asked to end */
	size_t ready, started; /* of these, those that are ready now, and whose command was run */
	size_t completed; /* instances that were ready, and have ended with 0 since */
	bool again; /* some lack; they are started when those on their way out have gone */
	bool failed; /* an instance has failed, or was given up, and is not back */
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
	/* What the last first instance was called for others, written by siblings.c; owned. */
	struct berth_unit_words last_vars, last_env; /* "port=9000"; "BACKEND_PORT=9000" */
	unsigned int last_instance; /* its number; 0: there was none */
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
	bool settled; /* all that were wanted are ready, have ended, or won't start */
	bool said_ready, said_failed; /* to who started it, of what they asked for */
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

/* Stop service @index, or all: each behind those that depend on it. */
void berth_stack_run_stop(struct berth_supervisor *supervisor, size_t index,
			  enum berth_end_cause cause);
void berth_stack_run_stop_all(struct berth_supervisor *supervisor, enum berth_end_cause cause);
/*
 * All instances that are ordered of @wanted (one for each service) and not there; what is on its way
 * out is waited for, and then started again.
 */
BERTH_MUST_USE int berth_stack_run_start(struct berth_supervisor *supervisor, const bool *wanted,
					 struct berth_err *err);

/* @count instances of service @index from now on: those that lack start when their turn comes. */
BERTH_MUST_USE int berth_stack_run_order(struct berth_supervisor *supervisor, size_t index,
					 size_t count, struct berth_err *err);

/*
 * Is each of @services ready, or has ended, or won't start? One for each service; NULL: those that
 * were asked for at the start.
 */
bool berth_stack_run_has_settled(const struct berth_stack_run *run, const bool *services);
/* {"ids":[...],"failed":[{"service",...}],"ended":[...]}, "failed" of @services; a new reference. */
json_t *berth_stack_run_document(const struct berth_supervisor *supervisor, const bool *services);

/* The first living unit of service @index; NULL: none. */
struct berth_unit *berth_stack_run_unit(const struct berth_supervisor *supervisor, size_t index);
