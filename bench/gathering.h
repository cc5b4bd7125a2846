/* SPDX-License-Identifier: MIT */
/* bench/gathering.h - how the programs of a row speak with it: a unix socket, lines of text */
#pragma once

#include <err.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

static inline int gathering_connect(const char *path)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (strlen(path) >= sizeof(addr.sun_path))
		errx(2, "'%s' is too long", path);
	strcpy(addr.sun_path, path);
	if (fd < 0 || connect(fd, (const struct sockaddr *)&addr, sizeof(addr)) < 0)
		err(1, "cannot report to '%s'", path);
	return fd;
}
