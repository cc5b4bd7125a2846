/* SPDX-License-Identifier: MIT */
/*
 * app/worker.c - one process tree of a service: what happens to it, and what is done about it
 *
 * What an event means is decided by service/state; here are the events that come from processes (the
 * command, the tree below it) and the hands that carry out what was decided.
 *
 * The tree of a worker is what hangs below its keeper (os/keeper.h), or, of the one worker that may
 * do without, what hangs below us and below no keeper. So orphans, which fall to the nearest
 * subreaper above them, are always known by where they hang.
 */

#include "app/unit.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/wait.h>

#include "app/supervisor.h"
#include "app/steering.h"
#include "base/str.h"
#include "base/time.h"
#include "os/tree.h"

enum {
	ALSO_ENDED_MAX = 256,
	CHECKS = 2,
	ASIDES = CHECKS + 1,
};

/* SIGKILL is answered within microseconds, or there is a reason that should be told. */
#define STUCK_NS 2000000000LL

static size_t count_workers(const struct berth_supervisor *supervisor)
{
	size_t count = 0;

	for (size_t i = 0; i < supervisor->unit_count; i++)
		count += supervisor->units[i]->worker_count;
	return count;
}

/* The process between us and its tree, if it lives: its number may be somebody else's later. */
static pid_t keeper_of(const struct berth_worker *worker)
{
	return worker->keeper_gone ? 0 : worker->child.keeper.pid;
}

/* What runs beside a worker: its checks and its stop command. */
static size_t list_asides(const struct berth_worker *worker, pid_t *pids)
{
	size_t count = 0;

	pids[count] = berth_aside_keeper(worker->ending.command);
	count += pids[count] != 0;
	for (size_t i = 0; worker->checks && i < CHECKS; i++) {
		pids[count] = berth_prober_keeper(&worker->checks[i].prober);
		count += pids[count] != 0;
	}
	return count;
}

/*
 * What hangs below us and is none of @worker's tree, which is bare; zero-terminated. The tree of a
 * keeper that somebody has killed hangs there too.
 */
static pid_t *list_others(const struct berth_worker *worker)
{
	const struct berth_supervisor *supervisor = worker->unit->supervisor;
	size_t count = 0;
	pid_t *pids = calloc(BERTH_ARRAY_SIZE(supervisor->outside) +
				     (2 + ASIDES) * count_workers(supervisor) + 2,
			     sizeof(*pids));

	for (size_t i = 0; pids && i < BERTH_ARRAY_SIZE(supervisor->outside); i++)
		if (supervisor->outside[i].pid)
			pids[count++] = supervisor->outside[i].pid;
	if (pids && supervisor->cradle.pid > 0)
		pids[count++] = supervisor->cradle.pid;
	for (size_t i = 0; pids && i < supervisor->unit_count; i++)
		for (size_t j = 0; j < supervisor->units[i]->worker_count; j++) {
			const struct berth_worker *other = supervisor->units[i]->workers[j];

			count += list_asides(other, pids + count);
			if (other == worker)
				continue;
			if (keeper_of(other))
				pids[count++] = keeper_of(other);
			if (other->child.pid > 0 && !other->service.main_gone)
				pids[count++] = other->child.pid;
		}
	return pids;
}

/* Among the orphans below us: which of them were started as @worker's? */
static void keep_marked(const struct berth_worker *worker, struct berth_tree *tree)
{
	char id[32], number[32];
	size_t kept = 0;

	snprintf(id, sizeof(id), "BERTH_ID=%s", worker->unit->id);
	snprintf(number, sizeof(number), "BERTH_WORKER=%u", worker->number);
	for (size_t i = 0; i < tree->count; i++) {
		pid_t pid = tree->procs[i].id.pid;
		bool has = false;

		if (berth_procfs_environ_has(pid, id, &has) < 0 || !has ||
		    berth_procfs_environ_has(pid, number, &has) < 0 || !has)
			continue;
		tree->procs[kept++] = tree->procs[i];
	}
	tree->count = kept;
}

int berth_unit_load_tree(const struct berth_worker *worker, struct berth_tree *ret_tree)
{
	BERTH_AUTO_FREE pid_t *others = NULL;
	int r;

	if (keeper_of(worker))
		return berth_tree_load(keeper_of(worker), NULL, ret_tree);
	others = list_others(worker);
	if (!others)
		return -ENOMEM;
	r = berth_tree_load(worker->unit->supervisor->self.pid, others, ret_tree);
	if (r == 0 && worker->child.keeper.pid)
		keep_marked(worker, ret_tree);
	return r;
}

/* Named at the end: what was ended besides the process that we had started. */
static void note_also_ended(struct berth_worker *worker, const struct berth_tree *tree)
{
	struct berth_unit *unit = worker->unit;

	for (size_t i = 0; i < tree->count; i++) {
		const char *before = unit->also_ended ? unit->also_ended : "";
		char comm[64], entry[96];
		struct berth_str text = { 0 };

		if (tree->procs[i].id.pid == worker->child.pid)
			continue;
		berth_str_printable(tree->procs[i].comm, (size_t)-1, comm, sizeof(comm));
		snprintf(entry, sizeof(entry), "%s %d", comm, tree->procs[i].id.pid);
		if (strstr(before, entry) || strlen(before) + strlen(entry) > ALSO_ENDED_MAX)
			continue;
		berth_str_addf(&text, "%s%s%s", before, *before ? ", " : "", entry);
		if (berth_str_text(&text)) {
			free(unit->also_ended);
			unit->also_ended = BERTH_STEAL(text.text);
		}
		berth_str_deinit(&text);
	}
}

/* Uninterruptible sleep outlives SIGKILL: say whose, and where it sleeps. */
static void note_stuck(struct berth_worker *worker, const struct berth_tree *tree)
{
	struct berth_err err = { 0 };

	for (size_t i = 0; i < tree->count && !worker->stuck; i++) {
		const struct berth_proc_stat *proc = &tree->procs[i];
		char comm[64], channel[64];

		if (proc->state != 'D' ||
		    berth_procfs_wchan(proc->id.pid, channel, sizeof(channel)) < 0)
			continue;
		worker->stuck = proc->id.pid;
		berth_str_printable(proc->comm, (size_t)-1, comm, sizeof(comm));
		berth_err_set(
			&err, -EBUSY, BERTH_ERR_REFUSED,
			"process %d (%s) of '%s' does not end after SIGKILL: it sleeps in the "
			"kernel (%s)",
			proc->id.pid, comm, worker->unit->name, *channel ? channel : "unknown");
		berth_err_hint(&err, "%s",
			       "it ends when what it waits for does: a disk, a network "
			       "file system, a driver");
		berth_unit_say(worker->unit, "%s", err.msg);
		berth_client_fail_waiting(worker->unit, ~0u, &err);
	}
}

static void signal_tree(struct berth_worker *worker, int signo)
{
	const struct berth_service *service = &worker->service;
	struct berth_tree tree = { 0 };

	if (signo == SIGKILL && worker->cgroup.path[0] &&
	    berth_cgroup_kill(worker->cgroup.path) < 0)
		berth_unit_verbose(worker->unit,
				   "cgroup.kill is refused: each process is ended by itself");
	if (berth_unit_load_tree(worker, &tree) < 0)
		return;
	if (service->main_gone)
		note_also_ended(worker, &tree);
	if (signo == SIGKILL && !worker->killed_ns)
		worker->killed_ns = berth_time_mono_ns();
	else if (signo == SIGKILL && berth_time_mono_ns() - worker->killed_ns > STUCK_NS)
		note_stuck(worker, &tree);
	berth_tree_signal_all(&tree, signo);
	/* A stopped process hears of SIGTERM only when it goes on. */
	if (signo != SIGKILL)
		berth_tree_signal_all(&tree, SIGCONT);
	berth_tree_deinit(&tree);
}

void berth_unit_signal_main(struct berth_worker *worker, int signo)
{
	int pidfd = worker->main_fd >= 0 ? worker->main_fd : worker->child.pidfd;

	if (pidfd < 0)
		return;
	/* ESRCH: it has ended, and its SIGCHLD is on the way. */
	(void)!berth_child_signal(pidfd, signo);
	if (signo == worker->unit->job->stop_signal)
		(void)!berth_child_signal(pidfd, SIGCONT);
}

static void on_keeper(struct berth_loop_source *source, uint32_t events)
{
	struct berth_worker *worker =
		berth_container_of(source, struct berth_worker, keeper_source);
	struct berth_child_end end;
	int stopped;

	switch (berth_child_keeper_next(&worker->child, &end, &stopped)) {
	case BERTH_CHILD_ENDED:
		if (worker->main_pid == worker->child.pid)
			berth_unit_note_end(worker, &end);
		break;
	case BERTH_CHILD_STOPPED:
		berth_supervisor_report(worker->unit->supervisor, BERTH_NOTE_STOPPED, stopped, 0);
		break;
	case BERTH_CHILD_UNKEPT:
		berth_loop_remove(&worker->unit->supervisor->loop, source);
		worker->keeper_gone = true;
		break;
	default:
		break;
	}
}

static void begin_watch(struct berth_worker *worker)
{
	const struct berth_note note = { .kind = BERTH_NOTE_WATCH };
	struct berth_supervisor *supervisor = worker->unit->supervisor;
	int fd = worker->child.notify_fd;

	worker->tree_hup = worker->keeper_gone = false;
	if (worker->child.keeper_fd >= 0 &&
	    berth_loop_add(&supervisor->loop, &worker->keeper_source, worker->child.keeper_fd,
			   EPOLLIN, on_keeper) < 0)
		berth_unit_verbose(worker->unit, "cannot watch the keeper of process %d",
				   worker->child.pid);
	if (fd < 0) {
		if (worker->unit->scope == BERTH_STEER_OFF && !worker->unit->job->outside)
			berth_unit_poll_ports(worker->unit);
		return; /* else it was killed before it had its filter */
	}
	/*
	 * The guardian's duplicate keeps trapped calls waiting, not failing, when we are gone; and
	 * tells it when nobody is left.
	 */
	if (berth_note_send(supervisor->report_fd, &note, NULL, fd) < 0)
		supervisor->guardian_gone = true;
	if (berth_steering_watch(worker, fd) < 0)
		close(fd);
	worker->child.notify_fd = -1;
}

static void end_watch(struct berth_worker *worker)
{
	struct berth_loop *loop = &worker->unit->supervisor->loop;

	berth_unit_end_checks(worker);
	for (size_t i = 0; i < BERTH_ARRAY_SIZE(worker->streams); i++)
		berth_log_finish_stream(BERTH_STEAL(worker->streams[i]));
	berth_loop_remove(loop, &worker->keeper_source);
	berth_loop_remove(loop, &worker->main_source);
	berth_fd_close(&worker->main_fd);
	berth_steering_close_view(&worker->view);
	berth_child_deinit(&worker->child);
	worker->child = BERTH_CHILD_NONE;
	worker->main_pid = 0;
	free(BERTH_STEAL(worker->sessions));
	worker->session_count = 0;
}

static void spawn(struct berth_worker *worker)
{
	struct berth_unit *unit = worker->unit;
	struct berth_err err = { 0 };
	int exit_code;

	/* What went with a life before is no part of the service's end. */
	if (berth_unit_is_single(unit))
		free(BERTH_STEAL(unit->also_ended));
	worker->started_ms = berth_time_now_ms();
	worker->ready_ms = 0;
	worker->cause = BERTH_END_BY_ITSELF;
	worker->said_ready = worker->said_stopping = false;
	worker->has_end = false;
	worker->killed_ns = 0;
	worker->stuck = 0;
	berth_unit_reset_ending(worker);
	if (!unit->started_ms || berth_unit_is_single(unit))
		unit->started_ms = worker->started_ms;
	/* Before there is anything to find, the record is there to find it by. */
	berth_unit_save(unit);
	berth_unit_tell_stop_order(unit, true);
	if (berth_unit_spawn(worker, &exit_code, &err) < 0) {
		worker->spawn_exit = exit_code;
		berth_unit_note_fault(worker, exit_code, &err);
		berth_unit_step_worker(worker, BERTH_SERVICE_ON_START_FAILED);
		return;
	}
	worker->main_pid = worker->child.pid;
	begin_watch(worker);
	/*
	 * Files that others wait for are there at once; the record itself can wait for what comes
	 * next.
	 */
	if (unit->job->pid_file || unit->job->lock_file)
		berth_unit_save(unit);
	else
		berth_unit_touch(unit);
	berth_unit_begin_checks(worker);
	/* In the next turn: whoever has had a place made for this one may be at its ports just now. */
	if (unit->job->pass_socket)
		unit->settle_ns = berth_time_mono_ns();
	berth_unit_review(worker);
}

static void tell_ready(struct berth_worker *worker)
{
	worker->ready_ms = berth_time_now_ms();
	worker->was_ready = true;
	berth_unit_touch(worker->unit);
	berth_unit_start_liveness(worker);
}

/* Another life follows: its sockets wait for that, and the user may want to know why. */
static void keep(struct berth_worker *worker)
{
	end_watch(worker);
	berth_unit_announce_end(worker);
	berth_unit_forget_users(worker->unit, worker, true);
	if (worker->has_end) {
		worker->last_end = worker->end;
		worker->last_cause = worker->cause;
		worker->has_last = true;
	}
}

static void finish(struct berth_worker *worker)
{
	end_watch(worker);
	berth_unit_announce_end(worker);
	berth_unit_forget_users(worker->unit, worker, false);
	berth_cgroup_remove(&worker->cgroup);
}

void berth_unit_send_signals(struct berth_worker *worker, unsigned int actions)
{
	int signo = worker->unit->job->stop_signal;

	if (actions & BERTH_SERVICE_DO_SIGNAL_MAIN)
		berth_unit_signal_main(worker, signo);
	if (actions & BERTH_SERVICE_DO_SIGNAL_TREE)
		signal_tree(worker, signo);
	if (actions & BERTH_SERVICE_DO_KILL_TREE)
		signal_tree(worker, SIGKILL);
}

static void act(struct berth_worker *worker, unsigned int actions)
{
	struct berth_unit *unit = worker->unit;

	actions &= ~berth_unit_hold_signals(worker, actions);
	if (actions & BERTH_SERVICE_DO_DROP)
		berth_unit_drop_sockets(unit, worker);
	if (actions & BERTH_SERVICE_DO_KEEP)
		keep(worker);
	berth_unit_send_signals(worker, actions);
	if (actions & BERTH_SERVICE_DO_TELL_READY)
		tell_ready(worker);
	if (actions & BERTH_SERVICE_DO_TELL_SILENT)
		berth_unit_announce_silence(worker);
	if (actions & BERTH_SERVICE_DO_FINISH)
		finish(worker);
	if (actions & BERTH_SERVICE_DO_SPAWN) {
		if (worker->service.restarts)
			berth_unit_event(unit, "restarted",
					 json_pack("{s:i,s:i}", "restarts",
						   (int)worker->service.restarts, "worker",
						   (int)worker->number));
		spawn(worker);
	}
}

static bool listens(struct berth_worker *worker)
{
	struct berth_ports *ports = &worker->unit->ports;

	berth_unit_check_all(worker->unit);
	for (size_t i = 0; i < ports->count; i++)
		if (berth_ports_is_listening(ports, i, worker->serial))
			return true;
	return false;
}

/* Is it on its way to another life, or from one? Then its sockets are not its own to give up. */
bool berth_unit_will_return(const struct berth_worker *worker)
{
	const struct berth_service *service = &worker->service;

	if (worker->retiring || service->asked)
		return false;
	return service->again || service->state == BERTH_SERVICE_WAITING ||
	       service->policy.restart != BERTH_SERVICE_RESTART_NO;
}

/* The others go on, but it will not be as those want it who wait for all of them. */
static void tell_lost(const struct berth_worker *worker)
{
	struct berth_unit *unit = worker->unit;
	struct berth_str text = { 0 };
	struct berth_err err = { 0 };

	if (worker->retiring || worker->next || worker->service.asked)
		return;
	berth_unit_describe_end(worker, &text);
	berth_err_set(&err, -EIO, BERTH_ERR_START_FAILED, "%s",
		      berth_str_text(&text) ? text.text : "a worker has ended");
	berth_str_deinit(&text);
	/* With its last worker the service has ended, and those who wait for it get its last word. */
	berth_client_fail_waiting(unit,
				  unit->done ? BERTH_CLIENT_WAITS_FOR_SCALE
					     : BERTH_CLIENT_WAITS_FOR_RESTART |
						       BERTH_CLIENT_WAITS_FOR_SCALE,
				  &err);
}

void berth_unit_step_worker(struct berth_worker *worker, enum berth_service_event event)
{
	enum berth_service_state before = worker->service.state;
	struct berth_service_facts facts = { 0 };
	unsigned int actions;

	if (event == BERTH_SERVICE_ON_MAIN_ENDED) {
		facts.main_failed = worker->end.by_signal || worker->end.status;
		facts.tree_listens = !facts.main_failed && listens(worker);
	}
	actions = berth_service_step(&worker->service, event, &facts, berth_time_mono_ns());
	if (worker->service.timed_out && worker->cause == BERTH_END_BY_ITSELF)
		worker->cause = BERTH_END_BY_TIMEOUT;
	if (worker->service.state == BERTH_SERVICE_STOPPING && before != BERTH_SERVICE_STOPPING) {
		berth_unit_end_checks(worker);
		berth_unit_begin_ending(worker);
	}
	act(worker, actions);
	if (worker->service.state == before)
		return;
	berth_unit_combine(worker->unit);
	if (worker->service.state == BERTH_SERVICE_READY) {
		berth_unit_roll_on_ready(worker);
		berth_unit_fill(worker->unit);
	} else if (actions & BERTH_SERVICE_DO_FINISH) {
		tell_lost(worker);
		berth_unit_roll_on_end(worker);
	}
}

void berth_unit_note_end(struct berth_worker *worker, const struct berth_child_end *end)
{
	if (worker->service.main_gone)
		return;
	worker->end = *end;
	worker->has_end = true;
	berth_unit_step_worker(worker, BERTH_SERVICE_ON_MAIN_ENDED);
}

void berth_unit_press_on(struct berth_worker *worker)
{
	/* Killing goes on without waiting for the clock: the dead may have left children to us. */
	if (worker->service.state == BERTH_SERVICE_STOPPING && worker->service.pressure == 2)
		signal_tree(worker, SIGKILL);
}

/*
 * Nothing of it lives: its filter has no process left, and its keeper has ended, or nobody hangs
 * below us. The filter alone is not enough: since Linux 6.11 a process leaves it when it begins to
 * exit, and gives back its memory, which takes long where there is much, before its sockets. Then
 * the end of the last one, a child of ours by now, lets us look again.
 */
static bool is_tree_gone(struct berth_worker *worker)
{
	bool filtered = worker->tree_hup;
	BERTH_AUTO_FREE pid_t *others = NULL;
	struct berth_tree tree = { 0 };
	size_t living = 0;

	if (worker->view.notify_fd >= 0)
		return false;
	if (keeper_of(worker))
		return false;
	if (worker->child.keeper.pid && filtered)
		return true;
	others = list_others(worker);
	if (others && !berth_tree_has_child_but(others))
		return true;
	if (berth_unit_load_tree(worker, &tree) < 0)
		return false;
	for (size_t i = 0; i < tree.count; i++)
		living += !filtered || tree.procs[i].exiting;
	berth_tree_deinit(&tree);
	return !living;
}

static bool is_alive(const struct berth_service *service)
{
	return service->state != BERTH_SERVICE_WAITING && service->state != BERTH_SERVICE_STOPPED &&
	       service->state != BERTH_SERVICE_FAILED;
}

void berth_unit_look_for_end(struct berth_worker *worker)
{
	/* What its keeper has told of the first process may still wait for us. */
	if (is_alive(&worker->service) && worker->tree_hup && worker->keeper_source.fn)
		on_keeper(&worker->keeper_source, EPOLLIN);
	if (!is_alive(&worker->service) || !worker->service.main_gone || !is_tree_gone(worker))
		return;
	berth_supervisor_reap(worker->unit->supervisor);
	if (is_alive(&worker->service) && !berth_unit_is_ending(worker))
		berth_unit_step_worker(worker, BERTH_SERVICE_ON_TREE_GONE);
}
