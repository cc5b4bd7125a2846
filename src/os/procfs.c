/* SPDX-License-Identifier: MIT */
/* os/procfs.c - what /proc says of a process */
/*
 * Everything here may be gone between two calls, and much of it is written by the process it
 * describes: names hold any byte, the command line and the environment are its own memory
 * (PR_SET_MM can make them huge). So each read is bounded, and a process that vanishes is -ESRCH
 * whatever the call that noticed. Small files are read at once into the stack, since `berth ls`
 * does it a thousand times.
 */
#include "os/procfs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/time.h"

enum {
	PATH_LEN = 64, /* "/proc/", two numbers and a word */
	ENVIRON_MAX = 8 << 20, /* execve() itself takes at most 6 MiB */
	PIDS_MAX = 1 << 22, /* more the kernel does not give: PID_MAX_LIMIT */
};

/* A file of a process that is not there any more, or that a hidepid= mount keeps from us. */
static int gone(int e)
{
	return e == ENOENT || e == ENOTDIR ? -ESRCH : -e;
}

static int open_of(pid_t pid, const char *name)
{
	char path[PATH_LEN];
	int fd;

	if (pid <= 0)
		return -ESRCH;
	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	return fd < 0 ? gone(errno) : fd;
}

/* At most @size bytes, from where the descriptor stands. */
static ssize_t read_some(int fd, void *buf, size_t size)
{
	size_t len = 0;
	ssize_t n;

	while (len < size) {
		n = read(fd, (char *)buf + len, size - len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return gone(errno);
		if (n == 0)
			break;
		len += (size_t)n;
	}
	return (ssize_t)len;
}

/* A blank and a decimal number, maybe negative; @at is behind it afterwards. */
static bool next_number(const char **at, const char *end, int64_t *ret_value)
{
	const char *p = *at;
	uint64_t value = 0;
	bool negative;

	if (p == end || *p++ != ' ')
		return false;
	negative = p < end && *p == '-';
	if (negative)
		p++;
	if (p == end || *p < '0' || *p > '9')
		return false;
	for (; p < end && *p >= '0' && *p <= '9'; p++) {
		if (value > (INT64_MAX - 9) / 10)
			return false;
		value = value * 10 + (uint64_t)(*p - '0');
	}
	*at = p;
	*ret_value = negative ? -(int64_t)value : (int64_t)value;
	return true;
}

/* proc_pid_stat(5) numbers its fields; pid, name and state are the first three. */
enum stat_field {
	STAT_PPID = 4,
	STAT_PGRP = 5,
	STAT_SESSION = 6,
	STAT_FLAGS = 9,
	STAT_THREADS = 20,
	STAT_START = 22,
};

enum {
	FLAG_EXITING = 0x4, /* PF_EXITING of the kernel's sched.h, the same since ever */
};

/*
 * 0 for what lives outside of our pid namespace, -1 for what a process that ends has already lost.
 */
static bool is_id(int64_t value)
{
	return value >= -1 && value <= INT32_MAX;
}

int berth_procfs_parse_stat(const char *text, size_t len, struct berth_proc_stat *ret_stat)
{
	struct berth_proc_stat stat = { 0 };
	const char *end = text + len, *open, *close, *at;
	int64_t fields[STAT_START + 1] = { 0 }, pid = 0;
	size_t comm_len;

	open = memchr(text, '(', len);
	close = memrchr(text, ')', len);
	if (!open || !close || close < open || open == text || open[-1] != ' ')
		return -EINVAL;
	for (at = text; at < open - 1; at++) {
		if (*at < '0' || *at > '9' || pid > INT32_MAX)
			return -EINVAL;
		pid = pid * 10 + (*at - '0');
	}
	at = close + 1;
	if (end - at < 2 || at[0] != ' ')
		return -EINVAL;
	stat.state = at[1];
	at += 2;
	for (size_t i = STAT_PPID; i <= STAT_START; i++)
		if (!next_number(&at, end, &fields[i]))
			return -EINVAL;
	if (!is_id(pid) || pid < 1 || !is_id(fields[STAT_PPID]) || !is_id(fields[STAT_PGRP]) ||
	    !is_id(fields[STAT_SESSION]) || !is_id(fields[STAT_THREADS]) ||
	    fields[STAT_THREADS] < 0 || fields[STAT_START] < 0)
		return -EINVAL;

	stat.id.pid = (pid_t)pid;
	stat.id.start_ticks = (uint64_t)fields[STAT_START];
	stat.ppid = (pid_t)fields[STAT_PPID];
	stat.pgrp = (pid_t)fields[STAT_PGRP];
	stat.session = (pid_t)fields[STAT_SESSION];
	stat.threads = (unsigned int)fields[STAT_THREADS];
	stat.exiting = fields[STAT_FLAGS] & FLAG_EXITING;
	comm_len = (size_t)(close - open - 1);
	if (comm_len >= sizeof(stat.comm))
		comm_len = sizeof(stat.comm) - 1;
	memcpy(stat.comm, open + 1, comm_len);
	*ret_stat = stat;
	return 0;
}

int berth_procfs_stat(pid_t pid, struct berth_proc_stat *ret_stat)
{
	BERTH_AUTO_FD int fd = open_of(pid, "stat");
	char buf[1024]; /* some 300 bytes; what counts are the first 22 of 52 fields */
	ssize_t n;

	if (fd < 0)
		return fd;
	/* The kernel gives all of it at once; a second read() would only say "end". */
	do
		n = read(fd, buf, sizeof(buf));
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return gone(errno);
	return n == 0 ? -ESRCH : berth_procfs_parse_stat(buf, (size_t)n, ret_stat);
}

bool berth_procfs_is_alive(const struct berth_proc_id *id)
{
	struct berth_proc_stat stat;

	if (berth_procfs_stat(id->pid, &stat) < 0 || stat.id.start_ticks != id->start_ticks)
		return false;
	return (stat.state != 'Z' && stat.state != 'X') || stat.threads > 1;
}

/*
 * Lines of a file in a fixed buffer; what does not fit is cut, as the "Groups:" of a user with
 * thousands of them.
 */
struct lines {
	int fd;
	size_t len, at;
	char buf[4096];
};

/*
 * 1: *ret_line is the next one, without its newline, until the next call. 0 at the end, or -errno.
 */
static int next_line(struct lines *lines, const char **ret_line)
{
	bool cut = false;
	char *start, *newline;
	ssize_t n;

	for (;;) {
		start = lines->buf + lines->at;
		newline = memchr(start, '\n', lines->len - lines->at);
		if (newline) {
			lines->at = (size_t)(newline + 1 - lines->buf);
			if (cut) {
				cut = false;
				continue;
			}
			*newline = '\0';
			*ret_line = start;
			return 1;
		}
		if (lines->at == 0 && lines->len == sizeof(lines->buf)) {
			lines->len = 0;
			cut = true;
		} else {
			memmove(lines->buf, start, lines->len - lines->at);
			lines->len -= lines->at;
			lines->at = 0;
		}
		n = read_some(lines->fd, lines->buf + lines->len, sizeof(lines->buf) - lines->len);
		if (n <= 0)
			return (int)n;
		lines->len += (size_t)n;
	}
}

int berth_procfs_status(pid_t pid, struct berth_proc_status *ret_status)
{
	BERTH_AUTO_FD int fd = open_of(pid, "status");
	struct berth_proc_status status = { .uid = (uid_t)-1 };
	struct lines lines = { .fd = fd };
	unsigned long long cap;
	const char *line = NULL;
	int r, tgid;

	if (fd < 0)
		return fd;
	/* The kernel escapes newlines in "Name:", so that a name can't pass for another line. */
	while ((r = next_line(&lines, &line)) > 0) {
		if (sscanf(line, "Tgid: %d", &tgid) == 1)
			status.tgid = tgid;
		else if (sscanf(line, "CapEff: %llx", &cap) == 1)
			status.cap_eff = cap;
		else if (sscanf(line, "Uid: %*u %u", &status.uid) != 1)
			(void)sscanf(line, "Seccomp_filters: %u", &status.seccomp_filters);
	}
	if (r < 0)
		return r;
	if (status.tgid <= 0 || status.uid == (uid_t)-1)
		return -ESRCH;
	*ret_status = status;
	return 0;
}

int berth_procfs_boot_id(char ret_id[37])
{
	BERTH_AUTO_FD int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
	char buf[36];
	ssize_t n;

	if (fd < 0)
		return -errno;
	n = read_some(fd, buf, sizeof(buf));
	if (n < 0)
		return (int)n;
	if ((size_t)n < sizeof(buf))
		return -EIO;
	memcpy(ret_id, buf, sizeof(buf));
	ret_id[sizeof(buf)] = '\0';
	return 0;
}

static uint64_t clock_ms(clockid_t clock)
{
	struct timespec ts = { 0 };

	clock_gettime(clock, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / BERTH_NS_PER_MS;
}

int64_t berth_procfs_start_ms(uint64_t start_ticks)
{
	/*
	 * Unsigned throughout: a tick count from a damaged record gives a wrong time, not an
	 * overflow.
	 */
	uint64_t hz = (uint64_t)sysconf(_SC_CLK_TCK);
	uint64_t after_boot = start_ticks / hz * 1000 + start_ticks % hz * 1000 / hz;

	return (int64_t)(clock_ms(CLOCK_REALTIME) - clock_ms(CLOCK_BOOTTIME) + after_boot);
}

int berth_procfs_cmdline(pid_t pid, char *buf, size_t size, size_t *ret_len)
{
	BERTH_AUTO_FD int fd = open_of(pid, "cmdline");
	ssize_t n;

	if (!size)
		return -EINVAL;
	if (fd < 0)
		return fd;
	n = read_some(fd, buf, size - 1);
	if (n < 0)
		return (int)n;
	buf[n] = '\0';
	if (n > 0 && buf[n - 1] == '\0')
		n--;
	*ret_len = (size_t)n;
	return 0;
}

int berth_procfs_cwd(pid_t pid, char *buf, size_t size)
{
	char path[PATH_LEN];
	ssize_t n;

	if (pid <= 0)
		return -ESRCH;
	snprintf(path, sizeof(path), "/proc/%d/cwd", (int)pid);
	n = readlink(path, buf, size);
	if (n < 0)
		return gone(errno);
	if ((size_t)n >= size)
		return -ENAMETOOLONG;
	buf[n] = '\0';
	return 0;
}

int berth_procfs_environ_has(pid_t pid, const char *assignment, bool *ret_has)
{
	BERTH_AUTO_FD int fd = open_of(pid, "environ");
	size_t len = strlen(assignment), matched = 0, seen = 0;
	bool differs = false;
	char buf[4096];
	ssize_t n;

	if (fd < 0)
		return fd;
	while ((n = read_some(fd, buf, sizeof(buf))) > 0 && seen < ENVIRON_MAX) {
		for (ssize_t i = 0; i < n; i++) {
			if (buf[i] == '\0') {
				if (matched && !differs && matched == len) {
					*ret_has = true;
					return 0;
				}
				matched = 0;
				differs = false;
			} else if (!differs) {
				differs = matched == len || buf[i] != assignment[matched];
				matched++;
			}
		}
		seen += (size_t)n;
	}
	if (n < 0)
		return (int)n;
	/* The last one ends with the memory, not always with a NUL. */
	*ret_has = matched && !differs && matched == len;
	return 0;
}

int berth_procfs_wchan(pid_t pid, char *buf, size_t size)
{
	BERTH_AUTO_FD int fd = open_of(pid, "wchan");
	ssize_t n;

	if (!size)
		return -EINVAL;
	if (fd < 0)
		return fd;
	n = read_some(fd, buf, size - 1);
	if (n < 0)
		return (int)n;
	buf[n] = '\0';
	if (strcmp(buf, "0") == 0)
		buf[0] = '\0';
	return 0;
}

/* A name in /proc or in a task folder as a number; 0: something else. */
static pid_t as_pid(const char *name)
{
	int64_t pid = 0;

	for (; *name; name++) {
		if (*name < '0' || *name > '9')
			return 0;
		pid = pid * 10 + (*name - '0');
		if (pid > INT32_MAX)
			return 0;
	}
	return (pid_t)pid;
}

int berth_procfs_each(int (*fn)(pid_t pid, void *arg), void *arg)
{
	DIR *dir = opendir("/proc");
	struct dirent *entry;
	pid_t pid;
	int r = 0;

	if (!dir)
		return -errno;
	while (r == 0) {
		errno = 0;
		entry = readdir(dir);
		if (!entry) {
			r = -errno;
			break;
		}
		pid = as_pid(entry->d_name);
		if (pid)
			r = fn(pid, arg);
	}
	closedir(dir);
	return r;
}

struct pids {
	pid_t *list; /* owned */
	size_t size, count;
};

static int add_pid(pid_t pid, void *arg)
{
	struct pids *pids = arg;
	pid_t *list;

	if (pids->count == pids->size) {
		size_t size = pids->size ? 2 * pids->size : 1024;

		list = size > PIDS_MAX ? NULL : reallocarray(pids->list, size, sizeof(*list));
		if (!list)
			return -ENOMEM;
		pids->list = list;
		pids->size = size;
	}
	pids->list[pids->count++] = pid;
	return 0;
}

int berth_procfs_load_pids(pid_t **ret_pids, size_t *ret_count)
{
	struct pids pids = { 0 };
	int r = berth_procfs_each(add_pid, &pids);

	if (r < 0) {
		free(pids.list);
		return r;
	}
	*ret_pids = pids.list;
	*ret_count = pids.count;
	return 0;
}
