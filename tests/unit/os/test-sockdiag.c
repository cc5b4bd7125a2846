/* SPDX-License-Identifier: MIT */
/* unit/os/test-sockdiag.c - what the kernel tells of sockets that were really made */
#include "os/sockdiag.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "os/cgroup.h"

#ifndef IPPROTO_MPTCP
#define IPPROTO_MPTCP 262
#endif

enum {
	TABLE_MAX = 64
};

struct table {
	struct berth_sockdiag_entry rows[TABLE_MAX];
	size_t count;
};

static int add(const struct berth_sockdiag_entry *entry, void *arg)
{
	struct table *table = arg;

	assert_true(table->count < TABLE_MAX);
	table->rows[table->count++] = *entry;
	return 0;
}

static void ask(struct table *table, int family, int protocol, uint32_t states, uint16_t lo,
		uint16_t hi)
{
	struct berth_sockdiag_query query = {
		.family = family,
		.protocol = protocol,
		.states = states,
		.port_lo = lo,
		.port_hi = hi,
	};

	table->count = 0;
	assert_int_equal(berth_sockdiag_each(&query, add, table), 0);
}

static uint16_t port_of(int fd)
{
	struct berth_addr addr;

	assert_int_equal(berth_sock_name(fd, &addr), 0);
	return berth_addr_port(&addr);
}

static int bound(int family, int type, int protocol, uint16_t port)
{
	struct berth_addr addr = berth_addr_loopback(family, port);
	int fd = berth_sock_new(family, type, protocol);

	assert_true(fd >= 0);
	assert_int_equal(berth_sock_set(fd, SOL_SOCKET, SO_REUSEADDR, 1), 0);
	assert_int_equal(berth_sock_bind(fd, &addr), 0);
	return fd;
}

static int listening(int family, int protocol, uint16_t port)
{
	int fd = bound(family, SOCK_STREAM, protocol, port);

	assert_int_equal(berth_sock_listen(fd, 8), 0);
	return fd;
}

static bool has_ipv6(void)
{
	struct berth_addr addr = berth_addr_loopback(AF_INET6, 0);
	BERTH_AUTO_FD int fd = berth_sock_new(AF_INET6, SOCK_STREAM, 0);

	return fd >= 0 && berth_sock_bind(fd, &addr) == 0;
}

static void a_listener_is_told_with_inode_owner_and_address(void **state)
{
	int fd = listening(AF_INET, 0, 0);
	uint16_t port = port_of(fd);
	struct table table;
	char buf[BERTH_ADDR_STRLEN], expected[BERTH_ADDR_STRLEN];

	(void)state;
	ask(&table, AF_UNSPEC, IPPROTO_TCP, BERTH_SOCKDIAG_LISTEN, port, port);
	assert_int_equal(table.count, 1);
	assert_int_equal(table.rows[0].state, TCP_LISTEN);
	assert_int_equal(table.rows[0].inode, berth_sock_inode(fd));
	assert_int_equal(table.rows[0].uid, geteuid());
	assert_int_equal(table.rows[0].interface, 0);
	assert_int_equal(table.rows[0].peer.len, 0);
	snprintf(expected, sizeof(expected), "127.0.0.1:%u", port);
	assert_string_equal(berth_addr_format(&table.rows[0].local, buf), expected);
	ask(&table, AF_INET6, IPPROTO_TCP, BERTH_SOCKDIAG_LISTEN, port, port);
	assert_int_equal(table.count, 0);
	close(fd);
	ask(&table, AF_UNSPEC, IPPROTO_TCP, BERTH_SOCKDIAG_LISTEN, port, port);
	assert_int_equal(table.count, 0);
}

static void an_ipv6_listener_tells_whether_it_leaves_ipv4_alone(void **state)
{
	struct table table;

	(void)state;
	if (!has_ipv6()) {
		print_message("no IPv6 here\n");
		skip();
	}
	for (int v6only = 0; v6only <= 1; v6only++) {
		struct berth_addr any = berth_addr_any(AF_INET6, 0);
		int fd = berth_sock_new(AF_INET6, SOCK_STREAM, 0);
		uint16_t port;

		assert_int_equal(berth_sock_set(fd, IPPROTO_IPV6, IPV6_V6ONLY, v6only), 0);
		assert_int_equal(berth_sock_bind(fd, &any), 0);
		assert_int_equal(berth_sock_listen(fd, 8), 0);
		port = port_of(fd);
		ask(&table, AF_INET6, IPPROTO_TCP, BERTH_SOCKDIAG_LISTEN, port, port);
		assert_int_equal(table.count, 1);
		assert_int_equal(table.rows[0].v6only, v6only);
		assert_true(berth_addr_is_any(&table.rows[0].local));
		assert_int_equal(table.rows[0].inode, berth_sock_inode(fd));
		close(fd);
	}
}

/* Listeners on @count neighbouring ports; the first of them, or 0 where one was taken. */
static uint16_t try_neighbours(int *ret_fds, size_t count)
{
	int first = listening(AF_INET, 0, 0);
	uint16_t base = port_of(first);
	struct berth_addr addr;
	size_t made = 1;

	ret_fds[0] = first;
	for (; made < count && base + count <= UINT16_MAX; made++) {
		ret_fds[made] = berth_sock_new(AF_INET, SOCK_STREAM, 0);
		addr = berth_addr_loopback(AF_INET, (uint16_t)(base + made));
		if (berth_sock_bind(ret_fds[made], &addr) < 0 ||
		    berth_sock_listen(ret_fds[made], 1) < 0) {
			close(ret_fds[made]);
			break;
		}
	}
	if (made == count)
		return base;
	while (made--)
		close(ret_fds[made]);
	return 0;
}

/* Four neighbours, so that each edge of a range has one inside and one outside. */
static void the_kernel_filters_by_range(void **state)
{
	struct table table;
	uint16_t base;
	int fds[4];

	(void)state;
	do
		base = try_neighbours(fds, BERTH_ARRAY_SIZE(fds));
	while (!base);
	ask(&table, AF_INET, IPPROTO_TCP, BERTH_SOCKDIAG_LISTEN, (uint16_t)(base + 1),
	    (uint16_t)(base + 2));
	assert_int_equal(table.count, 2);
	for (size_t i = 0; i < 2; i++) {
		assert_true(berth_addr_port(&table.rows[i].local) > base);
		assert_true(berth_addr_port(&table.rows[i].local) < base + 3);
	}
	ask(&table, AF_INET, IPPROTO_TCP, BERTH_SOCKDIAG_LISTEN, base, (uint16_t)(base + 3));
	assert_int_equal(table.count, 4);
	ask(&table, AF_INET, IPPROTO_TCP, BERTH_SOCKDIAG_LISTEN, (uint16_t)(base + 2), base);
	assert_int_equal(table.count, 0);
	for (size_t i = 0; i < 4; i++)
		close(fds[i]);
}

static void assert_left_out(uint16_t base, uint16_t lo, uint16_t hi,
			    const struct berth_sockdiag_span *spans, size_t count,
			    const char *expected)
{
	struct table table = { 0 };
	struct berth_sockdiag_query query = {
		.family = AF_INET,
		.protocol = IPPROTO_TCP,
		.states = BERTH_SOCKDIAG_LISTEN,
		.port_lo = lo,
		.port_hi = hi,
		.except = spans,
		.except_count = count,
	};
	char seen[] = "----";

	assert_int_equal(berth_sockdiag_each(&query, add, &table), 0);
	for (size_t i = 0; i < table.count; i++) {
		int which = berth_addr_port(&table.rows[i].local) - base;

		if (which >= 0 && which < 4)
			seen[which] = (char)('0' + which);
	}
	assert_string_equal(seen, expected);
}

/* Four neighbours again: 0 to 3, "-" is one that was not told. */
static void what_is_left_out_does_not_come(void **state)
{
	struct berth_sockdiag_span many[BERTH_SOCKDIAG_EXCEPT_MAX + 1];
	struct berth_sockdiag_query query = { .protocol = IPPROTO_TCP, .except = many };
	int fds[4];
	uint16_t base;

	(void)state;
	do
		base = try_neighbours(fds, BERTH_ARRAY_SIZE(fds));
	while (!base || base < 2 * BERTH_SOCKDIAG_EXCEPT_MAX || base > 65000);

#define SPAN(lo, hi) \
	(struct berth_sockdiag_span){ (uint16_t)(base + (lo)), (uint16_t)(base + (hi)) }
	many[0] = SPAN(1, 2);
	assert_left_out(base, 0, 0, many, 1, "0--3");
	assert_left_out(base, base, (uint16_t)(base + 3), many, 1, "0--3");
	assert_left_out(base, (uint16_t)(base + 1), (uint16_t)(base + 3), many, 1, "---3");
	assert_left_out(base, base, (uint16_t)(base + 2), many, 1, "0---");
	assert_left_out(base, (uint16_t)(base + 1), (uint16_t)(base + 2), many, 1, "----");
	many[0] = SPAN(0, 0);
	many[1] = SPAN(2, 2);
	assert_left_out(base, 0, 0, many, 2, "-1-3");
	many[0] = (struct berth_sockdiag_span){ 1, base };
	many[1] = (struct berth_sockdiag_span){ (uint16_t)(base + 3), UINT16_MAX };
	assert_left_out(base, 0, 0, many, 2, "-12-");
	assert_left_out(base, 1, UINT16_MAX, many, 2, "-12-");
	/* As many as there may be: each second number, the last but one of them ours. */
	for (int i = 0; i < BERTH_SOCKDIAG_EXCEPT_MAX; i++)
		many[i] = SPAN(2 * (i - BERTH_SOCKDIAG_EXCEPT_MAX + 2),
			       2 * (i - BERTH_SOCKDIAG_EXCEPT_MAX + 2));
	assert_left_out(base, 0, 0, many, BERTH_SOCKDIAG_EXCEPT_MAX, "-1-3");
#undef SPAN
	query.except_count = BERTH_SOCKDIAG_EXCEPT_MAX + 1;
	assert_int_equal(berth_sockdiag_each(&query, add, NULL), -E2BIG);
	for (size_t i = 0; i < 4; i++)
		close(fds[i]);
}

static int look_for(const struct berth_sockdiag_entry *entry, void *arg)
{
	uint64_t *inode = arg;

	return entry->inode == *inode ? 42 : 0;
}

static void without_a_range_all_are_told_until_the_caller_has_enough(void **state)
{
	struct berth_sockdiag_query query = { .protocol = IPPROTO_TCP,
					      .states = BERTH_SOCKDIAG_LISTEN };
	int fd = listening(AF_INET, 0, 0);
	uint64_t inode = berth_sock_inode(fd), none = UINT64_MAX;

	(void)state;
	assert_int_equal(berth_sockdiag_each(&query, look_for, &inode), 42);
	assert_int_equal(berth_sockdiag_each(&query, look_for, &none), 0);
	close(fd);
}

static void both_ends_of_a_connection_are_told_with_their_peers(void **state)
{
	int listener = listening(AF_INET, 0, 0), client, server;
	uint16_t port = port_of(listener), client_port;
	struct berth_addr addr = berth_addr_loopback(AF_INET, port);
	struct table table;

	(void)state;
	client = berth_sock_new(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(connect(client, &addr.sa, addr.len), 0);
	server = accept(listener, NULL, NULL);
	assert_true(server >= 0);
	client_port = port_of(client);

	ask(&table, AF_UNSPEC, IPPROTO_TCP, BERTH_SOCKDIAG_CONNECTED, client_port, client_port);
	assert_int_equal(table.count, 1);
	assert_int_equal(table.rows[0].state, TCP_ESTABLISHED);
	assert_int_equal(table.rows[0].inode, berth_sock_inode(client));
	assert_true(berth_addr_equal(&table.rows[0].peer, &addr));
	ask(&table, AF_UNSPEC, IPPROTO_TCP, BERTH_SOCKDIAG_CONNECTED, port, port);
	assert_int_equal(table.count, 1);
	assert_int_equal(table.rows[0].inode, berth_sock_inode(server));
	assert_int_equal(berth_addr_port(&table.rows[0].peer), client_port);
	ask(&table, AF_UNSPEC, IPPROTO_TCP, BERTH_SOCKDIAG_ANY, port, port);
	assert_int_equal(table.count, 2);
	close(client);
	close(server);
	close(listener);
}

static void time_wait_has_no_holder(void **state)
{
	int listener = listening(AF_INET, 0, 0), client, server;
	uint16_t port = port_of(listener);
	struct berth_addr addr = berth_addr_loopback(AF_INET, port);
	struct table table;
	char byte;

	(void)state;
	client = berth_sock_new(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(connect(client, &addr.sa, addr.len), 0);
	server = accept(listener, NULL, NULL);
	/* Who closes first waits. */
	close(server);
	assert_int_equal(read(client, &byte, 1), 0);
	close(client);
	close(listener);
	ask(&table, AF_UNSPEC, IPPROTO_TCP, BERTH_SOCKDIAG_TIME_WAIT, port, port);
	assert_int_equal(table.count, 1);
	assert_int_equal(table.rows[0].state, TCP_TIME_WAIT);
	assert_int_equal(table.rows[0].inode, 0);
	ask(&table, AF_UNSPEC, IPPROTO_TCP, BERTH_SOCKDIAG_LISTEN, port, port);
	assert_int_equal(table.count, 0);
}

/* Linux 6.8 and later dump them; there is no other way to see them at all. */
static void a_bound_socket_is_told_where_the_kernel_can(void **state)
{
	int fd = bound(AF_INET, SOCK_STREAM, 0, 0);
	uint16_t port = port_of(fd);
	struct table table;

	(void)state;
	ask(&table, AF_UNSPEC, IPPROTO_TCP, BERTH_SOCKDIAG_BOUND, port, port);
	if (table.count == 0) {
		print_message("this kernel does not dump bound sockets\n");
		close(fd);
		skip();
	}
	assert_int_equal(table.count, 1);
	assert_int_equal(table.rows[0].state, TCP_CLOSE);
	assert_int_equal(table.rows[0].inode, berth_sock_inode(fd));
	ask(&table, AF_UNSPEC, IPPROTO_TCP, BERTH_SOCKDIAG_LISTEN, port, port);
	assert_int_equal(table.count, 0);
	close(fd);
}

static void an_mptcp_listener_is_in_the_tcp_dump_with_its_own_inode(void **state)
{
	struct berth_addr addr = berth_addr_loopback(AF_INET, 0);
	BERTH_AUTO_FD int fd = berth_sock_new(AF_INET, SOCK_STREAM, IPPROTO_MPTCP);
	struct table table;
	uint16_t port;

	(void)state;
	if (fd < 0) {
		print_message("no MPTCP here\n");
		skip();
	}
	assert_int_equal(berth_sock_bind(fd, &addr), 0);
	assert_int_equal(berth_sock_listen(fd, 8), 0);
	port = port_of(fd);
	ask(&table, AF_UNSPEC, IPPROTO_TCP, BERTH_SOCKDIAG_LISTEN, port, port);
	assert_int_equal(table.count, 1);
	assert_int_equal(table.rows[0].inode, berth_sock_inode(fd));
}

static void udp_sockets_are_told_on_their_own(void **state)
{
	int fd = bound(AF_INET, SOCK_DGRAM, 0, 0);
	uint16_t port = port_of(fd);
	struct table table;

	(void)state;
	ask(&table, AF_UNSPEC, IPPROTO_UDP, BERTH_SOCKDIAG_ANY, port, port);
	assert_int_equal(table.count, 1);
	assert_int_equal(table.rows[0].inode, berth_sock_inode(fd));
	assert_int_equal(berth_addr_port(&table.rows[0].local), port);
	close(fd);
}

static int count_rows(const struct berth_sockdiag_entry *entry, void *arg)
{
	(void)entry;
	(*(size_t *)arg)++;
	return 0;
}

/* More than one buffer full. */
static void thousands_of_sockets_on_one_port_are_all_told(void **state)
{
	enum {
		MANY = 900
	};
	struct berth_sockdiag_query query = { .protocol = IPPROTO_TCP,
					      .states = BERTH_SOCKDIAG_LISTEN };
	static int fds[MANY];
	struct berth_addr addr;
	size_t count = 0;
	uint16_t port;

	(void)state;
	fds[0] = listening(AF_INET, 0, 0);
	port = port_of(fds[0]);
	for (uint32_t i = 1; i < MANY; i++) {
		addr = berth_addr_loopback(AF_INET, port);
		addr.in.sin_addr.s_addr = htonl(INADDR_LOOPBACK + i);
		fds[i] = berth_sock_new(AF_INET, SOCK_STREAM, 0);
		assert_true(fds[i] >= 0);
		assert_int_equal(berth_sock_bind(fds[i], &addr), 0);
		assert_int_equal(berth_sock_listen(fds[i], 1), 0);
	}
	query.port_lo = query.port_hi = port;
	assert_int_equal(berth_sockdiag_each(&query, count_rows, &count), 0);
	assert_int_equal(count, MANY);
	for (size_t i = 0; i < MANY; i++)
		close(fds[i]);
}

static void what_the_kernel_does_not_know_is_an_error(void **state)
{
	struct berth_sockdiag_query query = { .family = AF_INET,
					      .protocol = 200,
					      .states = BERTH_SOCKDIAG_ANY };
	size_t count = 0;

	(void)state;
	assert_int_equal(berth_sockdiag_each(&query, count_rows, &count), -ENOENT);
	assert_int_equal(count, 0);
}

/* The path of version 2, as /proc tells it from the same mount; "": none. */
static void own_cgroup(char path[512])
{
	FILE *file = fopen("/proc/self/cgroup", "re");
	char line[600];

	path[0] = '\0';
	while (file && fgets(line, sizeof(line), file))
		if (sscanf(line, "0::%511[^\n]", path) == 1)
			break;
	if (file)
		fclose(file);
}

static void a_socket_tells_the_cgroup_that_it_was_made_in(void **state)
{
	int fd = listening(AF_INET, 0, 0);
	char path[512], found[512];
	struct table table;

	(void)state;
	own_cgroup(path);
	ask(&table, AF_INET, IPPROTO_TCP, BERTH_SOCKDIAG_LISTEN, port_of(fd), port_of(fd));
	close(fd);
	assert_int_equal(table.count, 1);
	if (!*path || berth_cgroup_find(table.rows[0].cgroup_id, found, sizeof(found)) < 0) {
		print_message("no cgroups of version 2 to be seen here\n");
		skip();
	}
	assert_string_equal(found, path);
}

static void one_socket_can_be_asked_again(void **state)
{
	struct berth_sockdiag_query query = {
		.family = AF_UNSPEC,
		.protocol = IPPROTO_TCP,
		.states = BERTH_SOCKDIAG_LISTEN,
	};
	int fd = listening(AF_INET, 0, 0), other = listening(AF_INET, 0, 0);
	int sockdiag = berth_sockdiag_open(), listeners[] = { fd, other };

	(void)state;
	assert_true(sockdiag >= 0);
	assert_int_equal(fcntl(sockdiag, F_GETFD), FD_CLOEXEC);
	for (size_t i = 0; i < 2; i++) {
		struct table table = { 0 };

		query.port_lo = query.port_hi = port_of(listeners[i]);
		assert_int_equal(berth_sockdiag_each_on(sockdiag, &query, add, &table), 0);
		assert_int_equal(table.count, 1);
		assert_int_equal(table.rows[0].inode, berth_sock_inode(listeners[i]));
	}
	close(sockdiag);
	close(other);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_listener_is_told_with_inode_owner_and_address),
		cmocka_unit_test(an_ipv6_listener_tells_whether_it_leaves_ipv4_alone),
		cmocka_unit_test(the_kernel_filters_by_range),
		cmocka_unit_test(what_is_left_out_does_not_come),
		cmocka_unit_test(without_a_range_all_are_told_until_the_caller_has_enough),
		cmocka_unit_test(both_ends_of_a_connection_are_told_with_their_peers),
		cmocka_unit_test(time_wait_has_no_holder),
		cmocka_unit_test(a_bound_socket_is_told_where_the_kernel_can),
		cmocka_unit_test(an_mptcp_listener_is_in_the_tcp_dump_with_its_own_inode),
		cmocka_unit_test(udp_sockets_are_told_on_their_own),
		cmocka_unit_test(thousands_of_sockets_on_one_port_are_all_told),
		cmocka_unit_test(what_the_kernel_does_not_know_is_an_error),
		cmocka_unit_test(a_socket_tells_the_cgroup_that_it_was_made_in),
		cmocka_unit_test(one_socket_can_be_asked_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
