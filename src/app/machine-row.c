/* SPDX-License-Identifier: MIT */
/*
 * app/machine-row.c - what a row of the machine's listening ports tells of a socket and its holder
 *
 * With thousands of listeners the time goes into /proc: each file of a process costs some 5 us. So
 * what a list shows in its lines is asked first, and all else only for who wants it whole. Whose
 * control group a socket is in, the kernel tells with the socket. And of a brief row there are only
 * the members that it needs: up to eight in an object are cheap.
 */
#include "app/machine-row.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "os/procfs.h"
#include "os/procsock.h"

enum {
	ADDRESS_MAX = BERTH_ADDR_STRLEN + IF_NAMESIZE + 1,
};

static int compare_pids(const void *x, const void *y)
{
	const pid_t *a = x, *b = y;

	return *a < *b ? -1 : *a > *b;
}

const char *berth_machine_row_protocol(int protocol)
{
	return protocol == IPPROTO_UDP ? "udp" : "tcp";
}

/* "127.0.0.1", "::1", "0.0.0.0%eth0". Borrowed. */
static json_t *address_of(struct berth_machine_rows *rows, const struct berth_look_socket *socket)
{
	char text[ADDRESS_MAX], name[IF_NAMESIZE];
	struct berth_addr host = socket->local;

	berth_addr_set_port(&host, 0);
	if (rows->address && rows->interface == socket->interface &&
	    berth_addr_equal(&rows->host, &host))
		return rows->address;
	berth_addr_format_host(&socket->local, text);
	if (socket->interface && !strchr(text, '%') && if_indextoname(socket->interface, name))
		snprintf(text + strlen(text), sizeof(text) - strlen(text), "%%%s", name);
	json_decref(rows->address);
	rows->address = json_string(text);
	rows->host = host;
	rows->interface = socket->interface;
	return rows->address;
}

static json_t *service_of(const json_t *record)
{
	static const char *const members[] = { "label", "id", "instance" };
	const json_t *summary = berth_registry_summary(record);
	json_t *service;

	if (!record)
		return json_null();
	service = json_object();
	for (size_t i = 0; i < BERTH_ARRAY_SIZE(members); i++) {
		json_t *value = json_object_get(summary, members[i]);

		json_object_set(service, members[i], value ? value : json_null());
	}
	return service;
}

/* Its state and health stand in the row itself, as those of what listens there. */
static void add_service(const json_t *record, json_t *row)
{
	const json_t *summary = record ? berth_registry_summary(record) : NULL;
	json_t *health = json_object_get(summary, "health");

	json_object_set_new(row, "service", service_of(record));
	json_object_set_new(row, "state",
			    json_string(berth_json_string(summary, "state", "listening")));
	json_object_set(row, "health", health ? health : json_null());
}

static json_t *shared_with(const struct berth_look_holder *holders, size_t count,
			   const struct berth_look_holder *holder)
{
	json_t *others = json_array();
	struct berth_proc_stat stat;

	for (size_t i = 0; i < count; i++)
		if (&holders[i] != holder && berth_procfs_stat(holders[i].proc.pid, &stat) == 0)
			json_array_append_new(others, json_pack("{s:i,s:o}", "pid",
								(int)holders[i].proc.pid, "process",
								berth_json_text(stat.comm)));
	return others;
}

static void add_whole(const struct berth_holders_process *process, json_t *row)
{
	static const char *const members[] = { "process", "command",   "cwd",  "started_at",
					       "project", "container", "unit", "parents" };

	for (size_t i = 0; i < BERTH_ARRAY_SIZE(members); i++) {
		json_t *value = process ? json_object_get(process->document, members[i]) : NULL;

		/* What could be told of the socket itself stands there. */
		if (value && !json_is_null(value))
			json_object_set(row, members[i], value);
		else if (!json_object_get(row, members[i]))
			json_object_set_new(row, members[i],
					    i == 1 || i == 7 ? json_array() : json_null());
	}
}

/* Few processes are in a project: only of those it is asked whether they see the same files. */
static void add_project(struct berth_machine_rows *rows, pid_t pid, const char *cwd,
			json_t *document)
{
	BERTH_AUTO_JSON json_t *project = berth_holders_process_project(&rows->processes, cwd);

	if (!json_is_null(project) && !berth_brief_is_foreign(pid, cwd))
		json_object_set(document, "project", project);
}

/* What the brief form tells of @pid; borrowed. */
static json_t *brief_of(struct berth_machine_rows *rows, pid_t pid)
{
	const pid_t *found = bsearch(&pid, rows->pids, rows->pid_count, sizeof(pid), compare_pids);
	size_t at = (size_t)(found - rows->pids);
	const struct berth_brief *brief = &rows->briefs[at];
	struct berth_proc_stat stat;
	json_t *document;

	if (rows->documents[at])
		return rows->documents[at];
	document = rows->documents[at] = json_object();
	if (brief->command)
		json_object_set_new(
			document, "command",
			berth_holders_process_command(brief->command, brief->command_len));
	/* A zombie whose threads go on has no command line, but a name. */
	else if (berth_procfs_stat(pid, &stat) == 0)
		json_object_set_new(document, "process", berth_json_text(stat.comm));
	if (brief->cwd)
		json_object_set_new(document, "cwd", berth_json_text(brief->cwd));
	if (brief->cwd)
		add_project(rows, pid, brief->cwd, document);
	return document;
}

static void drop_nulls(json_t *object)
{
	const char *key;
	json_t *value;
	void *next;

	json_object_foreach_safe (object, next, key, value)
		if (json_is_null(value))
			json_object_del(object, key);
}

/* "unit" and "container", borrowed. */
static json_t *place_of(struct berth_machine_rows *rows, uint64_t cgroup_id)
{
	if (rows->place && rows->place_id == cgroup_id)
		return rows->place;
	json_decref(rows->place);
	rows->place = json_object();
	rows->place_id = cgroup_id;
	berth_holders_process_place(&rows->processes, cgroup_id, rows->place);
	if (!rows->query->whole)
		drop_nulls(rows->place);
	return rows->place;
}

/*
 * Who @holder is. Of a brief list that was not asked of all: then it is the one that has the socket
 * still, after its start time was read.
 */
static bool identify(const struct berth_look_holder *holder, struct berth_proc_id *ret_id)
{
	struct berth_proc_stat stat;
	uint64_t inode;

	if (holder->proc.start_ticks) {
		*ret_id = holder->proc;
		return true;
	}
	if (berth_procfs_stat(holder->proc.pid, &stat) < 0 ||
	    berth_procsock_inode(holder->proc.pid, holder->fd, &inode) < 0 ||
	    inode != holder->inode)
		return false;
	*ret_id = stat.id;
	return true;
}

static void add_process(struct berth_machine_rows *rows, const struct berth_look_socket *socket,
			const struct berth_look_holder *holder, const json_t *record, json_t *row)
{
	const struct berth_holders_process *process = NULL;
	struct berth_proc_id id;

	if (holder && (record || rows->query->whole) && identify(holder, &id))
		process = berth_holders_process_find(&rows->processes, &id);
	record = process ? berth_holders_process_record(&rows->processes, process,
							berth_addr_port(&socket->local))
			 : NULL;
	/* Brief rows lack what would be null. */
	if (rows->query->whole || record)
		add_service(record, row);
	json_object_update(row, place_of(rows, socket->cgroup_id));
	if (rows->query->whole || process)
		add_whole(process, row);
	else if (holder)
		json_object_update(row, brief_of(rows, holder->proc.pid));
}

/* Borrowed. */
static json_t *user_of(struct berth_machine_rows *rows, uid_t uid)
{
	if (!rows->user || rows->uid != uid) {
		json_decref(rows->user);
		rows->user = berth_holders_process_user(&rows->processes, uid);
		rows->uid = uid;
	}
	return rows->user;
}

json_t *berth_machine_row_new(struct berth_machine_rows *rows,
			      const struct berth_look_socket *socket,
			      const struct berth_look_holder *holders, size_t count,
			      const struct berth_look_holder *holder, const json_t *record)
{
	bool whole = rows->query->whole;
	json_t *user = user_of(rows, socket->uid), *row = json_object();

	if (whole)
		json_object_set_new_nocheck(row, "port",
					    json_integer(berth_addr_port(&socket->local)));
	if (whole || rows->query->udp)
		json_object_set_new(row, "protocol",
				    json_string(berth_machine_row_protocol(socket->protocol)));
	json_object_set_new_nocheck(row, "addresses", json_array());
	if (whole)
		json_object_set_new(row, "dual_stack", json_false());
	json_object_set_new_nocheck(row, "pid", berth_json_pid(holder ? holder->proc.pid : 0));
	if (whole || !holder || json_is_null(user))
		json_object_set_new(row, "uid", json_integer(socket->uid));
	json_object_set_nocheck(row, "user", user);
	add_process(rows, socket, holder, record, row);
	if (rows->query->whole)
		json_object_set_new(row, "shared_with", shared_with(holders, count, holder));
	return row;
}

static bool has_address(const json_t *addresses, const json_t *address)
{
	const json_t *known;
	size_t i;

	json_array_foreach (addresses, i, known)
		if (json_equal(known, address))
			return true;
	return false;
}

void berth_machine_row_add_address(struct berth_machine_rows *rows,
				   const struct berth_look_socket *socket, json_t *row)
{
	json_t *address = address_of(rows, socket);
	json_t *addresses = json_object_get(row, "addresses");

	if (!has_address(addresses, address))
		json_array_append(addresses, address);
	if (socket->local.sa.sa_family == AF_INET6 && !socket->v6only &&
	    berth_addr_is_any(&socket->local))
		json_object_set_new(row, "dual_stack", json_true());
}

/* All that the brief form needs of /proc, at once. */
static int load_briefs(struct berth_machine_rows *rows, const struct berth_look *look)
{
	size_t count = 0;

	rows->pids = calloc(look->holder_count + 1, sizeof(*rows->pids));
	rows->documents = calloc(look->holder_count + 1, sizeof(*rows->documents));
	if (!rows->pids || !rows->documents)
		return -ENOMEM;
	for (size_t i = 0; i < look->holder_count; i++)
		rows->pids[i] = look->holders[i].proc.pid;
	qsort(rows->pids, look->holder_count, sizeof(*rows->pids), compare_pids);
	for (size_t i = 0; i < look->holder_count; i++)
		if (!count || rows->pids[i] != rows->pids[count - 1])
			rows->pids[count++] = rows->pids[i];
	rows->pid_count = count;
	return berth_brief_load(rows->pids, count, &rows->briefs);
}

int berth_machine_rows_init(struct berth_machine_rows *rows,
			    const struct berth_machine_query *query)
{
	*rows = (struct berth_machine_rows){ .query = query };
	return berth_holders_processes_init(&rows->processes, query->records);
}

int berth_machine_rows_load(struct berth_machine_rows *rows, const struct berth_look *look)
{
	return rows->query->whole ? 0 : load_briefs(rows, look);
}

void berth_machine_rows_deinit(struct berth_machine_rows *rows)
{
	for (size_t i = 0; i < rows->pid_count; i++)
		json_decref(rows->documents[i]);
	free(rows->documents);
	berth_brief_free(rows->briefs, rows->pid_count);
	free(rows->pids);
	json_decref(rows->place);
	json_decref(rows->user);
	json_decref(rows->address);
	berth_holders_processes_deinit(&rows->processes);
}
