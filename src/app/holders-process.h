/* SPDX-License-Identifier: MIT */
/* app/holders-process.h - what there is to say of a process, asked once for each */
#pragma once

#include "app/registry.h"
#include "base/json.h"
#include "os/procfs.h"

#include <stdbool.h>

struct berth_holders_process {
	struct berth_proc_id id;
	pid_t supervisor; /* of berth: this process, or the nearest above it; 0: none */
	/*
	 * {"pid","process","command","cwd","user","uid","started_at","project","unit","container",
	 * "parents"}: members of a holder. Owned.
	 */
	json_t *document;
};

/* All that were asked for, and what they have in common. Zero is none of it: init first. */
struct berth_holders_processes {
	struct berth_holders_process **known; /* owned, by pid */
	size_t count, size;
	json_t *supervisors; /* owned, as the others: {pid: [record]} */
	json_t *parents; /* {pid: {"pid","process","ppid","start"}} */
	json_t *roots; /* {folder: project} */
	json_t *users; /* {uid: name} */
	json_t *groups; /* {cgroup id: path} */
	char *scratch; /* owned: for a command line */
	char home[4096];
};

/* @records: of berth_registry_load(), living ones, labelled. -ENOMEM. */
BERTH_MUST_USE int berth_holders_processes_init(struct berth_holders_processes *processes,
						json_t *records);
/* Ask anew from here on: processes come and go. What was borrowed is lost. */
void berth_holders_processes_forget(struct berth_holders_processes *processes);
void berth_holders_processes_deinit(struct berth_holders_processes *processes);

/*
 * What is known of the process that @id names; NULL: it has gone, or memory has. Borrowed; good
 * until deinit.
 */
const struct berth_holders_process *berth_holders_process_find(
	struct berth_holders_processes *processes, const struct berth_proc_id *id);

/* {"root","kind"} of the project that the folder @cwd of ours lies in, null: none. New reference. */
json_t *berth_holders_process_project(struct berth_holders_processes *processes, const char *cwd);
/* A command line of /proc (NUL-separated, NUL-terminated) as an array. New reference. */
json_t *berth_holders_process_command(const char *text, size_t len);

/* The name of @uid, null where it has none. New reference. */
json_t *berth_holders_process_user(struct berth_holders_processes *processes, uid_t uid);

/*
 * The "unit" and "container" members of @holder by the id of a control group, for a process that
 * can't be seen.
 */
void berth_holders_process_place(struct berth_holders_processes *processes, uint64_t cgroup_id,
				 json_t *holder);

/*
 * The record of a service whose @port is bound by a process that is not ours (--outside); NULL: none.
 * Borrowed.
 */
const json_t *berth_holders_process_outside(const struct berth_holders_processes *processes,
					    uint16_t port);

/*
 * The record of berth whose tree a process is in; of a supervisor that has several, the one with
 * @port is its own. Of a process of nobody's as of berth_holders_process_outside(). NULL: none,
 * which may also be one below a supervisor. Borrowed.
 */
const json_t *berth_holders_process_record(const struct berth_holders_processes *processes,
					   const struct berth_holders_process *process,
					   uint16_t port);

/* Does @port, as an operand of `berth stop`, mean the service of that id and no other one? */
bool berth_holders_process_means(const struct berth_holders_processes *processes, uint16_t port,
				 const char *id);
