/* SPDX-License-Identifier: MIT */
/*
 * service/state.c - the life of one service: state x event -> actions, pure
 *
 * The table below is the whole behaviour; what a row needs to know beside the state is in its
 * function. A stop raises pressure in three steps: the first process is asked (a shell or npm hands
 * the signal on, and a second one would make many servers drop their clients); at half of the
 * grace period, or as soon as the first process has gone, the rest of the tree is asked; at its
 * end all is killed. Another grace period may bring that end nearer while it lasts, but never
 * farther away: who was promised it first relies on it. A tree whose first process left with 0
 * before anything listened has put itself into the background and lives on; once something has
 * listened, the end of the first process is the end of the service unless the tree still listens.
 *
 * Whether another life follows is decided when nothing lives any more, by what was asked, then the
 * policy, then the limit. It is foreseen when a stop begins, because what is kept for the next life
 * must not be dropped in between: whoever has room in the limit then has it at the end too, as time
 * only empties it.
 */
#include "service/state.h"

#include "base/time.h"

/* After SIGKILL: what was born after the look at the tree is met by the next one. */
enum {
	KILL_AGAIN_NS = 100 * BERTH_NS_PER_MS
};

typedef unsigned int step_fn(struct berth_service *service, const struct berth_service_facts *facts,
			     int64_t now);

static const char *const names[] = {
#define X(id, name) [BERTH_SERVICE_##id] = name,
	BERTH_SERVICE_STATES(X)
#undef X
};

static const char *const restart_names[] = {
#define X(id, name) [BERTH_SERVICE_RESTART_##id] = name,
	BERTH_SERVICE_RESTARTS(X)
#undef X
};

const char *berth_service_state_name(enum berth_service_state state)
{
	return names[state];
}

const char *berth_service_restart_name(enum berth_service_restart restart)
{
	return restart_names[restart];
}

/* xorshift32: it need only differ between services that fell together. */
static uint32_t draw(struct berth_service *service)
{
	service->seed ^= service->seed << 13;
	service->seed ^= service->seed >> 17;
	service->seed ^= service->seed << 5;
	return service->seed;
}

/* How long its end took does not count, nor a start that took too long. */
static bool was_stable(const struct berth_service *service, int64_t now)
{
	int64_t until = service->ending_ns ? service->ending_ns : now;

	return !service->timed_out && until - service->spawned_ns >= service->policy.stable_ns;
}

static int64_t next_delay(struct berth_service *service, int64_t now)
{
	const struct berth_service_policy *policy = &service->policy;
	int64_t delay = policy->backoff_max_ns;
	uint64_t jitter;

	if (was_stable(service, now)) {
		service->failures = 0;
		return 0;
	}
	/* Compared from above: a shift of the delay itself would overflow after some failures. */
	if (service->failures < 63 && policy->backoff_ns <= delay >> service->failures)
		delay = policy->backoff_ns << service->failures;
	service->failures++;
	if (!policy->backoff_ns)
		return 0;
	jitter = (uint64_t)draw(service) << 32;
	jitter |= draw(service);
	return delay + (int64_t)(jitter % (uint64_t)(delay / 4 + 1));
}

static bool wants_another(const struct berth_service *service)
{
	return !service->asked &&
	       (service->policy.restart == BERTH_SERVICE_RESTART_ALWAYS ||
		(service->policy.restart == BERTH_SERVICE_RESTART_ON_FAILURE && service->failed));
}

static bool is_at_limit(const struct berth_service *service, int64_t now)
{
	unsigned int limit = service->policy.limit;
	unsigned int oldest;

	if (limit > BERTH_SERVICE_LIMIT_MAX)
		limit = BERTH_SERVICE_LIMIT_MAX;
	if (!limit || service->restarted_next < limit)
		return false;
	oldest = (service->restarted_next - limit) % BERTH_SERVICE_LIMIT_MAX;
	return now - service->restarted_ns[oldest] < service->policy.limit_ns;
}

static bool will_live_again(const struct berth_service *service, int64_t now)
{
	return service->again || (wants_another(service) && !is_at_limit(service, now));
}

static unsigned int drop(struct berth_service *service)
{
	unsigned int actions = service->holds ? BERTH_SERVICE_DO_DROP : 0;

	service->holds = false;
	return actions;
}

static void set_deadline(struct berth_service *service)
{
	int64_t notice = service->notice_at_ns, timeout = service->timeout_at_ns;

	service->deadline_ns = timeout && (!notice || timeout < notice) ? timeout : notice;
}

static void clear_deadline(struct berth_service *service)
{
	service->deadline_ns = service->notice_at_ns = service->timeout_at_ns = 0;
}

static unsigned int ignore(struct berth_service *service, const struct berth_service_facts *facts,
			   int64_t now)
{
	return 0;
}

static unsigned int spawn(struct berth_service *service, int64_t now)
{
	const struct berth_service_policy *policy = &service->policy;

	service->state = BERTH_SERVICE_STARTING;
	service->was_ready = service->main_gone = service->background = false;
	service->failed = service->timed_out = service->unhealthy = service->gave_up = false;
	service->asked = service->again = service->told = service->half_over = false;
	service->pressure = 0;
	service->holds = true;
	service->spawned_ns = now;
	service->ending_ns = 0;
	service->notice_at_ns = policy->notice_ns ? now + policy->notice_ns : 0;
	service->timeout_at_ns = policy->start_timeout_ns ? now + policy->start_timeout_ns : 0;
	set_deadline(service);
	return BERTH_SERVICE_DO_SPAWN;
}

/* What somebody asked for begins anew, whatever came before. */
static void forgive(struct berth_service *service)
{
	service->failures = 0;
	service->restarted_next = 0;
}

static unsigned int start(struct berth_service *service, const struct berth_service_facts *facts,
			  int64_t now)
{
	forgive(service);
	return spawn(service, now);
}

static unsigned int start_again(struct berth_service *service,
				const struct berth_service_facts *facts, int64_t now)
{
	forgive(service);
	service->restarts++;
	return spawn(service, now);
}

static unsigned int start_now(struct berth_service *service,
			      const struct berth_service_facts *facts, int64_t now)
{
	return service->deadline_ns ? start_again(service, facts, now) : start(service, facts, now);
}

static unsigned int delay_over(struct berth_service *service,
			       const struct berth_service_facts *facts, int64_t now)
{
	service->restarts++;
	return spawn(service, now);
}

static unsigned int finish(struct berth_service *service)
{
	bool badly = service->failed || service->gave_up;

	clear_deadline(service);
	service->state = badly && !service->asked ? BERTH_SERVICE_FAILED : BERTH_SERVICE_STOPPED;
	return BERTH_SERVICE_DO_FINISH | drop(service);
}

/* Nothing lives, and somebody or the policy wants another life. */
static unsigned int live_again(struct berth_service *service, int64_t now, bool could_start)
{
	int64_t delay;

	if (service->again)
		return BERTH_SERVICE_DO_KEEP | start_again(service, NULL, now);
	service->restarted_ns[service->restarted_next++ % BERTH_SERVICE_LIMIT_MAX] = now;
	delay = next_delay(service, now);
	service->holds = true;
	/* What can't be started is tried again by the timer: at once would be from within itself. */
	if (!delay && could_start)
		return BERTH_SERVICE_DO_KEEP | delay_over(service, NULL, now);
	clear_deadline(service);
	service->state = BERTH_SERVICE_WAITING;
	service->deadline_ns = now + delay;
	return BERTH_SERVICE_DO_KEEP;
}

static unsigned int end_life(struct berth_service *service, int64_t now, bool could_start)
{
	if (will_live_again(service, now))
		return live_again(service, now, could_start);
	service->gave_up = wants_another(service);
	return finish(service);
}

static unsigned int start_failed(struct berth_service *service,
				 const struct berth_service_facts *facts, int64_t now)
{
	if (service->state == BERTH_SERVICE_WAITING && service->deadline_ns)
		return 0;
	service->failed = true;
	if (service->restarts || service->asked || service->again)
		return end_life(service, now, false);
	/* What never was alive, in no life, is a mistake in the command: no policy repairs it. */
	return finish(service);
}

static unsigned int tree_gone(struct berth_service *service,
			      const struct berth_service_facts *facts, int64_t now)
{
	if (!service->main_gone)
		service->failed = true;
	return end_life(service, now, true);
}

static unsigned int ready(struct berth_service *service, const struct berth_service_facts *facts,
			  int64_t now)
{
	bool first = !service->was_ready;

	service->state = BERTH_SERVICE_READY;
	service->was_ready = true;
	clear_deadline(service);
	return first ? BERTH_SERVICE_DO_TELL_READY : 0;
}

static unsigned int unready(struct berth_service *service, const struct berth_service_facts *facts,
			    int64_t now)
{
	service->state = BERTH_SERVICE_UNREADY;
	return 0;
}

static unsigned int begin_stop(struct berth_service *service, int64_t now, unsigned int pressure)
{
	static const unsigned int pressing[] = {
		BERTH_SERVICE_DO_SIGNAL_MAIN,
		BERTH_SERVICE_DO_SIGNAL_TREE,
		BERTH_SERVICE_DO_KILL_TREE,
	};

	if (!service->ending_ns)
		service->ending_ns = now;
	service->state = BERTH_SERVICE_STOPPING;
	service->pressure = pressure;
	service->half_over = false;
	service->told = true;
	clear_deadline(service);
	service->kill_at_ns = now + (pressure == 2 ? 0 : service->policy.grace_ns);
	service->deadline_ns = now + (pressure == 2 ? KILL_AGAIN_NS : service->policy.grace_ns / 2);
	return pressing[pressure] | (will_live_again(service, now) ? 0 : drop(service));
}

static unsigned int stop(struct berth_service *service, const struct berth_service_facts *facts,
			 int64_t now)
{
	service->asked = true;
	return begin_stop(service, now, service->main_gone ? 1 : 0);
}

/*
 * The foreground group has the signal; only what has left that group is still to be asked, once the
 * first process has gone.
 */
static unsigned int interrupt(struct berth_service *service,
			      const struct berth_service_facts *facts, int64_t now)
{
	unsigned int actions = stop(service, facts, now);

	if (service->main_gone)
		return actions;
	service->told = false;
	return actions & ~(unsigned int)BERTH_SERVICE_DO_SIGNAL_MAIN;
}

static unsigned int kill_all(struct berth_service *service, const struct berth_service_facts *facts,
			     int64_t now)
{
	service->asked = true;
	service->again = false;
	return begin_stop(service, now, 2) | BERTH_SERVICE_DO_DROP;
}

static unsigned int restart(struct berth_service *service, const struct berth_service_facts *facts,
			    int64_t now)
{
	service->again = true;
	return begin_stop(service, now, service->main_gone ? 1 : 0);
}

static unsigned int unhealthy(struct berth_service *service,
			      const struct berth_service_facts *facts, int64_t now)
{
	service->unhealthy = service->failed = true;
	return begin_stop(service, now, service->main_gone ? 1 : 0);
}

static unsigned int main_ended(struct berth_service *service,
			       const struct berth_service_facts *facts, int64_t now)
{
	service->main_gone = true;
	service->failed = facts->main_failed;
	service->background = !facts->main_failed && facts->tree_listens;
	if (service->background)
		return 0;
	if (!facts->main_failed && !service->was_ready) {
		service->notice_at_ns = now + service->policy.daemon_ns;
		set_deadline(service);
		return 0;
	}
	return begin_stop(service, now, 1);
}

static unsigned int main_left(struct berth_service *service,
			      const struct berth_service_facts *facts, int64_t now)
{
	service->main_gone = true;
	service->failed |= facts->main_failed;
	if (service->pressure)
		return 0;
	service->pressure = 1;
	return BERTH_SERVICE_DO_SIGNAL_TREE;
}

static unsigned int overdue(struct berth_service *service, const struct berth_service_facts *facts,
			    int64_t now)
{
	if (service->timeout_at_ns && service->timeout_at_ns <= now) {
		service->timed_out = service->failed = true;
		return begin_stop(service, now, service->main_gone ? 1 : 0);
	}
	/* It had gone into the background, and has not listened in all that time: leftovers. */
	if (service->main_gone && !service->background)
		return begin_stop(service, now, 1);
	service->notice_at_ns = 0;
	set_deadline(service);
	return BERTH_SERVICE_DO_TELL_SILENT;
}

static unsigned int press(struct berth_service *service, const struct berth_service_facts *facts,
			  int64_t now)
{
	if (service->pressure < 2 && !service->half_over) {
		bool ask_tree = service->pressure == 0;

		service->half_over = true;
		service->told = true;
		service->pressure = 1;
		service->deadline_ns = service->kill_at_ns;
		return ask_tree ? BERTH_SERVICE_DO_SIGNAL_TREE : 0;
	}
	service->pressure = 2;
	service->deadline_ns = now + KILL_AGAIN_NS;
	return BERTH_SERVICE_DO_KILL_TREE;
}

static unsigned int interrupt_too(struct berth_service *service,
				  const struct berth_service_facts *facts, int64_t now)
{
	service->asked = true;
	service->again = false;
	return drop(service);
}

/* It takes back the next life, and says what a Ctrl-C may not have said; else it adds nothing. */
static unsigned int stop_too(struct berth_service *service, const struct berth_service_facts *facts,
			     int64_t now)
{
	bool tell = !service->told && !service->main_gone;

	service->told = true;
	return interrupt_too(service, facts, now) | (tell ? BERTH_SERVICE_DO_SIGNAL_MAIN : 0);
}

/* As if it had begun now, where that ends sooner. */
static unsigned int hurry(struct berth_service *service, const struct berth_service_facts *facts,
			  int64_t now)
{
	int64_t grace = service->policy.grace_ns;
	int64_t next = now + (service->half_over ? grace : grace / 2);

	if (service->pressure == 2 || now + grace >= service->kill_at_ns)
		return 0;
	service->kill_at_ns = now + grace;
	if (next < service->deadline_ns)
		service->deadline_ns = next;
	return 0;
}

static unsigned int begin_again(struct berth_service *service,
				const struct berth_service_facts *facts, int64_t now)
{
	service->again = !service->asked;
	return 0;
}

static unsigned int cancel(struct berth_service *service, const struct berth_service_facts *facts,
			   int64_t now)
{
	service->asked = true;
	return finish(service);
}

/* clang-format off */
#define ON(event) [BERTH_SERVICE_ON_##event]
static step_fn *const table[BERTH_SERVICE_EVENT_COUNT_][BERTH_SERVICE_STATE_COUNT_] = {
	/*                   WAITING       STARTING      READY       UNREADY     STOPPING       STOPPED      FAILED */
	ON(START)        = { start_now,    ignore,       ignore,     ignore,     ignore,        start,       start },
	ON(START_FAILED) = { start_failed, start_failed, ignore,     ignore,     start_failed,  ignore,      ignore },
	ON(READY)        = { ignore,       ready,        ready,      ready,      ignore,        ignore,      ignore },
	ON(UNREADY)      = { ignore,       ignore,       unready,    ignore,     ignore,        ignore,      ignore },
	ON(UNHEALTHY)    = { ignore,       unhealthy,    unhealthy,  unhealthy,  ignore,        ignore,      ignore },
	ON(MAIN_ENDED)   = { ignore,       main_ended,   main_ended, main_ended, main_left,     ignore,      ignore },
	ON(TREE_GONE)    = { ignore,       tree_gone,    tree_gone,  tree_gone,  tree_gone,     ignore,      ignore },
	ON(STOP)         = { cancel,       stop,         stop,       stop,       stop_too,      ignore,      ignore },
	ON(INTERRUPT)    = { cancel,       interrupt,    interrupt,  interrupt,  interrupt_too, ignore,      ignore },
	ON(GRACE)        = { ignore,       ignore,       ignore,     ignore,     hurry,         ignore,      ignore },
	ON(KILL)         = { cancel,       kill_all,     kill_all,   kill_all,   kill_all,      ignore,      ignore },
	ON(RESTART)      = { start_now,    restart,      restart,    restart,    begin_again,   start_again, start_again },
	ON(TIMER)        = { delay_over,   overdue,      ignore,     ignore,     press,         ignore,      ignore },
};
#undef ON
/* clang-format on */

unsigned int berth_service_step(struct berth_service *service, enum berth_service_event event,
				const struct berth_service_facts *facts, int64_t now_ns)
{
	/* One that was due in an earlier state, and comes after the step that left it. */
	if (event == BERTH_SERVICE_ON_TIMER &&
	    (!service->deadline_ns || now_ns < service->deadline_ns))
		return 0;
	return table[event][service->state](service, facts, now_ns);
}
