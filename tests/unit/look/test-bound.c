/* SPDX-License-Identifier: MIT */
/* unit/look/test-bound.c - bound sockets found the long way, on whatever kernel this is */
#include "look/bound.h"

#include <errno.h>
#include <setjmp.h>
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
	PORT = 8080,
	ROWS_MAX = 8,
	NOBODY = 65534,
};

struct table {
	struct berth_bound_socket rows[ROWS_MAX];
	size_t count;
	bool hidden;
};

static int add(const struct berth_bound_socket *socket, void *arg)
{
	struct table *table = arg;

	assert_true(table->count < ROWS_MAX);
	table->rows[table->count++] = *socket;
	return 0;
}

static struct table find(uint16_t lo, uint16_t hi)
{
	struct table table = { 0 };

	assert_int_equal(berth_bound_each(lo, hi, add, &table, &table.hidden), 0);
	return table;
}

static int bound(int family, int type, uint16_t port)
{
	struct berth_addr addr = berth_addr_loopback(family, port);
	int fd = berth_sock_new(family, type, 0);

	assert_true(fd >= 0);
	assert_int_equal(berth_sock_set(fd, SOL_SOCKET, SO_REUSEADDR, 1), 0);
	assert_int_equal(berth_sock_bind(fd, &addr), 0);
	return fd;
}

static void a_bound_socket_is_found_once_with_all_there_is_to_it(void **state)
{
	int fd = bound(AF_INET6, SOCK_STREAM, PORT), copy = dup(fd), status;
	struct berth_addr addr = berth_addr_loopback(AF_INET6, PORT);
	struct table table;
	pid_t child = fork();

	(void)state;
	assert_true(child >= 0);
	if (child == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (;;)
			pause();
	}
	table = find(PORT, PORT);
	assert_int_equal(table.count, 1);
	assert_true(berth_addr_equal(&table.rows[0].local, &addr));
	assert_int_equal(table.rows[0].inode, berth_sock_inode(fd));
	assert_int_equal(table.rows[0].uid, geteuid());
	assert_int_equal(table.rows[0].interface, 0);
	assert_true(table.rows[0].reuse);
	/* The kernel's doing: this address has no IPv4. */
	assert_true(table.rows[0].v6only);
	assert_int_equal(berth_sock_set(fd, SOL_SOCKET, SO_REUSEADDR, 0), 0);
	assert_false(find(PORT, PORT).rows[0].reuse);
	assert_int_equal(kill(child, SIGKILL), 0);
	assert_int_equal(waitpid(child, &status, 0), child);
	close(copy);
	close(fd);
	assert_int_equal(find(PORT, PORT).count, 0);
}

static void other_sockets_and_other_ports_are_not_it(void **state)
{
	int listener = bound(AF_INET, SOCK_STREAM, PORT + 1),
	    udp = bound(AF_INET, SOCK_DGRAM, PORT);
	int below = bound(AF_INET, SOCK_STREAM, PORT - 1), lo = bound(AF_INET, SOCK_STREAM, PORT);
	int hi = bound(AF_INET, SOCK_STREAM, PORT + 9),
	    above = bound(AF_INET, SOCK_STREAM, PORT + 10);
	int client = bound(AF_INET, SOCK_STREAM, PORT + 2), pair[2];
	struct berth_addr to;
	struct table table;

	(void)state;
	assert_int_equal(berth_sock_listen(listener, 1), 0);
	assert_int_equal(berth_sock_name(listener, &to), 0);
	assert_int_equal(connect(client, &to.sa, to.len), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	table = find(PORT, PORT + 9);
	assert_int_equal(table.count, 2);
	for (size_t i = 0; i < table.count; i++)
		assert_true(table.rows[i].inode == berth_sock_inode(lo) ||
			    table.rows[i].inode == berth_sock_inode(hi));
	for (size_t i = 0; i < 2; i++)
		close(pair[i]);
	close(client);
	close(above);
	close(hi);
	close(lo);
	close(below);
	close(udp);
	close(listener);
}

static void another_namespace_is_not_ours(void **state)
{
	int fd = bound(AF_INET, SOCK_STREAM, PORT);

	(void)state;
	assert_true(own_netns_enter());
	assert_int_equal(find(PORT, PORT).count, 0);
	close(fd);
}

static int stop_at_once(const struct berth_bound_socket *socket, void *arg)
{
	(void)socket;
	++*(size_t *)arg;
	return 5;
}

static void the_caller_ends_it_when_it_wants(void **state)
{
	int fd = bound(AF_INET, SOCK_STREAM, PORT), other = bound(AF_INET, SOCK_STREAM, PORT + 1);
	bool hidden = true;
	size_t calls = 0;

	(void)state;
	assert_int_equal(berth_bound_each(PORT, PORT + 1, stop_at_once, &calls, &hidden), 5);
	assert_int_equal(calls, 1);
	assert_true(hidden);
	close(other);
	close(fd);
}

static void who_may_not_borrow_is_told_so(void **state)
{
	int fd = bound(AF_INET, SOCK_STREAM, PORT), status;
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
		struct table table = { 0 };

		close(fd);
		if (syscall(SYS_setresuid, NOBODY, NOBODY, NOBODY) < 0)
			_exit(2);
		_exit(berth_bound_each(PORT, PORT, add, &table, &table.hidden) == 0 &&
				      table.count == 0 && table.hidden
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

#define IN_NETNS(test) cmocka_unit_test_setup(test, own_netns_setup)

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN_NETNS(a_bound_socket_is_found_once_with_all_there_is_to_it),
		IN_NETNS(other_sockets_and_other_ports_are_not_it),
		IN_NETNS(another_namespace_is_not_ours),
		IN_NETNS(the_caller_ends_it_when_it_wants),
		IN_NETNS(who_may_not_borrow_is_told_so),
	};
	return own_netns_run_group_tests(tests);
}
