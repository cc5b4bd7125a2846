/* SPDX-License-Identifier: MIT */
/*
 * app/document.c - what others read of a supervisor: record, ports file, pid and lock file, history
 */
#include "app/supervisor.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "app/history.h"
#include "base/str.h"
#include "base/time.h"
#include "os/statefile.h"

enum {
	TAIL_LINES = 20,
	PORTS_FILE_MAX = 1024 * 1024,
};

static const char *const causes[] = {
#define X(id, name) [BERTH_END_BY_##id] = name,
	BERTH_END_CAUSES(X)
#undef X
};

const char *berth_end_cause_name(enum berth_end_cause cause)
{
	return causes[cause];
}

static const char *containment(const struct berth_supervisor *supervisor)
{
	if (supervisor->guardian_gone)
		return "degraded";
	return supervisor->cgroup.path[0] ? "cgroup" : "subreaper";
}

static const char *steering(const struct berth_supervisor *supervisor)
{
	if (supervisor->softened)
		return "degraded";
	return supervisor->scope == BERTH_STEER_OFF ? "off" : "full";
}

static json_t *pid_or_null(pid_t pid)
{
	return pid > 0 ? json_integer(pid) : json_null();
}

/*
 * Where the sockets on this port are bound: owners' addresses; those of a passed or unsteered one
 * by its lease alone.
 */
static json_t *addresses_of(const struct berth_port *port)
{
	json_t *addresses = json_array();
	char host[BERTH_ADDR_STRLEN];

	for (size_t i = 0; i < BERTH_LEASE_OWNERS_MAX; i++)
		if (port->lease.owners[i].fd >= 0)
			json_array_append_new(addresses,
					      json_string(berth_addr_format_host(
						      &port->lease.owners[i].addr, host)));
	return addresses;
}

json_t *berth_supervisor_holder_document(const struct berth_port_holder *holder)
{
	if (!*holder->text)
		return json_null();
	return json_pack("{s:o,s:o,s:o}", "pid", pid_or_null(holder->pid), "process",
			 berth_json_text_or_null(holder->process), "service",
			 berth_json_text_or_null(holder->service));
}

static json_t *port_document(struct berth_supervisor *supervisor, size_t index)
{
	const struct berth_steer_port *steer = &supervisor->ports.steer[index];
	const struct berth_port *port = &supervisor->ports.port[index];
	uint16_t asked = berth_ports_asked(&supervisor->ports, index);
	char url[64];

	berth_ports_url(&supervisor->ports, index, url, sizeof(url));
	return json_pack("{s:s,s:s,s:o,s:i,s:s,s:b,s:o,s:o,s:o}", "name", port->name, "protocol",
			 steer->udp ? "udp" : "tcp", "asked",
			 asked ? json_integer(asked) : json_null(), "port", steer->given, "reason",
			 berth_port_reason_name(port->reason), "listening",
			 berth_ports_is_listening(&supervisor->ports, index), "addresses",
			 addresses_of(port), "url", berth_json_text_or_null(url), "holder",
			 berth_supervisor_holder_document(&port->holder));
}

static json_t *ports_document(struct berth_supervisor *supervisor)
{
	json_t *ports = json_array();

	for (size_t i = 0; i < supervisor->ports.count; i++)
		if (supervisor->ports.steer[i].given)
			json_array_append_new(ports, port_document(supervisor, i));
	return ports;
}

static json_t *command_document(const struct berth_job *job)
{
	json_t *command = json_array();

	for (size_t i = 0; job->argv[i]; i++)
		json_array_append_new(command, berth_json_text(job->argv[i]));
	return command;
}

static bool was_oom(const struct berth_supervisor *supervisor)
{
	return supervisor->has_end && supervisor->end.by_signal &&
	       supervisor->end.status == SIGKILL && supervisor->cause == BERTH_END_BY_ITSELF &&
	       supervisor->cgroup.path[0] && berth_cgroup_oom_kills(supervisor->cgroup.path) > 0;
}

static json_t *exit_document(const struct berth_supervisor *supervisor)
{
	const struct berth_child_end *end = &supervisor->end;
	enum berth_end_cause cause = was_oom(supervisor) ? BERTH_END_BY_OOM : supervisor->cause;

	if (!supervisor->has_end)
		return json_null();
	return json_pack(
		"{s:o,s:o,s:s}", "code", end->by_signal ? json_null() : json_integer(end->status),
		"signal",
		end->by_signal
			? json_string(sigabbrev_np(end->status) ? sigabbrev_np(end->status) : "?")
			: json_null(),
		"by", berth_end_cause_name(cause));
}

/*
 * Members are set one after the other, so that they come in this order, and a missing one can't
 * shift the rest.
 */
json_t *berth_supervisor_document(struct berth_supervisor *supervisor)
{
	const struct berth_job *job = supervisor->job;
	const struct berth_identity *identity = &job->identity;
	enum berth_service_state state = supervisor->service.state;
	json_t *document = json_object();
	bool living = state != BERTH_SERVICE_STOPPED && state != BERTH_SERVICE_FAILED;

	json_object_set_new(document, "id", json_string(supervisor->id));
	json_object_set_new(document, "project", json_string(identity->project));
	json_object_set_new(document, "root", berth_json_text(identity->root));
	json_object_set_new(document, "branch", berth_json_text_or_null(identity->branch));
	json_object_set_new(document, "service", json_string(identity->service));
	json_object_set_new(document, "instance", json_integer(identity->instance));
	json_object_set_new(document, "state", json_string(berth_service_state_name(state)));
	json_object_set_new(document, "pid",
			    living ? pid_or_null(supervisor->child.pid) : json_null());
	json_object_set_new(document, "supervisor_pid",
			    living ? pid_or_null(supervisor->self.pid) : json_null());
	json_object_set_new(document, "guardian_pid",
			    living && !supervisor->guardian_gone
				    ? pid_or_null(supervisor->guardian.pid)
				    : json_null());
	json_object_set_new(document, "owner_pid", pid_or_null(job->owner.pid));
	json_object_set_new(
		document, "expires_at",
		berth_json_time(job->ttl_ms ? supervisor->started_ms + job->ttl_ms : 0));
	json_object_set_new(document, "started_at", berth_json_time(supervisor->started_ms));
	json_object_set_new(document, "ready_at", berth_json_time(supervisor->ready_ms));
	json_object_set_new(document, "restarts", json_integer(supervisor->service.restarts));
	json_object_set_new(document, "health", json_null());
	json_object_set_new(document, "command", command_document(job));
	json_object_set_new(document, "cwd", berth_json_text(job->cwd));
	json_object_set_new(document, "log", berth_json_text_or_null(supervisor->log_path));
	json_object_set_new(document, "ports", ports_document(supervisor));
	json_object_set_new(document, "exit", exit_document(supervisor));
	json_object_set_new(document, "steering", json_string(steering(supervisor)));
	json_object_set_new(document, "steering_why",
			    berth_json_text_or_null(supervisor->scope_why));
	json_object_set_new(document, "containment", json_string(containment(supervisor)));
	return document;
}

static json_t *sessions_document(const struct berth_supervisor *supervisor)
{
	json_t *sessions = json_array();

	for (size_t i = 0; i < supervisor->session_count; i++)
		json_array_append_new(sessions,
				      berth_registry_process_json(&supervisor->sessions[i]));
	return sessions;
}

/* {"5173": 2053}: which process listens there, for those who ask who has the port. */
static json_t *listeners_document(const struct berth_ports *ports)
{
	json_t *listeners = json_object();
	char number[8];

	for (size_t i = 0; i < ports->count; i++)
		for (size_t j = 0; j < BERTH_LEASE_OWNERS_MAX; j++) {
			const struct berth_port_user *user = &ports->port[i].users[j];

			if (!user->inode || !user->listening)
				continue;
			snprintf(number, sizeof(number), "%u", ports->steer[i].given);
			json_object_set_new(listeners, number, json_integer(user->pid));
		}
	return listeners;
}

static json_t *files_document(const struct berth_job *job)
{
	json_t *files = json_array();

	if (job->pid_file)
		json_array_append_new(files, berth_json_text(job->pid_file));
	if (job->lock_file)
		json_array_append_new(files, berth_json_text(job->lock_file));
	return files;
}

static json_t *private_document(struct berth_supervisor *supervisor)
{
	const struct berth_job *job = supervisor->job;
	json_t *document = json_object();

	json_object_set_new(document, "supervisor", berth_registry_process_json(&supervisor->self));
	json_object_set_new(document, "guardian",
			    berth_registry_process_json(&supervisor->guardian));
	json_object_set_new(document, "boot", json_string(supervisor->boot));
	json_object_set_new(document, "netns",
			    json_integer((json_int_t)supervisor->registry.netns));
	json_object_set_new(document, "socket", json_string(supervisor->socket_name));
	json_object_set_new(document, "key", json_string(job->identity.key));
	json_object_set_new(document, "family", json_string(job->identity.family));
	json_object_set_new(document, "linked", json_boolean(job->identity.linked));
	json_object_set_new(document, "detached", json_boolean(job->detach));
	json_object_set_new(document, "grace_ms", json_integer((json_int_t)job->grace_ms));
	json_object_set_new(document, "steered",
			    json_boolean(supervisor->scope != BERTH_STEER_OFF));
	json_object_set_new(document, "listeners", listeners_document(&supervisor->ports));
	/* A member that says nothing is left out: `ls` reads all records there are. */
	if (!job->detach)
		json_object_set_new(document, "group", json_integer(supervisor->front_group));
	if (supervisor->own_filters)
		json_object_set_new(document, "filters", json_integer(supervisor->own_filters));
	if (supervisor->session_count)
		json_object_set_new(document, "sessions", sessions_document(supervisor));
	if (*supervisor->cgroup.path)
		json_object_set_new(document, "cgroup", berth_json_text(supervisor->cgroup.path));
	if (job->pid_file || job->lock_file)
		json_object_set_new(document, "files", files_document(job));
	if (job->ports_file)
		json_object_set_new(document, "ports_file", berth_json_text(job->ports_file));
	return document;
}

/* backend_port, viewer_ws_port: what programs that read such a file look for. */
static void file_keys(const struct berth_supervisor *supervisor, size_t index, char *port_key,
		      char *url_key, size_t size)
{
	const struct berth_port *port = &supervisor->ports.port[index];
	bool first = strcmp(port->name, "main") == 0 || index == 0;
	char key[BERTH_NAME_MAX + BERTH_PORT_NAME_MAX + 2];

	snprintf(key, sizeof(key), "%s%s%s", supervisor->job->identity.service, first ? "" : "_",
		 first ? "" : port->name);
	for (char *c = key; *c; c++)
		if (*c == '-')
			*c = '_';
	snprintf(port_key, size, "%s_port", key);
	snprintf(url_key, size, "%s_url", key);
}

/* Unknown members are the user's or another service's: kept. With nothing left, the file goes. */
static void write_ports_file(struct berth_supervisor *supervisor, bool living)
{
	const char *path = supervisor->job->ports_file;
	BERTH_AUTO_FREE char *old = NULL;
	BERTH_AUTO_FREE char *text = NULL;
	BERTH_AUTO_JSON json_t *file = NULL;
	char port_key[128], url_key[128], url[64];
	size_t len;

	if (!path)
		return;
	if (berth_statefile_read(AT_FDCWD, path, PORTS_FILE_MAX, &old, &len) == 0)
		file = berth_json_parse(old, len);
	if (!json_is_object(file)) {
		json_decref(file);
		file = json_object();
	}
	for (size_t i = 0; i < supervisor->ports.count; i++) {
		if (supervisor->ports.steer[i].kind != BERTH_STEER_DECLARED ||
		    !supervisor->ports.steer[i].given)
			continue;
		file_keys(supervisor, i, port_key, url_key, sizeof(port_key));
		json_object_del(file, port_key);
		json_object_del(file, url_key);
		if (!living)
			continue;
		json_object_set_new(file, port_key, json_integer(supervisor->ports.steer[i].given));
		if (*berth_ports_url(&supervisor->ports, i, url, sizeof(url)))
			json_object_set_new(file, url_key, json_string(url));
	}
	if (!json_object_size(file)) {
		unlink(path);
		return;
	}
	text = json_dumps(file, JSON_INDENT(2));
	if (text && berth_statefile_write_path(path, text, strlen(text), 0644) < 0)
		berth_supervisor_say(supervisor, "cannot write '%s'", path);
}

static void write_pid_file(struct berth_supervisor *supervisor)
{
	char text[32];

	if (!supervisor->job->pid_file || supervisor->child.pid <= 0)
		return;
	snprintf(text, sizeof(text), "%d\n", supervisor->child.pid);
	if (berth_statefile_write_path(supervisor->job->pid_file, text, strlen(text), 0644) < 0)
		berth_supervisor_say(supervisor, "cannot write '%s'", supervisor->job->pid_file);
}

static void write_lock_file(struct berth_supervisor *supervisor)
{
	BERTH_AUTO_JSON json_t *lock = NULL;
	BERTH_AUTO_FREE char *text = NULL;
	json_t *ports = json_array();

	if (!supervisor->job->lock_file) {
		json_decref(ports);
		return;
	}
	for (size_t i = 0; i < supervisor->ports.count; i++)
		if (supervisor->ports.steer[i].given)
			json_array_append_new(ports,
					      json_integer(supervisor->ports.steer[i].given));
	lock = json_pack("{s:i,s:o,s:o,s:o,s:s,s:s,s:o}", "version", 1, "pid",
			 pid_or_null(supervisor->child.pid), "started_at",
			 berth_json_time(supervisor->started_ms), "ports", ports, "project",
			 supervisor->job->identity.project, "service",
			 supervisor->job->identity.service, "command",
			 command_document(supervisor->job));
	text = lock ? json_dumps(lock, JSON_INDENT(2)) : NULL;
	if (text &&
	    berth_statefile_write_path(supervisor->job->lock_file, text, strlen(text), 0644) < 0)
		berth_supervisor_say(supervisor, "cannot write '%s'", supervisor->job->lock_file);
}

static void claim_ports(struct berth_supervisor *supervisor)
{
	for (size_t i = 0; i < supervisor->ports.count; i++) {
		struct berth_port *port = &supervisor->ports.port[i];

		if (!supervisor->ports.steer[i].given || port->claimed)
			continue;
		berth_registry_claim_port(&supervisor->registry, supervisor->ports.steer[i].given,
					  supervisor->id);
		port->claimed = true;
	}
}

void berth_supervisor_save(struct berth_supervisor *supervisor)
{
	BERTH_AUTO_JSON json_t *record = NULL;
	int r;

	supervisor->save_ns = 0;
	claim_ports(supervisor);
	record = json_pack("{s:o,s:o}", "service", berth_supervisor_document(supervisor), "berth",
			   private_document(supervisor));
	r = record ? berth_registry_write(&supervisor->registry, supervisor->id, record) : -ENOMEM;
	if (r < 0)
		berth_supervisor_verbose(supervisor, "cannot write the record of %s: %s",
					 supervisor->job->identity.service, strerror(-r));
	write_ports_file(supervisor, true);
	write_pid_file(supervisor);
	write_lock_file(supervisor);
}

static void remember(struct berth_supervisor *supervisor)
{
	const struct berth_identity *identity = &supervisor->job->identity;
	struct berth_remembered memory;

	/*
	 * Numbers of a life that never listened were only tried; those of one more instance (--new)
	 * are as fleeting as it is.
	 */
	if (supervisor->memory_fd < 0 || !supervisor->ready_ms || supervisor->job->fresh)
		return;
	berth_ports_remember(&supervisor->ports, &memory);
	if (memory.count && berth_remembered_save(supervisor->memory_fd, identity->key,
						  identity->root, identity->service, &memory) < 0)
		berth_supervisor_verbose(supervisor, "cannot remember the ports of %s",
					 identity->service);
}

void berth_supervisor_unsave(struct berth_supervisor *supervisor, bool keep_end)
{
	BERTH_AUTO_JSON json_t *document = berth_supervisor_document(supervisor);

	remember(supervisor);
	write_ports_file(supervisor, false);
	if (supervisor->job->pid_file)
		unlink(supervisor->job->pid_file);
	if (supervisor->job->lock_file)
		unlink(supervisor->job->lock_file);
	for (size_t i = 0; i < supervisor->ports.count; i++)
		if (supervisor->ports.port[i].claimed)
			berth_registry_unclaim_port(&supervisor->registry,
						    supervisor->ports.steer[i].given,
						    supervisor->id);
	if (document && keep_end) {
		json_object_set_new(document, "ended_at", berth_json_time(berth_time_now_ms()));
		json_object_set_new(document, "also_ended",
				    berth_json_text_or_null(supervisor->also_ended));
		json_object_set_new(document, "last_lines",
				    berth_history_tail(supervisor->log_path, TAIL_LINES));
		if (berth_history_add(document, supervisor->job->identity.key) < 0)
			berth_supervisor_verbose(supervisor,
						 "cannot keep the end of %s in the history",
						 supervisor->job->identity.service);
	}
	berth_registry_remove(&supervisor->registry, supervisor->id);
}
