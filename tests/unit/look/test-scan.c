/* SPDX-License-Identifier: MIT */
/* unit/look/test-scan.c - real sockets at a glance, in a network namespace of its own */
#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "look/scan.h"
#include "os/sock.h"

#include "../own-netns.h"

static struct berth_scan *scan;

static int bound(int type, struct berth_addr addr)
{
	int fd = berth_sock_new(addr.sa.sa_family, type, 0);

	assert_true(fd >= 0);
	assert_int_equal(berth_sock_bind(fd, &addr), 0);
	return fd;
}

static int listening(struct berth_addr addr)
{
	int fd = bound(SOCK_STREAM, addr);

	assert_int_equal(berth_sock_listen(fd, 8), 0);
	return fd;
}

static size_t count_taken(void)
{
	size_t count = 0;

	for (size_t i = 0; i <= UINT16_MAX; i++)
		count += scan->kinds[i] != 0;
	return count;
}

static void assert_kind(uint16_t port, enum berth_look_kind expected)
{
	enum berth_look_kind kind;

	assert_true(berth_scan_is_taken(scan, port, &kind));
	assert_int_equal(kind, expected);
}

static void listeners_of_both_families_are_taken(void **state)
{
	struct berth_addr six = berth_addr_any(AF_INET6, 8081);
	int fds[2] = { listening(berth_addr_any(AF_INET, 8080)), 0 };

	six.in6.sin6_addr = in6addr_loopback;
	fds[1] = listening(six);
	assert_int_equal(berth_scan_load(1, UINT16_MAX, false, scan), 0);
	assert_kind(8080, BERTH_LOOK_LISTENER);
	assert_kind(8081, BERTH_LOOK_LISTENER);
	assert_int_equal(count_taken(), 2);
	close(fds[0]);
	close(fds[1]);
	assert_int_equal(berth_scan_load(1, UINT16_MAX, false, scan), 0);
	assert_int_equal(count_taken(), 0);
}

static void only_the_range_is_looked_at(void **state)
{
	int fds[2] = { listening(berth_addr_any(AF_INET, 8080)),
		       listening(berth_addr_any(AF_INET, 8090)) };

	assert_int_equal(berth_scan_load(8085, 8090, false, scan), 0);
	assert_kind(8090, BERTH_LOOK_LISTENER);
	assert_int_equal(count_taken(), 1);
	close(fds[0]);
	close(fds[1]);
}

static void a_bound_socket_is_taken(void **state)
{
	int fd = bound(SOCK_STREAM, berth_addr_any(AF_INET, 8080));

	assert_int_equal(berth_scan_load(1, UINT16_MAX, false, scan), 0);
	assert_kind(8080, BERTH_LOOK_BOUND);
	close(fd);
}

static void a_connection_takes_the_port_it_left_from(void **state)
{
	struct berth_addr server = berth_addr_any(AF_INET, 8080), from = server;
	int listener, client;

	server.in.sin_addr.s_addr = from.in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	from.in.sin_port = htons(9000);
	listener = listening(server);
	client = bound(SOCK_STREAM, from);
	assert_int_equal(connect(client, &server.sa, server.len), 0);
	assert_int_equal(berth_scan_load(1, UINT16_MAX, false, scan), 0);
	assert_kind(9000, BERTH_LOOK_CONNECTION);
	/* What it accepted is there as well: the listener weighs more. */
	assert_kind(8080, BERTH_LOOK_LISTENER);
	assert_int_equal(count_taken(), 2);
	close(client);
	close(listener);
}

/* Those at the upper end of the outgoing range are told by another thread than the others. */
static void connections_are_taken_at_either_end(void **state)
{
	static const uint16_t ports[] = { 1,	 8081,	32768, 45000,	  51588,
					  51589, 51590, 60999, UINT16_MAX };
	struct berth_addr server = berth_addr_loopback(AF_INET, 8080);
	int listener = listening(server), fds[BERTH_ARRAY_SIZE(ports)];

	for (size_t i = 0; i < BERTH_ARRAY_SIZE(ports); i++) {
		fds[i] = bound(SOCK_STREAM, berth_addr_loopback(AF_INET, ports[i]));
		assert_int_equal(connect(fds[i], &server.sa, server.len), 0);
	}
	for (size_t lo = 0; lo < BERTH_ARRAY_SIZE(ports); lo++)
		for (size_t hi = lo; hi < BERTH_ARRAY_SIZE(ports); hi++) {
			size_t expected = hi - lo + 1;

			assert_int_equal(berth_scan_load(ports[lo], ports[hi], true, scan), 0);
			for (size_t i = lo; i <= hi; i++)
				assert_kind(ports[i], BERTH_LOOK_CONNECTION);
			expected += ports[lo] <= 8080 && ports[hi] >= 8080;
			assert_int_equal(count_taken(), expected);
		}
	for (size_t i = 0; i < BERTH_ARRAY_SIZE(ports); i++)
		close(fds[i]);
	close(listener);
}

static void udp_counts_where_it_is_asked_for(void **state)
{
	int fd = bound(SOCK_DGRAM, berth_addr_any(AF_INET, 5353));

	assert_int_equal(berth_scan_load(1, UINT16_MAX, false, scan), 0);
	assert_int_equal(scan->kinds[5353], 0);
	assert_int_equal(berth_scan_load(1, UINT16_MAX, true, scan), 0);
	assert_kind(5353, BERTH_LOOK_LISTENER);
	close(fd);
}

static void an_empty_range_is_refused(void **state)
{
	assert_int_equal(berth_scan_load(0, 10, false, scan), -EINVAL);
	assert_int_equal(berth_scan_load(10, 9, false, scan), -EINVAL);
}

static int enter(void **state)
{
	return own_netns_enter() ? 0 : -1;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(listeners_of_both_families_are_taken, enter),
		cmocka_unit_test_setup(only_the_range_is_looked_at, enter),
		cmocka_unit_test_setup(a_bound_socket_is_taken, enter),
		cmocka_unit_test_setup(a_connection_takes_the_port_it_left_from, enter),
		cmocka_unit_test_setup(connections_are_taken_at_either_end, enter),
		cmocka_unit_test_setup(udp_counts_where_it_is_asked_for, enter),
		cmocka_unit_test(an_empty_range_is_refused),
	};
	int r;

	scan = calloc(1, sizeof(*scan));
	r = scan ? cmocka_run_group_tests(tests, NULL, NULL) : 1;
	free(scan);
	return r;
}
