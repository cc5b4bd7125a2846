/* SPDX-License-Identifier: MIT */
/* service/rollout.h - the rolling restart of a service's workers, one after the other, pure */
#pragma once

#include <stdbool.h>

/*
 * A worker has an old generation and is to get a new one. What each phase means for the worker of
 * which it is the turn (number), and how it is left:
 *
 *   IDLE      nothing rolls yet
 *             -> STARTING on BEGIN
 *   STARTING  its new generation is on its way, the old one serves
 *             -> STOPPING on NEW_READY; ALONE if the old one ends; ABORTED on NEW_ENDED
 *   ALONE     its new generation is on its way, nothing of the old one is left
 *             -> the next one's STARTING or DONE on NEW_READY; ABORTED on NEW_ENDED
 *   STOPPING  its new generation is ready, the old one is being stopped
 *             -> the next one's STARTING or DONE on OLD_GONE; LAST on NEW_ENDED
 *   LAST      as STOPPING, but the new one has ended since: nothing more is replaced by its like
 *             -> ABORTED on OLD_GONE
 *   DONE      all have their new generation
 *   ABORTED   the new generation is no good, or the service was stopped
 *             both: -> STARTING on BEGIN
 *
 * STOP leads to ABORTED from all that roll. BEGIN while it rolls changes nothing.
 */
#define BERTH_ROLLOUT_PHASES(X) \
	X(IDLE) \
	X(STARTING) \
	X(ALONE) \
	X(STOPPING) \
	X(LAST) \
	X(DONE) \
	X(ABORTED)

enum berth_rollout_phase {
#define X(id) BERTH_ROLLOUT_##id,
	BERTH_ROLLOUT_PHASES(X)
#undef X
	BERTH_ROLLOUT_PHASE_COUNT_,
};

enum berth_rollout_event {
	BERTH_ROLLOUT_ON_BEGIN,
	BERTH_ROLLOUT_ON_NEW_READY,
	BERTH_ROLLOUT_ON_NEW_ENDED, /* nothing of the new generation lives */
	BERTH_ROLLOUT_ON_OLD_GONE, /* nothing of the old generation lives, after STOP_OLD */
	BERTH_ROLLOUT_ON_OLD_ENDED_EARLY, /* the same, by itself; also when STOP_OLD came too late
					     to be the cause */
	BERTH_ROLLOUT_ON_STOP, /* the whole service is to end: the caller stops all generations */
	BERTH_ROLLOUT_EVENT_COUNT_,
};

/* What the caller does, in the order of the bits; all of it for the worker 'number'. */
enum berth_rollout_action {
	BERTH_ROLLOUT_DO_STOP_OLD = 1 << 0,
	BERTH_ROLLOUT_DO_START_NEW = 1 << 1,
	BERTH_ROLLOUT_DO_DONE = 1 << 2,
	/*
	 * It is over, and those from 'number' on keep their old generation; the one of 'number'
	 * itself has ended where old_gone says so, and its new one has as well: what follows is
	 * the policy's affair.
	 */
	BERTH_ROLLOUT_DO_ABORT = 1 << 3,
};

/*
 * Zeroed is one that never began. Written by berth_rollout_step() only. While it rolls the caller
 * starts no worker again whose old generation has ended, if it is the one of 'number'.
 */
struct berth_rollout {
	enum berth_rollout_phase phase;
	unsigned int number; /* of the worker whose turn it is, from 1 */
	unsigned int count;
	bool old_gone; /* of this worker nothing old is left */
};

bool berth_rollout_is_rolling(const struct berth_rollout *rollout);

/*
 * @number: how many workers there are for BEGIN, else the worker of which the event tells (0 for
 * STOP); what is told of another one than rollout->number changes nothing. Returns a set of
 * actions. Invariants: at most one number has two generations; an old one is stopped only after its
 * new one was ready; nothing is started or stopped after DONE or ABORT.
 */
unsigned int berth_rollout_step(struct berth_rollout *rollout, enum berth_rollout_event event,
				unsigned int number);
