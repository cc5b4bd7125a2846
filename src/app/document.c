/* SPDX-License-Identifier: MIT */
/* app/document.c - a unit as a document: what `status` shows, and --json prints */

#include "app/unit.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "app/siblings.h"
#include "app/stack-run.h"
#include "app/supervisor.h"
#include "base/str.h"
#include "base/time.h"

static const char *const causes[] = {
#define X(id, name) [BERTH_END_BY_##id] = name,
	BERTH_END_CAUSES(X)
#undef X
};

const char *berth_end_cause_name(enum berth_end_cause cause)
{
	return causes[cause];
}

static const char *containment(const struct berth_unit *unit)
{
	if (unit->supervisor->guardian_gone)
		return "degraded";
	return unit->worker_count && unit->workers[0]->cgroup.path[0] ? "cgroup" : "subreaper";
}

static const char *steering(const struct berth_unit *unit)
{
	if (unit->softened)
		return "degraded";
	return unit->scope == BERTH_STEER_OFF ? "off" : "full";
}

/*
 * Where the sockets on this port are bound: owners' addresses; those of a passed or unsteered one
 * by its lease alone.
 */
static json_t *addresses_of(const struct berth_port *port)
{
	json_t *addresses = json_array();
	char host[BERTH_ADDR_STRLEN];

	for (size_t i = 0; i < port->lease.owner_size; i++) {
		const json_t *other;
		bool known = port->lease.owners[i].fd < 0;
		size_t j;

		berth_addr_format_host(&port->lease.owners[i].addr, host);
		/* Workers with a socket each have them on the same one. */
		json_array_foreach (addresses, j, other)
			known |= strcmp(json_string_value(other), host) == 0;
		if (!known)
			json_array_append_new(addresses, json_string(host));
	}
	return addresses;
}

json_t *berth_unit_holder_document(const struct berth_port_holder *holder)
{
	if (!holder || !*holder->text)
		return json_null();
	return json_pack("{s:o,s:o,s:o}", "pid", berth_json_pid(holder->pid), "process",
			 berth_json_text_or_null(holder->process), "service",
			 berth_json_text_or_null(holder->service));
}

/* {"docs": "http://localhost:9001/docs"}: pages of the service's own port. */
static json_t *links_document(const struct berth_unit *unit, size_t index, const char *url)
{
	const struct berth_job *job = unit->job;
	json_t *links = json_object();
	char text[512];

	for (size_t i = 0; i < job->link_count && index == 0 && *url; i++) {
		BERTH_AUTO_FREE char *path = berth_unit_expand_text(unit, job->links[i].path);

		snprintf(text, sizeof(text), "%s%s", url, path ? path : "");
		json_object_set_new(links, job->links[i].name, berth_json_text(text));
	}
	return links;
}

static json_t *port_document(struct berth_unit *unit, size_t index)
{
	const struct berth_steer_port *steer = &unit->ports.steer[index];
	const struct berth_port *port = unit->ports.port[index];
	uint16_t asked = berth_ports_asked(&unit->ports, index);
	char url[64], why[320] = "";

	berth_ports_url(&unit->ports, index, url, sizeof(url));
	if (asked && asked != steer->given)
		berth_unit_why_moved(port, why, sizeof(why));
	return json_pack("{s:s,s:s,s:o,s:i,s:s,s:o,s:b,s:o,s:o,s:o,s:o}", "name", port->name,
			 "protocol", steer->udp ? "udp" : "tcp", "asked",
			 asked ? json_integer(asked) : json_null(), "port", steer->given, "reason",
			 berth_port_reason_name(port->reason), "why", berth_json_text_or_null(why),
			 "listening", berth_ports_is_listening(&unit->ports, index, 0), "addresses",
			 addresses_of(port), "url", berth_json_text_or_null(url), "links",
			 links_document(unit, index, url), "holder",
			 berth_unit_holder_document(port->holder));
}

static json_t *ports_document(struct berth_unit *unit)
{
	json_t *ports = json_array();

	for (size_t i = 0; i < unit->ports.count; i++)
		if (unit->ports.steer[i].given)
			json_array_append_new(ports, port_document(unit, i));
	return ports;
}

json_t *berth_unit_command_document(const struct berth_unit *unit)
{
	const char *const *argv = unit->argv ? (const char *const *)unit->argv : unit->job->argv;
	json_t *command = json_array();

	for (size_t i = 0; argv[i]; i++)
		json_array_append_new(command, berth_json_text(argv[i]));
	return command;
}

static bool was_oom(const struct berth_worker *worker)
{
	return worker->end.by_signal && worker->end.status == SIGKILL &&
	       worker->cause == BERTH_END_BY_ITSELF && worker->cgroup.path[0] &&
	       berth_cgroup_oom_kills(worker->cgroup.path) > 0;
}

static json_t *exit_document(bool has_end, const struct berth_child_end *end,
			     enum berth_end_cause cause)
{
	if (!has_end)
		return json_null();
	return json_pack(
		"{s:o,s:o,s:s}", "code", end->by_signal ? json_null() : json_integer(end->status),
		"signal",
		end->by_signal
			? json_string(sigabbrev_np(end->status) ? sigabbrev_np(end->status) : "?")
			: json_null(),
		"by", berth_end_cause_name(cause));
}

/* Of this life, or while that goes on, of the one before. */
static json_t *worker_exit(const struct berth_worker *worker)
{
	if (!worker->has_end)
		return exit_document(worker->has_last, &worker->last_end, worker->last_cause);
	return exit_document(true, &worker->end,
			     was_oom(worker) ? BERTH_END_BY_OOM : worker->cause);
}

/* Of what has ended, or waits for its next life. */
static json_t *unit_exit(const struct berth_unit *unit)
{
	if (unit->state == BERTH_SERVICE_WAITING && berth_unit_is_single(unit))
		return worker_exit(unit->workers[0]);
	return exit_document(unit->has_end, &unit->end, unit->cause);
}

static json_t *worker_document(const struct berth_worker *worker)
{
	return json_pack("{s:i,s:s,s:o,s:i,s:o,s:o,s:o}", "number", (int)worker->number, "state",
			 berth_service_state_name(worker->service.state), "pid",
			 berth_json_pid(worker->main_pid), "restarts",
			 (int)worker->service.restarts, "started_at",
			 berth_json_time(worker->started_ms), "ready_at",
			 berth_json_time(worker->ready_ms), "exit", worker_exit(worker));
}

static json_t *workers_document(const struct berth_unit *unit)
{
	json_t *workers = json_array();

	for (size_t i = 0; i < unit->worker_count; i++)
		if (!unit->workers[i]->retiring ||
		    unit->workers[i]->service.state == BERTH_SERVICE_STOPPING)
			json_array_append_new(workers, worker_document(unit->workers[i]));
	return workers;
}

pid_t berth_unit_pid(const struct berth_unit *unit)
{
	for (size_t i = 0; i < unit->worker_count; i++)
		if (unit->workers[i]->main_pid > 0 && !unit->workers[i]->next)
			return unit->workers[i]->main_pid;
	return 0;
}

static unsigned int restarts_of(const struct berth_unit *unit)
{
	unsigned int restarts = unit->restarts;

	for (size_t i = 0; i < unit->worker_count; i++)
		restarts += unit->workers[i]->service.restarts;
	return restarts;
}

/* null: nothing is probed. */
static json_t *health_of(const struct berth_unit *unit)
{
	bool healthy = true;

	if (!berth_unit_is_probed(unit))
		return json_null();
	for (size_t i = 0; i < unit->worker_count; i++)
		healthy &= unit->workers[i]->healthy;
	if (!unit->was_ready && healthy)
		return json_null();
	return json_string(healthy ? "ok" : "failing");
}

static json_t *status_of(const struct berth_unit *unit)
{
	for (size_t i = 0; i < unit->worker_count; i++)
		if (unit->workers[i]->status)
			return berth_json_text(unit->workers[i]->status);
	return json_null();
}

static json_t *restart_at_of(const struct berth_unit *unit)
{
	int64_t now_ns = berth_time_mono_ns();

	for (size_t i = 0; i < unit->worker_count; i++) {
		const struct berth_service *service = &unit->workers[i]->service;

		if (service->state == BERTH_SERVICE_WAITING && service->deadline_ns > now_ns)
			return berth_json_time(berth_time_now_ms() +
					       (service->deadline_ns - now_ns) / BERTH_NS_PER_MS);
	}
	return json_null();
}

/* Of a stack, before it was started: the service that it waits for. */
static json_t *waits_for_of(const struct berth_unit *unit)
{
	const struct berth_stack_run *run = unit->supervisor->stack;
	const struct berth_stack_member *member = run ? &run->members[unit->job->member] : NULL;

	if (!member || !member->since_ns || unit->worker_count)
		return json_null();
	return json_string(run->stack->manifest.services[member->waits_for].name);
}

/* By the clock as it is now: what counts is the other one. */
static json_t *expires_at_of(const struct berth_unit *unit)
{
	int64_t due_ns = unit->supervisor->ttl_ns;
	int64_t left_ns = due_ns ? due_ns - berth_time_mono_ns() : 0;

	if (!unit->job->ttl_ms)
		return json_null();
	return berth_json_time(berth_time_now_ms() + left_ns / BERTH_NS_PER_MS);
}

static const char *const sharings[] = { NULL, "socket", "group", "open-group" };
static const char *const kepts[] = { NULL, "kept", "handed-over", "bound-anew" };

static json_t *kept_why_of(const struct berth_unit *unit)
{
	const char *why = unit->kept_why;

	if (!why && unit->kept == BERTH_UNIT_KEPT_NOTHING)
		(void)berth_unit_can_keep(unit, &why);
	return berth_json_text_or_null(why ? why : "");
}

/* What there is to say of restarts and of several workers. */
static void add_lives(json_t *document, const struct berth_unit *unit)
{
	const char *sharing = unit->worker_count > 1 ? sharings[unit->sharing] : NULL;

	json_object_set_new(document, "status", status_of(unit));
	json_object_set_new(document, "restart_policy",
			    json_string(berth_service_restart_name(unit->job->policy.restart)));
	json_object_set_new(document, "restart_at", restart_at_of(unit));
	json_object_set_new(document, "workers", workers_document(unit));
	json_object_set_new(document, "sharing", berth_json_text_or_null(sharing ? sharing : ""));
	json_object_set_new(document, "kept",
			    berth_json_text_or_null(kepts[unit->kept] ? kepts[unit->kept] : ""));
	json_object_set_new(document, "kept_why", kept_why_of(unit));
}

/*
 * Members are set one after the other, so that they come in this order, and a missing one can't
 * shift the rest.
 */
json_t *berth_unit_document(struct berth_unit *unit)
{
	const struct berth_job *job = unit->job;
	const struct berth_identity *identity = &job->identity;
	enum berth_service_state state = unit->state;
	json_t *document = json_object();
	bool living = state != BERTH_SERVICE_STOPPED && state != BERTH_SERVICE_FAILED;

	json_object_set_new(document, "id", json_string(unit->id));
	json_object_set_new(document, "project", json_string(identity->project));
	json_object_set_new(document, "root", berth_json_text(identity->root));
	json_object_set_new(document, "branch", berth_json_text_or_null(identity->branch));
	json_object_set_new(document, "copy", berth_json_text_or_null(identity->copy));
	json_object_set_new(document, "service", json_string(identity->service));
	json_object_set_new(document, "instance", json_integer(identity->instance));
	json_object_set_new(document, "state", json_string(berth_service_state_name(state)));
	json_object_set_new(document, "pid",
			    living ? berth_json_pid(berth_unit_pid(unit)) : json_null());
	json_object_set_new(document, "supervisor_pid",
			    living ? berth_json_pid(unit->supervisor->self.pid) : json_null());
	json_object_set_new(document, "guardian_pid",
			    living && !unit->supervisor->guardian_gone
				    ? berth_json_pid(unit->supervisor->guardian.pid)
				    : json_null());
	json_object_set_new(document, "owner_pid", berth_json_pid(job->owner.pid));
	json_object_set_new(document, "expires_at", expires_at_of(unit));
	json_object_set_new(document, "started_at", berth_json_time(unit->started_ms));
	json_object_set_new(document, "ready_at", berth_json_time(unit->ready_ms));
	json_object_set_new(document, "restarts", json_integer(restarts_of(unit)));
	json_object_set_new(document, "health", health_of(unit));
	json_object_set_new(document, "command", berth_unit_command_document(unit));
	json_object_set_new(document, "cwd", berth_json_text(job->cwd));
	json_object_set_new(document, "stack",
			    berth_json_text_or_null(job->stack ? job->stack->file : ""));
	json_object_set_new(document, "waits_for", waits_for_of(unit));
	json_object_set_new(document, "sees", berth_siblings_moved(unit));
	json_object_set_new(document, "log",
			    berth_json_text_or_null(unit->log.path ? unit->log.path : ""));
	json_object_set_new(document, "ports", ports_document(unit));
	json_object_set_new(document, "outside", json_boolean(job->outside));
	json_object_set_new(document, "exit", unit_exit(unit));
	json_object_set_new(document, "steering", json_string(steering(unit)));
	json_object_set_new(document, "steering_why", berth_json_text_or_null(unit->scope_why));
	json_object_set_new(document, "containment", json_string(containment(unit)));
	add_lives(document, unit);
	return document;
}
