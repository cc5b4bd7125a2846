/* SPDX-License-Identifier: MIT */
/* app/free.c - who holds some ports, and all that the plan for ending them is made of */
#include "app/free.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

#include "base/str.h"
#include "look/units.h"
#include "os/cgroup.h"

enum {
	ANCESTORS_MAX = 256,
	ENGINE_MS = 1000,
	PORTS_MAX = 4096, /* of all services, or containers, together */
};

static const char *const result_names[] = {
#define X(id, name) name,
	BERTH_FREE_RESULTS(X)
#undef X
};

const char *berth_free_result_name(enum berth_free_result result)
{
	return result_names[result];
}

/* --- the sockets --- */

bool berth_free_was_asked(const struct berth_free *all, const struct berth_look_socket *socket)
{
	if (!(socket->protocol == IPPROTO_UDP ? all->udp : all->tcp))
		return false;
	for (size_t i = 0; i < all->range_count; i++)
		if (berth_range_has(&all->ranges[i], berth_addr_port(&socket->local)))
			return true;
	return false;
}

/* One look over all the ranges: two would see two states of the machine. */
static int load_look(struct berth_free *all)
{
	struct berth_look_query query = {
		.port_lo = UINT16_MAX, .port_hi = 1, .udp = all->udp, .processes = true
	};
	size_t kept = 0;
	int r;

	for (size_t i = 0; i < all->range_count; i++) {
		if (all->ranges[i].lo < query.port_lo)
			query.port_lo = all->ranges[i].lo;
		if (all->ranges[i].hi > query.port_hi)
			query.port_hi = all->ranges[i].hi;
	}
	r = berth_look_load(&query, &all->look);
	if (r < 0)
		return r;
	for (size_t i = 0; i < all->look.socket_count; i++)
		if (berth_free_was_asked(all, &all->look.sockets[i]))
			all->look.sockets[kept++] = all->look.sockets[i];
	all->look.socket_count = kept;
	return 0;
}

/* --- ourselves --- */

static int load_self(struct berth_free *all)
{
	BERTH_AUTO_FREE char *cgroup = NULL;
	struct berth_proc_stat stat;
	pid_t pid = getppid();
	size_t count = 0;

	all->ancestors = calloc(ANCESTORS_MAX, sizeof(*all->ancestors));
	if (!all->ancestors)
		return -ENOMEM;
	for (; pid > 1 && count < ANCESTORS_MAX; pid = stat.ppid) {
		all->ancestors[count++] = pid;
		if (berth_procfs_stat(pid, &stat) < 0)
			break;
	}
	if (berth_cgroup_of(getpid(), &cgroup) == 0)
		berth_place_parse_file(cgroup, &all->place);
	all->scene.self = getpid();
	all->scene.uid = geteuid();
	all->scene.container = all->place.container;
	all->scene.ancestors = all->ancestors;
	all->scene.ancestor_count = count;
	return 0;
}

/* --- berth's own --- */

static size_t add_ports(const json_t *ports, const char *member, uint16_t *list, size_t at)
{
	const json_t *port;
	size_t i;

	json_array_foreach (ports, i, port) {
		int64_t number = berth_json_int(port, member, 0);

		if (number > 0 && number <= UINT16_MAX && at < PORTS_MAX)
			list[at++] = (uint16_t)number;
	}
	return at;
}

static int load_services(struct berth_free *all)
{
	size_t count = json_array_size(all->records), at = 0;
	const json_t *record;
	size_t i;

	all->services = calloc(count + 1, sizeof(*all->services));
	all->service_ports = calloc(PORTS_MAX, sizeof(*all->service_ports));
	if (!all->services || !all->service_ports)
		return -ENOMEM;
	json_array_foreach (all->records, i, record) {
		const json_t *ports = json_object_get(berth_registry_summary(record), "ports");
		size_t end = add_ports(ports, "port", all->service_ports, at);

		all->services[i] = (struct berth_free_service){
			.supervisor = berth_registry_process(record, "supervisor").pid,
			.guardian = berth_registry_process(record, "guardian").pid,
			.ports = all->service_ports + at,
			.port_count = end - at,
			.outside =
				berth_json_bool(berth_registry_service(record), "outside", false),
		};
		at = end;
	}
	all->scene.services = all->services;
	all->scene.service_count = count;
	return 0;
}

/* The index of the record of berth whose tree it is in. */
static size_t service_of(const struct berth_free *all, const struct berth_holders_process *known,
			 uint16_t port)
{
	const json_t *wanted = berth_holders_process_record(&all->known, known, port);
	const json_t *record;
	size_t i;

	json_array_foreach (all->records, i, record)
		if (record == wanted)
			return i;
	return BERTH_FREE_NONE;
}

/* --- the processes --- */

static bool is_shell(const char *comm)
{
	static const char *const shells[] = { "sh",   "bash", "dash", "zsh", "fish", "ksh",
					      "mksh", "tcsh", "csh",  "ash", "nu",   "xonsh" };

	for (size_t i = 0; i < BERTH_ARRAY_SIZE(shells); i++)
		if (strcmp(comm, shells[i]) == 0)
			return true;
	return false;
}

static const char *project_of(const struct berth_holders_process *known)
{
	return known ? berth_json_string(json_object_get(known->document, "project"), "root", NULL)
		     : NULL;
}

static bool is_here(struct berth_free *all, const struct berth_holders_process *known)
{
	struct berth_proc_stat self;
	const char *ours, *theirs = project_of(known);

	if (!theirs || berth_procfs_stat(getpid(), &self) < 0)
		return false;
	ours = project_of(berth_holders_process_find(&all->known, &self.id));
	return ours && strcmp(ours, theirs) == 0;
}

/* False: it has gone. */
static bool fill_proc(struct berth_free *all, const struct berth_proc_id *id, uint16_t port,
		      struct berth_free_proc *proc)
{
	const struct berth_holders_process *known = berth_holders_process_find(&all->known, id);
	BERTH_AUTO_FREE char *cgroup = NULL;
	struct berth_proc_stat stat, parent;
	size_t service;

	if (!known || berth_procfs_stat(id->pid, &stat) < 0 ||
	    stat.id.start_ticks != id->start_ticks)
		return false;
	service = service_of(all, known, port);
	/* What a supervisor does for itself, as a check, is soon over: it is not ended for that. */
	if (known->supervisor == id->pid && service == BERTH_FREE_NONE)
		return false;
	*proc = (struct berth_free_proc){
		.id = *id,
		.parent = stat.ppid,
		.uid = (uid_t)berth_json_int(known->document, "uid", 0),
		.service = service,
		.here = is_here(all, known),
		.container = BERTH_FREE_NONE,
	};
	memcpy(proc->comm, stat.comm, sizeof(proc->comm));
	if (berth_procfs_stat(stat.ppid, &parent) == 0)
		proc->under_shell = is_shell(parent.comm) && parent.pgrp != stat.pgrp;
	if (berth_cgroup_of(id->pid, &cgroup) == 0)
		berth_place_parse_file(cgroup, &proc->place);
	/* What we run in as well (a machine of tests) is no reason for either of us to return. */
	if (strcmp(proc->place.unit, all->place.unit) == 0)
		proc->place.unit[0] = '\0';
	return true;
}

static bool has_proc(const struct berth_free *all, const struct berth_proc_id *id)
{
	for (size_t i = 0; i < all->scene.proc_count; i++)
		if (all->procs[i].id.pid == id->pid)
			return true;
	return false;
}

static int load_procs(struct berth_free *all)
{
	all->procs = calloc(all->look.holder_count + 1, sizeof(*all->procs));
	if (!all->procs)
		return -ENOMEM;
	all->scene.procs = all->procs;
	for (size_t i = 0; i < all->look.socket_count; i++) {
		const struct berth_look_socket *socket = &all->look.sockets[i];
		size_t count = 0;
		const struct berth_look_holder *holder =
			berth_look_holders_of(&all->look, socket->inode, &count);

		for (size_t k = 0; k < count && berth_free_plan_is_held(socket); k++)
			if (!has_proc(all, &holder[k].proc) &&
			    fill_proc(all, &holder[k].proc, berth_addr_port(&socket->local),
				      &all->procs[all->scene.proc_count]))
				all->scene.proc_count++;
	}
	return 0;
}

/* --- what stands behind some of them --- */

static bool needs_engine(const struct berth_free *all)
{
	for (size_t i = 0; i < all->scene.proc_count; i++)
		if (berth_free_plan_is_in_container(&all->scene, &all->procs[i]))
			return true;
	/* A proxy of root's is hidden from its user, but what publishes the port is not. */
	for (size_t i = 0; i < all->look.socket_count && all->look.hidden_processes; i++) {
		const struct berth_look_socket *socket = &all->look.sockets[i];
		size_t count = 0;

		if (socket->kind == BERTH_LOOK_LISTENER && socket->uid != all->scene.uid &&
		    !berth_look_holders_of(&all->look, socket->inode, &count))
			return true;
	}
	return false;
}

/* What its engine's command calls it: nothing that this would take for an option. */
static const char *name_of(const struct berth_engine_container *container)
{
	return isalnum((unsigned char)container->name[0]) ? container->name : container->id;
}

/* Docker's daemon serves whoever may reach it; podman knows only what its own user has started. */
static bool can_be_stopped(const struct berth_engine_container *container)
{
	if (!isalnum((unsigned char)*name_of(container)))
		return false;
	return strcmp(container->engine, "docker") == 0 ||
	       (strcmp(container->engine, "podman") == 0 && container->uid == geteuid());
}

/* What publishes one of the ports that @proc holds. */
static const struct berth_engine_container *find_publisher(const struct berth_free *all,
							   const struct berth_free_proc *proc)
{
	const struct berth_engine_container *found = NULL;

	for (size_t i = 0; !found && i < all->look.socket_count; i++) {
		const struct berth_look_socket *socket = &all->look.sockets[i];

		if (berth_look_find_holder(&all->look, socket->inode, proc->id.pid))
			found = berth_engine_find_port(
				&all->engine, berth_addr_port(&socket->local), socket->protocol);
	}
	return found;
}

static size_t container_of(const struct berth_free *all, const struct berth_free_proc *proc)
{
	const struct berth_engine_container *found = NULL;

	if (*proc->place.container)
		found = berth_engine_find(&all->engine, proc->place.container);
	for (size_t i = 0; !found && i < all->engine.count; i++)
		if (all->engine.containers[i].monitor == proc->id.pid)
			found = &all->engine.containers[i];
	if (!found)
		found = find_publisher(all, proc);
	/* A name is one's own only within an engine of one user. */
	if (!found || !can_be_stopped(found))
		return BERTH_FREE_NONE;
	for (size_t i = 0; i < all->scene.container_count; i++)
		if (strcmp(all->containers[i].name, name_of(found)) == 0 &&
		    strcmp(all->containers[i].engine, found->engine) == 0)
			return i;
	return BERTH_FREE_NONE;
}

static int load_containers(struct berth_free *all)
{
	size_t at = 0;
	int r;

	if (!needs_engine(all))
		return 0;
	r = berth_engine_load(ENGINE_MS, &all->engine);
	if (r < 0)
		return r;
	all->containers = calloc(all->engine.count + 1, sizeof(*all->containers));
	all->container_ports = calloc(PORTS_MAX, sizeof(*all->container_ports));
	if (!all->containers || !all->container_ports)
		return -ENOMEM;
	all->scene.containers = all->containers;
	for (size_t i = 0; i < all->engine.count; i++) {
		const struct berth_engine_container *from = &all->engine.containers[i];
		struct berth_free_container *to = &all->containers[all->scene.container_count];

		if (!can_be_stopped(from))
			continue;
		berth_str_copy(to->name, sizeof(to->name), name_of(from));
		memcpy(to->engine, from->engine, sizeof(to->engine));
		to->ports = all->container_ports + at;
		for (size_t k = 0; k < from->port_count && at < PORTS_MAX; k++)
			if (from->ports[k].protocol == IPPROTO_TCP && from->ports[k].host_port)
				all->container_ports[at++] = from->ports[k].host_port;
		to->port_count = (size_t)(all->container_ports + at - to->ports);
		all->scene.container_count++;
	}
	for (size_t i = 0; i < all->scene.proc_count; i++)
		if (berth_free_plan_is_in_container(&all->scene, &all->procs[i]))
			all->procs[i].container = container_of(all, &all->procs[i]);
	return 0;
}

/* What systemd listens for, of the sockets that its process @proc has. */
static void find_unit(struct berth_free *all, struct berth_free_proc *proc)
{
	char service[BERTH_PLACE_UNIT_MAX];

	for (size_t i = 0; i < all->look.socket_count; i++) {
		const struct berth_look_socket *socket = &all->look.sockets[i];

		if (berth_look_find_holder(&all->look, socket->inode, proc->id.pid) &&
		    berth_units_find_socket(berth_addr_port(&socket->local), proc->id.pid != 1,
					    proc->socket_unit, sizeof(proc->socket_unit), service,
					    sizeof(service)))
			return;
	}
}

static void load_units(struct berth_free *all)
{
	for (size_t i = 0; i < all->scene.proc_count; i++) {
		struct berth_free_proc *proc = &all->procs[i];

		if (strcmp(proc->comm, "systemd") != 0)
			continue;
		find_unit(all, proc);
		if (!isalnum((unsigned char)proc->socket_unit[0]))
			proc->socket_unit[0] = '\0';
	}
}

/* --- all of it --- */

static int load(struct berth_free *all)
{
	int r = load_look(all);

	if (r == 0)
		r = load_self(all);
	if (r == 0)
		r = load_services(all);
	if (r == 0)
		r = berth_holders_processes_init(&all->known, all->records);
	if (r == 0)
		r = load_procs(all);
	if (r == 0)
		r = load_containers(all);
	if (r < 0)
		return r;
	load_units(all);
	r = berth_free_plan_make(&all->scene, &all->plan);
	if (r < 0)
		return r;
	all->outcomes = calloc(all->plan.entry_count + 1, sizeof(*all->outcomes));
	return all->outcomes ? 0 : -ENOMEM;
}

int berth_free_look(const struct berth_free_query *query, struct berth_free *ret_free,
		    struct berth_err *err)
{
	int r;

	*ret_free = (struct berth_free){
		.ranges = query->ranges,
		.range_count = query->count,
		.tcp = query->tcp,
		.udp = query->udp,
		.registry = query->registry,
		.records = query->records,
		.scene.look = &ret_free->look,
	};
	r = load(ret_free);
	if (r == 0)
		return 0;
	berth_free_deinit(ret_free);
	return berth_err_errno(err, r, "cannot tell who holds the ports");
}

void berth_free_deinit(struct berth_free *all)
{
	for (size_t i = 0; i < all->plan.entry_count && all->outcomes; i++)
		json_decref(all->outcomes[i].answer);
	free(all->outcomes);
	berth_free_plan_deinit(&all->plan);
	berth_look_deinit(&all->look);
	berth_holders_processes_deinit(&all->known);
	berth_engine_deinit(&all->engine);
	free(all->procs);
	free(all->services);
	free(all->service_ports);
	free(all->containers);
	free(all->container_ports);
	free(all->ancestors);
	*all = (struct berth_free){ 0 };
}
