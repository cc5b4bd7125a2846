/* SPDX-License-Identifier: MIT */
/* app/workspaces.c - the packages of a workspace: which folders its patterns mean */
#include "app/workspaces.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

enum {
	VISITS_MAX = 20000, /* folders that are looked into, in all */
	DEPTH_MAX = 16,
};

struct search {
	int root_fd; /* borrowed */
	char *const *patterns;
	char **found; /* owned */
	size_t count;
	unsigned int visits;
	int r;
};

void berth_workspaces_free(char **folders)
{
	for (size_t i = 0; folders && folders[i]; i++)
		free(folders[i]);
	free(folders);
}

/* The pattern without "./" in front. */
static const char *bare(const char *pattern)
{
	while (strncmp(pattern, "./", 2) == 0)
		pattern += 2;
	return pattern;
}

/* By one of those with '!'. There, * goes across slashes too, so that ** needs no care. */
static bool is_taken_out(const struct search *search, const char *path)
{
	for (size_t i = 0; search->patterns[i]; i++)
		if (search->patterns[i][0] == '!' &&
		    fnmatch(bare(search->patterns[i] + 1), path, 0) == 0)
			return true;
	return false;
}

static bool is_known(const struct search *search, const char *path)
{
	for (size_t i = 0; i < search->count; i++)
		if (strcmp(search->found[i], path) == 0)
			return true;
	return false;
}

/* The folder that the patterns have led to. */
static void arrive(struct search *search, const char *path)
{
	char file[PATH_MAX];
	struct stat st;

	if (!*path || snprintf(file, sizeof(file), "%s/package.json", path) >= (int)sizeof(file) ||
	    fstatat(search->root_fd, file, &st, 0) < 0 || !S_ISREG(st.st_mode))
		return;
	if (is_taken_out(search, path) || is_known(search, path) ||
	    search->count == BERTH_WORKSPACES_MAX)
		return;
	search->found[search->count] = strdup(path);
	if (!search->found[search->count])
		search->r = -ENOMEM;
	else
		search->count++;
}

static int open_folder(struct search *search, const char *path)
{
	if (search->visits++ >= VISITS_MAX)
		return -1;
	return openat(search->root_fd, *path ? path : ".",
		      O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

static void walk(struct search *search, const char *path, const char *rest, int depth);

/* Each folder below @path whose name matches @part goes on with @rest. */
static void walk_each(struct search *search, const char *path, const char *part, const char *rest,
		      int depth)
{
	int fd = open_folder(search, path);
	DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
	char below[PATH_MAX];

	if (!dir) {
		if (fd >= 0)
			close(fd);
		return;
	}
	for (struct dirent *entry = readdir(dir); entry && search->r == 0; entry = readdir(dir)) {
		if (entry->d_name[0] == '.' || strcmp(entry->d_name, "node_modules") == 0 ||
		    (entry->d_type != DT_DIR && entry->d_type != DT_UNKNOWN) ||
		    fnmatch(part, entry->d_name, 0) != 0)
			continue;
		if (snprintf(below, sizeof(below), "%s%s%s", path, *path ? "/" : "",
			     entry->d_name) < (int)sizeof(below))
			walk(search, below, rest, depth + 1);
	}
	closedir(dir);
}

/* From the folder @path on by what is left of a pattern. */
static void walk(struct search *search, const char *path, const char *rest, int depth)
{
	char part[NAME_MAX + 1], below[PATH_MAX];
	size_t len = strcspn(rest, "/");
	const char *next = rest + len + strspn(rest + len, "/");

	if (search->r < 0 || depth > DEPTH_MAX || len >= sizeof(part))
		return;
	if (len == 0) {
		arrive(search, path);
		return;
	}
	memcpy(part, rest, len);
	part[len] = '\0';
	if (strcmp(part, "**") == 0) {
		walk(search, path, next, depth + 1);
		walk_each(search, path, "*", rest, depth);
	} else if (strpbrk(part, "*?[")) {
		walk_each(search, path, part, next, depth);
	} else if (strcmp(part, "..") != 0 &&
		   snprintf(below, sizeof(below), "%s%s%s", path, *path ? "/" : "", part) <
			   (int)sizeof(below)) {
		walk(search, strcmp(part, ".") == 0 ? path : below, next, depth + 1);
	}
}

static int compare(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

int berth_workspaces_find(const char *folder, char *const *patterns, char ***ret_folders)
{
	BERTH_AUTO_FD int root_fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct search search = { .root_fd = root_fd, .patterns = patterns };

	search.found = calloc(BERTH_WORKSPACES_MAX + 1, sizeof(*search.found));
	if (!search.found)
		return -ENOMEM;
	for (size_t i = 0; root_fd >= 0 && patterns[i]; i++)
		if (patterns[i][0] != '!' && patterns[i][0] != '/')
			walk(&search, "", bare(patterns[i]), 0);
	if (search.r < 0) {
		berth_workspaces_free(search.found);
		return search.r;
	}
	qsort(search.found, search.count, sizeof(*search.found), compare);
	*ret_folders = search.found;
	return 0;
}
