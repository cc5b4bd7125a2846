/* SPDX-License-Identifier: MIT */
/* os/procsock.h - which process has which socket, as /proc tells */
#pragma once

#include "base/attr.h"

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * The inode behind descriptor @fd of process @pid where that is a socket; -ENOENT closed or no
 * socket, -EACCES.
 */
BERTH_MUST_USE int berth_procsock_inode(pid_t pid, int fd, uint64_t *ret_inode);

struct berth_procsock {
	uint64_t inode;
	pid_t pid;
	int fd;
};

/*
 * Which processes hold a socket with one of @inodes? Scans /proc/PID/fd of @pids (NULL: of every
 * process, lowest pid first); what may not be read is passed over, and counted in *ret_unreadable
 * (NULL allowed). One result per process and inode, with the lowest descriptor; at most @max. Cost:
 * ~20 us a process; never in the path of a bind().
 */
BERTH_MUST_USE int berth_procsock_find(const uint64_t *inodes, size_t inode_count,
				       const pid_t *pids, size_t pid_count,
				       struct berth_procsock *ret_found, size_t max,
				       size_t *ret_count, size_t *ret_unreadable);
