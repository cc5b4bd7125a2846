/* SPDX-License-Identifier: MIT */
/*
 * app/steering.c - answer the bind(), listen() and connect() of the service
 *
 * One call at a time: read what it asks (os/notify), decide which port that stands for
 * (steer/decide, pure), do it with the caller's own socket (port/lease), answer. The caller waits
 * meanwhile, so nothing here may wait for anybody: what can't be done now is put into the pending
 * table and tried again by the loop.
 *
 * What we can't see, or may not do in the caller's place, is the kernel's: the call continues.
 * Since it would then meet our own holders, these are softened first: never let our own holder be
 * the refusal.
 */
#include "app/steering.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>

#include "base/time.h"

enum {
	RETRY_NS = BERTH_NS_PER_MS,
	RETRY_FOR_NS = 50 * BERTH_NS_PER_MS,
	ANCESTORS_MAX = 64,
};

void berth_steering_soften(struct berth_view *view, const char *why)
{
	struct berth_unit *unit = view->unit;

	/* What berth exec runs is none of the service: its ports stay shut. */
	if (!view->worker)
		return;
	for (size_t i = 0; i < unit->ports.count; i++)
		berth_lease_soften(&unit->ports.port[i]->lease);
	if (!unit->softened)
		berth_unit_say(
			unit,
			"%s: its bind() is left to the kernel, and its port is open to programs "
			"that set SO_REUSEADDR",
			why);
	unit->softened = true;
	berth_unit_touch(unit);
}

/* Does @call come from a process under Landlock, or one of its offspring? */
bool berth_steering_is_confined(struct berth_unit *unit, const struct berth_notify_call *call)
{
	struct berth_proc_status status;
	struct berth_proc_stat proc;
	pid_t pid;

	if (!unit->confined_count || berth_procfs_status(call->tid, &status) < 0)
		return false;
	pid = status.tgid;
	for (int depth = 0; depth < ANCESTORS_MAX && pid > 1; depth++) {
		if (berth_procfs_stat(pid, &proc) < 0)
			return false;
		for (size_t i = 0; i < unit->confined_count; i++)
			if (unit->confined[i].pid == pid &&
			    unit->confined[i].start_ticks == proc.id.start_ticks)
				return true;
		pid = proc.ppid;
	}
	return false;
}

struct berth_socket_facts berth_steering_facts(struct berth_unit *unit, int fd)
{
	int type = berth_sock_get(fd, SOL_SOCKET, SO_TYPE);
	int protocol = berth_sock_get(fd, SOL_SOCKET, SO_PROTOCOL);

	return (struct berth_socket_facts){
		.tcp = type == SOCK_STREAM &&
		       (protocol == IPPROTO_TCP || protocol == IPPROTO_MPTCP),
		.udp = type == SOCK_DGRAM && protocol == IPPROTO_UDP,
		.foreign_netns = berth_sock_netns_cookie(fd) != unit->supervisor->netns_cookie,
	};
}

struct berth_steer_view berth_steering_view(const struct berth_unit *unit)
{
	const struct berth_settings *settings = unit->job->settings;

	return (struct berth_steer_view){
		.ports = unit->ports.steer,
		.count = unit->ports.count,
		.scope = unit->scope,
		.tools = settings ? settings->tools : NULL,
		.tool_count = settings ? settings->tool_count : 0,
	};
}

bool berth_steering_defer(struct berth_unit *unit, struct berth_view *view,
			  const struct berth_notify_call *call, int64_t deadline_ns)
{
	int64_t patience = unit->job->check_timeout_ms
				   ? unit->job->check_timeout_ms * BERTH_NS_PER_MS
				   : RETRY_FOR_NS;
	int64_t now = berth_time_mono_ns();

	if (deadline_ns && now >= deadline_ns)
		return false;
	for (size_t i = 0; i < BERTH_SUPERVISOR_PENDING_MAX; i++) {
		struct berth_pending *pending = &unit->supervisor->pending[i];

		if (pending->view)
			continue;
		*pending = (struct berth_pending){
			.view = view,
			.call = *call,
			.retry_ns = now + RETRY_NS,
			.deadline_ns = deadline_ns ? deadline_ns : now + patience,
		};
		return true;
	}
	return false;
}

/* The caller's socket, or what is to be done without it. */
int berth_steering_take_socket(struct berth_unit *unit, struct berth_view *view,
			       const struct berth_notify_call *call)
{
	int fd = berth_notify_get_fd(view->notify_fd, call);

	if (fd == -EPERM || fd == -EACCES || fd == -ESRCH)
		berth_steering_soften(
			view,
			"a process of it may not be looked into (not dumpable, or another user's)");
	if (fd < 0 && fd != -ENOENT)
		berth_notify_continue(view->notify_fd, call);
	return fd;
}

static void forget_dead(struct berth_proc_id *list, size_t *count)
{
	size_t kept = 0;

	for (size_t i = 0; i < *count; i++)
		if (berth_procfs_is_alive(&list[i]))
			list[kept++] = list[i];
	*count = kept;
}

/* Grows by one; whoever has more than is kept is found by other marks. */
static void note_process(struct berth_proc_id **list, size_t *count, pid_t tid)
{
	struct berth_proc_status status;
	struct berth_proc_stat proc;
	struct berth_proc_id *grown;

	if (*count == BERTH_UNIT_SESSIONS_MAX || berth_procfs_status(tid, &status) < 0 ||
	    berth_procfs_stat(status.tgid, &proc) < 0)
		return;
	grown = reallocarray(*list, *count + 1, sizeof(*grown));
	if (!grown)
		return;
	*list = grown;
	grown[(*count)++] = proc.id;
}

static void dispatch(struct berth_unit *unit, struct berth_view *view,
		     const struct berth_notify_call *call, int64_t deadline_ns)
{
	switch (call->kind) {
	case BERTH_NOTIFY_BIND:
		berth_steering_on_bind(unit, view, call, deadline_ns);
		break;
	case BERTH_NOTIFY_LISTEN:
		berth_steering_on_listen(unit, view, call, deadline_ns);
		break;
	case BERTH_NOTIFY_CONNECT:
		berth_steering_on_connect(unit, view, call);
		break;
	case BERTH_NOTIFY_SETSID:
		/*
		 * A session of its own can't be left again, and is never given to others while in
		 * use: a mark that survives us.
		 */
		if (view->worker) {
			note_process(&view->worker->sessions, &view->worker->session_count,
				     call->tid);
			/* Before it begins: we may be killed at any moment. */
			berth_unit_save(unit);
		}
		berth_notify_continue(view->notify_fd, call);
		break;
	case BERTH_NOTIFY_LANDLOCK:
		/* Those of earlier lives, when there are so many. */
		if (unit->confined_count == BERTH_UNIT_SESSIONS_MAX)
			forget_dead(unit->confined, &unit->confined_count);
		note_process(&unit->confined, &unit->confined_count, call->tid);
		berth_notify_continue(view->notify_fd, call);
		break;
	case BERTH_NOTIFY_OTHER:
		berth_notify_continue(view->notify_fd, call);
		break;
	}
}

static void on_notify(struct berth_loop_source *source, uint32_t events)
{
	struct berth_view *view = berth_container_of(source, struct berth_view, source);
	struct berth_unit *unit = view->unit;
	struct berth_notify_call call;

	if (events & EPOLLIN) {
		if (berth_notify_recv(view->notify_fd, &call) == 0)
			dispatch(unit, view, &call, 0);
	} else if (events & (EPOLLHUP | EPOLLERR)) {
		berth_steering_close_view(view);
		if (view->worker)
			view->worker->tree_hup = true;
	}
}

static int open_view(struct berth_view *view, struct berth_unit *unit, struct berth_worker *worker,
		     int notify_fd)
{
	int r = berth_loop_add(&unit->supervisor->loop, &view->source, notify_fd, EPOLLIN,
			       on_notify);

	if (r < 0)
		return r;
	view->unit = unit;
	view->worker = worker;
	view->notify_fd = notify_fd;
	return 0;
}

int berth_steering_watch(struct berth_worker *worker, int notify_fd)
{
	return open_view(&worker->view, worker->unit, worker, notify_fd);
}

int berth_steering_add_view(struct berth_unit *unit, int notify_fd)
{
	for (size_t i = 0; i < BERTH_SUPERVISOR_EXEC_VIEWS_MAX; i++)
		if (unit->supervisor->exec_views[i].notify_fd < 0)
			return open_view(&unit->supervisor->exec_views[i], unit, NULL, notify_fd);
	return -ENOSPC;
}

void berth_steering_close_view(struct berth_view *view)
{
	struct berth_supervisor *supervisor;

	if (view->notify_fd < 0)
		return;
	supervisor = view->unit->supervisor;
	for (size_t i = 0; i < BERTH_SUPERVISOR_PENDING_MAX; i++)
		if (supervisor->pending[i].view == view)
			supervisor->pending[i].view = NULL;
	berth_loop_remove(&supervisor->loop, &view->source);
	berth_fd_close(&view->notify_fd);
}

void berth_steering_forget(struct berth_unit *unit)
{
	for (size_t i = 0; i < BERTH_SUPERVISOR_EXEC_VIEWS_MAX; i++)
		if (unit->supervisor->exec_views[i].unit == unit)
			berth_steering_close_view(&unit->supervisor->exec_views[i]);
}

void berth_steering_retry(struct berth_supervisor *supervisor, int64_t now_ns)
{
	for (size_t i = 0; i < BERTH_SUPERVISOR_PENDING_MAX; i++) {
		struct berth_pending pending = supervisor->pending[i];

		if (!pending.view || pending.retry_ns > now_ns)
			continue;
		supervisor->pending[i].view = NULL;
		if (berth_notify_is_valid(pending.view->notify_fd, &pending.call))
			dispatch(pending.view->unit, pending.view, &pending.call,
				 pending.deadline_ns);
	}
}

int64_t berth_steering_retry_ns(const struct berth_supervisor *supervisor)
{
	int64_t next = INT64_MAX;

	for (size_t i = 0; i < BERTH_SUPERVISOR_PENDING_MAX; i++)
		if (supervisor->pending[i].view && supervisor->pending[i].retry_ns < next)
			next = supervisor->pending[i].retry_ns;
	return next;
}
