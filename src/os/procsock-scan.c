/* SPDX-License-Identifier: MIT */
/* os/procsock-scan.c - the descriptors of one process after the other */
/*
 * Since Linux 6.2 the size of a /proc/PID/fd is the number of its descriptors, and anybody may ask
 * for that. So kernel threads, which have none, cost nearly nothing, and are not taken for processes
 * that hide something. And as most processes have the lowest numbers, these are tried until as many
 * were there: to list the folder takes more. Where too many are free, it is listed after all.
 *
 * kcmp(2) tells for a third of the work of a readlink() whether two descriptors are one file. So as
 * soon as one holder of each socket is known, a sample, the other processes are compared with it,
 * and only who has it is looked at. If a sample turns into something else meanwhile, that was in
 * vain, and all has to be done once more.
 *
 * The other way round, most processes were given their standard input, output and error by another
 * one, which has the same. So these are compared with those of a process before, which were looked
 * at and are no sought sockets. It is asked once more when its time is over, and if it has something
 * else by then, or has gone, the processes that were compared with it are looked at after all.
 *
 * Everything else is read through the descriptor of the opened fd folder, which means one process for
 * ever. A pid that is given again can't make one of two.
 */
#include "os/procsock-scan.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/kcmp.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "os/procfs.h"

enum {
	PATH_LEN = 64, /* two numbers and some words */
	FOUND_MAX = 1 << 22,
	/* Free numbers among the descriptors that are tried before we list them after all. */
	GAPS_MAX = 8,
	/* Behind standard error, where most processes have what they opened first. */
	GLIMPSE_FIRST = 3,
	GLIMPSE_LAST = 6,
	/* Of so few sockets it is known at once whether the process has shown all of them. */
	FEW = 16,
	/* So many processes in a row whose standard input is another one: they have not one giver. */
	MISSES_MAX = 8,
};

bool berth_procsock_scan_parse_link(const char *link, size_t len, uint64_t *ret_inode)
{
	static const char prefix[] = "socket:[";
	uint64_t inode = 0;
	size_t i = sizeof(prefix) - 1;

	if (len < i + 2 || memcmp(link, prefix, i) != 0 || link[len - 1] != ']')
		return false;
	for (; i < len - 1; i++) {
		if (link[i] < '0' || link[i] > '9')
			return false;
		inode = inode * 10 + (uint64_t)(link[i] - '0');
	}
	*ret_inode = inode;
	return true;
}

static int compare_inodes(const void *x, const void *y)
{
	uint64_t a = *(const uint64_t *)x, b = *(const uint64_t *)y;

	return a < b ? -1 : a > b;
}

static bool is_sought(const struct berth_procsock_scan *scan, uint64_t inode)
{
	if (!scan->inodes)
		return true;
	return bsearch(&inode, scan->inodes, scan->inode_count, sizeof(inode), compare_inodes);
}

static int add(struct berth_procsock_scan_worker *worker, uint64_t inode, int fd)
{
	if (worker->count == worker->size) {
		size_t size = worker->size ? 2 * worker->size : 64;
		struct berth_procsock *found;

		if (size > FOUND_MAX)
			return -E2BIG;
		found = reallocarray(worker->found, size, sizeof(*found));
		if (!found)
			return -ENOMEM;
		worker->found = found;
		worker->size = size;
	}
	worker->found[worker->count++] =
		(struct berth_procsock){ .inode = inode, .pid = worker->pid, .fd = fd };
	return 0;
}

/* A decimal number; -1: something else. */
static int as_number(const char *name)
{
	int64_t number = 0;

	do {
		if (*name < '0' || *name > '9')
			return -1;
		number = number * 10 + (*name - '0');
	} while (*++name && number <= INT32_MAX);
	return number <= INT32_MAX ? (int)number : -1;
}

static bool seeks_few(const struct berth_procsock_scan *scan)
{
	return scan->inodes && scan->inode_count <= FEW;
}

static bool has_shown(const struct berth_procsock_scan_worker *worker, uint64_t inode)
{
	for (size_t i = worker->first; i < worker->count; i++)
		if (worker->found[i].inode == inode)
			return true;
	return false;
}

/*
 * One link of the fd folder @dir_fd. 1: what follows can't tell anything new; -ENOENT: no such;
 * -EACCES.
 */
static int look_at(struct berth_procsock_scan_worker *worker, int dir_fd, const char *name)
{
	char link[PATH_LEN];
	uint64_t inode;
	ssize_t n;
	int r;

	n = readlinkat(dir_fd, name, link, sizeof(link));
	/* Who may not see one of a process's may see none. */
	if (n < 0 && (errno == ENOENT || errno == EACCES))
		return -errno;
	if (n <= 0 || !berth_procsock_scan_parse_link(link, (size_t)n, &inode) ||
	    !is_sought(worker->scan, inode))
		return 0;
	if (!seeks_few(worker->scan))
		return add(worker, inode, as_number(name));
	if (has_shown(worker, inode))
		return 0;
	r = add(worker, inode, as_number(name));
	return r == 0 && worker->count - worker->first == worker->scan->inode_count ? 1 : r;
}

/* Of a folder that is listed; those that were closed meanwhile, or seen before, are passed over. */
static int look_at_entry(struct berth_procsock_scan_worker *worker, int dir_fd, const char *name)
{
	int r = as_number(name) < worker->seen_below ? 0 : look_at(worker, dir_fd, name);

	return r == -ENOENT ? 0 : r;
}

/* Without snprintf(), which would take a tenth of the time. */
static const char *format_number(int number, char buf[16])
{
	char *at = &buf[15];

	*at = '\0';
	do
		*--at = (char)('0' + number % 10);
	while ((number /= 10));
	return at;
}

/* Can process @pid have none of the sought sockets under the number @fd, now? */
static bool is_other(const struct berth_procsock_scan_worker *worker, pid_t pid, int fd)
{
	char path[PATH_LEN], link[PATH_LEN];
	uint64_t inode;
	ssize_t n;

	snprintf(path, sizeof(path), "%d/fd/%d", (int)pid, fd);
	n = readlinkat(worker->scan->proc_fd, path, link, sizeof(link));
	return n > 0 && (!berth_procsock_scan_parse_link(link, (size_t)n, &inode) ||
			 !is_sought(worker->scan, inode));
}

/* The other one of number @fd has to answer for no more of them. */
static void end_other(struct berth_procsock_scan_worker *worker, int fd)
{
	struct berth_procsock_scan_other *other = &worker->others[fd];

	if (other->used && !is_other(worker, other->pid, fd))
		worker->doubts = true;
	other->used = false;
}

/* Notes that not all of the process is looked at. */
static bool pass_over(struct berth_procsock_scan_worker *worker)
{
	if (worker->passed_count && worker->passed[worker->passed_count - 1] == worker->pid)
		return true;
	if (worker->passed_count == worker->passed_size) {
		size_t size = worker->passed_size ? 2 * worker->passed_size : 64;
		pid_t *passed = reallocarray(worker->passed, size, sizeof(*passed));

		if (!passed)
			return false;
		worker->passed = passed;
		worker->passed_size = size;
	}
	worker->passed[worker->passed_count++] = worker->pid;
	return true;
}

/* Has the process under the number @fd what another one has, which is not sought? */
static bool has_other(struct berth_procsock_scan_worker *worker, int fd)
{
	struct berth_procsock_scan_other *other = &worker->others[fd];

	if (!other->pid || other->misses >= MISSES_MAX)
		return false;
	if (syscall(SYS_kcmp, other->pid, worker->pid, KCMP_FILE, fd, fd) != 0 ||
	    !pass_over(worker)) {
		other->misses++;
		return false;
	}
	other->used = true;
	other->misses = 0;
	return true;
}

/* As look_at(), of one of the lowest numbers. */
static int look_at_number(struct berth_procsock_scan_worker *worker, int dir_fd, int fd)
{
	bool standard =
		fd < BERTH_PROCSOCK_SCAN_STANDARD && !worker->settling && !seeks_few(worker->scan);
	size_t before = worker->count;
	char name[16];
	int r;

	if (standard && has_other(worker, fd))
		return 0;
	r = look_at(worker, dir_fd, format_number(fd, name));
	if (standard && r == 0 && worker->count == before) {
		end_other(worker, fd);
		worker->others[fd].pid = worker->pid;
	}
	return r;
}

/*
 * The lowest numbers, until @expected of them were there, or until too many were not:
 * worker->seen_below is how far it went. How many there were, -errno.
 */
static ssize_t look_at_lowest(struct berth_procsock_scan_worker *worker, int dir_fd,
			      ssize_t expected)
{
	ssize_t seen = 0;
	int fd = 0, r;

	for (; seen < expected && fd < expected + GAPS_MAX; fd++) {
		r = look_at_number(worker, dir_fd, fd);
		if (r == -ENOENT)
			continue;
		if (r < 0)
			return r;
		seen++;
		if (r)
			return expected;
	}
	worker->seen_below = fd;
	return seen;
}

/*
 * Calls @fn for each entry of the folder but "." and "..", all of @expected (-1: until the end), or
 * until it returns 1. How many there were, or -errno.
 */
static ssize_t each_entry(struct berth_procsock_scan_worker *worker, int dir_fd, ssize_t expected,
			  int (*fn)(struct berth_procsock_scan_worker *worker, int dir_fd,
				    const char *name))
{
	char entries[16384] __attribute__((aligned(8)));
	ssize_t n, seen = 0;
	int r;

	do {
		n = getdents64(dir_fd, entries, sizeof(entries));
		if (n < 0)
			return -errno;
		for (ssize_t at = 0; at < n;) {
			const struct dirent64 *entry = (const void *)(entries + at);

			at += entry->d_reclen;
			if (entry->d_name[0] == '.')
				continue;
			seen++;
			r = fn(worker, dir_fd, entry->d_name);
			if (r)
				return r < 0 ? r : seen;
		}
	} while (n > 0 && seen != expected);
	return seen;
}

/* All links of the fd folder @dir_fd; @expected: its size, -1 not told. How many, -errno. */
static ssize_t look_at_all(struct berth_procsock_scan_worker *worker, int dir_fd, off_t expected)
{
	ssize_t n;

	worker->seen_below = 0;
	if (expected > 0) {
		n = look_at_lowest(worker, dir_fd, expected);
		if (n < 0 || n == expected)
			return n;
	}
	return each_entry(worker, dir_fd, expected, look_at_entry);
}

/* @stat: where the process's stat is, from @dir_fd. Of one that has gone by now nothing is told. */
static void identify(struct berth_procsock_scan_worker *worker, int dir_fd, const char *stat)
{
	BERTH_AUTO_FD int fd = openat(dir_fd, stat, O_RDONLY | O_CLOEXEC);
	struct berth_proc_stat parsed = { 0 };
	char buf[1024];
	ssize_t n = -1;

	if (fd >= 0)
		n = read(fd, buf, sizeof(buf));
	if (n <= 0 || berth_procfs_parse_stat(buf, (size_t)n, &parsed) < 0)
		worker->count = worker->first;
	for (size_t i = worker->first; i < worker->count; i++)
		worker->found[i].start_ticks = parsed.id.start_ticks;
}

/* One folder of descriptors, @path relative to /proc. The number of its entries, or -errno. */
static ssize_t scan_folder(struct berth_procsock_scan_worker *worker, const char *path,
			   const char *stat)
{
	BERTH_AUTO_FD int fd = -1;
	struct stat st = { .st_size = -1 };
	ssize_t n;

	fd = openat(worker->scan->proc_fd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (worker->scan->sized && (fstat(fd, &st) < 0 || st.st_size == 0))
		return 0;
	n = look_at_all(worker, fd, st.st_size);
	if (n >= 0 && worker->count > worker->first && !worker->scan->anonymous)
		identify(worker, fd, stat);
	return n;
}

static int try_thread(struct berth_procsock_scan_worker *worker, int dir_fd, const char *name)
{
	char path[PATH_LEN];
	ssize_t n;

	(void)dir_fd;
	if (as_number(name) == worker->pid)
		return 0;
	snprintf(path, sizeof(path), "%d/task/%.16s/fd", (int)worker->pid, name);
	n = scan_folder(worker, path, "../../../stat");
	/* One that ends at this moment is empty, or has gone. */
	if (n == 0 || n == -ENOENT || n == -ESRCH)
		return 0;
	return n < 0 ? (int)n : -EEXIST;
}

/* Other ones than the leading thread? */
static bool has_threads(struct berth_procsock_scan_worker *worker)
{
	char path[PATH_LEN];
	struct stat st;

	snprintf(path, sizeof(path), "%d/task", (int)worker->pid);
	/* Two links as any folder, and one for each thread. */
	return fstatat(worker->scan->proc_fd, path, &st, 0) == 0 && st.st_nlink > 3;
}

/*
 * A process whose leading thread ended has its descriptors still, but /proc/PID/fd is empty, or
 * closed to us if we are not root: its other threads show them. They share one table, so that the
 * first one with entries tells all.
 */
static int scan_threads(struct berth_procsock_scan_worker *worker)
{
	BERTH_AUTO_FD int fd = -1;
	char path[PATH_LEN];
	ssize_t n;

	if (!has_threads(worker))
		return 0;
	snprintf(path, sizeof(path), "%d/task", (int)worker->pid);
	fd = openat(worker->scan->proc_fd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	n = each_entry(worker, fd, -1, try_thread);
	return n < 0 && n != -EEXIST ? (int)n : 0;
}

/* A folder that we may not open: of a process that has descriptors? */
static bool is_hidden(struct berth_procsock_scan_worker *worker, const char *path)
{
	struct stat st;

	return fstatat(worker->scan->proc_fd, path, &st, 0) == 0 &&
	       (!worker->scan->sized || st.st_size > 0);
}

/* Is a holder known of each socket? */
static bool has_samples(struct berth_procsock_scan *scan)
{
	return scan->compares && atomic_load(&scan->sampled) == (1u << scan->inode_count) - 1;
}

static void take_samples(struct berth_procsock_scan_worker *worker)
{
	struct berth_procsock_scan *scan = worker->scan;

	if (!scan->compares || has_samples(scan))
		return;
	pthread_mutex_lock(&scan->lock);
	for (size_t i = worker->first; i < worker->count; i++) {
		const uint64_t *inode = bsearch(&worker->found[i].inode, scan->inodes,
						scan->inode_count, sizeof(*inode), compare_inodes);
		unsigned int bit = 1u << (inode - scan->inodes);

		if (atomic_load(&scan->sampled) & bit)
			continue;
		scan->samples[inode - scan->inodes] = worker->found[i];
		atomic_fetch_or(&scan->sampled, bit);
	}
	pthread_mutex_unlock(&scan->lock);
}

/* Is descriptor @fd of the process none of the samples? -errno: it can't be told. */
static int differs(struct berth_procsock_scan_worker *worker, int fd)
{
	const struct berth_procsock_scan *scan = worker->scan;
	long r = 0;

	for (size_t i = 0; i < scan->inode_count; i++) {
		const struct berth_procsock *sample = &scan->samples[i];

		r = syscall(SYS_kcmp, sample->pid, worker->pid, KCMP_FILE, sample->fd, fd);
		if (r <= 0)
			return r < 0 ? -errno : 0;
	}
	return 1;
}

/* The same for an entry of a folder, as each_entry() wants it; -EEXIST: it is a sample. */
static int compare_entry(struct berth_procsock_scan_worker *worker, int dir_fd, const char *name)
{
	int r = differs(worker, as_number(name));

	(void)dir_fd;
	return r > 0 ? 0 : r < 0 ? r : -EEXIST;
}

/* The numbers are not the lowest ones: which they are, the folder @path tells. */
static bool is_clear_by_list(struct berth_procsock_scan_worker *worker, const char *path,
			     off_t expected)
{
	BERTH_AUTO_FD int fd =
		openat(worker->scan->proc_fd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return fd >= 0 && each_entry(worker, fd, expected, compare_entry) >= 0;
}

/* Does the process surely have none of the samples? @path: its folder of descriptors. */
static bool is_clear(struct berth_procsock_scan_worker *worker, const char *path)
{
	off_t seen = 0;
	struct stat st;
	int r;

	if (fstatat(worker->scan->proc_fd, path, &st, 0) < 0)
		return false;
	if (st.st_size == 0)
		return !has_threads(worker);
	for (int fd = 0; seen < st.st_size && fd < st.st_size + GAPS_MAX; fd++) {
		r = differs(worker, fd);
		if (r == 0 || (r < 0 && r != -EBADF))
			return false;
		seen += r > 0;
	}
	return seen == st.st_size || is_clear_by_list(worker, path, st.st_size);
}

int berth_procsock_scan_process(struct berth_procsock_scan_worker *worker, pid_t pid)
{
	char path[PATH_LEN];
	ssize_t n;

	worker->pid = pid;
	worker->first = worker->count;
	snprintf(path, sizeof(path), "%d/fd", (int)pid);
	if (has_samples(worker->scan) && is_clear(worker, path))
		return 0;
	n = scan_folder(worker, path, "../stat");
	if (n == 0 || (n == -EACCES && !is_hidden(worker, path)))
		n = scan_threads(worker);
	if (n == -EMFILE || n == -ENFILE || n == -ENOMEM || n == -E2BIG)
		return (int)n;
	if (n == -EACCES || n == -EPERM)
		worker->hidden++;
	if (worker->count > worker->first)
		take_samples(worker);
	return 0;
}

int berth_procsock_scan_settle(struct berth_procsock_scan_worker *worker)
{
	unsigned int hidden = worker->hidden;
	int r = 0;

	for (int fd = 0; fd < BERTH_PROCSOCK_SCAN_STANDARD; fd++)
		end_other(worker, fd);
	if (!worker->doubts)
		return 0;
	worker->settling = true;
	for (size_t i = 0; i < worker->passed_count && r == 0; i++)
		r = berth_procsock_scan_process(worker, worker->passed[i]);
	worker->hidden = hidden; /* all of them were counted */
	return r;
}

void berth_procsock_scan_worker_deinit(struct berth_procsock_scan_worker *worker)
{
	free(worker->found);
	free(worker->passed);
}

bool berth_procsock_scan_glimpse(const struct berth_procsock_scan *scan, pid_t pid,
				 uint64_t *ret_inode)
{
	char path[PATH_LEN], link[PATH_LEN];
	unsigned int gaps = 0;
	ssize_t n;

	for (int fd = GLIMPSE_FIRST; fd <= GLIMPSE_LAST && gaps < 2; fd++) {
		snprintf(path, sizeof(path), "%d/fd/%d", (int)pid, fd);
		n = readlinkat(scan->proc_fd, path, link, sizeof(link));
		if (n > 0 && berth_procsock_scan_parse_link(link, (size_t)n, ret_inode))
			return true;
		if (n < 0 && errno != ENOENT)
			return false;
		gaps += n < 0;
	}
	return false;
}

bool berth_procsock_scan_has_sample(struct berth_procsock_scan *scan, size_t which)
{
	return atomic_load(&scan->sampled) & (1u << which);
}

bool berth_procsock_scan_is_true(struct berth_procsock_scan *scan)
{
	if (!has_samples(scan))
		return true;
	for (size_t i = 0; i < scan->inode_count; i++) {
		const struct berth_procsock *sample = &scan->samples[i];
		uint64_t inode;

		if (berth_procsock_inode(sample->pid, sample->fd, &inode) < 0 ||
		    inode != sample->inode)
			return false;
	}
	return true;
}
