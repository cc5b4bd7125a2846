/* SPDX-License-Identifier: MIT */
/* cli/ignore.c - is the file of ports left out of a repository? */
#include "cli/ignore.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "os/statefile.h"

enum {
	TEXT_MAX = 1024 * 1024,
};

bool berth_ignore_has_ports(const char *folder)
{
	BERTH_AUTO_FREE char *text = NULL;
	char path[PATH_MAX + 16];
	size_t len;

	snprintf(path, sizeof(path), "%s/.gitignore", folder);
	return berth_statefile_read(AT_FDCWD, path, TEXT_MAX, &text, &len) == 0 &&
	       strstr(text, ".ports") != NULL;
}
