/* SPDX-License-Identifier: MIT */
/* os/procsock.c - which processes have which sockets */
/*
 * The kernel knows the way from a descriptor to its socket and none back, so all descriptors of all
 * processes are looked at. None may be left out: whoever inherited a socket, or was sent it, holds
 * it as much as its maker. What can be saved is work: how, procsock-scan.c tells for one process. All
 * of it is done in the kernel, and two threads do it in half the time (os/crew.c).
 *
 * Comparing is worth most if the first holder is found soon. Both inodes and pids are given in order
 * of time, so a few glimpses tell where in the list of processes the maker of a socket must be,
 * unless it made it long after it began. But each processor gives inodes from a stock of 1,024 of its
 * own. So the neighbours are glimpsed at too, and those that have the next inodes are looked at.
 * Where all that was in vain, the search goes from there to both sides.
 */
#include "os/procsock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "os/crew.h"
#include "os/procfs.h"
#include "os/procsock-scan.h"

enum {
	PATH_LEN = 64, /* two numbers and some words */
	/* It costs some 50 us, and is worth that for this many processes. */
	PIDS_PER_THREAD = 50,
	PROBES_MAX = 16,
	NEIGHBOURS_MAX = 256,
	/* So far behind the first socket of a process are those that it made at the same time. */
	NEAR = 16,
	GUESSES_MAX = 8,
};

#define COMPARE(a, b) \
	do { \
		if ((a) != (b)) \
			return (a) < (b) ? -1 : 1; \
	} while (0)

static int compare_inodes(const void *x, const void *y)
{
	const uint64_t *a = x, *b = y;

	COMPARE(*a, *b);
	return 0;
}

static int compare_by_inode(const void *x, const void *y)
{
	const struct berth_procsock *a = x, *b = y;

	COMPARE(a->inode, b->inode);
	COMPARE(a->pid, b->pid);
	COMPARE(a->fd, b->fd);
	return 0;
}

static int compare_by_pid(const void *x, const void *y)
{
	const struct berth_procsock *a = x, *b = y;

	COMPARE(a->pid, b->pid);
	COMPARE(a->inode, b->inode);
	return 0;
}

/* The place in the list of the one that comes as @nth: from @from on to both sides. */
static size_t place_of(const struct berth_procsock_scan *scan, size_t nth)
{
	size_t left = scan->from, right = scan->pid_count - 1 - scan->from;

	if (nth > 2 * left)
		return nth;
	if (nth > 2 * right)
		return scan->pid_count - 1 - nth;
	return nth % 2 ? scan->from + (nth + 1) / 2 : scan->from - nth / 2;
}

struct search {
	struct berth_procsock_scan *scan;
	struct berth_procsock_scan_worker workers[BERTH_CREW_MAX];
};

static void scan_one(size_t index, size_t worker, void *arg)
{
	struct search *search = arg;
	struct berth_procsock_scan *scan = search->scan;
	int r;

	if (atomic_load(&scan->error))
		return;
	r = berth_procsock_scan_process(&search->workers[worker],
					scan->pids[place_of(scan, index)]);
	if (r < 0)
		atomic_store(&scan->error, r);
}

/* All that was found by one, then by the next; sorted, one of each pair. */
static int merge(struct berth_procsock_scan_worker *workers, size_t count,
		 struct berth_procsock_list *ret_sockets)
{
	struct berth_procsock_list sockets = { 0 };
	size_t all = 0, kept = 0;

	for (size_t i = 0; i < count; i++) {
		all += workers[i].count;
		sockets.hidden += workers[i].hidden;
	}
	sockets.found = malloc((all + 1) * sizeof(*sockets.found));
	if (!sockets.found)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++) {
		if (!workers[i].count)
			continue;
		memcpy(sockets.found + sockets.count, workers[i].found,
		       workers[i].count * sizeof(*workers[i].found));
		sockets.count += workers[i].count;
	}
	qsort(sockets.found, sockets.count, sizeof(*sockets.found), compare_by_inode);
	/* Of several descriptors of one socket in one process the lowest stays. */
	for (size_t i = 0; i < sockets.count; i++)
		if (!kept || sockets.found[i].inode != sockets.found[kept - 1].inode ||
		    sockets.found[i].pid != sockets.found[kept - 1].pid)
			sockets.found[kept++] = sockets.found[i];
	sockets.count = kept;
	*ret_sockets = sockets;
	return 0;
}

/* How many pids were given since the numbers began anew; those above them are older. */
static size_t count_younger(const struct berth_procsock_scan *scan)
{
	BERTH_AUTO_FD int fd = openat(scan->proc_fd, "loadavg", O_RDONLY | O_CLOEXEC);
	size_t lo = 0, hi = scan->pid_count;
	char text[128];
	ssize_t n = -1;
	int last;

	if (fd >= 0)
		n = read(fd, text, sizeof(text) - 1);
	if (n <= 0)
		return 0;
	text[n] = '\0';
	/* "0.50 0.40 0.30 2/500 12345": the pid that was given last. */
	if (sscanf(text, "%*s %*s %*s %*s %d", &last) != 1)
		return 0;
	while (lo < hi) {
		size_t middle = lo + (hi - lo) / 2;

		if (scan->pids[middle] <= last)
			lo = middle + 1;
		else
			hi = middle;
	}
	return lo;
}

/*
 * Where among the processes the maker of the socket should be; any answer is good. Pids above the
 * last one given are older than all others.
 */
static size_t find_place(const struct berth_procsock_scan *scan, uint64_t inode)
{
	size_t count = scan->pid_count, first = count_younger(scan) % count;
	size_t lo = 0, hi = count, at = hi / 2;

	for (size_t i = 0; i < PROBES_MAX && lo < hi; i++) {
		pid_t pid = scan->pids[(first + at) % count];
		uint64_t seen;
		bool known = berth_procsock_scan_glimpse(scan, pid, &seen);

		if (known && inode < seen)
			hi = at;
		else
			lo = at + 1;
		/* One without sockets tells nothing, but kernel threads come first. */
		at = !known && lo < hi ? lo : lo + (hi - lo) / 2;
	}
	return (first + (at < count ? at : count - 1)) % count;
}

/* Processes that may have made a socket, the likeliest first. */
struct guesses {
	struct {
		uint64_t distance; /* between two inodes */
		pid_t pid;
	} list[GUESSES_MAX];
	size_t count;
};

static void add_guess(struct guesses *guesses, pid_t pid, uint64_t distance)
{
	size_t at = guesses->count;

	if (at < GUESSES_MAX)
		guesses->count++;
	else if (distance >= guesses->list[--at].distance)
		return;
	for (; at && guesses->list[at - 1].distance > distance; at--)
		guesses->list[at] = guesses->list[at - 1];
	guesses->list[at].distance = distance;
	guesses->list[at].pid = pid;
}

static bool is_sampled_by(struct berth_procsock_scan_worker *looker, size_t which, pid_t pid)
{
	return berth_procsock_scan_process(looker, pid) < 0 ||
	       berth_procsock_scan_has_sample(looker->scan, which);
}

/* Tries to find a holder of one of the sockets. What goes wrong here, the search will tell. */
static void find_sample(struct berth_procsock_scan *scan, size_t which)
{
	struct berth_procsock_scan_worker looker = { .scan = scan };
	struct guesses guesses = { 0 };
	uint64_t inode = scan->inodes[which], seen;
	bool done = false;

	scan->from = find_place(scan, inode);
	for (size_t i = 0; i < NEIGHBOURS_MAX && i < scan->pid_count && !done; i++) {
		pid_t pid = scan->pids[place_of(scan, i)];

		if (!berth_procsock_scan_glimpse(scan, pid, &seen))
			continue;
		if (inode >= seen && inode - seen < NEAR)
			done = is_sampled_by(&looker, which, pid);
		else
			add_guess(&guesses, pid, inode > seen ? inode - seen : seen - inode);
	}
	for (size_t i = 0; i < guesses.count && !done; i++)
		done = is_sampled_by(&looker, which, guesses.list[i].pid);
	berth_procsock_scan_worker_deinit(&looker);
}

static int run(struct berth_procsock_scan *scan, struct berth_procsock_list *ret_sockets)
{
	struct search search = { .scan = scan };
	int r;

	for (size_t i = 0; i < BERTH_CREW_MAX; i++)
		search.workers[i].scan = scan;
	berth_crew_run(scan->pid_count, PIDS_PER_THREAD, scan_one, &search);
	r = atomic_load(&scan->error);
	for (size_t i = 0; i < BERTH_CREW_MAX && r == 0; i++)
		r = berth_procsock_scan_settle(&search.workers[i]);
	if (r == 0 && !berth_procsock_scan_is_true(scan))
		r = -EAGAIN;
	if (r == 0)
		r = merge(search.workers, BERTH_CREW_MAX, ret_sockets);
	for (size_t i = 0; i < BERTH_CREW_MAX; i++)
		berth_procsock_scan_worker_deinit(&search.workers[i]);
	return r;
}

static int load(struct berth_procsock_scan *scan, struct berth_procsock_list *ret_sockets)
{
	int r;

	scan->compares = scan->sized && scan->pid_count >= 2 * PIDS_PER_THREAD &&
			 scan->inode_count >= 1 &&
			 scan->inode_count <= BERTH_PROCSOCK_SCAN_SAMPLES_MAX;
	pthread_mutex_init(&scan->lock, NULL);
	for (size_t i = 0; scan->compares && i < scan->inode_count; i++)
		if (!berth_procsock_scan_has_sample(scan, i))
			find_sample(scan, i);
	r = run(scan, ret_sockets);
	if (r == -EAGAIN) {
		scan->compares = false;
		r = run(scan, ret_sockets);
	}
	pthread_mutex_destroy(&scan->lock);
	return r;
}

int berth_procsock_load(const struct berth_procsock_query *query,
			struct berth_procsock_list *ret_sockets)
{
	BERTH_AUTO_FREE uint64_t *sorted = NULL;
	BERTH_AUTO_FD int proc_fd = -1;
	struct berth_procsock_scan scan = {
		.pids = query->pids,
		.pid_count = query->pid_count,
		.anonymous = query->anonymous,
	};
	BERTH_AUTO_FREE pid_t *pids = NULL;
	struct stat st;
	int r;

	if (query->inodes) {
		sorted = malloc((query->inode_count + 1) * sizeof(*sorted));
		if (!sorted)
			return -ENOMEM;
		memcpy(sorted, query->inodes, query->inode_count * sizeof(*sorted));
		qsort(sorted, query->inode_count, sizeof(*sorted), compare_inodes);
		scan.inodes = sorted;
		scan.inode_count = query->inode_count;
	}
	proc_fd = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (proc_fd < 0)
		return -errno;
	scan.proc_fd = proc_fd;
	/* We have at least the one just opened. */
	scan.sized = fstatat(proc_fd, "self/fd", &st, 0) == 0 && st.st_size > 0;
	if (!query->pids) {
		r = berth_procfs_load_pids(&pids, &scan.pid_count);
		if (r < 0)
			return r;
		scan.pids = pids;
	}
	return load(&scan, ret_sockets);
}

void berth_procsock_list_deinit(struct berth_procsock_list *sockets)
{
	if (!sockets)
		return;
	free(sockets->found);
	*sockets = (struct berth_procsock_list){ 0 };
}

int berth_procsock_find(const uint64_t *inodes, size_t inode_count, const pid_t *pids,
			size_t pid_count, struct berth_procsock *ret_found, size_t max,
			size_t *ret_count, size_t *ret_hidden)
{
	struct berth_procsock_query query = {
		.inodes = inodes,
		.inode_count = inode_count,
		.pids = pids,
		.pid_count = pid_count,
	};
	struct berth_procsock_list sockets = { 0 };
	int r = 0;

	if (inode_count)
		r = berth_procsock_load(&query, &sockets);
	if (r < 0)
		return r;
	if (inode_count > 1)
		qsort(sockets.found, sockets.count, sizeof(*sockets.found), compare_by_pid);
	*ret_count = sockets.count < max ? sockets.count : max;
	if (*ret_count)
		memcpy(ret_found, sockets.found, *ret_count * sizeof(*ret_found));
	if (ret_hidden)
		*ret_hidden = sockets.hidden;
	berth_procsock_list_deinit(&sockets);
	return 0;
}

int berth_procsock_inode(pid_t pid, int fd, uint64_t *ret_inode)
{
	char path[PATH_LEN], link[PATH_LEN];
	ssize_t n;

	if (pid <= 0 || fd < 0)
		return -ENOENT;
	snprintf(path, sizeof(path), "/proc/%d/fd/%d", (int)pid, fd);
	n = readlink(path, link, sizeof(link));
	if (n < 0)
		return -errno;
	return berth_procsock_scan_parse_link(link, (size_t)n, ret_inode) ? 0 : -ENOENT;
}

int berth_procsock_borrow(const struct berth_procsock *socket)
{
	BERTH_AUTO_FD int pidfd = pidfd_open(socket->pid, 0), fd = -1;
	struct stat st;

	if (pidfd < 0)
		return errno == ESRCH ? -ENOENT : -errno;
	fd = pidfd_getfd(pidfd, socket->fd, 0);
	if (fd < 0)
		return errno == ESRCH || errno == EBADF ? -ENOENT : -errno;
	/* The number may be another file's by now, or the pid another process's. */
	if (fstat(fd, &st) < 0 || !S_ISSOCK(st.st_mode) || st.st_ino != socket->inode)
		return -ENOENT;
	return berth_fd_steal(&fd);
}
