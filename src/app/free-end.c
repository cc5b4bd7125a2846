/* SPDX-License-Identifier: MIT */
/*
 * app/free-end.c - do what the plan says: end the holders, and see that their ports are free
 *
 * The look that a plan is made of may be minutes old when the user has answered. So nothing of it is
 * believed: a process is opened first (pidfd), and then it must still be the one with that start
 * time, and still hold one of the sockets. From then on the pidfd means it and no other; it is
 * checked again before each signal all the same.
 *
 * The goal is the port. A process that has closed it lives on if it likes: a server may be serving
 * its last clients, and what SIGKILL would end then is not ours to end. Most just end, a moment
 * after they have closed it: that moment is waited for.
 */
#include "app/free.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "app/history.h"
#include "app/stop.h"
#include "base/time.h"
#include "os/child.h"
#include "os/procsock.h"

enum {
	TICK_MS = 20,
	LET_GO_MS = 300, /* from the close to the end of one that ends */
	DEATH_MS = 5000, /* after SIGKILL */
	COMMAND_MS = 60 * 1000, /* of an engine, beyond grace */
	NAME_MAX_SIZE = 256,
};

struct target {
	size_t entry, proc; /* in the plan, in the scene */
	int pidfd; /* owned; -1: done with */
	int64_t let_go_ns; /* since when it holds nothing any more; 0: it does */
	int signo; /* the last that was sent; 0: none */
};

/* One act: what it has to remember. */
struct act {
	struct berth_free *all;
	const struct berth_free_spec *spec;
	struct target *targets; /* owned */
	size_t target_count;
	int64_t began_ns;
	int r; /* the first failure, with @err */
	struct berth_err *err;
};

static int64_t ms_since(int64_t began_ns)
{
	return (berth_time_mono_ns() - began_ns) / BERTH_NS_PER_MS;
}

static void settle(struct act *act, size_t entry, enum berth_free_result result)
{
	struct berth_free_outcome *outcome = &act->all->outcomes[entry];

	outcome->result = result;
	outcome->took_ms = ms_since(act->began_ns);
}

/* The first failure is the one that is told. */
static void fail(struct act *act, size_t entry, int r, const struct berth_err *err)
{
	settle(act, entry, BERTH_FREE_FAILED);
	if (act->r == 0) {
		act->r = r;
		*act->err = *err;
	}
}

/* --- one process --- */

static int fd_of(const struct berth_look *look, uint64_t inode, pid_t pid)
{
	const struct berth_look_holder *holder = berth_look_find_holder(look, inode, pid);

	return holder ? holder->fd : -1;
}

/* Has it a socket of the look still? True also where we may not see that any more. */
static bool still_holds(const struct berth_free *all, const struct target *target)
{
	const struct berth_free_plan *plan = &all->plan;
	BERTH_AUTO_FREE uint64_t *inodes = calloc(plan->link_count + 1, sizeof(*inodes));
	pid_t pid = all->procs[target->proc].id.pid;
	struct berth_procsock found;
	size_t inode_count = 0, count = 0, unreadable = 0;

	if (!inodes)
		return true;
	for (size_t i = 0; i < plan->link_count; i++) {
		uint64_t inode = all->look.sockets[plan->links[i].socket].inode, now = 0;

		if (plan->links[i].proc != target->proc)
			continue;
		if (berth_procsock_inode(pid, fd_of(&all->look, inode, pid), &now) == 0 &&
		    now == inode)
			return true;
		inodes[inode_count++] = inode;
	}
	/* It may have another number by now. */
	if (berth_procsock_find(inodes, inode_count, &pid, 1, &found, 1, &count, &unreadable) < 0)
		return true;
	return count || unreadable;
}

/* Is it there, is it the one that was meant, and does it hold what it is to be ended for? */
static void open_target(struct act *act, struct target *target)
{
	const struct berth_proc_id *id = &act->all->procs[target->proc].id;
	struct berth_err err = { 0 };
	int fd = berth_child_open(id->pid);

	if (fd < 0 && fd != -ESRCH) {
		fail(act, target->entry,
		     berth_err_errno(&err, fd, "cannot open process %d", id->pid), &err);
		return;
	}
	target->pidfd = fd < 0 ? -1 : fd;
	if (target->pidfd >= 0 && berth_procfs_is_alive(id) && still_holds(act->all, target))
		return;
	if (target->pidfd >= 0 && berth_procfs_is_alive(id)) {
		target->let_go_ns = berth_time_mono_ns();
		return;
	}
	settle(act, target->entry, BERTH_FREE_GONE);
	berth_fd_close(&target->pidfd);
}

static void signal_target(struct act *act, struct target *target, int signo)
{
	const struct berth_proc_id *id = &act->all->procs[target->proc].id;
	struct berth_err err = { 0 };
	char name[NAME_MAX_SIZE];
	int r = berth_procfs_is_alive(id) ? berth_child_signal(target->pidfd, signo) : -ESRCH;

	if (r == 0 && signo != SIGCONT)
		target->signo = signo;
	/* Gone: the pidfd says so as well. */
	if (r == 0 || r == -ESRCH)
		return;
	berth_free_name(act->all, target->entry, name, sizeof(name));
	berth_err_errno(&err, r, "cannot signal %s", name);
	fail(act, target->entry, r, &err);
	berth_fd_close(&target->pidfd);
}

/* --- all of them together --- */

static int list_targets(struct act *act)
{
	const struct berth_free_plan *plan = &act->all->plan;

	act->targets = calloc(plan->entry_count + 1, sizeof(*act->targets));
	if (!act->targets)
		return -ENOMEM;
	for (size_t i = 0; i < plan->entry_count; i++)
		if (plan->entries[i].verdict == BERTH_FREE_END &&
		    plan->entries[i].how == BERTH_FREE_PROCESS)
			act->targets[act->target_count++] = (struct target){
				.entry = i, .proc = plan->entries[i].proc, .pidfd = -1
			};
	return 0;
}

static void signal_all(struct act *act, int signo)
{
	for (size_t i = 0; i < act->target_count; i++)
		if (act->targets[i].pidfd >= 0 && !act->targets[i].let_go_ns)
			signal_target(act, &act->targets[i], signo);
}

/* Settled, as ended or as one that goes on without the port? */
static bool is_through(struct act *act, struct target *target)
{
	struct pollfd poll_fd = { .fd = target->pidfd, .events = POLLIN };

	if (poll(&poll_fd, 1, 0) == 1) {
		settle(act, target->entry,
		       target->signo == SIGKILL ? BERTH_FREE_KILLED
		       : target->signo		? BERTH_FREE_ENDED
						: BERTH_FREE_GONE);
		return true;
	}
	if (!target->let_go_ns && !still_holds(act->all, target))
		target->let_go_ns = berth_time_mono_ns();
	if (!target->let_go_ns || ms_since(target->let_go_ns) < LET_GO_MS)
		return false;
	settle(act, target->entry, BERTH_FREE_LET_GO);
	return true;
}

/* How many are left. */
static size_t review(struct act *act)
{
	size_t left = 0;

	for (size_t i = 0; i < act->target_count; i++) {
		struct target *target = &act->targets[i];

		if (target->pidfd < 0)
			continue;
		if (is_through(act, target))
			berth_fd_close(&target->pidfd);
		else
			left++;
	}
	return left;
}

/* Until the first of them ends, at most a moment: a socket that is closed tells nobody. */
static void wait_for_news(const struct act *act)
{
	BERTH_AUTO_FREE struct pollfd *fds = calloc(act->target_count + 1, sizeof(*fds));
	nfds_t count = 0;

	for (size_t i = 0; fds && i < act->target_count; i++)
		if (act->targets[i].pidfd >= 0)
			fds[count++] =
				(struct pollfd){ .fd = act->targets[i].pidfd, .events = POLLIN };
	(void)!poll(fds, count, TICK_MS);
}

static size_t await_ends(struct act *act, int64_t timeout_ms)
{
	int64_t began_ns = berth_time_mono_ns();
	size_t left;

	while ((left = review(act)) && ms_since(began_ns) < timeout_ms)
		wait_for_news(act);
	return left;
}

static void name_immortals(struct act *act)
{
	for (size_t i = 0; i < act->target_count; i++) {
		const struct target *target = &act->targets[i];
		pid_t pid = act->all->procs[target->proc].id.pid;
		char name[NAME_MAX_SIZE], channel[64] = "";
		struct berth_err err = { 0 };

		if (target->pidfd < 0)
			continue;
		berth_free_name(act->all, target->entry, name, sizeof(name));
		(void)!berth_procfs_wchan(pid, channel, sizeof(channel));
		berth_err_set(&err, -ETIMEDOUT, BERTH_ERR_TIMEOUT,
			      "%s does not end, not even by SIGKILL%s%s", name,
			      *channel ? ": the kernel holds it in " : "", channel);
		fail(act, target->entry, -ETIMEDOUT, &err);
	}
}

static void end_processes(struct act *act)
{
	for (size_t i = 0; i < act->target_count; i++)
		open_target(act, &act->targets[i]);
	signal_all(act, SIGTERM);
	signal_all(act, SIGCONT); /* what is stopped would hear it only then */
	if (await_ends(act, act->spec->grace_ms)) {
		signal_all(act, SIGKILL);
		if (await_ends(act, DEATH_MS))
			name_immortals(act);
	}
	for (size_t i = 0; i < act->target_count; i++)
		berth_fd_close(&act->targets[i].pidfd);
}

/* --- what is ended in another way --- */

static void end_service(struct act *act, size_t entry)
{
	const struct berth_stop_spec spec = { .grace_ms = -1 };
	json_t *record = json_array_get(act->all->records, act->all->plan.entries[entry].service);
	struct berth_err err = { 0 };
	json_t *answer = NULL;
	int r = berth_stop(act->all->registry, record, &spec, &answer, &err);

	act->all->outcomes[entry].answer = answer;
	if (r < 0)
		fail(act, entry, r, &err);
	else
		settle(act, entry, r == BERTH_STOP_E_GONE ? BERTH_FREE_GONE : BERTH_FREE_ENDED);
}

static int run_command(const char *const *argv, int64_t timeout_ms, struct berth_err *err)
{
	BERTH_AUTO_FD int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	struct berth_child_spec spec = {
		.argv = argv,
		.envp = (const char *const *)environ,
		.stdin_fd = null_fd,
		.stdout_fd = null_fd,
		.stderr_fd = -1, /* it says itself what is wrong */
		.cgroup_fd = -1,
	};
	struct berth_child child = BERTH_CHILD_NONE;
	enum berth_child_stage stage;
	struct berth_child_end end;
	siginfo_t info = { 0 };
	struct pollfd poll_fd;
	bool late;
	int r;

	sigprocmask(SIG_SETMASK, NULL, &spec.signal_mask);
	r = berth_child_start(&spec, &child, &stage);
	if (r < 0)
		return berth_err_errno(err, r, "cannot run '%s'", argv[0]);
	poll_fd = (struct pollfd){ .fd = child.pidfd, .events = POLLIN };
	late = poll(&poll_fd, 1, (int)timeout_ms) == 0;
	if (late)
		(void)!berth_child_signal(child.pidfd, SIGKILL);
	(void)!waitid(P_PID, (id_t)child.pid, &info, WEXITED);
	end = berth_child_end_of(&info);
	berth_child_deinit(&child);
	if (late)
		return berth_err_set(err, -ETIMEDOUT, BERTH_ERR_TIMEOUT, "'%s %s' does not end",
				     argv[0], argv[1]);
	if (end.by_signal || end.status)
		return berth_err_set(err, -EIO, BERTH_ERR_REFUSED, "'%s %s' failed (%d)", argv[0],
				     argv[1], berth_child_end_exit(&end));
	return 0;
}

static void end_by_command(struct act *act, size_t entry)
{
	const char *argv[BERTH_FREE_ARGV_MAX];
	struct berth_err err = { 0 };
	int r;

	if (!berth_free_plan_command(&act->all->scene, &act->all->plan.entries[entry], argv))
		return;
	r = run_command(argv, act->spec->grace_ms + COMMAND_MS, &err);
	if (r < 0)
		fail(act, entry, r, &err);
	else
		settle(act, entry, BERTH_FREE_ENDED);
}

/* --- what is told later --- */

/* What was stopped in its stead, where the process itself does not tell: a proxy, a systemd. */
static void name_the_stopped(const struct berth_free *all, size_t entry, json_t *freed)
{
	const struct berth_free_entry *ended = &all->plan.entries[entry];

	if (ended->how == BERTH_FREE_CONTAINER && json_is_null(json_object_get(freed, "container")))
		json_object_set_new(freed, "container", berth_free_container(all, entry));
	if (ended->how == BERTH_FREE_UNIT && ended->proc != BERTH_FREE_NONE)
		json_object_set_new(freed, "unit",
				    berth_json_text(all->procs[ended->proc].socket_unit));
}

static void remember(struct act *act, size_t entry)
{
	static const char *const members[] = { "pid", "process", "command", "user",	"uid",
					       "cwd", "project", "unit",    "container" };
	const struct berth_free_outcome *outcome = &act->all->outcomes[entry];
	const json_t *process = berth_free_process(act->all, entry);
	struct berth_free *all = act->all;
	BERTH_AUTO_JSON json_t *freed = NULL;
	struct berth_proc_stat self;

	/* A service's end is in the history by itself. */
	if (all->plan.entries[entry].how == BERTH_FREE_SERVICE ||
	    (outcome->result != BERTH_FREE_ENDED && outcome->result != BERTH_FREE_KILLED))
		return;
	freed = json_pack("{s:s,s:o,s:o,s:s,s:s,s:s}", "state", "freed", "freed_at",
			  berth_json_time(berth_time_now_ms()), "ports",
			  berth_free_port_list(all, entry), "how",
			  berth_free_how_name(all->plan.entries[entry].how), "result",
			  berth_free_result_name(outcome->result), "by", act->spec->by);
	for (size_t i = 0; freed && i < BERTH_ARRAY_SIZE(members); i++) {
		json_t *value = json_object_get(process, members[i]);

		json_object_set_new(freed, members[i], value ? json_incref(value) : json_null());
	}
	name_the_stopped(all, entry, freed);
	if (berth_procfs_stat(getpid(), &self) == 0) {
		const struct berth_holders_process *us =
			berth_holders_process_find(&all->known, &self.id);
		json_t *from = us ? json_object_get(us->document, "cwd") : NULL;

		json_object_set_new(freed, "from", from ? json_incref(from) : json_null());
	}
	(void)!berth_history_add_freed(freed);
}

/* A listener that was passed on to us would live as long as we. */
static void drop_inherited(const struct berth_free *all)
{
	for (size_t i = 0; i < all->look.holder_count; i++)
		if (all->look.holders[i].proc.pid == all->scene.self &&
		    all->look.holders[i].fd > STDERR_FILENO &&
		    berth_free_has_inode(all, all->look.holders[i].inode))
			(void)!close(all->look.holders[i].fd);
}

int berth_free_end(struct berth_free *all, const struct berth_free_spec *spec,
		   struct berth_err *err)
{
	struct act act = { .all = all, .spec = spec, .began_ns = berth_time_mono_ns(), .err = err };

	if (list_targets(&act) < 0)
		return berth_err_errno(err, -ENOMEM, "cannot end the holders");
	drop_inherited(all);
	for (size_t i = 0; i < all->plan.entry_count; i++) {
		const struct berth_free_entry *entry = &all->plan.entries[i];

		if (entry->verdict == BERTH_FREE_END && entry->how == BERTH_FREE_SERVICE)
			end_service(&act, i);
		else if (entry->verdict == BERTH_FREE_END && entry->how != BERTH_FREE_PROCESS)
			end_by_command(&act, i);
	}
	end_processes(&act);
	if (act.r == 0)
		act.r = berth_free_watch(all, spec, err);
	for (size_t i = 0; i < all->plan.entry_count; i++)
		remember(&act, i);
	free(act.targets);
	return act.r;
}
