/* SPDX-License-Identifier: MIT */
/* os/statefile.h - files that are written whole or not at all, in folders that are ours alone */
#pragma once

#include "base/attr.h"

#include <stdbool.h>
#include <sys/types.h>

/*
 * Where berth keeps things (file-hierarchy(7), the XDG base directory specification). Each getter
 * fills @buf with an absolute path; nothing is created. Environment values that are empty or
 * relative are ignored, as XDG says.
 *
 *   runtime: $XDG_RUNTIME_DIR/berth unless that folder is somebody else's (sudo -E); uid 0:
 *            /run/berth; else /run/user/UID/berth if that folder is ours, else
 *            /tmp/berth-UID. Never $TMPDIR: two shells would not find each other.
 *   state:   $XDG_STATE_HOME/berth, else ~/.local/state/berth
 *   config:  $XDG_CONFIG_HOME/berth, else ~/.config/berth
 *
 * ~ is $HOME, else what the password database says; -ENOENT where neither does.
 */
enum berth_statefile_place {
	BERTH_PLACE_RUNTIME,
	BERTH_PLACE_STATE,
	BERTH_PLACE_CONFIG,
};
BERTH_MUST_USE int berth_statefile_path(enum berth_statefile_place place, char *buf, size_t size);

/*
 * Make the folder @path and what is missing above it (0700), and open it (O_DIRECTORY | O_CLOEXEC).
 * Only the last part is checked: it must be a real folder (a symlink: -ENOTDIR), belong to our
 * effective uid, and not be writable by others (a group- or world-writable one is refused with
 * -EPERM; another owner: -EPERM). Returns the descriptor or -errno.
 */
BERTH_MUST_USE int berth_statefile_open_dir(const char *path);

/* The same for the folder @name, one word, below @place. */
BERTH_MUST_USE int berth_statefile_open_below(enum berth_statefile_place place, const char *name);

/*
 * Write @data to @name in @dir_fd: a temporary name (unpredictable, O_EXCL, 0600), then rename(2).
 * Readers see the old or the new content. No fsync: these files describe a running machine. @name
 * holds no slash. On failure nothing is left; if we are killed in between, a file ".berth-" and 16
 * hex digits may be.
 */
BERTH_MUST_USE int berth_statefile_write(int dir_fd, const char *name, const void *data,
					 size_t len);

/*
 * The same for a path anywhere (pid files, .ports.json), with exactly @mode; the temporary name is
 * beside it. A symlink at @path is replaced, never followed; what is, or leads to, a device, FIFO
 * or folder (/dev/stdout): -EINVAL.
 */
BERTH_MUST_USE int berth_statefile_write_path(const char *path, const void *data, size_t len,
					      mode_t mode);

/*
 * Read a regular file whole (no symlink followed: -ELOOP; FIFOs, folders and devices refused with
 * -EINVAL; at most @max bytes, else -EFBIG). *ret_data is NUL-terminated beyond *ret_len; the
 * caller frees it. @dir_fd may be AT_FDCWD.
 */
BERTH_MUST_USE int berth_statefile_read(int dir_fd, const char *name, size_t max, char **ret_data,
					size_t *ret_len);
