/* SPDX-License-Identifier: MIT */
/* unit/look/test-look.c - sockets and holders of real ports, in a network namespace of its own */
#include "look/look.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "../own-netns.h"

enum {
	PORT = 8080, /* outside of ip_local_port_range */
	NOBODY = 65534,
};

static const struct berth_look_query one_port = {
	.port_lo = PORT,
	.port_hi = PORT,
	.processes = true,
};

static struct berth_look load(const struct berth_look_query *query)
{
	struct berth_look look;

	memset(&look, 0xa5, sizeof(look));
	assert_int_equal(berth_look_load(query, &look), 0);
	return look;
}

static int bound(int type, const struct berth_addr *addr, int reuse)
{
	int fd = berth_sock_new(addr->sa.sa_family, type, 0);

	assert_true(fd >= 0);
	assert_int_equal(berth_sock_set(fd, SOL_SOCKET, SO_REUSEADDR, reuse), 0);
	assert_int_equal(berth_sock_bind(fd, addr), 0);
	return fd;
}

static int listening(struct berth_addr addr)
{
	int fd = bound(SOCK_STREAM, &addr, 1);

	assert_int_equal(berth_sock_listen(fd, 8), 0);
	return fd;
}

static int connected(const struct berth_addr *from, const struct berth_addr *to, int reuse)
{
	int fd = bound(SOCK_STREAM, from, reuse);

	assert_int_equal(connect(fd, &to->sa, to->len), 0);
	return fd;
}

static int accepted(int listener)
{
	int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);

	assert_true(fd >= 0);
	return fd;
}

/* The one whose end comes first has the TIME_WAIT. */
static void end_connection(int first, int second)
{
	char byte;

	close(first);
	assert_int_equal(read(second, &byte, 1), 0);
	close(second);
}

/* A process that has what we have, until @go is closed. */
struct child {
	pid_t pid;
	int go;
};

static bool listens_elsewhere(void)
{
	struct berth_addr addr = berth_addr_any(AF_INET6, PORT);
	int fd;

	if (!own_netns_enter())
		return false;
	fd = berth_sock_new(AF_INET6, SOCK_STREAM, 0);
	return fd >= 0 && berth_sock_bind(fd, &addr) == 0 && berth_sock_listen(fd, 1) == 0;
}

static struct child start_child(bool own_netns)
{
	int ready[2], go[2];
	struct child child;
	char byte;

	assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
	assert_int_equal(pipe2(go, O_CLOEXEC), 0);
	child.pid = fork();
	assert_true(child.pid >= 0);
	if (child.pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		close(go[1]);
		if (own_netns && !listens_elsewhere())
			_exit(1);
		if (write(ready[1], "r", 1) != 1)
			_exit(1);
		_exit(read(go[0], &byte, 1) == 0 ? 7 : 1);
	}
	close(go[0]);
	close(ready[1]);
	assert_int_equal(read(ready[0], &byte, 1), 1);
	close(ready[0]);
	child.go = go[1];
	return child;
}

static void end_child(struct child *child)
{
	int status;

	close(child->go);
	assert_int_equal(waitpid(child->pid, &status, 0), child->pid);
	assert_int_equal(WEXITSTATUS(status), 7);
}

static void a_listener_is_told_with_all_who_have_it(void **state)
{
	int fd = listening(berth_addr_any(AF_INET, PORT));
	struct child child = start_child(false);
	struct berth_look look = load(&one_port);
	const struct berth_look_holder *holders;
	size_t count;

	(void)state;
	assert_int_equal(look.socket_count, 1);
	assert_int_equal(look.sockets[0].kind, BERTH_LOOK_LISTENER);
	assert_int_equal(look.sockets[0].protocol, IPPROTO_TCP);
	assert_int_equal(look.sockets[0].inode, berth_sock_inode(fd));
	assert_int_equal(look.sockets[0].uid, getuid());
	assert_int_equal(look.sockets[0].netns, 0);
	assert_int_equal(look.sockets[0].peer.len, 0);
	assert_int_equal(berth_addr_port(&look.sockets[0].local), PORT);
	assert_false(look.bound_unseen);
	holders = berth_look_holders_of(&look, berth_sock_inode(fd), &count);
	assert_int_equal(count, 2);
	assert_int_equal(holders[0].fd, fd);
	assert_int_equal(holders[1].fd, fd);
	assert_true(holders[0].proc.pid < holders[1].proc.pid);
	for (size_t i = 0; i < count; i++) {
		assert_true(holders[i].proc.pid == getpid() || holders[i].proc.pid == child.pid);
		assert_true(berth_procfs_is_alive(&holders[i].proc));
	}
	assert_null(berth_look_holders_of(&look, 1, &count));
	assert_int_equal(count, 0);
	assert_null(berth_look_holders_of(&look, 0, &count));
	berth_look_deinit(&look);
	berth_look_deinit(&look);
	end_child(&child);
	close(fd);
}

static void a_free_port_and_no_port_at_all(void **state)
{
	struct berth_look_query query = { .port_lo = 0, .port_hi = 80 };
	struct berth_look look = load(&one_port);
	size_t count;

	(void)state;
	assert_int_equal(look.socket_count, 0);
	assert_null(berth_look_sockets_of(&look, PORT, IPPROTO_TCP, &count));
	assert_int_equal(count, 0);
	berth_look_deinit(&look);
	assert_int_equal(berth_look_load(&query, &look), -EINVAL);
	query = (struct berth_look_query){ .port_lo = 81, .port_hi = 80 };
	assert_int_equal(berth_look_load(&query, &look), -EINVAL);
	berth_look_deinit(NULL);
}

static void the_holders_are_sought_among_some_if_asked(void **state)
{
	int fd = listening(berth_addr_any(AF_INET, PORT));
	struct child child = start_child(false);
	struct berth_look_query query = one_port;
	struct berth_look look;

	(void)state;
	query.pids = &child.pid;
	query.pid_count = 1;
	look = load(&query);
	assert_int_equal(look.holder_count, 1);
	assert_int_equal(look.holders[0].proc.pid, child.pid);
	berth_look_deinit(&look);
	query.processes = false;
	look = load(&query);
	assert_int_equal(look.socket_count, 1);
	assert_int_equal(look.holder_count, 0);
	berth_look_deinit(&look);
	end_child(&child);
	close(fd);
}

static void check_accepted(struct berth_addr listener)
{
	int family = listener.sa.sa_family;
	struct berth_addr to = berth_addr_loopback(family, PORT), from = berth_addr_any(family, 0);
	int fd = listening(listener), client = connected(&from, &to, 0), server = accepted(fd);
	int second = connected(&from, &to, 0);
	struct berth_look_query query = one_port;
	struct berth_look look;

	end_connection(accepted(fd), second);
	look = load(&query);
	assert_int_equal(look.socket_count, 1);
	assert_int_equal(look.sockets[0].kind, BERTH_LOOK_LISTENER);
	berth_look_deinit(&look);

	query.accepted = true;
	look = load(&query);
	assert_int_equal(look.socket_count, 3);
	assert_int_equal(look.sockets[0].kind, BERTH_LOOK_LISTENER);
	assert_int_equal(look.sockets[1].kind, BERTH_LOOK_ACCEPTED);
	assert_int_equal(look.sockets[2].kind, BERTH_LOOK_ACCEPTED);
	assert_int_equal(look.sockets[2].inode, berth_sock_inode(server));
	berth_look_deinit(&look);

	/* Without the listener it is a connection like any other. */
	close(fd);
	look = load(&query);
	assert_int_equal(look.socket_count, 2);
	assert_int_equal(look.sockets[0].kind, BERTH_LOOK_CONNECTION);
	assert_int_equal(look.sockets[0].inode, berth_sock_inode(server));
	assert_true(look.sockets[0].reuse);
	assert_int_equal(look.sockets[1].kind, BERTH_LOOK_TIME_WAIT);
	assert_true(look.sockets[1].reuse);
	berth_look_deinit(&look);
	end_connection(client, server);
}

static void what_a_listener_on_every_address_has_accepted_is_a_clients(void **state)
{
	(void)state;
	check_accepted(berth_addr_any(AF_INET, PORT));
	assert_true(own_netns_enter());
	check_accepted(berth_addr_any(AF_INET6, PORT));
}

static void what_a_listener_on_one_address_has_accepted_is_a_clients(void **state)
{
	(void)state;
	check_accepted(berth_addr_loopback(AF_INET, PORT));
	assert_true(own_netns_enter());
	check_accepted(berth_addr_loopback(AF_INET6, PORT));
}

static void an_outgoing_connection_has_its_peer_and_is_asked_for_its_reuse(void **state)
{
	struct berth_addr from = berth_addr_loopback(AF_INET, PORT);
	struct berth_addr to = berth_addr_loopback(AF_INET, 9000);
	int fd = listening(to);

	(void)state;
	for (int reuse = 0; reuse <= 1; reuse++) {
		int client = connected(&from, &to, reuse);
		struct berth_look look = load(&one_port);

		assert_int_equal(look.socket_count, 1);
		assert_int_equal(look.sockets[0].kind, BERTH_LOOK_CONNECTION);
		assert_true(berth_addr_equal(&look.sockets[0].peer, &to));
		assert_int_equal(look.sockets[0].reuse, reuse);
		berth_look_deinit(&look);
		end_connection(accepted(fd), client);
	}
	close(fd);
}

/* Nobody can be asked about a TIME_WAIT. */
static void what_cannot_be_asked_is_told_by_its_number(void **state)
{
	struct berth_addr to = berth_addr_loopback(AF_INET, PORT),
			  from = berth_addr_any(AF_INET, 0);
	int fd = listening(to), client = connected(&from, &to, 0), server = accepted(fd);
	struct berth_look_query query = one_port;
	struct berth_addr outgoing;
	struct berth_look look;

	(void)state;
	assert_int_equal(berth_sock_name(client, &outgoing), 0);
	query.port_lo = query.port_hi = berth_addr_port(&outgoing);
	end_connection(client, server);
	close(fd);
	look = load(&query);
	assert_int_equal(look.socket_count, 1);
	assert_int_equal(look.sockets[0].kind, BERTH_LOOK_TIME_WAIT);
	assert_false(look.sockets[0].reuse);
	assert_int_equal(look.sockets[0].inode, 0);
	assert_int_equal(look.holder_count, 0);
	berth_look_deinit(&look);
}

static void a_bound_socket_is_told(void **state)
{
	struct berth_addr addr = berth_addr_any(AF_INET6, PORT);
	int fd = bound(SOCK_STREAM, &addr, 0);
	struct berth_look look = load(&one_port);

	(void)state;
	assert_int_equal(look.socket_count, 1);
	assert_int_equal(look.sockets[0].kind, BERTH_LOOK_BOUND);
	assert_int_equal(look.sockets[0].inode, berth_sock_inode(fd));
	assert_int_equal(look.holder_count, 1);
	assert_false(look.sockets[0].reuse);
	berth_look_deinit(&look);
	assert_int_equal(berth_sock_set(fd, SOL_SOCKET, SO_REUSEADDR, 1), 0);
	look = load(&one_port);
	assert_true(look.sockets[0].reuse);
	berth_look_deinit(&look);
	close(fd);
}

static void udp_is_told_if_asked(void **state)
{
	struct berth_addr addr = berth_addr_loopback(AF_INET, PORT);
	struct berth_addr other = berth_addr_loopback(AF_INET, 9000);
	int fd = bound(SOCK_DGRAM, &addr, 0), tcp = listening(addr);
	struct berth_look_query query = one_port;
	struct berth_look look = load(&query);
	const struct berth_look_socket *sockets;
	size_t count;

	(void)state;
	assert_int_equal(look.socket_count, 1);
	assert_int_equal(look.sockets[0].inode, berth_sock_inode(tcp));
	berth_look_deinit(&look);
	query.udp = true;
	look = load(&query);
	assert_int_equal(look.socket_count, 2);
	sockets = berth_look_sockets_of(&look, PORT, IPPROTO_UDP, &count);
	assert_int_equal(count, 1);
	assert_int_equal(sockets->kind, BERTH_LOOK_LISTENER);
	assert_int_equal(sockets->inode, berth_sock_inode(fd));
	berth_look_deinit(&look);
	assert_int_equal(connect(fd, &other.sa, other.len), 0);
	look = load(&query);
	sockets = berth_look_sockets_of(&look, PORT, IPPROTO_UDP, &count);
	assert_int_equal(sockets->kind, BERTH_LOOK_CONNECTION);
	berth_look_deinit(&look);
	close(fd);
	close(tcp);
}

static void a_range_comes_by_port_and_weight(void **state)
{
	static const uint16_t ports[] = { PORT, PORT, PORT + 1, PORT + 9 };
	static const enum berth_look_kind kinds[] = { BERTH_LOOK_LISTENER, BERTH_LOOK_BOUND,
						      BERTH_LOOK_LISTENER, BERTH_LOOK_LISTENER };
	struct berth_addr v6 = berth_addr_loopback(AF_INET6, PORT);
	struct berth_look_query query = one_port;
	int fds[] = {
		bound(SOCK_STREAM, &v6, 0),
		listening(berth_addr_any(AF_INET6, PORT + 9)),
		listening(berth_addr_any(AF_INET, PORT + 10)),
		listening(berth_addr_any(AF_INET, PORT + 1)),
		listening(berth_addr_any(AF_INET, PORT)),
	};
	struct berth_look look;
	size_t count;

	(void)state;
	query.port_hi = PORT + 9;
	look = load(&query);
	assert_int_equal(look.socket_count, BERTH_ARRAY_SIZE(ports));
	for (size_t i = 0; i < look.socket_count; i++) {
		assert_int_equal(berth_addr_port(&look.sockets[i].local), ports[i]);
		assert_int_equal(look.sockets[i].kind, kinds[i]);
	}
	assert_ptr_equal(berth_look_sockets_of(&look, PORT, IPPROTO_TCP, &count), look.sockets);
	assert_int_equal(count, 2);
	assert_ptr_equal(berth_look_sockets_of(&look, PORT + 9, IPPROTO_TCP, &count),
			 look.sockets + 3);
	assert_int_equal(count, 1);
	assert_null(berth_look_sockets_of(&look, PORT + 2, IPPROTO_TCP, &count));
	assert_null(berth_look_sockets_of(&look, PORT, IPPROTO_UDP, &count));
	berth_look_deinit(&look);

	query.kinds = 1u << BERTH_LOOK_BOUND;
	look = load(&query);
	assert_int_equal(look.socket_count, 1);
	assert_int_equal(look.sockets[0].inode, berth_sock_inode(fds[0]));
	berth_look_deinit(&look);
	query.kinds = 1u << BERTH_LOOK_LISTENER;
	look = load(&query);
	assert_int_equal(look.socket_count, 3);
	berth_look_deinit(&look);
	for (size_t i = 0; i < BERTH_ARRAY_SIZE(fds); i++)
		close(fds[i]);
}

static void what_was_accepted_is_told_apart_when_only_connections_are_asked_for(void **state)
{
	struct berth_addr to = berth_addr_loopback(AF_INET, PORT),
			  from = berth_addr_any(AF_INET, 0);
	int fd = listening(to), client = connected(&from, &to, 0), server = accepted(fd);
	struct berth_look_query query = one_port;
	struct berth_look look;

	(void)state;
	query.kinds = 1u << BERTH_LOOK_CONNECTION | 1u << BERTH_LOOK_TIME_WAIT;
	look = load(&query);
	assert_int_equal(look.socket_count, 0);
	berth_look_deinit(&look);
	query.kinds = 1u << BERTH_LOOK_ACCEPTED;
	query.accepted = true;
	look = load(&query);
	assert_int_equal(look.socket_count, 1);
	assert_int_equal(look.sockets[0].inode, berth_sock_inode(server));
	berth_look_deinit(&look);
	end_connection(server, client);
	close(fd);
}

static void other_namespaces_are_seen_and_the_caller_stays_where_it_is(void **state)
{
	struct child child = start_child(true);
	struct berth_look_query query = one_port;
	int fd = berth_sock_new(AF_INET, SOCK_STREAM, 0), after;
	struct berth_look look = load(&query);
	const struct berth_look_holder *holder = NULL;
	size_t count, at;

	(void)state;
	assert_int_equal(look.socket_count, 0);
	berth_look_deinit(&look);
	query.namespaces = true;
	look = load(&query);
	if (geteuid() != 0 || look.hidden_namespaces) {
		print_message("no other namespace may be entered\n");
		berth_look_deinit(&look);
		end_child(&child);
		close(fd);
		skip();
	}
	for (at = 0; at < look.socket_count; at++) {
		holder = berth_look_holders_of(&look, look.sockets[at].inode, &count);
		if (holder && holder->proc.pid == child.pid)
			break;
	}
	assert_true(at < look.socket_count);
	assert_int_not_equal(look.sockets[at].netns, 0);
	assert_int_equal(look.sockets[at].kind, BERTH_LOOK_LISTENER);
	assert_null(berth_look_sockets_of(&look, PORT, IPPROTO_TCP, &count));
	after = berth_sock_new(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(berth_sock_netns_cookie(after), berth_sock_netns_cookie(fd));
	berth_look_deinit(&look);
	end_child(&child);
	close(after);
	close(fd);
}

static void who_may_not_look_is_told_so(void **state)
{
	int fd = listening(berth_addr_any(AF_INET, PORT)), status;
	pid_t child;

	(void)state;
	if (geteuid() != 0) {
		print_message("only root can become somebody else\n");
		close(fd);
		skip();
	}
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		struct berth_look look;

		close(fd);
		if (syscall(SYS_setresuid, NOBODY, NOBODY, NOBODY) < 0)
			_exit(2);
		if (berth_look_load(&one_port, &look) < 0)
			_exit(1);
		_exit(look.socket_count == 1 && look.sockets[0].uid == 0 &&
				      look.holder_count == 0 && look.hidden_processes > 0
			      ? 7
			      : 1);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	close(fd);
	if (WEXITSTATUS(status) == 2) {
		print_message("there is nobody else in this user namespace\n");
		skip();
	}
	assert_int_equal(WEXITSTATUS(status), 7);
}

/* Of a lease: only some can have what is bound there. Who that is, is not for us to judge. */
static void what_is_bound_is_asked_of_those_that_can_have_it(void **state)
{
	struct berth_addr addr = berth_addr_loopback(AF_INET, PORT);
	int listener = listening(berth_addr_loopback(AF_INET6, PORT));
	int fd = bound(SOCK_STREAM, &addr, 1), pair[2];
	struct child child = start_child(false);
	pid_t pids[] = { getpid(), child.pid };
	struct berth_look_query query = one_port;
	struct berth_look look;

	(void)state;
	query.kinds = 1u << BERTH_LOOK_LISTENER | 1u << BERTH_LOOK_BOUND;
	query.binders = pids;
	query.binder_count = 2;
	look = load(&query);
	assert_int_equal(look.socket_count, 2);
	assert_int_equal(look.sockets[0].kind, BERTH_LOOK_LISTENER);
	assert_int_equal(look.sockets[0].inode, berth_sock_inode(listener));
	assert_int_equal(look.sockets[1].kind, BERTH_LOOK_BOUND);
	assert_int_equal(look.sockets[1].inode, berth_sock_inode(fd));
	assert_true(berth_addr_equal(&look.sockets[1].local, &addr));
	assert_true(look.sockets[1].reuse);
	assert_int_equal(look.holder_count, 4);
	berth_look_deinit(&look);
	end_child(&child);

	/* One that has gone has none. */
	query.binders = &child.pid;
	query.binder_count = 1;
	look = load(&query);
	assert_int_equal(look.socket_count, 1);
	berth_look_deinit(&look);

	/* One with many is not asked, but the kernel. */
	query.binders = pids;
	for (size_t i = 0; i < 40; i++)
		assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	look = load(&query);
	assert_int_equal(look.socket_count, 2);
	assert_int_equal(look.sockets[1].inode, berth_sock_inode(fd));
	berth_look_deinit(&look);
	close_range((unsigned int)pair[1] - 79, (unsigned int)pair[1], 0);
	close(fd);
	close(listener);
}

static void each_kind_has_its_word(void **state)
{
	static const char *const words[] = { "listener", "bound", "connection", "time_wait",
					     "accepted" };

	(void)state;
	assert_int_equal(BERTH_ARRAY_SIZE(words), BERTH_LOOK_KIND_COUNT_);
	for (size_t i = 0; i < BERTH_ARRAY_SIZE(words); i++)
		assert_string_equal(berth_look_kind_name((enum berth_look_kind)i), words[i]);
}

#define IN_NETNS(test) cmocka_unit_test_setup(test, own_netns_setup)

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN_NETNS(a_listener_is_told_with_all_who_have_it),
		IN_NETNS(a_free_port_and_no_port_at_all),
		IN_NETNS(the_holders_are_sought_among_some_if_asked),
		IN_NETNS(what_a_listener_on_every_address_has_accepted_is_a_clients),
		IN_NETNS(what_a_listener_on_one_address_has_accepted_is_a_clients),
		IN_NETNS(what_was_accepted_is_told_apart_when_only_connections_are_asked_for),
		IN_NETNS(an_outgoing_connection_has_its_peer_and_is_asked_for_its_reuse),
		IN_NETNS(what_cannot_be_asked_is_told_by_its_number),
		IN_NETNS(a_bound_socket_is_told),
		IN_NETNS(udp_is_told_if_asked),
		IN_NETNS(a_range_comes_by_port_and_weight),
		IN_NETNS(other_namespaces_are_seen_and_the_caller_stays_where_it_is),
		IN_NETNS(who_may_not_look_is_told_so),
		IN_NETNS(what_is_bound_is_asked_of_those_that_can_have_it),
		IN_NETNS(each_kind_has_its_word),
	};
	return own_netns_run_group_tests(tests);
}
