/* SPDX-License-Identifier: MIT */
/* os/userfile.c - files that a user has written, and berth only reads */
#include "os/userfile.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "os/statefile.h"

int berth_userfile_read(const char *path, size_t max, char **ret_data, size_t *ret_len)
{
	char real[PATH_MAX];
	struct stat st;

	if (!realpath(path, real) || stat(real, &st) < 0)
		return -errno;
	if (S_ISDIR(st.st_mode))
		return -EISDIR;
	return berth_statefile_read(AT_FDCWD, real, max, ret_data, ret_len);
}
