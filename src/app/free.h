/* SPDX-License-Identifier: MIT */
/*
 * app/free.h - end whoever holds a port, and nobody else
 *
 * In five files: free.c looks, free-plan.c decides (pure, with a header of its own), free-end.c
 * acts, free-watch.c sees that the ports stay free, free-text.c says it.
 */
#pragma once

#include "app/free-plan.h"
#include "app/holders-process.h"
#include "app/registry.h"
#include "port/range.h"

enum {
	BERTH_FREE_GRACE_MS = 10 * 1000, /* from SIGTERM to SIGKILL */
	BERTH_FREE_WAIT_MS = 5 * 1000, /* for the ports, when all have ended */
	BERTH_FREE_WATCH_MS = 1000, /* whether somebody comes back */
};

/* What became of an entry. The words are those of the JSON output ("result"). */
#define BERTH_FREE_RESULTS(X) \
	X(LEFT_ALONE, "left-alone") \
	X(ENDED, "ended") /* after SIGTERM, or by its own means */ \
	X(KILLED, "killed") /* SIGKILL, when grace was over */ \
	X(LET_GO, "let-go") /* it lives, and holds none of the ports any more */ \
	X(GONE, "gone") /* before we did anything */ \
	X(FAILED, "failed")

enum berth_free_result {
#define X(id, name) BERTH_FREE_##id,
	BERTH_FREE_RESULTS(X)
#undef X
	BERTH_FREE_RESULT_COUNT_,
};
const char *berth_free_result_name(enum berth_free_result result);

struct berth_free_outcome {
	enum berth_free_result result;
	int64_t took_ms;
	json_t *answer; /* owned: of berth_stop(); NULL: none */
};

/* Some ports, who holds them, and what is to be done: as of one look. */
struct berth_free {
	const struct berth_range *ranges; /* borrowed */
	size_t range_count;
	struct berth_registry *registry; /* borrowed */
	bool tcp, udp;
	json_t *records; /* borrowed: the scene's services are these, in this order */
	struct berth_look look;
	struct berth_free_scene scene; /* of what follows */
	struct berth_free_plan plan;
	struct berth_free_outcome *outcomes; /* owned: one for each entry of the plan */
	struct berth_free_proc *procs; /* owned */
	struct berth_free_service *services; /* owned */
	uint16_t *service_ports; /* owned */
	struct berth_free_container *containers; /* owned */
	struct berth_engine engine;
	uint16_t *container_ports; /* owned */
	pid_t *ancestors; /* owned */
	struct berth_place place; /* that we are in ourselves */
	struct berth_holders_processes known; /* what there is to say of the processes */
};

struct berth_free_query {
	const struct berth_range *ranges; /* borrowed for the life of the result */
	size_t count; /* at least 1 */
	bool tcp, udp; /* at least one of them */
	struct berth_registry *registry; /* borrowed, as the ranges */
	json_t *records; /* living ones, labelled; borrowed alike */
};

/* Who holds them, and the plan, with the verdicts of nobody's consent. -errno with @err. */
BERTH_MUST_USE int berth_free_look(const struct berth_free_query *query,
				   struct berth_free *ret_free, struct berth_err *err);
void berth_free_deinit(struct berth_free *all);

struct berth_free_spec {
	int64_t grace_ms;
	int64_t wait_ms;
	int64_t watch_ms; /* 0: whoever asks takes the ports himself, at once */
	const char *by; /* of the history: "free", "run" */
};

/*
 * End all that the plan says END of. Each signal goes to a process whose pid and start time were
 * checked again after its pidfd was opened, and that still holds a socket of the look. Returns when
 * the ports that this frees are free, and have stayed so: 0; -errno with @err, code DENIED, TIMEOUT
 * (it does not end), or REFUSED: somebody holds one of them again. The outcomes tell the rest, and
 * what was ended goes to the history.
 */
BERTH_MUST_USE int berth_free_end(struct berth_free *all, const struct berth_free_spec *spec,
				  struct berth_err *err);

/*
 * The last part of it: wait until no socket holds what was to become free, and for watch_ms whether
 * that stays so, where something lives that may start it again; also for what no process has and
 * still is in the way, unless watch_ms is 0. 0, REFUSED, TIMEOUT.
 */
BERTH_MUST_USE int berth_free_watch(struct berth_free *all, const struct berth_free_spec *spec,
				    struct berth_err *err);
/*
 * A socket of the look that no process has, and that a bind() to what was asked for fails by all the
 * same: in TIME_WAIT, or on its way there. NULL: none.
 */
const struct berth_look_socket *berth_free_find_rest(const struct berth_free *all);
/* Is it one of those that were asked for? */
bool berth_free_was_asked(const struct berth_free *all, const struct berth_look_socket *socket);
/* Is it a socket of the look? */
bool berth_free_has_inode(const struct berth_free *all, uint64_t inode);

/* --- what there is to say of it, all printable: free-text.c --- */

/* Of whom: "node 812", "shop/web", "container 'db'", "uid 70, process hidden". Returns @buf. */
const char *berth_free_name(const struct berth_free *all, size_t entry, char *buf, size_t size);
/* Its ports: "5000", "5000-5002, 5010". Returns @buf. */
const char *berth_free_ports(const struct berth_free *all, size_t entry, char *buf, size_t size);
/* What would be done: "SIGTERM, after 10 s SIGKILL", "docker stop db". Returns @buf. */
const char *berth_free_action(const struct berth_free *all, size_t entry, int64_t grace_ms,
			      char *buf, size_t size);
/* Why not, or "": "it is another user's (postgres)". Returns @buf. */
const char *berth_free_why(const struct berth_free *all, size_t entry, char *buf, size_t size);
/* For a question: user, age, command line, folder, and what it has to do with. Returns @buf. */
const char *berth_free_details(const struct berth_free *all, size_t entry, char *buf, size_t size);
/* The process's members of the document of a holder (app/holders-process.h); borrowed, or NULL. */
const json_t *berth_free_process(const struct berth_free *all, size_t entry);
/* Its ports, each once: an array of integers. New reference. */
json_t *berth_free_port_list(const struct berth_free *all, size_t entry);
/* {"name","engine"} of what is ended as a container, else null. New reference. */
json_t *berth_free_container(const struct berth_free *all, size_t entry);
/* The entries as an array (share/schemas/free.schema.json, "holders"). New reference. */
json_t *berth_free_document(const struct berth_free *all, int64_t grace_ms);
