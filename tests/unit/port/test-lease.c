/* SPDX-License-Identifier: MIT */
/* unit/port/test-lease.c - a leased port against every kind of thief, with real sockets */
/*
 * Runs in a network namespace of its own, so that numbers are fixed and nobody else has them.
 * Nearly everything is done twice: by interface indexes (CAP_NET_RAW, which the owner of a
 * namespace has) and without.
 *
 * One long file, since every test goes through the same two tables: who wants to get in, and who is
 * let in.
 */
#include "port/lease.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/capability.h>
#include <linux/ipv6.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cmocka.h>

#include "../own-netns.h"
#include "shapes.h"

static void assert_everybody_gets_in(const char *when, const char *owner)
{
	for (size_t i = 0; i < BERTH_ARRAY_SIZE(thieves); i++) {
		int r = try_to_steal(&thieves[i], SOCK_STREAM, PORT);

		if (r < 0 && !thieves[i].mptcp)
			fail_msg("%s (%s): %s: %s", when, owner, thieves[i].what, strerror(-r));
	}
}

/* One connection, ended by the server first: its end stays in TIME_WAIT. */
static void leave_time_wait(int listener, const char *host)
{
	int server, client = serve(listener, host, &server);
	char byte;

	close(server);
	wait_for(client, POLLIN);
	assert_int_equal(read(client, &byte, 1), 0);
	close(client);
}

static void a_held_port_lets_nobody_in(void **state)
{
	(void)state;
	for (size_t way = 0; way < BERTH_ARRAY_SIZE(means); way++) {
		struct berth_lease lease = taken(means[way], SOCK_STREAM);

		assert_nobody_gets_in(SOCK_STREAM, "held", "nobody");
		assert_false(berth_lease_is_bindable(PORT, SOCK_STREAM, means[way]));
		berth_lease_release(&lease);
		assert_everybody_gets_in("released", "nobody");
		assert_true(berth_lease_is_bindable(PORT, SOCK_STREAM, means[way]));
	}
}

static void an_owned_port_lets_nobody_in_from_bind_to_the_end(void **state)
{
	(void)state;
	for (size_t way = 0; way < BERTH_ARRAY_SIZE(means); way++) {
		for (size_t i = 0; i < BERTH_ARRAY_SIZE(owners); i++) {
			struct berth_lease lease = taken(means[way], SOCK_STREAM);
			const char *what = owners[i].what;
			int fd = owned(&lease, &owners[i]);

			if (fd < 0) {
				berth_lease_release(&lease);
				continue;
			}
			assert_nobody_gets_in(SOCK_STREAM, "bound", what);
			if (berth_lease_listen(&lease, fd, 16) != 0)
				fail_msg("listen as %s (interfaces %d)", what,
					 means[way].interfaces);
			assert_nobody_gets_in(SOCK_STREAM, "listening", what);
			assert_serves(fd, client_of(&owners[i]));
			if (is_dual(&owners[i]))
				assert_serves(fd, "127.0.0.1");
			close(fd);
			assert_nobody_gets_in(SOCK_STREAM, "closed", what);
			berth_lease_release(&lease);
			assert_everybody_gets_in("released", what);
		}
	}
}

static void an_owner_on_an_interface_leaves_no_gap_beside_it(void **state)
{
	const struct shape owner = { "v4 on an interface", AF_INET, .interface = true };
	struct berth_addr addr = berth_addr_any(AF_INET, PORT);

	(void)state;
	for (size_t way = 0; way < BERTH_ARRAY_SIZE(means); way++) {
		struct berth_lease lease = taken(means[way], SOCK_STREAM);
		int fd = owned(&lease, &owner);
		int thief = shaped(&thieves[0], SOCK_STREAM);

		/* An index need not exist to be asked for. */
		assert_int_equal(berth_sock_set(thief, SOL_SOCKET, SO_BINDTOIFINDEX, 4711), 0);
		assert_int_equal(berth_sock_set(thief, SOL_SOCKET, SO_REUSEADDR, 1), 0);
		assert_int_equal(berth_sock_bind(thief, &addr), -EADDRINUSE);
		assert_int_equal(berth_lease_listen(&lease, fd, 16), 0);
		assert_int_equal(berth_sock_bind(thief, &addr), -EADDRINUSE);
		assert_int_equal(berth_sock_get(fd, SOL_SOCKET, SO_BINDTOIFINDEX),
				 (int)if_nametoindex("lo"));
		assert_nobody_gets_in(SOCK_STREAM, "listening", owner.what);
		assert_serves(fd, "127.0.0.1");
		close(thief);
		close(fd);
		berth_lease_release(&lease);
	}
}

static void an_owner_on_an_ipv6_address_of_its_own_serves(void **state)
{
	const struct shape owner = { "fd00::5", AF_INET6, "fd00::5" };
	struct berth_addr addr = addr_of(&owner, PORT);
	struct in6_ifreq request = {
		.ifr6_addr = addr.in6.sin6_addr,
		.ifr6_prefixlen = 128,
		.ifr6_ifindex = (int)if_nametoindex("lo"),
	};
	int control = berth_sock_new(AF_INET6, SOCK_DGRAM, 0);

	(void)state;
	assert_int_equal(ioctl(control, SIOCSIFADDR, &request), 0);
	close(control);
	/* The kernel takes note of it a moment later. */
	while (try_to_steal(&owner, SOCK_STREAM, PORT) == -EADDRNOTAVAIL)
		sched_yield();
	for (size_t way = 0; way < BERTH_ARRAY_SIZE(means); way++) {
		struct berth_lease lease = taken(means[way], SOCK_STREAM);
		int fd = owned(&lease, &owner);

		assert_nobody_gets_in(SOCK_STREAM, "bound", owner.what);
		assert_int_equal(berth_lease_listen(&lease, fd, 16), 0);
		assert_nobody_gets_in(SOCK_STREAM, "listening", owner.what);
		assert_serves(fd, "fd00::5");
		close(fd);
		berth_lease_release(&lease);
	}
}

static void two_owners_share_a_lease(void **state)
{
	static const struct shape pairs[][2] = {
		{ { "v4", AF_INET, .reuse = true },
		  { "v6 alone", AF_INET6, .v6only = true, .reuse = true } },
		{ { "v6 alone", AF_INET6, .v6only = true }, { "v4", AF_INET } },
		{ { "127.0.0.1", AF_INET, "127.0.0.1" }, { "::1", AF_INET6, "::1" } },
		{ { "v4", AF_INET }, { "::1", AF_INET6, "::1" } },
	};

	(void)state;
	for (size_t way = 0; way < BERTH_ARRAY_SIZE(means); way++) {
		for (size_t i = 0; i < BERTH_ARRAY_SIZE(pairs); i++) {
			struct berth_lease lease = taken(means[way], SOCK_STREAM);
			int a = owned(&lease, &pairs[i][0]), b = owned(&lease, &pairs[i][1]);

			assert_nobody_gets_in(SOCK_STREAM, "bound", pairs[i][1].what);
			assert_int_equal(berth_lease_listen(&lease, a, 16), 0);
			assert_int_equal(berth_lease_listen(&lease, b, 16), 0);
			assert_nobody_gets_in(SOCK_STREAM, "listening", pairs[i][1].what);
			assert_serves(a, client_of(&pairs[i][0]));
			assert_serves(b, client_of(&pairs[i][1]));
			close(a);
			close(b);
			berth_lease_release(&lease);
		}
	}
}

/*
 * Every kind of owner after every other one, with connections of the first left behind in each
 * state.
 */
static void a_reclaimed_port_takes_any_next_owner(void **state)
{
	(void)state;
	for (size_t way = 0; way < BERTH_ARRAY_SIZE(means); way++) {
		for (size_t k = 0; k < BERTH_ARRAY_SIZE(owners) * BERTH_ARRAY_SIZE(owners); k++) {
			const struct shape *a = &owners[k / BERTH_ARRAY_SIZE(owners)];
			const struct shape *b = &owners[k % BERTH_ARRAY_SIZE(owners)];
			struct berth_lease lease = taken(means[way], SOCK_STREAM);
			struct berth_lease_owner *owner;
			int server, client, fd = owned(&lease, a), next;

			if (fd < 0) {
				berth_lease_release(&lease);
				continue;
			}
			assert_int_equal(berth_lease_listen(&lease, fd, 16), 0);
			client = serve(fd, client_of(a), &server);
			leave_time_wait(fd, client_of(a));
			owner = owner_of(&lease, fd);
			close(fd);
			berth_lease_reclaim(&lease, owner);
			assert_nobody_gets_in(SOCK_STREAM, "reclaimed", a->what);

			next = owned(&lease, b);
			if (next >= 0) {
				assert_nobody_gets_in(SOCK_STREAM, "bound again", b->what);
				if (berth_lease_listen(&lease, next, 16) != 0)
					fail_msg("listen as %s after %s", b->what, a->what);
				assert_nobody_gets_in(SOCK_STREAM, "listening again", b->what);
				assert_serves(next, client_of(b));
				if (is_dual(b))
					assert_serves(next, "127.0.0.1");
				close(next);
			}
			close(server);
			close(client);
			berth_lease_release(&lease);
		}
	}
}

static void a_reclaimed_port_refuses_clients(void **state)
{
	struct berth_addr addr = berth_addr_loopback(AF_INET, PORT);

	(void)state;
	for (size_t way = 0; way < BERTH_ARRAY_SIZE(means); way++) {
		struct berth_lease lease = taken(means[way], SOCK_STREAM);
		const struct shape dual = { "dual-stack", AF_INET6 };
		int fd = owned(&lease, &dual), client = shaped(&thieves[0], SOCK_STREAM);
		struct berth_lease_owner *owner = owner_of(&lease, fd);

		assert_int_equal(berth_lease_listen(&lease, fd, 16), 0);
		close(fd);
		berth_lease_reclaim(&lease, owner);
		assert_int_equal(connect(client, &addr.sa, addr.len), -1);
		assert_int_equal(errno, ECONNREFUSED);
		close(client);
		berth_lease_release(&lease);
	}
}

static void time_wait_is_no_obstacle(void **state)
{
	static const struct shape former[] = {
		{ "v4", AF_INET, .reuse = true },
		{ "v6 alone", AF_INET6, .v6only = true, .reuse = true },
		{ "dual-stack", AF_INET6, .reuse = true },
		{ "v4 without SO_REUSEADDR", AF_INET },
	};

	(void)state;
	for (size_t way = 0; way < BERTH_ARRAY_SIZE(means); way++) {
		for (size_t i = 0; i < BERTH_ARRAY_SIZE(former); i++) {
			struct berth_addr addr = addr_of(&former[i], PORT);
			struct berth_lease lease;
			int fd, next;

			/*
			 * What the round before has left would be in the way for a minute.
			 */
			assert_true(own_netns_enter());
			fd = shaped(&former[i], SOCK_STREAM);
			/*
			 * Whoever bound without SO_REUSEADDR leaves a TIME_WAIT that blocks
			 * everybody for a minute.
			 */
			assert_int_equal(berth_sock_bind(fd, &addr), 0);
			assert_int_equal(berth_sock_listen(fd, 16), 0);
			assert_int_equal(berth_sock_set(fd, SOL_SOCKET, SO_REUSEADDR, 1), 0);
			leave_time_wait(fd, client_of(&former[i]));
			close(fd);
			assert_int_equal(try_to_steal(&thieves[i == 1 ? 9 : 0], SOCK_STREAM, PORT),
					 -EADDRINUSE);
			assert_true(berth_lease_is_bindable(PORT, SOCK_STREAM, means[way]));

			lease = taken(means[way], SOCK_STREAM);
			assert_nobody_gets_in(SOCK_STREAM, "held over TIME_WAIT", former[i].what);
			/* Dual-stack, without SO_REUSEADDR of its own. */
			next = owned(&lease, &owners[7]);
			assert_nobody_gets_in(SOCK_STREAM, "bound over TIME_WAIT", former[i].what);
			assert_int_equal(berth_lease_listen(&lease, next, 16), 0);
			assert_nobody_gets_in(SOCK_STREAM, "listening over TIME_WAIT",
					      former[i].what);
			assert_serves(next, "127.0.0.1");
			close(next);
			berth_lease_release(&lease);
		}
	}
}

/* Nothing of ours in TIME_WAIT may keep the next program off, which is not ours. */
static void an_owner_leaves_the_port_bindable(void **state)
{
	(void)state;
	for (size_t way = 0; way < BERTH_ARRAY_SIZE(means); way++) {
		for (size_t i = 0; i < BERTH_ARRAY_SIZE(owners); i++) {
			struct berth_lease lease;
			int fd;

			/* What the one before has left would change how this one is bound. */
			assert_true(own_netns_enter());
			lease = taken(means[way], SOCK_STREAM);
			fd = owned(&lease, &owners[i]);
			if (fd >= 0) {
				assert_int_equal(berth_lease_listen(&lease, fd, 16), 0);
				leave_time_wait(fd, client_of(&owners[i]));
				close(fd);
			}
			berth_lease_release(&lease);
			if (!berth_lease_is_bindable(PORT, SOCK_STREAM, means[way]))
				fail_msg("%s left the port blocked", owners[i].what);
		}
	}
}

static void a_port_in_use_is_not_taken(void **state)
{
	(void)state;
	for (size_t way = 0; way < BERTH_ARRAY_SIZE(means); way++) {
		for (size_t i = 0; i < BERTH_ARRAY_SIZE(thieves); i++) {
			for (int listening = 0; listening < 2; listening++) {
				struct berth_addr addr = addr_of(&thieves[i], PORT);
				int fd = shaped(&thieves[i], SOCK_STREAM);
				struct berth_lease lease;
				int r;

				if (fd < 0)
					continue;
				assert_int_equal(berth_sock_bind(fd, &addr), 0);
				if (listening)
					assert_int_equal(berth_sock_listen(fd, 16), 0);
				berth_lease_init(&lease, means[way], SOCK_STREAM);
				r = berth_lease_take(&lease, PORT);
				if (listening && r != BERTH_LEASE_E_TAKEN)
					fail_msg("taken beside a listener: %s", thieves[i].what);
				/*
			 * One that is bound with SO_REUSEADDR and does not listen shuts out
			 * nobody who has it too: then it is no holder, and whoever listens
			 * first wins.
			 */
				if (!listening && r != BERTH_LEASE_E_TAKEN && !thieves[i].reuse)
					fail_msg("taken beside a bound socket: %s",
						 thieves[i].what);
				if (r == BERTH_LEASE_E_TAKEN) {
					assert_int_equal(lease.port, 0);
					assert_int_equal(lease.holder4, -1);
					assert_int_equal(lease.holder6, -1);
				}
				berth_lease_release(&lease);
				close(fd);
				assert_true(berth_lease_is_bindable(PORT, SOCK_STREAM, means[way]));
			}
		}
	}
}

static void a_bind_that_the_kernel_refuses_leaves_everything_as_it_was(void **state)
{
	const struct shape elsewhere = { "elsewhere", AF_INET, "192.0.2.1", .reuse = true,
					 .reuseport = true };
	struct berth_addr addr = addr_of(&elsewhere, PORT), any = berth_addr_any(AF_INET, PORT);

	(void)state;
	for (size_t way = 0; way < BERTH_ARRAY_SIZE(means); way++) {
		struct berth_lease lease = taken(means[way], SOCK_STREAM);
		int fd = shaped(&elsewhere, SOCK_STREAM), second = shaped(&elsewhere, SOCK_STREAM);

		assert_int_equal(berth_lease_bind(&lease, fd, &addr), -EADDRNOTAVAIL);
		assert_int_equal(berth_sock_get(fd, SOL_SOCKET, SO_REUSEADDR), 1);
		assert_int_equal(berth_sock_get(fd, SOL_SOCKET, SO_REUSEPORT), 1);
		assert_int_equal(berth_sock_get(fd, SOL_SOCKET, SO_BINDTOIFINDEX), 0);
		assert_int_equal(berth_sock_set(fd, SOL_SOCKET, SO_REUSEADDR, 0), 0);
		assert_int_equal(berth_lease_bind(&lease, fd, &addr), -EADDRNOTAVAIL);
		assert_int_equal(berth_sock_get(fd, SOL_SOCKET, SO_REUSEADDR), 0);
		assert_nobody_gets_in(SOCK_STREAM, "refused", "elsewhere");

		assert_int_equal(berth_lease_bind(&lease, fd, &any), 0);
		assert_int_equal(berth_lease_bind(&lease, fd, &any), -EINVAL);
		assert_int_equal(berth_lease_bind(&lease, second, &any), -EADDRINUSE);
		assert_nobody_gets_in(SOCK_STREAM, "bound twice", "v4");
		assert_int_equal(berth_lease_listen(&lease, second, 16), -ENOENT);
		assert_int_equal(berth_lease_listen(&lease, fd, 16), 0);
		assert_int_equal(berth_lease_bind(&lease, second, &any), -EADDRINUSE);
		assert_serves(fd, "127.0.0.1");
		close(fd);
		close(second);
		berth_lease_release(&lease);
	}
}

static void owners_are_found_by_inode_and_by_place(void **state)
{
	struct berth_addr v4 = berth_addr_any(AF_INET, PORT), v6 = berth_addr_any(AF_INET6, PORT);
	struct berth_addr home = berth_addr_loopback(AF_INET, PORT), other = home;
	struct berth_lease lease = taken(means[1], SOCK_STREAM);
	int fd = owned(&lease, &owners[3]); /* 127.0.0.1 */

	(void)state;
	other.in.sin_addr.s_addr = htonl(INADDR_LOOPBACK + 1);
	assert_non_null(berth_lease_find_owner(&lease, berth_sock_inode(fd)));
	assert_null(berth_lease_find_owner(&lease, berth_sock_inode(fd) + 1));
	assert_non_null(berth_lease_find_conflict(&lease, &home, false));
	assert_non_null(berth_lease_find_conflict(&lease, &v4, false));
	assert_non_null(berth_lease_find_conflict(&lease, &v6, false));
	assert_null(berth_lease_find_conflict(&lease, &v6, true));
	assert_null(berth_lease_find_conflict(&lease, &other, false));
	close(fd);
	berth_lease_release(&lease);
}

static void a_full_lease_says_so(void **state)
{
	struct berth_lease lease = taken(means[1], SOCK_STREAM);
	struct berth_addr addr = berth_addr_loopback(AF_INET, 0);
	int fds[BERTH_LEASE_OWNERS_MAX + 1];

	(void)state;
	for (size_t i = 0; i < BERTH_ARRAY_SIZE(fds); i++) {
		addr.in.sin_addr.s_addr = htonl(INADDR_LOOPBACK + (uint32_t)i);
		fds[i] = shaped(&owners[0], SOCK_STREAM);
		assert_int_equal(berth_lease_bind(&lease, fds[i], &addr),
				 i < BERTH_LEASE_OWNERS_MAX ? 0 : BERTH_LEASE_E_FULL);
	}
	for (size_t i = 0; i < BERTH_ARRAY_SIZE(fds); i++)
		close(fds[i]);
	assert_nobody_gets_in(SOCK_STREAM, "full", "many addresses");
	berth_lease_release(&lease);
}

static void a_second_listen_changes_the_backlog(void **state)
{
	(void)state;
	for (size_t way = 0; way < BERTH_ARRAY_SIZE(means); way++) {
		struct berth_lease lease = taken(means[way], SOCK_STREAM);
		int fd = owned(&lease, &owners[1]);
		struct tcp_info info;
		socklen_t len = sizeof(info);

		assert_int_equal(berth_lease_listen(&lease, fd, 5), 0);
		assert_int_equal(berth_lease_listen(&lease, fd, 77), 0);
		assert_int_equal(getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len), 0);
		assert_int_equal(info.tcpi_sacked, 77); /* of a listener: its backlog */
		close(fd);
		berth_lease_release(&lease);
	}
}

static void the_kernel_never_gives_a_leased_number_away(void **state)
{
	struct berth_addr any = berth_addr_any(AF_INET, 0),
			  sink = berth_addr_loopback(AF_INET, PORT - 1);
	int listener = shaped(&owners[1], SOCK_STREAM);

	(void)state;
	assert_int_equal(berth_sock_bind(listener, &sink), 0);
	assert_int_equal(berth_sock_listen(listener, 64), 0);
	assert_true(own_netns_sysctl("ipv4/ip_local_port_range", "20000 20007"));
	for (size_t way = 0; way < BERTH_ARRAY_SIZE(means); way++) {
		struct berth_lease lease = taken(means[way], SOCK_STREAM);

		for (int by_connect = 0; by_connect < 2; by_connect++) {
			int fds[8];

			/* Eight numbers, one of them ours: the eighth program must fail. */
			for (size_t i = 0; i < BERTH_ARRAY_SIZE(fds); i++) {
				struct berth_addr got;
				int r;

				fds[i] = shaped(&owners[0], SOCK_STREAM);
				if (by_connect)
					r = connect(fds[i], &sink.sa, sink.len) < 0 ? -errno : 0;
				else
					r = berth_sock_bind(fds[i], &any);
				if (i < 7) {
					assert_int_equal(r, 0);
					assert_int_equal(berth_sock_name(fds[i], &got), 0);
					assert_int_not_equal(berth_addr_port(&got), PORT);
				} else {
					assert_int_equal(r,
							 by_connect ? -EADDRNOTAVAIL : -EADDRINUSE);
				}
			}
			for (size_t i = 0; i < BERTH_ARRAY_SIZE(fds); i++) {
				struct linger reset = { .l_onoff = 1 };

				assert_int_equal(setsockopt(fds[i], SOL_SOCKET, SO_LINGER, &reset,
							    sizeof(reset)),
						 0);
				close(fds[i]);
			}
		}
		berth_lease_release(&lease);
	}
	assert_true(own_netns_sysctl("ipv4/ip_local_port_range", "32768 60999"));
	close(listener);
}

static void a_number_of_the_kernels_choice_is_free_in_both_families(void **state)
{
	struct berth_lease leases[7], last;

	(void)state;
	assert_true(own_netns_sysctl("ipv4/ip_local_port_range", "20000 20007"));
	for (size_t way = 0; way < BERTH_ARRAY_SIZE(means); way++) {
		/*
		 * One of the eight is taken in IPv6 only, which the pick for IPv4 can't
		 * see.
		 */
		struct berth_addr addr = addr_of(&thieves[9], PORT);
		int other = shaped(&thieves[9], SOCK_STREAM);

		assert_int_equal(berth_sock_bind(other, &addr), 0);
		for (size_t i = 0; i < BERTH_ARRAY_SIZE(leases); i++) {
			int r;

			/* It draws by lot, a bounded number of times. */
			do {
				berth_lease_init(&leases[i], means[way], SOCK_STREAM);
				r = berth_lease_take_any(&leases[i]);
			} while (r == BERTH_LEASE_E_TAKEN);
			assert_int_equal(r, 0);
			assert_in_range(leases[i].port, PORT + 1, PORT + 7);
			for (size_t k = 0; k < i; k++)
				assert_int_not_equal(leases[i].port, leases[k].port);
		}
		berth_lease_init(&last, means[way], SOCK_STREAM);
		assert_int_equal(berth_lease_take_any(&last), BERTH_LEASE_E_TAKEN);
		assert_int_equal(last.port, 0);
		for (size_t i = 0; i < BERTH_ARRAY_SIZE(leases); i++)
			berth_lease_release(&leases[i]);
		close(other);
	}
	assert_true(own_netns_sysctl("ipv4/ip_local_port_range", "32768 60999"));
}

static void the_prober_asks_without_taking(void **state)
{
	struct berth_lease lease = taken(means[1], SOCK_STREAM);
	struct berth_lease_prober prober;

	(void)state;
	berth_lease_prober_init(&prober, SOCK_STREAM);
	for (int i = 0; i < 3; i++) {
		assert_true(berth_lease_prober_is_taken(&prober, PORT));
		assert_false(berth_lease_prober_is_taken(&prober, PORT + 1));
		assert_true(berth_lease_is_bindable(PORT + 1, SOCK_STREAM, means[1]));
	}
	berth_lease_release(&lease);
	assert_false(berth_lease_prober_is_taken(&prober, PORT));
	berth_lease_prober_deinit(&prober);
	berth_lease_prober_deinit(&prober);
	assert_everybody_gets_in("probed", "nobody");
}

/* As an ordinary user: for this thread, and back. */
static void set_privileged(bool on)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2];

	assert_int_equal(syscall(SYS_capget, &header, data), 0);
	if (on)
		data[0].effective |= 1u << CAP_NET_BIND_SERVICE;
	else
		data[0].effective &= ~(1u << CAP_NET_BIND_SERVICE);
	assert_int_equal(syscall(SYS_capset, &header, data), 0);
}

static void a_privileged_port_is_denied(void **state)
{
	struct berth_lease lease;

	(void)state;
	berth_lease_init(&lease, means[1], SOCK_STREAM);
	set_privileged(false);
	assert_int_equal(berth_lease_take(&lease, 80), BERTH_LEASE_E_DENIED);
	set_privileged(true);
	assert_int_equal(lease.port, 0);
	assert_int_equal(berth_lease_take(&lease, 80), 0);
	berth_lease_release(&lease);
}

static void a_soft_lease_lets_in_who_has_so_reuseaddr(void **state)
{
	(void)state;
	for (size_t way = 0; way < BERTH_ARRAY_SIZE(means); way++) {
		struct berth_lease lease = taken(means[way], SOCK_STREAM);
		int fd;

		berth_lease_soften(&lease);
		assert_int_equal(try_to_steal(&thieves[0], SOCK_STREAM, PORT), -EADDRINUSE);
		assert_int_equal(try_to_steal(&thieves[1], SOCK_STREAM, PORT), 0);
		assert_int_equal(try_to_steal(&thieves[13], SOCK_STREAM, PORT), 0);
		fd = owned(&lease, &owners[8]);
		assert_int_equal(berth_lease_listen(&lease, fd, 16), 0);
		assert_serves(fd, "127.0.0.1");
		assert_serves(fd, "::1");
		close(fd);
		berth_lease_release(&lease);
	}
}

static void dropped_owners_are_the_services_own_affair(void **state)
{
	(void)state;
	for (size_t way = 0; way < BERTH_ARRAY_SIZE(means); way++) {
		struct berth_lease lease = taken(means[way], SOCK_STREAM);
		int fd = owned(&lease, &owners[8]);

		assert_int_equal(berth_lease_listen(&lease, fd, 16), 0);
		berth_lease_drop_owners(&lease);
		assert_null(berth_lease_find_owner(&lease, berth_sock_inode(fd)));
		assert_serves(fd, "::1");
		close(fd);
		berth_lease_release(&lease);
		berth_lease_release(&lease);
		assert_everybody_gets_in("dropped", "dual-stack");
	}
}

static void a_machine_without_ipv6_has_one_holder(void **state)
{
	struct berth_lease lease = taken((struct berth_lease_means){ 0 }, SOCK_STREAM);
	int fd;

	(void)state;
	assert_int_equal(lease.holder6, -1);
	for (size_t i = 0; i < BERTH_ARRAY_SIZE(thieves); i++) {
		if (thieves[i].family == AF_INET)
			assert_int_equal(try_to_steal(&thieves[i], SOCK_STREAM, PORT), -EADDRINUSE);
	}
	fd = owned(&lease, &owners[1]);
	assert_int_equal(berth_lease_listen(&lease, fd, 16), 0);
	assert_serves(fd, "127.0.0.1");
	close(fd);
	berth_lease_release(&lease);
}

static void what_we_may_is_found_out(void **state)
{
	struct berth_lease_means found = berth_lease_probe();
	struct berth_lease lease;

	(void)state;
	assert_true(found.ipv6);
	assert_true(found.interfaces);
	/* Without addresses [::] can still be bound, and so has to be held. */
	assert_true(own_netns_sysctl("ipv6/conf/all/disable_ipv6", "1"));
	found = berth_lease_probe();
	assert_true(found.ipv6);
	assert_true(found.interfaces);
	lease = taken(found, SOCK_STREAM);
	assert_int_equal(try_to_steal(&thieves[10], SOCK_STREAM, PORT), -EADDRINUSE);
	berth_lease_release(&lease);
	assert_int_equal(try_to_steal(&thieves[10], SOCK_STREAM, PORT), 0);
}

static void assert_receives(int fd, const char *host)
{
	const struct shape client = { .family = strchr(host, ':') ? AF_INET6 : AF_INET,
				      .host = host };
	struct berth_addr addr = addr_of(&client, PORT);
	BERTH_AUTO_FD int out = shaped(&client, SOCK_DGRAM);
	struct pollfd p = { .fd = fd, .events = POLLIN };
	char byte;

	assert_int_equal(sendto(out, "x", 1, 0, &addr.sa, addr.len), 1);
	/* Loopback delivers within sendto(). */
	if (poll(&p, 1, 0) != 1)
		fail_msg("nothing came to %s", host);
	assert_int_equal(recv(fd, &byte, 1, 0), 1);
}

static void a_udp_port_is_kept_and_its_owner_hears(void **state)
{
	(void)state;
	for (size_t way = 0; way < BERTH_ARRAY_SIZE(means); way++) {
		for (size_t i = 0; i < BERTH_ARRAY_SIZE(owners); i++) {
			struct berth_lease lease = taken(means[way], SOCK_DGRAM);
			const char *what = owners[i].what;

			/* Twice: the second owner meets what was reclaimed of the first. */
			for (int life = 0; life < 2 && !owners[i].mptcp; life++) {
				int fd;

				assert_nobody_gets_in(SOCK_DGRAM, "held UDP", what);
				fd = owned(&lease, &owners[i]);
				assert_nobody_gets_in(SOCK_DGRAM, "bound UDP", what);
				assert_receives(fd, client_of(&owners[i]));
				if (is_dual(&owners[i]))
					assert_receives(fd, "127.0.0.1");
				berth_lease_reclaim(&lease, owner_of(&lease, fd));
				close(fd);
			}
			berth_lease_release(&lease);
			assert_true(berth_lease_is_bindable(PORT, SOCK_DGRAM, means[way]));
		}
	}
}

/* A thief in a tight loop, and what it got while the port was guarded. */
struct thief {
	const struct shape *shape;
	atomic_bool done;
	atomic_uint moment; /* odd: nobody else may get in */
	atomic_ulong binds, tries;
};

static void *steal(void *arg)
{
	struct thief *thief = arg;
	struct berth_addr addr = addr_of(thief->shape, PORT);

	while (!atomic_load(&thief->done)) {
		unsigned int moment = atomic_load(&thief->moment);
		int fd = shaped(thief->shape, SOCK_STREAM);
		bool bound = bind(fd, &addr.sa, addr.len) == 0;

		if (bound && moment % 2 && moment == atomic_load(&thief->moment))
			atomic_fetch_add(&thief->binds, 1);
		if (bound)
			(void)!listen(fd, 1);
		atomic_fetch_add(&thief->tries, 1);
		close(fd);
	}
	return NULL;
}

/*
 * One life of a lease under attack; true if the service came to serve. By interfaces the port is
 * guarded from its taking on; without, from the moment that the owner is bound, or, on one address,
 * listens.
 */
static bool live(struct thief *thief, struct berth_lease_means m, const struct shape *owner)
{
	struct berth_addr addr = addr_of(owner, 0);
	BERTH_AUTO_FD int fd = shaped(owner, SOCK_STREAM);
	struct berth_lease lease;
	bool served;
	int r;

	berth_lease_init(&lease, m, SOCK_STREAM);
	do {
		r = berth_lease_take(&lease, PORT);
	} while (r == BERTH_LEASE_E_TAKEN);
	assert_int_equal(r, 0);
	if (m.interfaces)
		atomic_fetch_add(&thief->moment, 1);
	r = berth_lease_bind(&lease, fd, &addr);
	served = r == 0;
	if (served && !m.interfaces && !owner->host)
		atomic_fetch_add(&thief->moment, 1);
	while (served && (r = berth_lease_listen(&lease, fd, 16)) == BERTH_LEASE_E_TAKEN)
		;
	assert_int_equal(r, served ? 0 : BERTH_LEASE_E_TAKEN);
	if (served && !m.interfaces && owner->host)
		atomic_fetch_add(&thief->moment, 1);
	if (served) {
		assert_serves(fd, client_of(owner));
		atomic_fetch_add(&thief->moment, 1);
	}
	berth_lease_release(&lease);
	return served;
}

static void a_thief_in_a_loop_gets_nothing_that_is_guarded(void **state)
{
	enum {
		LIVES = 200
	};
	/*
	 * v4 with SO_REUSEADDR, 127.0.0.1, v6 alone, dual-stack with SO_REUSEADDR, dual-stack with
	 * both
	 */
	static const size_t kinds[] = { 1, 4, 10, 13, 14 };
	/* v4, 127.0.0.1, dual-stack, ::1 */
	static const size_t prey[] = { 0, 3, 8, 10 };

	(void)state;
	for (size_t way = 0; way < BERTH_ARRAY_SIZE(means); way++) {
		for (size_t i = 0; i < BERTH_ARRAY_SIZE(kinds) * BERTH_ARRAY_SIZE(prey); i++) {
			const struct shape *owner = &owners[prey[i % BERTH_ARRAY_SIZE(prey)]];
			struct thief thief = {
				.shape = &thieves[kinds[i / BERTH_ARRAY_SIZE(prey)]]
			};
			pthread_t thread;
			int served = 0;

			assert_int_equal(pthread_create(&thread, NULL, steal, &thief), 0);
			while (atomic_load(&thief.tries) == 0)
				sched_yield();
			for (int life = 0; life < LIVES; life++)
				served += live(&thief, means[way], owner);
			atomic_store(&thief.done, true);
			pthread_join(thread, NULL);
			if (atomic_load(&thief.binds) > 0)
				fail_msg("%s got in beside %s (interfaces %d)", thief.shape->what,
					 owner->what, means[way].interfaces);
			assert_true(served > 0);
			if (means[way].interfaces)
				assert_int_equal(served, LIVES);
		}
	}
}

#define IN_NETNS(test) cmocka_unit_test_setup(test, own_netns_setup)

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN_NETNS(a_held_port_lets_nobody_in),
		IN_NETNS(an_owned_port_lets_nobody_in_from_bind_to_the_end),
		IN_NETNS(an_owner_on_an_interface_leaves_no_gap_beside_it),
		IN_NETNS(an_owner_on_an_ipv6_address_of_its_own_serves),
		IN_NETNS(two_owners_share_a_lease),
		IN_NETNS(a_reclaimed_port_takes_any_next_owner),
		IN_NETNS(a_reclaimed_port_refuses_clients),
		IN_NETNS(time_wait_is_no_obstacle),
		IN_NETNS(an_owner_leaves_the_port_bindable),
		IN_NETNS(a_port_in_use_is_not_taken),
		IN_NETNS(a_bind_that_the_kernel_refuses_leaves_everything_as_it_was),
		IN_NETNS(owners_are_found_by_inode_and_by_place),
		IN_NETNS(a_full_lease_says_so),
		IN_NETNS(a_second_listen_changes_the_backlog),
		IN_NETNS(the_kernel_never_gives_a_leased_number_away),
		IN_NETNS(a_number_of_the_kernels_choice_is_free_in_both_families),
		IN_NETNS(the_prober_asks_without_taking),
		IN_NETNS(a_privileged_port_is_denied),
		IN_NETNS(a_soft_lease_lets_in_who_has_so_reuseaddr),
		IN_NETNS(dropped_owners_are_the_services_own_affair),
		IN_NETNS(a_machine_without_ipv6_has_one_holder),
		IN_NETNS(what_we_may_is_found_out),
		IN_NETNS(a_udp_port_is_kept_and_its_owner_hears),
		IN_NETNS(a_thief_in_a_loop_gets_nothing_that_is_guarded),
	};
	return own_netns_run_group_tests(tests);
}
