/* SPDX-License-Identifier: MIT */
/*
 * app/life.c - what happens to a service, and what is done about it
 *
 * What an event means is decided by service/state; here are the events that come from processes
 * (our children, the tree below us) and the hands that carry out what was decided.
 */
#include "app/supervisor.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "app/note.h"
#include "app/steering.h"
#include "base/str.h"
#include "base/time.h"
#include "os/tree.h"

enum {
	SAVE_NS = 2 * 1000 * 1000, /* several changes in a row are one */
};

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
			snprintf(supervisor->also_ended + len, sizeof(supervisor->also_ended) - len,
				 "%s%s", len ? ", " : "", entry);
	}
}

static void signal_tree(struct berth_supervisor *supervisor, int signo)
{
	struct berth_tree tree = { 0 };

	if (signo == SIGKILL && supervisor->cgroup.path[0] &&
	    berth_cgroup_kill(supervisor->cgroup.path) < 0)
		berth_supervisor_verbose(supervisor,
					 "cgroup.kill is refused: each process is ended by itself");
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

void berth_supervisor_signal_main(struct berth_supervisor *supervisor, int signo)
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

static void begin_watch(struct berth_supervisor *supervisor)
{
	const struct berth_note note = { .kind = BERTH_NOTE_WATCH };
	int fd = supervisor->child.notify_fd;

	supervisor->tree_hup = false;
	if (fd < 0) {
		berth_supervisor_poll_ports(supervisor);
		return;
	}
	/*
	 * The guardian's duplicate keeps trapped calls waiting, not failing, when we are gone; and
	 * tells it when nobody is left.
	 */
	if (berth_note_send(supervisor->report_fd, &note, NULL, fd) < 0)
		supervisor->guardian_gone = true;
	if (berth_steering_add_view(supervisor, fd, true) < 0)
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
	/* Before there is anything to find, the record is there to find it by. */
	berth_supervisor_save(supervisor);
	if (berth_supervisor_spawn(supervisor, &exit_code, &err) < 0) {
		supervisor->exit_code = exit_code;
		berth_supervisor_tell_starter(supervisor, BERTH_NOTE_FAILED, exit_code, &err);
		berth_supervisor_step(supervisor, BERTH_SERVICE_ON_START_FAILED);
		return;
	}
	begin_watch(supervisor);
	/*
	 * Files that others wait for are there at once; the record itself can wait for what comes
	 * next.
	 */
	if (supervisor->job->pid_file || supervisor->job->lock_file)
		berth_supervisor_save(supervisor);
	else
		berth_supervisor_touch(supervisor);
	if (supervisor->job->no_port)
		berth_supervisor_step(supervisor, BERTH_SERVICE_ON_LISTENING);
	else if (supervisor->job->pass_socket)
		berth_supervisor_settle(supervisor);
}

static void tell_ready(struct berth_supervisor *supervisor)
{
	supervisor->ready_ms = now_ms();
	berth_supervisor_save(supervisor);
	berth_supervisor_event(
		supervisor, "ready",
		json_pack("{s:o}", "service", berth_supervisor_document(supervisor)));
	berth_supervisor_tell_starter(supervisor, BERTH_NOTE_READY, 0, NULL);
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
		berth_err_set(&err, 0, BERTH_ERR_START_FAILED,
			      "%s ended before it listened (SIG%s after %.1f s)",
			      supervisor->job->identity.service, sigabbrev_np(end->status),
			      seconds);
	else
		berth_err_set(&err, 0, BERTH_ERR_START_FAILED,
			      "%s ended before it listened (exit %d after %.1f s)",
			      supervisor->job->identity.service, end->status, seconds);
	berth_err_hint(&err, "its output is in %s", supervisor->log_path);
	berth_supervisor_tell_starter(supervisor, BERTH_NOTE_FAILED, 1, &err);
}

static void wait_until_bindable(struct berth_supervisor *supervisor)
{
	for (size_t i = 0; i < supervisor->ports.count; i++) {
		uint16_t port = supervisor->ports.steer[i].given;
		bool held = supervisor->ports.port[i].lease.port != 0;

		berth_lease_release(&supervisor->ports.port[i].lease);
		if (held && port && supervisor->ports.steer[i].kind == BERTH_STEER_DECLARED &&
		    !berth_lease_is_bindable(
			    port, supervisor->ports.steer[i].udp ? SOCK_DGRAM : SOCK_STREAM,
			    supervisor->ports.means))
			berth_supervisor_verbose(
				supervisor, "port %u was taken by somebody else at once", port);
	}
}

static void finish(struct berth_supervisor *supervisor)
{
	supervisor->done = true;
	if (supervisor->has_end)
		supervisor->exit_code = berth_child_end_exit(&supervisor->end);
	tell_failed(supervisor);
	berth_supervisor_forget_users(supervisor, false);
	berth_supervisor_unsave(supervisor, supervisor->has_end || supervisor->service.was_ready);
	wait_until_bindable(supervisor);
	berth_supervisor_event(supervisor, "exited",
			       json_pack("{s:i,s:o,s:s}", "code", supervisor->exit_code, "signal",
					 supervisor->end.by_signal
						 ? json_string(sigabbrev_np(supervisor->end.status))
						 : json_null(),
					 "by", berth_end_cause_name(supervisor->cause)));
	if (*supervisor->also_ended && supervisor->cause != BERTH_END_BY_USER)
		berth_supervisor_say(supervisor, "also ended: %s", supervisor->also_ended);
}

static void act(struct berth_supervisor *supervisor, unsigned int actions)
{
	if (actions & BERTH_SERVICE_DO_DROP)
		berth_supervisor_forget_users(supervisor, false);
	if (actions & BERTH_SERVICE_DO_SIGNAL_MAIN)
		berth_supervisor_signal_main(supervisor, SIGTERM);
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
		if (supervisor->service.restarts)
			berth_supervisor_event(
				supervisor, "restarted",
				json_pack("{s:i}", "restarts", (int)supervisor->service.restarts));
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

/*
 * Job control: the command was stopped (Ctrl-Z, SIGTTIN): the job that the shell sees must stop
 * too.
 */
static void look_for_stop(struct berth_supervisor *supervisor)
{
	siginfo_t info = { 0 };

	if (supervisor->child.pid <= 0 || supervisor->service.main_gone)
		return;
	if (waitid(P_PID, (id_t)supervisor->child.pid, &info, WSTOPPED | WNOHANG) == 0 &&
	    info.si_pid && info.si_code == CLD_STOPPED)
		berth_supervisor_report(supervisor, BERTH_NOTE_STOPPED, info.si_status, 0);
}

/*
 * Nothing of the service lives: its filter has no process left, or, without a filter, nobody hangs
 * below us.
 */
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

void berth_supervisor_reap(struct berth_supervisor *supervisor)
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
	if (reaped && supervisor->service.state == BERTH_SERVICE_STOPPING &&
	    supervisor->service.pressure == 2)
		signal_tree(supervisor, SIGKILL);
}

void berth_supervisor_look_for_end(struct berth_supervisor *supervisor)
{
	if (supervisor->done || supervisor->service.state == BERTH_SERVICE_WAITING ||
	    !supervisor->service.main_gone || !is_tree_gone(supervisor))
		return;
	berth_supervisor_reap(supervisor);
	if (supervisor->service.again)
		berth_supervisor_forget_users(supervisor, true);
	berth_supervisor_step(supervisor, BERTH_SERVICE_ON_TREE_GONE);
}
