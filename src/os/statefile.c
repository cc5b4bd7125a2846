/* SPDX-License-Identifier: MIT */
/* os/statefile.c - files that are written whole or not at all, in folders that are ours alone */
#include "os/statefile.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

/* The first block of a file that does not tell its size. */
enum {
	READ_START = 4096
};

static int format_path(char *buf, size_t size, const char *fmt, ...) BERTH_PRINTF(3, 4);
static int format_path(char *buf, size_t size, const char *fmt, ...)
{
	char path[PATH_MAX];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(path, sizeof(path), fmt, ap);
	va_end(ap);
	if (n < 0 || (size_t)n >= sizeof(path) || (size_t)n >= size)
		return -ENAMETOOLONG;
	memcpy(buf, path, (size_t)n + 1);
	return 0;
}

static const char *absolute_env(const char *name)
{
	const char *value = getenv(name);

	return value && value[0] == '/' ? value : NULL;
}

static bool is_own_folder(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISDIR(st.st_mode) && st.st_uid == geteuid();
}

static int runtime_path(char *buf, size_t size)
{
	const char *runtime = absolute_env("XDG_RUNTIME_DIR");
	unsigned int uid = geteuid();
	char path[64];
	struct stat st;

	/*
	 * `sudo -E` brings along the folder of the caller: a folder of root's inside of it would
	 * lock that user out. One that is not there yet, or no more, is no reason to go elsewhere.
	 */
	if (runtime && (stat(runtime, &st) < 0 || st.st_uid == uid))
		return format_path(buf, size, "%s/berth", runtime);
	if (uid == 0)
		return format_path(buf, size, "/run/berth");
	snprintf(path, sizeof(path), "/run/user/%u", uid);
	if (is_own_folder(path))
		return format_path(buf, size, "%s/berth", path);
	return format_path(buf, size, "/tmp/berth-%u", uid);
}

static int home_path(const char *env, const char *below_home, char *buf, size_t size)
{
	const char *base = absolute_env(env), *home = absolute_env("HOME");
	struct passwd pw, *found = NULL;
	char text[4096];
	int r;

	if (base)
		return format_path(buf, size, "%s/berth", base);
	if (!home) {
		r = getpwuid_r(geteuid(), &pw, text, sizeof(text), &found);
		if (r)
			return -r;
		if (!found || found->pw_dir[0] != '/')
			return -ENOENT;
		home = found->pw_dir;
	}
	return format_path(buf, size, "%s/%s/berth", home, below_home);
}

int berth_statefile_path(enum berth_statefile_place place, char *buf, size_t size)
{
	switch (place) {
	case BERTH_PLACE_RUNTIME:
		return runtime_path(buf, size);
	case BERTH_PLACE_STATE:
		return home_path("XDG_STATE_HOME", ".local/state", buf, size);
	case BERTH_PLACE_CONFIG:
		return home_path("XDG_CONFIG_HOME", ".config", buf, size);
	}
	return -EINVAL;
}

/* @path and what is missing above it; what exists is good, the caller looks at it afterwards. */
static int make_folders(char *path)
{
	char *slash = path;
	int r = 0;

	while ((slash = strchr(slash + 1, '/'))) {
		*slash = '\0';
		/*
		 * A folder above may be closed to us, or on a medium that can't be written to, and
		 * yet lead on.
		 */
		if (mkdir(path, 0700) < 0 && errno != EEXIST && r == 0)
			r = -errno;
		*slash = '/';
	}
	if (mkdir(path, 0700) == 0 || errno == EEXIST)
		return 0;
	return errno == ENOENT && r < 0 ? r : -errno;
}

int berth_statefile_open_dir(const char *path)
{
	BERTH_AUTO_FD int fd = -1;
	char copy[PATH_MAX];
	struct stat st;
	size_t len;
	int r;

	r = format_path(copy, sizeof(copy), "%s", path);
	if (r < 0)
		return r;
	/* Behind a slash at the end O_NOFOLLOW would follow after all. */
	for (len = strlen(copy); len > 1 && copy[len - 1] == '/'; len--)
		copy[len - 1] = '\0';

	fd = open(copy, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT && len) {
		r = make_folders(copy);
		if (r < 0)
			return r;
		fd = open(copy, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	}
	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	if (st.st_uid != geteuid() || (st.st_mode & (S_IWGRP | S_IWOTH)))
		return -EPERM;
	return berth_fd_steal(&fd);
}

static int write_all(int fd, const void *data, size_t len)
{
	const char *at = data;
	ssize_t n;

	while (len) {
		n = write(fd, at, len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		at += n;
		len -= (size_t)n;
	}
	return 0;
}

/* No part of the final name: that may be as long as a name can be. */
static int temporary_name(char *buf, size_t size)
{
	uint64_t random;

	if (getrandom(&random, sizeof(random), 0) != sizeof(random))
		return -EIO;
	return format_path(buf, size, ".berth-%016llx", (unsigned long long)random);
}

static int write_mode(int dir_fd, const char *name, const void *data, size_t len, mode_t mode)
{
	BERTH_AUTO_FD int fd = -1;
	char temporary[32];
	int r;

	r = temporary_name(temporary, sizeof(temporary));
	if (r < 0)
		return r;
	fd = openat(dir_fd, temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	r = write_all(fd, data, len);
	if (r == 0 && fchmod(fd, mode & 07777) < 0)
		r = -errno;
	/* Network filesystems and quotas may only now say that the data did not get there. */
	if (close(berth_fd_steal(&fd)) < 0 && errno != EINTR && r == 0)
		r = -errno;
	if (r == 0 && renameat(dir_fd, temporary, dir_fd, name) < 0)
		r = -errno;
	if (r < 0)
		(void)!unlinkat(dir_fd, temporary, 0);
	return r;
}

static bool is_plain_name(const char *name)
{
	return name[0] && !strchr(name, '/') && strcmp(name, ".") != 0 && strcmp(name, "..") != 0;
}

int berth_statefile_open_below(enum berth_statefile_place place, const char *name)
{
	char base[PATH_MAX], path[PATH_MAX];
	int r = berth_statefile_path(place, base, sizeof(base));

	if (r == 0)
		r = format_path(path, sizeof(path), "%s/%s", base, name);
	return r < 0 ? r : berth_statefile_open_dir(path);
}

int berth_statefile_write(int dir_fd, const char *name, const void *data, size_t len)
{
	if (!is_plain_name(name))
		return -EINVAL;
	return write_mode(dir_fd, name, data, len, 0600);
}

int berth_statefile_write_path(const char *path, const void *data, size_t len, mode_t mode)
{
	BERTH_AUTO_FD int dir_fd = -1;
	const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
	char folder[PATH_MAX] = ".";
	struct stat st;
	int r;

	if (!is_plain_name(name))
		return -EINVAL;
	if (slash) {
		r = format_path(folder, sizeof(folder), "%.*s", (int)(slash + 1 - path), path);
		if (r < 0)
			return r;
	}
	dir_fd = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (dir_fd < 0)
		return -errno;
	/*
	 * "/dev/null" and "/dev/stdout" are often given where a file is asked for: root must not
	 * replace them.
	 */
	if (fstatat(dir_fd, name, &st, 0) == 0 && !S_ISREG(st.st_mode))
		return -EINVAL;
	return write_mode(dir_fd, name, data, len, mode);
}

int berth_statefile_read(int dir_fd, const char *name, size_t max, char **ret_data, size_t *ret_len)
{
	BERTH_AUTO_FD int fd = -1;
	BERTH_AUTO_FREE char *data = NULL;
	size_t size, len = 0;
	struct stat st;
	ssize_t n;
	char *more;

	/*
	 * O_NONBLOCK: a FIFO without a writer would hold us forever. A socket can't be opened at
	 * all: ENXIO.
	 */
	fd = openat(dir_fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (fd < 0)
		return errno == ENXIO ? -EINVAL : -errno;
	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EINVAL;
	if (max >= SSIZE_MAX || (uint64_t)st.st_size > max)
		return -EFBIG;

	/*
	 * One byte more than the size finds the end, one more than that is for the NUL. Files in
	 * /proc say 0.
	 */
	size = st.st_size ? (size_t)st.st_size + 1 : READ_START;
	for (;;) {
		more = realloc(data, size + 1);
		if (!more)
			return -ENOMEM;
		data = more;
		n = read(fd, data + len, size - len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		len += (size_t)n;
		if (len > max)
			return -EFBIG;
		if (len == size)
			size *= 2;
	}
	data[len] = '\0';
	*ret_data = BERTH_STEAL(data);
	*ret_len = len;
	return 0;
}
