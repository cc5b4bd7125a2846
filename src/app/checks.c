/* SPDX-License-Identifier: MIT */
/*
 * app/checks.c - is a worker ready, and does it live: its own listen(), probes, lines, words
 *
 * Ready is what listens on its ports and, with --ready, also answers, or has said so. When the next
 * probe is due and what a row of results means is decided by service/probe; a probe itself is carried
 * out by app/prober.
 */

#include "app/unit.h"

#include <errno.h>
#include <regex.h>
#include <string.h>
#include <sys/epoll.h>

#include "app/supervisor.h"
#include "app/steering.h"
#include "base/str.h"
#include "base/time.h"
#include "os/tree.h"

enum {
	READINESS,
	LIVENESS,
	CHECKS,
	LISTENERS_MAX = BERTH_LEASE_OWNERS_MAX,
	ANCESTORS_MAX = 64,
};

static bool is_probe(const struct berth_check *check)
{
	return check->kind == BERTH_CHECK_TCP || check->kind == BERTH_CHECK_HTTP;
}

static struct berth_unit_check *check_of(struct berth_worker *worker, int which)
{
	struct berth_unit_check *check = worker->checks ? &worker->checks[which] : NULL;

	return check && check->worker ? check : NULL;
}

static bool add_check(struct berth_worker *worker, int which)
{
	if (!worker->checks)
		worker->checks = calloc(CHECKS, sizeof(*worker->checks));
	if (!worker->checks)
		return false;
	worker->checks[which] =
		(struct berth_unit_check){ .worker = worker, .live = which == LIVENESS };
	return true;
}

static void watch_lines(struct berth_worker *worker,
			void (*fn)(struct berth_log_stream *stream, const char *text, size_t len,
				   void *arg))
{
	for (size_t i = 0; i < BERTH_ARRAY_SIZE(worker->streams); i++)
		if (worker->streams[i])
			berth_log_watch(worker->streams[i], fn, worker);
}

static void on_line(struct berth_log_stream *stream, const char *text, size_t len, void *arg)
{
	struct berth_worker *worker = arg;
	BERTH_AUTO_FREE char *line = strndup(text, len); /* a string, as regexec() wants it */

	if (!line || regexec(worker->unit->ready_pattern, line, 0, NULL, 0) != 0)
		return;
	watch_lines(worker, NULL);
	worker->said_ready = true;
	berth_unit_review(worker);
}

void berth_unit_begin_checks(struct berth_worker *worker)
{
	const struct berth_job *job = worker->unit->job;

	worker->healthy = true;
	if (worker->unit->ready_pattern)
		watch_lines(worker, on_line);
	if (is_probe(&job->ready) && add_check(worker, READINESS))
		berth_probe_begin(&worker->checks[READINESS].probe, BERTH_PROBE_READINESS,
				  &job->probe, berth_time_mono_ns());
}

void berth_unit_start_liveness(struct berth_worker *worker)
{
	const struct berth_job *job = worker->unit->job;

	if (is_probe(&job->live) && add_check(worker, LIVENESS))
		berth_probe_begin(&worker->checks[LIVENESS].probe, BERTH_PROBE_LIVENESS,
				  &job->probe, berth_time_mono_ns());
}

void berth_unit_end_checks(struct berth_worker *worker)
{
	for (int i = 0; i < CHECKS; i++) {
		struct berth_unit_check *check = check_of(worker, i);

		if (!check)
			continue;
		berth_prober_cancel(&check->prober);
		berth_probe_end(&check->probe);
		check->worker = NULL;
	}
	/* What it still says is no word about its next life. */
	watch_lines(worker, NULL);
	free(BERTH_STEAL(worker->status));
}

/* As far as we know: its ports listen, and its check has succeeded. */
static bool is_ready(const struct berth_worker *worker)
{
	const struct berth_unit *unit = worker->unit;

	if (!unit->job->no_port && !berth_ports_is_ready(&unit->ports, worker->serial))
		return false;
	switch (unit->job->ready.kind) {
	case BERTH_CHECK_LOG:
	case BERTH_CHECK_NOTIFY:
		return worker->said_ready && !worker->said_stopping;
	case BERTH_CHECK_TCP:
	case BERTH_CHECK_HTTP:
		return worker->checks && worker->checks[READINESS].probe.state == BERTH_PROBE_OK;
	case BERTH_CHECK_NONE:
	case BERTH_CHECK_LISTEN:
		break;
	}
	return true;
}

void berth_unit_review(struct berth_worker *worker)
{
	enum berth_service_state state = worker->service.state;
	bool ready;

	if (state != BERTH_SERVICE_STARTING && state != BERTH_SERVICE_READY &&
	    state != BERTH_SERVICE_UNREADY)
		return;
	/* Programs probe a port by listening and closing at once. */
	if (worker->unit->settle_ns && state != BERTH_SERVICE_READY)
		return;
	ready = is_ready(worker);
	if (ready && state != BERTH_SERVICE_READY)
		berth_unit_step_worker(worker, BERTH_SERVICE_ON_READY);
	else if (!ready && state == BERTH_SERVICE_READY)
		berth_unit_step_worker(worker, BERTH_SERVICE_ON_UNREADY);
}

static bool is_its_own(const struct berth_port *port, const struct berth_lease_owner *owner,
		       const struct berth_worker *worker)
{
	/* Of what is passed along nobody knows who has it: all do. */
	if (port->passed)
		return true;
	for (size_t i = 0; i < port->user_size; i++)
		if (port->users[i].inode == owner->inode && port->users[i].worker == worker->serial)
			return true;
	return false;
}

/* Without steering there is no duplicate, and no address but the usual ones. */
static size_t list_users(const struct berth_worker *worker, const struct berth_port *port,
			 uint16_t number, struct berth_prober_listener *listeners)
{
	size_t count = 0;

	for (size_t i = 0; i < port->user_size && count < LISTENERS_MAX; i++)
		if (port->users[i].inode && port->users[i].listening)
			listeners[count++] = (struct berth_prober_listener){
				.addr = berth_addr_any(AF_INET, number),
				.inode = port->users[i].inode,
				.other = port->users[i].worker != worker->serial,
			};
	return count;
}

static size_t list_owners(const struct berth_worker *worker, const struct berth_port *port,
			  uint16_t number, struct berth_prober_listener *listeners)
{
	size_t count = 0;

	for (size_t i = 0; i < port->lease.owner_size && count < LISTENERS_MAX; i++) {
		const struct berth_lease_owner *owner = &port->lease.owners[i];

		if (owner->fd < 0 || !owner->listening)
			continue;
		listeners[count] = (struct berth_prober_listener){
			.addr = owner->addr,
			.inode = owner->inode,
			.other = owner->kept || !is_its_own(port, owner, worker),
		};
		berth_addr_set_port(&listeners[count++].addr, number);
	}
	return count;
}

/*
 * All that listens on the first port on which something of the worker's does; what others of the
 * service have there is said to be theirs. Returns how many.
 */
static size_t list_listeners(const struct berth_worker *worker,
			     struct berth_prober_listener *listeners,
			     struct berth_lease **ret_lease)
{
	const struct berth_ports *ports = &worker->unit->ports;

	for (size_t i = 0; i < ports->count; i++) {
		struct berth_port *port = ports->port[i];
		uint16_t number = ports->steer[i].given;
		size_t count;

		if (ports->steer[i].kind != BERTH_STEER_DECLARED || ports->steer[i].udp)
			continue;
		count = port->lease.owner_size ? list_owners(worker, port, number, listeners)
					       : list_users(worker, port, number, listeners);
		*ret_lease = &port->lease;
		for (size_t j = 0; j < count; j++)
			if (!listeners[j].other)
				return count;
	}
	return 0;
}

static void take_result(struct berth_unit_check *check, bool ok, const char *why)
{
	struct berth_worker *worker = check->worker;
	enum berth_probe_outcome outcome =
		berth_probe_result(&check->probe, ok, berth_time_mono_ns());

	if (!ok)
		berth_unit_verbose(worker->unit, "%s probe of %s failed: %s",
				   check->live ? "liveness" : "readiness", worker->unit->name, why);
	if (outcome == BERTH_PROBE_NONE)
		return;
	worker->healthy = outcome == BERTH_PROBE_BECAME_OK;
	berth_unit_touch(worker->unit);
	if (!worker->healthy)
		berth_unit_say(worker->unit, "%s is %s: %s", worker->unit->name,
			       check->live ? "not alive" : "not ready", why);
	if (!check->live) {
		berth_unit_review(worker);
	} else if (!worker->healthy) {
		worker->cause = BERTH_END_BY_LIVENESS;
		berth_unit_step_worker(worker, BERTH_SERVICE_ON_UNHEALTHY);
	}
}

static void skip(struct berth_unit_check *check, const char *why)
{
	berth_unit_verbose(check->worker->unit, "%s probe of %s (worker %u) does not count: %s",
			   check->live ? "liveness" : "readiness", check->worker->unit->name,
			   check->worker->number, why);
	berth_probe_skip(&check->probe, berth_time_mono_ns());
}

static void on_result(struct berth_prober *prober, enum berth_prober_outcome outcome,
		      const char *why, void *arg)
{
	if (outcome == BERTH_PROBER_UNCLEAR)
		skip(arg, why);
	else
		take_result(arg, outcome == BERTH_PROBER_OK, why);
}

/*
 * Whose answer it is can't be told: no ground to end a worker. But one that could never be ready, as
 * nobody can ask it, would be worse than one that another has vouched for.
 */
static int ask_any(struct berth_unit_check *check, struct berth_prober_spec *spec,
		   struct berth_prober_listener *listeners, int64_t now_ns)
{
	if (check->live)
		return BERTH_PROBER_E_OTHERS;
	for (size_t i = 0; i < spec->count; i++)
		listeners[i].other = false;
	return berth_prober_start(&check->prober, &check->worker->unit->supervisor->loop, spec,
				  now_ns, on_result, check);
}

static void ask(struct berth_unit_check *check, int64_t now_ns)
{
	struct berth_worker *worker = check->worker;
	const struct berth_job *job = worker->unit->job;
	struct berth_prober_listener listeners[LISTENERS_MAX];
	struct berth_prober_spec spec = {
		.check = check->live ? &job->live : &job->ready,
		.listeners = listeners,
		.timeout_ms = job->probe.timeout_ms,
	};
	int r;

	berth_probe_start(&check->probe, now_ns);
	spec.count = list_listeners(worker, listeners, &spec.lease);
	if (!spec.count) {
		take_result(check, false, "it does not listen");
		return;
	}
	r = berth_prober_start(&check->prober, &worker->unit->supervisor->loop, &spec, now_ns,
			       on_result, check);
	if (r == BERTH_PROBER_E_OTHERS)
		r = ask_any(check, &spec, listeners, now_ns);
	if (r)
		skip(check, r < 0 ? strerror(-r) : "another worker could answer");
}

int64_t berth_unit_checks_deadline_ns(const struct berth_worker *worker)
{
	int64_t next = INT64_MAX;

	for (int i = 0; worker->checks && i < CHECKS; i++) {
		const struct berth_unit_check *check = &worker->checks[i];
		int64_t own;

		if (!check->worker)
			continue;
		own = berth_probe_next(&check->probe);
		next = own < next ? own : next;
		own = berth_prober_deadline(&check->prober);
		next = own < next ? own : next;
	}
	return next;
}

void berth_unit_run_checks(struct berth_worker *worker, int64_t now_ns)
{
	for (int i = 0; i < CHECKS; i++) {
		struct berth_unit_check *check = check_of(worker, i);

		if (!check)
			continue;
		berth_prober_expire(&check->prober, now_ns);
		check = check_of(worker, i);
		if (check && berth_probe_next(&check->probe) <= now_ns)
			ask(check, now_ns);
	}
}

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

int berth_unit_compile_pattern(struct berth_unit *unit)
{
	unit->ready_pattern = calloc(1, sizeof(*unit->ready_pattern));
	/* It was checked by the parser of the option: only memory can lack. */
	if (unit->ready_pattern &&
	    regcomp(unit->ready_pattern, unit->job->ready.arg, REG_EXTENDED) != 0)
		free(BERTH_STEAL(unit->ready_pattern));
	return unit->ready_pattern ? 0 : -ENOMEM;
}

void berth_unit_free_pattern(struct berth_unit *unit)
{
	if (unit->ready_pattern)
		regfree(unit->ready_pattern);
	free(BERTH_STEAL(unit->ready_pattern));
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
