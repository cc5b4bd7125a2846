/* SPDX-License-Identifier: MIT */
/*
 * app/checks.c - is a worker ready, and does it live: its own listen(), probes, lines
 *
 * Ready is what listens on its ports and, with --ready, also answers, or has said so; with --ready
 * started it is when it runs. When the next probe is due and what a row of results means is decided
 * by service/probe; a probe itself is carried out by app/prober.
 *
 * Of what is bound outside of our tree no listen() is seen. So somebody has to answer on each of its
 * ports, on loopback: on the first as it was asked for, then on the others by a connection.
 *
 * A check that is a command runs in the copy's view, as `berth exec` would run it: it sees the numbers
 * that the service sees. Not so outside: what talks to Docker or podman has to run without a filter,
 * as the service does.
 */

#include "app/unit.h"

#include <errno.h>
#include <regex.h>
#include <string.h>

#include "app/supervisor.h"
#include "app/steering.h"
#include "base/str.h"
#include "base/time.h"

enum {
	READINESS,
	LIVENESS,
	CHECKS,
	LISTENERS_MAX = BERTH_LEASE_OWNERS_MAX,
	EXEC_POLL_MS = 500, /* a command is some processes each time: not ten times a second */
};

static const struct berth_check tcp = { .kind = BERTH_CHECK_TCP };

/* What makes it ready. */
static const struct berth_check *ready_check(const struct berth_job *job)
{
	bool by_listen = job->ready.kind == BERTH_CHECK_LISTEN;

	return job->outside && by_listen && !job->no_port ? &tcp : &job->ready;
}

static bool is_probe(const struct berth_check *check)
{
	return check->kind == BERTH_CHECK_TCP || check->kind == BERTH_CHECK_HTTP ||
	       check->kind == BERTH_CHECK_EXEC;
}

bool berth_unit_is_probed(const struct berth_unit *unit)
{
	return is_probe(ready_check(unit->job)) || is_probe(&unit->job->live);
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
	const struct berth_check *check = ready_check(worker->unit->job);
	struct berth_check_timing timing = worker->unit->job->probe;

	worker->healthy = true;
	if (worker->unit->ready_pattern)
		watch_lines(worker, on_line);
	if (check->kind == BERTH_CHECK_EXEC)
		timing.poll_ms = EXEC_POLL_MS;
	if (is_probe(check) && add_check(worker, READINESS))
		berth_probe_begin(&worker->checks[READINESS].probe, BERTH_PROBE_READINESS, &timing,
				  berth_time_mono_ns());
}

void berth_unit_start_liveness(struct berth_worker *worker)
{
	const struct berth_job *job = worker->unit->job;

	if (is_probe(&job->live) && add_check(worker, LIVENESS))
		berth_probe_begin(&worker->checks[LIVENESS].probe, BERTH_PROBE_LIVENESS,
				  &job->probe, berth_time_mono_ns());
}

/* Outside: what answers, listens. Has anything changed? */
static bool note_answers(struct berth_unit *unit, bool answers)
{
	bool changed = false;

	for (size_t i = 0; i < unit->ports.count && unit->job->outside; i++) {
		changed |= unit->ports.port[i]->answers != answers;
		unit->ports.port[i]->answers = answers;
	}
	return changed;
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
	note_answers(worker->unit, false);
	/* What it still says is no word about its next life. */
	watch_lines(worker, NULL);
	free(BERTH_STEAL(worker->status));
}

/* As far as we know: its ports listen, and its check has succeeded. */
static bool is_ready(const struct berth_worker *worker)
{
	const struct berth_unit *unit = worker->unit;

	if (!unit->job->no_port && !unit->job->outside &&
	    ready_check(unit->job)->kind != BERTH_CHECK_NONE &&
	    !berth_ports_is_ready(&unit->ports, worker->serial))
		return false;
	switch (ready_check(unit->job)->kind) {
	case BERTH_CHECK_LOG:
	case BERTH_CHECK_NOTIFY:
		return worker->said_ready && !worker->said_stopping;
	case BERTH_CHECK_TCP:
	case BERTH_CHECK_HTTP:
	case BERTH_CHECK_EXEC:
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
	if (note_answers(worker->unit, ready))
		berth_unit_look_up(worker->unit);
	if (ready && state != BERTH_SERVICE_READY)
		berth_unit_step_worker(worker, BERTH_SERVICE_ON_READY);
	else if (!ready && state == BERTH_SERVICE_READY)
		berth_unit_step_worker(worker, BERTH_SERVICE_ON_UNREADY);
	/* Last, so that whoever reads the line finds the record as it says. */
	if (worker->unit->job->outside)
		berth_unit_announce(worker->unit);
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

static bool is_asked(const struct berth_ports *ports, size_t index)
{
	return ports->steer[index].kind == BERTH_STEER_DECLARED && !ports->steer[index].udp &&
	       ports->steer[index].given;
}

/* Outside: the first port from @index on that can be asked; false: there is none. */
static bool find_port(const struct berth_unit *unit, size_t index, size_t *ret_index)
{
	for (; index < unit->ports.count; index++)
		if (is_asked(&unit->ports, index)) {
			*ret_index = index;
			return true;
		}
	return false;
}

static int ask_outside(struct berth_unit_check *check, const struct berth_check *how,
		       int64_t now_ns);

static void on_result(struct berth_prober *prober, enum berth_prober_outcome outcome,
		      const char *why, void *arg)
{
	struct berth_unit_check *check = arg;
	const struct berth_unit *unit = check->worker->unit;

	if (outcome == BERTH_PROBER_UNCLEAR) {
		skip(check, why);
		return;
	}
	/* It is ready when all its ports answer. */
	if (outcome == BERTH_PROBER_OK && unit->job->outside && !check->live &&
	    ready_check(unit->job)->kind != BERTH_CHECK_EXEC &&
	    find_port(unit, check->port + 1, &check->port)) {
		int r = ask_outside(check, &tcp, berth_time_mono_ns());

		if (r < 0)
			skip(check, strerror(-r));
		return;
	}
	take_result(check, outcome == BERTH_PROBER_OK, why);
}

static int ask_outside(struct berth_unit_check *check, const struct berth_check *how,
		       int64_t now_ns)
{
	struct berth_unit *unit = check->worker->unit;
	const struct berth_prober_spec spec = {
		.check = how,
		.outside = unit->ports.steer[check->port].given,
		.timeout_ms = unit->job->probe.timeout_ms,
	};

	return berth_prober_start(&check->prober, &unit->supervisor->loop, &spec, now_ns, on_result,
				  check);
}

/* Its filter is the copy's: whatever it connects to goes where the service's own calls go. */
static int hand_to_view(struct berth_unit_check *check)
{
	int fd = berth_prober_take_notify(&check->prober);
	int r = fd < 0 ? 0 : berth_steering_add_view(check->worker->unit, fd);

	if (r == 0)
		return 0;
	close(fd);
	berth_prober_cancel(&check->prober);
	return r;
}

static int ask_command(struct berth_unit_check *check, const struct berth_check *how,
		       int64_t now_ns)
{
	struct berth_unit *unit = check->worker->unit;
	const char *const words[] = { "/bin/sh", "-c", how->arg, NULL };
	struct berth_unit_aside aside;
	struct berth_prober_spec spec = {
		.check = how,
		.command = &aside.spec,
		.timeout_ms = unit->job->probe.timeout_ms,
	};
	struct berth_err err = { 0 };
	int r = berth_unit_prepare_aside(check->worker, words, &aside, &err);

	if (unit->scope != BERTH_STEER_OFF)
		aside.spec.filter = &unit->supervisor->filters[unit->scope != BERTH_STEER_BIND];
	if (r == 0)
		r = berth_prober_start(&check->prober, &unit->supervisor->loop, &spec, now_ns,
				       on_result, check);
	berth_unit_free_aside(&aside);
	return r < 0 ? r : hand_to_view(check);
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

static int ask_listeners(struct berth_unit_check *check, const struct berth_check *how,
			 int64_t now_ns)
{
	struct berth_worker *worker = check->worker;
	struct berth_prober_listener listeners[LISTENERS_MAX];
	struct berth_prober_spec spec = {
		.check = how,
		.listeners = listeners,
		.timeout_ms = worker->unit->job->probe.timeout_ms,
	};
	int r;

	spec.count = list_listeners(worker, listeners, &spec.lease);
	if (!spec.count)
		return -ENOTCONN;
	r = berth_prober_start(&check->prober, &worker->unit->supervisor->loop, &spec, now_ns,
			       on_result, check);
	if (r == BERTH_PROBER_E_OTHERS)
		r = ask_any(check, &spec, listeners, now_ns);
	return r;
}

static void ask(struct berth_unit_check *check, int64_t now_ns)
{
	struct berth_worker *worker = check->worker;
	const struct berth_job *job = worker->unit->job;
	const struct berth_check *how = check->live ? &job->live : ready_check(job);
	BERTH_AUTO_FREE char *path = NULL;
	struct berth_check filled = *how;
	int r;

	if (how->kind == BERTH_CHECK_HTTP)
		filled.arg = path = berth_unit_expand_text(worker->unit, how->arg);
	berth_probe_start(&check->probe, now_ns);
	if (how->kind == BERTH_CHECK_HTTP && !path)
		r = -ENOMEM;
	else if (job->outside && how->kind != BERTH_CHECK_EXEC)
		r = find_port(worker->unit, 0, &check->port) ? ask_outside(check, &filled, now_ns)
							     : -ENOTCONN;
	else if (how->kind != BERTH_CHECK_EXEC)
		r = ask_listeners(check, &filled, now_ns);
	else if (!job->no_port && !job->outside &&
		 !berth_ports_is_ready(&worker->unit->ports, worker->serial))
		r = -ENOTCONN;
	else
		r = ask_command(check, how, now_ns);
	if (r == -ENOTCONN)
		take_result(check, false, "it does not listen");
	else if (r)
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
