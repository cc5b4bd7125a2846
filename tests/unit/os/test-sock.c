/* SPDX-License-Identifier: MIT */
/* unit/os/test-sock.c - addresses as values, options on real sockets */
#include "os/sock.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <netinet/tcp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static struct berth_addr parse(const char *host, uint16_t port)
{
	int family = strchr(host, ':') ? AF_INET6 : AF_INET;
	struct berth_addr addr = berth_addr_any(family, port);

	assert_int_equal(inet_pton(family, host,
				   family == AF_INET6 ? (void *)&addr.in6.sin6_addr
						      : (void *)&addr.in.sin_addr),
			 1);
	return addr;
}

static void addresses_are_told_apart(void **state)
{
	static const struct {
		const char *host;
		bool any, loopback, multicast, mapped;
		const char *text;
	} rows[] = {
		{ "0.0.0.0", .any = true, .text = "0.0.0.0:8080" },
		{ "::", .any = true, .text = "[::]:8080" },
		{ "::ffff:0.0.0.0", .any = true, .mapped = true, .text = "[::ffff:0.0.0.0]:8080" },
		{ "127.0.0.1", .loopback = true, .text = "127.0.0.1:8080" },
		{ "127.255.255.254", .loopback = true, .text = "127.255.255.254:8080" },
		{ "128.0.0.1", .text = "128.0.0.1:8080" },
		{ "::1", .loopback = true, .text = "[::1]:8080" },
		{ "::2", .text = "[::2]:8080" },
		{ "::127.0.0.1", .text = "[::127.0.0.1]:8080" },
		{ "::ffff:127.9.9.9", .loopback = true, .mapped = true,
		  .text = "[::ffff:127.9.9.9]:8080" },
		{ "::ffff:10.0.0.1", .mapped = true, .text = "[::ffff:10.0.0.1]:8080" },
		{ "223.255.255.255", .text = "223.255.255.255:8080" },
		{ "224.0.0.251", .multicast = true, .text = "224.0.0.251:8080" },
		{ "239.1.2.3", .multicast = true, .text = "239.1.2.3:8080" },
		{ "ff02::fb", .multicast = true, .text = "[ff02::fb]:8080" },
		{ "::ffff:224.0.0.1", .multicast = true, .mapped = true,
		  .text = "[::ffff:224.0.0.1]:8080" },
	};
	char buf[BERTH_ADDR_STRLEN];

	(void)state;
	for (size_t i = 0; i < BERTH_ARRAY_SIZE(rows); i++) {
		struct berth_addr addr = parse(rows[i].host, 8080);

		assert_int_equal(berth_addr_is_any(&addr), rows[i].any);
		assert_int_equal(berth_addr_is_loopback(&addr), rows[i].loopback);
		assert_int_equal(berth_addr_is_multicast(&addr), rows[i].multicast);
		assert_int_equal(berth_addr_is_v4mapped(&addr), rows[i].mapped);
		assert_int_equal(berth_addr_port(&addr), 8080);
		assert_string_equal(berth_addr_format(&addr, buf), rows[i].text);
		assert_string_equal(berth_addr_format_host(&addr, buf), rows[i].host);
	}
}

static void no_address_is_nothing_at_all(void **state)
{
	struct berth_addr none = { 0 }, one = berth_addr_any(AF_INET, 1);
	char buf[BERTH_ADDR_STRLEN] = "x";

	(void)state;
	assert_false(berth_addr_is_any(&none));
	assert_false(berth_addr_is_loopback(&none));
	assert_false(berth_addr_is_multicast(&none));
	assert_false(berth_addr_is_v4mapped(&none));
	assert_int_equal(berth_addr_port(&none), 0);
	berth_addr_set_port(&none, 80);
	assert_int_equal(berth_addr_port(&none), 0);
	assert_string_equal(berth_addr_format(&none, buf), "");
	assert_true(berth_addr_equal(&none, &none));
	assert_false(berth_addr_equal(&none, &one));
	assert_false(berth_addr_equal(&one, &none));
}

static void a_port_is_set_in_place(void **state)
{
	struct berth_addr v4 = berth_addr_loopback(AF_INET, 1);
	struct berth_addr v6 = berth_addr_loopback(AF_INET6, 1);
	char buf[BERTH_ADDR_STRLEN];

	(void)state;
	berth_addr_set_port(&v4, 65535);
	berth_addr_set_port(&v6, 80);
	assert_string_equal(berth_addr_format(&v4, buf), "127.0.0.1:65535");
	assert_string_equal(berth_addr_format(&v6, buf), "[::1]:80");
}

static void equal_means_address_port_and_scope(void **state)
{
	struct berth_addr a = parse("fe80::1", 80), b = a;

	(void)state;
	b.in6.sin6_flowinfo = 7;
	assert_true(berth_addr_equal(&a, &b));
	b.in6.sin6_scope_id = 2;
	assert_false(berth_addr_equal(&a, &b));
	b = a;
	berth_addr_set_port(&b, 81);
	assert_false(berth_addr_equal(&a, &b));
	b = parse("fe80::2", 80);
	assert_false(berth_addr_equal(&a, &b));
	a = parse("10.0.0.1", 80);
	b = parse("::ffff:10.0.0.1", 80);
	assert_false(berth_addr_equal(&a, &b));
	b = parse("10.0.0.1", 80);
	assert_true(berth_addr_equal(&a, &b));
	b = parse("10.0.0.2", 80);
	assert_false(berth_addr_equal(&a, &b));
}

static void a_scope_is_printed_by_name_or_number(void **state)
{
	struct berth_addr addr = parse("fe80::1", 80);
	char buf[BERTH_ADDR_STRLEN];

	(void)state;
	addr.in6.sin6_scope_id = if_nametoindex("lo");
	assert_true(addr.in6.sin6_scope_id);
	assert_string_equal(berth_addr_format(&addr, buf), "[fe80::1%lo]:80");
	assert_string_equal(berth_addr_format_host(&addr, buf), "fe80::1%lo");
	addr.in6.sin6_scope_id = 4000000000u;
	assert_string_equal(berth_addr_format(&addr, buf), "[fe80::1%4000000000]:80");
}

static void the_longest_address_fits(void **state)
{
	struct berth_addr addr = parse("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", 65535);
	char buf[BERTH_ADDR_STRLEN];

	(void)state;
	addr.in6.sin6_scope_id = 4294967295u;
	assert_string_equal(berth_addr_format(&addr, buf),
			    "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff%4294967295]:65535");
}

static void raw_addresses_are_taken_as_the_kernel_would(void **state)
{
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6,
				    .sin6_port = htons(80),
				    .sin6_addr = IN6ADDR_LOOPBACK_INIT,
				    .sin6_scope_id = 3 };
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons(81) };
	struct sockaddr_storage big = { .ss_family = AF_INET };
	struct berth_addr addr = { .len = 99 };
	sa_family_t family;

	(void)state;
	assert_int_equal(berth_addr_from_raw(&in6, sizeof(in6), &addr), 0);
	assert_int_equal(addr.len, sizeof(in6));
	assert_int_equal(addr.in6.sin6_scope_id, 3);
	/* 24 bytes: without the scope, as of RFC 2133. */
	assert_int_equal(berth_addr_from_raw(&in6, 24, &addr), 0);
	assert_int_equal(addr.len, sizeof(in6));
	assert_int_equal(addr.in6.sin6_scope_id, 0);
	assert_true(berth_addr_is_loopback(&addr));
	assert_int_equal(berth_addr_from_raw(&in, sizeof(in), &addr), 0);
	assert_int_equal(addr.len, sizeof(in));
	assert_int_equal(berth_addr_port(&addr), 81);
	assert_int_equal(berth_addr_from_raw(&big, sizeof(big), &addr), 0);
	assert_int_equal(addr.len, sizeof(in));

	addr.len = 99;
	assert_int_equal(berth_addr_from_raw(&in6, 23, &addr), -EAFNOSUPPORT);
	assert_int_equal(berth_addr_from_raw(&in, 15, &addr), -EAFNOSUPPORT);
	assert_int_equal(berth_addr_from_raw(&in, 1, &addr), -EAFNOSUPPORT);
	assert_int_equal(berth_addr_from_raw(&in, 0, &addr), -EAFNOSUPPORT);
	family = AF_UNIX;
	memcpy(&in, &family, sizeof(family));
	assert_int_equal(berth_addr_from_raw(&in, sizeof(in), &addr), -EAFNOSUPPORT);
	family = AF_UNSPEC;
	memcpy(&in, &family, sizeof(family));
	assert_int_equal(berth_addr_from_raw(&in, sizeof(in), &addr), -EAFNOSUPPORT);
	assert_int_equal(addr.len, 99);
}

static void a_socket_is_made_bound_and_named(void **state)
{
	struct berth_addr addr = berth_addr_loopback(AF_INET, 0), name;
	BERTH_AUTO_FD int fd = -1;
	BERTH_AUTO_FD int second = -1;

	(void)state;
	fd = berth_sock_new(AF_INET, SOCK_STREAM, 0);
	assert_true(fd >= 0);
	assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	assert_int_equal(berth_sock_bind(fd, &addr), 0);
	assert_int_equal(berth_sock_name(fd, &name), 0);
	assert_true(berth_addr_port(&name) > 0);
	berth_addr_set_port(&addr, berth_addr_port(&name));
	assert_true(berth_addr_equal(&addr, &name));

	second = berth_sock_new(AF_INET, SOCK_STREAM, IPPROTO_TCP);
	assert_true(second >= 0);
	assert_int_equal(berth_sock_bind(second, &addr), -EADDRINUSE);
	assert_int_equal(berth_sock_listen(fd, 4), 0);
	assert_int_equal(berth_sock_get(fd, SOL_SOCKET, SO_ACCEPTCONN), 1);
	assert_int_equal(berth_sock_get(second, SOL_SOCKET, SO_ACCEPTCONN), 0);
}

static void options_are_set_and_read_back(void **state)
{
	BERTH_AUTO_FD int fd = berth_sock_new(AF_INET, SOCK_STREAM, 0);

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(berth_sock_get(fd, SOL_SOCKET, SO_REUSEADDR), 0);
	assert_int_equal(berth_sock_set(fd, SOL_SOCKET, SO_REUSEADDR, 1), 0);
	assert_int_equal(berth_sock_get(fd, SOL_SOCKET, SO_REUSEADDR), 1);
	assert_int_equal(berth_sock_get(fd, SOL_SOCKET, SO_TYPE), SOCK_STREAM);
	assert_int_equal(berth_sock_set(fd, SOL_SOCKET, 0x7fff, 1), -ENOPROTOOPT);
	assert_int_equal(berth_sock_get(fd, SOL_SOCKET, 0x7fff), -ENOPROTOOPT);
	assert_int_equal(berth_sock_new(AF_INET, SOCK_STREAM, IPPROTO_UDP), -EPROTONOSUPPORT);
	assert_int_equal(berth_sock_set(-1, SOL_SOCKET, SO_REUSEADDR, 1), -EBADF);
	assert_int_equal(berth_sock_listen(-1, 1), -EBADF);
}

static void the_inode_is_what_proc_shows(void **state)
{
	BERTH_AUTO_FD int fd = berth_sock_new(AF_INET6, SOCK_STREAM, 0);
	BERTH_AUTO_FD int file = open("/dev/null", O_RDONLY | O_CLOEXEC);
	char path[64], link[64] = "", expected[64];

	(void)state;
	assert_true(fd >= 0 && file >= 0);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	assert_true(readlink(path, link, sizeof(link) - 1) > 0);
	snprintf(expected, sizeof(expected), "socket:[%llu]",
		 (unsigned long long)berth_sock_inode(fd));
	assert_string_equal(link, expected);
	assert_int_equal(berth_sock_inode(file), 0);
	assert_int_equal(berth_sock_inode(-1), 0);
}

static void sockets_of_one_network_namespace_have_one_cookie(void **state)
{
	BERTH_AUTO_FD int a = berth_sock_new(AF_INET, SOCK_STREAM, 0);
	BERTH_AUTO_FD int b = berth_sock_new(AF_INET6, SOCK_DGRAM, 0);

	(void)state;
	assert_true(berth_sock_netns_cookie(a) > 0);
	assert_int_equal(berth_sock_netns_cookie(a), berth_sock_netns_cookie(b));
	assert_int_equal(berth_sock_netns_cookie(-1), 0);
}

static void the_name_of_a_unix_socket_is_no_internet_address(void **state)
{
	struct berth_addr addr = { .len = 99 };
	int fds[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	assert_int_equal(berth_sock_name(fds[0], &addr), -EAFNOSUPPORT);
	assert_int_equal(berth_sock_name(-1, &addr), -EBADF);
	assert_int_equal(addr.len, 99);
	close(fds[0]);
	close(fds[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(addresses_are_told_apart),
		cmocka_unit_test(no_address_is_nothing_at_all),
		cmocka_unit_test(a_port_is_set_in_place),
		cmocka_unit_test(equal_means_address_port_and_scope),
		cmocka_unit_test(a_scope_is_printed_by_name_or_number),
		cmocka_unit_test(the_longest_address_fits),
		cmocka_unit_test(raw_addresses_are_taken_as_the_kernel_would),
		cmocka_unit_test(a_socket_is_made_bound_and_named),
		cmocka_unit_test(options_are_set_and_read_back),
		cmocka_unit_test(the_inode_is_what_proc_shows),
		cmocka_unit_test(sockets_of_one_network_namespace_have_one_cookie),
		cmocka_unit_test(the_name_of_a_unix_socket_is_no_internet_address),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
