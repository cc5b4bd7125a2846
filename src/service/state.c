/* SPDX-License-Identifier: MIT */
/*
 * service/state.c - the life of one service: state x event -> actions, pure
 *
 * The table below is the whole behaviour; what a row needs to know beside the state is in its
 * function. A stop raises pressure in three steps: the first process is asked (a shell or npm hands
 * the signal on, and a second one would make many servers drop their clients); at half of the grace
 * period, or as soon as the first process has gone, the rest of the tree is asked; at its end all
 * is killed. A tree whose first process left with 0 before anything listened has put itself into
 * the background and lives on; once something has listened, the end of the first process is the end
 * of the service unless the tree still listens.
 */
#include "service/state.h"

/* After SIGKILL: what was born after the look at the tree is met by the next one. */
enum {
	KILL_AGAIN_NS = 100 * 1000 * 1000
};

typedef unsigned int step_fn(struct berth_service *service, const struct berth_service_facts *facts,
			     int64_t now);

static const char *const names[] = {
#define X(id, name) [BERTH_SERVICE_##id] = name,
	BERTH_SERVICE_STATES(X)
#undef X
};

const char *berth_service_state_name(enum berth_service_state state)
{
	return names[state];
}

static unsigned int ignore(struct berth_service *service, const struct berth_service_facts *facts,
			   int64_t now)
{
	return 0;
}

static unsigned int start(struct berth_service *service, const struct berth_service_facts *facts,
			  int64_t now)
{
	service->state = BERTH_SERVICE_STARTING;
	service->was_ready = service->main_gone = service->main_failed = false;
	service->background = false;
	service->asked = service->again = false;
	service->pressure = 0;
	service->deadline_ns = now + service->times.notice_ns;
	return BERTH_SERVICE_DO_SPAWN;
}

static unsigned int start_failed(struct berth_service *service,
				 const struct berth_service_facts *facts, int64_t now)
{
	service->state = BERTH_SERVICE_FAILED;
	service->deadline_ns = 0;
	return BERTH_SERVICE_DO_FINISH;
}

static unsigned int listening(struct berth_service *service,
			      const struct berth_service_facts *facts, int64_t now)
{
	bool first = !service->was_ready;

	service->state = BERTH_SERVICE_READY;
	service->was_ready = true;
	service->deadline_ns = 0;
	return first ? BERTH_SERVICE_DO_TELL_READY : 0;
}

static unsigned int not_listening(struct berth_service *service,
				  const struct berth_service_facts *facts, int64_t now)
{
	service->state = BERTH_SERVICE_UNREADY;
	return 0;
}

static unsigned int begin_stop(struct berth_service *service, int64_t now, unsigned int pressure)
{
	service->state = BERTH_SERVICE_STOPPING;
	service->pressure = pressure;
	service->half_over = false;
	service->told = true;
	service->deadline_ns = now + (pressure == 2 ? KILL_AGAIN_NS : service->times.grace_ns / 2);
	if (pressure == 2)
		return BERTH_SERVICE_DO_DROP | BERTH_SERVICE_DO_KILL_TREE;
	return BERTH_SERVICE_DO_DROP |
	       (pressure ? BERTH_SERVICE_DO_SIGNAL_TREE : BERTH_SERVICE_DO_SIGNAL_MAIN);
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
	return begin_stop(service, now, 2);
}

static unsigned int restart(struct berth_service *service, const struct berth_service_facts *facts,
			    int64_t now)
{
	unsigned int actions = begin_stop(service, now, service->main_gone ? 1 : 0);

	/* Its listening sockets stay ours until the next life binds: nobody slips in between. */
	service->again = true;
	return actions & ~(unsigned int)BERTH_SERVICE_DO_DROP;
}

static unsigned int main_ended(struct berth_service *service,
			       const struct berth_service_facts *facts, int64_t now)
{
	service->main_gone = true;
	service->main_failed = facts->main_failed;
	service->background = !facts->main_failed && facts->tree_listens;
	if (service->background)
		return 0;
	if (!facts->main_failed && !service->was_ready) {
		service->deadline_ns = now + service->times.daemon_ns;
		return 0;
	}
	return begin_stop(service, now, 1);
}

static unsigned int main_left(struct berth_service *service,
			      const struct berth_service_facts *facts, int64_t now)
{
	service->main_gone = true;
	service->main_failed = facts->main_failed;
	if (service->pressure)
		return 0;
	service->pressure = 1;
	return BERTH_SERVICE_DO_SIGNAL_TREE;
}

static unsigned int finish(struct berth_service *service)
{
	service->deadline_ns = 0;
	service->state = service->asked || (service->main_gone && !service->main_failed)
				 ? BERTH_SERVICE_STOPPED
				 : BERTH_SERVICE_FAILED;
	return BERTH_SERVICE_DO_FINISH;
}

static unsigned int tree_gone(struct berth_service *service,
			      const struct berth_service_facts *facts, int64_t now)
{
	if (!service->again)
		return finish(service);
	service->restarts++;
	return start(service, facts, now);
}

static unsigned int overdue(struct berth_service *service, const struct berth_service_facts *facts,
			    int64_t now)
{
	service->deadline_ns = 0;
	/* It had gone into the background, and has not listened in all that time: leftovers. */
	if (service->main_gone && !service->background)
		return begin_stop(service, now, 1);
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
		service->deadline_ns += service->times.grace_ns / 2;
		return ask_tree ? BERTH_SERVICE_DO_SIGNAL_TREE : 0;
	}
	service->pressure = 2;
	service->deadline_ns = now + KILL_AGAIN_NS;
	return BERTH_SERVICE_DO_KILL_TREE;
}

/*
 * A stop within a stop ends a restart, and says what a Ctrl-C may not have said; else it adds
 * nothing.
 */
static unsigned int stop_too(struct berth_service *service, const struct berth_service_facts *facts,
			     int64_t now)
{
	unsigned int actions = service->again ? BERTH_SERVICE_DO_DROP : 0;

	if (!service->told && !service->main_gone)
		actions |= BERTH_SERVICE_DO_SIGNAL_MAIN;
	service->told = true;
	service->asked = true;
	service->again = false;
	return actions;
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
	/*                    WAITING       STARTING      READY          UNREADY     STOPPING     STOPPED  FAILED */
	ON(START)         = { start,        ignore,       ignore,        ignore,     ignore,      start,   start },
	ON(START_FAILED)  = { start_failed, start_failed, ignore,        ignore,     ignore,      ignore,  ignore },
	ON(LISTENING)     = { ignore,       listening,    listening,     listening,  ignore,      ignore,  ignore },
	ON(NOT_LISTENING) = { ignore,       ignore,       not_listening, ignore,     ignore,      ignore,  ignore },
	ON(MAIN_ENDED)    = { ignore,       main_ended,   main_ended,    main_ended, main_left,   ignore,  ignore },
	ON(TREE_GONE)     = { ignore,       tree_gone,    tree_gone,     tree_gone,  tree_gone,   ignore,  ignore },
	ON(STOP)          = { cancel,       stop,         stop,          stop,       stop_too,    ignore,  ignore },
	ON(INTERRUPT)     = { cancel,       interrupt,    interrupt,     interrupt,  ignore,      ignore,  ignore },
	ON(KILL)          = { cancel,       kill_all,     kill_all,      kill_all,   kill_all,    ignore,  ignore },
	ON(RESTART)       = { ignore,       restart,      restart,       restart,    begin_again, ignore,  ignore },
	ON(TIMER)         = { ignore,       overdue,      ignore,        ignore,     press,       ignore,  ignore },
};
#undef ON
/* clang-format on */

unsigned int berth_service_step(struct berth_service *service, enum berth_service_event event,
				const struct berth_service_facts *facts, int64_t now_ns)
{
	return table[event][service->state](service, facts, now_ns);
}
