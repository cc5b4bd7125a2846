/* SPDX-License-Identifier: MIT */
/*
 * app/free-watch.c - are the ports free that were to become so, and do they stay free
 *
 * Looked up, and never tried by a bind(): that would take the port for a moment from the one who
 * has asked for it. Who listens there and was not in the look has come since: what was ended has
 * been started again, by whatever is behind the new one, and that is what the user has to know.
 * Where nothing lives that could do so, there is nothing to wait for.
 *
 * What no process has can be in the way as well: a connection in TIME_WAIT, or one that the kernel
 * still closes. Nobody can end it, but it passes. Whether it is in the way is for the verdict to
 * say, which goes by the number; of what had a listener we know more, it is what that has accepted.
 */
#include "app/free.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "base/str.h"
#include "base/time.h"
#include "look/verdict.h"
#include "os/cgroup.h"

enum {
	TICK_MS = 20,
	NAME_MAX_SIZE = 256,
};

static int64_t ms_since(int64_t began_ns)
{
	return (berth_time_mono_ns() - began_ns) / BERTH_NS_PER_MS;
}

bool berth_free_has_inode(const struct berth_free *all, uint64_t inode)
{
	for (size_t i = 0; i < all->look.socket_count; i++)
		if (all->look.sockets[i].inode == inode)
			return true;
	return false;
}

/*
 * A connection that was none of the look's was accepted by a listener that has gone since: it has
 * inherited SO_REUSEADDR, and is in nobody's way.
 */
static bool counts(const struct berth_free *all, const struct berth_look_socket *socket)
{
	if (!berth_free_plan_is_held(socket) || !berth_free_was_asked(all, socket) ||
	    berth_free_plan_stays(&all->scene, &all->plan, berth_addr_port(&socket->local)))
		return false;
	return socket->kind != BERTH_LOOK_CONNECTION || berth_free_has_inode(all, socket->inode);
}

static bool had_listener(const struct berth_free *all, const struct berth_look_socket *socket)
{
	for (size_t i = 0; i < all->look.socket_count; i++)
		if (all->look.sockets[i].kind == BERTH_LOOK_LISTENER &&
		    all->look.sockets[i].protocol == socket->protocol &&
		    berth_addr_port(&all->look.sockets[i].local) == berth_addr_port(&socket->local))
			return true;
	return false;
}

static bool is_rest(const struct berth_free *all, const struct berth_look_socket *socket)
{
	return !socket->inode && berth_free_was_asked(all, socket) &&
	       berth_verdict_is_in_the_way(socket, BERTH_VERDICT_ALL) &&
	       !had_listener(all, socket) &&
	       !berth_free_plan_stays(&all->scene, &all->plan, berth_addr_port(&socket->local));
}

const struct berth_look_socket *berth_free_find_rest(const struct berth_free *all)
{
	for (size_t i = 0; i < all->look.socket_count; i++)
		if (is_rest(all, &all->look.sockets[i]))
			return &all->look.sockets[i];
	return NULL;
}

/* By whom a port is held, the weightiest last. */
enum held {
	HELD_NOT,
	HELD_BY_REST, /* no process has it */
	HELD_STILL, /* by a socket of the look */
	HELD_AGAIN, /* by a new one */
};

static enum held held_by(const struct berth_free *all, const struct berth_look_socket *socket)
{
	if (is_rest(all, socket))
		return HELD_BY_REST;
	if (!counts(all, socket))
		return HELD_NOT;
	return berth_free_has_inode(all, socket->inode) ? HELD_STILL : HELD_AGAIN;
}

/* The first of the weightiest sockets that hold one of the ports that were to become free. */
static enum held find_held(const struct berth_free *all, struct berth_look_socket *ret_socket)
{
	enum held found = HELD_NOT;

	for (size_t i = 0; i < all->range_count; i++) {
		const struct berth_look_query query = { .port_lo = all->ranges[i].lo,
							.port_hi = all->ranges[i].hi,
							.udp = all->udp };
		struct berth_look look;

		if (berth_look_load(&query, &look) < 0)
			continue;
		for (size_t k = 0; k < look.socket_count; k++) {
			enum held held = held_by(all, &look.sockets[k]);

			if (held <= found)
				continue;
			*ret_socket = look.sockets[k];
			found = held;
		}
		berth_look_deinit(&look);
	}
	return found;
}

/* The one that has it now; false: not to be seen. */
static bool find_holder(const struct berth_look_socket *socket, struct berth_proc_id *ret_id)
{
	const struct berth_look_query query = { .port_lo = berth_addr_port(&socket->local),
						.port_hi = berth_addr_port(&socket->local),
						.udp = true,
						.processes = true };
	const struct berth_look_holder *holder;
	struct berth_look look;
	size_t count = 0;

	if (berth_look_load(&query, &look) < 0)
		return false;
	holder = berth_look_holders_of(&look, socket->inode, &count);
	if (holder)
		*ret_id = holder->proc;
	berth_look_deinit(&look);
	return holder;
}

struct successor {
	char name[NAME_MAX_SIZE]; /* "nginx 99" */
	char starter[NAME_MAX_SIZE]; /* "nginx.service", "sh 700"; "": not known */
	char fix[NAME_MAX_SIZE]; /* what ends that; "" */
	bool itself; /* the very process that held it before */
};

static void printable(const char *text, char *buf, size_t size)
{
	berth_str_printable(text, (size_t)-1, buf, size);
}

/* The unit of a service that it runs in, and we do not. */
static bool is_unit(const struct berth_free *all, const struct berth_place *place)
{
	const char *dot = strrchr(place->unit, '.');

	return dot && strcmp(dot, ".service") == 0 && strcmp(place->unit, all->place.unit) != 0;
}

/* What we were started by is not ended for us, nor likely to have started anything. */
static bool is_ancestor(const struct berth_free *all, pid_t pid)
{
	for (size_t i = 0; i < all->scene.ancestor_count; i++)
		if (all->scene.ancestors[i] == pid)
			return true;
	return false;
}

/* Was it there before, and has only let go of the port for a moment? */
static bool is_of_look(const struct berth_free *all, const struct berth_proc_id *id)
{
	for (size_t i = 0; i < all->scene.proc_count; i++)
		if (all->procs[i].id.pid == id->pid &&
		    all->procs[i].id.start_ticks == id->start_ticks)
			return true;
	return false;
}

/* Who stands behind it: berth, its container, its unit, or its parent. */
static void find_starter(const struct berth_free *all, const struct berth_holders_process *known,
			 uint16_t port, struct successor *successor)
{
	const json_t *record = berth_holders_process_record(&all->known, known, port);
	const json_t *parent = json_array_get(json_object_get(known->document, "parents"), 0);
	pid_t pid = (pid_t)berth_json_int(parent, "pid", 0);
	BERTH_AUTO_FREE char *cgroup = NULL;
	struct berth_place place = { 0 };
	char name[64];

	if (berth_cgroup_of(known->id.pid, &cgroup) == 0)
		berth_place_parse_file(cgroup, &place);
	if (record) {
		const json_t *service = berth_registry_service(record);

		snprintf(successor->starter, sizeof(successor->starter), "%.200s",
			 berth_json_string(service, "label", "berth"));
		snprintf(successor->fix, sizeof(successor->fix), "berth stop %.16s",
			 berth_json_string(service, "id", ""));
	} else if (*place.container && strcmp(place.container, all->place.container) != 0) {
		snprintf(successor->starter, sizeof(successor->starter), "%s", place.engine);
		snprintf(successor->fix, sizeof(successor->fix), "%s stop %.12s", place.engine,
			 place.container);
	} else if (is_unit(all, &place)) {
		snprintf(successor->starter, sizeof(successor->starter), "%.200s", place.unit);
		snprintf(successor->fix, sizeof(successor->fix), "systemctl %sstop %.200s",
			 place.user_unit ? "--user " : "", place.unit);
	} else if (pid > 1 && !is_ancestor(all, pid)) {
		printable(berth_json_string(parent, "process", "?"), name, sizeof(name));
		snprintf(successor->starter, sizeof(successor->starter), "%s %d", name, (int)pid);
		snprintf(successor->fix, sizeof(successor->fix), "end %s %d first", name, (int)pid);
	}
}

static void describe(struct berth_free *all, const struct berth_look_socket *socket,
		     struct successor *successor)
{
	const struct berth_holders_process *known = NULL;
	struct berth_proc_id id;
	char name[64];

	*successor = (struct successor){ 0 };
	if (find_holder(socket, &id))
		known = berth_holders_process_find(&all->known, &id);
	if (!known) {
		snprintf(successor->name, sizeof(successor->name), "a process of uid %u",
			 (unsigned int)socket->uid);
		return;
	}
	printable(berth_json_string(known->document, "process", "?"), name, sizeof(name));
	snprintf(successor->name, sizeof(successor->name), "%s %d", name, (int)id.pid);
	successor->itself = is_of_look(all, &id);
	if (successor->itself)
		snprintf(successor->fix, sizeof(successor->fix), "kill -KILL %d", (int)id.pid);
	else
		find_starter(all, known, berth_addr_port(&socket->local), successor);
}

static int tell_of_successor(struct berth_free *all, const struct berth_look_socket *socket,
			     int64_t after_ms, struct berth_err *err)
{
	struct successor successor;
	uint16_t port = berth_addr_port(&socket->local);

	describe(all, socket, &successor);
	if (successor.itself)
		berth_err_set(err, -EADDRINUSE, BERTH_ERR_REFUSED,
			      "%s did not end, and holds %u again, after %.1f s", successor.name,
			      port, (double)after_ms / 1000);
	else if (*successor.starter)
		berth_err_set(err, -EADDRINUSE, BERTH_ERR_REFUSED,
			      "%s restarted it in %.1f s: %s holds %u", successor.starter,
			      (double)after_ms / 1000, successor.name, port);
	else
		berth_err_set(err, -EADDRINUSE, BERTH_ERR_REFUSED,
			      "%s holds %u again, after %.1f s", successor.name, port,
			      (double)after_ms / 1000);
	if (*successor.fix)
		berth_err_hint(err, "%s", successor.fix);
	return -EADDRINUSE;
}

static int tell_of_remainder(struct berth_free *all, const struct berth_look_socket *socket,
			     struct berth_err *err)
{
	struct successor successor;

	describe(all, socket, &successor);
	return berth_err_set(err, -ETIMEDOUT, BERTH_ERR_TIMEOUT, "%s holds %u still",
			     successor.name, berth_addr_port(&socket->local));
}

static int tell_of_rest(const struct berth_look_socket *socket, struct berth_err *err)
{
	char peer[BERTH_ADDR_STRLEN];
	bool waits = socket->kind == BERTH_LOOK_TIME_WAIT;

	berth_err_set(err, -ETIMEDOUT, BERTH_ERR_TIMEOUT,
		      "%u is not free: a closed connection to %s is %s, and bind() fails",
		      berth_addr_port(&socket->local), berth_addr_format(&socket->peer, peer),
		      waits ? "in TIME_WAIT" : "not over");
	berth_err_hint(err, "nobody can end that; %s",
		       waits ? "it is over within a minute" : "it is over when the peer answers");
	return -ETIMEDOUT;
}

/* Does anything live that could start one of them again? */
static bool needs_watch(const struct berth_free *all)
{
	for (size_t i = 0; i < all->plan.link_count; i++) {
		const struct berth_free_link *link = &all->plan.links[i];
		const struct berth_free_entry *entry = &all->plan.entries[link->entry];
		bool orphan = false;

		if (entry->verdict != BERTH_FREE_END || entry->how != BERTH_FREE_PROCESS)
			continue;
		/* Workers of a server that has gone with them. */
		for (size_t k = 0; k < all->plan.entry_count; k++)
			orphan |= all->plan.entries[k].verdict == BERTH_FREE_END &&
				  all->plan.entries[k].proc != BERTH_FREE_NONE &&
				  all->procs[all->plan.entries[k].proc].id.pid ==
					  all->procs[link->proc].parent;
		if (!orphan && berth_free_plan_may_return(&all->procs[link->proc]))
			return true;
	}
	return false;
}

int berth_free_watch(struct berth_free *all, const struct berth_free_spec *spec,
		     struct berth_err *err)
{
	int64_t watch_ms = needs_watch(all) ? spec->watch_ms : 0;
	int64_t began_ns = berth_time_mono_ns(), free_since_ns = 0;
	struct berth_look_socket socket;

	for (;; (void)!poll(NULL, 0, TICK_MS)) {
		enum held held = find_held(all, &socket);

		/* Whoever takes the port at once, or else another, does not wait for this. */
		if (held == HELD_NOT || (held == HELD_BY_REST && !spec->watch_ms)) {
			if (!free_since_ns)
				free_since_ns = berth_time_mono_ns();
			if (ms_since(free_since_ns) >= watch_ms)
				return 0;
		} else if (held == HELD_AGAIN) {
			return tell_of_successor(all, &socket, ms_since(began_ns), err);
		} else if (ms_since(began_ns) >= spec->wait_ms) {
			return held == HELD_STILL ? tell_of_remainder(all, &socket, err)
						  : tell_of_rest(&socket, err);
		}
	}
}
