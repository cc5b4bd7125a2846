/* SPDX-License-Identifier: MIT */
/*
 * port/lease-group.c - several sockets of the service on one address, and nobody else's among them
 *
 * Theory of operation. Sockets with SO_REUSEPORT that listen on one address are a group of the
 * kernel's, which spreads clients over them by a hash. It lets in every program of the same user
 * that sets the option. Two things keep others out:
 *
 * The guard. A bind() meets every socket whose address overlaps, and one without SO_REUSEPORT is
 * enough to refuse it. Holders are that: they stand beside a group, in both families, and where an
 * owner had replaced one, it is put back. Members can't be it, since lookup asks the option of them.
 *
 * The short cut (tb->fastreuseport). Each bind() and listen() with SO_REUSEPORT leaves its address
 * and user with the number; whoever comes with the same user, SO_REUSEPORT, and an address that
 * "matches" is let in unseen, past all guards (sk_reuseport_match). A wildcard matches nearly all.
 * Only a socket that does not match is looked at, and then its address takes the place of the one
 * before (inet_csk_update_fastreuse). So the last word must be ours: throw-away sockets on addresses
 * that no machine has (IP_FREEBIND), and the short cut leads to where nobody's clients are.
 *
 *   left by           2001:db8::1, V6ONLY   then 192.0.2.1
 *   0.0.0.0           does not match        does not match the one before
 *   one address       does not match        does not match the one before
 *   [::] V6ONLY       matches               does not match
 *   [::]              matches               matches
 *
 * [::] of both families is matched by all that could follow it, so it must never be left: a primer
 * on [::] with V6ONLY comes before, which it matches, and so it is taken unseen.
 *
 * For the time of one call all our sockets on the number have SO_REUSEPORT: an open moment, for
 * programs of the same user that set the option. One that is bound in it and listens later is
 * refused then, since listen() asks again. Whether all of it has worked is asked in the end: by
 * bind(), as a stranger would do it, and of sock_diag(7), who listens. If somebody could join, or
 * has, the group is open, and we say so.
 *
 * Who of the members gets a client: lease-spread.c.
 */
#include "port/lease.h"

#include <errno.h>
#include <netinet/in.h>
#include <sys/stat.h>

#include "os/sockdiag.h"

enum {
	SEAL_TRIES = 16
};

/* One call for which all that is ours on the number lets others of ours in. */
struct opening {
	struct berth_lease_owner member; /* for whom, or what it is going to be */
	uid_t uid; /* of the member: sockets share with those of the same user alone */
	int primer; /* owned; -1: not needed */
	bool guarded; /* holders stand in both families */
};

static int set_option(int fd, int option, bool on)
{
	return berth_sock_set(fd, SOL_SOCKET, option, on);
}

/* Unbound, of @uid (if we may), and willing to share. */
static int new_sharer(int family, bool v6only, uid_t uid)
{
	BERTH_AUTO_FD int fd = berth_sock_new(family, SOCK_STREAM, 0);
	int r = 0;

	if (fd < 0)
		return fd;
	if (family == AF_INET6)
		r = berth_sock_set(fd, IPPROTO_IPV6, IPV6_V6ONLY, v6only);
	if (r == 0)
		r = set_option(fd, SO_REUSEADDR, true);
	if (r == 0)
		r = set_option(fd, SO_REUSEPORT, true);
	if (r == 0)
		r = berth_sock_set(fd, IPPROTO_IP, IP_FREEBIND, 1);
	/* Another user's, and we are not root: bind() says so where it matters. */
	if (r == 0 && uid != geteuid())
		(void)!fchown(fd, uid, (gid_t)-1);
	return r < 0 ? r : berth_fd_steal(&fd);
}

static int bind_sharer(const struct berth_addr *addr, bool v6only, uid_t uid, int *ret_fd)
{
	BERTH_AUTO_FD int fd = new_sharer(addr->sa.sa_family, v6only, uid);
	int r;

	if (fd < 0)
		return fd;
	r = berth_sock_bind(fd, addr);
	if (r == 0)
		*ret_fd = berth_fd_steal(&fd);
	return r;
}

/* 192.0.2.@last, which no machine has (RFC 5737). */
static struct berth_addr nowhere(const struct berth_lease *lease, uint8_t last)
{
	struct berth_addr addr = berth_addr_any(AF_INET, lease->port);

	addr.in.sin_addr.s_addr = htonl(0xc0000200 | last);
	return addr;
}

/* See "The short cut" above. If it fails, the group is open, which is asked in the end. */
static void say_last_words(const struct berth_lease *lease, uid_t uid)
{
	static const struct in6_addr nowhere6 = {
		/* RFC 3849 */
		.s6_addr = { 0x20, 0x01, 0x0d, 0xb8, [15] = 1 },
	};
	struct berth_addr addr6 = berth_addr_any(AF_INET6, lease->port);
	struct berth_addr addr4 = nowhere(lease, 1);
	BERTH_AUTO_FD int fd6 = -1;
	BERTH_AUTO_FD int fd4 = -1;

	addr6.in6.sin6_addr = nowhere6;
	if (lease->means.ipv6)
		(void)!bind_sharer(&addr6, true, uid, &fd6);
	(void)!bind_sharer(&addr4, false, uid, &fd4);
}

static void put_back_holder(struct berth_lease *lease, int family, int *holder,
			    struct opening *opening)
{
	struct berth_addr any = berth_addr_any(family, lease->port);

	if (*holder >= 0)
		return;
	if (bind_sharer(&any, true, opening->uid, holder) < 0)
		opening->guarded = false;
	/* What it leaves must not be what the member matches. */
	say_last_words(lease, opening->uid);
}

/* Holders also have SO_REUSEADDR: they may be of another user than the member. */
static void set_sharing(const struct berth_lease *lease, bool on)
{
	const int holders[] = { lease->holder4, lease->holder6 };
	int r = 0;

	for (size_t i = 0; i < BERTH_ARRAY_SIZE(holders); i++) {
		if (holders[i] < 0)
			continue;
		r |= set_option(holders[i], SO_REUSEADDR, on || lease->soft);
		r |= set_option(holders[i], SO_REUSEPORT, on);
	}
	for (size_t i = 0; i < lease->owner_size; i++)
		if (lease->owners[i].fd >= 0 && !lease->owners[i].grouped)
			r |= set_option(lease->owners[i].fd, SO_REUSEPORT, on);
	(void)r; /* if one of them fails, so does the call that follows, or the last question */
}

static bool is_dual_stack(const struct berth_lease_owner *member)
{
	return member->families == (BERTH_LEASE_V4 | BERTH_LEASE_V6);
}

static void open_for(struct berth_lease *lease, struct opening *opening)
{
	struct berth_addr any6 = berth_addr_any(AF_INET6, lease->port);

	set_sharing(lease, true);
	put_back_holder(lease, AF_INET, &lease->holder4, opening);
	if (lease->means.ipv6)
		put_back_holder(lease, AF_INET6, &lease->holder6, opening);
	if (is_dual_stack(&opening->member))
		(void)!bind_sharer(&any6, true, opening->uid, &opening->primer);
}

static int note_stranger(const struct berth_sockdiag_entry *entry, void *lease)
{
	return entry->inode && !berth_lease_find_owner(lease, entry->inode);
}

/* One who came and listened in the open moment has a share of the clients. */
static bool has_stranger(struct berth_lease *lease)
{
	const struct berth_sockdiag_query query = {
		.family = AF_UNSPEC,
		.protocol = IPPROTO_TCP,
		.states = BERTH_SOCKDIAG_LISTEN,
		.port_lo = lease->port,
		.port_hi = lease->port,
	};

	return berth_sockdiag_each(&query, note_stranger, lease) > 0;
}

static bool lets_in(const struct berth_addr *addr, bool v6only, uid_t uid)
{
	BERTH_AUTO_FD int fd = -1;

	return bind_sharer(addr, v6only, uid, &fd) != -EADDRINUSE;
}

/*
 * Our last word is the last if the short cut leads there, and not to its neighbour, as a wildcard
 * would. Then a stranger meets the guard.
 */
static bool is_sealed(const struct berth_lease *lease, const struct opening *opening)
{
	const struct berth_lease_owner *member = &opening->member;
	struct berth_addr ours = nowhere(lease, 1), neighbour = nowhere(lease, 2);

	return lets_in(&ours, false, opening->uid) && !lets_in(&neighbour, false, opening->uid) &&
	       !lets_in(&member->addr, member->v6only, opening->uid);
}

/*
 * Returns whether nobody else could join. A stranger who binds between our last word and the shutting
 * has the last word: then it is said again.
 */
static bool shut(struct berth_lease *lease, struct opening *opening)
{
	bool sealed = false;

	for (int i = 0; i < SEAL_TRIES && !sealed; i++) {
		set_sharing(lease, true);
		say_last_words(lease, opening->uid);
		berth_fd_close(&opening->primer);
		set_sharing(lease, false);
		sealed = is_sealed(lease, opening);
	}
	return sealed && opening->guarded && !has_stranger(lease);
}

static struct opening opening_for(const struct berth_lease_owner *member, int fd)
{
	struct stat st;

	return (struct opening){
		.member = *member,
		.uid = fstat(fd, &st) == 0 ? st.st_uid : geteuid(),
		.primer = -1,
		.guarded = true,
	};
}

bool berth_lease_has_group(const struct berth_lease *lease)
{
	for (size_t i = 0; i < lease->owner_size; i++)
		if (lease->owners[i].fd >= 0 && lease->owners[i].grouped)
			return true;
	return false;
}

/* One that was bound alone becomes a member; if it listens, it is the first. */
static void take_in(struct berth_lease *lease, const struct berth_lease_owner *member, int fd)
{
	for (size_t i = 0; i < lease->owner_size; i++)
		if (berth_lease_is_same_group(member, fd, &lease->owners[i]))
			lease->owners[i].grouped = true;
}

static int refuse(struct berth_lease *lease, int fd, const struct berth_lease_owner *owner,
		  int reuse, int r)
{
	int ignored = set_option(fd, SO_REUSEADDR, reuse > 0);

	ignored |= set_option(fd, SO_REUSEPORT, owner->reuseport);
	(void)ignored; /* the bind has failed, and its error is what the service hears */
	/* Nothing of the service is there: so it was a stranger in the open moment. */
	return r == -EADDRINUSE && !berth_lease_find_conflict(lease, &owner->addr, owner->v6only)
		       ? BERTH_LEASE_E_TAKEN
		       : r;
}

int berth_lease_join(struct berth_lease *lease, int fd, const struct berth_addr *addr)
{
	struct berth_lease_owner *slot, owner = berth_lease_describe_owner(lease, fd, addr);
	struct opening opening = opening_for(&owner, fd);
	int reuse = berth_sock_get(fd, SOL_SOCKET, SO_REUSEADDR);
	BERTH_AUTO_FD int duplicate = -1;
	bool sealed;
	int r;

	if (lease->type != SOCK_STREAM)
		return -EOPNOTSUPP;
	r = berth_lease_reserve_owner(lease, fd, &slot, &duplicate);
	if (r)
		return r;
	open_for(lease, &opening);
	r = set_option(fd, SO_REUSEADDR, true);
	if (r == 0)
		r = set_option(fd, SO_REUSEPORT, true);
	if (r == 0)
		r = berth_sock_bind(fd, &owner.addr);
	if (r == 0)
		take_in(lease, &owner, fd);
	sealed = shut(lease, &opening);
	lease->mixed_up |= !sealed;
	if (r < 0)
		return refuse(lease, fd, &owner, reuse, r);
	owner.fd = berth_fd_steal(&duplicate);
	owner.grouped = true;
	*slot = owner;
	return sealed ? 0 : BERTH_LEASE_OPEN_GROUP;
}

int berth_lease_listen_in_group(struct berth_lease *lease, struct berth_lease_owner *owner,
				int backlog)
{
	struct opening opening = opening_for(owner, owner->fd);
	bool sealed;
	int r;

	open_for(lease, &opening);
	r = set_option(owner->fd, SO_REUSEADDR, true);
	if (r == 0)
		r = berth_sock_listen(owner->fd, backlog);
	sealed = shut(lease, &opening);
	if (r < 0) {
		if (!owner->grouped && set_option(owner->fd, SO_REUSEADDR, lease->soft) < 0)
			return r;
		return r == -EADDRINUSE ? BERTH_LEASE_E_TAKEN : r;
	}
	lease->mixed_up |= !sealed;
	berth_lease_enter_group(lease, owner);
	return sealed ? 0 : BERTH_LEASE_OPEN_GROUP;
}
