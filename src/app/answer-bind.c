/* SPDX-License-Identifier: MIT */
/* app/answer-bind.c - the bind() and listen() of the service, on the ports that are its own */
#include "app/steering.h"

#include <errno.h>
#include <linux/capability.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/time.h"

enum {
	LOST_TRIES = 3, /* P14: how many numbers a bind() may lose to strangers */
	SAME_TRIES = 8, /* before it moves on from one of them */
	SAME_PAUSE_NS = 50 * 1000,
};

/* A port below the limit needs a right that we may have and the caller has given up. */
static bool may_bind(struct berth_unit *unit, const struct berth_notify_call *call, uint16_t port)
{
	struct berth_proc_status status;

	if (port >= unit->ports.unprivileged_start)
		return true;
	return berth_procfs_status(call->tid, &status) == 0 &&
	       (status.cap_eff & (1ULL << CAP_NET_BIND_SERVICE));
}

/*
 * --loopback: the wildcard becomes this machine. A dual-stack socket can have one address: that of
 * IPv4, which "localhost" always tries.
 */
static struct berth_addr to_loopback(const struct berth_addr *addr, int fd)
{
	struct berth_addr loopback = *addr;

	if (!berth_addr_is_any(addr))
		return loopback;
	if (addr->sa.sa_family == AF_INET) {
		loopback.in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	} else if (berth_sock_get(fd, IPPROTO_IPV6, IPV6_V6ONLY) > 0) {
		loopback.in6.sin6_addr = in6addr_loopback;
	} else {
		const uint8_t mapped[16] = { [10] = 0xff, 0xff, 127, 0, 0, 1 };

		memcpy(&loopback.in6.sin6_addr, mapped, sizeof(mapped));
	}
	return loopback;
}

/* Does the very tree of the caller have the socket @inode already? */
static bool has_itself(struct berth_unit *unit, const struct berth_view *view, uint64_t inode)
{
	unsigned int serial = view->worker ? view->worker->serial : 0;

	return !view->worker || berth_ports_find_inode(&unit->ports, inode, serial, NULL) >= 0;
}

/*
 * A live socket of the service stands where this one wants to be. Another worker's is shared
 * (sharing.c). The caller's own is the kernel's case, EADDRINUSE, unless both asked for
 * SO_REUSEPORT: then the second one gets the first one's socket, since a group of the kernel's would
 * be open to every program of this user.
 */
static int bind_beside(struct berth_unit *unit, struct berth_view *view,
		       const struct berth_notify_call *call, size_t index, int fd,
		       const struct berth_addr *addr, bool v6only, uint64_t *ret_inode)
{
	struct berth_lease_owner *owner =
		berth_lease_find_conflict(&unit->ports.port[index]->lease, addr, v6only);
	int r;

	if (!has_itself(unit, view, owner->inode))
		return berth_unit_share(unit, view, call, index, fd, addr, v6only, ret_inode);
	if (!owner->reuseport || berth_sock_get(fd, SOL_SOCKET, SO_REUSEPORT) <= 0)
		return -EADDRINUSE;
	r = berth_notify_replace_fd(view->notify_fd, call, owner->fd, true);
	if (r < 0)
		return r;
	*ret_inode = owner->inode;
	return 0;
}

/* The socket goes to a lease that has its number, or a kept one comes in its place. */
static int bind_to_lease(struct berth_unit *unit, struct berth_view *view,
			 const struct berth_notify_call *call, size_t index, int fd,
			 const struct berth_addr *addr, uint64_t *ret_inode)
{
	struct berth_port *port = unit->ports.port[index];
	bool v6only =
		addr->sa.sa_family == AF_INET6 && berth_sock_get(fd, IPPROTO_IPV6, IPV6_V6ONLY) > 0;
	int r;

	if (berth_lease_find_conflict(&port->lease, addr, v6only)) {
		berth_unit_check_users(unit, index);
		r = berth_unit_hand_over(unit, view, call, index, fd, addr, v6only, ret_inode);
		if (r)
			return r < 0 ? r : 0;
		if (berth_lease_find_conflict(&port->lease, addr, v6only))
			return bind_beside(unit, view, call, index, fd, addr, v6only, ret_inode);
	}
	*ret_inode = berth_sock_inode(fd);
	r = berth_lease_bind(&port->lease, fd, addr);
	if (r != BERTH_LEASE_E_FULL)
		return r;
	/* Some of the many it has had may be closed by now. */
	berth_unit_check_users(unit, index);
	return berth_lease_bind(&port->lease, fd, addr);
}

static void note_bind(struct berth_unit *unit, const struct berth_view *view,
		      const struct berth_notify_call *call, size_t index, uint16_t number,
		      uint64_t inode)
{
	struct berth_steer_port *steer = &unit->ports.steer[index];
	struct berth_port *port = unit->ports.port[index];
	struct berth_port_user *user = berth_ports_add_user(
		&unit->ports, index, inode, view->worker ? view->worker->serial : 0);

	steer->live = true;
	if (!steer->claimed)
		steer->claimed = number;
	berth_steer_port_add_asked(steer, number);
	if (user)
		berth_unit_note_user(unit, user, call);
	/* An extra port has no holder: its own socket, made exclusive, is all that keeps it. */
	if (steer->kind != BERTH_STEER_DECLARED)
		berth_lease_leave(&port->lease);
	if (!port->claimed)
		berth_registry_claim_port(&unit->supervisor->registry, steer->given, unit->id);
	port->claimed = true;
	berth_unit_verbose(unit, "bind(%u) of process %d: port %u (%s, %s)", number, call->tid,
			   steer->given, port->name, berth_port_reason_name(port->reason));
	berth_unit_touch(unit);
}

/*
 * A stranger in the open moment is gone as fast as he came, if he is one that tries and closes: the
 * holders are shut again, and nobody follows him. So the number is tried a few times, for well
 * below a millisecond, before it is given up.
 */
static int insist(struct berth_unit *unit, struct berth_view *view,
		  const struct berth_notify_call *call, size_t index, int fd,
		  const struct berth_addr *addr, uint64_t *ret_inode)
{
	const struct timespec pause = { .tv_nsec = SAME_PAUSE_NS };
	int r = BERTH_LEASE_E_TAKEN;

	for (int tries = 0; tries < SAME_TRIES && r == BERTH_LEASE_E_TAKEN; tries++) {
		if (tries)
			nanosleep(&pause, NULL);
		r = bind_to_lease(unit, view, call, index, fd, addr, ret_inode);
	}
	return r;
}

/*
 * What a remembered number promised does not hold: the program asks for another one this time. The
 * lease starts anew with that.
 */
static void forget_promise(struct berth_unit *unit, size_t index, uint16_t number)
{
	struct berth_steer_port *steer = &unit->ports.steer[index];

	if (!steer->remembered || steer->claimed || steer->given == number ||
	    berth_steer_port_is_asked(steer, number))
		return;
	berth_registry_unclaim_port(&unit->supervisor->registry, steer->given, unit->id);
	unit->ports.port[index]->claimed = false;
	berth_lease_release(&unit->ports.port[index]->lease);
	steer->remembered = false;
	steer->given = 0;
	steer->asked_count = 0;
}

/*
 * Bind to row @index, moving on to the next number where a stranger was faster. Returns what the
 * caller hears, 0 or -errno, or E_TAKEN: try again later.
 */
static int bind_row(struct berth_unit *unit, struct berth_view *view,
		    const struct berth_notify_call *call, size_t index, int fd,
		    const struct berth_addr *addr, bool patient, uint64_t *ret_inode)
{
	struct berth_ports *ports = &unit->ports;
	uint16_t number = berth_addr_port(addr);
	struct berth_err err = { 0 };
	int r = BERTH_LEASE_E_TAKEN;

	forget_promise(unit, index, number);
	for (int tries = 0; tries < LOST_TRIES && r == BERTH_LEASE_E_TAKEN; tries++) {
		bool lost = tries > 0;

		if (!ports->steer[index].asked_count)
			berth_steer_port_add_asked(&ports->steer[index], number);
		if (!ports->steer[index].given) {
			r = berth_ports_lease_one(ports, index, number, lost, &err);
			if (r) {
				berth_unit_say(unit, "%s", err.msg);
				return -EADDRINUSE;
			}
		}
		if (!may_bind(unit, call, ports->steer[index].given))
			return -EACCES;
		r = insist(unit, view, call, index, fd, addr, ret_inode);
		/*
		 * This number or none; or it has been told already. It is tried again, for a while.
		 */
		if (r == BERTH_LEASE_E_TAKEN &&
		    (unit->job->wish.strict || (ports->port[index]->announced && patient)))
			return r;
		if (r == BERTH_LEASE_E_TAKEN) {
			berth_lease_release(&ports->port[index]->lease);
			ports->steer[index].given = 0;
		}
	}
	return r == BERTH_LEASE_E_TAKEN ? -EADDRINUSE : r;
}

/*
 * Takes the row that the verdict means, or makes one; -1: there are too many, the kernel shall do
 * it.
 */
static int row_of(struct berth_unit *unit, struct berth_steer_verdict verdict, uint16_t number)
{
	struct berth_ports *ports = &unit->ports;
	char name[BERTH_PORT_NAME_MAX];
	bool tool = verdict.action == BERTH_STEER_NEW_TOOL;
	int index;

	if (verdict.action == BERTH_STEER_PORT)
		return (int)verdict.port;
	/* Rows of extra ports go with their sockets; that is noticed when there is need. */
	if (ports->count == BERTH_PORTS_MAX)
		berth_unit_check_all(unit);
	snprintf(name, sizeof(name), "%s-%u", tool ? "tool" : "extra", number);
	index = berth_ports_add(ports, tool ? BERTH_STEER_TOOL : BERTH_STEER_EXTRA, name, number);
	return index;
}

/* QUIC and its like: the UDP twin of a TCP port has the same number, and no lease of its own. */
static int bind_udp_twin(struct berth_unit *unit, size_t index, int fd,
			 const struct berth_addr *addr)
{
	struct berth_addr target = *addr;

	berth_addr_set_port(&target, unit->ports.steer[index].given);
	return berth_sock_bind(fd, &target);
}

static void answer_bind(struct berth_unit *unit, struct berth_view *view,
			const struct berth_notify_call *call, int fd, struct berth_addr *addr,
			int64_t deadline_ns)
{
	struct berth_socket_facts facts = berth_steering_facts(unit, fd);
	const struct berth_steer_view steer = berth_steering_view(unit);
	struct berth_steer_bind bind = {
		.number = berth_addr_port(addr),
		.udp = facts.udp,
		.multicast = berth_addr_is_multicast(addr),
		.reuse = facts.udp && (berth_sock_get(fd, SOL_SOCKET, SO_REUSEADDR) > 0 ||
				       berth_sock_get(fd, SOL_SOCKET, SO_REUSEPORT) > 0),
	};
	struct berth_steer_verdict verdict;
	uint64_t inode = berth_sock_inode(fd);
	int index, r;

	if ((!facts.tcp && !facts.udp) || facts.foreign_netns) {
		berth_notify_continue(view->notify_fd, call);
		return;
	}
	verdict = berth_steer_decide_bind(&steer, &bind);
	if (verdict.action == BERTH_STEER_PASS) {
		berth_notify_continue(view->notify_fd, call);
		return;
	}
	index = row_of(unit, verdict, bind.number);
	if (index < 0) {
		berth_notify_continue(view->notify_fd, call);
		return;
	}
	if (unit->job->loopback) {
		unit->ports.port[index]->narrowed |= berth_addr_is_any(addr);
		*addr = to_loopback(addr, fd);
	}
	if (facts.udp && !unit->ports.steer[index].udp)
		r = bind_udp_twin(unit, (size_t)index, fd, addr);
	else
		r = bind_row(unit, view, call, (size_t)index, fd, addr,
			     !deadline_ns || berth_time_mono_ns() < deadline_ns, &inode);
	if (r == BERTH_LEASE_E_FULL)
		r = bind_udp_twin(unit, (size_t)index, fd, addr);
	else if (r == 0)
		note_bind(unit, view, call, (size_t)index, bind.number, inode);
	else if (verdict.action != BERTH_STEER_PORT)
		berth_ports_drop(&unit->ports, (size_t)index);
	else if (r == BERTH_LEASE_E_TAKEN && berth_steering_defer(unit, view, call, deadline_ns))
		return;
	berth_notify_answer(view->notify_fd, call, r > 0 ? -EADDRINUSE : r);
}

void berth_steering_on_bind(struct berth_unit *unit, struct berth_view *view,
			    const struct berth_notify_call *call, int64_t deadline_ns)
{
	struct berth_addr addr;
	BERTH_AUTO_FD int fd = -1;
	int r = berth_notify_read_addr(view->notify_fd, call, &addr);

	if (r == -ENOENT)
		return;
	if (r == -EPERM || r == -EACCES || r == -ESRCH)
		berth_steering_soften(
			view,
			"a process of it may not be looked into (not dumpable, or another user's)");
	if (r < 0 || !berth_addr_port(&addr)) {
		berth_notify_continue(view->notify_fd, call);
		return;
	}
	if (berth_steering_is_confined(unit, call)) {
		berth_steering_soften(view, "a process of it has confined itself with Landlock");
		berth_notify_continue(view->notify_fd, call);
		return;
	}
	fd = berth_steering_take_socket(unit, view, call);
	if (fd >= 0)
		answer_bind(unit, view, call, fd, &addr, deadline_ns);
}

/*
 * Of an extra port: its socket is exclusive and alone; as with a lease, its connections must not
 * block the next start.
 */
static int listen_extra(int fd, int backlog)
{
	int r = berth_sock_listen(fd, backlog);

	return r < 0 ? r : berth_sock_set(fd, SOL_SOCKET, SO_REUSEADDR, 1);
}

void berth_steering_on_listen(struct berth_unit *unit, struct berth_view *view,
			      const struct berth_notify_call *call, int64_t deadline_ns)
{
	BERTH_AUTO_FD int fd = berth_steering_take_socket(unit, view, call);
	struct berth_port_user *user;
	uint64_t inode;
	int index, r;

	if (fd < 0)
		return;
	inode = berth_sock_inode(fd);
	index = berth_ports_find_inode(&unit->ports, inode, view->worker ? view->worker->serial : 0,
				       &user);
	if (index < 0) {
		berth_notify_continue(view->notify_fd, call);
		return;
	}
	if (unit->ports.steer[index].kind == BERTH_STEER_DECLARED)
		r = berth_lease_listen(&unit->ports.port[index]->lease, fd, call->backlog);
	else
		r = listen_extra(fd, call->backlog);
	if (r == BERTH_LEASE_E_TAKEN && berth_steering_defer(unit, view, call, deadline_ns))
		return;
	if (r == BERTH_LEASE_OPEN_GROUP) {
		unit->sharing = BERTH_UNIT_SHARES_OPEN_GROUP;
		r = 0;
	}
	if (r == 0) {
		user->listening = true;
		berth_unit_note_user(unit, user, call);
		berth_unit_watch_listener(unit, (size_t)index, inode, user->pid);
		berth_unit_touch(unit);
	}
	berth_notify_answer(view->notify_fd, call, r > 0 ? -EADDRINUSE : r);
}
