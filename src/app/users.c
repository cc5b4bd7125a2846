/* SPDX-License-Identifier: MIT */
/*
 * app/users.c - which process has which of the ports
 *
 * We hold duplicates of the service's listening sockets, so that a port is not open to strangers
 * between the last close() and the next bind(). But a duplicate also keeps the port *listening*:
 * clients would be accepted by nobody. A close() tells no one, so it is looked for where it could be
 * felt:
 *
 *   the process that listened ends    its pidfd wakes us
 *   a client connects                 the duplicate is watched, once; then not again for a while,
 *                                     so that a busy server costs us one wake-up a second
 *   the copy connects, or binds       before it is answered
 *
 * The look is one readlink() of /proc/PID/fd/N, where the socket was last seen; only if it is not
 * there any more are all descriptors of the worker's tree searched, since a child may have inherited
 * it. Nobody has it: the listening ends (berth_lease_reclaim), clients are refused again, the port
 * stays ours; unless a next life will want it (keep.c).
 */
#include "app/unit.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>

#include "app/supervisor.h"
#include "base/time.h"
#include "os/procsock.h"
#include "os/sockdiag.h"
#include "os/tree.h"

enum {
	/*
	 * Programs probe a port by listening and closing at once; ready is what still listens after
	 * this.
	 */
	SETTLE_NS = 15 * BERTH_NS_PER_MS,
	POLL_NS = 50 * BERTH_NS_PER_MS,
};

/* How long what listened may have died before something of its tree binds again. */
#define ORPHAN_NS BERTH_NS_PER_S

static pid_t process_of(pid_t tid)
{
	struct berth_proc_status status;

	return berth_procfs_status(tid, &status) < 0 ? tid : status.tgid;
}

void berth_unit_note_user(struct berth_unit *unit, struct berth_port_user *user,
			  const struct berth_notify_call *call)
{
	user->pid = process_of(call->tid);
	user->fd = call->fd;
	if (user->listening)
		unit->settle_ns = berth_time_mono_ns() + SETTLE_NS;
}

/*
 * Search the tree of @worker: how many processes have the socket, two at most; one whom we may not
 * look into, or a tree that we can't read, counts as one. @user is told of the first.
 */
static size_t count_in_tree(const struct berth_worker *worker, struct berth_port_user *user)
{
	struct berth_procsock found[2];
	struct berth_tree tree = { 0 };
	size_t count = 0, unreadable = 0;
	BERTH_AUTO_FREE pid_t *pids = NULL;
	int r;

	if (berth_unit_load_tree(worker, &tree) < 0)
		return 1;
	pids = calloc(tree.count + 1, sizeof(*pids));
	if (!pids) {
		berth_tree_deinit(&tree);
		return 1;
	}
	for (size_t i = 0; i < tree.count; i++)
		pids[i] = tree.procs[i].id.pid;
	r = berth_procsock_find(&user->inode, 1, pids, tree.count, found, BERTH_ARRAY_SIZE(found),
				&count, &unreadable);
	berth_tree_deinit(&tree);
	if (r < 0)
		return 1;
	if (count) {
		user->pid = found[0].pid;
		user->fd = found[0].fd;
	}
	return count + (unreadable ? 1 : 0);
}

static bool find_in_tree(const struct berth_worker *worker, struct berth_port_user *user)
{
	return count_in_tree(worker, user) > 0;
}

/* The same for all workers; it says which one. */
static bool find_anywhere(const struct berth_unit *unit, struct berth_port_user *user)
{
	for (size_t i = 0; i < unit->worker_count; i++)
		if (unit->workers[i]->child.pid > 0 && find_in_tree(unit->workers[i], user)) {
			user->worker = unit->workers[i]->serial;
			return true;
		}
	return false;
}

size_t berth_unit_count_inode(const struct berth_unit *unit, uint64_t inode)
{
	struct berth_port_user user = { .inode = inode };
	size_t count = 0;

	for (size_t i = 0; i < unit->worker_count; i++)
		if (unit->workers[i]->child.pid > 0)
			count += count_in_tree(unit->workers[i], &user);
	return count;
}

static bool is_in_use(const struct berth_unit *unit, struct berth_port_user *user)
{
	const struct berth_worker *worker = berth_unit_find_worker(unit, user->worker);
	uint64_t inode;

	if (berth_procsock_inode(user->pid, user->fd, &inode) == 0 && inode == user->inode)
		return true;
	/* What berth exec runs has no worker, and no tree that we know. */
	return worker ? find_in_tree(worker, user) : false;
}

static void remove_watch(struct berth_unit *unit, struct berth_port *port, uint64_t inode)
{
	for (struct berth_port_watch **at = &port->watched; *at;) {
		struct berth_port_watch *watch = *at;

		if (inode && watch->inode != inode) {
			at = &watch->next;
			continue;
		}
		*at = watch->next;
		berth_loop_remove(&unit->supervisor->loop, &watch->source);
		free(watch);
	}
}

void berth_unit_forget_watches(struct berth_unit *unit)
{
	struct berth_supervisor *supervisor = unit->supervisor;

	for (size_t i = 0; i < unit->ports.count; i++)
		remove_watch(unit, unit->ports.port[i], 0);
	for (struct berth_watch **at = &supervisor->watches; *at;) {
		struct berth_watch *watch = *at;

		if (watch->unit != unit) {
			at = &watch->next;
			continue;
		}
		*at = watch->next;
		berth_loop_remove(&supervisor->loop, &watch->source);
		berth_fd_close(&watch->pidfd);
		free(watch);
	}
}

void berth_unit_reclaim(struct berth_unit *unit, size_t index, uint64_t inode)
{
	struct berth_lease *lease = &unit->ports.port[index]->lease;
	struct berth_lease_owner *owner = berth_lease_find_owner(lease, inode);

	remove_watch(unit, unit->ports.port[index], inode);
	if (owner)
		berth_lease_reclaim(lease, owner);
}

static bool has_user(const struct berth_port *port, uint64_t inode)
{
	for (size_t i = 0; i < port->user_size; i++)
		if (port->users[i].inode == inode)
			return true;
	return false;
}

/*
 * Nobody has it, in a worker that lives, as far as we have heard: who closed it meant it; who died
 * may have a successor. A process on its way out has closed all before it is a zombie.
 */
static void abandon(struct berth_unit *unit, size_t index, const struct berth_port_user *user)
{
	const struct berth_worker *worker = berth_unit_find_worker(unit, user->worker);
	struct berth_proc_stat stat;
	bool died = berth_procfs_stat(user->pid, &stat) < 0 || stat.state == 'Z' || stat.exiting;
	/* With its first process goes the life; that it has ended is still to be told. */
	bool ends = worker && (worker->service.state == BERTH_SERVICE_STOPPING ||
			       (died && user->pid == worker->child.pid));

	if (ends && berth_unit_will_return(worker))
		berth_unit_keep(unit, index, user->inode, unit->job->hold_ms * BERTH_NS_PER_MS);
	else if (worker && died && !worker->service.asked)
		berth_unit_keep(unit, index, user->inode, ORPHAN_NS);
	else
		berth_unit_reclaim(unit, index, user->inode);
}

static void review_workers(struct berth_unit *unit)
{
	for (size_t i = 0; i < unit->worker_count; i++)
		berth_unit_review(unit->workers[i]);
}

void berth_unit_check_users(struct berth_unit *unit, size_t index)
{
	struct berth_port *port = unit->ports.port[index];
	bool changed = false;

	for (size_t i = 0; i < port->user_size; i++) {
		struct berth_port_user gone = port->users[i];

		if (!gone.inode || is_in_use(unit, &port->users[i]))
			continue;
		port->users[i] = (struct berth_port_user){ 0 };
		if (!has_user(port, gone.inode))
			abandon(unit, index, &gone);
		changed = true;
	}
	if (!changed)
		return;
	unit->ports.steer[index].live = berth_ports_has_users(&unit->ports, index);
	berth_unit_touch(unit);
	review_workers(unit);
}

void berth_unit_check_all(struct berth_unit *unit)
{
	for (size_t i = unit->ports.count; i-- > 0;) {
		bool extra;

		berth_unit_check_users(unit, i);
		/* What that has led to may have dropped rows already. */
		if (i >= unit->ports.count)
			continue;
		extra = unit->ports.steer[i].kind != BERTH_STEER_DECLARED;
		if (extra && !unit->ports.steer[i].live) {
			berth_registry_unclaim_port(&unit->supervisor->registry,
						    unit->ports.steer[i].given, unit->id);
			remove_watch(unit, unit->ports.port[i], 0);
			berth_ports_drop(&unit->ports, i);
			berth_unit_touch(unit);
		}
	}
}

static void on_listener_ended(struct berth_loop_source *source, uint32_t events)
{
	struct berth_watch *watch = berth_container_of(source, struct berth_watch, source);
	struct berth_unit *unit = watch->unit;
	struct berth_watch **at = &unit->supervisor->watches;

	while (*at != watch)
		at = &(*at)->next;
	*at = watch->next;
	berth_loop_remove(&unit->supervisor->loop, source);
	berth_fd_close(&watch->pidfd);
	free(watch);
	/* Its own end may be the end of the service: that is looked at first. */
	berth_supervisor_reap(unit->supervisor);
	berth_unit_check_all(unit);
}

/* One watch per process, however many ports it has. Without it, its end is noticed by a client. */
static void watch_process(struct berth_unit *unit, pid_t pid)
{
	struct berth_supervisor *supervisor = unit->supervisor;
	struct berth_watch *watch;

	for (watch = supervisor->watches; watch; watch = watch->next)
		if (watch->pid == pid && watch->unit == unit)
			return;
	watch = calloc(1, sizeof(*watch));
	if (!watch)
		return;
	*watch = (struct berth_watch){ .unit = unit, .pidfd = berth_child_open(pid), .pid = pid };
	if (watch->pidfd < 0 || berth_loop_add(&supervisor->loop, &watch->source, watch->pidfd,
					       EPOLLIN, on_listener_ended) < 0) {
		berth_fd_close(&watch->pidfd);
		free(watch);
		return;
	}
	watch->next = supervisor->watches;
	supervisor->watches = watch;
}

/*
 * Somebody has connected: is there still somebody to accept? Not asked again before the next tick.
 */
static void on_client(struct berth_loop_source *source, uint32_t events)
{
	struct berth_port_watch *watch =
		berth_container_of(source, struct berth_port_watch, source);
	struct berth_unit *unit = watch->unit;

	watch->armed = false;
	unit->rearm_ns = berth_time_mono_ns() + BERTH_UNIT_REARM_NS;
	for (size_t i = 0; i < unit->ports.count; i++)
		if (unit->ports.port[i] == watch->port) {
			berth_unit_check_users(unit, i);
			return;
		}
}

void berth_unit_watch_listener(struct berth_unit *unit, size_t index, uint64_t inode, pid_t pid)
{
	struct berth_port *port = unit->ports.port[index];
	struct berth_lease_owner *owner = berth_lease_find_owner(&port->lease, inode);
	struct berth_port_watch *watch;

	watch_process(unit, pid);
	for (watch = port->watched; watch; watch = watch->next)
		if (watch->inode == inode)
			return; /* a second listen(), or a second worker */
	watch = owner ? calloc(1, sizeof(*watch)) : NULL;
	if (!watch)
		return;
	*watch = (struct berth_port_watch){
		.unit = unit, .next = port->watched, .port = port, .inode = inode
	};
	watch->armed = berth_loop_add(&unit->supervisor->loop, &watch->source, owner->fd,
				      EPOLLIN | EPOLLONESHOT, on_client) == 0;
	port->watched = watch;
}

void berth_unit_rearm(struct berth_unit *unit)
{
	unit->rearm_ns = 0;
	for (size_t i = 0; i < unit->ports.count; i++)
		for (struct berth_port_watch *watch = unit->ports.port[i]->watched; watch;
		     watch = watch->next)
			if (watch->source.fn && !watch->armed)
				watch->armed =
					berth_loop_change(&unit->supervisor->loop, &watch->source,
							  EPOLLIN | EPOLLONESHOT) == 0;
}

bool berth_unit_is_shared(const struct berth_port *port, uint64_t inode,
			  const struct berth_worker *worker)
{
	for (size_t i = 0; i < port->user_size; i++)
		if (port->users[i].inode == inode && port->users[i].worker != worker->serial)
			return true;
	return false;
}

/*
 * Its group goes on without @owner, and so do clients. It stays a member, whose place we must know,
 * until its worker is gone; so it is not dropped.
 */
static bool set_aside(struct berth_lease *lease, struct berth_lease_owner *owner)
{
	if (owner->avoided || !owner->grouped || !owner->listening || owner->kept)
		return owner->avoided;
	for (size_t i = 0; i < lease->owner_size; i++) {
		const struct berth_lease_owner *other = &lease->owners[i];

		if (other != owner && other->fd >= 0 && other->grouped && other->listening &&
		    !other->avoided && other->v6only == owner->v6only &&
		    berth_addr_equal(&other->addr, &owner->addr))
			return berth_lease_avoid(lease, owner, true) == 0;
	}
	return false;
}

void berth_unit_drop_sockets(struct berth_unit *unit, const struct berth_worker *worker)
{
	for (size_t i = 0; i < unit->ports.count; i++) {
		struct berth_port *port = unit->ports.port[i];

		for (size_t j = 0; j < port->lease.owner_size; j++) {
			struct berth_lease_owner *owner = &port->lease.owners[j];
			uint64_t inode = owner->inode;

			if (owner->fd < 0 || (worker && berth_unit_is_shared(port, inode, worker)))
				continue;
			/* What is passed along has no users that we know: it is all workers'. */
			if (worker && port->passed && unit->worker_count > 1 &&
			    unit->cause == BERTH_END_BY_ITSELF)
				continue;
			/* Of another worker, between two lives. */
			if (worker && owner->kept && unit->worker_count > 1)
				continue;
			/* No client comes to it any more, so it may stand until its worker is gone. */
			if (worker && unit->cause == BERTH_END_BY_ITSELF &&
			    set_aside(&port->lease, owner))
				continue;
			remove_watch(unit, port, inode);
			if (owner->kept)
				berth_lease_reclaim(&port->lease, owner);
			else
				berth_lease_drop_owner(&port->lease, owner);
		}
	}
	if (!worker || unit->worker_count == 1)
		unit->keep_until_ns = 0;
	if (unit->kept == BERTH_UNIT_KEPT_WAITING && !unit->keep_until_ns)
		unit->kept = BERTH_UNIT_KEPT_NOTHING;
}

void berth_unit_forget_users(struct berth_unit *unit, const struct berth_worker *worker, bool keep)
{
	for (size_t i = unit->ports.count; i-- > 0;) {
		struct berth_port *port = unit->ports.port[i];

		for (size_t j = 0; j < port->user_size; j++) {
			uint64_t inode = port->users[j].inode;

			if (!inode || port->users[j].worker != worker->serial)
				continue;
			port->users[j] = (struct berth_port_user){ 0 };
			if (has_user(port, inode))
				continue;
			if (keep)
				berth_unit_keep(unit, i, inode,
						unit->job->hold_ms * BERTH_NS_PER_MS);
			else
				berth_unit_reclaim(unit, i, inode);
		}
		unit->ports.steer[i].live = berth_ports_has_users(&unit->ports, i);
		port->announced &= unit->ports.steer[i].live;
		if (unit->ports.steer[i].kind != BERTH_STEER_DECLARED &&
		    !unit->ports.steer[i].live) {
			remove_watch(unit, port, 0);
			berth_registry_unclaim_port(&unit->supervisor->registry,
						    unit->ports.steer[i].given, unit->id);
			berth_ports_drop(&unit->ports, i);
		}
	}
	berth_unit_touch(unit);
}

void berth_unit_settle(struct berth_unit *unit)
{
	unit->settle_ns = 0;
	berth_unit_check_all(unit);
	berth_unit_look_up(unit);
	review_workers(unit);
	/* Last, so that whoever reads the line finds the record as it says. */
	berth_unit_announce(unit);
}

struct search {
	struct berth_unit *unit;
	size_t index;
};

/* A listening socket on one of our numbers: ours, if a process of the tree has it. */
static int note_listener(const struct berth_sockdiag_entry *entry, void *arg)
{
	struct search *search = arg;
	struct berth_unit *unit = search->unit;
	struct berth_port_user user = { .inode = entry->inode, .listening = true };
	struct berth_port_user *slot;

	if (!entry->inode || berth_ports_find_inode(&unit->ports, entry->inode, 0, NULL) >= 0 ||
	    !find_anywhere(unit, &user))
		return 0;
	slot = berth_ports_add_user(&unit->ports, search->index, entry->inode, user.worker);
	if (slot)
		*slot = user;
	unit->ports.steer[search->index].live = true;
	return 0;
}

/* Without a wish the number shows when it listens: the lowest of the tree's that is no tool's. */
struct discovery {
	struct berth_unit *unit;
	struct berth_port_user user;
	uint16_t port;
};

static int discover(const struct berth_sockdiag_entry *entry, void *arg)
{
	struct discovery *discovery = arg;
	uint16_t port = berth_addr_port(&entry->local);
	struct berth_port_user user = { .inode = entry->inode, .listening = true };

	if (!entry->inode || berth_steer_is_tool(port) ||
	    (discovery->port && port >= discovery->port) ||
	    !find_anywhere(discovery->unit, &user) || !user.pid)
		return 0;
	discovery->port = port;
	discovery->user = user;
	return 0;
}

static void discover_main(struct berth_unit *unit, size_t index)
{
	struct discovery discovery = { .unit = unit };
	const struct berth_sockdiag_query query = {
		.family = AF_UNSPEC,
		.protocol = IPPROTO_TCP,
		.states = BERTH_SOCKDIAG_LISTEN,
	};
	struct berth_port_user *slot;

	if (berth_sockdiag_each(&query, discover, &discovery) < 0 || !discovery.port)
		return;
	unit->ports.steer[index].given = discovery.port;
	unit->ports.steer[index].live = true;
	berth_steer_port_add_asked(&unit->ports.steer[index], discovery.port);
	slot = berth_ports_add_user(&unit->ports, index, discovery.user.inode,
				    discovery.user.worker);
	if (slot)
		*slot = discovery.user;
}

static bool are_all_ready(const struct berth_unit *unit)
{
	for (size_t i = 0; i < unit->worker_count; i++)
		if (!berth_ports_is_ready(&unit->ports, unit->workers[i]->serial))
			return false;
	return unit->worker_count > 0;
}

void berth_unit_poll_ports(struct berth_unit *unit)
{
	unit->poll_ns = berth_time_mono_ns() + POLL_NS;
	for (size_t i = 0; i < unit->ports.count; i++) {
		struct search search = { .unit = unit, .index = i };
		uint16_t port = unit->ports.steer[i].given;
		const struct berth_sockdiag_query query = {
			.family = AF_UNSPEC,
			.protocol = IPPROTO_TCP,
			.states = BERTH_SOCKDIAG_LISTEN,
			.port_lo = port,
			.port_hi = port,
		};

		if (!port && unit->ports.steer[i].kind == BERTH_STEER_DECLARED)
			discover_main(unit, i);
		if (port && berth_sockdiag_each(&query, note_listener, &search) < 0)
			return;
	}
	if (are_all_ready(unit))
		berth_unit_settle(unit);
	else
		berth_unit_check_all(unit);
}
