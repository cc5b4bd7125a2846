/* SPDX-License-Identifier: MIT */
/*
 * port/lease.c - one port, kept from everybody else by sockets that are bound to it
 *
 * Theory of operation. The kernel decides who gets a port in bind(2), and once more in listen(2): a
 * TCP socket conflicts with every other one on the same number whose address and interface overlap,
 * unless both have SO_REUSEADDR and neither listens, or both have SO_REUSEPORT and one user
 * (inet_csk_bind_conflict). A lease plays this rule.
 *
 * Holding. A pair of holders, 0.0.0.0 and [::] with IPV6_V6ONLY, both *without* SO_REUSEADDR, never
 * listening: they conflict with everybody, on any address, and keep the number out of bind(0) and
 * connect(). A pair, and not one dual-stack socket, lets an owner of one family in while the other
 * stays shut.
 *
 * The bucket. The kernel keeps a short cut per number (tb->fastreuse, tb->fastreuseport), set by
 * the first socket there and cleared by one without the option: while it stands, nobody's conflicts
 * are looked at. So the first socket on a number must be one without SO_REUSEADDR. In TIME_WAIT
 * such a bind fails; then a dummy on 127.255.255.254 (an address that nobody's TIME_WAIT has)
 * clears the short cut, and the holders are bound with the option and have it taken off.
 * SO_REUSEPORT on an owner would open the number for every program of its user for as long as the
 * bucket lives: it is taken off before the owner is bound (a group needs it: lease-group.c).
 *
 * Handing over (berth_lease_bind, _listen) without privileges. SO_REUSEADDR is switched on at the
 * holders in the way and at the owner, the owner is bound, both are switched off: an open moment of
 * a few microseconds, in which a stranger with SO_REUSEADDR can slip in. For an owner on the
 * wildcard address the holder is then closed, so that nothing needs a second opening at listen();
 * whether a stranger is there is asked by listen(0) and shutdown() on the exclusive owner, which
 * leaves the port bound. For an owner on one address the wildcard holder stays, and opens once more
 * for listen().
 *
 * Handing over with CAP_NET_RAW. There is no open moment: sockets bound to two different interfaces
 * don't conflict, so owner and holder get the indexes of two interfaces that don't exist, for the
 * duration of the call. Of an IPv6 address the kernel wants the interface to exist and to have it:
 * loopback does; an owner on another single address takes the first way.
 *
 * Afterwards. SO_REUSEADDR goes on at a listening owner: its connections inherit it, and their
 * TIME_WAIT must not block the next start. Nobody gets in by that: a listening socket conflicts
 * regardless.
 *
 * The owner's end is its last close(), which nobody tells us. The duplicate keeps the port until
 * the caller has noticed. Then it is either kept, listening, for the next life (lease-owners.c), or
 * reclaimed: shutdown() ends the listening, the port stays bound, and the former owner is the new
 * holder.
 *
 * Several owners. On different addresses they are bound one by one as above. On the same one, for
 * workers that can't share a socket and for a generation that comes up beside the one before, they
 * join as a group of SO_REUSEPORT, and what keeps strangers out is another thing (lease-group.c):
 * from the first join on, holders stand beside the owners in both families.
 */
#include "port/lease.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <string.h>
#include <time.h>

/*
 * Two interface indexes that no machine has: they are handed out from 1 upwards, and 1 is
 * loopback's in every namespace.
 */
enum {
	INTERFACE_LOOPBACK = 1,
	INTERFACE_OWNER = 0x7ffffff1,
	INTERFACE_HOLDER = 0x7ffffff2,
};

enum {
	STRANGER_TRIES = 400, /* 20 ms in all, see wait_for_stranger() */
	STRANGER_PAUSE_NS = 50000,
	ANY_TRIES = 64,
};

static int set_reuse(int fd, bool on)
{
	return berth_sock_set(fd, SOL_SOCKET, SO_REUSEADDR, on);
}

static int set_interface(int fd, int index)
{
	return berth_sock_set(fd, SOL_SOCKET, SO_BINDTOIFINDEX, index);
}

struct berth_lease_means berth_lease_probe(void)
{
	BERTH_AUTO_FD int fd = berth_sock_new(AF_INET6, SOCK_STREAM, 0);
	struct berth_lease_means means = { .ipv6 = fd >= 0 };

	if (fd < 0)
		fd = berth_sock_new(AF_INET, SOCK_STREAM, 0);
	/* Setting an index needs no right since 5.7; taking it off again does (CAP_NET_RAW). */
	means.interfaces =
		fd >= 0 && set_interface(fd, INTERFACE_HOLDER) == 0 && set_interface(fd, 0) == 0;
	return means;
}

void berth_lease_init(struct berth_lease *lease, struct berth_lease_means means, int type)
{
	*lease = (struct berth_lease){ .type = type, .means = means, .holder4 = -1, .holder6 = -1 };
}

static int new_holder(int family, int type)
{
	int fd = berth_sock_new(family, type, 0);
	int r;

	if (fd < 0 || family != AF_INET6)
		return fd;
	r = berth_sock_set(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1);
	if (r < 0) {
		close(fd);
		return r;
	}
	return fd;
}

static int outcome_of_bind(int r)
{
	if (r == -EADDRINUSE)
		return BERTH_LEASE_E_TAKEN;
	if (r == -EACCES)
		return BERTH_LEASE_E_DENIED;
	return r;
}

/* Bind one holder; @reuse: with SO_REUSEADDR, taken off again. */
static int bind_holder(int family, int type, uint16_t port, bool reuse, int *ret_fd)
{
	struct berth_addr any = berth_addr_any(family, port);
	BERTH_AUTO_FD int fd = new_holder(family, type);
	int r;

	if (fd < 0)
		return fd;
	if (reuse) {
		r = set_reuse(fd, true);
		if (r < 0)
			return r;
	}
	r = berth_sock_bind(fd, &any);
	if (r < 0)
		return outcome_of_bind(r);
	if (reuse) {
		r = set_reuse(fd, false);
		if (r < 0)
			return r;
	}
	*ret_fd = berth_fd_steal(&fd);
	return 0;
}

static int bind_holders(struct berth_lease *lease, uint16_t port, bool reuse)
{
	BERTH_AUTO_FD int fd4 = -1;
	BERTH_AUTO_FD int fd6 = -1;
	int r;

	r = bind_holder(AF_INET, lease->type, port, reuse, &fd4);
	if (r)
		return r;
	if (lease->means.ipv6) {
		r = bind_holder(AF_INET6, lease->type, port, reuse, &fd6);
		if (r)
			return r;
	}
	lease->holder4 = berth_fd_steal(&fd4);
	lease->holder6 = berth_fd_steal(&fd6);
	lease->port = port;
	return 0;
}

/* See "The bucket" above. */
static int bind_holders_in_time_wait(struct berth_lease *lease, uint16_t port)
{
	BERTH_AUTO_FD int dummy = berth_sock_new(AF_INET, SOCK_STREAM, 0);
	struct berth_addr addr = berth_addr_loopback(AF_INET, port);
	int r;

	if (dummy < 0)
		return dummy;
	addr.in.sin_addr.s_addr = htonl(INADDR_LOOPBACK | 0x00fffffe); /* 127.255.255.254 */
	r = berth_sock_bind(dummy, &addr);
	if (r < 0)
		return outcome_of_bind(r);
	r = set_reuse(dummy, true);
	if (r < 0)
		return r;
	return bind_holders(lease, port, true);
}

void berth_lease_prober_init(struct berth_lease_prober *prober, int type)
{
	*prober = (struct berth_lease_prober){ .type = type, .fd = -1 };
}

void berth_lease_prober_deinit(struct berth_lease_prober *prober)
{
	berth_fd_close(&prober->fd);
}

bool berth_lease_prober_is_taken(struct berth_lease_prober *prober, uint16_t port)
{
	struct berth_addr any = berth_addr_any(AF_INET, port);
	int r;

	if (prober->fd < 0) {
		prober->fd = berth_sock_new(AF_INET, prober->type, 0);
		if (prober->fd < 0 || set_reuse(prober->fd, true) < 0)
			return false;
	}
	r = berth_sock_bind(prober->fd, &any);
	if (r == 0)
		berth_fd_close(&prober->fd);
	return r == -EADDRINUSE;
}

int berth_lease_take(struct berth_lease *lease, uint16_t port)
{
	int r;

	r = bind_holders(lease, port, false);
	if (r != BERTH_LEASE_E_TAKEN || lease->type != SOCK_STREAM)
		return r;
	return bind_holders_in_time_wait(lease, port);
}

int berth_lease_take_any(struct berth_lease *lease)
{
	int r = BERTH_LEASE_E_TAKEN;

	/* The kernel picks for one family; the other may be taken there. */
	for (int i = 0; i < ANY_TRIES && r == BERTH_LEASE_E_TAKEN; i++) {
		BERTH_AUTO_FD int fd = -1;
		struct berth_addr addr;

		r = bind_holder(AF_INET, lease->type, 0, false, &fd);
		if (r)
			return r;
		r = berth_sock_name(fd, &addr);
		if (r < 0)
			return r;
		if (lease->means.ipv6)
			r = bind_holder(AF_INET6, lease->type, berth_addr_port(&addr), false,
					&lease->holder6);
		if (r == 0) {
			lease->holder4 = berth_fd_steal(&fd);
			lease->port = berth_addr_port(&addr);
		}
	}
	return r;
}

/* The holders that stand in the way of an owner of @families. */
static size_t holders_of(const struct berth_lease *lease, unsigned int families, int ret_fds[2])
{
	size_t count = 0;

	if ((families & BERTH_LEASE_V4) && lease->holder4 >= 0)
		ret_fds[count++] = lease->holder4;
	if ((families & BERTH_LEASE_V6) && lease->holder6 >= 0)
		ret_fds[count++] = lease->holder6;
	return count;
}

/*
 * Two ways to let @fd pass its holders for the time of one call: the index that it gets meanwhile,
 * or 0 for SO_REUSEADDR. Of an IPv6 address that is not the wildcard, the kernel asks that the
 * interface exists and has the address.
 */
static int interface_for(const struct berth_lease *lease, int fd, const struct berth_addr *addr)
{
	/*
	 * An owner that asked for an interface of its own keeps it; MPTCP passes the option on too
	 * late.
	 */
	if (!lease->means.interfaces || lease->soft ||
	    berth_sock_get(fd, SOL_SOCKET, SO_PROTOCOL) == IPPROTO_MPTCP ||
	    berth_sock_get(fd, SOL_SOCKET, SO_BINDTOIFINDEX) != 0)
		return 0;
	if (addr->sa.sa_family == AF_INET ||
	    (berth_addr_is_any(addr) && !berth_addr_is_v4mapped(addr)))
		return INTERFACE_OWNER;
	return berth_addr_is_loopback(addr) || berth_addr_is_any(addr) ? INTERFACE_LOOPBACK : 0;
}

static void let_pass(const int *holders, size_t count, int fd, int interface)
{
	int r = 0;

	for (size_t i = 0; i < count; i++)
		r |= interface ? set_interface(holders[i], INTERFACE_HOLDER)
			       : set_reuse(holders[i], true);
	if (interface && count)
		r |= set_interface(fd, interface);
	/* Connections of the owner before, and their TIME_WAIT, are in the way without it. */
	r |= set_reuse(fd, true);
	(void)r; /* if one of them fails, so does the call that follows, and says why */
}

static void shut_again(const struct berth_lease *lease, const int *holders, size_t count, int fd,
		       int interface)
{
	int r = 0;

	if (interface && count)
		r |= set_interface(fd, 0);
	for (size_t i = 0; i < count; i++)
		r |= interface ? set_interface(holders[i], 0) : set_reuse(holders[i], lease->soft);
	(void)r;
}

/* listen(0), taken back by shutdown(): the port stays bound, and exclusive. */
static int ask_for_stranger(int fd, bool reuse)
{
	int r = reuse ? set_reuse(fd, true) : 0;

	if (r == 0)
		r = berth_sock_listen(fd, 0);
	if (reuse && set_reuse(fd, false) < 0)
		return 0;
	if (r == 0)
		shutdown(fd, SHUT_RDWR);
	return r;
}

/*
 * Did a stranger slip in? Asked of the exclusive owner. One that binds and closes in a loop is gone
 * within microseconds, and then nobody can follow it. One that stays is met again in listen(). The
 * connections of the owner before answer like a stranger, but give way to SO_REUSEADDR, which a
 * listener does not: asked that way once, at the second try, since it opens the port for a moment.
 * MPTCP sockets don't survive being asked.
 */
static void wait_for_stranger(int fd)
{
	const struct timespec pause = { .tv_nsec = STRANGER_PAUSE_NS };

	if (berth_sock_get(fd, SOL_SOCKET, SO_PROTOCOL) != IPPROTO_TCP)
		return;
	for (int i = 0; i < STRANGER_TRIES; i++) {
		if (ask_for_stranger(fd, i == 1) != -EADDRINUSE)
			return;
		nanosleep(&pause, NULL);
	}
}

/* A dual-stack socket that was reclaimed stands in both places. */
static bool is_one_socket(const struct berth_lease *lease)
{
	return lease->holder4 >= 0 && lease->holder6 >= 0 &&
	       berth_sock_inode(lease->holder4) == berth_sock_inode(lease->holder6);
}

/*
 * A holder for the family that a dual-stack one is about to leave. Both have SO_REUSEADDR
 * meanwhile: the connections of the owner before would be in the way of a plain bind(). If it
 * fails, a stranger was faster and that family is his.
 */
static void refill_holder(struct berth_lease *lease, int family)
{
	int *holder = family == AF_INET ? &lease->holder4 : &lease->holder6;
	BERTH_AUTO_FD int fd = -1;

	if (set_reuse(*holder, true) == 0)
		(void)!bind_holder(family, lease->type, lease->port, true, &fd);
	berth_fd_close(holder);
	*holder = berth_fd_steal(&fd);
}

/* The wildcard owner stands for the holders of its families from now on. */
static void close_holders(struct berth_lease *lease, unsigned int families)
{
	bool both = is_one_socket(lease);

	if (families & BERTH_LEASE_V4)
		berth_fd_close(&lease->holder4);
	else if (both)
		refill_holder(lease, AF_INET);
	if (families & BERTH_LEASE_V6)
		berth_fd_close(&lease->holder6);
	else if (both)
		refill_holder(lease, AF_INET6);
}

struct owner_options {
	int reuse, reuseport;
};

static struct owner_options take_options(int fd)
{
	struct owner_options options = {
		.reuse = berth_sock_get(fd, SOL_SOCKET, SO_REUSEADDR),
		.reuseport = berth_sock_get(fd, SOL_SOCKET, SO_REUSEPORT),
	};

	if (options.reuseport > 0 && berth_sock_set(fd, SOL_SOCKET, SO_REUSEPORT, 0) < 0)
		options.reuseport = 0;
	return options;
}

static void restore_options(int fd, struct owner_options options)
{
	int r = set_reuse(fd, options.reuse > 0);

	if (options.reuseport > 0)
		r |= berth_sock_set(fd, SOL_SOCKET, SO_REUSEPORT, 1);
	(void)r; /* the bind has failed, and its error is what the service hears */
}

int berth_lease_bind(struct berth_lease *lease, int fd, const struct berth_addr *addr)
{
	struct berth_lease_owner *slot, owner = berth_lease_describe_owner(lease, fd, addr);
	struct owner_options options;
	BERTH_AUTO_FD int duplicate = -1;
	bool replaces;
	int interface;
	int holders[2];
	size_t count;
	int r;

	r = berth_lease_reserve_owner(lease, fd, &slot, &duplicate);
	if (r)
		return r;
	interface = interface_for(lease, fd, addr);
	/* A UDP holder beside it would hear part of what is sent to the owner. */
	replaces = owner.wildcard && !lease->soft && (!interface || lease->type != SOCK_STREAM);
	count = holders_of(lease, owner.families, holders);
	options = take_options(fd);

	let_pass(holders, count, fd, interface);
	r = berth_sock_bind(fd, &owner.addr);
	if (r == 0 && !lease->soft)
		r = set_reuse(fd, false);
	shut_again(lease, holders, count, fd, interface);
	if (r < 0) {
		restore_options(fd, options);
		/* Nothing of the service is there: so it was a stranger in the open moment. */
		return r == -EADDRINUSE && !berth_lease_find_conflict(lease, addr, owner.v6only)
			       ? BERTH_LEASE_E_TAKEN
			       : r;
	}
	if (replaces) {
		close_holders(lease, owner.families);
		if (lease->type == SOCK_STREAM)
			wait_for_stranger(fd);
	}
	owner.fd = berth_fd_steal(&duplicate);
	*slot = owner;
	return 0;
}

int berth_lease_listen(struct berth_lease *lease, int fd, int backlog)
{
	struct berth_lease_owner *owner = berth_lease_find_owner(lease, berth_sock_inode(fd));
	int interface;
	int holders[2];
	size_t count;
	int r;

	if (!owner)
		return -ENOENT;
	owner->backlog = (unsigned int)backlog;
	if (owner->listening) /* only the backlog changes: nginx does it, and who got a kept one */
		return berth_sock_listen(fd, backlog);
	if (berth_lease_has_group(lease))
		return berth_lease_listen_in_group(lease, owner, backlog);
	interface = interface_for(lease, fd, &owner->addr);
	count = holders_of(lease, owner->families, holders);
	/* Without holders in the way the owner is exclusive, and nothing needs to be opened. */
	if (count)
		let_pass(holders, count, fd, interface);
	r = berth_sock_listen(fd, backlog);
	/*
	 * A stranger who is bound but does not listen gives way to whoever listens first, if both
	 * have SO_REUSEADDR.
	 */
	if (r == -EADDRINUSE && !count && set_reuse(fd, true) == 0)
		r = berth_sock_listen(fd, backlog);
	if (count)
		shut_again(lease, holders, count, fd, interface);
	if (r < 0) {
		if (set_reuse(fd, lease->soft) < 0)
			return r;
		return r == -EADDRINUSE ? BERTH_LEASE_E_TAKEN : r;
	}
	owner->listening = true;
	return set_reuse(fd, true);
}

void berth_lease_reclaim(struct berth_lease *lease, struct berth_lease_owner *owner)
{
	int *holder = owner->families & BERTH_LEASE_V4 ? &lease->holder4 : &lease->holder6;

	if (owner->listening)
		shutdown(owner->fd, SHUT_RDWR);
	berth_lease_leave_group(lease, owner);
	owner->listening = owner->kept = owner->avoided = false;
	/*
	 * A wildcard owner takes the place of the holders it had replaced. A dual-stack one stands
	 * in both families: it goes into holder4 and holder6 as two descriptors of one socket, each
	 * closed and switched for itself.
	 */
	if (owner->wildcard && *holder < 0 && set_reuse(owner->fd, lease->soft) == 0 &&
	    (!owner->grouped || berth_sock_set(owner->fd, SOL_SOCKET, SO_REUSEPORT, 0) == 0)) {
		if (owner->families == (BERTH_LEASE_V4 | BERTH_LEASE_V6) && lease->holder6 < 0)
			lease->holder6 = fcntl(owner->fd, F_DUPFD_CLOEXEC, 3);
		*holder = berth_fd_steal(&owner->fd);
	} else {
		berth_fd_close(&owner->fd);
	}
}

void berth_lease_drop_owner(struct berth_lease *lease, struct berth_lease_owner *owner)
{
	bool listened = owner->grouped && owner->listening;

	berth_lease_leave_group(lease, owner);
	/* It is a member until the service closes it, and nobody tells us when that is. */
	lease->mixed_up |= listened && berth_lease_has_listening_member(lease);
	berth_fd_close(&owner->fd);
}

void berth_lease_drop_owners(struct berth_lease *lease)
{
	for (size_t i = 0; i < lease->owner_size; i++)
		berth_fd_close(&lease->owners[i].fd);
	lease->mixed_up = false;
}

void berth_lease_leave(struct berth_lease *lease)
{
	int r = 0;

	for (size_t i = 0; i < lease->owner_size; i++)
		if (lease->owners[i].fd >= 0)
			r |= set_reuse(lease->owners[i].fd, false);
	(void)r;
	berth_lease_drop_owners(lease);
	berth_fd_close(&lease->holder4);
	berth_fd_close(&lease->holder6);
}

void berth_lease_soften(struct berth_lease *lease)
{
	int r = 0;

	lease->soft = true;
	if (lease->holder4 >= 0)
		r |= set_reuse(lease->holder4, true);
	if (lease->holder6 >= 0)
		r |= set_reuse(lease->holder6, true);
	(void)r;
}

void berth_lease_release(struct berth_lease *lease)
{
	berth_lease_drop_owners(lease);
	berth_fd_close(&lease->holder4);
	berth_fd_close(&lease->holder6);
	free(BERTH_STEAL(lease->owners));
	lease->owner_size = 0;
	lease->port = 0;
	lease->soft = false;
}

static bool is_bindable_in(int family, int type, uint16_t port)
{
	struct berth_addr any = berth_addr_any(family, port);
	BERTH_AUTO_FD int fd = new_holder(family, type);

	return fd >= 0 && set_reuse(fd, type == SOCK_STREAM) == 0 && berth_sock_bind(fd, &any) == 0;
}

bool berth_lease_is_bindable(uint16_t port, int type, struct berth_lease_means means)
{
	return is_bindable_in(AF_INET, type, port) &&
	       (!means.ipv6 || is_bindable_in(AF_INET6, type, port));
}
