/* SPDX-License-Identifier: MIT */
/*
 * app/machine.c - every listening port of this machine, as documents
 *
 * One row for each process and number, with all addresses; what it tells is app/machine-row's. Rows
 * that differ in their number only are made once.
 */
#include "app/machine.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/holders.h"
#include "app/holders-join.h"
#include "app/machine-row.h"
#include "look/engine.h"
#include "look/place.h"

struct machine {
	const struct berth_machine_query *query;
	struct berth_look look;
	struct berth_machine_rows rows;
	/* The record that has this port, if any. Borrowed; pages that nobody touches cost nothing. */
	const json_t **by_port; /* owned */
	json_t *listeners; /* owned */
	uint16_t *ports; /* owned: of each of the listeners */
	/* The last row's socket and its holder, if another one of that kind can have the row, too. */
	const struct berth_look_socket *twin; /* borrowed; NULL: not so */
	pid_t twin_pid;
	const json_t *plain; /* see is_contained(); borrowed from the rows */
	size_t group; /* where in it the rows of the port at hand begin */
	size_t hidden; /* sockets whose process we could not see */
	bool engine_late; /* one was asked, and has not answered */
	bool engine_garbled; /* one has answered, and not told */
};

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

	if (!json_object_size(machine->rows.processes.supervisors))
		return false;
	snprintf(key, sizeof(key), "%d", (int)pid);
	return json_object_get(machine->rows.processes.supervisors, key);
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

/* The row of the port at hand that @holder has already, with the same protocol; NULL: none. */
static json_t *find_row(const struct machine *machine, const struct berth_look_socket *socket,
			const struct berth_look_holder *holder)
{
	for (size_t i = machine->group; i < json_array_size(machine->listeners); i++) {
		json_t *row = json_array_get(machine->listeners, i);
		int64_t pid = berth_json_int(row, "pid", 0);

		if (strcmp(berth_json_string(row, "protocol", "tcp"),
			   berth_machine_row_protocol(socket->protocol)) != 0 ||
		    pid != (holder ? holder->proc.pid : 0))
			continue;
		/* Nobody's that we can see: at least of one user, and one group. */
		if (holder || berth_json_int(row, "uid", -1) == socket->uid)
			return row;
	}
	return NULL;
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
		row = berth_machine_row_new(&machine->rows, socket, holders, count, holder,
					    machine->by_port[berth_addr_port(&socket->local)]);
		add_row(machine, socket, row);
	}
	berth_machine_row_add_address(&machine->rows, socket, row);
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
	machine->engine_garbled = engine.garbled;
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
	if (machine->engine_garbled)
		json_array_append_new(unseen, json_string(BERTH_HOLDERS_ENGINE_GARBLED));
	return unseen;
}

static void machine_deinit(struct machine *machine)
{
	berth_machine_rows_deinit(&machine->rows);
	berth_look_deinit(&machine->look);
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
	r = machine.by_port ? berth_machine_rows_init(&machine.rows, query) : -ENOMEM;
	if (r == 0)
		r = berth_look_load(&sockets, &machine.look);
	if (r == 0)
		r = berth_machine_rows_load(&machine.rows, &machine.look);
	if (r == 0)
		r = list(&machine, ret_list);
	machine_deinit(&machine);
	return r < 0 ? berth_err_errno(err, r, "cannot list the listening ports") : 0;
}
