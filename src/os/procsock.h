/* SPDX-License-Identifier: MIT */
/* os/procsock.h - which processes have which sockets, as /proc tells */
#pragma once

#include "base/attr.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * The inode behind descriptor @fd of process @pid where that is a socket; -ENOENT closed or no
 * socket, -EACCES.
 */
BERTH_MUST_USE int berth_procsock_inode(pid_t pid, int fd, uint64_t *ret_inode);

/* That process @pid has socket @inode, and its lowest number there. */
struct berth_procsock {
	uint64_t inode;
	pid_t pid;
	int fd;
	uint64_t start_ticks; /* of the process: with @pid its identity */
};

struct berth_procsock_query {
	const uint64_t *inodes; /* borrowed, in any order; NULL: every socket there is */
	size_t inode_count;
	const pid_t *pids; /* borrowed; NULL: every process */
	size_t pid_count;
	bool anonymous; /* start_ticks are not needed (0): to read them is a fourth of the work */
};

struct berth_procsock_list {
	struct berth_procsock *found; /* owned; by inode, then pid, one of each pair */
	size_t count;
	unsigned int hidden; /* processes with descriptors that we may not see */
};

/*
 * Which processes have which sockets: looks at /proc/PID/fd of all, in several threads if they are
 * many. Some 3 us a descriptor and 10 us a process; never in the path of a bind(). What comes or
 * goes meanwhile may be missing. 0 or -errno (-EMFILE, -ENOMEM, -E2BIG: millions of them).
 */
BERTH_MUST_USE int berth_procsock_load(const struct berth_procsock_query *query,
				       struct berth_procsock_list *ret_sockets);
void berth_procsock_list_deinit(struct berth_procsock_list *sockets);

/* The same for few: at most @max, by pid. *ret_hidden NULL allowed. */
BERTH_MUST_USE int berth_procsock_find(const uint64_t *inodes, size_t inode_count,
				       const pid_t *pids, size_t pid_count,
				       struct berth_procsock *ret_found, size_t max,
				       size_t *ret_count, size_t *ret_hidden);

/*
 * A duplicate of the very socket, with which it can be asked for what /proc does not tell; the
 * caller's to close, soon: as long as it is open the socket does not end. -EPERM, -EACCES: we may
 * not; -ENOENT: it is not there any more.
 */
BERTH_MUST_USE int berth_procsock_borrow(const struct berth_procsock *socket);
