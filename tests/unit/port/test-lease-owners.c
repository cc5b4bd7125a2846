/* SPDX-License-Identifier: MIT */
/* unit/port/test-lease-owners.c - the service's sockets on a leased port, and those kept for later */
#include "port/lease.h"

#include <assert.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include <cmocka.h>

#include "../own-netns.h"
#include "shapes.h"

static_assert(sizeof(struct berth_lease) <= 64, "a supervisor has a hundred of them, mostly empty");

enum {
	CLIENTS = 40
};

static unsigned int backlog_of(int fd)
{
	struct tcp_info info;
	socklen_t len = sizeof(info);

	assert_int_equal(getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len), 0);
	return info.tcpi_sacked; /* of a listener */
}

static struct berth_lease_owner *find_kept_for(struct berth_lease *lease, const struct shape *shape)
{
	struct berth_addr addr = addr_of(shape, 1);
	BERTH_AUTO_FD int fd = shaped(shape, SOCK_STREAM);
	bool v6only =
		shape->family == AF_INET6 && berth_sock_get(fd, IPPROTO_IPV6, IPV6_V6ONLY) > 0;

	return fd < 0 ? NULL
		      : berth_lease_find_kept(lease, &addr, v6only,
					      berth_sock_get(fd, SOL_SOCKET, SO_PROTOCOL));
}

/* What bind() and listen() see of it; options that they don't look at make no difference. */
static bool is_alike(const struct shape *a, const struct shape *b)
{
	const char *host_a = a->host ? a->host : "", *host_b = b->host ? b->host : "";

	return a->family == b->family && a->v6only == b->v6only && a->mptcp == b->mptcp &&
	       strcmp(host_a, host_b) == 0;
}

static void a_kept_socket_is_for_exactly_the_bind_that_it_had(void **state)
{
	(void)state;
	for (size_t i = 0; i < BERTH_ARRAY_SIZE(owners); i++) {
		struct berth_lease lease = taken(means[1], SOCK_STREAM);
		int fd = owned(&lease, &owners[i]);

		if (fd < 0) {
			berth_lease_release(&lease);
			continue;
		}
		assert_int_equal(berth_lease_listen(&lease, fd, 16), 0);
		assert_null(find_kept_for(&lease, &owners[i]));
		berth_lease_keep(&lease, owner_of(&lease, fd));
		for (size_t k = 0; k < BERTH_ARRAY_SIZE(owners); k++) {
			bool found = find_kept_for(&lease, &owners[k]) != NULL;

			if (found != (is_alike(&owners[i], &owners[k])))
				fail_msg("%s is kept, %s comes: %d", owners[i].what, owners[k].what,
					 found);
		}
		assert_nobody_gets_in(SOCK_STREAM, "kept", owners[i].what);
		berth_lease_unkeep(&lease, owner_of(&lease, fd));
		assert_null(find_kept_for(&lease, &owners[i]));
		close(fd);
		berth_lease_release(&lease);
	}
}

static void a_kept_socket_on_an_interface_is_for_nobody(void **state)
{
	const struct shape on_lo = { "v4 on an interface", AF_INET, .interface = true };
	struct berth_lease lease = taken(means[0], SOCK_STREAM);
	int fd = owned(&lease, &on_lo);

	(void)state;
	assert_int_equal(berth_lease_listen(&lease, fd, 16), 0);
	berth_lease_keep(&lease, owner_of(&lease, fd));
	assert_true(owner_of(&lease, fd)->kept);
	assert_null(find_kept_for(&lease, &owners[0]));
	close(fd);
	berth_lease_release(&lease);
}

/* A client that does not wait; it has been let in, or will fail. */
static int come(const struct berth_addr *addr)
{
	int fd = socket(addr->sa.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	assert_true(fd >= 0);
	if (connect(fd, &addr->sa, addr->len) < 0)
		assert_int_equal(errno, EINPROGRESS);
	return fd;
}

/* The process is gone, clients come, the next process gets the socket: nobody was refused. */
static void clients_wait_in_a_kept_socket_for_the_next_life(void **state)
{
	(void)state;
	for (size_t i = 0; i < BERTH_ARRAY_SIZE(owners); i++) {
		struct berth_lease lease = taken(means[1], SOCK_STREAM);
		const struct shape client = { .family = strchr(client_of(&owners[i]), ':')
								? AF_INET6
								: AF_INET,
					      .host = client_of(&owners[i]) };
		struct berth_addr addr = addr_of(&client, PORT);
		int clients[CLIENTS], fd = owned(&lease, &owners[i]);
		struct berth_lease_owner *kept;

		if (fd < 0) {
			berth_lease_release(&lease);
			continue;
		}
		assert_int_equal(berth_lease_listen(&lease, fd, 5), 0);
		kept = owner_of(&lease, fd);
		assert_int_equal(berth_lease_waiting(kept), 0);
		berth_lease_keep(&lease, kept);
		close(fd);
		for (int k = 0; k < CLIENTS; k++)
			clients[k] = come(&addr);
		for (int k = 0; k < CLIENTS; k++)
			wait_for(clients[k], POLLOUT);
		assert_int_equal(berth_lease_waiting(kept), CLIENTS);

		kept = find_kept_for(&lease, &owners[i]);
		assert_non_null(kept);
		fd = fcntl(kept->fd, F_DUPFD_CLOEXEC, 3);
		berth_lease_unkeep(&lease, kept);
		assert_int_equal(berth_lease_listen(&lease, fd, 7), 0);
		assert_int_equal(kept->backlog, 7);
		assert_int_equal(backlog_of(fd), 7);
		for (int k = 0; k < CLIENTS; k++) {
			close(accept4(fd, NULL, NULL, SOCK_CLOEXEC));
			close(clients[k]);
		}
		assert_int_equal(berth_lease_waiting(kept), 0);
		close(fd);
		berth_lease_release(&lease);
	}
}

static void a_kept_socket_that_is_reclaimed_refuses_and_holds(void **state)
{
	(void)state;
	for (size_t way = 0; way < BERTH_ARRAY_SIZE(means); way++) {
		for (size_t i = 0; i < BERTH_ARRAY_SIZE(owners); i++) {
			struct berth_lease lease = taken(means[way], SOCK_STREAM);
			const struct shape client = { .family = strchr(client_of(&owners[i]), ':')
									? AF_INET6
									: AF_INET,
						      .host = client_of(&owners[i]) };
			struct berth_addr addr = addr_of(&client, PORT);
			int other, fd = owned(&lease, &owners[i]);
			struct berth_lease_owner *owner;

			if (fd < 0) {
				berth_lease_release(&lease);
				continue;
			}
			assert_int_equal(berth_lease_listen(&lease, fd, 5), 0);
			owner = owner_of(&lease, fd);
			berth_lease_keep(&lease, owner);
			close(fd);
			berth_lease_reclaim(&lease, owner);
			assert_false(owner->kept);
			other = shaped(&client, SOCK_STREAM);
			assert_int_equal(connect(other, &addr.sa, addr.len), -1);
			assert_int_equal(errno, ECONNREFUSED);
			close(other);
			assert_nobody_gets_in(SOCK_STREAM, "reclaimed", owners[i].what);
			assert_null(find_kept_for(&lease, &owners[i]));
			berth_lease_release(&lease);
		}
	}
}

static void what_does_not_listen_is_not_kept(void **state)
{
	struct berth_lease lease = taken(means[1], SOCK_STREAM);
	int fd = owned(&lease, &owners[0]);

	(void)state;
	berth_lease_keep(&lease, owner_of(&lease, fd));
	assert_false(owner_of(&lease, fd)->kept);
	assert_int_equal(berth_sock_get(fd, SOL_SOCKET, SO_ACCEPTCONN), 0);
	assert_int_equal(berth_lease_waiting(owner_of(&lease, fd)), 0);
	close(fd);
	berth_lease_release(&lease);
}

static void an_owner_is_described_as_it_was_bound(void **state)
{
	struct berth_lease lease = taken(means[1], SOCK_STREAM);
	struct berth_addr any6 = berth_addr_any(AF_INET6, 1), any4 = berth_addr_any(AF_INET, 1);
	const struct shape v6only = { "v6 alone", AF_INET6, .v6only = true, .reuseport = true };
	int fds[2] = { shaped(&v6only, SOCK_STREAM), shaped(&owners[0], SOCK_STREAM) };
	struct berth_lease_owner *owner;

	(void)state;
	assert_null(lease.owners);
	assert_int_equal(fcntl(fds[0], F_SETFL, O_NONBLOCK), 0);
	assert_int_equal(berth_lease_bind(&lease, fds[0], &any6), 0);
	assert_int_equal(berth_lease_bind(&lease, fds[1], &any4), 0);
	owner = owner_of(&lease, fds[0]);
	assert_true(owner->nonblock_at_bind && owner->v6only && owner->reuseport);
	assert_true(owner->wildcard && !owner->listening && !owner->grouped);
	assert_int_equal(owner->families, BERTH_LEASE_V6);
	assert_int_equal(owner->protocol, IPPROTO_TCP);
	assert_int_equal(berth_addr_port(&owner->addr), PORT);
	owner = owner_of(&lease, fds[1]);
	assert_false(owner->nonblock_at_bind || owner->v6only || owner->reuseport);
	assert_int_equal(owner->families, BERTH_LEASE_V4);
	assert_int_equal(berth_lease_listen(&lease, fds[1], 33), 0);
	assert_int_equal(owner->backlog, 33);
	close(fds[0]);
	close(fds[1]);
	berth_lease_release(&lease);
	assert_null(lease.owners);
}

/* Slots are used again, however many lives a service has. */
static void a_reclaimed_slot_serves_the_next_owner(void **state)
{
	struct berth_lease lease = taken(means[1], SOCK_STREAM);

	(void)state;
	for (int life = 0; life < 3 * BERTH_LEASE_OWNERS_MAX; life++) {
		int fd = owned(&lease, &owners[(size_t)life % BERTH_ARRAY_SIZE(owners)]);

		if (fd < 0)
			continue;
		berth_lease_reclaim(&lease, owner_of(&lease, fd));
		close(fd);
	}
	assert_int_equal(lease.owner_size, 2);
	berth_lease_release(&lease);
}

#define IN_NETNS(test) cmocka_unit_test_setup(test, own_netns_setup)

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN_NETNS(a_kept_socket_is_for_exactly_the_bind_that_it_had),
		IN_NETNS(a_kept_socket_on_an_interface_is_for_nobody),
		IN_NETNS(clients_wait_in_a_kept_socket_for_the_next_life),
		IN_NETNS(a_kept_socket_that_is_reclaimed_refuses_and_holds),
		IN_NETNS(what_does_not_listen_is_not_kept),
		IN_NETNS(an_owner_is_described_as_it_was_bound),
		IN_NETNS(a_reclaimed_slot_serves_the_next_owner),
	};
	return own_netns_run_group_tests(tests);
}
