/* SPDX-License-Identifier: MIT */
/* port/remembered.h - the numbers that a folder's service had last time */
#pragma once

#include "base/err.h"
#include "port/wish.h"

/*
 * One small JSON file per key in STATE/ports/ (written by os/statefile, so never half; two writers:
 * the last wins), named by the key's hash. Holds root, copy, service, and per port {name, asked, given,
 * home}.
 * A missing or broken file is an empty memory, never an error that stops a start; of a broken entry
 * the others stay.
 */
struct berth_remembered_port {
	char name[BERTH_PORT_NAME_MAX];
	uint16_t asked; /* what the program bound or the user wished; 0: unknown */
	uint16_t given;
	uint16_t home; /* where it goes back to when a stranger has moved it; 0: not known */
};

struct berth_remembered {
	struct berth_remembered_port ports[BERTH_WISH_PORTS_MAX];
	size_t count;
};

/* @dir_fd: the folder STATE/ports. @key: text of service/identity, [0-9a-z]{1,40}; else -EINVAL. */
BERTH_MUST_USE int berth_remembered_load(int dir_fd, const char *key,
					 struct berth_remembered *ret_memory);
BERTH_MUST_USE int berth_remembered_save(int dir_fd, const char *key, const char *root,
					 const char *copy, const char *service,
					 const struct berth_remembered *memory);

/*
 * A port of @memory whose home is not known has that of @old, if it asked for the same number then;
 * else it is at home where it is.
 */
void berth_remembered_find_homes(struct berth_remembered *memory,
				 const struct berth_remembered *old);

/*
 * Exactly the numbers remembered, homes included, for another key with another root folder than
 * @root, or another copy in that (of `up --as`; "": none), if the folder still exists (stat(2));
 * files of folders that have gone are removed on the way. At most 1,000 files are read, the newest.
 */
BERTH_MUST_USE int berth_remembered_foreign(int dir_fd, const char *key, const char *root,
					    const char *copy, struct berth_portset *ret_set);
