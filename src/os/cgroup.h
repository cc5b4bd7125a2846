/* SPDX-License-Identifier: MIT */
/* os/cgroup.h - a control group of one's own: cgroups(7), version 2 */
#pragma once

#include "base/attr.h"

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct berth_cgroup {
	char path[PATH_MAX]; /* of the folder; "": none */
	int fd; /* owned, O_PATH; -1: none */
};

/*
 * Make a group called @name below our own. -EACCES, -EROFS, -ENOENT (no version 2 here) ...: it
 * can't be had, which is the ordinary case in an ssh session and in containers.
 */
BERTH_MUST_USE int berth_cgroup_new(const char *name, struct berth_cgroup *ret_cgroup);
/* SIGKILL to everything in it, at once and without a race (cgroup.kill, 5.14). */
BERTH_MUST_USE int berth_cgroup_kill(const char *path);
/* How many of its processes the kernel ended for want of memory; 0 where it does not tell. */
unsigned long berth_cgroup_oom_kills(const char *path);
/*
 * Remove the group at @path. The dead leave a group a moment after their end: waits for that, at
 * most 200 ms. -EBUSY: somebody lives in it still.
 */
int berth_cgroup_remove_path(const char *path);
/* Remove the group, which must be empty by now (-EBUSY), and close it. Harmless on none. */
int berth_cgroup_remove(struct berth_cgroup *cgroup);

/* The text of /proc/PID/cgroup, which anybody may read; the caller frees it. -ESRCH ... */
BERTH_MUST_USE int berth_cgroup_of(pid_t pid, char **ret_text);
/*
 * The path of the group with this id (the inode of its folder, as sock_diag(7) tells it), from the
 * mount of version 2 on: "/system.slice/nginx.service". Looks through all groups: some 10 us for
 * each. -ENOENT.
 */
BERTH_MUST_USE int berth_cgroup_find(uint64_t id, char *buf, size_t size);
