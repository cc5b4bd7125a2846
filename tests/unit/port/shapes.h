/* SPDX-License-Identifier: MIT */
/*
 * unit/port/shapes.h - who wants to get into a leased port, and who is let in: two tables, and what
 * every test of the lease does with them
 */
#pragma once

#include "port/lease.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <poll.h>
#include <string.h>

enum {
	PORT = 20000,
	DEADLINE_MS = 10000
};

/* A socket as somebody would set it up before bind(). */
struct shape {
	const char *what;
	int family;
	const char *host; /* NULL: the wildcard address */
	bool v6only, reuse, reuseport, mptcp, interface;
};

static const struct shape thieves[] = {
	{ "v4", AF_INET },
	{ "v4 with SO_REUSEADDR", AF_INET, .reuse = true },
	{ "v4 with SO_REUSEPORT", AF_INET, .reuseport = true },
	{ "v4 with both", AF_INET, .reuse = true, .reuseport = true },
	{ "127.0.0.1", AF_INET, "127.0.0.1", .reuse = true },
	{ "127.0.0.2", AF_INET, "127.0.0.2", .reuse = true, .reuseport = true },
	{ "v4 on an interface", AF_INET, .reuse = true, .interface = true },
	{ "127.0.0.1 on an interface", AF_INET, "127.0.0.1", .reuse = true, .interface = true },
	{ "v4 by MPTCP", AF_INET, .reuse = true, .mptcp = true },
	{ "v6 alone", AF_INET6, .v6only = true },
	{ "v6 alone with SO_REUSEADDR", AF_INET6, .v6only = true, .reuse = true },
	{ "v6 alone with SO_REUSEPORT", AF_INET6, .v6only = true, .reuseport = true },
	{ "dual-stack", AF_INET6 },
	{ "dual-stack with SO_REUSEADDR", AF_INET6, .reuse = true },
	{ "dual-stack with both", AF_INET6, .reuse = true, .reuseport = true },
	{ "::1", AF_INET6, "::1", .reuse = true },
	{ "::1 on an interface", AF_INET6, "::1", .reuse = true, .interface = true },
	{ "mapped 127.0.0.1", AF_INET6, "::ffff:127.0.0.1", .reuse = true },
	{ "dual-stack by MPTCP", AF_INET6, .reuse = true, .mptcp = true },
};

static const struct shape owners[] = {
	{ "v4", AF_INET },
	{ "v4 with SO_REUSEADDR", AF_INET, .reuse = true },
	{ "v4 with SO_REUSEPORT", AF_INET, .reuse = true, .reuseport = true },
	{ "127.0.0.1", AF_INET, "127.0.0.1" },
	{ "127.0.0.1 with SO_REUSEADDR", AF_INET, "127.0.0.1", .reuse = true },
	{ "v4 by MPTCP", AF_INET, .reuse = true, .mptcp = true },
	{ "v6 alone", AF_INET6, .v6only = true, .reuse = true },
	{ "dual-stack", AF_INET6 },
	{ "dual-stack with SO_REUSEADDR", AF_INET6, .reuse = true },
	{ "dual-stack with SO_REUSEPORT", AF_INET6, .reuseport = true },
	{ "::1", AF_INET6, "::1", .reuse = true },
	{ "mapped 127.0.0.1", AF_INET6, "::ffff:127.0.0.1", .reuse = true },
	{ "mapped 0.0.0.0", AF_INET6, "::ffff:0.0.0.0", .reuse = true },
	{ "dual-stack by MPTCP", AF_INET6, .mptcp = true },
};

/* By interfaces, and by SO_REUSEADDR. */
static const struct berth_lease_means means[] = {
	{ .ipv6 = true, .interfaces = true },
	{ .ipv6 = true, .interfaces = false },
};

static inline struct berth_addr addr_of(const struct shape *shape, uint16_t port)
{
	struct berth_addr addr = berth_addr_any(shape->family, port);

	if (shape->host)
		assert_int_equal(inet_pton(shape->family, shape->host,
					   shape->family == AF_INET ? (void *)&addr.in.sin_addr
								    : (void *)&addr.in6.sin6_addr),
				 1);
	return addr;
}

/* The socket, unbound; -1 where this kernel has no MPTCP. */
static inline int shaped(const struct shape *shape, int type)
{
	int fd = berth_sock_new(shape->family, type, shape->mptcp ? IPPROTO_MPTCP : 0);

	if (fd < 0 && shape->mptcp)
		return -1;
	assert_true(fd >= 0);
	if (shape->v6only)
		assert_int_equal(berth_sock_set(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1), 0);
	if (shape->reuse)
		assert_int_equal(berth_sock_set(fd, SOL_SOCKET, SO_REUSEADDR, 1), 0);
	if (shape->reuseport)
		assert_int_equal(berth_sock_set(fd, SOL_SOCKET, SO_REUSEPORT, 1), 0);
	if (shape->interface)
		assert_int_equal(
			berth_sock_set(fd, SOL_SOCKET, SO_BINDTOIFINDEX, (int)if_nametoindex("lo")),
			0);
	return fd;
}

/* 0: it got the port. */
static inline int try_to_steal(const struct shape *shape, int type, uint16_t port)
{
	struct berth_addr addr = addr_of(shape, port);
	BERTH_AUTO_FD int fd = shaped(shape, type);

	return fd < 0 ? -EADDRINUSE : berth_sock_bind(fd, &addr);
}

static inline void assert_nobody_gets_in(int type, const char *when, const char *owner)
{
	for (size_t i = 0; i < BERTH_ARRAY_SIZE(thieves); i++) {
		if (type != SOCK_STREAM && thieves[i].mptcp)
			continue;
		if (try_to_steal(&thieves[i], type, PORT) != -EADDRINUSE)
			fail_msg("%s (%s): %s got in", when, owner, thieves[i].what);
	}
}

static inline struct berth_lease taken(struct berth_lease_means m, int type)
{
	struct berth_lease lease;

	berth_lease_init(&lease, m, type);
	assert_int_equal(berth_lease_take(&lease, PORT), 0);
	assert_int_equal(lease.port, PORT);
	return lease;
}

static inline void wait_for(int fd, short events)
{
	struct pollfd p = { .fd = fd, .events = events };

	assert_int_equal(poll(&p, 1, DEADLINE_MS), 1);
}

/* A client of @host; *ret_server is the other end. Both owned by the caller. */
static inline int serve(int listener, const char *host, int *ret_server)
{
	const struct shape client = { .family = strchr(host, ':') ? AF_INET6 : AF_INET,
				      .host = host };
	struct berth_addr addr = addr_of(&client, PORT);
	int fd = shaped(&client, SOCK_STREAM);

	if (connect(fd, &addr.sa, addr.len) < 0)
		fail_msg("connect to %s: %s", host, strerror(errno));
	wait_for(listener, POLLIN);
	*ret_server = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	assert_true(*ret_server >= 0);
	return fd;
}

/* One connection that leaves nothing behind. */
static inline void assert_serves(int listener, const char *host)
{
	const struct linger reset = { .l_onoff = 1 };
	int server, client = serve(listener, host, &server);

	assert_int_equal(setsockopt(client, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset)), 0);
	close(client);
	wait_for(server, POLLIN);
	close(server);
}

/* Where a client finds @owner. */
static const char *client_of(const struct shape *owner)
{
	if (owner->family == AF_INET || (owner->host && !strncmp(owner->host, "::ffff:", 7)))
		return "127.0.0.1";
	return "::1";
}

static inline bool is_dual(const struct shape *owner)
{
	return owner->family == AF_INET6 && !owner->host && !owner->v6only;
}

/* Bound through the lease; -1 where the kernel has no such socket. */
static inline int owned(struct berth_lease *lease, const struct shape *owner)
{
	struct berth_addr addr = addr_of(owner, 1); /* the port is the lease's affair */
	int fd = shaped(owner, lease->type);
	int r;

	if (fd < 0)
		return -1;
	r = berth_lease_bind(lease, fd, &addr);
	if (r != 0)
		fail_msg("bind as %s (interfaces %d): %d", owner->what, lease->means.interfaces, r);
	assert_int_equal(berth_sock_name(fd, &addr), 0);
	assert_int_equal(berth_addr_port(&addr), PORT);
	return fd;
}

static inline struct berth_lease_owner *owner_of(struct berth_lease *lease, int fd)
{
	struct berth_lease_owner *owner = berth_lease_find_owner(lease, berth_sock_inode(fd));

	assert_non_null(owner);
	return owner;
}
