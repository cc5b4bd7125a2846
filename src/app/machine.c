/* SPDX-License-Identifier: MIT */
/*
 * app/machine.c - every listening port of this machine, as documents
 *
 * With thousands of listeners the time goes into /proc: each file of a process costs some 5 us. So
 * what a list shows in its lines is asked first, and all else only for who wants it whole. Whose
 * control group a socket is in, the kernel tells with the socket. And of a brief row there are only
 * the members that it needs: up to eight in an object are cheap. Rows that differ in their number
 * only are made once.
 */
#include "app/machine.h"

#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>

#include "app/holders.h"
#include "app/holders-join.h"
#include "app/holders-process.h"
#include "look/engine.h"
#include "look/look.h"
#include "look/place.h"
#include "os/brief.h"
#include "os/procsock.h"

enum {
	ADDRESS_MAX = BERTH_ADDR_STRLEN + IF_NAMESIZE + 1,
};

struct machine {
	const struct berth_machine_query *query;
	struct berth_look look;
	struct berth_holders_processes processes;
	/* The record that has this port, if any. Borrowed; pages that nobody touches cost nothing. */
	const json_t **by_port; /* owned */
	json_t *listeners; /* owned */
	uint16_t *ports; /* owned: of each of the listeners */
	/* The last row's socket and its holder, if another one of that kind can have the row, too. */
	const struct berth_look_socket *twin; /* borrowed; NULL: not so */
	pid_t twin_pid;
	const json_t *plain; /* see is_contained(); borrowed from documents */
	/* Without `whole`: all processes that have a socket, in order, and what is shown of them. */
	pid_t *pids; /* owned, as the others */
	size_t pid_count;
	struct berth_brief *briefs;
	json_t **documents; /* NULL: not made yet */
	/* The place of the last row's socket: most are in the same group. */
	json_t *place; /* owned */
	uint64_t place_id;
	json_t *user; /* the same of its owner; owned */
	uid_t uid;
	json_t *address; /* and of its address; owned */
	struct berth_addr host; /* that is, with port 0 */
	uint32_t interface;
	size_t group; /* where in it the rows of the port at hand begin */
	size_t hidden; /* sockets whose process we could not see */
	bool engine_late; /* one was asked, and has not answered */
};

static int compare_pids(const void *x, const void *y)
{
	const pid_t *a = x, *b = y;

	return *a < *b ? -1 : *a > *b;
}

static void index_records(struct machine *machine)
{
	const json_t *record, *port;
	size_t i, j;

	json_array_foreach (machine->query->records, i, record) {
		const json_t *netns = berth_registry_private(record, "netns");

		/* A number means something in its own namespace only. */
		if ((uint64_t)json_integer_value(netns) != machine->query->registry->netns)
			continue;
		json_array_foreach (json_object_get(berth_registry_summary(record), "ports"), j,
				    port) {
			int64_t number = berth_json_int(port, "port", 0);

			if (number > 0 && number <= UINT16_MAX)
				machine->by_port[number] = record;
		}
	}
}

/* Does berth's own supervisor live under that number? It holds what its services listen on. */
static bool is_supervisor(const struct machine *machine, pid_t pid)
{
	char key[16];

	if (!json_object_size(machine->processes.supervisors))
		return false;
	snprintf(key, sizeof(key), "%d", (int)pid);
	return json_object_get(machine->processes.supervisors, key);
}

/* Of those that share a socket, the one that serves; NULL: none can be seen. */
static const struct berth_look_holder *choose(const struct machine *machine,
					      const struct berth_look_holder *holders, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (!is_supervisor(machine, holders[i].proc.pid))
			return &holders[i];
	return count ? &holders[0] : NULL;
}

/* "127.0.0.1", "::1", "0.0.0.0%eth0". Borrowed. */
static json_t *address_of(struct machine *machine, const struct berth_look_socket *socket)
{
	char text[ADDRESS_MAX], name[IF_NAMESIZE];
	struct berth_addr host = socket->local;

	berth_addr_set_port(&host, 0);
	if (machine->address && machine->interface == socket->interface &&
	    berth_addr_equal(&machine->host, &host))
		return machine->address;
	berth_addr_format_host(&socket->local, text);
	if (socket->interface && !strchr(text, '%') && if_indextoname(socket->interface, name))
		snprintf(text + strlen(text), sizeof(text) - strlen(text), "%%%s", name);
	json_decref(machine->address);
	machine->address = json_string(text);
	machine->host = host;
	machine->interface = socket->interface;
	return machine->address;
}

static const char *protocol_name(int protocol)
{
	return protocol == IPPROTO_UDP ? "udp" : "tcp";
}

/* The row of the port at hand that @holder has already, with the same protocol; NULL: none. */
static json_t *find_row(const struct machine *machine, const struct berth_look_socket *socket,
			const struct berth_look_holder *holder)
{
	for (size_t i = machine->group; i < json_array_size(machine->listeners); i++) {
		json_t *row = json_array_get(machine->listeners, i);
		int64_t pid = berth_json_int(row, "pid", 0);

		if (strcmp(berth_json_string(row, "protocol", "tcp"),
			   protocol_name(socket->protocol)) != 0 ||
		    pid != (holder ? holder->proc.pid : 0))
			continue;
		/* Nobody's that we can see: at least of one user, and one group. */
		if (holder || berth_json_int(row, "uid", -1) == socket->uid)
			return row;
	}
	return NULL;
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
static void add_project(struct machine *machine, pid_t pid, const char *cwd, json_t *document)
{
	BERTH_AUTO_JSON json_t *project = berth_holders_process_project(&machine->processes, cwd);

	if (!json_is_null(project) && !berth_brief_is_foreign(pid, cwd))
		json_object_set(document, "project", project);
}

/* What the brief form tells of @pid; borrowed. */
static json_t *brief_of(struct machine *machine, pid_t pid)
{
	const pid_t *found =
		bsearch(&pid, machine->pids, machine->pid_count, sizeof(pid), compare_pids);
	size_t at = (size_t)(found - machine->pids);
	const struct berth_brief *brief = &machine->briefs[at];
	struct berth_proc_stat stat;
	json_t *document;

	if (machine->documents[at])
		return machine->documents[at];
	document = machine->documents[at] = json_object();
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
		add_project(machine, pid, brief->cwd, document);
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
static json_t *place_of(struct machine *machine, uint64_t cgroup_id)
{
	if (machine->place && machine->place_id == cgroup_id)
		return machine->place;
	json_decref(machine->place);
	machine->place = json_object();
	machine->place_id = cgroup_id;
	berth_holders_process_place(&machine->processes, cgroup_id, machine->place);
	if (!machine->query->whole)
		drop_nulls(machine->place);
	return machine->place;
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

static void add_process(struct machine *machine, const struct berth_look_socket *socket,
			const struct berth_look_holder *holder, json_t *row)
{
	const json_t *record = machine->by_port[berth_addr_port(&socket->local)];
	const struct berth_holders_process *process = NULL;
	struct berth_proc_id id;

	if (holder && (record || machine->query->whole) && identify(holder, &id))
		process = berth_holders_process_find(&machine->processes, &id);
	record = process ? berth_holders_process_record(&machine->processes, process,
							berth_addr_port(&socket->local))
			 : NULL;
	/* Brief rows lack what would be null. */
	if (machine->query->whole || record)
		add_service(record, row);
	json_object_update(row, place_of(machine, socket->cgroup_id));
	if (machine->query->whole || process)
		add_whole(process, row);
	else if (holder)
		json_object_update(row, brief_of(machine, holder->proc.pid));
}

/* Borrowed. */
static json_t *user_of(struct machine *machine, uid_t uid)
{
	if (!machine->user || machine->uid != uid) {
		json_decref(machine->user);
		machine->user = berth_holders_process_user(&machine->processes, uid);
		machine->uid = uid;
	}
	return machine->user;
}

static json_t *new_row(struct machine *machine, const struct berth_look_socket *socket,
		       const struct berth_look_holder *holders, size_t count,
		       const struct berth_look_holder *holder)
{
	bool whole = machine->query->whole;
	json_t *user = user_of(machine, socket->uid), *row = json_object();

	if (whole)
		json_object_set_new_nocheck(row, "port",
					    json_integer(berth_addr_port(&socket->local)));
	if (whole || machine->query->udp)
		json_object_set_new(row, "protocol", json_string(protocol_name(socket->protocol)));
	json_object_set_new_nocheck(row, "addresses", json_array());
	if (whole)
		json_object_set_new(row, "dual_stack", json_false());
	json_object_set_new_nocheck(row, "pid", berth_json_pid(holder ? holder->proc.pid : 0));
	if (whole || !holder || json_is_null(user))
		json_object_set_new(row, "uid", json_integer(socket->uid));
	json_object_set_nocheck(row, "user", user);
	add_process(machine, socket, holder, row);
	if (machine->query->whole)
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

/*
 * Has an engine more to tell of it: the name of its container, or whose proxy it is? The command of
 * the last one that is none is kept, which the next row has mostly, too.
 */
static bool is_contained(struct machine *machine, json_t *row)
{
	const json_t *words = json_object_get(row, "command");
	const char *command = json_string_value(json_array_get(words, 0));
	const char *slash = command ? strrchr(command, '/') : NULL, *name;

	if (json_is_object(json_object_get(row, "container")))
		return true;
	if (words && words == machine->plain)
		return false;
	name = berth_json_string(row, "process", slash ? slash + 1 : command);
	if (!name || !berth_place_is_proxy(name)) {
		machine->plain = words;
		return false;
	}
	json_object_set_new(row, "process", berth_json_text(name));
	return true;
}

static void add_row(struct machine *machine, const struct berth_look_socket *socket, json_t *row)
{
	machine->ports[json_array_size(machine->listeners)] = berth_addr_port(&socket->local);
	json_array_append_new(machine->listeners, row);
}

static void add_address(struct machine *machine, const struct berth_look_socket *socket,
			json_t *row)
{
	json_t *address = address_of(machine, socket);
	json_t *addresses = json_object_get(row, "addresses");

	if (!has_address(addresses, address))
		json_array_append(addresses, address);
	if (socket->local.sa.sa_family == AF_INET6 && !socket->v6only &&
	    berth_addr_is_any(&socket->local))
		json_object_set_new(row, "dual_stack", json_true());
}

/* Would the row of @socket, which is alone on its port, be the last one but for the number? */
static bool is_twin(const struct machine *machine, const struct berth_look_socket *socket,
		    const struct berth_look_holder *holder)
{
	const struct berth_look_socket *twin = machine->twin;
	struct berth_addr host = socket->local;

	if (!twin || machine->by_port[berth_addr_port(&socket->local)] ||
	    machine->twin_pid != (holder ? holder->proc.pid : 0))
		return false;
	berth_addr_set_port(&host, berth_addr_port(&twin->local));
	return berth_addr_equal(&host, &twin->local) && socket->protocol == twin->protocol &&
	       socket->v6only == twin->v6only && socket->interface == twin->interface &&
	       socket->uid == twin->uid && socket->cgroup_id == twin->cgroup_id;
}

/* Of a service and of a container it depends on the number what there is to say. */
static void keep_twin(struct machine *machine, const struct berth_look_socket *socket,
		      const struct berth_look_holder *holder, json_t *row)
{
	machine->twin = machine->query->whole ||
					machine->by_port[berth_addr_port(&socket->local)] ||
					is_contained(machine, row)
				? NULL
				: socket;
	machine->twin_pid = holder ? holder->proc.pid : 0;
}

/* @alone: no other one has its port. */
static void add_socket(struct machine *machine, const struct berth_look_socket *socket, bool alone)
{
	const struct berth_look_holder *holders, *holder;
	size_t count = 0;
	json_t *row;

	holders = berth_look_holders_of(&machine->look, socket->inode, &count);
	holder = choose(machine, holders, count);
	machine->hidden += !holder;
	if (alone && is_twin(machine, socket, holder)) {
		row = json_array_get(machine->listeners, json_array_size(machine->listeners) - 1);
		add_row(machine, socket, json_incref(row));
		return;
	}
	row = alone ? NULL : find_row(machine, socket, holder);
	if (!row) {
		row = new_row(machine, socket, holders, count, holder);
		add_row(machine, socket, row);
	}
	add_address(machine, socket, row);
	machine->twin = NULL;
	if (alone)
		keep_twin(machine, socket, holder, row);
}

static void collect(struct machine *machine)
{
	const struct berth_look *look = &machine->look;
	uint16_t port = 0, next;

	for (size_t i = 0; i < look->socket_count; i++) {
		bool first = berth_addr_port(&look->sockets[i].local) != port;

		port = berth_addr_port(&look->sockets[i].local);
		next = i + 1 < look->socket_count ? berth_addr_port(&look->sockets[i + 1].local)
						  : 0;
		if (first)
			machine->group = json_array_size(machine->listeners);
		if (look->sockets[i].kind == BERTH_LOOK_LISTENER)
			add_socket(machine, &look->sockets[i], first && next != port);
	}
}

/* All that the brief form needs of /proc, at once. */
static int load_briefs(struct machine *machine)
{
	size_t count = 0;

	machine->pids = calloc(machine->look.holder_count + 1, sizeof(*machine->pids));
	machine->documents = calloc(machine->look.holder_count + 1, sizeof(*machine->documents));
	if (!machine->pids || !machine->documents)
		return -ENOMEM;
	for (size_t i = 0; i < machine->look.holder_count; i++)
		machine->pids[i] = machine->look.holders[i].proc.pid;
	qsort(machine->pids, machine->look.holder_count, sizeof(*machine->pids), compare_pids);
	for (size_t i = 0; i < machine->look.holder_count; i++)
		if (!count || machine->pids[i] != machine->pids[count - 1])
			machine->pids[count++] = machine->pids[i];
	machine->pid_count = count;
	return berth_brief_load(machine->pids, count, &machine->briefs);
}

/* Engines are asked once there is something to ask them for: most machines run none. */
static void name_containers(struct machine *machine)
{
	struct berth_engine engine;
	const json_t *above = NULL;
	bool asked = false;
	json_t *row;
	size_t i;

	json_array_foreach (machine->listeners, i, row) {
		bool udp, seen = row == above;

		above = row;
		if (seen || !is_contained(machine, row))
			continue;
		udp = strcmp(berth_json_string(row, "protocol", "tcp"), "udp") == 0;
		if (!asked && berth_engine_load(BERTH_HOLDERS_ENGINE_MS, &engine) < 0)
			return;
		asked = true;
		berth_holders_join_container(&engine, machine->ports[i],
					     udp ? IPPROTO_UDP : IPPROTO_TCP, row);
	}
	if (!asked)
		return;
	machine->engine_late = engine.late;
	berth_engine_deinit(&engine);
}

static json_t *unseen_of(const struct machine *machine)
{
	json_t *unseen = json_array();

	if (machine->hidden && machine->look.hidden_processes)
		json_array_append_new(
			unseen,
			json_sprintf(
				"who has %zu of these sockets: %u processes are closed to this "
				"user; as root: sudo berth ls -m",
				machine->hidden, machine->look.hidden_processes));
	if (machine->engine_late)
		json_array_append_new(unseen, json_string(BERTH_HOLDERS_ENGINE_LATE));
	return unseen;
}

static void machine_deinit(struct machine *machine)
{
	for (size_t i = 0; i < machine->pid_count; i++)
		json_decref(machine->documents[i]);
	free(machine->documents);
	berth_brief_free(machine->briefs, machine->pid_count);
	free(machine->pids);
	json_decref(machine->place);
	json_decref(machine->user);
	json_decref(machine->address);
	berth_look_deinit(&machine->look);
	berth_holders_processes_deinit(&machine->processes);
	free(machine->by_port);
	free(machine->ports);
	json_decref(machine->listeners);
}

static int list(struct machine *machine, struct berth_machine_list *ret_list)
{
	machine->ports = calloc(machine->look.socket_count + 1, sizeof(*machine->ports));
	if (!machine->ports)
		return -ENOMEM;
	index_records(machine);
	collect(machine);
	name_containers(machine);
	*ret_list = (struct berth_machine_list){
		.listeners = BERTH_STEAL(machine->listeners),
		.ports = BERTH_STEAL(machine->ports),
		.unseen = unseen_of(machine),
	};
	return 0;
}

int berth_machine_load(const struct berth_machine_query *query, struct berth_machine_list *ret_list,
		       struct berth_err *err)
{
	const struct berth_look_query sockets = {
		.port_lo = 1,
		.port_hi = UINT16_MAX,
		.kinds = 1u << BERTH_LOOK_LISTENER,
		.udp = query->udp,
		.processes = true,
		.anonymous = !query->whole,
	};
	struct machine machine = { .query = query, .listeners = json_array() };
	int r;

	machine.by_port = calloc(UINT16_MAX + 1, sizeof(*machine.by_port));
	r = machine.by_port ? berth_holders_processes_init(&machine.processes, query->records)
			    : -ENOMEM;
	if (r == 0)
		r = berth_look_load(&sockets, &machine.look);
	if (r == 0 && !query->whole)
		r = load_briefs(&machine);
	if (r == 0)
		r = list(&machine, ret_list);
	machine_deinit(&machine);
	return r < 0 ? berth_err_errno(err, r, "cannot list the listening ports") : 0;
}
