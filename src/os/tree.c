/* SPDX-License-Identifier: MIT */
/*
 * os/tree.c - the offspring of a process, found and signalled by checked identity
 *
 * The parents of all processes of the machine are read in one pass over /proc, then the tree is
 * grown from its root. A process whose parent dies between the two reads may be missed; below a
 * subreaper (PR_SET_CHILD_SUBREAPER) it hangs at the root the next time, so callers that must reach
 * everybody look again until nobody is left.
 *
 * That pass costs some microseconds for each process of the machine. It is spared where the kernel
 * says at once that the root has no child, and so no offspring: the usual case at an end.
 */
#include "os/tree.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "os/child.h"
#include "os/statefile.h"

/*
 * More processes than a machine has: pid_max on 64 bits is 4 million, but a table that large says
 * that something is wrong.
 */
enum {
	PROCESSES_MAX = 1 << 20,
	CHILDREN_MAX = 64 << 10, /* bytes of a list of them; with more, one looks at all */
};

struct census {
	struct berth_proc_stat *procs;
	size_t count, size;
};

static int count_process(pid_t pid, void *arg)
{
	struct census *census = arg;
	int r;

	if (census->count == census->size) {
		size_t size = census->size ? census->size * 2 : 256;
		struct berth_proc_stat *grown;

		if (size > PROCESSES_MAX)
			return -E2BIG;
		grown = reallocarray(census->procs, size, sizeof(*grown));
		if (!grown)
			return -ENOMEM;
		census->procs = grown;
		census->size = size;
	}
	r = berth_procfs_stat(pid, &census->procs[census->count]);
	if (r == 0)
		census->count++;
	return r == -ESRCH ? 0 : r;
}

static bool is_among(pid_t pid, const pid_t *pids)
{
	for (; pids && *pids; pids++)
		if (*pids == pid)
			return true;
	return false;
}

static bool has_parent_in(const struct berth_proc_stat *proc, pid_t root,
			  const struct berth_proc_stat *tree, size_t count)
{
	if (proc->ppid == root)
		return true;
	for (size_t i = 0; i < count; i++)
		if (tree[i].id.pid == proc->ppid)
			return true;
	return false;
}

/* Move the descendants to the front, generation after generation. */
static size_t grow(struct census *census, pid_t root, const pid_t *except)
{
	size_t count = 0, before;

	do {
		before = count;
		for (size_t i = count; i < census->count; i++) {
			struct berth_proc_stat proc = census->procs[i];

			if (is_among(proc.id.pid, except) ||
			    !has_parent_in(&proc, root, census->procs, count))
				continue;
			census->procs[i] = census->procs[count];
			census->procs[count++] = proc;
		}
	} while (count > before);
	return count;
}

/* Does @path, a list of the children of a thread, name one that is none of @except? */
static bool names_child_but(const char *path, const pid_t *except)
{
	BERTH_AUTO_FREE char *text = NULL;
	char *at, *end;
	size_t len;

	if (berth_statefile_read(AT_FDCWD, path, CHILDREN_MAX, &text, &len) < 0)
		return true;
	for (at = text;; at = end) {
		pid_t pid = (pid_t)strtol(at, &end, 10);

		if (end == at)
			return false;
		if (!is_among(pid, except))
			return true;
	}
}

/* A child belongs to the thread that made it: only of the one of a single thread all are known. */
static bool is_childless(pid_t root, const pid_t *except)
{
	struct berth_proc_stat stat;
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", root, root);
	return berth_procfs_stat(root, &stat) == 0 && stat.threads == 1 &&
	       !names_child_but(path, except);
}

int berth_tree_load(pid_t root, const pid_t *except, struct berth_tree *ret_tree)
{
	struct census census = { 0 };
	size_t kept = 0, count;
	int r;

	if (is_childless(root, except)) {
		*ret_tree = (struct berth_tree){ 0 };
		return 0;
	}
	r = berth_procfs_each(count_process, &census);
	if (r < 0) {
		free(census.procs);
		return r;
	}
	count = grow(&census, root, except);
	for (size_t i = 0; i < count; i++)
		/* A process whose first thread has ended looks like a zombie and lives. */
		if ((census.procs[i].state != 'Z' && census.procs[i].state != 'X') ||
		    census.procs[i].threads > 1)
			census.procs[kept++] = census.procs[i];
	ret_tree->procs = census.procs;
	ret_tree->count = kept;
	return 0;
}

struct pid_list {
	pid_t *pids; /* owned */
	size_t count, size;
};

static int list_add(struct pid_list *list, pid_t pid)
{
	pid_t *grown;

	if (list->count == list->size) {
		if (list->size >= PROCESSES_MAX)
			return -E2BIG;
		grown = reallocarray(list->pids, list->size * 2 + 16, sizeof(*grown));
		if (!grown)
			return -ENOMEM;
		list->pids = grown;
		list->size = list->size * 2 + 16;
	}
	list->pids[list->count++] = pid;
	return 0;
}

/* The children of one thread. One that has ended meanwhile has none. */
static int list_children(struct pid_list *list, const char *path)
{
	BERTH_AUTO_FREE char *text = NULL;
	char *at, *end;
	size_t len;
	int r = berth_statefile_read(AT_FDCWD, path, CHILDREN_MAX, &text, &len);

	for (at = text; r == 0; at = end) {
		pid_t pid = (pid_t)strtol(at, &end, 10);

		if (end == at)
			return 0;
		r = list_add(list, pid);
	}
	return r;
}

static int list_children_of(struct pid_list *list, pid_t pid)
{
	char path[64];
	struct dirent *entry;
	DIR *tasks;
	int r = -ENOENT;

	snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
	tasks = opendir(path);
	if (!tasks)
		return -ENOENT;
	while (r != -ENOMEM && r != -E2BIG && (entry = readdir(tasks))) {
		int one;

		if (entry->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "/proc/%d/task/%.20s/children", (int)pid,
			 entry->d_name);
		one = list_children(list, path);
		r = one == 0 || one == -ENOMEM || one == -E2BIG ? one : r;
	}
	closedir(tasks);
	return r;
}

int berth_tree_list(pid_t root, pid_t **ret_pids, size_t *ret_count)
{
	struct pid_list list = { 0 };
	int r = list_add(&list, root);

	/* The list grows while it is gone through: generation after generation. */
	for (size_t i = 0; r == 0 && i < list.count; i++) {
		r = list_children_of(&list, list.pids[i]);
		if (r == -ENOENT && i > 0)
			r = 0;
	}
	if (r < 0) {
		free(list.pids);
		return r;
	}
	*ret_pids = list.pids;
	*ret_count = list.count;
	return 0;
}

bool berth_tree_has_one_child(pid_t pid)
{
	BERTH_AUTO_FREE char *text = NULL;
	char expected[32];
	size_t len;

	snprintf(expected, sizeof(expected), "%d ", pid);
	return berth_statefile_read(AT_FDCWD, "/proc/thread-self/children", 4096, &text, &len) ==
		       0 &&
	       strcmp(text, expected) == 0;
}

bool berth_tree_has_child_but(const pid_t *except)
{
	return names_child_but("/proc/thread-self/children", except);
}

void berth_tree_deinit(struct berth_tree *tree)
{
	free(BERTH_STEAL(tree->procs));
	tree->count = 0;
}

int berth_tree_signal(const struct berth_proc_id *id, int signo)
{
	BERTH_AUTO_FD int pidfd = berth_child_open(id->pid);
	struct berth_proc_stat now;
	int r;

	if (pidfd < 0)
		return pidfd;
	/*
	 * The pidfd holds whoever has the number now; if that is still the one we mean, it will be
	 * so when the signal goes.
	 */
	r = berth_procfs_stat(id->pid, &now);
	if (r < 0)
		return r;
	if (now.id.start_ticks != id->start_ticks)
		return -ESRCH;
	return berth_child_signal(pidfd, signo);
}

size_t berth_tree_signal_all(const struct berth_tree *tree, int signo)
{
	size_t reached = 0;

	for (size_t i = 0; i < tree->count; i++)
		if (berth_tree_signal(&tree->procs[i].id, signo) == 0)
			reached++;
	return reached;
}
