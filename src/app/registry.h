/* SPDX-License-Identifier: MIT */
/* app/registry.h - what runs: one record per supervisor, true because that process lives */
#pragma once

#include "base/err.h"
#include "base/json.h"
#include "os/procfs.h"

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

enum {
	BERTH_ID_SIZE = 8
}; /* six characters of [a-z2-7] and NUL, rounded up */

/* The runtime folder, opened. */
struct berth_registry {
	int dir_fd; /* owned */
	int ports_fd; /* owned: the folder of the index by port */
	char boot[37]; /* of this boot; read once */
	uint64_t netns; /* inode of our network namespace: the scope of a port number */
	char path[PATH_MAX];
};

/* Opens (and makes) the folders. DENIED with a hint when they are not ours. */
BERTH_MUST_USE int berth_registry_open(struct berth_registry *ret_registry, struct berth_err *err);
/*
 * Make the same folders again, below a parent that must exist: a logout has removed them under a
 * living service. -ENOENT while the parent is missing too; @registry is as it was then.
 */
BERTH_MUST_USE int berth_registry_reopen(struct berth_registry *registry);
/* Has the folder been removed, or another one put in its place? */
bool berth_registry_is_lost(const struct berth_registry *registry);
void berth_registry_close(struct berth_registry *registry);

/* A new id, random: stable for one life of a service. */
BERTH_MUST_USE int berth_registry_new_id(char ret_id[BERTH_ID_SIZE]);
/* Could @text be one? */
bool berth_registry_is_id(const char *text);

/*
 * A record is an object of two members: "service", the document that users see (design: ls,
 * status), and "berth", what only we need:
 * {"supervisor":{"pid","start"},"guardian":{...},"boot","netns","socket","key","family",
 * "trees":[{"pid","start"}],"sessions":[{"pid","start"}],"listeners":{"5173":pid},"group",
 * "filters","cgroup","files":[...],"stop":{...}}.
 */
BERTH_MUST_USE int berth_registry_write(struct berth_registry *registry, const char *id,
					const json_t *record);
bool berth_registry_has(const struct berth_registry *registry, const char *id);
void berth_registry_remove(struct berth_registry *registry, const char *id);

/*
 * The index: a symlink per leased port, so that "whose is 5000" costs no search. Verified by the
 * reader, so it may be stale.
 */
void berth_registry_claim_port(struct berth_registry *registry, uint16_t port, const char *id);
void berth_registry_unclaim_port(struct berth_registry *registry, uint16_t port, const char *id);

/*
 * The record of @id, whether it lives or not; NULL: none. New reference. Of one that was written
 * before a reboot, "boot" is null: what it names lives no more, whatever has the numbers now.
 */
json_t *berth_registry_read(struct berth_registry *registry, const char *id);
/* The live record that has @port in our network namespace; NULL: none. New reference. */
json_t *berth_registry_find_port(struct berth_registry *registry, uint16_t port);

/* Who stands behind a record. */
enum berth_registry_life {
	BERTH_REGISTRY_LIVE, /* its supervisor lives */
	BERTH_REGISTRY_ENDING, /* its supervisor has gone, and its guardian is clearing up */
	BERTH_REGISTRY_DEAD, /* both have gone: see app/sweep.h */
};
enum berth_registry_life berth_registry_life(const json_t *record);

/* All records, in order of their start; a new array. Broken files are passed over. */
BERTH_MUST_USE int berth_registry_load(struct berth_registry *registry, json_t **ret_records);

/* {"pid","start"} of a record's "berth" member; pid 0: none. */
struct berth_proc_id berth_registry_process(const json_t *record, const char *which);
/* Process id to JSON; a new reference. */
json_t *berth_registry_process_json(const struct berth_proc_id *id);

/* What `ls` shows of a record: the first members of its document; borrowed. */
json_t *berth_registry_summary(const json_t *record);
/* The "service" document of a record, whole; borrowed. */
json_t *berth_registry_service(const json_t *record);
/* A member of its "berth" part, borrowed; NULL: none. */
json_t *berth_registry_private(const json_t *record, const char *key);

/*
 * Names as people read them: "shop/api", and where one project's services run in several folders
 * "shop@branch/api" or, if the branches don't tell them apart, "shop~parent/api"; ".2" for a
 * further instance. Sets "label" in each service document of @records.
 */
void berth_registry_label(json_t *records);
