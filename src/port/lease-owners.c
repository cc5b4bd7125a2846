/* SPDX-License-Identifier: MIT */
/*
 * port/lease-owners.c - the sockets of the service on a leased port: found, and kept over a restart
 *
 * Keeping. A listening socket outlives the process that listened: our duplicate goes on taking
 * clients into its queue, and the next process of the service gets that very socket in bind() and
 * serves them. Nobody is refused meanwhile, if the queue is long enough: a service that asks for 5
 * would have its clients try again after a second.
 */
#include "port/lease.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>

#include "os/sockdiag.h"

enum {
	LONG_QUEUE = 4096, /* the kernel cuts it to net.core.somaxconn */
	FIRST_SIZE = 2, /* most services have one socket, or one of each family */
};

/* Whose ports a socket bound to @addr takes. */
static unsigned int families_of(const struct berth_addr *addr, bool v6only)
{
	if (addr->sa.sa_family == AF_INET || berth_addr_is_v4mapped(addr))
		return BERTH_LEASE_V4;
	return berth_addr_is_any(addr) && !v6only ? BERTH_LEASE_V4 | BERTH_LEASE_V6
						  : BERTH_LEASE_V6;
}

static bool has_address(const struct berth_lease_owner *owner, const struct berth_addr *addr)
{
	struct berth_addr theirs = owner->addr;

	berth_addr_set_port(&theirs, berth_addr_port(addr));
	return berth_addr_equal(&theirs, addr);
}

struct berth_lease_owner *berth_lease_find_owner(struct berth_lease *lease, uint64_t inode)
{
	for (size_t i = 0; i < lease->owner_size; i++)
		if (lease->owners[i].fd >= 0 && lease->owners[i].inode == inode)
			return &lease->owners[i];
	return NULL;
}

struct berth_lease_owner *berth_lease_find_conflict(struct berth_lease *lease,
						    const struct berth_addr *addr, bool v6only)
{
	unsigned int families = families_of(addr, v6only);
	bool wildcard = berth_addr_is_any(addr);

	for (size_t i = 0; i < lease->owner_size; i++) {
		struct berth_lease_owner *owner = &lease->owners[i];

		if (owner->fd < 0 || !(owner->families & families))
			continue;
		if (wildcard || owner->wildcard || has_address(owner, addr))
			return owner;
	}
	return NULL;
}

struct berth_lease_owner *berth_lease_find_kept(struct berth_lease *lease,
						const struct berth_addr *addr, bool v6only,
						int protocol)
{
	for (size_t i = 0; i < lease->owner_size; i++) {
		struct berth_lease_owner *owner = &lease->owners[i];

		if (owner->fd >= 0 && owner->kept && owner->v6only == v6only &&
		    owner->protocol == protocol && has_address(owner, addr) &&
		    berth_sock_get(owner->fd, SOL_SOCKET, SO_BINDTOIFINDEX) == 0)
			return owner;
	}
	return NULL;
}

void berth_lease_raise_queue(const struct berth_lease_owner *owner)
{
	/* It listens already: with a shorter queue, if this should fail. */
	(void)!berth_sock_listen(owner->fd, LONG_QUEUE);
}

void berth_lease_keep(struct berth_lease *lease, struct berth_lease_owner *owner)
{
	/* A member can't begin to listen again without the others' leave. */
	if (owner->grouped && berth_lease_has_gone_unseen(owner))
		berth_lease_leave_group(lease, owner);
	if (!owner->listening)
		return;
	owner->kept = true;
	/* At worst the others go on serving what could wait here. */
	if (owner->avoided)
		(void)!berth_lease_avoid(lease, owner, false);
	berth_lease_raise_queue(owner);
}

void berth_lease_unkeep(struct berth_lease *lease, struct berth_lease_owner *owner)
{
	(void)lease;
	owner->kept = false;
}

unsigned int berth_lease_waiting(const struct berth_lease_owner *owner)
{
	struct tcp_info info = { 0 };
	socklen_t len = sizeof(info);

	if (!owner->listening || getsockopt(owner->fd, IPPROTO_TCP, TCP_INFO, &info, &len) < 0)
		return 0;
	/* Of a listener this is the length of its queue (tcp_get_info). */
	return info.tcpi_unacked;
}

static int note_any(const struct berth_sockdiag_entry *entry, void *arg)
{
	return 1;
}

bool berth_lease_has_handshakes(const struct berth_lease *lease)
{
	const struct berth_sockdiag_query query = {
		.family = AF_UNSPEC,
		.protocol = IPPROTO_TCP,
		.states = BERTH_SOCKDIAG_HANDSHAKE,
		.port_lo = lease->port,
		.port_hi = lease->port,
	};

	return berth_sockdiag_each(&query, note_any, NULL) > 0;
}

static struct berth_lease_owner *free_slot(struct berth_lease *lease)
{
	for (size_t i = 0; i < lease->owner_size; i++)
		if (lease->owners[i].fd < 0)
			return &lease->owners[i];
	return NULL;
}

static int grow(struct berth_lease *lease)
{
	size_t size = lease->owner_size ? lease->owner_size * 2 : FIRST_SIZE;
	struct berth_lease_owner *owners;

	if (size > BERTH_LEASE_OWNERS_MAX)
		return BERTH_LEASE_E_FULL;
	owners = reallocarray(lease->owners, size, sizeof(*owners));
	if (!owners)
		return -ENOMEM;
	for (size_t i = lease->owner_size; i < size; i++)
		owners[i] = (struct berth_lease_owner){ .fd = -1 };
	lease->owners = owners;
	lease->owner_size = size;
	return 0;
}

int berth_lease_reserve_owner(struct berth_lease *lease, int fd,
			      struct berth_lease_owner **ret_owner, int *ret_fd)
{
	int r = free_slot(lease) ? 0 : grow(lease);
	int duplicate;

	if (r)
		return r;
	duplicate = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	if (duplicate < 0)
		return -errno;
	*ret_owner = free_slot(lease);
	*ret_fd = duplicate;
	return 0;
}

struct berth_lease_owner berth_lease_describe_owner(const struct berth_lease *lease, int fd,
						    const struct berth_addr *addr)
{
	bool v6only =
		addr->sa.sa_family == AF_INET6 && berth_sock_get(fd, IPPROTO_IPV6, IPV6_V6ONLY) > 0;
	int flags = fcntl(fd, F_GETFL);
	struct berth_lease_owner owner = {
		.addr = *addr,
		.fd = -1,
		.protocol = berth_sock_get(fd, SOL_SOCKET, SO_PROTOCOL),
		.inode = berth_sock_inode(fd),
		.families = (uint8_t)families_of(addr, v6only),
		/* On an interface of its own it leaves all the others open. */
		.wildcard = berth_addr_is_any(addr) &&
			    berth_sock_get(fd, SOL_SOCKET, SO_BINDTOIFINDEX) == 0,
		.v6only = v6only,
		.reuseport = berth_sock_get(fd, SOL_SOCKET, SO_REUSEPORT) > 0,
		.nonblock_at_bind = flags >= 0 && (flags & O_NONBLOCK),
	};

	berth_addr_set_port(&owner.addr, lease->port);
	return owner;
}
