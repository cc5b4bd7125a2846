/* SPDX-License-Identifier: MIT */
/* os/fdinfo.c - what /proc says of the descriptors of a process */
/*
 * proc_pid_fdinfo(5). The table of an ordinary process is shared by its threads, but one of them
 * may have left it (unshare(CLONE_FILES)), and the leading thread may have ended: so each file is
 * opened by the id that the caller has. Other threads change the table while we read; what is
 * found is true of a moment.
 */
#include "os/fdinfo.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

enum {
	PATH_LEN = 64, /* "/proc/", two numbers and a word */
};

/* Skips blanks and takes a number of base 8, 10 or 16; @at is behind it afterwards. */
static bool take_number(const char **at, const char *end, unsigned int base, uint64_t max,
			uint64_t *ret_value)
{
	static const char digits[] = "0123456789abcdef";
	const char *p = *at, *start, *digit;
	uint64_t value = 0;

	while (p < end && (*p == ' ' || *p == '\t'))
		p++;
	for (start = p; p < end; p++) {
		digit = memchr(digits, *p, base);
		if (!digit)
			break;
		if (value > (max - (uint64_t)(digit - digits)) / base)
			return false;
		value = value * base + (uint64_t)(digit - digits);
	}
	if (p == start)
		return false;
	*at = p;
	*ret_value = value;
	return true;
}

/* Skips blanks and takes exactly @word. */
static bool take_word(const char **at, const char *end, const char *word)
{
	size_t len = strlen(word);
	const char *p = *at;

	while (p < end && (*p == ' ' || *p == '\t'))
		p++;
	if ((size_t)(end - p) < len || memcmp(p, word, len) != 0)
		return false;
	*at = p + len;
	return true;
}

int berth_fdinfo_parse_flags(const char *line, size_t len, unsigned int *ret_flags)
{
	const char *at = line, *end = line + len;
	uint64_t flags;

	if (!take_word(&at, end, "flags:") || !take_number(&at, end, 8, UINT32_MAX, &flags) ||
	    at != end)
		return -EINVAL;
	*ret_flags = (unsigned int)flags;
	return 0;
}

/* "tfd:        7 events: 80000019 data: 7f0012345678  pos:0 ino:1a2b sdev:8", fs/eventpoll.c */
int berth_fdinfo_parse_watch(const char *line, size_t len, struct berth_fdinfo_watch *ret_watch)
{
	const char *at = line, *end = line + len;
	uint64_t fd, events, data, pos, inode, dev;

	if (!take_word(&at, end, "tfd:") || !take_number(&at, end, 10, INT32_MAX, &fd) ||
	    !take_word(&at, end, "events:") || !take_number(&at, end, 16, UINT32_MAX, &events) ||
	    !take_word(&at, end, "data:") || !take_number(&at, end, 16, UINT64_MAX, &data) ||
	    !take_word(&at, end, "pos:"))
		return -EINVAL;
	(void)take_word(&at, end, "-"); /* the offset of an odd file may be negative */
	if (!take_number(&at, end, 10, INT64_MAX, &pos) || !take_word(&at, end, "ino:") ||
	    !take_number(&at, end, 16, UINT64_MAX, &inode) || !take_word(&at, end, "sdev:") ||
	    !take_number(&at, end, 16, UINT32_MAX, &dev) || (at != end && *at != ' '))
		return -EINVAL;
	*ret_watch = (struct berth_fdinfo_watch){
		.fd = (int)fd,
		.events = (uint32_t)events,
		.data = data,
		.inode = inode,
		.dev = (uint32_t)dev,
	};
	return 0;
}

/* The links of the table are text: "socket:[4711]", "anon_inode:[eventpoll]". */
int berth_fdinfo_scan(pid_t pid, int socket_fd, struct berth_fdinfo_table *ret_table)
{
	struct berth_fdinfo_table table = { 0 };
	char path[PATH_LEN], wanted[PATH_LEN], link[PATH_LEN];
	struct dirent *entry;
	struct stat st;
	ssize_t n;
	DIR *dir;
	int r = 0;

	if (fstat(socket_fd, &st) < 0)
		return -errno;
	snprintf(wanted, sizeof(wanted), "socket:[%ju]", (uintmax_t)st.st_ino);
	snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
	dir = opendir(path);
	if (!dir)
		return errno == ENOENT ? -ESRCH : -errno;
	while (r == 0 && (entry = readdir(dir))) {
		n = readlinkat(dirfd(dir), entry->d_name, link, sizeof(link) - 1);
		if (n < 0 && (errno == EACCES || errno == EPERM))
			r = -errno;
		if (n < 0)
			continue; /* ".", or closed since */
		link[n] = '\0';
		if (strcmp(link, wanted) == 0)
			table.copies++;
		if (strcmp(link, "anon_inode:[eventpoll]") != 0)
			continue;
		if (table.epoll_count == BERTH_FDINFO_EPOLLS)
			r = -E2BIG;
		else
			table.epolls[table.epoll_count++] = atoi(entry->d_name);
	}
	closedir(dir);
	if (r == 0)
		*ret_table = table;
	return r;
}

/* Calls @fn for each line, without its newline, until it returns non-zero; returns that. */
static int each_line(pid_t pid, int fd, int (*fn)(const char *line, size_t len, void *arg),
		     void *arg)
{
	BERTH_AUTO_FREE char *line = NULL;
	char path[PATH_LEN];
	size_t size = 0;
	ssize_t n;
	FILE *file;
	int r = 0;

	snprintf(path, sizeof(path), "/proc/%d/fdinfo/%d", (int)pid, fd);
	file = fopen(path, "re");
	if (!file)
		return -errno;
	while (r == 0) {
		errno = 0;
		n = getline(&line, &size, file);
		if (n < 0) {
			r = -errno;
			break;
		}
		if (n > 0 && line[n - 1] == '\n')
			n--;
		r = fn(line, (size_t)n, arg);
	}
	fclose(file);
	return r;
}

enum {
	FOUND = 1
};

static int look_for_flags(const char *line, size_t len, void *arg)
{
	return berth_fdinfo_parse_flags(line, len, arg) == 0 ? FOUND : 0;
}

int berth_fdinfo_flags(pid_t pid, int fd, unsigned int *ret_flags)
{
	unsigned int flags = 0;
	int r = each_line(pid, fd, look_for_flags, &flags);

	if (r < 0)
		return r;
	if (r != FOUND)
		return -ENOENT;
	*ret_flags = flags;
	return 0;
}

struct search {
	uint64_t inode;
	uint32_t dev;
	struct berth_fdinfo_watch *watches;
	size_t max, count;
};

static int look_for_watches(const char *line, size_t len, void *arg)
{
	struct search *search = arg;
	struct berth_fdinfo_watch watch;

	if (berth_fdinfo_parse_watch(line, len, &watch) < 0 || watch.inode != search->inode ||
	    watch.dev != search->dev)
		return 0;
	if (search->count == search->max)
		return -E2BIG;
	search->watches[search->count++] = watch;
	return 0;
}

int berth_fdinfo_watches(pid_t pid, int epoll_fd, int socket_fd,
			 struct berth_fdinfo_watch *ret_watches, size_t max, size_t *ret_count)
{
	struct search search = { .watches = ret_watches, .max = max };
	struct stat st;
	int r;

	if (fstat(socket_fd, &st) < 0)
		return -errno;
	search.inode = st.st_ino;
	/* Sockets have a file system without a device, which is told as its minor number alone. */
	search.dev = minor(st.st_dev);
	r = each_line(pid, epoll_fd, look_for_watches, &search);
	if (r < 0)
		return r;
	*ret_count = search.count;
	return 0;
}
