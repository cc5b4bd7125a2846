/* SPDX-License-Identifier: MIT */
/* fuzz/replay.c - feed the files of a corpus to a fuzz target, one after the other */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/attr.h"

enum {
	INPUT_MAX = 1 << 20
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Each input in a heap block of exactly its size, so that a sanitizer sees one byte too far. */
static int replay_file(int folder_fd, const char *name)
{
	BERTH_AUTO_FREE uint8_t *data = NULL;
	BERTH_AUTO_FD int fd = openat(folder_fd, name, O_RDONLY | O_CLOEXEC);
	struct stat st;
	size_t size;

	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return 0;
	if (st.st_size > INPUT_MAX)
		return -EFBIG;
	size = (size_t)st.st_size;

	data = malloc(size ? size : 1);
	if (!data)
		return -ENOMEM;
	if (read(fd, data, size) != (ssize_t)size)
		return -EIO;
	LLVMFuzzerTestOneInput(data, size);
	return 1;
}

static int replay_folder(const char *path)
{
	struct dirent *entry;
	int replayed = 0;
	DIR *folder;

	folder = opendir(path);
	if (!folder)
		return -errno;

	while ((entry = readdir(folder))) {
		int r = replay_file(dirfd(folder), entry->d_name);

		if (r < 0) {
			fprintf(stderr, "cannot read '%s/%s': %s\n", path, entry->d_name,
				strerror(-r));
			closedir(folder);
			return r;
		}
		replayed += r;
	}
	closedir(folder);
	return replayed;
}

int main(int argc, char **argv)
{
	int replayed;

	if (argc != 2) {
		fprintf(stderr, "usage: %s CORPUS-FOLDER\n", argv[0]);
		return 2;
	}
	replayed = replay_folder(argv[1]);
	if (replayed < 0)
		return 1;
	if (replayed == 0) {
		fprintf(stderr, "no input in '%s'\n", argv[1]);
		return 1;
	}
	printf("%d inputs replayed\n", replayed);
	return 0;
}
