/* SPDX-License-Identifier: MIT */
/*
 * app/supervisor.c - the process that holds a service's ports and answers for it
 *
 * One thread, one loop, never waiting for anybody but in it. Events come from: the notify descriptors (steering.c), signals (our children), the guardian,
 * the control socket (serve.c), an owner's pidfd, and time. What they mean for the life of the service is decided by service/state,
 * and done here.
 *
 * Everything that must not outlive us is held by a descriptor: ports, the instance's name. Processes are not: they die of the guardian's
 * hands when we do, and we of the end of its socket when it does in the foreground.
 */
#include "app/supervisor.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "app/note.h"
#include "base/str.h"
#include "base/time.h"
#include "os/statefile.h"
#include "os/tree.h"

enum {
	SAVE_NS = 2 * 1000 * 1000, /* several changes in a row are one */
	INSTANCES_MAX = 10000,
};

#define SECONDS_NS 1000000000LL

static void report(struct berth_supervisor *supervisor, enum berth_note_kind kind, int value, int extra)
{
	const struct berth_note note = { .kind = kind, .value = value, .extra = extra };

	if (supervisor->report_fd >= 0 && berth_note_send(supervisor->report_fd, &note, NULL, -1) < 0)
		supervisor->guardian_gone = true;
}

/* The starter hears once: ready, or why not. */
static void tell_starter(struct berth_supervisor *supervisor, enum berth_note_kind kind, int value,
			 const struct berth_err *err)
{
	struct berth_note note = { .kind = kind, .value = value };
	BERTH_AUTO_JSON json_t *document = NULL;
	int fd = supervisor->starter_fd >= 0 ? supervisor->starter_fd : supervisor->report_fd;

	if (err)
		note.err = *err;
	if (supervisor->started_ms)
		document = berth_supervisor_document(supervisor);
	/* A starter that waits no longer needs no answer. */
	(void)!berth_note_send(fd, &note, document, -1);
	if (supervisor->starter_fd >= 0 && kind == BERTH_NOTE_READY)
		berth_fd_close(&supervisor->starter_fd);
}

void berth_supervisor_touch(struct berth_supervisor *supervisor)
{
	if (!supervisor->save_ns)
		supervisor->save_ns = berth_time_mono_ns() + SAVE_NS;
}

/* Processes that hang below us and are none of the service's; zero-terminated. */
static void list_outside(const struct berth_supervisor *supervisor, pid_t *pids)
{
	size_t count = 0;

	for (size_t i = 0; i < BERTH_ARRAY_SIZE(supervisor->outside); i++)
		if (supervisor->outside[i].pid)
			pids[count++] = supervisor->outside[i].pid;
	pids[count] = 0;
}

static int load_tree(struct berth_supervisor *supervisor, struct berth_tree *tree)
{
	pid_t except[BERTH_ARRAY_SIZE(supervisor->outside) + 1];

	list_outside(supervisor, except);
	return berth_tree_load(supervisor->self.pid, except, tree);
}

/* Named at the end: what was ended besides the process that we had started. */
static void note_also_ended(struct berth_supervisor *supervisor, const struct berth_tree *tree)
{
	for (size_t i = 0; i < tree->count; i++) {
		char comm[64], entry[96];
		size_t len = strlen(supervisor->also_ended);

		if (tree->procs[i].id.pid == supervisor->child.pid)
			continue;
		berth_str_printable(tree->procs[i].comm, (size_t)-1, comm, sizeof(comm));
		snprintf(entry, sizeof(entry), "%s %d", comm, tree->procs[i].id.pid);
		if (!strstr(supervisor->also_ended, entry))
			snprintf(supervisor->also_ended + len, sizeof(supervisor->also_ended) - len, "%s%s",
				 len ? ", " : "", entry);
	}
}

static void signal_tree(struct berth_supervisor *supervisor, int signo)
{
	struct berth_tree tree = { 0 };

	if (signo == SIGKILL && supervisor->cgroup.path[0] && berth_cgroup_kill(supervisor->cgroup.path) < 0)
		berth_supervisor_verbose(supervisor, "cgroup.kill is refused: each process is ended by itself");
	if (load_tree(supervisor, &tree) < 0)
		return;
	if (supervisor->service.main_gone)
		note_also_ended(supervisor, &tree);
	berth_tree_signal_all(&tree, signo);
	/* A stopped process hears of SIGTERM only when it goes on. */
	if (signo != SIGKILL)
		berth_tree_signal_all(&tree, SIGCONT);
	berth_tree_deinit(&tree);
}

static void signal_main(struct berth_supervisor *supervisor, int signo)
{
	if (supervisor->child.pidfd < 0)
		return;
	/* ESRCH: it has ended, and its SIGCHLD is on the way. */
	(void)!berth_child_signal(supervisor->child.pidfd, signo);
	if (signo == SIGTERM)
		(void)!berth_child_signal(supervisor->child.pidfd, SIGCONT);
}

static int64_t now_ms(void)
{
	return berth_time_now_ms();
}

static void claim_ports(struct berth_supervisor *supervisor)
{
	for (size_t i = 0; i < supervisor->ports.count; i++) {
		struct berth_port *port = &supervisor->ports.port[i];

		if (!supervisor->ports.steer[i].given || port->claimed)
			continue;
		berth_registry_claim_port(&supervisor->registry, supervisor->ports.steer[i].given, supervisor->id);
		port->claimed = true;
	}
}

static void begin_watch(struct berth_supervisor *supervisor)
{
	const struct berth_note note = { .kind = BERTH_NOTE_WATCH };
	int fd = supervisor->child.notify_fd;

	supervisor->tree_hup = false;
	if (fd < 0) {
		berth_supervisor_poll_ports(supervisor);
		return;
	}
	/* The guardian's duplicate keeps trapped calls waiting, not failing, when we are gone; and tells it when nobody is left. */
	if (berth_note_send(supervisor->report_fd, &note, NULL, fd) < 0)
		supervisor->guardian_gone = true;
	if (berth_supervisor_add_view(supervisor, fd, true) < 0)
		close(fd);
	supervisor->child.notify_fd = -1;
}

static void spawn(struct berth_supervisor *supervisor)
{
	struct berth_err err = { 0 };
	int exit_code;

	supervisor->has_end = false;
	supervisor->started_ms = now_ms();
	supervisor->ready_ms = 0;
	if (berth_supervisor_spawn(supervisor, &exit_code, &err) < 0) {
		supervisor->exit_code = exit_code;
		tell_starter(supervisor, BERTH_NOTE_FAILED, exit_code, &err);
		berth_supervisor_step(supervisor, BERTH_SERVICE_ON_START_FAILED);
		return;
	}
	begin_watch(supervisor);
	claim_ports(supervisor);
	berth_supervisor_save(supervisor);
	if (supervisor->job->no_port)
		berth_supervisor_step(supervisor, BERTH_SERVICE_ON_LISTENING);
	else if (supervisor->job->pass_socket)
		berth_supervisor_settle(supervisor);
}

static void tell_ready(struct berth_supervisor *supervisor)
{
	supervisor->ready_ms = now_ms();
	berth_supervisor_save(supervisor);
	berth_supervisor_event(supervisor, "ready", json_pack("{s:o}", "service", berth_supervisor_document(supervisor)));
	tell_starter(supervisor, BERTH_NOTE_READY, 0, NULL);
	berth_supervisor_answer_waiting(supervisor, false);
}

/* -d, and it never got ready: the starter shows the end of its log. */
static void tell_failed(struct berth_supervisor *supervisor)
{
	struct berth_err err = { 0 };
	double seconds = (double)(now_ms() - supervisor->started_ms) / 1000;
	const struct berth_child_end *end = &supervisor->end;

	if (supervisor->starter_fd < 0)
		return;
	if (end->by_signal)
		berth_err_set(&err, 0, BERTH_ERR_START_FAILED, "%s ended before it listened (SIG%s after %.1f s)",
			      supervisor->job->identity.service, sigabbrev_np(end->status), seconds);
	else
		berth_err_set(&err, 0, BERTH_ERR_START_FAILED, "%s ended before it listened (exit %d after %.1f s)",
			      supervisor->job->identity.service, end->status, seconds);
	berth_err_hint(&err, "its output is in %s", supervisor->log_path);
	tell_starter(supervisor, BERTH_NOTE_FAILED, 1, &err);
}

static void wait_until_bindable(struct berth_supervisor *supervisor)
{
	for (size_t i = 0; i < supervisor->ports.count; i++) {
		uint16_t port = supervisor->ports.steer[i].given;
		bool held = supervisor->ports.port[i].lease.port != 0;

		berth_lease_release(&supervisor->ports.port[i].lease);
		if (held && port && supervisor->ports.steer[i].kind == BERTH_STEER_DECLARED &&
		    !berth_lease_is_bindable(port, supervisor->ports.steer[i].udp ? SOCK_DGRAM : SOCK_STREAM,
					     supervisor->ports.means))
			berth_supervisor_verbose(supervisor, "port %u was taken by somebody else at once", port);
	}
}

static void finish(struct berth_supervisor *supervisor)
{
	supervisor->done = true;
	if (supervisor->has_end)
		supervisor->exit_code = berth_child_end_exit(&supervisor->end);
	tell_failed(supervisor);
	berth_supervisor_forget_users(supervisor, false);
	if (supervisor->started_ms && (supervisor->has_end || supervisor->service.was_ready))
		berth_supervisor_unsave(supervisor);
	else
		berth_registry_remove(&supervisor->registry, supervisor->id);
	wait_until_bindable(supervisor);
	berth_supervisor_event(supervisor, "exited",
			       json_pack("{s:i,s:o,s:s}", "code", supervisor->exit_code, "signal",
					 supervisor->end.by_signal ? json_integer(supervisor->end.status) : json_null(),
					 "by", berth_end_cause_name(supervisor->cause)));
	if (*supervisor->also_ended && supervisor->cause != BERTH_END_BY_USER)
		berth_supervisor_say(supervisor, "also ended: %s", supervisor->also_ended);
}

static void act(struct berth_supervisor *supervisor, unsigned int actions)
{
	if (actions & BERTH_SERVICE_DO_DROP)
		berth_supervisor_forget_users(supervisor, false);
	if (actions & BERTH_SERVICE_DO_SIGNAL_MAIN)
		signal_main(supervisor, SIGTERM);
	if (actions & BERTH_SERVICE_DO_SIGNAL_TREE)
		signal_tree(supervisor, SIGTERM);
	if (actions & BERTH_SERVICE_DO_KILL_TREE)
		signal_tree(supervisor, SIGKILL);
	if (actions & BERTH_SERVICE_DO_TELL_READY)
		tell_ready(supervisor);
	if (actions & BERTH_SERVICE_DO_TELL_SILENT)
		berth_supervisor_announce_silence(supervisor);
	if (actions & BERTH_SERVICE_DO_FINISH)
		finish(supervisor);
	if (actions & BERTH_SERVICE_DO_SPAWN) {
		berth_child_deinit(&supervisor->child);
		supervisor->child = (struct berth_child){ .pidfd = -1, .notify_fd = -1 };
		spawn(supervisor);
	}
}

static bool tree_listens(struct berth_supervisor *supervisor)
{
	berth_supervisor_check_all(supervisor);
	for (size_t i = 0; i < supervisor->ports.count; i++)
		if (berth_ports_is_listening(&supervisor->ports, i))
			return true;
	return false;
}

void berth_supervisor_step(struct berth_supervisor *supervisor, enum berth_service_event event)
{
	enum berth_service_state before = supervisor->service.state;
	struct berth_service_facts facts = { 0 };
	unsigned int actions;

	if (event == BERTH_SERVICE_ON_MAIN_ENDED) {
		facts.main_failed = supervisor->end.by_signal || supervisor->end.status;
		facts.tree_listens = !facts.main_failed && tree_listens(supervisor);
	}
	actions = berth_service_step(&supervisor->service, event, &facts, berth_time_mono_ns());
	if (supervisor->service.state != before)
		berth_supervisor_touch(supervisor);
	act(supervisor, actions);
}

void berth_supervisor_end(struct berth_supervisor *supervisor, enum berth_end_cause cause,
			  enum berth_service_event event)
{
	if (supervisor->cause == BERTH_END_BY_ITSELF)
		supervisor->cause = cause;
	berth_supervisor_step(supervisor, event);
}

static void note_main_end(struct berth_supervisor *supervisor, const struct berth_child_end *end)
{
	supervisor->end = *end;
	supervisor->has_end = true;
	berth_supervisor_step(supervisor, BERTH_SERVICE_ON_MAIN_ENDED);
}

/* Job control: the command was stopped (Ctrl-Z, SIGTTIN): the job that the shell sees must stop too. */
static void look_for_stop(struct berth_supervisor *supervisor)
{
	siginfo_t info = { 0 };

	if (supervisor->child.pid <= 0 || supervisor->service.main_gone)
		return;
	if (waitid(P_PID, (id_t)supervisor->child.pid, &info, WSTOPPED | WNOHANG) == 0 && info.si_pid &&
	    info.si_code == CLD_STOPPED)
		report(supervisor, BERTH_NOTE_STOPPED, info.si_status, 0);
}

/* Nothing of the service lives: its filter has no process left, or, without a filter, nobody hangs below us. */
static bool is_tree_gone(struct berth_supervisor *supervisor)
{
	struct berth_tree tree = { 0 };
	bool empty;

	if (supervisor->scope != BERTH_STEER_OFF)
		return supervisor->tree_hup;
	if (load_tree(supervisor, &tree) < 0)
		return false;
	empty = tree.count == 0;
	berth_tree_deinit(&tree);
	return empty;
}

static void reap(struct berth_supervisor *supervisor)
{
	struct berth_child_end end;
	bool reaped = false;
	pid_t pid;

	look_for_stop(supervisor);
	while (berth_child_reap(&pid, &end) == 0 && pid) {
		reaped = true;
		berth_supervisor_answer_ended(supervisor, pid, &end);
		if (pid == supervisor->child.pid && !supervisor->service.main_gone)
			note_main_end(supervisor, &end);
	}
	/* Killing goes on without waiting for the clock: the dead may have left children to us. */
	if (reaped && supervisor->service.state == BERTH_SERVICE_STOPPING && supervisor->service.pressure == 2)
		signal_tree(supervisor, SIGKILL);
}

static void look_for_end(struct berth_supervisor *supervisor)
{
	if (supervisor->done || supervisor->service.state == BERTH_SERVICE_WAITING || !supervisor->service.main_gone ||
	    !is_tree_gone(supervisor))
		return;
	reap(supervisor);
	if (supervisor->service.again)
		berth_supervisor_forget_users(supervisor, true);
	berth_supervisor_step(supervisor, BERTH_SERVICE_ON_TREE_GONE);
}

static void on_signal(struct berth_loop_source *source, uint32_t events)
{
	struct berth_supervisor *supervisor = berth_container_of(source, struct berth_supervisor, signal_source);
	struct signalfd_siginfo info;

	if (read(supervisor->signal_fd, &info, sizeof(info)) != sizeof(info))
		return;
	if (info.ssi_signo == SIGCHLD)
		reap(supervisor);
	else if (info.ssi_signo == SIGTERM || info.ssi_signo == SIGINT)
		berth_supervisor_end(supervisor, BERTH_END_BY_USER, BERTH_SERVICE_ON_STOP);
}

static void on_interrupt(struct berth_supervisor *supervisor, const struct berth_note *note)
{
	bool again = supervisor->service.state == BERTH_SERVICE_STOPPING;

	if (!note->extra)
		signal_main(supervisor, SIGINT);
	berth_supervisor_end(supervisor, BERTH_END_BY_INTERRUPT,
			     again ? BERTH_SERVICE_ON_KILL : BERTH_SERVICE_ON_INTERRUPT);
}

/* In the foreground the guardian is what the user, an IDE or a test runner kills. */
static void on_guardian_gone(struct berth_supervisor *supervisor)
{
	berth_loop_remove(&supervisor->loop, &supervisor->report_source);
	berth_fd_close(&supervisor->report_fd);
	supervisor->guardian_gone = true;
	if (supervisor->job->detach)
		berth_supervisor_save(supervisor);
	else
		berth_supervisor_end(supervisor, BERTH_END_BY_GUARDIAN, BERTH_SERVICE_ON_KILL);
}

static void on_report(struct berth_loop_source *source, uint32_t events)
{
	struct berth_supervisor *supervisor = berth_container_of(source, struct berth_supervisor, report_source);
	struct berth_note note;

	if (berth_note_recv(supervisor->report_fd, &note, NULL, NULL) <= 0) {
		on_guardian_gone(supervisor);
		return;
	}
	if (note.kind == BERTH_NOTE_HANGUP)
		berth_supervisor_end(supervisor, BERTH_END_BY_INTERRUPT, BERTH_SERVICE_ON_STOP);
	else if (note.kind == BERTH_NOTE_SIGNAL && note.value == SIGINT)
		on_interrupt(supervisor, &note);
	else if (note.kind == BERTH_NOTE_SIGNAL && note.value == SIGTERM)
		berth_supervisor_end(supervisor, BERTH_END_BY_USER, BERTH_SERVICE_ON_STOP);
	else if (note.kind == BERTH_NOTE_SIGNAL && !note.extra)
		signal_main(supervisor, note.value);
}

static void on_owner(struct berth_loop_source *source, uint32_t events)
{
	struct berth_supervisor *supervisor = berth_container_of(source, struct berth_supervisor, owner_source);

	berth_loop_remove(&supervisor->loop, source);
	berth_supervisor_end(supervisor, BERTH_END_BY_OWNER, BERTH_SERVICE_ON_STOP);
}

static int watch_owner(struct berth_supervisor *supervisor, struct berth_err *err)
{
	const struct berth_proc_id *owner = &supervisor->job->owner;

	if (!owner->pid)
		return 0;
	supervisor->owner_fd = berth_child_open(owner->pid);
	if (supervisor->owner_fd < 0 || !berth_procfs_is_alive(owner))
		return berth_err_set(err, -ESRCH, BERTH_ERR_REFUSED, "the owner, process %d, has gone already", owner->pid);
	return berth_loop_add(&supervisor->loop, &supervisor->owner_source, supervisor->owner_fd, EPOLLIN, on_owner);
}

static int block_signals(struct berth_supervisor *supervisor)
{
	sigset_t all;

	/* Blocked, not ignored: dispositions would be inherited. SIGTTOU and SIGPIPE come as errors of write() then. */
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	sigemptyset(&all);
	sigaddset(&all, SIGCHLD);
	sigaddset(&all, SIGTERM);
	sigaddset(&all, SIGINT);
	supervisor->signal_fd = signalfd(-1, &all, SFD_CLOEXEC | SFD_NONBLOCK);
	if (supervisor->signal_fd < 0)
		return -errno;
	return berth_loop_add(&supervisor->loop, &supervisor->signal_source, supervisor->signal_fd, EPOLLIN, on_signal);
}

static void raise_open_files(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max < 65536 ? limit.rlim_max : 65536;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
}

static int open_state(const char *name)
{
	char path[PATH_MAX];
	size_t len;
	int r = berth_statefile_path(BERTH_PLACE_STATE, path, sizeof(path) - 16);

	if (r < 0)
		return r;
	len = strlen(path);
	snprintf(path + len, sizeof(path) - len, "/%s", name);
	return berth_statefile_open_dir(path);
}

static int open_log(struct berth_supervisor *supervisor, struct berth_err *err)
{
	BERTH_AUTO_FD int dir_fd = -1;
	char name[32];
	ssize_t n;

	if (!supervisor->job->detach)
		return 0;
	dir_fd = open_state("logs");
	if (dir_fd < 0) {
		berth_err_errno(err, dir_fd, "cannot keep a log in the state folder");
		berth_err_hint(err, "set XDG_STATE_HOME to a folder that can be written");
		return dir_fd;
	}
	snprintf(name, sizeof(name), "%s.log", supervisor->id);
	supervisor->log_fd = openat(dir_fd, name, O_WRONLY | O_APPEND | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (supervisor->log_fd < 0)
		return berth_err_errno(err, -errno, "cannot write the log");
	snprintf(name, sizeof(name), "/proc/self/fd/%d", supervisor->log_fd);
	n = readlink(name, supervisor->log_path, sizeof(supervisor->log_path) - 1);
	supervisor->log_path[n > 0 ? n : 0] = '\0';
	return 0;
}

static void name_process(const struct berth_job *job)
{
	char name[16];

	snprintf(name, sizeof(name), "berth: %.8s", job->identity.service);
	prctl(PR_SET_NAME, name, 0, 0, 0);
}

/* The socket is the lock: one process of the network namespace can have the name. */
static int take_name(struct berth_supervisor *supervisor, struct berth_err *err)
{
	struct berth_identity *identity = &supervisor->job->identity;
	int r = -EADDRINUSE;

	for (int tries = 0; r == -EADDRINUSE && tries < INSTANCES_MAX; tries++) {
		if (tries > 0 && !supervisor->job->fresh)
			break;
		identity->instance += tries > 0;
		berth_identity_seal(identity);
		snprintf(supervisor->socket_name, sizeof(supervisor->socket_name), "berth/%u/%s", geteuid(),
			 identity->key);
		r = berth_supervisor_open_control(supervisor);
	}
	if (r == -EADDRINUSE)
		return berth_err_set(err, r, BERTH_ERR_ALREADY_RUNNING, "'%s' is already running", identity->service);
	if (r < 0)
		return berth_err_errno(err, r, "cannot take the name of '%s'", identity->service);
	return 0;
}

static void init(struct berth_supervisor *supervisor, struct berth_job *job, int report_fd, int starter_fd)
{
	struct berth_proc_status status = { 0 };

	*supervisor = (struct berth_supervisor){
		.job = job,
		.report_fd = report_fd,
		.starter_fd = starter_fd,
		.signal_fd = -1,
		.control_fd = -1,
		.owner_fd = -1,
		.memory_fd = -1,
		.log_fd = -1,
		.loop.epoll_fd = -1,
		.registry = { .dir_fd = -1, .ports_fd = -1 },
		.child = { .pidfd = -1, .notify_fd = -1 },
		.cgroup.fd = -1,
		.scope = job->scope,
		.front_group = getpgrp(),
		.service.times = {
			.grace_ns = job->grace_ms * 1000000,
			.notice_ns = 30 * SECONDS_NS,
			.daemon_ns = 5 * SECONDS_NS,
		},
	};
	for (size_t i = 0; i < BERTH_SUPERVISOR_VIEWS_MAX; i++)
		supervisor->views[i].notify_fd = -1;
	for (size_t i = 0; i < BERTH_SUPERVISOR_CLIENTS_MAX; i++)
		supervisor->clients[i].fd = -1;
	for (size_t i = 0; i < BERTH_ARRAY_SIZE(supervisor->watches); i++)
		supervisor->watches[i].pidfd = -1;
	if (berth_procfs_status(getpid(), &status) == 0)
		supervisor->own_filters = status.seccomp_filters;
}

static int identify(struct berth_supervisor *supervisor)
{
	BERTH_AUTO_FD int fd = berth_sock_new(AF_INET, SOCK_STREAM, 0);
	struct berth_proc_stat stat;
	int r;

	if (fd < 0)
		return fd;
	supervisor->netns_cookie = berth_sock_netns_cookie(fd);
	r = berth_procfs_stat(getpid(), &stat);
	if (r < 0)
		return r;
	supervisor->self = stat.id;
	r = berth_procfs_stat(getppid(), &stat);
	if (r < 0)
		return r;
	supervisor->guardian = stat.id;
	r = berth_procfs_boot_id(supervisor->boot);
	return r < 0 ? r : berth_registry_new_id(supervisor->id);
}

/* One more instance wants what the first one wanted. */
static void recall(struct berth_supervisor *supervisor, struct berth_remembered *memory)
{
	struct berth_identity first = supervisor->job->identity;

	memory->count = 0;
	supervisor->memory_fd = open_state("ports");
	if (supervisor->memory_fd < 0)
		return; /* without a state folder nothing is remembered */
	first.instance = 1;
	berth_identity_seal(&first);
	if (berth_remembered_load(supervisor->memory_fd, first.key, memory) < 0)
		memory->count = 0;
	for (size_t i = 0; i < memory->count && supervisor->job->identity.instance > 1; i++)
		memory->ports[i].given = memory->ports[i].asked ? memory->ports[i].asked : memory->ports[i].given;
}

static int lease_ports(struct berth_supervisor *supervisor, struct berth_err *err)
{
	struct berth_remembered memory;
	int r;

	recall(supervisor, &memory);
	berth_ports_init(&supervisor->ports, supervisor->job);
	r = berth_ports_lease(&supervisor->ports, &memory, supervisor->memory_fd, err);
	return r > 0 ? -EADDRINUSE : r;
}

/* All that can fail before the command is started. */
static int prepare(struct berth_supervisor *supervisor, struct berth_err *err)
{
	int r;

	r = identify(supervisor);
	if (r == 0)
		r = berth_loop_init(&supervisor->loop);
	if (r == 0)
		r = block_signals(supervisor);
	if (r == 0)
		r = berth_loop_add(&supervisor->loop, &supervisor->report_source, supervisor->report_fd, EPOLLIN, on_report);
	if (r < 0)
		return berth_err_errno(err, r, "cannot start a supervisor");
	berth_outq_init(&supervisor->messages, &supervisor->loop, supervisor->job->detach ? -1 : STDERR_FILENO);
	berth_outq_init(&supervisor->status, &supervisor->loop, supervisor->job->status_fd);
	raise_open_files();
	r = berth_registry_open(&supervisor->registry, err);
	if (r == 0)
		r = take_name(supervisor, err);
	if (r == 0)
		r = watch_owner(supervisor, err);
	if (r == 0)
		r = open_log(supervisor, err);
	if (r == 0)
		r = lease_ports(supervisor, err);
	return r;
}

static int64_t earlier(int64_t a, int64_t b)
{
	return b && b < a ? b : a;
}

static int64_t next_deadline(const struct berth_supervisor *supervisor)
{
	int64_t next = berth_supervisor_retry_ns(supervisor);

	next = earlier(next, supervisor->service.deadline_ns);
	next = earlier(next, supervisor->ttl_ns);
	next = earlier(next, supervisor->save_ns);
	next = earlier(next, supervisor->settle_ns);
	next = earlier(next, supervisor->rearm_ns);
	return earlier(next, supervisor->poll_ns);
}

static bool is_due(int64_t deadline_ns, int64_t now_ns)
{
	return deadline_ns && deadline_ns <= now_ns;
}

static void run_timers(struct berth_supervisor *supervisor)
{
	int64_t now = berth_time_mono_ns();

	berth_supervisor_retry(supervisor, now);
	if (is_due(supervisor->settle_ns, now))
		berth_supervisor_settle(supervisor);
	if (is_due(supervisor->rearm_ns, now))
		berth_supervisor_rearm(supervisor);
	if (is_due(supervisor->poll_ns, now))
		berth_supervisor_poll_ports(supervisor);
	if (is_due(supervisor->ttl_ns, now)) {
		supervisor->ttl_ns = 0;
		berth_supervisor_end(supervisor, BERTH_END_BY_TTL, BERTH_SERVICE_ON_STOP);
	}
	if (is_due(supervisor->service.deadline_ns, now))
		berth_supervisor_step(supervisor, BERTH_SERVICE_ON_TIMER);
	if (!supervisor->done && is_due(supervisor->save_ns, now))
		berth_supervisor_save(supervisor);
}

static void live(struct berth_supervisor *supervisor)
{
	struct berth_note started = { .kind = BERTH_NOTE_STARTED };

	berth_str_copy(started.text, sizeof(started.text), supervisor->id);
	if (berth_note_send(supervisor->report_fd, &started, NULL, -1) < 0)
		supervisor->guardian_gone = true;
	if (supervisor->job->ttl_ms)
		supervisor->ttl_ns = berth_time_mono_ns() + supervisor->job->ttl_ms * 1000000;
	berth_supervisor_event(supervisor, "leased", json_object());
	berth_supervisor_step(supervisor, BERTH_SERVICE_ON_START);
	while (!supervisor->done) {
		if (berth_loop_turn(&supervisor->loop, next_deadline(supervisor)) < 0)
			break;
		run_timers(supervisor);
		look_for_end(supervisor);
	}
}

static void deinit(struct berth_supervisor *supervisor)
{
	berth_fd_close(&supervisor->control_fd);
	/* The name is free, the ports are: those who wait for the end may hear of it. */
	berth_supervisor_answer_waiting(supervisor, true);
	berth_ports_deinit(&supervisor->ports);
	berth_notify_program_deinit(&supervisor->filter);
	berth_child_deinit(&supervisor->child);
	berth_cgroup_remove(&supervisor->cgroup);
	for (size_t i = 0; i < BERTH_SUPERVISOR_VIEWS_MAX; i++)
		if (supervisor->views[i].notify_fd >= 0)
			berth_supervisor_close_view(&supervisor->views[i]);
	for (size_t i = 0; i < BERTH_ARRAY_SIZE(supervisor->watches); i++)
		berth_fd_close(&supervisor->watches[i].pidfd);
	berth_outq_deinit(&supervisor->messages);
	berth_outq_deinit(&supervisor->status);
	berth_registry_close(&supervisor->registry);
	berth_loop_deinit(&supervisor->loop);
	berth_fd_close(&supervisor->memory_fd);
	berth_fd_close(&supervisor->log_fd);
	berth_fd_close(&supervisor->signal_fd);
	berth_fd_close(&supervisor->owner_fd);
	berth_fd_close(&supervisor->starter_fd);
	berth_fd_close(&supervisor->report_fd);
}

int berth_supervisor_run(struct berth_job *job, int report_fd, int starter_fd)
{
	struct berth_supervisor *supervisor = malloc(sizeof(*supervisor));
	struct berth_err err = { 0 };
	int exit_code;

	if (!supervisor)
		return 125;
	init(supervisor, job, report_fd, starter_fd);
	setpgid(0, 0);
	prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
	name_process(job);
	if (prepare(supervisor, &err) < 0) {
		supervisor->exit_code = 125;
		tell_starter(supervisor, BERTH_NOTE_FAILED, err.code == BERTH_ERR_INTERNAL ? 125 : berth_err_code_exit(err.code), &err);
	} else {
		live(supervisor);
	}
	exit_code = supervisor->exit_code;
	report(supervisor, BERTH_NOTE_ENDED, exit_code,
	       supervisor->has_end && supervisor->end.by_signal ? supervisor->end.status : 0);
	deinit(supervisor);
	free(supervisor);
	return exit_code;
}
