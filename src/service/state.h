/* SPDX-License-Identifier: MIT */
/* service/state.h - the life of one service: state x event -> actions, pure */
#pragma once

#include "base/attr.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * The words are those of the JSON output. What each state means, and how it is left:
 *
 *   WAITING   nothing started yet; its ports may be leased
 *             -> STARTING on START
 *   STARTING  a process lives, its declared ports don't listen
 *             -> READY on LISTENING; STOPPING on MAIN_ENDED, STOP; FAILED on START_FAILED
 *   READY     all its declared ports listen, or the main one
 *             -> UNREADY on NOT_LISTENING; STOPPING on MAIN_ENDED, STOP; the end on TREE_GONE
 *   UNREADY   was ready, does not listen at present
 *             -> READY on LISTENING; else as READY
 *   STOPPING  on its way out; processes are ended, none are started
 *             -> STOPPED, FAILED or, in a restart, STARTING on TREE_GONE
 *   STOPPED   nothing of it lives; ended as asked, or by itself with exit 0
 *   FAILED    nothing of it lives; ended by itself, otherwise
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
	BERTH_SERVICE_ON_LISTENING, /* all declared ports, or the main one */
	BERTH_SERVICE_ON_NOT_LISTENING,
	BERTH_SERVICE_ON_MAIN_ENDED, /* the process that we started; others of its tree may live */
	BERTH_SERVICE_ON_TREE_GONE, /* nothing of it lives */
	BERTH_SERVICE_ON_STOP, /* asked by a user, an owner's end, a time that is up */
	BERTH_SERVICE_ON_INTERRUPT, /* Ctrl-C: the terminal has told the whole foreground group
				       already */
	BERTH_SERVICE_ON_KILL, /* stop without grace: second Ctrl-C, the guardian has died */
	BERTH_SERVICE_ON_RESTART,
	BERTH_SERVICE_ON_TIMER,
	BERTH_SERVICE_EVENT_COUNT_,
};

/* What the caller does, in the order of the bits. */
enum berth_service_action {
	BERTH_SERVICE_DO_SPAWN = 1 << 0,
	BERTH_SERVICE_DO_DROP =
		1 << 1, /* close our duplicates of its sockets: from here on it refuses by itself */
	BERTH_SERVICE_DO_SIGNAL_MAIN =
		1 << 2, /* the stop signal to the process that we started, then SIGCONT */
	BERTH_SERVICE_DO_SIGNAL_TREE = 1 << 3, /* the same to all that lives of it */
	BERTH_SERVICE_DO_KILL_TREE = 1 << 4, /* SIGKILL, until nobody is left */
	BERTH_SERVICE_DO_TELL_READY = 1 << 5,
	BERTH_SERVICE_DO_TELL_SILENT =
		1 << 6, /* it lives and listens on nothing after the notice time */
	BERTH_SERVICE_DO_FINISH = 1 << 7, /* release the ports, record the end, leave */
};

struct berth_service_times {
	int64_t grace_ns; /* from the stop signal to SIGKILL */
	int64_t notice_ns; /* from the start to "listens on nothing" */
	int64_t daemon_ns; /* how long a tree whose first process left with 0 before anything
			      listened may take to listen */
};

/*
 * Zeroed, with times set, is a service that was never started. Written by berth_service_step()
 * only.
 */
struct berth_service {
	struct berth_service_times times;
	enum berth_service_state state;
	int64_t deadline_ns; /* when ON_TIMER is due; 0: never */
	bool was_ready; /* in this life */
	bool main_gone;
	bool background; /* it listens without its first process, if not on all its ports */
	bool main_failed; /* it ended otherwise than with exit 0 */
	bool asked; /* somebody wanted the end */
	bool again; /* a restart: STOPPING leads to the next life */
	bool told; /* in STOPPING: the first process has got our stop signal */
	bool half_over; /* in STOPPING: the first half of the grace period */
	unsigned int pressure; /* in STOPPING: 0 main asked, 1 tree asked, 2 killed */
	unsigned int restarts;
};

/* What came with ON_MAIN_ENDED. */
struct berth_service_facts {
	bool main_failed;
	bool tree_listens; /* a process of the tree still holds a listening socket of it */
};

/*
 * One step at @now_ns (CLOCK_MONOTONIC). @facts is read for ON_MAIN_ENDED only (else NULL allowed).
 * Returns a set of actions. Invariants: a stop always ends in STOPPED or FAILED once TREE_GONE
 * comes; never READY without LISTENING; SPAWN only when nothing lives.
 */
unsigned int berth_service_step(struct berth_service *service, enum berth_service_event event,
				const struct berth_service_facts *facts, int64_t now_ns);
