/* SPDX-License-Identifier: MIT */
/*
 * app/sharing.c - several workers on one port
 *
 * The first worker's listening socket is put in the place of the second one's, and the kernel gives
 * each connection to whoever accepts first: no member's queue can be left behind. But O_NONBLOCK
 * belongs to the shared description. A program that waits in select() and then accepts, on a
 * blocking socket, would sit in accept() whenever another worker was faster, deaf to all else. So a
 * socket is shared only if it was seen to be non-blocking while the first worker used it, and if
 * the later worker's looks as the first one's did at its own bind(). Else each has its own, in a
 * SO_REUSEPORT group that nobody else can join (port/lease.h), and the kernel spreads by hash.
 */

#include "app/unit.h"

#include <errno.h>
#include <fcntl.h>

#include "app/supervisor.h"
#include "os/handover.h"

static bool is_nonblocking(int fd)
{
	int flags = fcntl(fd, F_GETFL);

	return flags >= 0 && (flags & O_NONBLOCK);
}

static void note(struct berth_unit *unit, enum berth_unit_sharing sharing)
{
	if (unit->sharing == sharing)
		return;
	unit->sharing = sharing;
	if (sharing == BERTH_UNIT_SHARES_OPEN_GROUP)
		berth_unit_say(unit,
			       "%s: its workers block in accept() and have a socket each on every "
			       "address of both families: other programs of this user could join",
			       unit->name);
	berth_unit_touch(unit);
}

static int share_socket(struct berth_unit *unit, struct berth_view *view,
			const struct berth_notify_call *call, int fd,
			const struct berth_lease_owner *owner, uint64_t *ret_inode)
{
	const struct berth_handover_spec spec = {
		.notify_fd = view->notify_fd,
		.call = call,
		.fd = fd,
		.kept = owner->fd,
		.shared = true,
	};
	int r = berth_handover(&spec);

	if (r > 0)
		berth_unit_verbose(unit, "worker %u gets a socket of its own: %s",
				   view->worker ? view->worker->number : 0, berth_handover_why(r));
	if (r == 0) {
		*ret_inode = owner->inode;
		note(unit, BERTH_UNIT_SHARES_SOCKET);
	}
	return r;
}

static int join_group(struct berth_unit *unit, size_t index, int fd, const struct berth_addr *addr,
		      uint64_t *ret_inode)
{
	int r = berth_lease_join(&unit->ports.port[index]->lease, fd, addr);

	if (r < 0)
		return r;
	if (r == BERTH_LEASE_E_TAKEN || r == BERTH_LEASE_E_FULL)
		return -EADDRINUSE;
	*ret_inode = berth_sock_inode(fd);
	note(unit,
	     r == BERTH_LEASE_OPEN_GROUP ? BERTH_UNIT_SHARES_OPEN_GROUP : BERTH_UNIT_SHARES_GROUP);
	return 0;
}

static bool is_same_place(const struct berth_lease_owner *owner, const struct berth_addr *addr,
			  int fd)
{
	struct berth_addr theirs = owner->addr;

	berth_addr_set_port(&theirs, berth_addr_port(addr));
	return berth_addr_equal(&theirs, addr) && berth_handover_fits(fd, owner->fd);
}

int berth_unit_share(struct berth_unit *unit, struct berth_view *view,
		     const struct berth_notify_call *call, size_t index, int fd,
		     const struct berth_addr *addr, bool v6only, uint64_t *ret_inode)
{
	const struct berth_lease_owner *owner =
		berth_lease_find_conflict(&unit->ports.port[index]->lease, addr, v6only);
	int r;

	/* A version that listens elsewhere gets a socket beside that of the one before. */
	if (owner && is_same_place(owner, addr, fd) && !owner->grouped &&
	    is_nonblocking(owner->fd) && owner->nonblock_at_bind == is_nonblocking(fd)) {
		r = share_socket(unit, view, call, fd, owner, ret_inode);
		if (r <= 0)
			return r;
	}
	return join_group(unit, index, fd, addr, ret_inode);
}
