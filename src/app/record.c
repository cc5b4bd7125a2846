/* SPDX-License-Identifier: MIT */
/* app/record.c - what others find of a unit: record, ports file, pid and lock file, history */

#include "app/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "app/stack-run.h"
#include "app/stack.h"
#include "app/supervisor.h"
#include "app/history.h"
#include "app/ports-file.h"
#include "base/str.h"
#include "base/time.h"
#include "os/statefile.h"

enum {
	TAIL_LINES = 20,
	PORTS_FILE_NS = 2 * BERTH_NS_PER_MS, /* of a stack: several changes in a row are one */
	AGAIN_NS = 10 * BERTH_NS_PER_MS, /* when another one writes it */
};

static json_t *sessions_document(const struct berth_unit *unit)
{
	json_t *sessions = json_array();

	for (size_t i = 0; i < unit->worker_count; i++)
		for (size_t j = 0; j < unit->workers[i]->session_count; j++)
			json_array_append_new(sessions, berth_registry_process_json(
								&unit->workers[i]->sessions[j]));
	return sessions;
}

static void add_process(json_t *processes, pid_t pid)
{
	struct berth_proc_stat stat;

	if (pid > 0 && berth_procfs_stat(pid, &stat) == 0)
		json_array_append_new(processes, berth_registry_process_json(&stat.id));
}

/*
 * What of each tree hangs directly below us: its keeper; the command where there is none, or once
 * somebody has killed it.
 */
static json_t *trees_document(const struct berth_unit *unit)
{
	json_t *trees = json_array();

	for (size_t i = 0; i < unit->worker_count; i++) {
		add_process(trees, unit->workers[i]->child.keeper.pid);
		add_process(trees, unit->workers[i]->child.pid);
	}
	return trees;
}

static json_t *cgroups_document(const struct berth_unit *unit)
{
	json_t *cgroups = json_array();

	for (size_t i = 0; i < unit->worker_count; i++)
		if (*unit->workers[i]->cgroup.path)
			json_array_append_new(cgroups,
					      berth_json_text(unit->workers[i]->cgroup.path));
	return cgroups;
}

/* {"5173": 2053}: which process listens there, for those who ask who has the port. */
static json_t *listeners_document(const struct berth_ports *ports)
{
	json_t *listeners = json_object();
	char number[8];

	for (size_t i = 0; i < ports->count; i++)
		for (size_t j = 0; j < ports->port[i]->user_size; j++) {
			const struct berth_port_user *user = &ports->port[i]->users[j];

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

static json_t *private_document(struct berth_unit *unit)
{
	const struct berth_job *job = unit->job;
	BERTH_AUTO_JSON json_t *sessions = sessions_document(unit);
	BERTH_AUTO_JSON json_t *cgroups = cgroups_document(unit);
	BERTH_AUTO_JSON json_t *trees = trees_document(unit);
	json_t *document = json_object();

	json_object_set_new(document, "supervisor",
			    berth_registry_process_json(&unit->supervisor->self));
	json_object_set_new(document, "guardian",
			    berth_registry_process_json(&unit->supervisor->guardian));
	json_object_set_new(document, "boot", json_string(unit->supervisor->boot));
	json_object_set_new(document, "netns",
			    json_integer((json_int_t)unit->supervisor->registry.netns));
	json_object_set_new(document, "socket", json_string(unit->socket_name));
	json_object_set_new(document, "key", json_string(job->identity.key));
	json_object_set_new(document, "family", json_string(job->identity.family));
	json_object_set_new(document, "linked", json_boolean(job->identity.linked));
	json_object_set_new(document, "detached", json_boolean(job->apart));
	json_object_set_new(document, "grace_ms",
			    json_integer((json_int_t)(job->policy.grace_ns / BERTH_NS_PER_MS)));
	json_object_set_new(document, "steered", json_boolean(unit->scope != BERTH_STEER_OFF));
	json_object_set_new(document, "listeners", listeners_document(&unit->ports));
	/* A member that says nothing is left out: `ls` reads all records there are. */
	if (!job->apart)
		json_object_set_new(document, "group", json_integer(unit->supervisor->front_group));
	if (unit->supervisor->own_filters)
		json_object_set_new(document, "filters",
				    json_integer(unit->supervisor->own_filters));
	if (json_array_size(trees))
		json_object_set(document, "trees", trees);
	if (json_array_size(sessions))
		json_object_set(document, "sessions", sessions);
	if (json_array_size(cgroups))
		json_object_set(document, "cgroups", cgroups);
	/* Once there has been a life to end. */
	if (job->stop_argv && unit->started_ms)
		json_object_set_new(document, "stop", berth_unit_stop_order(unit, false));
	if (job->pid_file || job->lock_file)
		json_object_set_new(document, "files", files_document(job));
	if (job->stack) {
		json_object_set_new(document, "stack", json_string(job->stack->identity.key));
		json_object_set_new(document, "ports_file",
				    berth_json_text(job->stack->ports_file));
	}
	if (job->ports_file)
		json_object_set_new(document, "ports_file", berth_json_text(job->ports_file));
	return document;
}

/* What can't be written now is tried again at the next change, and said once. */
static void write_ports_file(struct berth_unit *unit, bool living)
{
	const struct berth_portsfile_owner owner = { unit->supervisor->self,
						     unit->supervisor->boot };
	const struct berth_identity *identity = &unit->job->identity;
	const char *path = unit->job->ports_file;
	struct berth_ports_file_unit described;
	struct berth_err err = { 0 };
	int r;

	if (!path)
		return;
	if (living) {
		berth_ports_file_describe(&unit->ports, identity->service, identity->instance,
					  berth_service_state_name(unit->state), &described);
		r = berth_ports_file_set_run(path, &owner, &described.unit,
					     &unit->ports_file_since_ns, &err);
	} else {
		r = berth_ports_file_drop_run(path, identity->service, identity->instance, &err);
	}
	if (r == -EAGAIN) {
		unit->save_ns = berth_time_mono_ns() + AGAIN_NS;
		return;
	}
	if (r < 0 && !unit->ports_file_said)
		berth_unit_say(unit, "%s", err.msg);
	unit->ports_file_said = r < 0;
}

static void write_pid_file(struct berth_unit *unit)
{
	char text[32];

	if (!unit->job->pid_file || berth_unit_pid(unit) <= 0)
		return;
	snprintf(text, sizeof(text), "%d\n", berth_unit_pid(unit));
	if (berth_statefile_write_path(unit->job->pid_file, text, strlen(text), 0644) < 0)
		berth_unit_say(unit, "cannot write '%s'", unit->job->pid_file);
}

static void write_lock_file(struct berth_unit *unit)
{
	BERTH_AUTO_JSON json_t *lock = NULL;
	BERTH_AUTO_FREE char *text = NULL;
	json_t *ports = json_array();

	if (!unit->job->lock_file) {
		json_decref(ports);
		return;
	}
	for (size_t i = 0; i < unit->ports.count; i++)
		if (unit->ports.steer[i].given)
			json_array_append_new(ports, json_integer(unit->ports.steer[i].given));
	lock = json_pack("{s:i,s:o,s:o,s:o,s:s,s:s,s:o}", "version", 1, "pid",
			 berth_json_pid(berth_unit_pid(unit)), "started_at",
			 berth_json_time(unit->started_ms), "ports", ports, "project",
			 unit->job->identity.project, "service", unit->job->identity.service,
			 "command", berth_unit_command_document(unit));
	text = lock ? json_dumps(lock, JSON_INDENT(2)) : NULL;
	if (text && berth_statefile_write_path(unit->job->lock_file, text, strlen(text), 0644) < 0)
		berth_unit_say(unit, "cannot write '%s'", unit->job->lock_file);
}

static void claim_ports(struct berth_unit *unit)
{
	for (size_t i = 0; i < unit->ports.count; i++) {
		struct berth_port *port = unit->ports.port[i];

		if (!unit->ports.steer[i].given || port->claimed)
			continue;
		berth_registry_claim_port(&unit->supervisor->registry, unit->ports.steer[i].given,
					  unit->id);
		port->claimed = true;
	}
}

void berth_unit_save(struct berth_unit *unit)
{
	BERTH_AUTO_JSON json_t *record = NULL;
	int r;

	unit->save_ns = 0;
	claim_ports(unit);
	record = json_pack("{s:o,s:o}", "service", berth_unit_document(unit), "berth",
			   private_document(unit));
	r = record ? berth_registry_write(&unit->supervisor->registry, unit->id, record) : -ENOMEM;
	if (r < 0)
		berth_unit_verbose(unit, "cannot write the record of %s: %s",
				   unit->job->identity.service, strerror(-r));
	if (unit->supervisor->stack && !unit->supervisor->stack->file_ns)
		unit->supervisor->stack->file_ns = berth_time_mono_ns() + PORTS_FILE_NS;
	write_ports_file(unit, true);
	write_pid_file(unit);
	write_lock_file(unit);
}

static void remember(struct berth_unit *unit)
{
	const struct berth_identity *identity = &unit->job->identity;
	struct berth_remembered memory, before;

	/*
	 * Numbers of a life that never listened were only tried; those of one more instance (--new)
	 * are as fleeting as it is.
	 */
	if (unit->supervisor->memory_fd < 0 || !unit->ready_ms || unit->job->fresh)
		return;
	berth_ports_remember(&unit->ports, &memory);
	if (berth_remembered_load(unit->supervisor->memory_fd, identity->key, &before) < 0)
		before.count = 0;
	berth_remembered_find_homes(&memory, &before);
	if (memory.count &&
	    berth_remembered_save(unit->supervisor->memory_fd, identity->key, identity->root,
				  identity->copy, identity->service, &memory) < 0)
		berth_unit_verbose(unit, "cannot remember the ports of %s", identity->service);
}

void berth_unit_unsave(struct berth_unit *unit, bool keep_end)
{
	BERTH_AUTO_JSON json_t *document = berth_unit_document(unit);

	remember(unit);
	write_ports_file(unit, false);
	if (unit->job->pid_file)
		unlink(unit->job->pid_file);
	if (unit->job->lock_file)
		unlink(unit->job->lock_file);
	for (size_t i = 0; i < unit->ports.count; i++)
		if (unit->ports.port[i]->claimed)
			berth_registry_unclaim_port(&unit->supervisor->registry,
						    unit->ports.steer[i].given, unit->id);
	if (document && keep_end) {
		json_object_set_new(document, "ended_at", berth_json_time(berth_time_now_ms()));
		json_object_set_new(
			document, "also_ended",
			berth_json_text_or_null(unit->also_ended ? unit->also_ended : ""));
		json_object_set_new(document, "last_lines",
				    berth_history_tail(unit->log.path, TAIL_LINES));
		if (berth_history_add(document, unit->job->identity.key) < 0)
			berth_unit_verbose(unit, "cannot keep the end of %s in the history",
					   unit->job->identity.service);
	}
	berth_registry_remove(&unit->supervisor->registry, unit->id);
}
