/* SPDX-License-Identifier: MIT */
/*
 * app/free-plan.c - whom `berth free` ends, how, and what stands against it: pure
 *
 * A port is free when every socket that holds it has gone, and a socket has gone when every process
 * has let go of it that inherited it. So the plan has an entry for each of them: a socket of three
 * processes is three entries, a process with three sockets is one, and all processes of one service
 * or one container are one as well.
 *
 * Nobody is ended for nothing. Where one of the holders of a port is to stay, because it is sshd or
 * because nobody has agreed to it, the others are left alone too, unless another port becomes free
 * by their end.
 */
#include "app/free-plan.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

static const char *const how_names[] = {
#define X(id, name) name,
	BERTH_FREE_HOWS(X)
#undef X
};
static const char *const reason_names[] = {
#define X(id, name) name,
	BERTH_FREE_REASONS(X)
#undef X
};
static const char *const verdict_names[] = {
#define X(id, name) name,
	BERTH_FREE_VERDICTS(X)
#undef X
};

const char *berth_free_how_name(enum berth_free_how how)
{
	return how_names[how];
}

const char *berth_free_reason_name(enum berth_free_reason reason)
{
	return reason_names[reason];
}

const char *berth_free_verdict_name(enum berth_free_verdict verdict)
{
	return verdict_names[verdict];
}

bool berth_free_plan_is_held(const struct berth_look_socket *socket)
{
	switch (socket->kind) {
	case BERTH_LOOK_LISTENER:
	case BERTH_LOOK_BOUND:
	case BERTH_LOOK_CONNECTION:
		/* Without an inode no process has it any more, the kernel is just not through. */
		return socket->inode && !socket->netns;
	case BERTH_LOOK_TIME_WAIT:
	case BERTH_LOOK_ACCEPTED:
	case BERTH_LOOK_KIND_COUNT_:
		break;
	}
	return false;
}

/* --- what stands against it --- */

static bool is_sshd(const char *comm)
{
	return strcmp(comm, "sshd") == 0 || strcmp(comm, "sshd-session") == 0 ||
	       strcmp(comm, "sshd-auth") == 0 || strcmp(comm, "dropbear") == 0;
}

static bool is_ancestor(const struct berth_free_scene *scene, pid_t pid)
{
	for (size_t i = 0; i < scene->ancestor_count; i++)
		if (pid > 0 && scene->ancestors[i] == pid)
			return true;
	return false;
}

static bool is_init(const struct berth_free_proc *proc)
{
	return proc->id.pid == 1 || strcmp(proc->comm, "systemd") == 0;
}

/* Not where we are in the same one: then it is a process like any other. */
bool berth_free_plan_is_in_container(const struct berth_free_scene *scene,
				     const struct berth_free_proc *proc)
{
	const char *container = proc->place.container;

	return berth_place_is_proxy(proc->comm) ||
	       (*container && strcmp(container, scene->container) != 0);
}

static enum berth_free_reason reason_of(const struct berth_free_scene *scene,
					const struct berth_free_proc *proc)
{
	/* Process 1 is everybody's ancestor: what it is says more. */
	if (is_init(proc))
		return BERTH_FREE_INIT;
	if (is_ancestor(scene, proc->id.pid))
		return BERTH_FREE_ANCESTOR;
	if (is_sshd(proc->comm))
		return BERTH_FREE_SSHD;
	if (berth_free_plan_is_in_container(scene, proc))
		return BERTH_FREE_IN_CONTAINER;
	if (proc->uid != scene->uid)
		return BERTH_FREE_OTHER_USER;
	return BERTH_FREE_NO_REASON;
}

static enum berth_free_how how_of(const struct berth_free_scene *scene,
				  const struct berth_free_proc *proc)
{
	if (is_init(proc) && *proc->socket_unit)
		return BERTH_FREE_UNIT;
	if (proc->container != BERTH_FREE_NONE && berth_free_plan_is_in_container(scene, proc))
		return BERTH_FREE_CONTAINER;
	return BERTH_FREE_PROCESS;
}

static struct berth_free_entry entry_of_service(const struct berth_free_scene *scene, size_t index,
						size_t proc)
{
	const struct berth_free_service *service = &scene->services[index];
	bool around_us =
		is_ancestor(scene, service->supervisor) || is_ancestor(scene, service->guardian);

	return (struct berth_free_entry){
		.how = BERTH_FREE_SERVICE,
		.reason = around_us ? BERTH_FREE_ANCESTOR : BERTH_FREE_NO_REASON,
		.proc = proc,
		.service = index,
		.container = BERTH_FREE_NONE,
		.uid = scene->uid,
	};
}

static struct berth_free_entry entry_of_proc(const struct berth_free_scene *scene, size_t index)
{
	const struct berth_free_proc *proc = &scene->procs[index];

	if (proc->service != BERTH_FREE_NONE)
		return entry_of_service(scene, proc->service, index);
	return (struct berth_free_entry){
		.how = how_of(scene, proc),
		.reason = reason_of(scene, proc),
		.stranger = !proc->here || proc->uid != scene->uid,
		.proc = index,
		.service = BERTH_FREE_NONE,
		.container = proc->container,
		.uid = proc->uid,
	};
}

static bool has_port(const uint16_t *ports, size_t count, uint16_t port)
{
	for (size_t i = 0; i < count; i++)
		if (ports[i] == port)
			return true;
	return false;
}

static size_t service_with_port(const struct berth_free_scene *scene, uint16_t port)
{
	for (size_t i = 0; i < scene->service_count; i++)
		if (has_port(scene->services[i].ports, scene->services[i].port_count, port))
			return i;
	return BERTH_FREE_NONE;
}

static size_t container_with_port(const struct berth_free_scene *scene, uint16_t port)
{
	for (size_t i = 0; i < scene->container_count; i++)
		if (has_port(scene->containers[i].ports, scene->containers[i].port_count, port))
			return i;
	return BERTH_FREE_NONE;
}

/* Nobody was found that has it. */
static struct berth_free_entry entry_of_socket(const struct berth_free_scene *scene,
					       const struct berth_look_socket *socket)
{
	uint16_t port = berth_addr_port(&socket->local);
	bool listens = socket->kind == BERTH_LOOK_LISTENER && socket->protocol == IPPROTO_TCP;
	struct berth_free_entry entry = {
		.how = BERTH_FREE_NOTHING,
		.reason = scene->look->hidden_processes ? BERTH_FREE_HIDDEN : BERTH_FREE_KERNEL,
		.stranger = true,
		.proc = BERTH_FREE_NONE,
		.service = service_with_port(scene, port),
		.container = listens ? container_with_port(scene, port) : BERTH_FREE_NONE,
		.uid = socket->uid,
	};

	if (entry.service != BERTH_FREE_NONE &&
	    (socket->uid == scene->uid || scene->services[entry.service].outside))
		return entry_of_service(scene, entry.service, BERTH_FREE_NONE);
	entry.service = BERTH_FREE_NONE;
	if (entry.container != BERTH_FREE_NONE) {
		entry.how = BERTH_FREE_CONTAINER;
		entry.reason = BERTH_FREE_IN_CONTAINER;
	}
	return entry;
}

/* --- the list --- */

static bool is_same(const struct berth_free_scene *scene, const struct berth_free_entry *a,
		    const struct berth_free_entry *b)
{
	const struct berth_free_proc *p, *q;

	if (a->how != b->how || a->reason != b->reason)
		return false;
	if (a->how == BERTH_FREE_SERVICE)
		return a->service == b->service;
	if (a->how == BERTH_FREE_CONTAINER)
		return a->container == b->container;
	if (a->proc == BERTH_FREE_NONE || b->proc == BERTH_FREE_NONE)
		return a->proc == b->proc && a->uid == b->uid;
	p = &scene->procs[a->proc];
	q = &scene->procs[b->proc];
	if (a->how == BERTH_FREE_UNIT)
		return strcmp(p->socket_unit, q->socket_unit) == 0;
	return p->id.pid == q->id.pid;
}

/* What is shown of a service is its command, not berth. */
static bool tells_more(const struct berth_free_scene *scene, const struct berth_free_entry *shown,
		       const struct berth_free_entry *other)
{
	if (shown->how != BERTH_FREE_SERVICE || other->proc == BERTH_FREE_NONE)
		return false;
	return shown->proc == BERTH_FREE_NONE ||
	       scene->procs[shown->proc].id.pid == scene->services[shown->service].supervisor;
}

static int add(const struct berth_free_scene *scene, struct berth_free_plan *plan, size_t socket,
	       const struct berth_free_entry *entry)
{
	struct berth_free_entry *entries;
	struct berth_free_link *links;
	size_t at = 0;

	while (at < plan->entry_count && !is_same(scene, &plan->entries[at], entry))
		at++;
	if (at == plan->entry_count) {
		entries = reallocarray(plan->entries, at + 1, sizeof(*entries));
		if (!entries)
			return -ENOMEM;
		plan->entries = entries;
		plan->entries[plan->entry_count++] = *entry;
	} else if (tells_more(scene, &plan->entries[at], entry)) {
		plan->entries[at].proc = entry->proc;
	}
	links = reallocarray(plan->links, plan->link_count + 1, sizeof(*links));
	if (!links)
		return -ENOMEM;
	plan->links = links;
	plan->links[plan->link_count++] =
		(struct berth_free_link){ .entry = at, .socket = socket, .proc = entry->proc };
	return 0;
}

static size_t find_proc(const struct berth_free_scene *scene, const struct berth_proc_id *id)
{
	for (size_t i = 0; i < scene->proc_count; i++)
		if (scene->procs[i].id.pid == id->pid &&
		    scene->procs[i].id.start_ticks == id->start_ticks)
			return i;
	return BERTH_FREE_NONE;
}

static int add_holders(const struct berth_free_scene *scene, struct berth_free_plan *plan,
		       size_t socket)
{
	const struct berth_look_socket *held = &scene->look->sockets[socket];
	struct berth_free_entry entry;
	size_t count = 0;
	const struct berth_look_holder *holder =
		berth_look_holders_of(scene->look, held->inode, &count);
	int r = 0;

	if (!holder || !count) {
		entry = entry_of_socket(scene, held);
		return add(scene, plan, socket, &entry);
	}
	for (size_t i = 0; i < count && r == 0; i++) {
		size_t proc = find_proc(scene, &holder[i].proc);

		/* One that has gone since holds nothing, and what we inherited ends with us. */
		if (proc == BERTH_FREE_NONE || holder[i].proc.pid == scene->self)
			continue;
		entry = entry_of_proc(scene, proc);
		r = add(scene, plan, socket, &entry);
	}
	return r;
}

int berth_free_plan_make(const struct berth_free_scene *scene, struct berth_free_plan *ret_plan)
{
	struct berth_free_plan plan = { 0 };
	int r = 0;

	for (size_t i = 0; i < scene->look->socket_count && r == 0; i++)
		if (berth_free_plan_is_held(&scene->look->sockets[i]))
			r = add_holders(scene, &plan, i);
	if (r < 0) {
		berth_free_plan_deinit(&plan);
		return r;
	}
	berth_free_plan_judge(scene, &plan, false, false);
	*ret_plan = plan;
	return 0;
}

void berth_free_plan_deinit(struct berth_free_plan *plan)
{
	free(plan->entries);
	free(plan->links);
	*plan = (struct berth_free_plan){ 0 };
}

/* --- the verdicts --- */

static uint16_t port_of(const struct berth_free_scene *scene, const struct berth_free_link *link)
{
	return berth_addr_port(&scene->look->sockets[link->socket].local);
}

static enum berth_free_verdict judge_alone(const struct berth_free_scene *scene,
					   const struct berth_free_entry *entry, bool yes,
					   bool force)
{
	if (entry->how == BERTH_FREE_NOTHING)
		return BERTH_FREE_NEVER;
	/* Only root signals another user's process: to insist would not help. */
	if (entry->how == BERTH_FREE_PROCESS && entry->uid != scene->uid && scene->uid != 0)
		return BERTH_FREE_NEVER;
	if (entry->reason != BERTH_FREE_NO_REASON && !force)
		return BERTH_FREE_NEEDS_FORCE;
	if (entry->stranger && !yes)
		return BERTH_FREE_NEEDS_YES;
	return BERTH_FREE_END;
}

const struct berth_free_entry *berth_free_plan_stays(const struct berth_free_scene *scene,
						     const struct berth_free_plan *plan,
						     uint16_t port)
{
	for (size_t i = 0; i < plan->link_count; i++) {
		const struct berth_free_entry *entry = &plan->entries[plan->links[i].entry];

		if (port_of(scene, &plan->links[i]) == port && entry->verdict != BERTH_FREE_END &&
		    entry->verdict != BERTH_FREE_IN_VAIN)
			return entry;
	}
	return NULL;
}

bool berth_free_plan_has_port(const struct berth_free_scene *scene,
			      const struct berth_free_plan *plan, size_t entry, uint16_t port)
{
	for (size_t i = 0; i < plan->link_count; i++)
		if (plan->links[i].entry == entry && port_of(scene, &plan->links[i]) == port)
			return true;
	return false;
}

static bool frees_a_port(const struct berth_free_scene *scene, const struct berth_free_plan *plan,
			 size_t entry)
{
	for (size_t i = 0; i < plan->link_count; i++)
		if (plan->links[i].entry == entry &&
		    !berth_free_plan_stays(scene, plan, port_of(scene, &plan->links[i])))
			return true;
	return false;
}

void berth_free_plan_judge(const struct berth_free_scene *scene, struct berth_free_plan *plan,
			   bool yes, bool force)
{
	for (size_t i = 0; i < plan->entry_count; i++)
		plan->entries[i].verdict = judge_alone(scene, &plan->entries[i], yes, force);
	/* Whoever is left alone for this reason stays only where somebody else stays as well. */
	for (size_t i = 0; i < plan->entry_count; i++)
		if (plan->entries[i].verdict == BERTH_FREE_END && !frees_a_port(scene, plan, i))
			plan->entries[i].verdict = BERTH_FREE_IN_VAIN;
}

/* --- what is told of it --- */

bool berth_free_plan_command(const struct berth_free_scene *scene,
			     const struct berth_free_entry *entry,
			     const char *argv[BERTH_FREE_ARGV_MAX])
{
	const struct berth_free_proc *proc =
		entry->proc == BERTH_FREE_NONE ? NULL : &scene->procs[entry->proc];
	size_t n = 0;

	if (entry->how == BERTH_FREE_CONTAINER) {
		argv[n++] = scene->containers[entry->container].engine;
		argv[n++] = "stop";
		argv[n++] = scene->containers[entry->container].name;
	} else if (entry->how == BERTH_FREE_UNIT && proc) {
		argv[n++] = "systemctl";
		if (proc->id.pid != 1)
			argv[n++] = "--user";
		argv[n++] = "stop";
		argv[n++] = proc->socket_unit;
	} else {
		return false;
	}
	argv[n] = NULL;
	return true;
}

bool berth_free_plan_may_return(const struct berth_free_proc *proc)
{
	const char *dot = strrchr(proc->place.unit, '.');

	if ((dot && strcmp(dot, ".service") == 0) || proc->container != BERTH_FREE_NONE ||
	    *proc->place.container)
		return true;
	return proc->parent > 1 && !proc->under_shell;
}
