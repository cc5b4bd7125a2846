/* SPDX-License-Identifier: MIT */
/* unit/own-folder.h - a folder of a test's own, for all that berth keeps */
#pragma once

#include <ftw.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum {
	OWN_FOLDER_SIZE = 64
};

static inline int own_folder_remove_one(const char *path, const struct stat *st, int type,
					struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

/* Runtime, state and config are folders below it from here on, not yet made but for the first. */
static inline bool own_folder_make(char path[OWN_FOLDER_SIZE])
{
	static const char *const variables[] = { "XDG_RUNTIME_DIR", "XDG_STATE_HOME",
						 "XDG_CONFIG_HOME" };
	static const char *const names[] = { "run", "state", "config" };
	char below[OWN_FOLDER_SIZE + 16];

	strcpy(path, "/tmp/berth-test-XXXXXX");
	if (!mkdtemp(path))
		return false;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		snprintf(below, sizeof(below), "%s/%s", path, names[i]);
		if (setenv(variables[i], below, 1) < 0 || (i == 0 && mkdir(below, 0700) < 0))
			return false;
	}
	return true;
}

/* A file in it, or a folder, whose name ends with '/'. */
struct own_file {
	const char *name, *text;
};

static inline bool own_folder_add(const char *path, const struct own_file *file)
{
	char below[256];
	FILE *stream;
	bool ok;

	snprintf(below, sizeof(below), "%s/%s", path, file->name);
	if (below[strlen(below) - 1] == '/')
		return mkdir(below, 0755) == 0;
	stream = fopen(below, "we");
	if (!stream)
		return false;
	ok = fputs(file->text, stream) >= 0;
	return fclose(stream) == 0 && ok;
}

/* The folder with all of @files, up to one without a name. */
static inline bool own_folder_make_with(char path[OWN_FOLDER_SIZE], const struct own_file *files)
{
	bool ok = own_folder_make(path);

	for (; ok && files->name; files++)
		ok = own_folder_add(path, files);
	return ok;
}

static inline bool own_folder_remove(const char *path)
{
	return nftw(path, own_folder_remove_one, 16, FTW_DEPTH | FTW_PHYS) == 0;
}
