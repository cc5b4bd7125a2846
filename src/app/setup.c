/* SPDX-License-Identifier: MIT */
/* app/setup.c - all that a supervisor needs, and that can fail, before the command is started */
#include "app/supervisor.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>

#include "base/str.h"
#include "os/statefile.h"

enum {
	INSTANCES_MAX = 10000,
};

#define SECONDS_NS 1000000000LL

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
	else if (info.ssi_signo == SIGTERM || info.ssi_signo == SIGINT)
		berth_supervisor_end(supervisor, BERTH_END_BY_USER, BERTH_SERVICE_ON_STOP);
}

static int block_signals(struct berth_supervisor *supervisor)
{
	sigset_t all;

	/*
	 * Blocked, not ignored: dispositions would be inherited. SIGTTOU and SIGPIPE come as errors
	 * of write() then.
	 */
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	sigemptyset(&all);
	sigaddset(&all, SIGCHLD);
	sigaddset(&all, SIGTERM);
	sigaddset(&all, SIGINT);
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

static int open_log(struct berth_supervisor *supervisor, struct berth_err *err)
{
	BERTH_AUTO_FD int dir_fd = -1;
	char name[32];
	ssize_t n;

	if (!supervisor->job->detach)
		return 0;
	dir_fd = berth_statefile_open_below(BERTH_PLACE_STATE, "logs");
	if (dir_fd < 0) {
		berth_err_errno(err, dir_fd, "cannot keep a log in the state folder");
		berth_err_hint(err, "set XDG_STATE_HOME to a folder that can be written");
		return dir_fd;
	}
	snprintf(name, sizeof(name), "%s.log", supervisor->id);
	supervisor->log_fd =
		openat(dir_fd, name,
		       O_WRONLY | O_APPEND | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (supervisor->log_fd < 0)
		return berth_err_errno(err, -errno, "cannot write the log");
	snprintf(name, sizeof(name), "/proc/self/fd/%d", supervisor->log_fd);
	n = readlink(name, supervisor->log_path, sizeof(supervisor->log_path) - 1);
	supervisor->log_path[n > 0 ? n : 0] = '\0';
	return 0;
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
		snprintf(supervisor->socket_name, sizeof(supervisor->socket_name), "berth/%u/%s",
			 geteuid(), identity->key);
		r = berth_supervisor_open_control(supervisor);
	}
	if (r == -EADDRINUSE)
		return berth_err_set(err, r, BERTH_ERR_ALREADY_RUNNING, "'%s' is already running",
				     identity->service);
	if (r < 0)
		return berth_err_errno(err, r, "cannot take the name of '%s'", identity->service);
	return 0;
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
	supervisor->memory_fd = berth_statefile_open_below(BERTH_PLACE_STATE, "ports");
	if (supervisor->memory_fd < 0)
		return; /* without a state folder nothing is remembered */
	first.instance = 1;
	berth_identity_seal(&first);
	if (berth_remembered_load(supervisor->memory_fd, first.key, memory) < 0)
		memory->count = 0;
	for (size_t i = 0; i < memory->count && supervisor->job->identity.instance > 1; i++)
		memory->ports[i].given =
			memory->ports[i].asked ? memory->ports[i].asked : memory->ports[i].given;
}

static int lease_ports(struct berth_supervisor *supervisor, struct berth_err *err)
{
	struct berth_remembered memory;
	int r;

	recall(supervisor, &memory);
	berth_ports_init(&supervisor->ports, supervisor->job);
	supervisor->ports.holder_fn = berth_supervisor_own_holder;
	supervisor->ports.holder_arg = supervisor;
	r = berth_ports_lease(&supervisor->ports, &memory, supervisor->memory_fd, err);
	return r > 0 ? -EADDRINUSE : r;
}

/* All that can fail before the command is started. */
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
