/* SPDX-License-Identifier: MIT */
/*
 * app/doctor-lease.c - does a lease keep a port here, from everybody, all its life?
 *
 * The rules that port/lease.c plays are the kernel's, and not written down anywhere: so they are
 * tried, on a number of the kernel's choice. After each step of a lease's life all thieves have a
 * go. One of them succeeding degrades the lease; a step that fails ends it.
 *
 * Nothing is left in TIME_WAIT: our connections are closed by a reset (SO_LINGER of zero seconds).
 */
#include "app/doctor.h"

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>

/* Newer than Debian 12's headers. */
#ifndef IP_LOCAL_PORT_RANGE
#define IP_LOCAL_PORT_RANGE 51 /* 6.3 */
#endif

enum {
	CONNECT_MS = 200,
	LOOPBACK_INDEX = 1, /* of the interface "lo", in every network namespace */
	BIND_TRIES = 3, /* strangers on as many numbers are no accident */
};

/* A socket as somebody else would set it up. */
struct thief {
	const char *what;
	int family;
	bool loopback; /* on that address; else on the wildcard */
	bool v6only, reuse, reuseport, device, mptcp;
};

static const struct thief thieves[] = {
	{ "0.0.0.0", AF_INET },
	{ "0.0.0.0 with SO_REUSEADDR", AF_INET, .reuse = true },
	{ "0.0.0.0 with SO_REUSEPORT", AF_INET, .reuseport = true },
	{ "127.0.0.1", AF_INET, .loopback = true },
	{ "127.0.0.1 with SO_REUSEADDR", AF_INET, .loopback = true, .reuse = true },
	{ "127.0.0.1 with SO_REUSEPORT", AF_INET, .loopback = true, .reuse = true,
	  .reuseport = true },
	{ "0.0.0.0 on one interface", AF_INET, .reuse = true, .device = true },
	{ "0.0.0.0 by MPTCP", AF_INET, .reuse = true, .mptcp = true },
	{ "[::]", AF_INET6, .v6only = true },
	{ "[::] with SO_REUSEADDR", AF_INET6, .v6only = true, .reuse = true },
	{ "[::] with SO_REUSEPORT", AF_INET6, .v6only = true, .reuseport = true },
	{ "both families", AF_INET6 },
	{ "both families with SO_REUSEADDR", AF_INET6, .reuse = true },
	{ "both families with SO_REUSEPORT", AF_INET6, .reuse = true, .reuseport = true },
	{ "[::1] with SO_REUSEADDR", AF_INET6, .loopback = true, .reuse = true },
	{ "[::1] on one interface", AF_INET6, .loopback = true, .reuse = true, .device = true },
	{ "both families by MPTCP", AF_INET6, .reuse = true, .mptcp = true },
};

/* How the thieves fared, over all steps. */
struct loot {
	size_t refused;
	const char *stolen_by; /* the first who got in; NULL: nobody did */
	const char *stolen_when;
};

static int new_thief(const struct thief *thief)
{
	BERTH_AUTO_FD int fd =
		berth_sock_new(thief->family, SOCK_STREAM, thief->mptcp ? IPPROTO_MPTCP : 0);
	int r = fd < 0 ? fd : 0;

	if (r == 0 && thief->family == AF_INET6)
		r = berth_sock_set(fd, IPPROTO_IPV6, IPV6_V6ONLY, thief->v6only);
	if (r == 0 && thief->reuse)
		r = berth_sock_set(fd, SOL_SOCKET, SO_REUSEADDR, 1);
	if (r == 0 && thief->reuseport)
		r = berth_sock_set(fd, SOL_SOCKET, SO_REUSEPORT, 1);
	if (r == 0 && thief->device)
		r = berth_sock_set(fd, SOL_SOCKET, SO_BINDTOIFINDEX, LOOPBACK_INDEX);
	return r < 0 ? r : berth_fd_steal(&fd);
}

/* Sockets that this machine does not know (MPTCP, IPv6) and addresses it lacks are no threat. */
static void try_thieves(uint16_t port, const char *when, struct loot *loot)
{
	for (size_t i = 0; i < BERTH_ARRAY_SIZE(thieves); i++) {
		const struct thief *thief = &thieves[i];
		struct berth_addr addr = thief->loopback ? berth_addr_loopback(thief->family, port)
							 : berth_addr_any(thief->family, port);
		BERTH_AUTO_FD int fd = new_thief(thief);
		int r = fd < 0 ? fd : berth_sock_bind(fd, &addr);

		loot->refused += r == -EADDRINUSE;
		if (r == 0 && !loot->stolen_by) {
			loot->stolen_by = thief->what;
			loot->stolen_when = when;
		}
	}
}

/*
 * Does the kernel give the number away by itself? A socket can narrow the range that it is served
 * from (6.3) to this one number. Where it can't, the answer is not known, which is no fault.
 */
static void try_kernel(uint16_t port, struct loot *loot)
{
	struct berth_addr nowhere = berth_addr_any(AF_INET, 0),
			  self = berth_addr_loopback(AF_INET, port);

	for (int connecting = 0; connecting < 2; connecting++) {
		BERTH_AUTO_FD int fd = berth_sock_new(AF_INET, SOCK_STREAM, 0);
		int range = (int)((uint32_t)port << 16 | port);
		int r;

		if (fd < 0 || berth_sock_set(fd, IPPROTO_IP, IP_LOCAL_PORT_RANGE, range) < 0)
			return;
		if (connecting)
			r = connect(fd, &self.sa, self.len) < 0 ? -errno : 0;
		else
			r = berth_sock_bind(fd, &nowhere);
		if ((connecting && r == -EADDRNOTAVAIL) || (!connecting && r == -EADDRINUSE)) {
			loot->refused++;
		} else if (!loot->stolen_by) {
			loot->stolen_by = connecting ? "an outgoing connection" : "port 0";
			loot->stolen_when = "while it is held";
		}
	}
}

static void close_by_reset(int fd)
{
	const struct linger now = { .l_onoff = 1 };

	(void)!setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	close(fd);
}

/* A connection to @port of loopback; -errno. */
static int connect_to(int family, uint16_t port)
{
	struct berth_addr addr = berth_addr_loopback(family, port);
	BERTH_AUTO_FD int fd = berth_sock_new(family, SOCK_STREAM, 0);
	struct pollfd poll_fd = { .fd = fd, .events = POLLOUT };

	if (fd < 0)
		return fd;
	if (fcntl(fd, F_SETFL, O_NONBLOCK) < 0)
		return -errno;
	if (connect(fd, &addr.sa, addr.len) < 0) {
		int error;

		if (errno != EINPROGRESS)
			return -errno;
		if (poll(&poll_fd, 1, CONNECT_MS) <= 0)
			return -ETIMEDOUT;
		error = berth_sock_get(fd, SOL_SOCKET, SO_ERROR);
		if (error)
			return error < 0 ? error : -error;
	}
	return berth_fd_steal(&fd);
}

static int accept_from(int listener)
{
	struct pollfd poll_fd = { .fd = listener, .events = POLLIN };
	int fd;

	if (poll(&poll_fd, 1, CONNECT_MS) <= 0)
		return -ETIMEDOUT;
	fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

/* Does a client of @family reach @listener? */
static int try_client(int listener, int family, uint16_t port)
{
	int client = connect_to(family, port);
	int server;

	if (client < 0)
		return client;
	server = accept_from(listener);
	close_by_reset(client);
	if (server < 0)
		return server;
	close_by_reset(server);
	return 0;
}

/* With SO_REUSEADDR and SO_REUSEPORT on both families: the one that is hardest to keep alone. */
static int new_owner(const struct berth_doctor_place *place)
{
	const struct thief owner = {
		.family = place->means.ipv6 ? AF_INET6 : AF_INET,
		.reuse = true,
		.reuseport = true,
	};

	return new_thief(&owner);
}

/* Take a port and give it to @fd; a stranger in the open moment costs the number, as always. */
static int take_and_bind(struct berth_lease *lease, int fd, struct loot *loot,
			 const char **ret_step)
{
	struct berth_addr any = berth_addr_any(lease->means.ipv6 ? AF_INET6 : AF_INET, 0);
	int r = BERTH_LEASE_E_TAKEN;

	for (int i = 0; i < BIND_TRIES && r == BERTH_LEASE_E_TAKEN; i++) {
		berth_lease_release(lease);
		*ret_step = "take a port";
		r = berth_lease_take_any(lease);
		if (r)
			return r < 0 ? r : -EADDRINUSE;
		try_thieves(lease->port, "while it is held", loot);
		try_kernel(lease->port, loot);
		*ret_step = "hand the port to a program";
		r = berth_lease_bind(lease, fd, &any);
	}
	return r > 0 ? -EADDRINUSE : r;
}

static int live(struct berth_lease *lease, int *fd, struct loot *loot, const char **ret_step)
{
	struct berth_lease_owner *owner;
	uint16_t port;
	int r;

	r = take_and_bind(lease, *fd, loot, ret_step);
	if (r < 0)
		return r;
	port = lease->port;
	try_thieves(port, "once the program has bound it", loot);
	*ret_step = "let the program listen";
	r = berth_lease_listen(lease, *fd, 8);
	if (r)
		return r < 0 ? r : -EADDRINUSE;
	try_thieves(port, "while the program listens", loot);
	*ret_step = "reach the program at 127.0.0.1";
	r = try_client(*fd, AF_INET, port);
	if (r < 0)
		return r;
	*ret_step = "reach the program at [::1]";
	r = lease->means.ipv6 ? try_client(*fd, AF_INET6, port) : 0;
	if (r < 0 && r != -EADDRNOTAVAIL) /* a machine without that address: check "ipv6" says so */
		return r;
	*ret_step = "take the port back from a program that has gone";
	owner = berth_lease_find_owner(lease, berth_sock_inode(*fd));
	if (!owner)
		return -ENOENT;
	berth_fd_close(fd);
	berth_lease_reclaim(lease, owner);
	try_thieves(port, "once the program has gone", loot);
	*ret_step = "refuse the clients of a program that has gone";
	r = connect_to(AF_INET, port);
	if (r >= 0) {
		close_by_reset(r);
		return -EISCONN;
	}
	if (r != -ECONNREFUSED)
		return r;
	berth_lease_release(lease);
	*ret_step = "free the port";
	return berth_lease_is_bindable(port, SOCK_STREAM, lease->means) ? 0 : -EADDRINUSE;
}

/* A network namespace is born with its loopback interface switched off. */
static void fix_loopback(struct berth_doctor_finding *finding)
{
	BERTH_AUTO_FD int fd = berth_sock_new(AF_INET, SOCK_DGRAM, 0);
	struct ifreq lo = { .ifr_name = "lo" };

	if (fd >= 0 && ioctl(fd, SIOCGIFFLAGS, &lo) == 0 && !(lo.ifr_flags & IFF_UP))
		berth_doctor_fix(finding, true, "ip link set lo up");
}

/* Our sockets would be answered as those of all this tree, and its supervisor would count them. */
static bool is_answered_above(const struct berth_doctor_place *place,
			      struct berth_doctor_finding *finding)
{
	if (place->filter_error != -EBUSY)
		return false;
	if (*place->above) {
		berth_doctor_found(finding, BERTH_DOCTOR_OK,
				   "not tried: ports come from the berth of '%s' here",
				   place->above);
		return true;
	}
	berth_doctor_found(finding, BERTH_DOCTOR_DEGRADED,
			   "not tried: another program answers bind() here");
	berth_doctor_cost(finding,
			  "whether a port is kept from other programs is that program's affair");
	return true;
}

void berth_doctor_lease(const struct berth_doctor_place *place,
			struct berth_doctor_finding *finding)
{
	BERTH_AUTO_FD int fd = -1;
	struct loot loot = { 0 };
	struct berth_lease lease;
	const char *step = "make a socket";
	int r;

	if (is_answered_above(place, finding))
		return;
	fd = new_owner(place);
	berth_lease_init(&lease, place->means, SOCK_STREAM);
	r = fd < 0 ? fd : live(&lease, &fd, &loot, &step);
	berth_lease_release(&lease);
	if (r < 0) {
		berth_doctor_found(finding, BERTH_DOCTOR_MISSING, "cannot %s: %s", step,
				   strerror(-r));
		berth_doctor_cost(finding, "no service can be given a port of its own");
		fix_loopback(finding);
	} else if (loot.stolen_by) {
		berth_doctor_found(finding, BERTH_DOCTOR_DEGRADED, "a bind() of %s got in %s",
				   loot.stolen_by, loot.stolen_when);
		berth_doctor_cost(finding,
				  "such a program can take a port of a service away, or share it");
	} else {
		berth_doctor_found(finding, BERTH_DOCTOR_OK,
				   "a port was taken, handed over %s, taken back and freed; %zu "
				   "attempts of others refused",
				   place->means.interfaces
					   ? "without an open moment"
					   : "within one bind() (open for some microseconds)",
				   loot.refused);
	}
}

/*
 * The state that an ordinary server leaves behind: it closes a connection first. The client has not
 * closed yet, and when it does so by a reset, the port's TIME_WAIT ends at once.
 */
static int leave_time_wait(int *ret_client, uint16_t *ret_port)
{
	struct berth_addr addr = berth_addr_loopback(AF_INET, 0);
	BERTH_AUTO_FD int listener = berth_sock_new(AF_INET, SOCK_STREAM, 0);
	int client, server;
	int r = listener;

	if (r >= 0)
		r = berth_sock_set(listener, SOL_SOCKET, SO_REUSEADDR, 1);
	if (r >= 0)
		r = berth_sock_bind(listener, &addr);
	if (r >= 0)
		r = berth_sock_listen(listener, 1);
	if (r >= 0)
		r = berth_sock_name(listener, &addr);
	if (r < 0)
		return r;
	client = connect_to(AF_INET, berth_addr_port(&addr));
	if (client < 0)
		return client;
	server = accept_from(listener);
	if (server < 0) {
		close_by_reset(client);
		return server;
	}
	close(server);
	*ret_client = client;
	*ret_port = berth_addr_port(&addr);
	return 0;
}

void berth_doctor_time_wait(const struct berth_doctor_place *place,
			    struct berth_doctor_finding *finding)
{
	struct loot loot = { 0 };
	struct berth_lease lease;
	uint16_t port = 0;
	int client = -1;
	int r;

	if (is_answered_above(place, finding))
		return;
	r = leave_time_wait(&client, &port);
	if (r < 0) {
		berth_doctor_found(finding, BERTH_DOCTOR_MISSING, "cannot connect to 127.0.0.1: %s",
				   strerror(-r));
		berth_doctor_cost(finding,
				  "no program on this machine reaches another one by localhost");
		fix_loopback(finding);
		return;
	}
	berth_lease_init(&lease, place->means, SOCK_STREAM);
	r = berth_lease_take(&lease, port);
	if (r == 0)
		try_thieves(port, "after TIME_WAIT", &loot);
	berth_lease_release(&lease);
	close_by_reset(client);
	if (r) {
		berth_doctor_found(finding, BERTH_DOCTOR_DEGRADED,
				   "a port in TIME_WAIT cannot be taken: %s",
				   strerror(r < 0 ? -r : EADDRINUSE));
		berth_doctor_cost(
			finding,
			"for a minute after its end a server gets another number than it had");
	} else if (loot.stolen_by) {
		berth_doctor_found(finding, BERTH_DOCTOR_DEGRADED,
				   "a bind() of %s got in beside the lease of a port in TIME_WAIT",
				   loot.stolen_by);
		berth_doctor_cost(
			finding,
			"for a minute after a server's end another program can take its port away");
	} else {
		berth_doctor_found(finding, BERTH_DOCTOR_OK,
				   "a port that a server has just left is taken at once");
	}
}
