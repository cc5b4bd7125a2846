/* SPDX-License-Identifier: MIT */
/* os/userfile.h - files that a user has written, and berth only reads */
#pragma once

#include "base/attr.h"

#include <stddef.h>

/*
 * Read a regular file whole, also where @path is a link to one: dotfiles often lead into a
 * repository. -EISDIR: a folder; -EINVAL: a FIFO or device; -EFBIG: beyond @max bytes; else -errno.
 * *ret_data is NUL-terminated beyond *ret_len; the caller frees it.
 */
BERTH_MUST_USE int berth_userfile_read(const char *path, size_t max, char **ret_data,
				       size_t *ret_len);
