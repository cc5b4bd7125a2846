/* SPDX-License-Identifier: MIT */
/*
 * app/users.c - which process has which of the ports
 *
 * We hold duplicates of the service's listening sockets, so that a port is not open to strangers
 * between the last close() and the next start within the service (a reloader, a crash in a tree
 * that lives on). But a duplicate also keeps the port *listening*: clients would be accepted by
 * nobody. A close() tells no one, so it is looked for where it could be felt:
 *
 *   the process that listened ends    its pidfd wakes us
 *   a client connects                 the duplicate is watched, once; then not again for a while,
 *                                     so that a busy server costs us one wake-up a second
 *   the copy connects, or binds       before it is answered
 *
 * The look is one readlink() of /proc/PID/fd/N, where the socket was last seen; only if it is not
 * there any more are all descriptors of the tree searched, since a child may have inherited it.
 * Nobody has it: the listening ends (berth_lease_reclaim), clients are refused again, the port
 * stays ours.
 */
#include "app/supervisor.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>

#include "base/time.h"
#include "os/sockdiag.h"
#include "os/tree.h"

enum {
	/*
	 * Programs probe a port by listening and closing at once; ready is what still listens after
	 * this.
	 */
	SETTLE_NS = 15 * 1000 * 1000,
	POLL_NS = 50 * 1000 * 1000,
};

static pid_t process_of(pid_t tid)
{
	struct berth_proc_status status;

	return berth_procfs_status(tid, &status) < 0 ? tid : status.tgid;
}

void berth_supervisor_note_user(struct berth_supervisor *supervisor, struct berth_port_user *user,
				const struct berth_notify_call *call)
{
	user->pid = process_of(call->tid);
	user->fd = call->fd;
	if (user->listening)
		supervisor->settle_ns = berth_time_mono_ns() + SETTLE_NS;
}

/*
 * Search the whole tree; true if somebody has the socket, or if somebody is there whom we may not
 * look into.
 */
static bool find_anywhere(struct berth_supervisor *supervisor, struct berth_port_user *user)
{
	struct berth_proc_socket found;
	struct berth_tree tree = { 0 };
	size_t count = 0, unreadable = 0;
	BERTH_AUTO_FREE pid_t *pids = NULL;
	int r;

	if (berth_tree_load(supervisor->self.pid, NULL, &tree) < 0)
		return true; /* not known: keep it */
	pids = calloc(tree.count + 1, sizeof(*pids));
	if (!pids) {
		berth_tree_deinit(&tree);
		return true;
	}
	for (size_t i = 0; i < tree.count; i++)
		pids[i] = tree.procs[i].id.pid;
	r = berth_procfs_find_sockets(&user->inode, 1, pids, tree.count, &found, 1, &count,
				      &unreadable);
	berth_tree_deinit(&tree);
	if (r == 0 && count) {
		user->pid = found.pid;
		user->fd = found.fd;
	}
	return r < 0 || count || unreadable;
}

static bool is_in_use(struct berth_supervisor *supervisor, struct berth_port_user *user)
{
	uint64_t inode;

	if (berth_procfs_socket_inode(user->pid, user->fd, &inode) == 0 && inode == user->inode)
		return true;
	return find_anywhere(supervisor, user);
}

static void forget_user(struct berth_supervisor *supervisor, size_t index,
			struct berth_port_user *user)
{
	struct berth_port *port = &supervisor->ports.port[index];
	struct berth_lease_owner *owner = berth_lease_find_owner(&port->lease, user->inode);

	for (size_t i = 0; owner && i < BERTH_ARRAY_SIZE(port->watched); i++)
		if (port->watched[i].user == user)
			berth_loop_remove(&supervisor->loop, &port->watched[i].source);
	if (owner)
		berth_lease_reclaim(&port->lease, owner);
	*user = (struct berth_port_user){ 0 };
}

static bool has_users(const struct berth_port *port)
{
	for (size_t i = 0; i < BERTH_LEASE_OWNERS_MAX; i++)
		if (port->users[i].inode)
			return true;
	return false;
}

void berth_supervisor_check_users(struct berth_supervisor *supervisor, size_t index)
{
	struct berth_port *port = &supervisor->ports.port[index];
	bool changed = false;

	for (size_t i = 0; i < BERTH_LEASE_OWNERS_MAX; i++) {
		if (!port->users[i].inode || is_in_use(supervisor, &port->users[i]))
			continue;
		forget_user(supervisor, index, &port->users[i]);
		changed = true;
	}
	if (!changed)
		return;
	supervisor->ports.steer[index].live = has_users(port);
	berth_supervisor_touch(supervisor);
	if (!berth_ports_is_ready(&supervisor->ports))
		berth_supervisor_step(supervisor, BERTH_SERVICE_ON_NOT_LISTENING);
}

void berth_supervisor_check_all(struct berth_supervisor *supervisor)
{
	for (size_t i = supervisor->ports.count; i-- > 0;) {
		bool extra = supervisor->ports.steer[i].kind != BERTH_STEER_DECLARED;

		berth_supervisor_check_users(supervisor, i);
		if (extra && !supervisor->ports.steer[i].live) {
			berth_registry_unclaim_port(&supervisor->registry,
						    supervisor->ports.steer[i].given,
						    supervisor->id);
			berth_ports_drop(&supervisor->ports, i);
			berth_supervisor_touch(supervisor);
		}
	}
}

static void on_listener_ended(struct berth_loop_source *source, uint32_t events)
{
	struct berth_watch *watch = berth_container_of(source, struct berth_watch, source);
	struct berth_supervisor *supervisor = watch->supervisor;

	berth_loop_remove(&supervisor->loop, source);
	berth_fd_close(&watch->pidfd);
	berth_supervisor_check_all(supervisor);
}

/* One watch per process, however many ports it has. */
static void watch_process(struct berth_supervisor *supervisor, pid_t pid)
{
	struct berth_watch *free_watch = NULL;
	int pidfd;

	for (size_t i = 0; i < BERTH_ARRAY_SIZE(supervisor->watches); i++) {
		if (supervisor->watches[i].pidfd < 0)
			free_watch = &supervisor->watches[i];
		else if (supervisor->watches[i].pid == pid)
			return;
	}
	if (!free_watch)
		return; /* its end is noticed when somebody connects */
	pidfd = berth_child_open(pid);
	if (pidfd < 0)
		return;
	*free_watch = (struct berth_watch){ .supervisor = supervisor, .pidfd = pidfd, .pid = pid };
	if (berth_loop_add(&supervisor->loop, &free_watch->source, pidfd, EPOLLIN,
			   on_listener_ended) < 0)
		berth_fd_close(&free_watch->pidfd);
}

/*
 * Somebody has connected: is there still somebody to accept? Not asked again before the next tick.
 */
static void on_client(struct berth_loop_source *source, uint32_t events)
{
	struct berth_port_watch *watch =
		berth_container_of(source, struct berth_port_watch, source);
	struct berth_supervisor *supervisor = watch->supervisor;

	watch->armed = false;
	supervisor->rearm_ns = berth_time_mono_ns() + BERTH_SUPERVISOR_REARM_NS;
	berth_supervisor_check_users(supervisor, watch->index);
}

void berth_supervisor_watch_listener(struct berth_supervisor *supervisor, size_t index,
				     struct berth_port_user *user)
{
	struct berth_port *port = &supervisor->ports.port[index];
	struct berth_lease_owner *owner = berth_lease_find_owner(&port->lease, user->inode);

	watch_process(supervisor, user->pid);
	for (size_t i = 0; owner && i < BERTH_ARRAY_SIZE(port->watched); i++) {
		struct berth_port_watch *watch = &port->watched[i];

		if (watch->source.fn && watch->user == user)
			return; /* a second listen() */
		if (watch->source.fn)
			continue;
		*watch = (struct berth_port_watch){ .supervisor = supervisor,
						    .index = index,
						    .user = user };
		watch->armed = berth_loop_add(&supervisor->loop, &watch->source, owner->fd,
					      EPOLLIN | EPOLLONESHOT, on_client) == 0;
		return;
	}
}

void berth_supervisor_rearm(struct berth_supervisor *supervisor)
{
	supervisor->rearm_ns = 0;
	for (size_t i = 0; i < supervisor->ports.count; i++)
		for (size_t j = 0; j < BERTH_LEASE_OWNERS_MAX; j++) {
			struct berth_port_watch *watch = &supervisor->ports.port[i].watched[j];

			if (watch->source.fn && !watch->armed)
				watch->armed = berth_loop_change(&supervisor->loop, &watch->source,
								 EPOLLIN | EPOLLONESHOT) == 0;
		}
}

void berth_supervisor_forget_users(struct berth_supervisor *supervisor, bool keep)
{
	for (size_t i = supervisor->ports.count; i-- > 0;) {
		struct berth_port *port = &supervisor->ports.port[i];

		for (size_t j = 0; j < BERTH_LEASE_OWNERS_MAX; j++) {
			berth_loop_remove(&supervisor->loop, &port->watched[j].source);
			if (keep && port->lease.owners[j].fd >= 0)
				berth_lease_reclaim(&port->lease, &port->lease.owners[j]);
			if (keep)
				port->users[j] = (struct berth_port_user){ 0 };
		}
		if (!keep)
			berth_lease_drop_owners(&port->lease);
		else if (supervisor->ports.steer[i].kind != BERTH_STEER_DECLARED)
			berth_ports_drop(&supervisor->ports, i);
		else
			supervisor->ports.steer[i].live = supervisor->ports.port[i].announced =
				false;
	}
}

void berth_supervisor_settle(struct berth_supervisor *supervisor)
{
	supervisor->settle_ns = 0;
	berth_supervisor_check_all(supervisor);
	berth_supervisor_look_up(supervisor);
	if (berth_ports_is_ready(&supervisor->ports))
		berth_supervisor_step(supervisor, BERTH_SERVICE_ON_LISTENING);
	/* Last, so that whoever reads the line finds the record as it says. */
	berth_supervisor_announce(supervisor);
}

struct search {
	struct berth_supervisor *supervisor;
	size_t index;
};

/* A listening socket on one of our numbers: ours, if a process of the tree has it. */
static int note_listener(const struct berth_sockdiag_entry *entry, void *arg)
{
	struct search *search = arg;
	struct berth_supervisor *supervisor = search->supervisor;
	struct berth_port_user user = { .inode = entry->inode, .listening = true };
	struct berth_port_user *slot;

	if (!entry->inode || berth_ports_find_inode(&supervisor->ports, entry->inode, NULL) >= 0 ||
	    !find_anywhere(supervisor, &user))
		return 0;
	slot = berth_ports_add_user(&supervisor->ports, search->index, entry->inode);
	if (slot)
		*slot = user;
	supervisor->ports.steer[search->index].live = true;
	return 0;
}

/* Without a wish the number shows when it listens: the lowest of the tree's that is no tool's. */
struct discovery {
	struct berth_supervisor *supervisor;
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
	    !find_anywhere(discovery->supervisor, &user) || !user.pid)
		return 0;
	discovery->port = port;
	discovery->user = user;
	return 0;
}

static void discover_main(struct berth_supervisor *supervisor, size_t index)
{
	struct discovery discovery = { .supervisor = supervisor };
	const struct berth_sockdiag_query query = {
		.family = AF_UNSPEC,
		.protocol = IPPROTO_TCP,
		.states = BERTH_SOCKDIAG_LISTEN,
	};
	struct berth_port_user *slot;

	if (berth_sockdiag_each(&query, discover, &discovery) < 0 || !discovery.port)
		return;
	supervisor->ports.steer[index].given = discovery.port;
	supervisor->ports.steer[index].live = true;
	berth_steer_port_add_asked(&supervisor->ports.steer[index], discovery.port);
	slot = berth_ports_add_user(&supervisor->ports, index, discovery.user.inode);
	if (slot)
		*slot = discovery.user;
}

void berth_supervisor_poll_ports(struct berth_supervisor *supervisor)
{
	supervisor->poll_ns = berth_time_mono_ns() + POLL_NS;
	for (size_t i = 0; i < supervisor->ports.count; i++) {
		struct search search = { .supervisor = supervisor, .index = i };
		uint16_t port = supervisor->ports.steer[i].given;
		const struct berth_sockdiag_query query = {
			.family = AF_UNSPEC,
			.protocol = IPPROTO_TCP,
			.states = BERTH_SOCKDIAG_LISTEN,
			.port_lo = port,
			.port_hi = port,
		};

		if (!port && supervisor->ports.steer[i].kind == BERTH_STEER_DECLARED)
			discover_main(supervisor, i);
		if (port && berth_sockdiag_each(&query, note_listener, &search) < 0)
			return;
	}
	if (berth_ports_is_ready(&supervisor->ports))
		berth_supervisor_settle(supervisor);
	else
		berth_supervisor_check_all(supervisor);
}
