/* SPDX-License-Identifier: MIT */
/* unit/look/test-verdict.c - what is said of a bind(), and what the kernel does with it */
#include "look/verdict.h"

#include <arpa/inet.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "../own-netns.h"

enum {
	PORT = 8080,
	PEER = 9000, /* where connections go to */
};

enum shape {
	LISTENS,
	BOUND,
	CONNECTED,
	IN_TIME_WAIT,
	SHAPE_COUNT,
};
static const char *const shapes[] = { "listens", "is bound", "is connected", "is in TIME_WAIT" };

/* Who is there already. */
static const struct place {
	const char *host;
	int family;
	bool v6only;
	bool connects; /* a connection can begin there */
} places[] = {
	{ "0.0.0.0", AF_INET, false, false },
	{ "127.0.0.1", AF_INET, false, true },
	{ "127.0.0.2", AF_INET, false, true },
	{ "::", AF_INET6, false, false },
	{ "::", AF_INET6, true, false },
	{ "::1", AF_INET6, false, true },
	{ "::1", AF_INET6, true, true },
	{ "::ffff:127.0.0.1", AF_INET6, false, true },
	{ "::ffff:127.0.0.2", AF_INET6, false, true },
	{ "::ffff:0.0.0.0", AF_INET6, false, false },
};

static struct berth_addr address(const char *host, int family, uint16_t port)
{
	struct berth_addr addr = berth_addr_any(family, port);

	assert_int_equal(inet_pton(family, host,
				   family == AF_INET6 ? (void *)&addr.in6.sin6_addr
						      : (void *)&addr.in.sin_addr),
			 1);
	return addr;
}

static int new_socket(int family, int type, bool reuse, bool v6only)
{
	int fd = berth_sock_new(family, type, 0);

	assert_true(fd >= 0);
	assert_int_equal(berth_sock_set(fd, SOL_SOCKET, SO_REUSEADDR, reuse), 0);
	if (family == AF_INET6)
		assert_int_equal(berth_sock_set(fd, IPPROTO_IPV6, IPV6_V6ONLY, v6only), 0);
	return fd;
}

/* A listener at PEER for every family. */
static int new_peer(void)
{
	struct berth_addr addr = berth_addr_any(AF_INET6, PEER);
	int fd = new_socket(AF_INET6, SOCK_STREAM, true, false);

	assert_int_equal(berth_sock_bind(fd, &addr), 0);
	assert_int_equal(berth_sock_listen(fd, 8), 0);
	return fd;
}

/* -1 where there is nothing to close. */
static int place_holder(const struct place *place, enum shape shape, bool reuse, int peer)
{
	struct berth_addr addr = address(place->host, place->family, PORT), to = addr;
	int fd = new_socket(place->family, SOCK_STREAM, reuse, place->v6only), server;
	char byte;

	assert_int_equal(berth_sock_bind(fd, &addr), 0);
	if (shape == LISTENS)
		assert_int_equal(berth_sock_listen(fd, 8), 0);
	if (shape == LISTENS || shape == BOUND)
		return fd;
	berth_addr_set_port(&to, PEER);
	assert_int_equal(connect(fd, &to.sa, to.len), 0);
	if (shape == CONNECTED)
		return fd;
	server = accept(peer, NULL, NULL);
	shutdown(fd, SHUT_WR);
	assert_int_equal(read(server, &byte, 1), 0);
	close(server);
	assert_int_equal(read(fd, &byte, 1), 0);
	close(fd);
	return -1;
}

static bool is_refused(unsigned int bind_kind, int type, bool reuse)
{
	bool v6 = bind_kind == BERTH_VERDICT_ANY6 || bind_kind == BERTH_VERDICT_LOOPBACK6;
	bool any = bind_kind == BERTH_VERDICT_ANY4 || bind_kind == BERTH_VERDICT_ANY6;
	int family = v6 ? AF_INET6 : AF_INET;
	struct berth_addr addr =
		any ? berth_addr_any(family, PORT) : berth_addr_loopback(family, PORT);
	int fd = new_socket(family, type, reuse, false);
	int r = berth_sock_bind(fd, &addr);

	assert_true(r == 0 || r == -EADDRINUSE);
	close(fd);
	return r < 0;
}

static unsigned int refused(int type, bool reuse)
{
	unsigned int binds = 0;

	for (unsigned int bind_kind = 1; bind_kind <= BERTH_VERDICT_ALL; bind_kind <<= 1)
		if (is_refused(bind_kind, type, reuse))
			binds |= bind_kind;
	return binds;
}

static struct berth_look load(void)
{
	struct berth_look_query query = {
		.port_lo = PORT,
		.port_hi = PORT,
		.udp = true,
		.processes = true,
	};
	struct berth_look look;

	assert_int_equal(berth_look_load(&query, &look), 0);
	return look;
}

static struct berth_verdict verdict_on(int protocol)
{
	struct berth_look look = load();
	struct berth_verdict verdict = berth_verdict_of(&look, PORT, protocol);

	berth_look_deinit(&look);
	return verdict;
}

static void check_holder(const struct place *place, enum shape shape, bool reuse)
{
	int peer, fd;
	struct berth_verdict verdict;
	struct berth_look look;
	char who[128];

	assert_true(own_netns_enter());
	/* What is in TIME_WAIT can't be asked: see look.h about the guess. */
	assert_true(
		own_netns_sysctl("ipv4/ip_local_port_range", reuse ? "40000 50000" : "8000 10000"));
	peer = new_peer();
	fd = place_holder(place, shape, reuse, peer);
	look = load();
	assert_int_equal(look.socket_count, 1);
	verdict = berth_verdict_of(&look, PORT, IPPROTO_TCP);
	snprintf(who, sizeof(who), "%s %s%s%s", place->host, shapes[shape],
		 place->v6only ? ", v6only" : "", reuse ? ", SO_REUSEADDR" : "");
	if (verdict.fails != refused(SOCK_STREAM, true))
		fail_msg("%s: fails %x, the kernel %x", who, verdict.fails,
			 refused(SOCK_STREAM, true));
	if (verdict.fails_plain != refused(SOCK_STREAM, false))
		fail_msg("%s: fails_plain %x, the kernel %x", who, verdict.fails_plain,
			 refused(SOCK_STREAM, false));
	for (unsigned int bind_kind = 1; bind_kind <= BERTH_VERDICT_ALL; bind_kind <<= 1)
		assert_int_equal(berth_verdict_is_in_the_way(&look.sockets[0], bind_kind),
				 (verdict.fails & bind_kind) != 0);
	berth_look_deinit(&look);
	if (fd >= 0)
		close(fd);
	close(peer);
}

static void the_kernel_refuses_what_is_said_to_fail(void **state)
{
	(void)state;
	for (size_t i = 0; i < BERTH_ARRAY_SIZE(places); i++)
		for (enum shape shape = 0; shape < SHAPE_COUNT; shape++)
			for (int reuse = 0; reuse <= 1; reuse++)
				if (places[i].connects || shape == LISTENS || shape == BOUND)
					check_holder(&places[i], shape, reuse);
}

static void the_kernel_refuses_in_udp_what_is_said_to_fail(void **state)
{
	(void)state;
	for (size_t i = 0; i < BERTH_ARRAY_SIZE(places); i++) {
		struct berth_addr addr = address(places[i].host, places[i].family, PORT);
		int fd = new_socket(places[i].family, SOCK_DGRAM, false, places[i].v6only);

		assert_int_equal(berth_sock_bind(fd, &addr), 0);
		assert_int_equal(verdict_on(IPPROTO_UDP).fails, refused(SOCK_DGRAM, true));
		assert_int_equal(verdict_on(IPPROTO_UDP).fails_plain, refused(SOCK_DGRAM, false));
		assert_int_equal(verdict_on(IPPROTO_TCP).fails, 0);
		close(fd);
	}
}

static void a_free_port_refuses_nothing(void **state)
{
	struct berth_verdict verdict = verdict_on(IPPROTO_TCP);

	(void)state;
	assert_int_equal(verdict.fails, 0);
	assert_int_equal(verdict.fails_plain, 0);
	assert_false(verdict.split || verdict.answers4 || verdict.answers6);
}

/* Sockets that never were: the decision alone. */
static struct berth_look_socket made_up(const char *host, int family, uint64_t inode)
{
	return (struct berth_look_socket){
		.kind = BERTH_LOOK_LISTENER,
		.protocol = IPPROTO_TCP,
		.local = address(host, family, PORT),
		.inode = inode,
		.cgroup_id = inode,
	};
}

static struct berth_verdict verdict_of(struct berth_look_socket *sockets, size_t count,
				       struct berth_look_holder *holders, size_t holder_count)
{
	struct berth_look look = {
		.sockets = sockets,
		.socket_count = count,
		.holders = holders,
		.holder_count = holder_count,
	};

	return berth_verdict_of(&look, PORT, IPPROTO_TCP);
}

static void what_answers_is_told_by_family(void **state)
{
	static const struct {
		const char *host;
		int family;
		bool v6only;
		uint32_t interface;
		bool answers4, answers6;
	} rows[] = {
		{ "0.0.0.0", AF_INET, false, 0, true, false },
		{ "127.0.0.1", AF_INET, false, 0, true, false },
		{ "10.0.0.4", AF_INET, false, 0, false, false },
		{ "::", AF_INET6, false, 0, true, true },
		{ "::", AF_INET6, true, 0, false, true },
		{ "::1", AF_INET6, false, 0, false, true },
		{ "::ffff:127.0.0.1", AF_INET6, false, 0, true, false },
		{ "::", AF_INET6, false, 1, true, true },
		{ "::", AF_INET6, false, 2, false, false },
	};

	(void)state;
	for (size_t i = 0; i < BERTH_ARRAY_SIZE(rows); i++) {
		struct berth_look_socket socket = made_up(rows[i].host, rows[i].family, 1);
		struct berth_verdict verdict;

		socket.v6only = rows[i].v6only;
		socket.interface = rows[i].interface;
		verdict = verdict_of(&socket, 1, NULL, 0);
		assert_int_equal(verdict.answers4, rows[i].answers4);
		assert_int_equal(verdict.answers6, rows[i].answers6);
		assert_false(verdict.split);
		socket.kind = BERTH_LOOK_BOUND;
		verdict = verdict_of(&socket, 1, NULL, 0);
		assert_false(verdict.answers4 || verdict.answers6);
	}
}

static void two_programs_that_share_a_number_are_split(void **state)
{
	struct berth_look_socket sockets[] = {
		made_up("127.0.0.1", AF_INET, 1),
		made_up("::1", AF_INET6, 2),
	};
	struct berth_look_holder holders[] = {
		{ .inode = 1, .proc = { .pid = 10 } },
		{ .inode = 2, .proc = { .pid = 11 } },
		{ .inode = 2, .proc = { .pid = 12 } },
	};

	(void)state;
	assert_true(verdict_of(sockets, 2, holders, 3).split);
	assert_false(verdict_of(sockets, 1, holders, 3).split);
	/* One process has both. */
	holders[2].proc.pid = 10;
	assert_false(verdict_of(sockets, 2, holders, 3).split);
	/* Hidden: by cgroup and user; one hidden and one not are two. */
	assert_true(verdict_of(sockets, 2, NULL, 0).split);
	sockets[1].cgroup_id = sockets[0].cgroup_id;
	assert_false(verdict_of(sockets, 2, NULL, 0).split);
	sockets[1].uid = 70;
	assert_true(verdict_of(sockets, 2, NULL, 0).split);
	sockets[1].uid = 0;
	assert_true(verdict_of(sockets, 2, holders, 1).split);
}

/* [::] would take both, but for 127.0.0.1 there is one that takes exactly that. */
static void the_more_exact_one_answers(void **state)
{
	struct berth_look_socket sockets[] = {
		made_up("127.0.0.1", AF_INET, 1),
		made_up("::", AF_INET6, 2),
		made_up("0.0.0.0", AF_INET, 3),
	};

	(void)state;
	assert_true(verdict_of(sockets, 2, NULL, 0).split);
	assert_false(verdict_of(sockets + 1, 1, NULL, 0).split);
	assert_true(verdict_of(sockets + 1, 2, NULL, 0).split);
	/* Two processes behind one socket in each family, both of one program. */
	sockets[0].cgroup_id = sockets[1].cgroup_id;
	assert_false(verdict_of(sockets, 2, NULL, 0).split);
}

static void clients_come_to_the_most_exact_one_of_their_family(void **state)
{
	struct berth_look_socket sockets[] = {
		made_up("127.0.0.1", AF_INET, 1), made_up("0.0.0.0", AF_INET, 2),
		made_up("::", AF_INET6, 3),	  made_up("10.0.0.4", AF_INET, 4),
		made_up("127.0.0.1", AF_INET, 5),
	};
	const struct berth_look look = { .sockets = sockets, .socket_count = 5 };
	static const struct {
		bool v4, v6;
	} rows[] = { { true, false },
		     { false, false },
		     { false, true },
		     { false, false },
		     { true, false } };

	(void)state;
	for (size_t i = 0; i < BERTH_ARRAY_SIZE(rows); i++) {
		assert_int_equal(berth_verdict_gets_clients(&look, &sockets[i], AF_INET),
				 rows[i].v4);
		assert_int_equal(berth_verdict_gets_clients(&look, &sockets[i], AF_INET6),
				 rows[i].v6);
	}
	/* Nobody for [::1], so nobody gets those clients either. */
	sockets[2].interface = 2;
	for (size_t i = 0; i < BERTH_ARRAY_SIZE(rows); i++)
		assert_false(berth_verdict_gets_clients(&look, &sockets[i], AF_INET6));
}

static void clients_and_other_namespaces_are_never_in_the_way(void **state)
{
	struct berth_look_socket sockets[] = {
		made_up("127.0.0.1", AF_INET, 1),
		made_up("127.0.0.1", AF_INET, 2),
	};
	struct berth_verdict verdict;

	(void)state;
	sockets[0].kind = BERTH_LOOK_ACCEPTED;
	sockets[1].netns = 4026532281;
	verdict = verdict_of(sockets, 2, NULL, 0);
	assert_int_equal(verdict.fails | verdict.fails_plain, 0);
	assert_false(verdict.answers4);
	for (size_t i = 0; i < BERTH_ARRAY_SIZE(sockets); i++)
		assert_false(berth_verdict_is_in_the_way(&sockets[i], BERTH_VERDICT_ALL));
}

#define IN_NETNS(test) cmocka_unit_test_setup(test, own_netns_setup)

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN_NETNS(the_kernel_refuses_what_is_said_to_fail),
		IN_NETNS(the_kernel_refuses_in_udp_what_is_said_to_fail),
		IN_NETNS(a_free_port_refuses_nothing),
		cmocka_unit_test(what_answers_is_told_by_family),
		cmocka_unit_test(two_programs_that_share_a_number_are_split),
		cmocka_unit_test(the_more_exact_one_answers),
		cmocka_unit_test(clients_come_to_the_most_exact_one_of_their_family),
		cmocka_unit_test(clients_and_other_namespaces_are_never_in_the_way),
	};
	return own_netns_run_group_tests(tests);
}
