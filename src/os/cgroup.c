/* SPDX-License-Identifier: MIT */
/* os/cgroup.c - a control group of one's own: cgroups(7), version 2 */
#include "os/cgroup.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/str.h"
#include "os/statefile.h"

enum {
	CGROUP_FILE_MAX = 65536,
	REMOVE_TRIES = 100,
	REMOVE_PAUSE_MS = 2,
	DEPTH_MAX = 32, /* of the folders of groups */
};

/* Where version 2 is mounted: alone, or beside version 1 ("hybrid"). */
static const char *const mounts[] = { "/sys/fs/cgroup", "/sys/fs/cgroup/unified" };

/* "0::/user.slice/..." of /proc/self/cgroup. */
static int own_path(char *buf, size_t size)
{
	BERTH_AUTO_FREE char *text = NULL;
	char *line, *rest;
	size_t len;
	int r;

	r = berth_statefile_read(AT_FDCWD, "/proc/self/cgroup", CGROUP_FILE_MAX, &text, &len);
	if (r < 0)
		return r;
	rest = text;
	while ((line = strsep(&rest, "\n")))
		if (strncmp(line, "0::/", 4) == 0)
			return snprintf(buf, size, "%s", line + 3) < (int)size ? 0 : -ENAMETOOLONG;
	return -ENOENT;
}

static const char *find_mount(void)
{
	char path[128];

	for (size_t i = 0; i < BERTH_ARRAY_SIZE(mounts); i++) {
		snprintf(path, sizeof(path), "%s/cgroup.procs", mounts[i]);
		if (access(path, F_OK) == 0)
			return mounts[i];
	}
	return NULL;
}

int berth_cgroup_new(const char *name, struct berth_cgroup *ret_cgroup)
{
	const char *mount = find_mount();
	struct berth_cgroup cgroup = { .fd = -1 };
	char own[PATH_MAX];
	int r;

	if (!mount)
		return -ENOENT;
	r = own_path(own, sizeof(own));
	if (r < 0)
		return r;
	r = snprintf(cgroup.path, sizeof(cgroup.path), "%s%s/%s", mount,
		     strcmp(own, "/") == 0 ? "" : own, name);
	if (r >= (int)sizeof(cgroup.path))
		return -ENAMETOOLONG;
	if (mkdir(cgroup.path, 0755) < 0)
		return -errno;
	cgroup.fd = open(cgroup.path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (cgroup.fd < 0) {
		r = -errno;
		rmdir(cgroup.path);
		return r;
	}
	*ret_cgroup = cgroup;
	return 0;
}

int berth_cgroup_kill(const char *path)
{
	char file[PATH_MAX + 16];
	BERTH_AUTO_FD int fd = -1;

	snprintf(file, sizeof(file), "%s/cgroup.kill", path);
	fd = open(file, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return -errno;
	return write(fd, "1", 1) == 1 ? 0 : -errno;
}

unsigned long berth_cgroup_oom_kills(const char *path)
{
	BERTH_AUTO_FREE char *text = NULL;
	char file[PATH_MAX + 16];
	unsigned long kills;
	char *found;
	size_t len;

	snprintf(file, sizeof(file), "%s/memory.events", path);
	if (berth_statefile_read(AT_FDCWD, file, CGROUP_FILE_MAX, &text, &len) < 0)
		return 0;
	found = strstr(text, "oom_kill ");
	return found && sscanf(found, "oom_kill %lu", &kills) == 1 ? kills : 0;
}

int berth_cgroup_remove_path(const char *path)
{
	for (int tries = 0; rmdir(path) < 0; tries++) {
		if (errno != EBUSY || tries == REMOVE_TRIES)
			return -errno;
		poll(NULL, 0, REMOVE_PAUSE_MS);
	}
	return 0;
}

int berth_cgroup_remove(struct berth_cgroup *cgroup)
{
	int r = cgroup->path[0] ? berth_cgroup_remove_path(cgroup->path) : 0;

	cgroup->path[0] = '\0';
	berth_fd_close(&cgroup->fd);
	return r;
}

int berth_cgroup_of(pid_t pid, char **ret_text)
{
	char path[64];
	size_t len;
	int r;

	snprintf(path, sizeof(path), "/proc/%d/cgroup", (int)pid);
	r = berth_statefile_read(AT_FDCWD, path, CGROUP_FILE_MAX, ret_text, &len);
	return r == -ENOENT ? -ESRCH : r;
}

/* Append "/NAME" for each folder on the way to the group @id below @fd, which is closed. */
static bool find_below(int fd, uint64_t id, unsigned int depth, char *buf, size_t size)
{
	size_t len = strlen(buf);
	struct dirent *entry;
	bool found = false;
	DIR *dir = fdopendir(fd);

	if (!dir) {
		close(fd);
		return false;
	}
	while (!found && (entry = readdir(dir))) {
		int n, below;

		if (entry->d_type != DT_DIR || entry->d_name[0] == '.')
			continue;
		n = snprintf(buf + len, size - len, "/%s", entry->d_name);
		if (n >= (int)(size - len))
			continue;
		found = entry->d_ino == id;
		if (found || depth == DEPTH_MAX)
			continue;
		below = openat(dirfd(dir), entry->d_name,
			       O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		found = below >= 0 && find_below(below, id, depth + 1, buf, size);
	}
	closedir(dir);
	if (!found)
		buf[len] = '\0';
	return found;
}

int berth_cgroup_find(uint64_t id, char *buf, size_t size)
{
	const char *mount = find_mount();
	char path[PATH_MAX] = "";
	struct stat st;
	int fd;

	if (!mount)
		return -ENOENT;
	fd = open(mount, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) == 0 && st.st_ino == id) {
		close(fd);
		strcpy(path, "/");
	} else if (!find_below(fd, id, 0, path, sizeof(path))) {
		return -ENOENT;
	}
	return berth_str_copy(buf, size, path) ? 0 : -ENAMETOOLONG;
}
