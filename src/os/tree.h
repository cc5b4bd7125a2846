/* SPDX-License-Identifier: MIT */
/* os/tree.h - the offspring of a process, found and signalled by checked identity */
#pragma once

#include "base/attr.h"
#include "os/procfs.h"

struct berth_tree {
	struct berth_proc_stat *procs; /* owned; parents before their children */
	size_t count;
};

/*
 * All living descendants of @root (not itself), zombies left out; with what hangs below the
 * processes of @except (zero-terminated pids, NULL: none) left out. One look: what is born
 * meanwhile is seen by the next.
 */
BERTH_MUST_USE int berth_tree_load(pid_t root, const pid_t *except, struct berth_tree *ret_tree);
/*
 * The pids of @root and of all its descendants, the cheap way: by the lists of children that the
 * kernel keeps, which costs nothing for other processes. Identities are not checked, and who loses
 * his parent meanwhile is missed: for looking, not for signals. *ret_pids is owned by the caller.
 * -ENOENT: no such list here (CONFIG_PROC_CHILDREN), or @root has gone.
 */
BERTH_MUST_USE int berth_tree_list(pid_t root, pid_t **ret_pids, size_t *ret_count);
/*
 * Is @pid our only child (/proc/thread-self/children, CONFIG_PROC_CHILDREN)? False also where the
 * kernel does not tell.
 */
bool berth_tree_has_one_child(pid_t pid);
/* Have we a child, be it a zombie, that is none of @except? True also where that is not told. */
bool berth_tree_has_child_but(const pid_t *except);
void berth_tree_deinit(struct berth_tree *tree);

/*
 * Signal the process that @id names, and no other: pidfd first, then the start time. 0, -ESRCH
 * (gone, or somebody else by now), -EPERM.
 */
BERTH_MUST_USE int berth_tree_signal(const struct berth_proc_id *id, int signo);

/* Signal each of @tree; those that have gone are passed over. Returns how many were reached. */
size_t berth_tree_signal_all(const struct berth_tree *tree, int signo);
