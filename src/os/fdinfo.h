/* SPDX-License-Identifier: MIT */
/* os/fdinfo.h - what /proc says of the descriptors of a process */
#pragma once

#include "base/attr.h"

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum {
	BERTH_FDINFO_EPOLLS = 256, /* epoll descriptors of one process that we look at */
};

/*
 * Each @pid may be a thread's: then it is the table of that very thread. -ESRCH: it has gone;
 * -EACCES, -EPERM: not ours to look at; -ENOENT: it has no such descriptor.
 */

/* What of its table concerns one socket. */
struct berth_fdinfo_table {
	unsigned int copies; /* descriptors of that socket */
	size_t epoll_count;
	int epolls[BERTH_FDINFO_EPOLLS]; /* numbers of its epoll descriptors */
};

/*
 * One pass over the table, for the socket that @socket_fd of ours is a duplicate of. -E2BIG: more
 * epoll descriptors than we look at. Cost: ~1 us for each descriptor of the process.
 */
BERTH_MUST_USE int berth_fdinfo_scan(pid_t pid, int socket_fd,
				     struct berth_fdinfo_table *ret_table);

/* O_* of descriptor @fd, FD_CLOEXEC as O_CLOEXEC. */
BERTH_MUST_USE int berth_fdinfo_flags(pid_t pid, int fd, unsigned int *ret_flags);

/* A registration in an epoll descriptor. */
struct berth_fdinfo_watch {
	int fd; /* the number that it was made with; may be closed, or another file's by now */
	uint32_t events;
	uint64_t data;
	uint64_t inode;
	uint32_t dev; /* of the file system, as the kernel numbers it */
};

/*
 * The registrations in epoll descriptor @epoll_fd of process @pid that mean the file @socket_fd of
 * ours; -E2BIG: more than @max.
 */
BERTH_MUST_USE int berth_fdinfo_watches(pid_t pid, int epoll_fd, int socket_fd,
					struct berth_fdinfo_watch *ret_watches, size_t max,
					size_t *ret_count);

/* A line of such a file, without its newline, pure. -EINVAL: it says something else. */
BERTH_MUST_USE int berth_fdinfo_parse_flags(const char *line, size_t len, unsigned int *ret_flags);
BERTH_MUST_USE int berth_fdinfo_parse_watch(const char *line, size_t len,
					    struct berth_fdinfo_watch *ret_watch);
