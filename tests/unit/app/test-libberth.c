/* SPDX-License-Identifier: MIT */
/* unit/app/test-libberth.c - the library as a program uses it: real sockets, the public header */
/*
 * One long file, as the library is one interface: each test is a program that its manual allows.
 */
#include <berth/berth.h>

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "../own-netns.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

enum {
	DEADLINE_MS = 10000
};

static struct berth_error error;

static socklen_t make_address(const char *host, uint16_t port, struct sockaddr_storage *ret)
{
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6, .sin6_port = htons(port) };
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons(port) };

	memset(ret, 0, sizeof(*ret));
	if (strchr(host, ':')) {
		assert_int_equal(inet_pton(AF_INET6, host, &in6.sin6_addr), 1);
		memcpy(ret, &in6, sizeof(in6));
		return sizeof(in6);
	}
	assert_int_equal(inet_pton(AF_INET, host, &in.sin_addr), 1);
	memcpy(ret, &in, sizeof(in));
	return sizeof(in);
}

static int new_socket(const char *host, int type)
{
	int fd = socket(strchr(host, ':') ? AF_INET6 : AF_INET, type | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	return fd;
}

/* As an ordinary server or thief does it: 0 or errno. */
static int try_to_bind(const char *host, uint16_t port, bool reuse, bool v6only)
{
	struct sockaddr_storage address;
	socklen_t len = make_address(host, port, &address);
	int fd = new_socket(host, SOCK_STREAM), one = 1, r;

	if (reuse)
		assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)), 0);
	if (v6only)
		assert_int_equal(setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one)), 0);
	r = bind(fd, (struct sockaddr *)&address, len) < 0 ? errno : 0;
	close(fd);
	return r;
}

static void assert_shut(uint16_t port)
{
	for (int reuse = 0; reuse < 2; reuse++) {
		assert_int_equal(try_to_bind("0.0.0.0", port, reuse, false), EADDRINUSE);
		assert_int_equal(try_to_bind("127.0.0.1", port, reuse, false), EADDRINUSE);
		assert_int_equal(try_to_bind("127.0.0.9", port, reuse, false), EADDRINUSE);
		assert_int_equal(try_to_bind("::", port, reuse, false), EADDRINUSE);
		assert_int_equal(try_to_bind("::", port, reuse, true), EADDRINUSE);
		assert_int_equal(try_to_bind("::1", port, reuse, false), EADDRINUSE);
	}
}

static void assert_open(uint16_t port)
{
	assert_int_equal(try_to_bind("::", port, true, false), 0);
	assert_int_equal(try_to_bind("0.0.0.0", port, true, false), 0);
}

/* A listener that is nobody's in particular. */
static int occupy(uint16_t port)
{
	struct sockaddr_storage address;
	socklen_t len = make_address("0.0.0.0", port, &address);
	int fd = new_socket("0.0.0.0", SOCK_STREAM);

	assert_int_equal(bind(fd, (struct sockaddr *)&address, len), 0);
	assert_int_equal(listen(fd, 8), 0);
	return fd;
}

static int connect_to(const char *host, uint16_t port, int *ret_fd)
{
	struct sockaddr_storage address;
	socklen_t len = make_address(host, port, &address);

	*ret_fd = new_socket(host, SOCK_STREAM);
	return connect(*ret_fd, (struct sockaddr *)&address, len) < 0 ? errno : 0;
}

static void wait_for_input(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	assert_int_equal(poll(&p, 1, DEADLINE_MS), 1);
}

/* One connection, closed by the server first: it stays in TIME_WAIT. */
static void assert_serves(int listener, const char *host, uint16_t port)
{
	int client, server;
	char byte;

	assert_int_equal(connect_to(host, port, &client), 0);
	wait_for_input(listener);
	server = accept(listener, NULL, NULL);
	assert_true(server >= 0);
	close(server);
	wait_for_input(client);
	assert_int_equal(read(client, &byte, 1), 0);
	close(client);
}

static void assert_refuses(const char *host, uint16_t port)
{
	int client;

	assert_int_equal(connect_to(host, port, &client), ECONNREFUSED);
	close(client);
}

static struct berth_hold *hold_of(struct berth_hold_spec spec)
{
	struct berth_hold *hold = NULL;

	if (berth_hold_new(&spec, &hold, &error) < 0)
		fail_msg("%s", error.message);
	return hold;
}

static int listen_on(struct berth_hold *hold, const char *name, const char *address)
{
	int fd = berth_hold_listen(hold, name, address, 16, &error);

	if (fd < 0)
		fail_msg("%s", error.message);
	return fd;
}

static void the_version_is_that_of_the_build(void **state)
{
	(void)state;
	assert_string_equal(berth_version(), BERTH_VERSION);
}

static void a_free_port_is_held_served_and_given_back(void **state)
{
	struct berth_hold *hold = hold_of((struct berth_hold_spec){ .port = 8080 });
	int fd;

	(void)state;
	assert_int_equal(berth_hold_port(hold, NULL), 8080);
	assert_int_equal(berth_hold_port(hold, "main"), 8080);
	assert_int_equal(berth_hold_port(hold, "web"), 0);
	assert_shut(8080);
	assert_refuses("127.0.0.1", 8080);
	fd = listen_on(hold, NULL, NULL);
	assert_shut(8080);
	assert_serves(fd, "127.0.0.1", 8080);
	assert_serves(fd, "::1", 8080);
	close(fd);
	assert_shut(8080);
	berth_hold_free(hold);
	assert_open(8080);
	assert_refuses("127.0.0.1", 8080);
	berth_hold_free(NULL);
}

static void a_taken_port_gives_the_next_one(void **state)
{
	int other = occupy(8080);
	struct berth_hold *hold = hold_of((struct berth_hold_spec){ .port = 8080 });

	(void)state;
	assert_int_equal(berth_hold_port(hold, NULL), 8081);
	berth_hold_free(hold);
	close(other);
}

static void two_holds_never_share(void **state)
{
	struct berth_hold *holds[5];

	(void)state;
	for (size_t i = 0; i < COUNT(holds); i++) {
		holds[i] = hold_of((struct berth_hold_spec){ .port = 8080 });
		assert_int_equal(berth_hold_port(holds[i], NULL), 8080 + i);
	}
	for (size_t i = 0; i < COUNT(holds); i++)
		berth_hold_free(holds[i]);
}

static void a_group_keeps_its_distances(void **state)
{
	static const uint16_t http[] = { 8100 }, ws[] = { 8101 };
	static const struct berth_hold_wish wishes[] = {
		{ .name = "http", .numbers = http, .count = 1 },
		{ .name = "ws", .numbers = ws, .count = 1 },
	};
	struct berth_hold_spec spec = { .wishes = wishes, .wish_count = 2 };
	struct berth_hold *holds[3];

	(void)state;
	for (size_t i = 0; i < COUNT(holds); i++) {
		holds[i] = hold_of(spec);
		assert_int_equal(berth_hold_port(holds[i], NULL), 8100 + 10 * i);
		assert_int_equal(berth_hold_port(holds[i], "http"), 8100 + 10 * i);
		assert_int_equal(berth_hold_port(holds[i], "ws"), 8101 + 10 * i);
		assert_shut((uint16_t)(8101 + 10 * i));
	}
	for (size_t i = 0; i < COUNT(holds); i++)
		berth_hold_free(holds[i]);
	spec.step = 3;
	holds[0] = hold_of(spec);
	holds[1] = hold_of(spec);
	assert_int_equal(berth_hold_port(holds[1], "ws"), 8104);
	berth_hold_free(holds[0]);
	berth_hold_free(holds[1]);
}

static void lists_and_neighbourhoods_are_searched_in_order(void **state)
{
	static const uint16_t list[] = { 5000, 5001, 3000 };
	static const struct berth_hold_wish wish = { .numbers = list, .count = 3 };
	int a = occupy(5000), b = occupy(5001), c = occupy(7000), d = occupy(7001);
	struct berth_hold *hold =
		hold_of((struct berth_hold_spec){ .wishes = &wish, .wish_count = 1 });

	(void)state;
	assert_int_equal(berth_hold_port(hold, NULL), 3000);
	berth_hold_free(hold);
	hold = hold_of((struct berth_hold_spec){ .port = 7000, .around = 100 });
	assert_int_equal(berth_hold_port(hold, NULL), 6999);
	berth_hold_free(hold);
	hold = hold_of((struct berth_hold_spec){ .range_low = 7000, .range_high = 7005 });
	assert_int_equal(berth_hold_port(hold, NULL), 7002);
	berth_hold_free(hold);
	close(a);
	close(b);
	close(c);
	close(d);
}

static void a_full_range_is_explained(void **state)
{
	struct berth_hold_spec spec = { .range_low = 7000, .range_high = 7001 };
	struct berth_hold *hold = (void *)0x1;
	int a = occupy(7000), b = occupy(7001);
	char expected[256];

	(void)state;
	assert_int_equal(berth_hold_new(&spec, &hold, &error), -BERTH_E_NO_PORT);
	assert_ptr_equal(hold, (void *)0x1);
	assert_int_equal(error.code, BERTH_E_NO_PORT);
	snprintf(expected, sizeof(expected),
		 "no port in 7000-7001: both are taken (7000 %.15s %d, 7001 %.15s %d)",
		 program_invocation_short_name, (int)getpid(), program_invocation_short_name,
		 (int)getpid());
	assert_string_equal(error.message, expected);
	assert_string_equal(error.hint,
			    "end one of them, give a wider range, or set any for a number of the "
			    "kernel's choice");
	assert_int_equal(berth_hold_new(&spec, &hold, NULL), -BERTH_E_NO_PORT);

	spec.any = true;
	hold = hold_of(spec);
	assert_true(berth_hold_port(hold, NULL) > 7001);
	berth_hold_free(hold);
	close(a);
	close(b);
}

/* It is kept back from the kernel's own choice, for programs that name it. */
static void a_number_that_the_machine_keeps_back_is_for_who_names_it(void **state)
{
	struct berth_hold *hold;
	int other;

	(void)state;
	assert_true(own_netns_sysctl("ipv4/ip_local_reserved_ports", "8080-8081"));
	hold = hold_of((struct berth_hold_spec){ .port = 8080 });
	assert_int_equal(berth_hold_port(hold, NULL), 8080);
	berth_hold_free(hold);
	other = occupy(8080);
	hold = hold_of((struct berth_hold_spec){ .port = 8080 });
	assert_int_equal(berth_hold_port(hold, NULL), 8082);
	berth_hold_free(hold);
	close(other);
	hold = hold_of((struct berth_hold_spec){ .range_low = 8080, .range_high = 8090 });
	assert_int_equal(berth_hold_port(hold, NULL), 8082);
	berth_hold_free(hold);
	hold = hold_of((struct berth_hold_spec){ .port = 6000 });
	assert_int_equal(berth_hold_port(hold, NULL), 6001);
	berth_hold_free(hold);
}

static void strict_takes_nothing_else(void **state)
{
	struct berth_hold_spec spec = { .port = 8080, .strict = true };
	struct berth_hold *hold;
	int other = occupy(8080);

	(void)state;
	assert_int_equal(berth_hold_new(&spec, &hold, &error), -BERTH_E_NO_PORT);
	assert_non_null(strstr(error.message, "port 8080 is taken ("));
	assert_null(strstr(error.hint, "--"));
	close(other);
	hold = hold_of(spec);
	assert_int_equal(berth_hold_port(hold, NULL), 8080);
	berth_hold_free(hold);
}

static void a_number_of_the_kernels_choice_needs_no_wish(void **state)
{
	struct berth_hold *hold = hold_of((struct berth_hold_spec){ .any = true });
	uint16_t port = berth_hold_port(hold, NULL);
	int fd = listen_on(hold, NULL, "127.0.0.1");

	(void)state;
	assert_true(port >= 1024);
	assert_serves(fd, "127.0.0.1", port);
	close(fd);
	berth_hold_free(hold);
}

static void a_bad_spec_is_refused(void **state)
{
	static const uint16_t zero[] = { 0 }, twice[] = { 5000, 5000 }, one[] = { 5000 },
			      two[] = { 5001 };
	static const uint16_t many[BERTH_HOLD_NUMBERS_MAX + 1] = { 1 };
	static const struct berth_hold_wish wishes[] = {
		{ .name = "Web", .numbers = one, .count = 1 },
		{ .name = "any", .numbers = one, .count = 1 },
		{ .name = "a23456789012345678901234567890x23", .numbers = one, .count = 1 },
		{ .name = "", .numbers = one, .count = 1 },
		{ .numbers = zero, .count = 1 },
		{ .numbers = twice, .count = 2 },
		{ .numbers = NULL, .count = 1 },
		{ .numbers = many, .count = COUNT(many) },
	};
	static const struct berth_hold_wish same[] = {
		{ .numbers = one, .count = 1 },
		{ .name = "main", .numbers = two, .count = 1 },
	};
	const struct berth_hold_spec specs[] = {
		{ .range_low = 6, .range_high = 5 },
		{ .range_high = 5 },
		{ .port = 5000, .range_low = 6000, .range_high = 6010 },
		{ .wishes = same, .wish_count = 2 },
		{ .wishes = same, .wish_count = 1, .port = 5000 },
		{ .wishes = NULL, .wish_count = 1 },
		{ .wishes = same, .wish_count = BERTH_HOLD_PORTS_MAX + 1 },
	};
	struct berth_hold *hold = NULL;

	(void)state;
	for (size_t i = 0; i < COUNT(wishes); i++) {
		const struct berth_hold_spec spec = { .wishes = &wishes[i], .wish_count = 1 };

		memset(&error, 0, sizeof(error));
		if (berth_hold_new(&spec, &hold, &error) != -BERTH_E_USAGE || !error.message[0])
			fail_msg("wish %zu was accepted", i);
	}
	for (size_t i = 0; i < COUNT(specs); i++) {
		memset(&error, 0, sizeof(error));
		if (berth_hold_new(&specs[i], &hold, &error) != -BERTH_E_USAGE || !error.message[0])
			fail_msg("spec %zu was accepted", i);
	}
	assert_int_equal(berth_hold_new(&(struct berth_hold_spec){ 0 }, &hold, &error),
			 -BERTH_E_NO_PORT);
	assert_null(hold);
}

static void one_listens_on_the_addresses_one_names(void **state)
{
	static const struct {
		const char *address, *reached, *unreached;
	} rows[] = {
		{ "127.0.0.1", "127.0.0.1", "::1" }, { "::1", "::1", "127.0.0.1" },
		{ "0.0.0.0", "127.0.0.1", "::1" },   { "::1%lo", "::1", "127.0.0.1" },
		{ "::1%1", "::1", "127.0.0.1" },
	};
	struct berth_hold *hold = hold_of((struct berth_hold_spec){ .port = 8080 });

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		int fd = listen_on(hold, NULL, rows[i].address);

		assert_serves(fd, rows[i].reached, 8080);
		assert_refuses(rows[i].unreached, 8080);
		assert_shut(8080);
		assert_int_equal(berth_hold_close(hold, fd, &error), 0);
	}
	berth_hold_free(hold);
	assert_open(8080);
}

static void what_is_no_address_or_no_port_of_ours_is_refused(void **state)
{
	static const char *const addresses[] = {
		"",	      "localhost", "127.1",
		"1.2.3.4.5",  "::g",	   "::1%",
		"::1%nosuch", "[::1]",	   ":::::::::::::::::::::::::::::::::::::::::::::::::::",
		"\033[2J"
	};
	static const uint16_t dns[] = { 5353 };
	static const struct berth_hold_wish wish = {
		.name = "dns", .numbers = dns, .count = 1, .udp = true
	};
	struct berth_hold *hold = hold_of((struct berth_hold_spec){ .port = 8080 });
	struct berth_hold *udp =
		hold_of((struct berth_hold_spec){ .wishes = &wish, .wish_count = 1 });

	(void)state;
	for (size_t i = 0; i < COUNT(addresses); i++) {
		if (berth_hold_listen(hold, NULL, addresses[i], 16, &error) != -BERTH_E_USAGE)
			fail_msg("'%s' was accepted", addresses[i]);
		assert_null(strchr(error.message, '\033'));
	}
	assert_int_equal(berth_hold_listen(hold, "web", NULL, 16, &error), -BERTH_E_USAGE);
	assert_string_equal(error.message, "no port of this hold is called 'web'");
	assert_int_equal(berth_hold_listen(udp, NULL, NULL, 16, &error), -BERTH_E_USAGE);
	assert_int_equal(berth_hold_listen(hold, NULL, "192.0.2.1", 16, &error), -BERTH_E_SYSTEM);
	assert_string_equal(error.message,
			    "cannot bind to 192.0.2.1:8080: Cannot assign requested address");
	assert_shut(8080);
	berth_hold_free(hold);
	berth_hold_free(udp);
}

static void a_second_listener_in_one_place_is_a_mistake(void **state)
{
	struct berth_hold *hold = hold_of((struct berth_hold_spec){ .port = 8080 });
	int v4 = listen_on(hold, NULL, "127.0.0.1"), v6 = listen_on(hold, NULL, "::1");

	(void)state;
	assert_int_equal(berth_hold_listen(hold, NULL, "127.0.0.1", 16, &error), -BERTH_E_USAGE);
	assert_string_equal(error.message,
			    "cannot bind to 127.0.0.1:8080: a socket of this hold is there");
	assert_serves(v4, "127.0.0.1", 8080);
	assert_serves(v6, "::1", 8080);
	assert_int_equal(berth_hold_close(hold, v4, &error), 0);
	close(listen_on(hold, NULL, "127.0.0.1"));
	close(v6);
	berth_hold_free(hold);
}

static void a_closed_listener_leaves_the_port_held(void **state)
{
	struct berth_hold *hold = hold_of((struct berth_hold_spec){ .port = 8080 });

	(void)state;
	/* Each life leaves a TIME_WAIT to the next one. */
	for (int life = 0; life < 5; life++) {
		int fd = listen_on(hold, NULL, life % 2 ? "0.0.0.0" : NULL);

		assert_serves(fd, "127.0.0.1", 8080);
		assert_int_equal(berth_hold_close(hold, fd, &error), 0);
		assert_int_equal(fcntl(fd, F_GETFD), -1);
		assert_refuses("127.0.0.1", 8080);
		assert_shut(8080);
	}
	assert_int_equal(berth_hold_close(hold, -1, &error), -BERTH_E_USAGE);
	assert_int_equal(berth_hold_close(hold, 0, &error), -BERTH_E_USAGE);
	berth_hold_free(hold);
	assert_open(8080);
}

static void time_wait_of_an_ordinary_server_is_no_obstacle(void **state)
{
	int listener = occupy(8080), one = 1;
	struct berth_hold *hold;
	int fd;

	(void)state;
	/* As ordinary servers have it; their connections inherit it. */
	assert_int_equal(setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)), 0);
	assert_serves(listener, "127.0.0.1", 8080);
	close(listener);
	assert_int_equal(try_to_bind("0.0.0.0", 8080, false, false), EADDRINUSE);
	hold = hold_of((struct berth_hold_spec){ .port = 8080, .strict = true });
	assert_shut(8080);
	fd = listen_on(hold, NULL, NULL);
	assert_serves(fd, "127.0.0.1", 8080);
	assert_shut(8080);
	close(fd);
	berth_hold_free(hold);
}

static void a_socket_of_ones_own_is_bound_to_the_lease(void **state)
{
	struct berth_hold *hold = hold_of((struct berth_hold_spec){ .port = 8080 });
	int fd = new_socket("127.0.0.1", SOCK_STREAM), udp = new_socket("127.0.0.1", SOCK_DGRAM),
	    one = 1;
	struct sockaddr_storage address;
	socklen_t len = make_address("127.0.0.1", 4711, &address), size = sizeof(one);

	(void)state;
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof(one)), 0);
	assert_int_equal(
		berth_hold_bind(hold, "main", fd, (struct sockaddr *)&address, len, 5, &error), 0);
	assert_int_equal(getsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, &size), 0);
	assert_int_equal(one, 0);
	assert_int_equal(listen(fd, 77), 0); /* as a framework does by itself */
	assert_serves(fd, "127.0.0.1", 8080);
	assert_shut(8080);

	assert_int_equal(
		berth_hold_bind(hold, NULL, udp, (struct sockaddr *)&address, len, 5, &error),
		-BERTH_E_USAGE);
	assert_string_equal(error.message, "cannot bind: port 'main' needs a TCP socket");
	address.ss_family = AF_UNIX;
	assert_int_equal(
		berth_hold_bind(hold, NULL, udp, (struct sockaddr *)&address, len, 5, &error),
		-BERTH_E_USAGE);
	close(udp);
	close(fd);
	berth_hold_free(hold);
}

static void a_udp_port_receives(void **state)
{
	static const uint16_t dns[] = { 5353 };
	static const struct berth_hold_wish wish = {
		.name = "dns", .numbers = dns, .count = 1, .udp = true
	};
	struct berth_hold *hold =
		hold_of((struct berth_hold_spec){ .wishes = &wish, .wish_count = 1 });
	int fd = new_socket("::", SOCK_DGRAM), client = new_socket("127.0.0.1", SOCK_DGRAM);
	struct sockaddr_storage address;
	socklen_t len = make_address("::", 0, &address);
	char byte;

	(void)state;
	assert_int_equal(
		berth_hold_bind(hold, "dns", fd, (struct sockaddr *)&address, len, 0, &error), 0);
	len = make_address("127.0.0.1", 5353, &address);
	assert_int_equal(bind(client, (struct sockaddr *)&address, len), -1);
	assert_int_equal(sendto(client, "x", 1, 0, (struct sockaddr *)&address, len), 1);
	wait_for_input(fd);
	assert_int_equal(read(fd, &byte, 1), 1);
	close(client);
	close(fd);
	berth_hold_free(hold);
}

static void every_descriptor_is_close_on_exec(void **state)
{
	struct berth_hold *hold = hold_of((struct berth_hold_spec){ .port = 8080 });
	int fd = listen_on(hold, NULL, "127.0.0.1"), seen = 0;
	struct dirent *entry;
	DIR *dir = opendir("/proc/self/fd");

	(void)state;
	assert_non_null(dir);
	while ((entry = readdir(dir))) {
		int other = atoi(entry->d_name);
		struct stat st;

		if (other < 3 || fstat(other, &st) < 0 || !S_ISSOCK(st.st_mode))
			continue;
		assert_int_equal(fcntl(other, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
		seen++;
	}
	closedir(dir);
	assert_true(seen >= 3);
	close(fd);
	berth_hold_free(hold);
}

static void the_ports_are_kept_until_the_last_process_has_gone(void **state)
{
	struct berth_hold *hold;
	int status, pipefd[2];
	char byte;
	pid_t pid;

	(void)state;
	hold = hold_of((struct berth_hold_spec){ .port = 8080 });
	assert_int_equal(pipe2(pipefd, O_CLOEXEC), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		close(pipefd[1]);
		_exit(read(pipefd[0], &byte, 1) == 0 ? 0 : 1);
	}
	berth_hold_free(hold);
	assert_shut(8080);
	close(pipefd[1]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_open(8080);
	close(pipefd[0]);
}

static void a_killed_process_gives_its_ports_back(void **state)
{
	int pipefd[2], status;
	char byte;
	pid_t pid;

	(void)state;
	assert_int_equal(pipe2(pipefd, O_CLOEXEC), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		struct berth_hold *hold;
		struct berth_hold_spec spec = { .port = 8080 };

		if (berth_hold_new(&spec, &hold, NULL) < 0 ||
		    berth_hold_listen(hold, NULL, NULL, 16, NULL) < 0 ||
		    write(pipefd[1], "x", 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	assert_int_equal(read(pipefd[0], &byte, 1), 1);
	assert_shut(8080);
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_open(8080);
	close(pipefd[0]);
	close(pipefd[1]);
}

static void out_of_descriptors_is_told_and_leaks_nothing(void **state)
{
	struct berth_hold_spec spec = { .port = 8080 };
	struct rlimit limit, none;
	struct berth_hold *hold;
	int fd;

	(void)state;
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	none = limit;
	none.rlim_cur = 3;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	assert_int_equal(berth_hold_new(&spec, &hold, &error), -BERTH_E_SYSTEM);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
	assert_string_equal(error.message, "cannot lease a port: Too many open files");
	hold = hold_of(spec);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	fd = berth_hold_listen(hold, NULL, NULL, 16, &error);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
	assert_int_equal(fd, -BERTH_E_SYSTEM);
	assert_shut(8080);
	berth_hold_free(hold);
}

static void all_closed_connections_are_counted(void **state)
{
	enum {
		CONNECTIONS = 130
	};
	static struct berth_who rows[CONNECTIONS + 10];
	int listener = occupy(8080);

	(void)state;
	for (int i = 0; i < CONNECTIONS; i++) {
		int client, server;

		assert_int_equal(connect_to("127.0.0.1", 8080, &client), 0);
		server = accept(listener, NULL, NULL);
		assert_true(server >= 0);
		close(server);
		close(client);
	}
	close(listener);
	assert_int_equal(berth_who(8080, rows, COUNT(rows), &error), CONNECTIONS);
	for (int i = 0; i < CONNECTIONS; i++)
		assert_int_equal(rows[i].role, BERTH_WHO_WAITS);
	assert_int_equal(rows[CONNECTIONS].role, 0);
	assert_int_equal(berth_who(8080, rows, 3, &error), CONNECTIONS);
}

/* Whoever granted it would lead a second one to another number, and know nothing of the hold. */
static void a_granted_port_has_one_listener_in_a_place_as_any_has(void **state)
{
	static const struct {
		const char *first, *second;
		bool refused;
	} rows[] = {
		{ "127.0.0.1", "127.0.0.1", true },  { NULL, NULL, true },
		{ "127.0.0.1", NULL, true },	     { NULL, "127.0.0.1", true },
		{ "0.0.0.0", "127.0.0.1", true },    { NULL, "::1", true },
		{ "127.0.0.1", "127.0.0.2", false }, { "127.0.0.1", "::1", false },
		{ "0.0.0.0", "::1", false },
	};
	struct berth_hold *hold;

	(void)state;
	setenv("BERTH_ID", "7f3k2m", 1);
	setenv("PORT", "9001", 1);
	hold = hold_of((struct berth_hold_spec){ .port = 9000 });
	for (size_t i = 0; i < COUNT(rows); i++) {
		int first = listen_on(hold, NULL, rows[i].first);
		int second = berth_hold_listen(hold, NULL, rows[i].second, 16, &error);

		if (rows[i].refused != (second == -BERTH_E_USAGE))
			fail_msg("row %zu: %d", i, second);
		if (second >= 0)
			assert_int_equal(berth_hold_close(hold, second, &error), 0);
		else
			assert_non_null(strstr(error.message, "a socket of this hold is there"));
		/* What was just closed is in nobody's way. */
		if (i % 2)
			close(first);
		else
			assert_int_equal(berth_hold_close(hold, first, &error), 0);
	}
	berth_hold_free(hold);
	unsetenv("BERTH_ID");
	unsetenv("PORT");
}

static void only_a_socket_of_the_hold_is_closed_where_it_is_granted(void **state)
{
	int foreign = occupy(8080), fd;
	struct berth_hold *hold;

	(void)state;
	setenv("BERTH_ID", "7f3k2m", 1);
	setenv("PORT", "9001", 1);
	hold = hold_of((struct berth_hold_spec){ .port = 9000 });
	fd = listen_on(hold, NULL, NULL);
	assert_int_equal(berth_hold_close(hold, foreign, &error), -BERTH_E_USAGE);
	assert_serves(foreign, "127.0.0.1", 8080);
	assert_int_equal(berth_hold_close(hold, fd, &error), 0);
	assert_int_equal(berth_hold_close(hold, fd, &error), -BERTH_E_USAGE);
	close(foreign);
	berth_hold_free(hold);
	unsetenv("BERTH_ID");
	unsetenv("PORT");
}

/* The supervisor holds 9001 for us; of that nothing is seen here but the environment. */
static void a_service_of_berth_gets_what_berth_leased(void **state)
{
	static const uint16_t web[] = { 9000 }, ws[] = { 9100 };
	static const struct berth_hold_wish wishes[] = {
		{ .numbers = web, .count = 1 },
		{ .name = "ws", .numbers = ws, .count = 1 },
	};
	struct berth_hold_spec one = { .wishes = wishes, .wish_count = 1 };
	struct berth_hold_spec both = { .wishes = wishes, .wish_count = 2 };
	struct berth_hold *hold;
	int fd;

	(void)state;
	setenv("BERTH_ID", "7f3k2m", 1);
	setenv("PORT", "9001", 1);
	hold = hold_of(one);
	assert_int_equal(berth_hold_port(hold, NULL), 9001);
	assert_open(9001);
	fd = listen_on(hold, NULL, NULL);
	assert_serves(fd, "127.0.0.1", 9001);
	assert_int_equal(berth_hold_close(hold, fd, &error), 0);
	assert_refuses("127.0.0.1", 9001);
	berth_hold_free(hold);

	/*
	 * A port that berth knows nothing of is leased as ever, and so is one of the kernel's
	 * choice.
	 */
	hold = hold_of(both);
	assert_int_equal(berth_hold_port(hold, NULL), 9000);
	assert_shut(9100);
	berth_hold_free(hold);
	setenv("BERTH_PORT_WS", "9101", 1);
	hold = hold_of(both);
	assert_int_equal(berth_hold_port(hold, "ws"), 9101);
	berth_hold_free(hold);
	hold = hold_of((struct berth_hold_spec){ .any = true });
	assert_shut(berth_hold_port(hold, NULL));
	berth_hold_free(hold);
	setenv("PORT", "70000", 1);
	hold = hold_of(one);
	assert_int_equal(berth_hold_port(hold, NULL), 9000);
	berth_hold_free(hold);
	unsetenv("BERTH_ID");
	unsetenv("BERTH_PORT_WS");
	unsetenv("PORT");
}

static void who_holds_a_port_is_told(void **state)
{
	struct berth_who rows[4];
	int fd = occupy(8080), client;

	(void)state;
	assert_int_equal(berth_who(8081, rows, COUNT(rows), &error), 0);
	assert_int_equal(berth_who(8080, rows, COUNT(rows), &error), 1);
	assert_int_equal(rows[0].role, BERTH_WHO_LISTENS);
	assert_int_equal(rows[0].pid, getpid());
	assert_int_equal(rows[0].uid, geteuid());
	assert_memory_equal(rows[0].process, program_invocation_short_name,
			    strnlen(program_invocation_short_name, 15));
	assert_string_equal(rows[0].address, "0.0.0.0:8080");
	assert_string_equal(rows[0].peer, "");
	assert_true(rows[0].in_the_way);
	assert_non_null(strstr(rows[0].command, program_invocation_short_name));
	assert_true(rows[0].started_at_ms > 0);
	assert_true(rows[0].started_at_ms <= (int64_t)time(NULL) * 1000 + 1000);
	assert_string_equal(rows[0].service, "");
	assert_int_equal(berth_who(8080, NULL, 0, NULL), 1);
	assert_int_equal(berth_who(0, rows, COUNT(rows), &error), -BERTH_E_USAGE);

	/* The client's own port is held by its connection. */
	assert_int_equal(connect_to("127.0.0.1", 8080, &client), 0);
	{
		struct sockaddr_in local;
		socklen_t len = sizeof(local);

		assert_int_equal(getsockname(client, (struct sockaddr *)&local, &len), 0);
		assert_int_equal(berth_who(ntohs(local.sin_port), rows, COUNT(rows), &error), 1);
		assert_int_equal(rows[0].role, BERTH_WHO_IS_CONNECTED);
		assert_string_equal(rows[0].peer, "127.0.0.1:8080");
	}
	close(client);
	close(fd);
}

/* A runtime folder with one record in it, as a supervisor would write it, and a project. */
struct world {
	char root[64], runtime[96], record[128], project[96], below[128];
};

static unsigned long long start_ticks(pid_t pid)
{
	unsigned long long ticks = 0;
	char path[64], text[1024], *p;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	file = fopen(path, "re");
	assert_non_null(file);
	assert_non_null(fgets(text, sizeof(text), file));
	fclose(file);
	p = strrchr(text, ')');
	for (int field = 2; p && field < 22; field++)
		p = strchr(p + 1, ' ');
	assert_non_null(p);
	assert_int_equal(sscanf(p, "%llu", &ticks), 1);
	return ticks;
}

static void write_record(const struct world *w, pid_t supervisor)
{
	char boot[64] = "";
	FILE *file = fopen("/proc/sys/kernel/random/boot_id", "re");

	assert_non_null(file);
	assert_non_null(fgets(boot, sizeof(boot), file));
	fclose(file);
	boot[strcspn(boot, "\n")] = '\0';
	file = fopen(w->record, "we");
	assert_non_null(file);
	fprintf(file,
		"berth 1 %d %llu 0 0 0 %s -\n"
		"{\"id\":\"7f3k2m\",\"project\":\"shop\",\"root\":\"%s\",\"branch\":null,\"service\":\"api\","
		"\"instance\":2,\"state\":\"ready\",\"pid\":4711,\"supervisor_pid\":%d,"
		"\"started_at\":\"2026-11-21T09:30:00.123Z\",\"cwd\":\"%s\","
		"\"ports\":[{\"name\":\"main\",\"port\":9001,\"url\":\"http://localhost:9001\"}]}\n"
		"{}\n{}\n",
		(int)supervisor, start_ticks(supervisor), boot, w->project, (int)supervisor,
		w->below);
	fclose(file);
}

static void build_world(struct world *w)
{
	char git[128];

	strcpy(w->root, "/tmp/test-libberth-XXXXXX");
	assert_non_null(mkdtemp(w->root));
	snprintf(w->runtime, sizeof(w->runtime), "%s/berth", w->root);
	snprintf(w->record, sizeof(w->record), "%s/7f3k2m.json", w->runtime);
	snprintf(w->project, sizeof(w->project), "%s/shop", w->root);
	snprintf(w->below, sizeof(w->below), "%s/api", w->project);
	snprintf(git, sizeof(git), "%s/.git", w->project);
	assert_int_equal(mkdir(w->runtime, 0700), 0);
	assert_int_equal(mkdir(w->project, 0700), 0);
	assert_int_equal(mkdir(w->below, 0700), 0);
	assert_int_equal(mkdir(git, 0700), 0);
	snprintf(git, sizeof(git), "%s/.git/HEAD", w->project);
	fclose(fopen(git, "we"));
	setenv("XDG_RUNTIME_DIR", w->root, 1);
}

static void remove_world(const struct world *w)
{
	char path[160];

	unlink(w->record);
	snprintf(path, sizeof(path), "%s/ports", w->runtime);
	rmdir(path);
	rmdir(w->runtime);
	snprintf(path, sizeof(path), "%s/.git/HEAD", w->project);
	unlink(path);
	snprintf(path, sizeof(path), "%s/.git", w->project);
	rmdir(path);
	rmdir(w->below);
	rmdir(w->project);
	assert_int_equal(rmdir(w->root), 0);
	unsetenv("XDG_RUNTIME_DIR");
}

static void an_instance_is_found_from_anywhere_in_its_project(void **state)
{
	struct berth_instance instance;
	char expected[256];
	struct world w;

	(void)state;
	build_world(&w);
	assert_int_equal(berth_instance_find(w.project, "api", &instance, &error),
			 -BERTH_E_NOT_RUNNING);
	snprintf(expected, sizeof(expected), "'api' of '%s' is not running", w.project);
	assert_string_equal(error.message, expected);

	write_record(&w, getpid());
	assert_int_equal(berth_instance_find(w.project, "api", &instance, &error), 0);
	assert_string_equal(instance.id, "7f3k2m");
	assert_string_equal(instance.project, "shop");
	assert_string_equal(instance.service, "api");
	assert_string_equal(instance.state, "ready");
	assert_string_equal(instance.url, "http://localhost:9001");
	assert_int_equal(instance.number, 2);
	assert_int_equal(instance.pid, 4711);
	assert_int_equal(instance.supervisor_pid, getpid());
	assert_int_equal(instance.port, 9001);
	assert_int_equal(instance.started_at_ms, INT64_C(1795253400123));
	assert_int_equal(berth_instance_find(w.below, NULL, &instance, NULL), 0);

	assert_int_equal(berth_instance_find(w.below, "web", &instance, &error),
			 -BERTH_E_NOT_RUNNING);
	assert_int_equal(berth_instance_find(w.root, "api", &instance, &error),
			 -BERTH_E_NOT_RUNNING);
	assert_int_equal(berth_instance_find(w.root, NULL, &instance, &error),
			 -BERTH_E_NOT_RUNNING);
	assert_int_equal(berth_instance_find(w.project, "9000", &instance, &error), -BERTH_E_USAGE);
	assert_int_equal(berth_instance_find("/nonexistent", "api", &instance, &error),
			 -BERTH_E_USAGE);
	assert_string_equal(error.message,
			    "cannot use folder '/nonexistent': No such file or directory");
	remove_world(&w);
}

static void the_record_of_a_dead_supervisor_is_no_instance(void **state)
{
	struct berth_instance instance;
	int status, pipefd[2];
	struct world w;
	char byte;
	pid_t pid;

	(void)state;
	build_world(&w);
	assert_int_equal(pipe2(pipefd, O_CLOEXEC), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		close(pipefd[1]);
		_exit(read(pipefd[0], &byte, 1) == 0 ? 0 : 1);
	}
	write_record(&w, pid);
	assert_int_equal(berth_instance_find(w.project, "api", &instance, &error), 0);
	close(pipefd[1]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(berth_instance_find(w.project, "api", &instance, &error),
			 -BERTH_E_NOT_RUNNING);
	close(pipefd[0]);
	remove_world(&w);
}

static void a_runtime_folder_of_everybody_is_refused(void **state)
{
	struct berth_instance instance;
	struct world w;

	(void)state;
	build_world(&w);
	assert_int_equal(chmod(w.runtime, 0777), 0);
	assert_int_equal(berth_instance_find(w.project, "api", &instance, &error), -BERTH_E_DENIED);
	assert_true(error.hint[0]);
	remove_world(&w);
}

/* A fresh one for each, so that a failure leaves the next one a clean floor. */
static int enter(void **state)
{
	(void)state;
	memset(&error, 0, sizeof(error));
	return own_netns_setup(state);
}

#define IN_NETNS(test) cmocka_unit_test_setup(test, enter)

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN_NETNS(the_version_is_that_of_the_build),
		IN_NETNS(a_free_port_is_held_served_and_given_back),
		IN_NETNS(a_taken_port_gives_the_next_one),
		IN_NETNS(two_holds_never_share),
		IN_NETNS(a_group_keeps_its_distances),
		IN_NETNS(lists_and_neighbourhoods_are_searched_in_order),
		IN_NETNS(a_full_range_is_explained),
		IN_NETNS(a_number_that_the_machine_keeps_back_is_for_who_names_it),
		IN_NETNS(strict_takes_nothing_else),
		IN_NETNS(a_number_of_the_kernels_choice_needs_no_wish),
		IN_NETNS(a_bad_spec_is_refused),
		IN_NETNS(one_listens_on_the_addresses_one_names),
		IN_NETNS(what_is_no_address_or_no_port_of_ours_is_refused),
		IN_NETNS(a_second_listener_in_one_place_is_a_mistake),
		IN_NETNS(a_closed_listener_leaves_the_port_held),
		IN_NETNS(time_wait_of_an_ordinary_server_is_no_obstacle),
		IN_NETNS(a_socket_of_ones_own_is_bound_to_the_lease),
		IN_NETNS(a_udp_port_receives),
		IN_NETNS(every_descriptor_is_close_on_exec),
		IN_NETNS(the_ports_are_kept_until_the_last_process_has_gone),
		IN_NETNS(a_killed_process_gives_its_ports_back),
		IN_NETNS(out_of_descriptors_is_told_and_leaks_nothing),
		IN_NETNS(all_closed_connections_are_counted),
		IN_NETNS(a_granted_port_has_one_listener_in_a_place_as_any_has),
		IN_NETNS(only_a_socket_of_the_hold_is_closed_where_it_is_granted),
		IN_NETNS(a_service_of_berth_gets_what_berth_leased),
		IN_NETNS(who_holds_a_port_is_told),
		IN_NETNS(an_instance_is_found_from_anywhere_in_its_project),
		IN_NETNS(the_record_of_a_dead_supervisor_is_no_instance),
		IN_NETNS(a_runtime_folder_of_everybody_is_refused),
	};
	unsetenv("BERTH_ID");
	unsetenv("PORT");
	return own_netns_run_group_tests(tests);
}
