/* SPDX-License-Identifier: MIT */
/* os/netns.c - the network namespaces of this machine, and a look into each */
/*
 * There is no list of them anywhere, but each process says which one it is in. A netlink socket
 * belongs for ever to the namespace that it was made in, so a short visit is enough to ask all
 * there is to ask. setns(2) is a matter of one thread: a helper goes from one to the next, and ends
 * where it came to last. So the caller is never anywhere else, and nothing has to be undone. It has
 * time for something else meanwhile, as 3 us a process are some milliseconds.
 *
 * A namespace that no process is in (ip-netns(8) makes them) is left out. So are those that only
 * processes are in that we may not look at: nobody but root can see that they are others.
 */
#include "os/netns.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "os/crew.h"
#include "os/procfs.h"
#include "os/sockdiag.h"

enum {
	PATH_LEN = 64,
};

struct other {
	uint64_t inode;
	pid_t pid; /* the lowest that is in it */
};

struct berth_netns_tour {
	pthread_t thread;
	uint64_t own;
	struct other *others; /* owned, by inode */
	size_t size, count;
	int (*fn)(uint64_t inode, int sockdiag, void *arg);
	void *arg;
	unsigned int closed;
	int result;
};

uint64_t berth_netns_own(void)
{
	struct stat st;

	return stat("/proc/thread-self/ns/net", &st) < 0 ? 0 : st.st_ino;
}

/* Where @inode is in the list, or would be. */
static size_t place_of(const struct berth_netns_tour *tour, uint64_t inode)
{
	size_t lo = 0, hi = tour->count;

	while (lo < hi) {
		size_t middle = lo + (hi - lo) / 2;

		if (tour->others[middle].inode < inode)
			lo = middle + 1;
		else
			hi = middle;
	}
	return lo;
}

static int insert(struct berth_netns_tour *tour, size_t at, struct other other)
{
	struct other *others;

	if (tour->count == tour->size) {
		size_t size = tour->size ? 2 * tour->size : 16;

		others = reallocarray(tour->others, size, sizeof(*others));
		if (!others)
			return -ENOMEM;
		tour->others = others;
		tour->size = size;
	}
	for (size_t i = tour->count++; i > at; i--)
		tour->others[i] = tour->others[i - 1];
	tour->others[at] = other;
	return 0;
}

/* The inode of the namespace that @pid is in; 0: we may not know. */
static uint64_t namespace_of(pid_t pid)
{
	static const char prefix[] = "net:[";
	char path[PATH_LEN], link[PATH_LEN];
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%d/ns/net", (int)pid);
	/* "net:[4026531840]": the name of the link costs half of a stat() of what it leads to. */
	n = readlink(path, link, sizeof(link) - 1);
	if (n <= 0)
		return 0;
	link[n] = '\0';
	if (strncmp(link, prefix, sizeof(prefix) - 1) != 0)
		return 0;
	return strtoull(link + sizeof(prefix) - 1, NULL, 10);
}

/* Lowest pids come first. */
static int list_others(struct berth_netns_tour *tour)
{
	BERTH_AUTO_FREE pid_t *pids = NULL;
	size_t count, at;
	int r;

	r = berth_procfs_load_pids(&pids, &count);
	for (size_t i = 0; r == 0 && i < count; i++) {
		uint64_t inode = namespace_of(pids[i]);

		if (!inode || inode == tour->own)
			continue;
		at = place_of(tour, inode);
		if (at < tour->count && tour->others[at].inode == inode)
			continue;
		r = insert(tour, at, (struct other){ .inode = inode, .pid = pids[i] });
	}
	return r;
}

/* To the namespace, if the pid still means it. -ESRCH: it is left. */
static int enter(const struct other *other)
{
	BERTH_AUTO_FD int fd = -1;
	char path[PATH_LEN];
	struct stat st;

	snprintf(path, sizeof(path), "/proc/%d/ns/net", (int)other->pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? -ESRCH : -errno;
	if (fstat(fd, &st) < 0 || st.st_ino != other->inode)
		return -ESRCH;
	return setns(fd, CLONE_NEWNET) < 0 ? -errno : 0;
}

static int visit_one(struct berth_netns_tour *tour, const struct other *other)
{
	BERTH_AUTO_FD int fd = -1;
	int r = enter(other);

	if (r == 0)
		fd = r = berth_sockdiag_open();
	if (r == -ESRCH)
		return 0;
	if (r == -EMFILE || r == -ENFILE || r == -ENOMEM)
		return r;
	if (r < 0) {
		tour->closed++;
		return 0;
	}
	return tour->fn(other->inode, fd, tour->arg);
}

static void *visit_all(void *arg)
{
	struct berth_netns_tour *tour = arg;

	tour->result = list_others(tour);
	for (size_t i = 0; i < tour->count && tour->result == 0; i++)
		tour->result = visit_one(tour, &tour->others[i]);
	return NULL;
}

int berth_netns_start(int (*fn)(uint64_t inode, int sockdiag, void *arg), void *arg,
		      struct berth_netns_tour **ret_tour)
{
	struct berth_netns_tour *tour = calloc(1, sizeof(*tour));
	int r;

	if (!tour)
		return -ENOMEM;
	tour->own = berth_netns_own();
	tour->fn = fn;
	tour->arg = arg;
	r = tour->own ? berth_crew_start(visit_all, tour, &tour->thread) : -ENOENT;
	if (r < 0) {
		free(tour);
		return r;
	}
	*ret_tour = tour;
	return 0;
}

int berth_netns_finish(struct berth_netns_tour *tour, unsigned int *ret_closed)
{
	int r = -pthread_join(tour->thread, NULL);

	if (r == 0)
		r = tour->result;
	if (r == 0)
		*ret_closed = tour->closed;
	free(tour->others);
	free(tour);
	return r;
}
