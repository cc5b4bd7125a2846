/* SPDX-License-Identifier: MIT */
/* os/crew.h - a few threads that do many small things of the kernel's, and are gone */
#pragma once

#include "base/attr.h"

#include <pthread.h>
#include <stddef.h>

enum {
	BERTH_CREW_MAX = 4,
};

/*
 * Calls @fn for each number below @count, in no order, in as many threads as there are processors
 * to run them, the caller's among them, and returns when all is done. @worker, below
 * BERTH_CREW_MAX, tells the threads apart. A thread costs some 50 us: below @each things for one,
 * and where the system gives none, the caller does all by itself. They take no signals.
 */
void berth_crew_run(size_t count, size_t each, void (*fn)(size_t index, size_t worker, void *arg),
		    void *arg);
/*
 * One thread for something beside what the caller does, to be joined by it; it takes no signals
 * either. -EAGAIN: the system gives none.
 */
BERTH_MUST_USE int berth_crew_start(void *(*fn)(void *arg), void *arg, pthread_t *ret_thread);
