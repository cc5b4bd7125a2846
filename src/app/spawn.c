/* SPDX-License-Identifier: MIT */
/* app/spawn.c - start the command of a service, with its ports told and its calls trapped */

#include "app/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "app/supervisor.h"
#include "base/str.h"

enum {
	PASSED_BACKLOG = 4096,
};

/* The one that was passed to the life before, or to another worker. 1: there is none. */
static int reuse_passed(struct berth_port *port, int *ret_fd)
{
	for (size_t i = 0; i < port->lease.owner_size; i++) {
		struct berth_lease_owner *owner = &port->lease.owners[i];

		if (owner->fd < 0 || !owner->listening)
			continue;
		*ret_fd = fcntl(owner->fd, F_DUPFD_CLOEXEC, 3);
		if (*ret_fd < 0)
			return -errno;
		if (owner->kept)
			berth_lease_unkeep(&port->lease, owner);
		return 0;
	}
	return 1;
}

/*
 * --pass-socket: the lease's socket is made by us, listens, and is inherited as number 3 and up
 * (sd_listen_fds(3)).
 */
static int make_passed(struct berth_unit *unit, size_t index, int *ret_fd)
{
	struct berth_port *port = unit->ports.port[index];
	bool local = unit->job->loopback;
	int family = unit->ports.means.ipv6 && !local ? AF_INET6 : AF_INET;
	struct berth_addr addr = local ? berth_addr_loopback(family, 0) : berth_addr_any(family, 0);
	BERTH_AUTO_FD int fd = -1;
	int r;

	r = reuse_passed(port, ret_fd);
	if (r <= 0)
		return r;
	r = fd = berth_sock_new(family, SOCK_STREAM, 0);
	if (r >= 0 && family == AF_INET6)
		r = berth_sock_set(fd, IPPROTO_IPV6, IPV6_V6ONLY, 0);
	if (r >= 0)
		r = berth_lease_bind(&port->lease, fd, &addr);
	if (r == 0)
		r = berth_lease_listen(&port->lease, fd, PASSED_BACKLOG);
	if (r)
		return r < 0 ? r : -EADDRINUSE;
	port->passed = true;
	*ret_fd = berth_fd_steal(&fd);
	return 0;
}

static int pass_sockets(struct berth_unit *unit, struct berth_child_spec *spec,
			struct berth_unit_words *env)
{
	struct berth_str names = { 0 };
	char count[24];

	for (size_t i = 0; i < unit->ports.count && spec->pass_count < BERTH_CHILD_PASS_MAX; i++) {
		int r;

		if (unit->ports.steer[i].kind != BERTH_STEER_DECLARED || unit->ports.steer[i].udp ||
		    !unit->ports.steer[i].given)
			continue;
		r = make_passed(unit, i, &spec->pass_fds[spec->pass_count]);
		if (r < 0)
			return r;
		berth_str_addf(&names, "%s%s", spec->pass_count ? ":" : "",
			       unit->ports.port[i]->name);
		spec->pass_count++;
	}
	snprintf(count, sizeof(count), "%zu", spec->pass_count);
	berth_unit_set(env, "LISTEN_FDS", count);
	berth_unit_set(env, "LISTEN_FDNAMES", berth_str_text(&names) ? berth_str_text(&names) : "");
	berth_unit_set(env, "LISTEN_PID", "          "); /* room that the child fills */
	berth_str_deinit(&names);
	return env->failed ? -ENOMEM : 0;
}

/*
 * No steering: whatever we hold would be in the way of the service's own bind(). Bound outside of our
 * tree, it stays ours: who binds for others sets SO_REUSEADDR (Docker's daemon and proxy, podman).
 */
static void give_way(struct berth_unit *unit)
{
	for (size_t i = 0; i < unit->ports.count; i++) {
		if (unit->job->outside)
			berth_lease_soften(&unit->ports.port[i]->lease);
		else if (!unit->ports.port[i]->passed)
			berth_lease_leave(&unit->ports.port[i]->lease);
	}
}

static void lose_steering(struct berth_unit *unit, int r)
{
	unit->scope = BERTH_STEER_OFF;
	snprintf(
		unit->scope_why, sizeof(unit->scope_why), "%s",
		r == -EBUSY
			? "another program already answers bind() here (WSL's mirrored networking, a sandbox, "
			  "or a berth that was not told to this one)"
			: "this system does not let us answer bind() (seccomp is refused)");
	berth_unit_say(
		unit,
		"no steering: %s; the port is told in PORT, and a program with a fixed one keeps it",
		unit->scope_why);
}

static int say_not_run(const char *name, int r, struct berth_err *err)
{
	char shown[256];

	berth_str_printable(name, (size_t)-1, shown, sizeof(shown));
	berth_err_set(err, r, BERTH_ERR_START_FAILED, "cannot run '%s': %s", shown,
		      r == -ENOENT && !strchr(name, '/') ? "no such command in PATH"
							 : strerror(-r));
	if (r == -ENOEXEC)
		berth_err_hint(err, "a script needs a first line such as #!/bin/sh");
	return r;
}

static int say_why(const struct berth_unit *unit, int r, enum berth_child_stage stage,
		   int *ret_exit, struct berth_err *err)
{
	const char *name = unit->argv ? unit->argv[0] : unit->job->argv[0];
	char shown[256];

	berth_str_printable(name, (size_t)-1, shown, sizeof(shown));
	*ret_exit = 125;
	if (stage == BERTH_CHILD_EXEC) {
		*ret_exit = r == -ENOENT ? 127 : 126;
		return say_not_run(name, r, err);
	}
	if (stage == BERTH_CHILD_CWD)
		return berth_err_errno(err, r, "cannot change to '%s'", unit->job->cwd);
	return berth_err_errno(err, r, "cannot start '%s'", shown);
}

static bool wants_cgroup(void)
{
	const char *wish = getenv("BERTH_CONTAINMENT");

	return !wish || strcmp(wish, "subreaper") != 0;
}

static void make_cgroup(struct berth_worker *worker)
{
	char name[48];

	if (worker->cgroup.path[0] || !wants_cgroup())
		return;
	if (worker->serial == 1)
		snprintf(name, sizeof(name), "berth-%s", worker->unit->id);
	else
		snprintf(name, sizeof(name), "berth-%s-%u", worker->unit->id, worker->serial);
	/* Refused is the ordinary case, and no loss: the subreaper finds all that lives. */
	if (berth_cgroup_new(name, &worker->cgroup) < 0)
		worker->cgroup = (struct berth_cgroup){ .fd = -1 };
}

static void load_filter(struct berth_unit *unit, struct berth_child_spec *spec)
{
	bool with_connect = unit->scope != BERTH_STEER_BIND;
	struct berth_notify_program *filter = &unit->supervisor->filters[with_connect];
	int r = 0;

	if (unit->scope != BERTH_STEER_OFF && !filter->insns)
		r = berth_notify_program_new(with_connect, filter);
	if (r < 0)
		lose_steering(unit, r);
	spec->filter = unit->scope != BERTH_STEER_OFF ? filter : NULL;
	if (!spec->filter)
		give_way(unit);
}

static int start(struct berth_worker *worker, struct berth_child_spec *spec,
		 enum berth_child_stage *ret_stage)
{
	struct berth_unit *unit = worker->unit;
	int r;

	load_filter(unit, spec);
	spec->cgroup_fd = worker->cgroup.fd;
	spec->keep = berth_supervisor_has_bare_tree(unit->supervisor);
	spec->cradle = &unit->supervisor->cradle;
	r = berth_child_start(spec, &worker->child, ret_stage);
	if (r < 0 && *ret_stage == BERTH_CHILD_FORK && spec->cgroup_fd >= 0) {
		/*
		 * A group that can be made but not entered (a domain with threads, a limit of
		 * pids).
		 */
		berth_cgroup_remove(&worker->cgroup);
		spec->cgroup_fd = -1;
		r = berth_child_start(spec, &worker->child, ret_stage);
	}
	if (r < 0 && *ret_stage == BERTH_CHILD_FILTER) {
		lose_steering(unit, r);
		spec->filter = NULL;
		give_way(unit);
		r = berth_child_start(spec, &worker->child, ret_stage);
	}
	return r;
}

/* Where its output goes: to us, where there is a log or a line to wait for; else where ours goes. */
struct output {
	int ours[2], its[2]; /* owned; -1: none */
};

static void close_output(struct output *output)
{
	for (size_t i = 0; i < 2; i++) {
		berth_fd_close(&output->ours[i]);
		berth_fd_close(&output->its[i]);
	}
}

static int open_output(const struct berth_unit *unit, struct output *output)
{
	int ends[2], r = 0;

	*output = (struct output){ { -1, -1 }, { -1, -1 } };
	if (!unit->log.path && !unit->ready_pattern)
		return 0;
	if (unit->job->tty)
		return berth_log_tty(&output->ours[0], &output->its[0]);
	for (size_t i = 0; i < 2 && r == 0; i++) {
		r = berth_log_pipe(ends);
		if (r < 0)
			break;
		output->ours[i] = ends[0];
		output->its[i] = ends[1];
	}
	return r;
}

int berth_unit_add_stream(struct berth_unit *unit, unsigned int number, bool is_stderr, int fd,
			  struct berth_log_stream **ret_stream)
{
	int r = berth_log_add(&unit->log, number, is_stderr, fd, ret_stream);

	if (r == 0 && unit->console)
		berth_console_attach(&unit->supervisor->console, unit->console, *ret_stream);
	else if (r == 0 && !unit->job->apart)
		r = berth_log_pass(*ret_stream, is_stderr ? STDERR_FILENO : STDOUT_FILENO);
	return r;
}

static int read_output(struct berth_worker *worker, struct output *output)
{
	struct berth_unit *unit = worker->unit;
	unsigned int number = unit->job->workers > 1 ? worker->number : 0;
	int r = 0;

	for (size_t i = 0; i < 2 && r == 0; i++)
		if (output->ours[i] >= 0)
			r = berth_unit_add_stream(unit, number, i == 1,
						  berth_fd_steal(&output->ours[i]),
						  &worker->streams[i]);
	return r;
}

static int prepare(struct berth_worker *worker, struct berth_child_spec *spec,
		   struct berth_unit_words *argv, struct berth_unit_words *env,
		   struct berth_err *err)
{
	struct berth_unit *unit = worker->unit;
	int r = berth_unit_build_environment(worker, env);

	if (r == 0)
		r = berth_unit_expand(unit, argv, env, err);
	if (r == 0 && unit->job->pass_socket)
		r = pass_sockets(unit, spec, env);
	if (r < 0 && err->code == BERTH_ERR_NONE)
		berth_err_errno(err, r, "cannot prepare '%s'", unit->job->identity.service);
	spec->argv = (const char *const *)argv->items;
	spec->envp = (const char *const *)env->items;
	return r;
}

int berth_unit_check_command(const struct berth_unit *unit, struct berth_err *err)
{
	const struct berth_worker nobody = { .unit = (struct berth_unit *)(uintptr_t)unit };
	struct berth_unit_words argv = { 0 }, env = { 0 };
	const char *path = NULL;
	int r = berth_unit_build_environment(&nobody, &env);

	if (r == 0)
		r = berth_unit_expand(unit, &argv, &env, err);
	for (size_t i = 0; i < env.count; i++)
		if (strncmp(env.items[i], "PATH=", 5) == 0)
			path = env.items[i] + 5;
	if (r == 0 && access(unit->job->cwd, X_OK) < 0)
		r = berth_err_errno(err, -errno, "cannot change to '%s'", unit->job->cwd);
	if (r == 0) {
		r = berth_child_find(argv.items[0], path, unit->job->cwd);
		if (r < 0)
			say_not_run(argv.items[0], r, err);
	}
	if (r < 0 && err->code == BERTH_ERR_NONE)
		berth_err_errno(err, r, "cannot prepare '%s'", unit->name);
	berth_unit_free_words(argv.items);
	berth_unit_free_words(env.items);
	return r;
}

int berth_unit_spawn(struct berth_worker *worker, int *ret_exit, struct berth_err *err)
{
	struct berth_unit *unit = worker->unit;
	const struct berth_job *job = unit->job;
	BERTH_AUTO_FD int null_fd = job->apart ? open("/dev/null", O_RDONLY | O_CLOEXEC) : -1;
	enum berth_child_stage stage = BERTH_CHILD_FORK;
	struct berth_unit_words argv = { 0 }, env = { 0 };
	struct output output;
	struct berth_child_spec spec = {
		.cwd = job->cwd,
		.new_session = job->apart,
		.terminal = job->tty,
		.pgrp = job->apart ? 0 : unit->supervisor->front_group,
		.parent_death_signal = SIGKILL,
		.cgroup_fd = -1,
		.signal_mask = job->signal_mask,
		.open_files = job->open_files,
	};
	int r;

	*ret_exit = 125;
	make_cgroup(worker);
	r = open_output(unit, &output);
	spec.stdin_fd = job->tty ? output.its[0] : null_fd;
	spec.stdout_fd = output.its[0];
	spec.stderr_fd = job->tty ? output.its[0] : output.its[1];
	if (r < 0)
		berth_err_errno(err, r, "cannot read what '%s' says", job->identity.service);
	if (r == 0)
		r = prepare(worker, &spec, &argv, &env, err);
	if (r == 0) {
		r = start(worker, &spec, &stage);
		if (r < 0)
			say_why(unit, r, stage, ret_exit, err);
	}
	if (r == 0 && read_output(worker, &output) < 0)
		berth_unit_say(unit, "the output of %s can't be read", job->identity.service);
	close_output(&output);
	for (size_t i = 0; i < spec.pass_count; i++)
		close(spec.pass_fds[i]);
	berth_unit_free_words(argv.items);
	berth_unit_free_words(env.items);
	return r;
}
