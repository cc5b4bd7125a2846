/* SPDX-License-Identifier: MIT */
/* os/netns.c - the network namespaces of this machine, and a look into each */
/*
 * There is no list of them anywhere, but each process says which one it is in. A netlink socket
 * belongs for ever to the namespace that it was made in, so a short visit is enough to ask all
 * there is to ask. setns(2) is a matter of one thread: a helper goes from one to the next, and ends
 * where it came to last. So the caller is never anywhere else, and nothing has to be undone.
 *
 * A namespace that no process is in (ip-netns(8) makes them) is left out. So are those that only
 * processes are in that we may not look at: nobody but root can see that they are others.
 */
#include "os/netns.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "os/crew.h"
#include "os/procfs.h"
#include "os/sockdiag.h"

enum {
	PATH_LEN = 64,
	PIDS_PER_THREAD = 100,
};

struct other {
	uint64_t inode;
	pid_t pid; /* the lowest that is in it */
};

struct visit {
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
static size_t place_of(const struct visit *visit, uint64_t inode)
{
	size_t lo = 0, hi = visit->count;

	while (lo < hi) {
		size_t middle = lo + (hi - lo) / 2;

		if (visit->others[middle].inode < inode)
			lo = middle + 1;
		else
			hi = middle;
	}
	return lo;
}

static int insert(struct visit *visit, size_t at, struct other other)
{
	struct other *others;

	if (visit->count == visit->size) {
		size_t size = visit->size ? 2 * visit->size : 16;

		others = reallocarray(visit->others, size, sizeof(*others));
		if (!others)
			return -ENOMEM;
		visit->others = others;
		visit->size = size;
	}
	for (size_t i = visit->count++; i > at; i--)
		visit->others[i] = visit->others[i - 1];
	visit->others[at] = other;
	return 0;
}

struct listing {
	const pid_t *pids;
	uint64_t *inodes; /* of the namespace of each; 0: we may not know */
};

static void find_inode(size_t index, size_t worker, void *arg)
{
	const struct listing *listing = arg;
	char path[PATH_LEN], link[PATH_LEN];
	ssize_t n;

	(void)worker;
	snprintf(path, sizeof(path), "/proc/%d/ns/net", (int)listing->pids[index]);
	/* "net:[4026531840]": the name of the link costs a third of a stat() of what it leads to. */
	n = readlink(path, link, sizeof(link) - 1);
	if (n <= 0)
		return;
	link[n] = '\0';
	if (sscanf(link, "net:[%" SCNu64 "]", &listing->inodes[index]) != 1)
		listing->inodes[index] = 0;
}

/* Lowest pids come first. */
static int list_others(struct visit *visit)
{
	BERTH_AUTO_FREE uint64_t *inodes = NULL;
	BERTH_AUTO_FREE pid_t *pids = NULL;
	struct listing listing;
	size_t count, at;
	int r;

	r = berth_procfs_load_pids(&pids, &count);
	if (r < 0)
		return r;
	inodes = calloc(count + 1, sizeof(*inodes));
	if (!inodes)
		return -ENOMEM;
	listing = (struct listing){ .pids = pids, .inodes = inodes };
	berth_crew_run(count, PIDS_PER_THREAD, find_inode, &listing);
	for (size_t i = 0; i < count && r == 0; i++) {
		at = place_of(visit, inodes[i]);
		if (!inodes[i] || inodes[i] == visit->own ||
		    (at < visit->count && visit->others[at].inode == inodes[i]))
			continue;
		r = insert(visit, at, (struct other){ .inode = inodes[i], .pid = pids[i] });
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

static int visit_one(struct visit *visit, const struct other *other)
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
		visit->closed++;
		return 0;
	}
	return visit->fn(other->inode, fd, visit->arg);
}

static void *visit_all(void *arg)
{
	struct visit *visit = arg;

	for (size_t i = 0; i < visit->count && visit->result == 0; i++)
		visit->result = visit_one(visit, &visit->others[i]);
	return NULL;
}

/* Signals stay the caller's. */
static int visit_by_thread(struct visit *visit)
{
	sigset_t all, before;
	pthread_t thread;
	int r;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	r = pthread_create(&thread, NULL, visit_all, visit);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (r == 0)
		r = pthread_join(thread, NULL);
	return r ? -r : visit->result;
}

int berth_netns_each_other(int (*fn)(uint64_t inode, int sockdiag, void *arg), void *arg,
			   unsigned int *ret_closed)
{
	struct visit visit = { .own = berth_netns_own(), .fn = fn, .arg = arg };
	int r;

	if (!visit.own)
		return -ENOENT;
	r = list_others(&visit);
	if (r == 0 && visit.count)
		r = visit_by_thread(&visit);
	free(visit.others);
	if (r == 0)
		*ret_closed = visit.closed;
	return r;
}
