/* SPDX-License-Identifier: MIT */
/* os/crew.c - a few threads that do many small things of the kernel's, and are gone */
/*
 * Nearly all the time that a look through /proc takes is the kernel's, for one file after another,
 * and nothing there keeps two threads from halving it. They take the next number from a common
 * counter, so none waits for another's share.
 */
#include "os/crew.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>

enum {
	THREAD_STACK = 128 << 10,
};

struct crew {
	void (*fn)(size_t index, size_t worker, void *arg);
	void *arg;
	size_t count;
	atomic_size_t next; /* the first that nobody has taken */
};

struct worker {
	struct crew *crew;
	size_t number;
	pthread_t thread;
};

static void *work(void *arg)
{
	struct worker *worker = arg;
	struct crew *crew = worker->crew;
	size_t index;

	while ((index = atomic_fetch_add(&crew->next, 1)) < crew->count)
		crew->fn(index, worker->number, crew->arg);
	return NULL;
}

/* Threads beside the caller's that are worth it. */
static size_t count_helpers(size_t count, size_t each)
{
	size_t useful = count / (each ? each : 1), cores;
	cpu_set_t set;

	if (useful < 2)
		return 0;
	/* With more than 1,024 processors it fails. */
	cores = sched_getaffinity(0, sizeof(set), &set) < 0 ? BERTH_CREW_MAX
							    : (size_t)CPU_COUNT(&set);
	useful = useful < cores ? useful : cores;
	return (useful < BERTH_CREW_MAX ? useful : BERTH_CREW_MAX) - 1;
}

/*
 * To begin on another processor than the caller's. What we do lasts some milliseconds, and left to
 * itself the scheduler may take as long to spread two threads that were born on one.
 */
static void keep_apart(pthread_attr_t *attr)
{
	int here = sched_getcpu();
	cpu_set_t set;

	if (here < 0 || here >= CPU_SETSIZE || sched_getaffinity(0, sizeof(set), &set) < 0)
		return;
	CPU_CLR((size_t)here, &set);
	if (CPU_COUNT(&set))
		(void)!pthread_attr_setaffinity_np(attr, sizeof(set), &set);
}

/* Signals stay the caller's. */
static int start(pthread_attr_t *attr, void *(*fn)(void *arg), void *arg, pthread_t *ret_thread)
{
	sigset_t all, before;
	int r;

	keep_apart(attr);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	r = pthread_create(ret_thread, attr, fn, arg);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return -r;
}

int berth_crew_start(void *(*fn)(void *arg), void *arg, pthread_t *ret_thread)
{
	pthread_attr_t attr;
	int r = pthread_attr_init(&attr);

	if (r)
		return -r;
	r = start(&attr, fn, arg, ret_thread);
	pthread_attr_destroy(&attr);
	return r;
}

/* How many of @workers run: fewer if the system gives no more. */
static size_t start_helpers(struct worker *workers, size_t count)
{
	pthread_attr_t attr;
	size_t started = 0;

	if (!count || pthread_attr_init(&attr))
		return 0;
	if (pthread_attr_setstacksize(&attr, THREAD_STACK) == 0)
		while (started < count &&
		       start(&attr, work, &workers[started], &workers[started].thread) == 0)
			started++;
	pthread_attr_destroy(&attr);
	return started;
}

void berth_crew_run(size_t count, size_t each, void (*fn)(size_t index, size_t worker, void *arg),
		    void *arg)
{
	struct crew crew = { .fn = fn, .arg = arg, .count = count };
	struct worker workers[BERTH_CREW_MAX];
	size_t helpers;

	for (size_t i = 0; i < BERTH_CREW_MAX; i++)
		workers[i] = (struct worker){ .crew = &crew, .number = i };
	helpers = start_helpers(workers + 1, count_helpers(count, each));
	work(&workers[0]);
	for (size_t i = 1; i <= helpers; i++)
		pthread_join(workers[i].thread, NULL);
}
