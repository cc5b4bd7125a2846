/* SPDX-License-Identifier: MIT */
/* app/free-plan.h - whom `berth free` ends, how, and what stands against it: pure */
#pragma once

#include "look/engine.h"
#include "look/look.h"
#include "look/place.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* No such index. */
#define BERTH_FREE_NONE ((size_t)-1)

/* How a holder is ended. The words are those of the JSON output ("how"). */
#define BERTH_FREE_HOWS(X) \
	X(PROCESS, "process") /* this process alone: SIGTERM, and SIGKILL when grace is over */ \
	X(SERVICE, "service") /* berth's own, with its whole tree: as berth stop does */ \
	X(CONTAINER, "container") /* the container behind it, by its engine's command */ \
	X(UNIT, "unit") /* the socket unit that systemd listens for */ \
	X(NOTHING, "nothing") /* there is no process that we could end */

enum berth_free_how {
#define X(id, name) BERTH_FREE_##id,
	BERTH_FREE_HOWS(X)
#undef X
	BERTH_FREE_HOW_COUNT_,
};

/* What stands against ending it, the weightiest only. The words of the JSON output ("against"). */
#define BERTH_FREE_REASONS(X) \
	X(NO_REASON, "none") \
	X(ANCESTOR, "ancestor") /* berth was started below it */ \
	X(INIT, "init") /* process 1, or a user's systemd */ \
	X(SSHD, "sshd") /* somebody may have come in by it */ \
	X(IN_CONTAINER, "container") /* it works for a container, or runs in one */ \
	X(OTHER_USER, "user") /* it is another user's */ \
	X(HIDDEN, "hidden") /* we may not see which process it is */ \
	X(KERNEL, "kernel") /* no process has it that there is to see */

enum berth_free_reason {
#define X(id, name) BERTH_FREE_##id,
	BERTH_FREE_REASONS(X)
#undef X
	BERTH_FREE_REASON_COUNT_,
};

/* What follows for it. The words of the JSON output ("verdict"). */
#define BERTH_FREE_VERDICTS(X) \
	X(END, "end") \
	X(NEEDS_YES, \
	  "needs-yes") /* neither berth's own nor this project's, and nobody was asked */ \
	X(NEEDS_FORCE, "needs-force") \
	X(NEVER, "never") \
	X(IN_VAIN, "in-vain") /* somebody who stays holds each of its ports too */

enum berth_free_verdict {
#define X(id, name) BERTH_FREE_##id,
	BERTH_FREE_VERDICTS(X)
#undef X
	BERTH_FREE_VERDICT_COUNT_,
};

const char *berth_free_how_name(enum berth_free_how how);
const char *berth_free_reason_name(enum berth_free_reason reason);
const char *berth_free_verdict_name(enum berth_free_verdict verdict);

/* A process that holds something of what was asked. */
struct berth_free_proc {
	struct berth_proc_id id;
	pid_t parent;
	uid_t uid; /* effective */
	char comm[32]; /* raw */
	size_t service; /* index in the scene's services whose tree it is in, or NONE */
	bool here; /* its working folder is in the project that we are in */
	bool under_shell; /* its parent is a shell that gave it a process group: a job of somebody */
	struct berth_place place; /* of its cgroup */
	size_t container; /* index in the scene: it is a proxy of that, or runs in it; or NONE */
	char socket_unit[BERTH_PLACE_UNIT_MAX]; /* of a systemd: what it listens for; "" */
};

/* A service of berth, of our own user. */
struct berth_free_service {
	pid_t supervisor, guardian; /* 0: gone */
	const uint16_t *ports; /* borrowed */
	size_t port_count;
	bool outside; /* bound by processes that are not ours: whoever has them has them for it */
};

/* A container that can be stopped. */
struct berth_free_container {
	char name[BERTH_ENGINE_NAME_MAX]; /* or id; begins with a letter or digit */
	char engine[16]; /* the command of its engine */
	const uint16_t *ports; /* borrowed: what it publishes here, by TCP */
	size_t port_count;
};

/* All that the plan is made of. Borrowed. */
struct berth_free_scene {
	const struct berth_look *look; /* of the ports that were asked, and no others */
	const struct berth_free_proc *procs; /* each holder of @look, once */
	size_t proc_count;
	const struct berth_free_service *services;
	size_t service_count;
	const struct berth_free_container *containers;
	size_t container_count;
	pid_t self;
	const pid_t *ancestors; /* of ours, up to pid 1 */
	size_t ancestor_count;
	uid_t uid; /* effective, ours */
	const char *container; /* that we are in ourselves; "" none */
};

/* One thing to end, whatever it holds. */
struct berth_free_entry {
	enum berth_free_how how;
	enum berth_free_reason reason;
	bool stranger; /* neither berth's own nor of this project: only where somebody has said yes */
	enum berth_free_verdict verdict;
	size_t proc; /* index in the scene: the first one of it; NONE: not to be seen */
	size_t service; /* index in the scene, with SERVICE */
	size_t container; /* index in the scene, with CONTAINER */
	uid_t uid; /* of the process, else of who made the socket */
};

/* Which of them has which socket: the rest of the answer to "why is it ended". */
struct berth_free_link {
	size_t entry; /* index in the plan */
	size_t socket; /* index in the look */
	size_t proc; /* index in the scene, or NONE */
};

struct berth_free_plan {
	struct berth_free_entry *entries; /* owned; in the order of their first port */
	size_t entry_count;
	struct berth_free_link *links; /* owned; in the order of the sockets */
	size_t link_count;
};

/* Does it pass on what comes for a container, or run in another one than we? */
bool berth_free_plan_is_in_container(const struct berth_free_scene *scene,
				     const struct berth_free_proc *proc);
/* Does some process hold its port by it? Not what is closing or closed, nor what was accepted. */
bool berth_free_plan_is_held(const struct berth_look_socket *socket);

/*
 * Who is to be ended for the ports of @scene, and what stands against it; verdicts as without any
 * consent. 0 with an empty plan where nobody holds them; -ENOMEM.
 */
BERTH_MUST_USE int berth_free_plan_make(const struct berth_free_scene *scene,
					struct berth_free_plan *ret_plan);
void berth_free_plan_deinit(struct berth_free_plan *plan);

/* The verdicts, once it is known what the user agrees to. */
void berth_free_plan_judge(const struct berth_free_scene *scene, struct berth_free_plan *plan,
			   bool yes, bool force);

/* Is there an entry that stays, and has @port? NULL: none. */
const struct berth_free_entry *berth_free_plan_stays(const struct berth_free_scene *scene,
						     const struct berth_free_plan *plan,
						     uint16_t port);
bool berth_free_plan_has_port(const struct berth_free_scene *scene,
			      const struct berth_free_plan *plan, size_t entry, uint16_t port);

/*
 * The command that ends a container or a unit: fills @argv, NULL-terminated, with words borrowed
 * from @scene. False: it is ended in another way.
 */
enum {
	BERTH_FREE_ARGV_MAX = 5
};
bool berth_free_plan_command(const struct berth_free_scene *scene,
			     const struct berth_free_entry *entry,
			     const char *argv[BERTH_FREE_ARGV_MAX]);

/*
 * May something start it again at once? Its unit, its engine, or a parent that lives on; a job of
 * an interactive shell has nobody, nor has an orphan.
 */
bool berth_free_plan_may_return(const struct berth_free_proc *proc);
