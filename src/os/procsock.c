/* SPDX-License-Identifier: MIT */
/* os/procsock.c - which process has which socket, as /proc tells */
/*
 * The descriptors of a process are links in /proc/PID/fd, and that of a socket names its inode. A
 * process may go, or close what it had, between two calls: then it has nothing.
 */
#include "os/procsock.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "os/procfs.h"

enum {
	PATH_LEN = 64, /* "/proc/", two numbers and a word */
};

/* The name of a descriptor or a thread in its folder, where there are only numbers and dots. */
static int number_of(const char *name)
{
	return (int)strtol(name, NULL, 10);
}

/* "socket:[4711]" */
static bool parse_socket_link(const char *link, size_t len, uint64_t *ret_inode)
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
	return parse_socket_link(link, (size_t)n, ret_inode) ? 0 : -ENOENT;
}

struct socket_scan {
	uint64_t *inodes; /* sorted */
	size_t inode_count;
	struct berth_procsock *found;
	size_t max, count, unreadable;
	size_t first; /* of the process at hand */
	pid_t pid;
};

static int compare_inodes(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

/* Of several descriptors of one socket in one process the lowest stays. */
static void scan_add(struct socket_scan *scan, uint64_t inode, int fd)
{
	for (size_t i = scan->first; i < scan->count; i++) {
		if (scan->found[i].inode == inode) {
			if (fd < scan->found[i].fd)
				scan->found[i].fd = fd;
			return;
		}
	}
	if (scan->count < scan->max)
		scan->found[scan->count++] =
			(struct berth_procsock){ .inode = inode, .pid = scan->pid, .fd = fd };
}

/* One folder of descriptors, @path relative to /proc. The number of entries, or -errno. */
static ssize_t scan_folder(struct socket_scan *scan, int proc_fd, const char *path)
{
	struct dirent *entry;
	ssize_t seen = 0, n;
	char link[PATH_LEN];
	uint64_t inode;
	DIR *dir;
	int fd;

	fd = openat(proc_fd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	dir = fdopendir(fd);
	if (!dir) {
		close(fd);
		return -ENOMEM;
	}
	while ((entry = readdir(dir))) {
		if (entry->d_name[0] == '.')
			continue;
		seen++;
		n = readlinkat(fd, entry->d_name, link, sizeof(link));
		if (n > 0 && parse_socket_link(link, (size_t)n, &inode) &&
		    bsearch(&inode, scan->inodes, scan->inode_count, sizeof(inode), compare_inodes))
			scan_add(scan, inode, number_of(entry->d_name));
		/*
		 * Descriptors come in order: nothing lower follows. A proxy may have thousands
		 * more.
		 */
		if (scan->count - scan->first == scan->inode_count)
			break;
	}
	closedir(dir);
	return seen;
}

/*
 * A process whose leading thread ended has its descriptors still, but /proc/PID/fd is empty, or
 * closed to us if we are not root: its other threads show them. They share one table, so that the
 * first one with entries tells all. As scan_folder().
 */
static ssize_t scan_threads(struct socket_scan *scan, int proc_fd)
{
	char path[PATH_LEN];
	struct dirent *entry;
	ssize_t n = 0;
	DIR *dir;
	int fd;
	pid_t tid;

	snprintf(path, sizeof(path), "%d/task", (int)scan->pid);
	fd = openat(proc_fd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	dir = fdopendir(fd);
	if (!dir) {
		close(fd);
		return -ENOMEM;
	}
	while ((entry = readdir(dir))) {
		tid = number_of(entry->d_name);
		if (tid == 0 || tid == scan->pid)
			continue;
		snprintf(path, sizeof(path), "%d/task/%d/fd", (int)scan->pid, (int)tid);
		n = scan_folder(scan, proc_fd, path);
		/* One that ends at this moment is empty, or has gone. */
		if (n != 0 && n != -ENOENT)
			break;
	}
	closedir(dir);
	return n;
}

static int scan_process(struct socket_scan *scan, int proc_fd, pid_t pid)
{
	char path[PATH_LEN];
	ssize_t n, threads;

	scan->pid = pid;
	scan->first = scan->count;
	snprintf(path, sizeof(path), "%d/fd", (int)pid);
	n = scan_folder(scan, proc_fd, path);
	if (n == 0 || n == -EACCES) {
		threads = scan_threads(scan, proc_fd);
		if (threads != 0)
			n = threads;
	}
	if (n == -EMFILE || n == -ENFILE || n == -ENOMEM)
		return (int)n;
	if (n == -EACCES || n == -EPERM)
		scan->unreadable++;
	return 0;
}

struct scan_each {
	struct socket_scan *scan;
	int proc_fd;
};

static int scan_each(pid_t pid, void *arg)
{
	struct scan_each *each = arg;

	return scan_process(each->scan, each->proc_fd, pid);
}

int berth_procsock_find(const uint64_t *inodes, size_t inode_count, const pid_t *pids,
			size_t pid_count, struct berth_procsock *ret_found, size_t max,
			size_t *ret_count, size_t *ret_unreadable)
{
	BERTH_AUTO_FREE uint64_t *sorted = NULL;
	BERTH_AUTO_FD int proc_fd = -1;
	struct socket_scan scan = { .inode_count = inode_count, .found = ret_found, .max = max };
	struct scan_each each = { .scan = &scan };
	int r = 0;

	sorted = malloc((inode_count + 1) * sizeof(*sorted));
	if (!sorted)
		return -ENOMEM;
	if (inode_count)
		memcpy(sorted, inodes, inode_count * sizeof(*sorted));
	qsort(sorted, inode_count, sizeof(*sorted), compare_inodes);
	scan.inodes = sorted;

	proc_fd = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (proc_fd < 0)
		return -errno;
	each.proc_fd = proc_fd;
	if (!inode_count)
		r = 0;
	else if (!pids)
		r = berth_procfs_each(scan_each, &each);
	for (size_t i = 0; inode_count && pids && i < pid_count && r == 0; i++)
		r = scan_process(&scan, proc_fd, pids[i]);
	if (r < 0)
		return r;
	*ret_count = scan.count;
	if (ret_unreadable)
		*ret_unreadable = scan.unreadable;
	return 0;
}
