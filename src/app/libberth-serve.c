/* SPDX-License-Identifier: MIT */
/* app/libberth-serve.c - the library: sockets on leased ports */
/*
 * The sockets that serve are made or bound here, so that a lease hands its number over to them as
 * it does for a steered service (port/lease.h), and they have the number without anybody else
 * having had it in between. The lease keeps a duplicate of each: its place in berth_hold_close() is
 * what makes the number a held one again.
 */
#include "app/libberth.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <string.h>
#include <time.h>

#include "base/parse.h"
#include "base/str.h"

enum {
	HANDOVER_TRIES = 100, /* 20 ms in all */
	HANDOVER_PAUSE_NS = 200000,
};

/* A stranger that loops is gone within microseconds; one that stays is not waited for long. */
static bool may_try_again(int *tries)
{
	const struct timespec pause = { .tv_nsec = HANDOVER_PAUSE_NS };

	if (++*tries > HANDOVER_TRIES)
		return false;
	nanosleep(&pause, NULL);
	return true;
}

static int serve_leased(struct berth_lease *lease, int fd, const struct berth_addr *addr,
			int backlog)
{
	struct berth_lease_owner *owner;
	int tries = 0;
	int r;

	do {
		r = berth_lease_bind(lease, fd, addr);
	} while (r == BERTH_LEASE_E_TAKEN && may_try_again(&tries));
	if (r != 0 || lease->type != SOCK_STREAM)
		return r;
	do {
		r = berth_lease_listen(lease, fd, backlog);
	} while (r == BERTH_LEASE_E_TAKEN && may_try_again(&tries));
	owner = berth_lease_find_owner(lease, berth_sock_inode(fd));
	if (r != 0 && owner)
		berth_lease_reclaim(lease, owner);
	return r;
}

/* As any server would. */
static int serve_granted(int fd, const struct berth_addr *addr, int backlog)
{
	int r;

	if (berth_sock_get(fd, SOL_SOCKET, SO_TYPE) != SOCK_STREAM)
		return berth_sock_bind(fd, addr);
	r = berth_sock_set(fd, SOL_SOCKET, SO_REUSEADDR, 1);
	if (r == 0)
		r = berth_sock_bind(fd, addr);
	return r < 0 ? r : berth_sock_listen(fd, backlog);
}

static bool is_v6only(int fd)
{
	return berth_sock_get(fd, IPPROTO_IPV6, IPV6_V6ONLY) > 0;
}

/* Do the two have an address in common? */
static bool overlap(const struct berth_libberth_served *one, const struct berth_addr *addr,
		    bool v6only)
{
	struct berth_addr a = berth_addr_unmapped(&one->addr), b = berth_addr_unmapped(addr);

	if (a.sa.sa_family == b.sa.sa_family)
		return berth_addr_equal(&a, &b) ||
		       (berth_addr_port(&a) == berth_addr_port(&b) &&
			(berth_addr_is_any(&a) || berth_addr_is_any(&b)));
	if (berth_addr_port(&a) != berth_addr_port(&b))
		return false;
	if (a.sa.sa_family == AF_INET6)
		return berth_addr_is_any(&a) && !one->v6only;
	return berth_addr_is_any(&b) && !v6only;
}

/*
 * Above us a second bind() to one place would not fail: as one of a service that wants another port,
 * it would be led to another number. So we tell it apart here, as a lease would. What the caller has
 * closed by himself is forgotten.
 */
static bool has_served(struct berth_hold *hold, const struct berth_addr *addr, bool v6only)
{
	for (size_t i = 0; i < BERTH_ARRAY_SIZE(hold->served); i++) {
		struct berth_libberth_served *served = &hold->served[i];

		if (served->inode && berth_sock_inode(served->fd) != served->inode)
			served->inode = 0;
		if (served->inode && overlap(served, addr, v6only))
			return true;
	}
	return false;
}

static struct berth_libberth_served *find_served(struct berth_hold *hold, uint64_t inode)
{
	for (size_t i = 0; i < BERTH_ARRAY_SIZE(hold->served); i++)
		if (hold->served[i].inode == inode)
			return &hold->served[i];
	return NULL;
}

static int serve_granted_once(struct berth_hold *hold, int fd, const struct berth_addr *addr,
			      int backlog)
{
	struct berth_libberth_served *slot;
	int r;

	if (has_served(hold, addr, is_v6only(fd)))
		return -EADDRINUSE;
	slot = find_served(hold, 0);
	if (!slot)
		return BERTH_LEASE_E_FULL;
	r = serve_granted(fd, addr, backlog);
	if (r == 0)
		*slot = (struct berth_libberth_served){ .inode = berth_sock_inode(fd),
							.fd = fd,
							.addr = *addr,
							.v6only = is_v6only(fd) };
	return r;
}

static int serve(struct berth_hold *hold, size_t index, int fd, const struct berth_addr *addr,
		 int backlog, struct berth_error *error)
{
	uint16_t port = hold->choice.ports.port[index];
	struct berth_addr target = *addr;
	char shown[BERTH_ADDR_STRLEN];
	int r;

	berth_addr_set_port(&target, port);
	if (hold->granted)
		r = serve_granted_once(hold, fd, &target, backlog);
	else
		r = serve_leased(&hold->choice.leases[index], fd, &target, backlog);
	if (r == 0)
		return 0;
	berth_addr_format(&target, shown);
	if (r == BERTH_LEASE_E_TAKEN)
		return berth_libberth_refuse(
			error, BERTH_E_TAKEN, "free the hold, and lease another number",
			"cannot bind to %s: somebody took it while it was handed over", shown);
	if (r == BERTH_LEASE_E_FULL)
		return berth_libberth_refuse(error, BERTH_E_USAGE, "",
					     "cannot bind to %s: port %u has %d sockets already",
					     shown, port, BERTH_LEASE_OWNERS_MAX);
	if (r == -EADDRINUSE && (!hold->granted || has_served(hold, &target, is_v6only(fd))))
		return berth_libberth_refuse(
			error, BERTH_E_USAGE, "end the former one by berth_hold_close()",
			"cannot bind to %s: a socket of this hold is there", shown);
	return berth_libberth_refuse(error,
				     r == -EACCES || r == -EPERM ? BERTH_E_DENIED : BERTH_E_SYSTEM,
				     "", "cannot bind to %s: %s", shown, strerror(-r));
}

/* "127.0.0.1", "::1", "fe80::1%eth0" */
static bool parse_address(const char *text, struct berth_addr *ret_addr)
{
	struct berth_addr addr = berth_addr_any(strchr(text, ':') ? AF_INET6 : AF_INET, 0);
	const char *scope = strchr(text, '%');
	char host[INET6_ADDRSTRLEN];
	uint64_t index;

	if (addr.sa.sa_family == AF_INET) {
		if (inet_pton(AF_INET, text, &addr.in.sin_addr) != 1)
			return false;
		*ret_addr = addr;
		return true;
	}
	if (!berth_str_copy(host, sizeof(host), text) && !scope)
		return false;
	if (scope) {
		if ((size_t)(scope - text) >= sizeof(host))
			return false;
		host[scope - text] = '\0';
		addr.in6.sin6_scope_id = if_nametoindex(scope + 1);
		if (addr.in6.sin6_scope_id == 0 &&
		    berth_parse_u64(scope + 1, INT32_MAX, &index) == 0)
			addr.in6.sin6_scope_id = (uint32_t)index;
		if (addr.in6.sin6_scope_id == 0)
			return false;
	}
	if (inet_pton(AF_INET6, host, &addr.in6.sin6_addr) != 1)
		return false;
	*ret_addr = addr;
	return true;
}

/* A socket for @addr; the wildcard of both families where there is IPv6. */
static int new_socket(const char *address, struct berth_addr *addr)
{
	int fd, r;

	if (address)
		return berth_sock_new(addr->sa.sa_family, SOCK_STREAM, 0);
	*addr = berth_addr_any(AF_INET6, 0);
	fd = berth_sock_new(AF_INET6, SOCK_STREAM, 0);
	if (fd == -EAFNOSUPPORT) {
		*addr = berth_addr_any(AF_INET, 0);
		return berth_sock_new(AF_INET, SOCK_STREAM, 0);
	}
	if (fd < 0)
		return fd;
	/* Whatever net.ipv6.bindv6only says. */
	r = berth_sock_set(fd, IPPROTO_IPV6, IPV6_V6ONLY, 0);
	if (r < 0) {
		close(fd);
		return r;
	}
	return fd;
}

static int refuse_name(const char *name, struct berth_error *error)
{
	char shown[64];

	return berth_libberth_refuse(error, BERTH_E_USAGE, "",
				     "no port of this hold is called '%s'",
				     berth_str_printable(name, (size_t)-1, shown, sizeof(shown)));
}

int berth_hold_listen(struct berth_hold *hold, const char *name, const char *address, int backlog,
		      struct berth_error *error)
{
	BERTH_AUTO_FD int fd = -1;
	struct berth_addr addr;
	char shown[128];
	size_t index;
	int r;

	if (!berth_libberth_find_port(hold, name, &index))
		return refuse_name(name, error);
	if (hold->choice.leases[index].type != SOCK_STREAM)
		return berth_libberth_refuse(error, BERTH_E_USAGE, "use berth_hold_bind()",
					     "cannot listen on port '%s': it is UDP",
					     hold->names[index]);
	if (address && !parse_address(address, &addr))
		return berth_libberth_refuse(
			error, BERTH_E_USAGE, "a numeric one: 127.0.0.1, ::1, fe80::1%eth0",
			"'%s' is no address to listen on",
			berth_str_printable(address, (size_t)-1, shown, sizeof(shown)));
	fd = new_socket(address, &addr);
	if (fd < 0)
		return berth_libberth_refuse(error, BERTH_E_SYSTEM, "", "cannot make a socket: %s",
					     strerror(-fd));
	r = serve(hold, index, fd, &addr, backlog, error);
	return r < 0 ? r : berth_fd_steal(&fd);
}

int berth_hold_bind(struct berth_hold *hold, const char *name, int fd,
		    const struct sockaddr *address, socklen_t address_len, int backlog,
		    struct berth_error *error)
{
	struct berth_addr addr;
	size_t index;

	if (!berth_libberth_find_port(hold, name, &index))
		return refuse_name(name, error);
	if (berth_addr_from_raw(address, address_len, &addr) < 0)
		return berth_libberth_refuse(error, BERTH_E_USAGE, "",
					     "cannot bind: this is no internet address");
	if (!hold->granted &&
	    berth_sock_get(fd, SOL_SOCKET, SO_TYPE) != hold->choice.leases[index].type)
		return berth_libberth_refuse(
			error, BERTH_E_USAGE, "", "cannot bind: port '%s' needs a %s socket",
			hold->names[index],
			hold->choice.leases[index].type == SOCK_STREAM ? "TCP" : "UDP");
	return serve(hold, index, fd, &addr, backlog, error);
}

int berth_hold_close(struct berth_hold *hold, int fd, struct berth_error *error)
{
	uint64_t inode = berth_sock_inode(fd);
	struct berth_libberth_served *served = inode ? find_served(hold, inode) : NULL;

	if (served) {
		served->inode = 0;
		shutdown(fd, SHUT_RDWR);
		close(fd);
		return 0;
	}
	for (size_t i = 0; i < hold->choice.count && inode; i++) {
		struct berth_lease *lease = &hold->choice.leases[i];
		struct berth_lease_owner *owner = berth_lease_find_owner(lease, inode);

		if (!owner)
			continue;
		close(fd);
		berth_lease_reclaim(lease, owner);
		return 0;
	}
	return berth_libberth_refuse(error, BERTH_E_USAGE, "",
				     "descriptor %d is no socket of this hold", fd);
}
