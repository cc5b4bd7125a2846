/* SPDX-License-Identifier: MIT */
/*
 * service/rollout.c - the rolling restart of a service's workers, one after the other, pure
 *
 * The table below is the whole behaviour. The new generation is started beside the old one, so that
 * at no moment fewer workers serve than before; the old one is asked to end only when the new one
 * is ready. The first new one that does not get there ends the rollout, and costs nobody anything.
 */
#include "service/rollout.h"

typedef unsigned int step_fn(struct berth_rollout *rollout, unsigned int number);

static unsigned int ignore(struct berth_rollout *rollout, unsigned int number)
{
	return 0;
}

static unsigned int turn_to(struct berth_rollout *rollout, unsigned int number)
{
	if (number > rollout->count) {
		rollout->phase = BERTH_ROLLOUT_DONE;
		return BERTH_ROLLOUT_DO_DONE;
	}
	rollout->phase = BERTH_ROLLOUT_STARTING;
	rollout->number = number;
	rollout->old_gone = false;
	return BERTH_ROLLOUT_DO_START_NEW;
}

static unsigned int begin(struct berth_rollout *rollout, unsigned int count)
{
	*rollout = (struct berth_rollout){ .count = count };
	return turn_to(rollout, 1);
}

static unsigned int replace(struct berth_rollout *rollout, unsigned int number)
{
	rollout->phase = BERTH_ROLLOUT_STOPPING;
	return BERTH_ROLLOUT_DO_STOP_OLD;
}

static unsigned int lose_old(struct berth_rollout *rollout, unsigned int number)
{
	rollout->phase = BERTH_ROLLOUT_ALONE;
	rollout->old_gone = true;
	return 0;
}

static unsigned int go_on(struct berth_rollout *rollout, unsigned int number)
{
	rollout->old_gone = true;
	return turn_to(rollout, number + 1);
}

/*
 * It was ready and did not last. The old one has been told to end already; before it has, another
 * rollout must not begin.
 */
static unsigned int lose_new(struct berth_rollout *rollout, unsigned int number)
{
	rollout->phase = BERTH_ROLLOUT_LAST;
	return 0;
}

static unsigned int abort_it(struct berth_rollout *rollout, unsigned int number)
{
	rollout->phase = BERTH_ROLLOUT_ABORTED;
	return BERTH_ROLLOUT_DO_ABORT;
}

static unsigned int abort_last(struct berth_rollout *rollout, unsigned int number)
{
	rollout->old_gone = true;
	return abort_it(rollout, number);
}

/* clang-format off */
#define ON(event) [BERTH_ROLLOUT_ON_##event]
static step_fn *const table[BERTH_ROLLOUT_EVENT_COUNT_][BERTH_ROLLOUT_PHASE_COUNT_] = {
	/*                      IDLE    STARTING  ALONE     STOPPING  LAST        DONE    ABORTED */
	ON(BEGIN)           = { begin,  ignore,   ignore,   ignore,   ignore,     begin,  begin },
	ON(NEW_READY)       = { ignore, replace,  go_on,    ignore,   ignore,     ignore, ignore },
	ON(NEW_ENDED)       = { ignore, abort_it, abort_it, lose_new, ignore,     ignore, ignore },
	ON(OLD_GONE)        = { ignore, lose_old, ignore,   go_on,    abort_last, ignore, ignore },
	ON(OLD_ENDED_EARLY) = { ignore, lose_old, ignore,   go_on,    abort_last, ignore, ignore },
	ON(STOP)            = { ignore, abort_it, abort_it, abort_it, abort_it,   ignore, ignore },
};
#undef ON
/* clang-format on */

bool berth_rollout_is_rolling(const struct berth_rollout *rollout)
{
	return rollout->phase != BERTH_ROLLOUT_IDLE && rollout->phase != BERTH_ROLLOUT_DONE &&
	       rollout->phase != BERTH_ROLLOUT_ABORTED;
}

unsigned int berth_rollout_step(struct berth_rollout *rollout, enum berth_rollout_event event,
				unsigned int number)
{
	bool of_a_worker = event != BERTH_ROLLOUT_ON_BEGIN && event != BERTH_ROLLOUT_ON_STOP;

	if (of_a_worker && number != rollout->number)
		return 0;
	return table[event][rollout->phase](rollout, number);
}
