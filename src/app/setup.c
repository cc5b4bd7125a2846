/* SPDX-License-Identifier: MIT */
/* app/setup.c - all that a supervisor needs beside its units */
#include "app/supervisor.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>

#include "app/stack.h"
#include "base/time.h"
#include "os/statefile.h"

static void on_owner(struct berth_loop_source *source, uint32_t events)
{
	struct berth_supervisor *supervisor =
		berth_container_of(source, struct berth_supervisor, owner_source);

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
		return berth_err_set(err, -ESRCH, BERTH_ERR_REFUSED,
				     "the owner, process %d, has gone already", owner->pid);
	return berth_loop_add(&supervisor->loop, &supervisor->owner_source, supervisor->owner_fd,
			      EPOLLIN, on_owner);
}

static void on_signal(struct berth_loop_source *source, uint32_t events)
{
	struct berth_supervisor *supervisor =
		berth_container_of(source, struct berth_supervisor, signal_source);
	struct signalfd_siginfo info;

	if (read(supervisor->signal_fd, &info, sizeof(info)) != sizeof(info))
		return;
	if (info.ssi_signo == SIGCHLD)
		berth_supervisor_reap(supervisor);
	else if (info.ssi_signo == SIGTERM)
		berth_supervisor_end(supervisor, BERTH_END_BY_USER, BERTH_SERVICE_ON_STOP);
}

static int block_signals(struct berth_supervisor *supervisor)
{
	sigset_t all;

	/*
	 * Blocked, not ignored: dispositions would be inherited. SIGTTOU and SIGPIPE come as errors
	 * of write() then. SIGINT is the guardian's to judge: a detached service has none.
	 */
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	sigemptyset(&all);
	sigaddset(&all, SIGCHLD);
	sigaddset(&all, SIGTERM);
	supervisor->signal_fd = signalfd(-1, &all, SFD_CLOEXEC | SFD_NONBLOCK);
	if (supervisor->signal_fd < 0)
		return -errno;
	return berth_loop_add(&supervisor->loop, &supervisor->signal_source, supervisor->signal_fd,
			      EPOLLIN, on_signal);
}

static void raise_open_files(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max < 65536 ? limit.rlim_max : 65536;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
}

void berth_supervisor_init(struct berth_supervisor *supervisor, struct berth_job *job,
			   int report_fd, int starter_fd)
{
	struct berth_proc_status status = { 0 };

	*supervisor = (struct berth_supervisor){
		.job = job,
		.report_fd = report_fd,
		.starter_fd = starter_fd,
		.signal_fd = -1,
		.owner_fd = -1,
		.spare_fd = -1,
		.cradle = { .pidfd = -1, .fd = -1 },
		.memory_fd = -1,
		.loop.epoll_fd = -1,
		.messages.fd = -1,
		.status.fd = -1,
		.registry = { .dir_fd = -1, .ports_fd = -1 },
		.front_group = getpgrp(),
		.started_ms = berth_time_now_ms(),
	};
	for (size_t i = 0; i < BERTH_SUPERVISOR_EXEC_VIEWS_MAX; i++)
		supervisor->exec_views[i].notify_fd = -1;
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
	return berth_procfs_boot_id(supervisor->boot);
}

int berth_supervisor_prepare(struct berth_supervisor *supervisor, struct berth_err *err)
{
	int r;

	r = identify(supervisor);
	if (r == 0)
		r = berth_loop_init(&supervisor->loop);
	if (r == 0)
		r = block_signals(supervisor);
	if (r == 0)
		r = berth_loop_add(&supervisor->loop, &supervisor->report_source,
				   supervisor->report_fd, EPOLLIN, berth_supervisor_on_report);
	if (r < 0)
		return berth_err_errno(err, r, "cannot start a supervisor");
	berth_outq_init(&supervisor->messages, &supervisor->loop,
			supervisor->job->detach ? -1 : STDERR_FILENO);
	if (supervisor->job->stack && !supervisor->job->detach)
		berth_console_init(&supervisor->console, &supervisor->loop,
				   &supervisor->job->stack->console);
	berth_outq_init(&supervisor->status, &supervisor->loop, supervisor->job->status_fd);
	raise_open_files();
	supervisor->spare_fd = fcntl(supervisor->signal_fd, F_DUPFD_CLOEXEC, 0);
	if (supervisor->job->apart)
		berth_log_tidy();
	/* Without a state folder nothing is remembered. */
	supervisor->memory_fd = berth_statefile_open_below(BERTH_PLACE_STATE, "ports");
	r = berth_registry_open(&supervisor->registry, err);
	return r == 0 ? watch_owner(supervisor, err) : r;
}
