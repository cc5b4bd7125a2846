/* SPDX-License-Identifier: MIT */
/* app/checks-notify.c - what a service says of itself: sd_notify(3) */

#include "app/unit.h"

#include <string.h>
#include <sys/epoll.h>

#include "app/supervisor.h"

enum {
	ANCESTORS_MAX = 64,
};

/* Whose process is it? By what hangs above it. */
static struct berth_worker *find_sender(struct berth_unit *unit, pid_t pid)
{
	for (int depth = 0; depth < ANCESTORS_MAX && pid > 1; depth++) {
		struct berth_worker *bare = NULL;
		struct berth_proc_stat stat;

		for (size_t i = 0; i < unit->worker_count; i++) {
			struct berth_worker *worker = unit->workers[i];

			if (worker->child.pid == pid || worker->main_pid == pid ||
			    (worker->child.keeper.pid && worker->child.keeper.pid == pid))
				return worker;
			if (worker->child.pid > 0 && !worker->child.keeper.pid)
				bare = worker;
		}
		if (pid == unit->supervisor->self.pid)
			return bare;
		if (berth_procfs_stat(pid, &stat) < 0)
			return NULL;
		pid = stat.ppid;
	}
	return NULL;
}

static void on_main_ended(struct berth_loop_source *source, uint32_t events)
{
	struct berth_worker *worker = berth_container_of(source, struct berth_worker, main_source);
	const struct berth_child_end unknown = { 0 };

	berth_loop_remove(&worker->unit->supervisor->loop, source);
	/* If it is our child by now, it says how it ended; else nobody tells us. */
	berth_supervisor_reap(worker->unit->supervisor);
	berth_unit_note_end(worker, &unknown);
}

/* MAINPID=: the service is another process of its tree than the one that we started. */
static void take_main(struct berth_worker *worker, pid_t pid)
{
	struct berth_loop *loop = &worker->unit->supervisor->loop;
	BERTH_AUTO_FD int fd = -1;

	if (pid == worker->main_pid)
		return;
	/* Opened before it is judged: what is open is not given to another one meanwhile. */
	fd = berth_child_open(pid);
	if (fd < 0 || find_sender(worker->unit, pid) != worker)
		return;
	berth_loop_remove(loop, &worker->main_source);
	berth_fd_close(&worker->main_fd);
	if (berth_loop_add(loop, &worker->main_source, fd, EPOLLIN, on_main_ended) < 0) {
		/* An end that nobody hears of would never be one. */
		worker->main_pid = worker->child.pid;
		berth_unit_verbose(worker->unit, "cannot watch process %d", pid);
		return;
	}
	worker->main_fd = berth_fd_steal(&fd);
	worker->main_pid = pid;
}

static void take_message(struct berth_worker *worker, const struct berth_sdnotify_message *message)
{
	if (message->mainpid)
		take_main(worker, message->mainpid);
	if (message->has_status) {
		free(worker->status);
		worker->status = *message->status ? strdup(message->status) : NULL;
	}
	worker->said_ready |= message->ready;
	worker->said_stopping = message->stopping || (worker->said_stopping && !message->ready);
	berth_unit_touch(worker->unit);
	if (!message->failed) {
		berth_unit_review(worker);
		return;
	}
	if (worker->cause == BERTH_END_BY_ITSELF)
		worker->cause = BERTH_END_BY_LIVENESS;
	berth_unit_step_worker(worker, BERTH_SERVICE_ON_UNHEALTHY);
}

static void on_notify(struct berth_loop_source *source, uint32_t events)
{
	struct berth_unit *unit = berth_container_of(source, struct berth_unit, notify_source);
	struct berth_sdnotify_message message;
	struct berth_worker *worker;

	if (berth_sdnotify_recv(unit->notify_fd, &message) < 0)
		return;
	/* The name can be known to others: what they say of it is none of its words. */
	worker = find_sender(unit, message.pid);
	if (worker)
		take_message(worker, &message);
	else
		berth_unit_verbose(unit,
				   "a message of process %d, which is none of %s's, is ignored",
				   message.pid, unit->name);
}

int berth_unit_open_notify(struct berth_unit *unit)
{
	int fd = berth_sdnotify_open(unit->notify_name);
	int r;

	if (fd < 0)
		return fd;
	r = berth_loop_add(&unit->supervisor->loop, &unit->notify_source, fd, EPOLLIN, on_notify);
	if (r < 0) {
		close(fd);
		return r;
	}
	unit->notify_fd = fd;
	return 0;
}
