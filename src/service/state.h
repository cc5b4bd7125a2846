/* SPDX-License-Identifier: MIT */
/* service/state.h - the life of one service: state x event -> actions, pure */
#pragma once

#include "base/attr.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * The words are those of the JSON output. What each state means, and how it is left:
 *
 *   WAITING   nothing of it lives; before its first start, or until the delay before a restart is
 *             over (deadline_ns)
 *             -> STARTING on START, RESTART or TIMER; the end on STOP
 *   STARTING  a process lives that is not ready yet
 *             -> READY on READY; STOPPING on MAIN_ENDED, STOP, UNHEALTHY, the start timeout;
 *             WAITING or the end on START_FAILED; as STOPPING on TREE_GONE
 *   READY     its ports listen, and its check says so where it has one
 *             -> UNREADY on UNREADY; STOPPING on MAIN_ENDED, STOP, UNHEALTHY; as STOPPING on
 *             TREE_GONE
 *   UNREADY   was ready, is not at present
 *             -> READY on READY; else as READY
 *   STOPPING  on its way out; processes are ended, none are started
 *             -> on TREE_GONE, or a START_FAILED that comes late: STARTING or WAITING if another
 *             life follows, else the end
 *   STOPPED   nothing of it lives; ended as asked, or by itself with exit 0
 *   FAILED    nothing of it lives; ended by itself, otherwise
 *             both: -> STARTING on START, RESTART
 */
#define BERTH_SERVICE_STATES(X) \
	X(WAITING, "waiting") \
	X(STARTING, "starting") \
	X(READY, "ready") \
	X(UNREADY, "unready") \
	X(STOPPING, "stopping") \
	X(STOPPED, "stopped") \
	X(FAILED, "failed")

enum berth_service_state {
#define X(id, name) BERTH_SERVICE_##id,
	BERTH_SERVICE_STATES(X)
#undef X
	BERTH_SERVICE_STATE_COUNT_,
};
const char *berth_service_state_name(enum berth_service_state state);

enum berth_service_event {
	BERTH_SERVICE_ON_START,
	BERTH_SERVICE_ON_START_FAILED, /* fork or exec */
	BERTH_SERVICE_ON_READY, /* its ports listen, and its check has succeeded */
	BERTH_SERVICE_ON_UNREADY,
	BERTH_SERVICE_ON_UNHEALTHY, /* liveness has failed: a failure like any other end of it */
	BERTH_SERVICE_ON_MAIN_ENDED, /* the process that we started; others of its tree may live */
	BERTH_SERVICE_ON_TREE_GONE, /* nothing of it lives */
	BERTH_SERVICE_ON_STOP, /* asked by a user, an owner's end, a time that is up */
	BERTH_SERVICE_ON_INTERRUPT, /* Ctrl-C: the terminal has told the whole foreground group
				       already */
	BERTH_SERVICE_ON_GRACE, /* policy.grace_ns was changed, by who wants the end */
	BERTH_SERVICE_ON_KILL, /* stop without grace: second Ctrl-C, the guardian has died */
	BERTH_SERVICE_ON_RESTART, /* asked by a user: whatever the policy says */
	BERTH_SERVICE_ON_TIMER,
	BERTH_SERVICE_EVENT_COUNT_,
};

/* What the caller does, in the order of the bits. */
enum berth_service_action {
	BERTH_SERVICE_DO_DROP =
		1 << 0, /* close our duplicates of its sockets: from here on it refuses by itself */
	BERTH_SERVICE_DO_KEEP =
		1 << 1, /* another life follows: what listened goes on listening for it */
	BERTH_SERVICE_DO_SPAWN = 1 << 2,
	BERTH_SERVICE_DO_SIGNAL_MAIN =
		1 << 3, /* the stop signal to the process that we started, then SIGCONT */
	BERTH_SERVICE_DO_SIGNAL_TREE = 1 << 4, /* the same to all that lives of it */
	BERTH_SERVICE_DO_KILL_TREE = 1 << 5, /* SIGKILL, until nobody is left */
	BERTH_SERVICE_DO_TELL_READY = 1 << 6,
	BERTH_SERVICE_DO_TELL_SILENT = 1 << 7, /* it lives and is not ready after the notice time */
	BERTH_SERVICE_DO_FINISH =
		1 << 8, /* this was its last life; with DROP unless that came before */
};

/* When a service that has ended by itself is started again; the words are those of --restart. */
#define BERTH_SERVICE_RESTARTS(X) \
	X(NO, "no") \
	X(ON_FAILURE, "on-failure") \
	X(ALWAYS, "always")

enum berth_service_restart {
#define X(id, name) BERTH_SERVICE_RESTART_##id,
	BERTH_SERVICE_RESTARTS(X)
#undef X
	BERTH_SERVICE_RESTART_COUNT_,
};
const char *berth_service_restart_name(enum berth_service_restart restart);

enum {
	BERTH_SERVICE_LIMIT_MAX = 32
};

/* Durations in ns. */
struct berth_service_policy {
	enum berth_service_restart restart;
	int64_t backoff_ns; /* the first delay, doubled with each failure that follows; 0: none */
	int64_t backoff_max_ns;
	int64_t stable_ns; /* after so long a life the next restart is at once, and the delays begin
			      anew */
	unsigned int limit; /* at most so many restarts by policy in limit_ns, then FAILED;
			       0: any number; LIMIT_MAX is the most */
	int64_t limit_ns;
	int64_t start_timeout_ns; /* from the start to READY, then it counts as failed; 0: none */
	int64_t grace_ns; /* from the stop signal to SIGKILL */
	int64_t notice_ns; /* from the start to TELL_SILENT; 0: never */
	int64_t daemon_ns; /* how long a tree whose first process left with 0 before anything
			      listened may take to listen */
};

/*
 * Zeroed, with policy and seed set, is a service that was never started. Written by
 * berth_service_step() only; the policy may be changed between steps.
 */
struct berth_service {
	struct berth_service_policy policy;
	uint32_t seed; /* of the jitter: any number but 0 */
	enum berth_service_state state;
	int64_t deadline_ns; /* when ON_TIMER is due; 0: never */
	int64_t notice_at_ns, timeout_at_ns; /* in STARTING; 0: over, or none. With the first
						process gone, the former is the end of daemon_ns */
	int64_t spawned_ns; /* when this life began */
	int64_t ending_ns; /* when it began to end; 0: it has not */
	int64_t kill_at_ns; /* in STOPPING: SIGKILL comes then at the latest */
	bool was_ready; /* in this life */
	bool main_gone;
	bool background; /* it listens without its first process, if not on all its ports */
	bool holds; /* it may have sockets of which we keep duplicates: no DROP since */
	bool failed; /* this life ended otherwise than with exit 0, or had to be ended */
	bool timed_out, unhealthy; /* why it had to be ended */
	bool asked; /* somebody wanted the end */
	bool again; /* STOPPING leads to another life, because somebody asked for a restart */
	bool told; /* in STOPPING: the first process has got our stop signal */
	bool half_over; /* in STOPPING: the first half of the grace period */
	bool gave_up; /* FAILED because of the limit */
	unsigned int pressure; /* in STOPPING: 0 main asked, 1 tree asked, 2 killed */
	unsigned int restarts; /* of either kind, in all; counted when it is started */
	unsigned int failures; /* in a row, each after a life shorter than stable_ns */
	int64_t restarted_ns[BERTH_SERVICE_LIMIT_MAX]; /* when the policy last decided on one: a
							  ring */
	unsigned int restarted_next; /* so many, since somebody asked for a start or restart */
};

/* What came with ON_MAIN_ENDED. */
struct berth_service_facts {
	bool main_failed;
	bool tree_listens; /* a process of the tree still holds a listening socket of it */
};

/*
 * One step at @now_ns (CLOCK_MONOTONIC). @facts is read for ON_MAIN_ENDED only (else NULL allowed).
 * Returns a set of actions. An ON_TIMER before deadline_ns changes nothing. Invariants: a stop
 * always ends in STOPPED or FAILED once TREE_GONE comes; never READY without ON_READY in this life;
 * SPAWN only when nothing lives; after a stop nothing is spawned unless START or RESTART come
 * again; never KEEP with DROP, and between KEEP and its SPAWN no DROP but with FINISH.
 */
unsigned int berth_service_step(struct berth_service *service, enum berth_service_event event,
				const struct berth_service_facts *facts, int64_t now_ns);
