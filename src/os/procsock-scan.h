/* SPDX-License-Identifier: MIT */
/* os/procsock-scan.h - the descriptors of one process after the other, for procsock.c */
#pragma once

#include "os/procsock.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

enum {
	/* Of so many sockets comparing is less work than looking. */
	BERTH_PROCSOCK_SCAN_SAMPLES_MAX = 2,
	/* Standard input, output and error. */
	BERTH_PROCSOCK_SCAN_STANDARD = 3,
};

/*
 * What all threads of a search have in common. Nothing changes while they run but what is atomic,
 * and @samples under the lock.
 */
struct berth_procsock_scan {
	int proc_fd;
	bool sized; /* the size of a /proc/PID/fd is told */
	const uint64_t *inodes; /* sorted; NULL: all */
	size_t inode_count;
	const pid_t *pids;
	size_t pid_count;
	size_t from; /* of @pids: the one to begin with */
	bool anonymous; /* start_ticks are not asked for */
	atomic_int error; /* of any thread: all end */
	bool compares; /* with samples, see procsock-scan.c */
	pthread_mutex_t lock;
	/* A holder of each of @inodes; a bit of @sampled for each that is known, and stays. */
	struct berth_procsock samples[BERTH_PROCSOCK_SCAN_SAMPLES_MAX];
	atomic_uint sampled;
};

/* A process whose descriptor of some number is none of the sought sockets. */
struct berth_procsock_scan_other {
	pid_t pid; /* 0: none known */
	bool used; /* another one's was found to be the same, and was not looked at */
	unsigned int misses; /* since the last one that was */
};

/* One thread of them. */
struct berth_procsock_scan_worker {
	struct berth_procsock_scan *scan;
	struct berth_procsock *found; /* owned */
	size_t size, count, first; /* first: of the process at hand */
	unsigned int hidden;
	pid_t pid; /* at hand */
	int seen_below; /* of its descriptors: looked at already */
	struct berth_procsock_scan_other others[BERTH_PROCSOCK_SCAN_STANDARD]; /* by number */
	pid_t *passed; /* owned: who has something that was not looked at */
	size_t passed_size, passed_count;
	bool doubts; /* one of the others may not have been what it was taken for */
	bool settling; /* all is looked at */
};

/* "socket:[4711]" */
bool berth_procsock_scan_parse_link(const char *link, size_t len, uint64_t *ret_inode);
/*
 * Adds what the process has of the sought sockets, the lowest of its descriptors for each among
 * them. A process that has gone has nothing. -EMFILE, -ENOMEM, -E2BIG.
 */
BERTH_MUST_USE int berth_procsock_scan_process(struct berth_procsock_scan_worker *worker,
					       pid_t pid);
/*
 * After all processes: looks again at those of which something was passed over that can't be
 * answered for any more. As the above.
 */
BERTH_MUST_USE int berth_procsock_scan_settle(struct berth_procsock_scan_worker *worker);
void berth_procsock_scan_worker_deinit(struct berth_procsock_scan_worker *worker);
/*
 * Any one of the first sockets that the process has, told by a look or two: it was made about when
 * the process was. False: that can't be told, or they are no sockets.
 */
bool berth_procsock_scan_glimpse(const struct berth_procsock_scan *scan, pid_t pid,
				 uint64_t *ret_inode);
/* Is a holder known of scan->inodes[which]? */
bool berth_procsock_scan_has_sample(struct berth_procsock_scan *scan, size_t which);
/* In the end: was nobody compared with what is no sample any more? */
bool berth_procsock_scan_is_true(struct berth_procsock_scan *scan);
