/* SPDX-License-Identifier: MIT */
/* app/supervisor.h - the process that holds the ports of services and answers for them */
#pragma once

#include "app/console.h"
#include "app/note.h"
#include "app/unit.h"
#include "os/cradle.h"
#include "os/outq.h"

/*
 * One process, one thread, one loop. Shared by its files (supervisor.c, setup.c, reports.c,
 * browser.c, serve.c, requests.c, steering.c and what app/unit.h names) and by nobody else.
 */

enum {
	BERTH_SUPERVISOR_EXEC_VIEWS_MAX = 32, /* what berth exec runs */
	BERTH_SUPERVISOR_CLIENTS_RESERVED =
		8, /* of these: for who wants an end, however many wait */
	BERTH_SUPERVISOR_CLIENTS_MAX = 64 + BERTH_SUPERVISOR_CLIENTS_RESERVED,
	BERTH_SUPERVISOR_PENDING_MAX = 64,
	BERTH_SUPERVISOR_UNITS_MAX = 512,
};

struct berth_stack_run;

/* A call that could not be answered at once: a stranger was in the way and will be gone. */
struct berth_pending {
	struct berth_view *view; /* NULL: free slot */
	struct berth_notify_call call;
	int64_t retry_ns, deadline_ns;
};

/* What a client of the control socket waits for; each is answered once. */
enum berth_client_wait {
	BERTH_CLIENT_WAITS_FOR_END = 1 << 0, /* nothing lives, the ports are free */
	BERTH_CLIENT_WAITS_FOR_READY = 1 << 1, /* it serves, be it not with all its workers */
	BERTH_CLIENT_WAITS_FOR_RESTART = 1 << 2, /* all that are wanted are ready */
	BERTH_CLIENT_WAITS_FOR_ROLLOUT = 1 << 3,
	BERTH_CLIENT_WAITS_FOR_SCALE = 1 << 4,
	BERTH_CLIENT_WAITS_FOR_STACK = 1 << 5, /* all of it is ready, or will never be */
	/* All that another life of it ends. */
	BERTH_CLIENT_WAITS_FOR_LIFE = BERTH_CLIENT_WAITS_FOR_READY |
				      BERTH_CLIENT_WAITS_FOR_RESTART |
				      BERTH_CLIENT_WAITS_FOR_ROLLOUT | BERTH_CLIENT_WAITS_FOR_SCALE,
};

/* One connection to a control socket. */
struct berth_client {
	struct berth_supervisor *supervisor;
	struct berth_unit *unit; /* NULL: of the stack as a whole */
	int fd; /* owned; -1: free slot */
	bool reserved; /* its place is one of those that are kept for who wants an end */
	struct berth_loop_source source;
	unsigned int waits; /* a set of the above */
	json_t *services; /* owned; with WAITS_FOR_STACK: {"NAME":true}, what was asked for and what
			     that needs; NULL: nothing was */
	pid_t waits_for_pid; /* asked for a start outside: answered when that has ended; 0: no */
};

/* A pidfd of a process that listens on one of the ports. */
struct berth_watch {
	struct berth_unit *unit;
	struct berth_watch *next;
	int pidfd; /* owned */
	pid_t pid;
	struct berth_loop_source source;
};

struct berth_supervisor {
	/* set by berth_supervisor_run(), then constant */
	const struct berth_job *job; /* as it was asked for: what holds for all units */
	struct berth_proc_id self, guardian;
	unsigned int own_filters; /* seccomp filters of ours: what a service has is more */
	pid_t front_group; /* process group of the guardian: the job that the shell sees */
	char boot[37];
	uint64_t netns_cookie; /* the scope of our ports */
	int report_fd; /* to the guardian; owned */
	int starter_fd; /* to a starter that waits (-d); owned, -1: none */

	struct berth_loop loop;
	struct berth_loop_source report_source, signal_source, owner_source;
	int signal_fd, owner_fd; /* owned */
	int spare_fd; /* owned; room to turn a client away when there is no other; -1: none */
	struct berth_outq messages; /* standard error */
	struct berth_console console; /* of a stack in the foreground: all that is said, there */
	struct berth_outq status; /* --status-fd */
	struct berth_registry registry;
	int memory_fd; /* folder of remembered ports; -1: none */
	struct berth_notify_program filters[2]; /* without and with connect(); made when needed */
	struct berth_cradle cradle; /* of the keepers */

	struct berth_ports_shared
		*shared; /* while several are leased at once; NULL: they are not */
	struct berth_stack_run *stack; /* owned; NULL: no stack. See app/stack-run.h */
	int64_t started_ms;
	struct berth_unit **units; /* owned; in the order of their start */
	size_t unit_count;
	int exit_code; /* of the units that are done: the first that is not 0 */
	int end_signal; /* that ended that one; 0: none */
	int64_t ttl_ns; /* deadline; 0: none */
	int64_t interrupt_ns; /* first of the last Ctrl-C's on a command that has not listened */
	unsigned int interrupts;
	bool guardian_gone; /* detached: it goes on without */
	struct berth_proc_id outside[16]; /* started by us, but part of no service: see browser.c */

	/* written by steering.c and users.c */
	struct berth_view exec_views[BERTH_SUPERVISOR_EXEC_VIEWS_MAX];
	struct berth_pending pending[BERTH_SUPERVISOR_PENDING_MAX];
	struct berth_watch *watches; /* owned, each */

	/* written by serve.c */
	struct berth_client *clients[BERTH_SUPERVISOR_CLIENTS_MAX]; /* owned; NULL: free */
};

/* supervisor.c */

/*
 * The whole life, in a process of its own. Consumes both descriptors. Returns the exit code that
 * the guardian passes on.
 */
int berth_supervisor_run(struct berth_job *job, int report_fd, int starter_fd);
/* Of all units. */
void berth_supervisor_end(struct berth_supervisor *supervisor, enum berth_end_cause cause,
			  enum berth_service_event event);
/* Has any unit been ready? */
bool berth_supervisor_was_ready(const struct berth_supervisor *supervisor);
/* Are all that are left on their way out? */
bool berth_supervisor_is_stopping(const struct berth_supervisor *supervisor);
/* Children have ended, or were stopped. */
void berth_supervisor_reap(struct berth_supervisor *supervisor);
/* More or fewer instances of the service of @unit. 0, or -errno with @err. */
BERTH_MUST_USE int berth_supervisor_scale(struct berth_unit *unit, size_t count,
					  struct berth_err *err);
/* Has its service several of them, or had? Then a number means those, and not its workers. */
bool berth_supervisor_has_instances(const struct berth_unit *unit);
/*
 * One more unit, prepared and not started; with @any_instance the next one that is free. *ret_unit
 * is borrowed. -errno with @err: there is none then.
 */
BERTH_MUST_USE int berth_supervisor_add(struct berth_supervisor *supervisor,
					const struct berth_job *job, bool any_instance,
					struct berth_unit **ret_unit, struct berth_err *err);
/* Does a tree live that hangs below us without a keeper? Then the next one needs one. */
bool berth_supervisor_has_bare_tree(const struct berth_supervisor *supervisor);

/* setup.c */

void berth_supervisor_init(struct berth_supervisor *supervisor, struct berth_job *job,
			   int report_fd, int starter_fd);
/* All but the units. 0, or -errno with @err: nothing has been started then. */
BERTH_MUST_USE int berth_supervisor_prepare(struct berth_supervisor *supervisor,
					    struct berth_err *err);

/* reports.c */

/* To the guardian. */
void berth_supervisor_report(struct berth_supervisor *supervisor, enum berth_note_kind kind,
			     int value, int extra);
/* To the starter, once: all are ready, or why one is not. */
void berth_supervisor_tell_starter(struct berth_supervisor *supervisor, enum berth_note_kind kind,
				   int value, const struct berth_err *err);
/* The same for a stack: with its own document, those of its services being too many. */
void berth_supervisor_tell_stack(struct berth_supervisor *supervisor, enum berth_note_kind kind,
				 int value, const struct berth_err *err);
/* From the guardian: signals of the job that the shell sees, and its end. */
void berth_supervisor_on_report(struct berth_loop_source *source, uint32_t events);
/* By a Ctrl-C just now, on a command that has not listened: if that ends now, it ends of that. */
bool berth_supervisor_was_interrupted(const struct berth_supervisor *supervisor);

/* browser.c */
/*
 * Start something that is none of the service's, and that its end leaves alone. Like
 * berth_child_start().
 */
BERTH_MUST_USE int berth_supervisor_start_outside(struct berth_supervisor *supervisor,
						  const struct berth_child_spec *spec,
						  struct berth_child *ret_child,
						  enum berth_child_stage *ret_stage);
/*
 * Open @url in the user's browser, outside of the service's tree; a loopback port that the copy of
 * @unit asked for is told as it really is.
 */
BERTH_MUST_USE int berth_supervisor_open_url(struct berth_unit *unit, const char *url);

/* serve.c */

/* Listen under the name of @unit, which is its lock. 0 or -errno (-EADDRINUSE: somebody has it). */
BERTH_MUST_USE int berth_client_listen(struct berth_unit *unit);
/* The same under @name, for all of a stack: its clients have no unit. */
BERTH_MUST_USE int berth_client_listen_stack(struct berth_stack_run *run, const char *name);
/* Answer those for whom it is so; with @final all, for it has ended, and connections are closed. */
void berth_client_answer_waiting(struct berth_unit *unit, bool final);
/* It will not come to what those wait for that wait for any of @waits (BERTH_CLIENT_WAITS_FOR_...). */
void berth_client_fail_waiting(struct berth_unit *unit, unsigned int waits,
			       const struct berth_err *err);
/* The same of all units: some wait for more than one. */
void berth_client_answer_all(struct berth_supervisor *supervisor);
/* A child has ended: somebody may wait for it. */
void berth_client_answer_ended(struct berth_supervisor *supervisor, pid_t pid,
			       const struct berth_child_end *end);
/* Consumes @answer. A client that does not read its answer is cut off: nobody waits for it. */
void berth_client_reply(struct berth_client *client, json_t *answer);
void berth_client_fail(struct berth_client *client, enum berth_err_code code, const char *message);
void berth_client_fail_with(struct berth_client *client, const struct berth_err *err);
void berth_client_reply_service(struct berth_client *client);

/* requests.c */
/* Carry out @request, with descriptor @fd (borrowed; -1: none came). It may be answered later. */
void berth_client_ask(struct berth_client *client, const json_t *request, int fd);
