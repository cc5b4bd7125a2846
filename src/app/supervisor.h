/* SPDX-License-Identifier: MIT */
/* app/supervisor.h - the process that holds a service's ports and answers for it */
#pragma once

#include "app/note.h"
#include "app/ports.h"
#include "app/registry.h"
#include "os/cgroup.h"
#include "os/child.h"
#include "os/loop.h"
#include "os/outq.h"
#include "service/state.h"

/*
 * Shared by the files of the supervisor (supervisor.c, setup.c, life.c, reports.c, folder.c, spawn.c, steering.c, users.c, announce.c,
 * document.c, browser.c, serve.c) and by nobody else: one process, one thread. Who writes what
 * stands beside the fields.
 */

enum {
	BERTH_SUPERVISOR_VIEWS_MAX =
		32, /* trees in the copy's view: the service, and what berth exec runs */
	BERTH_SUPERVISOR_CLIENTS_MAX = 64,
	BERTH_SUPERVISOR_PENDING_MAX = 16,
	BERTH_SUPERVISOR_SESSIONS_MAX = 64,
	BERTH_SUPERVISOR_REARM_NS = 1000 * 1000 * 1000,
};

struct berth_supervisor;

/* One tree whose calls we answer. The first is the service's own. */
struct berth_view {
	struct berth_supervisor *supervisor;
	int notify_fd; /* owned; -1: free slot */
	struct berth_loop_source source;
	bool own;
};

/* A call that could not be answered at once: a stranger was in the way and will be gone. */
struct berth_pending {
	struct berth_view *view; /* NULL: free slot */
	struct berth_notify_call call;
	int64_t retry_ns, deadline_ns;
};

/* One connection to the control socket. */
struct berth_client {
	struct berth_supervisor *supervisor;
	int fd; /* owned; -1: free slot */
	struct berth_loop_source source;
	bool waits_for_end; /* asked for a stop: answered when nothing lives */
	bool waits_for_ready; /* asked for a restart: answered when it listens again */
	pid_t waits_for_pid; /* asked for a start outside: answered when that has ended; 0: no */
};

/* A pidfd of a process that listens on one of the ports. */
struct berth_watch {
	struct berth_supervisor *supervisor;
	int pidfd; /* owned; -1: free slot */
	pid_t pid;
	struct berth_loop_source source;
};

/*
 * Why a life ended, from our side: whatever came first. The words are those of the JSON output
 * ("by").
 */
#define BERTH_END_CAUSES(X) \
	X(ITSELF, "itself") \
	X(USER, "user") \
	X(INTERRUPT, "interrupt") \
	X(OWNER, "owner") \
	X(TTL, "ttl") \
	X(FORCE, "force") \
	X(GUARDIAN, "guardian") \
	X(SUPERVISOR, "supervisor") \
	X(OOM, "oom")

enum berth_end_cause {
#define X(id, name) BERTH_END_BY_##id,
	BERTH_END_CAUSES(X)
#undef X
	BERTH_END_CAUSE_COUNT_,
};
const char *berth_end_cause_name(enum berth_end_cause cause);

struct berth_supervisor {
	/* set by berth_supervisor_run(), then constant */
	struct berth_job *job;
	char id[BERTH_ID_SIZE];
	char socket_name[100];
	struct berth_proc_id self, guardian;
	unsigned int own_filters; /* seccomp filters of ours: what the service has is more */
	pid_t front_group; /* process group of the guardian: the job that the shell sees */
	char boot[37];
	uint64_t netns_cookie; /* the scope of our ports */
	int report_fd; /* to the guardian; owned */
	int starter_fd; /* to a starter that waits (-d); owned, -1: none */

	struct berth_loop loop;
	struct berth_loop_source report_source, signal_source, control_source, owner_source;
	int signal_fd, control_fd, owner_fd; /* owned */
	struct berth_outq messages; /* standard error */
	struct berth_outq status; /* --status-fd */
	struct berth_registry registry;
	int memory_fd; /* folder of remembered ports; -1: none */
	int log_fd; /* of a detached service; -1: none */
	char log_path[PATH_MAX];

	/* written by supervisor.c */
	struct berth_service service;
	bool tree_hup; /* the notify descriptor says that nothing lives */
	bool done;
	int exit_code;
	enum berth_end_cause cause;
	int64_t started_ms, ready_ms;
	int64_t ttl_ns; /* deadline; 0: none */
	int64_t save_ns; /* the record is written then; 0: nothing has changed */
	struct berth_child_end end;
	bool has_end;
	unsigned long oom_before;
	int64_t interrupt_ns; /* first of the last Ctrl-C's on a command that has not listened */
	unsigned int interrupts;
	char also_ended[256]; /* "esbuild 815, gradle 820" */
	bool guardian_gone; /* detached: it goes on without */

	/* written by spawn.c */
	struct berth_child child; /* of the present life */
	struct berth_cgroup cgroup;
	enum berth_steer_scope scope; /* what we got; OFF: see scope_why */
	char scope_why[160];
	struct berth_notify_program filter;

	/* written by steering.c and users.c */
	struct berth_ports ports;
	struct berth_view views[BERTH_SUPERVISOR_VIEWS_MAX];
	struct berth_pending pending[BERTH_SUPERVISOR_PENDING_MAX];
	struct berth_watch watches[BERTH_LEASE_OWNERS_MAX * 2];
	struct berth_proc_id
		sessions[BERTH_SUPERVISOR_SESSIONS_MAX]; /* that processes of the service began */
	size_t session_count;
	struct berth_proc_id confined[BERTH_SUPERVISOR_SESSIONS_MAX]; /* under Landlock: their calls
									 are the kernel's */
	size_t confined_count;
	int64_t rearm_ns; /* listeners are watched for clients again; 0: nothing to do */
	int64_t settle_ns; /* something has just begun to listen: see users.c; 0: no */
	int64_t poll_ns; /* without steering: next look at the ports; 0: never */
	bool softened;
	struct berth_proc_id
		outside[16]; /* started by us, but not part of the service: see browser.c */

	/* written by serve.c */
	struct berth_client clients[BERTH_SUPERVISOR_CLIENTS_MAX];
};

/* supervisor.c */

/*
 * The whole life, in a process of its own. Consumes both descriptors. Returns the exit code that
 * the guardian passes on.
 */
int berth_supervisor_run(struct berth_job *job, int report_fd, int starter_fd);

/* setup.c */

void berth_supervisor_init(struct berth_supervisor *supervisor, struct berth_job *job,
			   int report_fd, int starter_fd);
/* Name, log, ports. 0, or -errno with @err: nothing has been started then. */
BERTH_MUST_USE int berth_supervisor_prepare(struct berth_supervisor *supervisor,
					    struct berth_err *err);

/* reports.c */

/* To the guardian. */
void berth_supervisor_report(struct berth_supervisor *supervisor, enum berth_note_kind kind,
			     int value, int extra);
/* To the starter, once: ready, or why not. */
void berth_supervisor_tell_starter(struct berth_supervisor *supervisor, enum berth_note_kind kind,
				   int value, const struct berth_err *err);
/* From the guardian: signals of the job that the shell sees, and its end. */
void berth_supervisor_on_report(struct berth_loop_source *source, uint32_t events);

/* life.c */

/* Feed the state machine and do what it says. */
void berth_supervisor_step(struct berth_supervisor *supervisor, enum berth_service_event event);
/* The record, the ports file and their like are to be written, soon, once. */
void berth_supervisor_touch(struct berth_supervisor *supervisor);
/* To the process that we started; with SIGTERM goes SIGCONT. */
void berth_supervisor_signal_main(struct berth_supervisor *supervisor, int signo);
/* Children have ended, or were stopped. */
void berth_supervisor_reap(struct berth_supervisor *supervisor);
/* Does anything of the service live still? */
void berth_supervisor_look_for_end(struct berth_supervisor *supervisor);

/* A user or time wants the end. */
void berth_supervisor_end(struct berth_supervisor *supervisor, enum berth_end_cause cause,
			  enum berth_service_event event);

/* folder.c */

/* The runtime folder has been removed, perhaps: make it again, with all that we had in it. */
void berth_supervisor_recover(struct berth_supervisor *supervisor);

/* spawn.c */

/*
 * Start the command with its ports told. 0, or -errno with @err; *ret_exit is what a shell's exit
 * code would be (126, 127, 125).
 */
BERTH_MUST_USE int berth_supervisor_spawn(struct berth_supervisor *supervisor, int *ret_exit,
					  struct berth_err *err);
/*
 * The variables that a process in this copy's view gets beside its own: "K=V", a new
 * NULL-terminated array; berth_supervisor_free_words().
 */
BERTH_MUST_USE int berth_supervisor_environment(struct berth_supervisor *supervisor,
						char ***ret_env);
void berth_supervisor_free_words(char **words);

/* users.c - which process has which of the ports */

/* @user has just called bind() or listen() with @call. */
void berth_supervisor_note_user(struct berth_supervisor *supervisor, struct berth_port_user *user,
				const struct berth_notify_call *call);
/*
 * Look whether the sockets of port @index are still there, and take back what the service has
 * closed.
 */
void berth_supervisor_check_users(struct berth_supervisor *supervisor, size_t index);
void berth_supervisor_check_all(struct berth_supervisor *supervisor);
/* After a client has been seen, and a while: watch for the next. */
void berth_supervisor_rearm(struct berth_supervisor *supervisor);
/* Watch @index' listening owner for the first client after its close(). */
void berth_supervisor_watch_listener(struct berth_supervisor *supervisor, size_t index,
				     struct berth_port_user *user);
/*
 * Before a stop the service's sockets become its own affair again; before the next life of a
 * restart (@keep) they turn into holders.
 */
void berth_supervisor_forget_users(struct berth_supervisor *supervisor, bool keep);
void berth_supervisor_settle(struct berth_supervisor *supervisor);
/* Without steering: do the ports listen? */
void berth_supervisor_poll_ports(struct berth_supervisor *supervisor);

/* announce.c - what the user reads */
void berth_supervisor_say(struct berth_supervisor *supervisor, const char *fmt, ...)
	BERTH_PRINTF(2, 3);
void berth_supervisor_verbose(struct berth_supervisor *supervisor, const char *fmt, ...)
	BERTH_PRINTF(2, 3);
/* "node 812 'shop/api'" where the port is another service's of berth; @arg is the supervisor. */
bool berth_supervisor_own_holder(uint16_t port, char *buf, size_t size, void *arg);
/*
 * Of each port that now listens elsewhere than it asked: who has the number. Before the document is
 * written that tells it.
 */
void berth_supervisor_look_up(struct berth_supervisor *supervisor);
/* A line for each port that now listens. */
void berth_supervisor_announce(struct berth_supervisor *supervisor);
void berth_supervisor_announce_silence(struct berth_supervisor *supervisor);
/* One line on --status-fd; consumes @event. */
void berth_supervisor_event(struct berth_supervisor *supervisor, const char *name, json_t *event);

/* document.c - what others read */
/* The service as a document (design: ls, status). New reference, NULL: out of memory. */
json_t *berth_supervisor_document(struct berth_supervisor *supervisor);
/* {"pid","process","service"}, or null. New reference. */
json_t *berth_supervisor_holder_document(const struct berth_port_holder *holder);
/* Write the record, and what else tells of the service. */
void berth_supervisor_save(struct berth_supervisor *supervisor);
/* Take all that back, and keep the end in the history, if there was a life to end. */
void berth_supervisor_unsave(struct berth_supervisor *supervisor, bool keep_end);

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
 * Open @url in the user's browser, outside of the service's tree; a loopback port that this copy
 * asked for is told as it really is.
 */
BERTH_MUST_USE int berth_supervisor_open_url(struct berth_supervisor *supervisor, const char *url);

/* serve.c */
BERTH_MUST_USE int berth_supervisor_open_control(struct berth_supervisor *supervisor);
/* Answer those who wait for the end or for ready; with @final all connections are closed. */
void berth_supervisor_answer_waiting(struct berth_supervisor *supervisor, bool final);
/* A child has ended: somebody may wait for it. */
void berth_supervisor_answer_ended(struct berth_supervisor *supervisor, pid_t pid,
				   const struct berth_child_end *end);
