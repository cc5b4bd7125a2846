/* SPDX-License-Identifier: MIT */
/* app/unit.h - one instance of a service: its ports and record, and the workers that serve there */
#pragma once

#include "app/log.h"
#include "app/ports.h"
#include "app/prober.h"
#include "app/registry.h"
#include "base/str.h"
#include "base/time.h"
#include "os/cgroup.h"
#include "os/child.h"
#include "os/loop.h"
#include "os/sdnotify.h"
#include "os/tree.h"
#include "service/combine.h"
#include "service/probe.h"
#include "service/rollout.h"
#include "service/state.h"

#include <regex.h>

/*
 * A supervisor (app/supervisor.h) has one or more units, a unit one or more workers: `berth run x`
 * has one of each, --instances makes more units, --workers more workers of one unit, a rolling
 * restart a second worker for a while. A worker is one process tree.
 *
 * Shared by the files of the supervisor and by nobody else. Of a unit: unit.c, unit-timers.c,
 * announce.c, document.c, record.c, environment.c, spawn.c, worker.c, ending.c, beside.c,
 * users.c, keep.c, sharing.c, rolling.c, checks.c, checks-notify.c, folder.c. Who writes what
 * stands beside the fields.
 */

enum {
	BERTH_UNIT_WORKERS_MAX =
		64, /* those of a rolling restart, which come on top, not counted */
	/* With those that go: a service that is scaled up and down again and again has an end. */
	BERTH_UNIT_TREES_MAX = 2 * BERTH_UNIT_WORKERS_MAX + 2,
	BERTH_UNIT_SESSIONS_MAX = 64,
	BERTH_UNIT_REARM_NS = BERTH_NS_PER_S,
};

struct berth_supervisor;
struct berth_unit;
struct berth_worker;

/* One tree whose calls we answer: a worker's, or what `berth exec` runs. */
struct berth_view {
	struct berth_unit *unit;
	struct berth_worker *worker; /* NULL: of `berth exec` */
	int notify_fd; /* owned; -1: free slot */
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
	X(OOM, "oom") \
	X(TIMEOUT, "timeout") \
	X(LIVENESS, "liveness") \
	X(RESTART, "restart") \
	X(SCALE, "scale") \
	X(STACK, "stack")

enum berth_end_cause {
#define X(id, name) BERTH_END_BY_##id,
	BERTH_END_CAUSES(X)
#undef X
	BERTH_END_CAUSE_COUNT_,
};
const char *berth_end_cause_name(enum berth_end_cause cause);

/* A check that is made again and again; see checks.c. */
struct berth_unit_check {
	struct berth_worker *worker; /* NULL: there is none */
	bool live; /* --live; else --ready */
	size_t port; /* outside: index of the one that is asked */
	struct berth_probe probe;
	struct berth_prober prober;
};

/* What the end of a life waits for that is none of its processes; see ending.c. */
struct berth_ending {
	bool begun; /* in this life */
	struct berth_aside *command; /* the stop command, owned; NULL: it is not under way */
	struct berth_log_stream *streams[2]; /* of it; borrowed */
	unsigned int owed; /* BERTH_SERVICE_DO_SIGNAL_...: held back */
	int64_t half_ns; /* so long they are held back; 0: they are not */
	int64_t deadline_ns; /* it is killed then */
	int64_t port_until_ns; /* so long its port is waited for; 0: that has not begun */
	int64_t port_look_ns; /* the next look; 0: none */
};

struct berth_worker {
	struct berth_unit *unit;
	unsigned int number; /* 1 .., BERTH_WORKER; the two of a rolling restart have the same */
	unsigned int serial; /* names it among all that the unit ever had */

	/* written by worker.c */
	struct berth_service service;
	enum berth_end_cause cause; /* of the present life's end */
	int64_t started_ms, ready_ms;
	struct berth_child_end end; /* of this life, once it has ended */
	bool has_end;
	struct berth_child_end last_end; /* of the life before */
	enum berth_end_cause last_cause;
	bool has_last;
	bool was_ready; /* in whichever life */
	bool tree_hup; /* the notify descriptor says that nothing lives */
	bool keeper_gone; /* so does the keeper */
	int spawn_exit; /* exit code of a start that failed */
	int64_t killed_ns; /* the first SIGKILL of this life; 0: none */
	bool next; /* the new one of a rolling restart, not ready yet */
	bool retiring; /* its place has been taken, or the service was scaled down */
	int64_t drain_from_ns; /* retiring: since then its own queues are to get empty; 0: no */
	pid_t stuck; /* a process that SIGKILL does not end (uninterruptible sleep); 0: none */

	/* written by spawn.c */
	struct berth_child child; /* of the present life */
	pid_t main_pid; /* the command, or what it named as MAINPID; 0: none */
	struct berth_loop_source keeper_source;
	struct berth_cgroup cgroup;
	struct berth_view view;
	struct berth_log_stream *streams[2]; /* borrowed; NULL: its output is not ours */

	struct berth_ending ending; /* written by ending.c */

	/* written by steering.c: marks of its processes that survive us */
	struct berth_proc_id *sessions; /* owned; that processes of it began */
	size_t session_count;

	/* written by checks.c */
	struct berth_unit_check *checks; /* owned; [0] readiness, [1] liveness; NULL: none */
	bool said_ready; /* READY=1, or the line that was waited for */
	bool said_stopping;
	bool healthy; /* the last liveness or readiness probe was a success */
	char *status; /* owned; of STATUS=; NULL: none */
	struct berth_loop_source main_source; /* a MAINPID that is not our child */
	int main_fd; /* its pidfd, owned; -1: none */
};

/* How workers have one port. The words are those of the JSON output. */
enum berth_unit_sharing {
	BERTH_UNIT_SHARES_NOTHING,
	BERTH_UNIT_SHARES_SOCKET, /* one listening socket */
	BERTH_UNIT_SHARES_GROUP, /* a socket each, in a group that nobody else can join */
	BERTH_UNIT_SHARES_OPEN_GROUP, /* the same, but any program of this user could */
};

/* What has become of the listening sockets of the life before. The words likewise. */
enum berth_unit_kept {
	BERTH_UNIT_KEPT_NOTHING,
	BERTH_UNIT_KEPT_WAITING, /* they listen, and nobody has them */
	BERTH_UNIT_KEPT_HANDED_OVER,
	BERTH_UNIT_KEPT_BOUND_ANEW,
};

struct berth_unit {
	/* set by berth_unit_new(), then constant; the identity's instance until the name is taken */
	struct berth_supervisor *supervisor;
	struct berth_job *job; /* owned */
	char id[BERTH_ID_SIZE];
	char socket_name[100];
	char name[BERTH_NAME_MAX + 12]; /* for what is said: "api", "api.2" */
	int control_fd; /* owned */
	struct berth_loop_source control_source;
	struct berth_log log;
	const struct berth_console_source *console; /* borrowed; NULL: it has no place there */

	/* written by unit.c */
	struct berth_worker **workers; /* owned, in the order of their numbers */
	size_t worker_count;
	unsigned int next_serial;
	enum berth_service_state state; /* of all its workers: service/combine.h */
	bool was_ready;
	bool done;
	int exit_code;
	enum berth_end_cause cause;
	int64_t started_ms, ready_ms;
	unsigned int restarts; /* of workers that are gone */
	struct berth_child_end end;
	bool has_end;
	char *also_ended; /* owned; "esbuild 815, gradle 820"; NULL: nothing */
	int64_t save_ns; /* the record is written then; 0: nothing has changed */

	/* written by record.c */
	bool ports_file_said; /* that it can't be written now */
	int64_t ports_file_since_ns; /* since when somebody keeps us from that; 0: nobody does */

	/* written by spawn.c */
	enum berth_steer_scope scope; /* what we got; OFF: see scope_why */
	char scope_why[160];
	char **argv, **extra_env; /* owned; of a restart with a changed command; NULL: the job's */
	char **old_argv, **old_extra_env; /* owned; those before, while a rollout may fail */
	struct berth_dotenv *env_file, *old_env_file; /* owned; likewise */
	bool new_argv, new_extra_env, new_env_file; /* is there one before to be had back? */

	/* written by steering.c and users.c */
	struct berth_ports ports;
	struct berth_proc_id *confined; /* owned; under Landlock: their calls are the kernel's */
	size_t confined_count;
	int64_t rearm_ns; /* listeners are watched for clients again; 0: nothing to do */
	int64_t settle_ns; /* something has just begun to listen: see users.c; 0: no */
	int64_t poll_ns; /* without steering: next look at the ports; 0: never */
	bool softened;

	/* written by sharing.c and keep.c */
	enum berth_unit_sharing sharing;
	enum berth_unit_kept kept;
	const char *kept_why; /* why not handed over; NULL: no reason to be said */
	int64_t keep_until_ns; /* kept sockets stop listening then; 0: there are none */

	char *told_order; /* owned; what the guardian was told of the stop command, by ending.c; NULL:
			     nothing */

	/* written by rolling.c */
	struct berth_rollout rollout;
	char *rollout_fault; /* owned; why the last one was given up; NULL: it was not */
	bool rollout_refused; /* for a stop or a restart that somebody wanted meanwhile */
	int64_t drain_look_ns; /* next look at queues that are to get empty; 0: there are none */

	/* written by checks.c */
	int notify_fd; /* of sd_notify(3), owned; -1: none */
	struct berth_loop_source notify_source;
	char notify_name[BERTH_SDNOTIFY_NAME_SIZE];
	regex_t *ready_pattern; /* owned; of --ready "log PATTERN"; NULL: none */
};

/* unit-timers.c */

/* When its next timer is due, INT64_MAX: never; and what is due then. */
int64_t berth_unit_deadline_ns(const struct berth_unit *unit);
void berth_unit_run_timers(struct berth_unit *unit, int64_t now_ns);

/* unit.c - workers, and what they are together */

/* NULL: out of memory. @job is copied. */
struct berth_unit *berth_unit_new(struct berth_supervisor *supervisor, const struct berth_job *job);
/* Frees it; ports and name go. NULL allowed. */
void berth_unit_free(struct berth_unit *unit);
/*
 * Its name (the next free instance with @any_instance), id, log and ports. 0, or -errno with @err:
 * nothing of it is there then.
 */
BERTH_MUST_USE int berth_unit_prepare(struct berth_unit *unit, bool any_instance,
				      struct berth_err *err);
/* The first worker; the others when that listens. */
void berth_unit_start(struct berth_unit *unit);
/* One more, not started; NULL: out of memory, or too many. */
struct berth_worker *berth_unit_add_worker(struct berth_unit *unit, unsigned int number);
struct berth_worker *berth_unit_find_worker(const struct berth_unit *unit, unsigned int serial);
/* Stopped or failed: this was its last life, unless somebody asks for another. */
bool berth_unit_has_ended(const struct berth_worker *worker);
/* Several workers have one port only where their calls are answered; *ret_why is why they are not. */
bool berth_unit_can_share(const struct berth_unit *unit, const char **ret_why);
/* As many as are wanted that are missing, where the first has shown how it listens. */
void berth_unit_fill(struct berth_unit *unit);
/* End this life of each worker, and begin the next; no rollout is under way any more. */
void berth_unit_restart(struct berth_unit *unit);
/* More or fewer workers from now on; answered when they are ready, or gone. */
void berth_unit_scale(struct berth_unit *unit, unsigned int workers);
/*
 * From now on, and for an end that is under way where that brings it nearer; out of bounds (-1): as
 * it was.
 */
void berth_unit_set_grace(struct berth_unit *unit, int64_t grace_ms);
/* @worker could not be started: for the starter, and those who wait for a restart. */
void berth_unit_note_fault(struct berth_worker *worker, int exit_code, const struct berth_err *err);
/* Workers that have gone for good, and are nobody's last word, are forgotten. */
void berth_unit_purge(struct berth_unit *unit);
/* A worker's state has changed: what are they together, and who is told? */
void berth_unit_combine(struct berth_unit *unit);
/* A user or time wants the end. */
void berth_unit_end(struct berth_unit *unit, enum berth_end_cause cause,
		    enum berth_service_event event);
/* The record, the ports file and their like are to be written, soon, once. */
void berth_unit_touch(struct berth_unit *unit);
/* What can be asked of more than one worker: only with one is it the command's own affair. */
bool berth_unit_is_single(const struct berth_unit *unit);

/* worker.c - one life after the other */

/* Feed the state machine and do what it says. */
void berth_unit_step_worker(struct berth_worker *worker, enum berth_service_event event);
/* To the process that is the service; with the stop signal goes SIGCONT. */
void berth_unit_signal_main(struct berth_worker *worker, int signo);
/* What lives of it. */
BERTH_MUST_USE int berth_unit_load_tree(const struct berth_worker *worker,
					struct berth_tree *ret_tree);
/* The first process has ended. */
void berth_unit_note_end(struct berth_worker *worker, const struct berth_child_end *end);
/* A child of the supervisor's has ended, of which somebody may have been waiting to die. */
void berth_unit_press_on(struct berth_worker *worker);
/* Is it between two lives, or will another one follow the present one? */
bool berth_unit_will_return(const struct berth_worker *worker);
/* Does anything of it live still? */
void berth_unit_look_for_end(struct berth_worker *worker);
/* Send what those of @actions mean that are signals. */
void berth_unit_send_signals(struct berth_worker *worker, unsigned int actions);

/* ending.c - what the end of a life waits for that is none of its processes */

/* A new life. */
void berth_unit_reset_ending(struct berth_worker *worker);
/* The present life is to end, or has ended: the stop command is started, once. */
void berth_unit_begin_ending(struct berth_worker *worker);
/* Its grace period was changed: the stop command's time may be over sooner. */
void berth_unit_hurry_ending(struct berth_worker *worker);
/* Which of the signals of @actions are held back, until the stop command is over. */
unsigned int berth_unit_hold_signals(struct berth_worker *worker, unsigned int actions);
/* Nothing lives of it. Is its end still to be waited for? */
bool berth_unit_is_ending(struct berth_worker *worker);
int64_t berth_unit_ending_deadline_ns(const struct berth_worker *worker);
void berth_unit_run_ending(struct berth_worker *worker, int64_t now_ns);
void berth_unit_free_ending(struct berth_worker *worker);
/* Its stop command as a document, see stop-order.h; NULL: it has none, or no memory. */
json_t *berth_unit_stop_order(const struct berth_unit *unit, bool for_guardian);
/* To the guardian, before a life begins; !@living: it has ended, and nothing is to be done. */
void berth_unit_tell_stop_order(struct berth_unit *unit, bool living);

/* folder.c */

/* The runtime folder has been removed, perhaps: make it again, with all that we had in it. */
void berth_unit_recover(struct berth_unit *unit);

/* environment.c */

/* A growing array of owned strings, NULL-terminated. */
struct berth_unit_words {
	char **items;
	size_t count, size;
	bool failed;
};
void berth_unit_add_word(struct berth_unit_words *words, char *word);
void berth_unit_free_words(char **words);
/* Set a variable, in the place of an earlier one of that name. */
void berth_unit_set(struct berth_unit_words *env, const char *name, const char *value);
/* SERVICE_PORT, SERVICE_URL, SERVICE_HOST, and the same of its named ports. */
void berth_unit_set_ports(struct berth_unit_words *env, const struct berth_ports *ports,
			  const char *service);
/* Ours, the file's, ours about it; what the user said for this very start follows (expand). */
BERTH_MUST_USE int berth_unit_build_environment(const struct berth_worker *worker,
						struct berth_unit_words *env);
/*
 * The variables that a process in this copy's view gets beside its own: "K=V", a new
 * NULL-terminated array; berth_unit_free_words(). @whole: what the services of its stack are told of
 * each other, and nothing that is for this one alone (PORT).
 */
BERTH_MUST_USE int berth_unit_environment(const struct berth_unit *unit, bool whole,
					  char ***ret_env);

/*
 * From the next start on: another command, other values of -e, of --env-file (NULL: as before), all
 * consumed; the ones before can be had back until they are forgotten.
 */
void berth_unit_change_command(struct berth_unit *unit, char **argv, char **extra_env,
			       struct berth_dotenv *env_file);
void berth_unit_restore_command(struct berth_unit *unit);
/* Of the heap, NULL allowed. */
void berth_unit_free_env_file(struct berth_dotenv *env_file);
void berth_unit_forget_old_command(struct berth_unit *unit);

/* expand.c */

/* The command and the values of -e, with {port} and its like filled in; the latter go into @env. */
BERTH_MUST_USE int berth_unit_expand(const struct berth_unit *unit, struct berth_unit_words *argv,
				     struct berth_unit_words *env, struct berth_err *err);
/* One text; as it stands where a name in it has no value yet. The caller frees it. NULL: -ENOMEM. */
char *berth_unit_expand_text(const struct berth_unit *unit, const char *text);
/* The same for @words. CONFIG: a name that nobody knows, where that matters. */
BERTH_MUST_USE int berth_unit_expand_words(const struct berth_unit *unit, const char *const *words,
					   struct berth_unit_words *ret_words,
					   struct berth_err *err);
/* "PREFIXport", "PREFIXurl.ws" ...: what templates call its ports. */
void berth_unit_each_var(const struct berth_unit *unit, const char *prefix,
			 void (*add)(const char *name, const char *value, void *arg), void *arg);

/* beside.c - commands that are run beside a worker, and are none of it */

/* What berth_unit_prepare_aside() fills. */
struct berth_unit_aside {
	struct berth_unit_words argv, env;
	struct berth_aside_spec spec; /* borrows from them */
};
/*
 * @words with {port} and its like filled in, in the environment and the folder of @worker. 0, or
 * -errno with @err; berth_unit_free_aside() in either case.
 */
BERTH_MUST_USE int berth_unit_prepare_aside(const struct berth_worker *worker,
					    const char *const *words,
					    struct berth_unit_aside *ret_aside,
					    struct berth_err *err);
void berth_unit_free_aside(struct berth_unit_aside *aside);

/* spawn.c */

/*
 * Start the command with its ports told. 0, or -errno with @err; *ret_exit is what a shell's exit
 * code would be (126, 127, 125).
 */
BERTH_MUST_USE int berth_unit_spawn(struct berth_worker *worker, int *ret_exit,
				    struct berth_err *err);
/*
 * Read @fd, an output of a worker or of what is run for it: into the log, and to where the user
 * reads. Consumed, also on failure. @number of the worker, 0: none.
 */
BERTH_MUST_USE int berth_unit_add_stream(struct berth_unit *unit, unsigned int number,
					 bool is_stderr, int fd,
					 struct berth_log_stream **ret_stream);
/* Is there such a program at all? Asked before anything is ended for it. */
BERTH_MUST_USE int berth_unit_check_command(const struct berth_unit *unit, struct berth_err *err);

/* users.c - which process has which of the ports */

/* @user has just called bind() or listen() with @call. */
void berth_unit_note_user(struct berth_unit *unit, struct berth_port_user *user,
			  const struct berth_notify_call *call);
/*
 * Look whether the sockets of port @index are still there, and take back what the service has
 * closed.
 */
void berth_unit_check_users(struct berth_unit *unit, size_t index);
void berth_unit_check_all(struct berth_unit *unit);
/* How many processes of the unit have the socket? Exact up to 1; what can't be told counts. */
size_t berth_unit_count_inode(const struct berth_unit *unit, uint64_t inode);
/* After a client has been seen, and a while: watch for the next. */
void berth_unit_rearm(struct berth_unit *unit);
/* Watch the listening socket @inode for the first client after its close(). */
void berth_unit_watch_listener(struct berth_unit *unit, size_t index, uint64_t inode, pid_t pid);
/* The watches on what listens, and on who does, are given up. */
void berth_unit_forget_watches(struct berth_unit *unit);
/* Take back socket @inode of port @index: nobody has it any more. */
void berth_unit_reclaim(struct berth_unit *unit, size_t index, uint64_t inode);
/* Before a stop: the service's sockets become its own affair, of @worker alone or (NULL) of all. */
void berth_unit_drop_sockets(struct berth_unit *unit, const struct berth_worker *worker);
/* Has a process of another worker than @worker socket @inode of @port? */
bool berth_unit_is_shared(const struct berth_port *port, uint64_t inode,
			  const struct berth_worker *worker);
/* Nothing of @worker lives: it has no sockets any more; @keep: what listened waits for its next life. */
void berth_unit_forget_users(struct berth_unit *unit, const struct berth_worker *worker, bool keep);
void berth_unit_settle(struct berth_unit *unit);
/* Without steering: do the ports listen? */
void berth_unit_poll_ports(struct berth_unit *unit);

/* keep.c - listening sockets between two lives */

/* May they be kept at all? *ret_why (NULL allowed) is why not. */
bool berth_unit_can_keep(const struct berth_unit *unit, const char **ret_why);
/* Nobody has socket @inode of port @index. Kept for a next life, or taken back. @for_ns: how long. */
void berth_unit_keep(struct berth_unit *unit, size_t index, uint64_t inode, int64_t for_ns);
/* Raise the queues of what listens: a life ends, and clients will wait for the next one. */
void berth_unit_raise_queues(struct berth_unit *unit);
/* All workers are ready: whoever still wants a kept socket comes soon. */
void berth_unit_hurry_kept(struct berth_unit *unit);
/* All that is kept is taken back: clients are refused. */
void berth_unit_unkeep_all(struct berth_unit *unit);
/*
 * A bind() of the like of a kept socket: it gets that one. 1: it has, *ret_inode; 0: there is none
 * for it (any more); -errno.
 */
BERTH_MUST_USE int berth_unit_hand_over(struct berth_unit *unit, struct berth_view *view,
					const struct berth_notify_call *call, size_t index, int fd,
					const struct berth_addr *addr, bool v6only,
					uint64_t *ret_inode);

/* sharing.c - several workers on one port */

/*
 * A bind() to the place that another worker's socket @owner has. 0: it has that socket, or one of
 * its own in a group with it; *ret_inode. -errno.
 */
BERTH_MUST_USE int berth_unit_share(struct berth_unit *unit, struct berth_view *view,
				    const struct berth_notify_call *call, size_t index, int fd,
				    const struct berth_addr *addr, bool v6only,
				    uint64_t *ret_inode);

/* rolling.c - one worker after the other is replaced, or goes */

/* -EBUSY with @err: one is under way; -EINVAL: nothing runs that could be replaced. */
BERTH_MUST_USE int berth_unit_begin_rollout(struct berth_unit *unit, struct berth_err *err);
void berth_unit_roll(struct berth_unit *unit, enum berth_rollout_event event);
/* @worker has become ready, or has ended: does a rollout wait for that? */
void berth_unit_roll_on_ready(struct berth_worker *worker);
void berth_unit_roll_on_end(struct berth_worker *worker);
/*
 * @worker goes, the others go on: when no client waits in a queue of its own, it is stopped. Again:
 * nothing.
 */
void berth_unit_retire(struct berth_worker *worker, enum berth_end_cause cause);
/* Queues have emptied, perhaps. */
void berth_unit_look_at_drains(struct berth_unit *unit);

/* checks.c - readiness and liveness */

/* Is it asked again and again how it is? */
bool berth_unit_is_probed(const struct berth_unit *unit);
void berth_unit_begin_checks(struct berth_worker *worker);
/* It is ready for the first time in this life. */
void berth_unit_start_liveness(struct berth_worker *worker);
void berth_unit_end_checks(struct berth_worker *worker);
/* Something has changed that its readiness rests on. */
void berth_unit_review(struct berth_worker *worker);
int64_t berth_unit_checks_deadline_ns(const struct berth_worker *worker);
void berth_unit_run_checks(struct berth_worker *worker, int64_t now_ns);
/* NOTIFY_SOCKET. 0 or -errno. */
BERTH_MUST_USE int berth_unit_open_notify(struct berth_unit *unit);
/* Of --ready "log PATTERN". 0 or -ENOMEM. */
BERTH_MUST_USE int berth_unit_compile_pattern(struct berth_unit *unit);
void berth_unit_free_pattern(struct berth_unit *unit);

/* announce.c - what the user reads */
/* Of no unit alone. */
void berth_announce_stack(struct berth_supervisor *supervisor, const char *fmt, ...)
	BERTH_PRINTF(2, 3);
/* To whoever reads our stderr; of a background service, into its log. */
void berth_unit_say(struct berth_unit *unit, const char *fmt, ...) BERTH_PRINTF(2, 3);
/* With --verbose. */
void berth_unit_verbose(struct berth_unit *unit, const char *fmt, ...) BERTH_PRINTF(2, 3);
/* "node 812 'shop/api'" where the port is another service's of berth; @arg is the unit. */
bool berth_unit_own_holder(uint16_t port, char *buf, size_t size, void *arg);
/*
 * Of each port that now listens elsewhere than it asked: who has the number. Before the document is
 * written that tells it.
 */
void berth_unit_look_up(struct berth_unit *unit);
/*
 * "held by node 812 'shop@main/web'", "browsers refuse to connect to it": why @port is not the number
 * that was asked for; "" where that is not known.
 */
void berth_unit_why_moved(const struct berth_port *port, char *buf, size_t size);
/* A line for each port that now listens. */
void berth_unit_announce(struct berth_unit *unit);
void berth_unit_announce_silence(struct berth_worker *worker);
/* How a life ended that another one follows, or that was the last because of the limit. */
void berth_unit_announce_end(struct berth_worker *worker);
/* "api (worker 2) ended with exit 3". */
void berth_unit_describe_end(const struct berth_worker *worker, struct berth_str *text);
/* One line on --status-fd; consumes @event. */
void berth_unit_event(const struct berth_unit *unit, const char *name, json_t *event);

/* document.c - what others read */
/* The service as a document (design: ls, status). New reference, NULL: out of memory. */
json_t *berth_unit_document(struct berth_unit *unit);
/* {"pid","process","service"}, or null. New reference. */
json_t *berth_unit_holder_document(const struct berth_port_holder *holder);
json_t *berth_unit_command_document(const struct berth_unit *unit);
/* Of the first worker that lives: what users mean by "its pid"; 0: none. */
pid_t berth_unit_pid(const struct berth_unit *unit);

/* record.c */
/* Write the record, and what else tells of the service. */
void berth_unit_save(struct berth_unit *unit);
/* Take all that back, and keep the end in the history, if there was a life to end. */
void berth_unit_unsave(struct berth_unit *unit, bool keep_end);
