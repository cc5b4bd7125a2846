/* SPDX-License-Identifier: MIT */
/* unit/look/test-who.c - holders of real ports, told as the user will read them */
#include "look/who.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

enum {
	ROWS_MAX = 16,
	NOBODY = 65534
};

static size_t ask(uint16_t port, struct berth_who_holder *rows)
{
	size_t count = 99;

	memset(rows, 0, ROWS_MAX * sizeof(*rows));
	assert_int_equal(berth_who_find(port, true, NULL, 0, rows, ROWS_MAX, &count), 0);
	assert_true(count <= ROWS_MAX);
	return count;
}

static uint16_t port_of(int fd)
{
	struct berth_addr addr;

	assert_int_equal(berth_sock_name(fd, &addr), 0);
	return berth_addr_port(&addr);
}

static int bound(uint16_t port)
{
	struct berth_addr addr = berth_addr_loopback(AF_INET, port);
	int fd = berth_sock_new(AF_INET, SOCK_STREAM, 0);

	assert_true(fd >= 0);
	assert_int_equal(berth_sock_set(fd, SOL_SOCKET, SO_REUSEADDR, 1), 0);
	assert_int_equal(berth_sock_bind(fd, &addr), 0);
	return fd;
}

static int listening(void)
{
	int fd = bound(0);

	assert_int_equal(berth_sock_listen(fd, 8), 0);
	return fd;
}

static int connected_to(uint16_t port)
{
	struct berth_addr addr = berth_addr_loopback(AF_INET, port);
	int fd = berth_sock_new(AF_INET, SOCK_STREAM, 0);

	assert_int_equal(connect(fd, &addr.sa, addr.len), 0);
	return fd;
}

/* What a child that took over the sockets does: it ends when @go is closed. */
struct child {
	pid_t pid;
	int go;
};

static struct child start_child(const char *name, uid_t uid)
{
	int ready[2], go[2];
	struct child child;
	char byte;

	assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
	assert_int_equal(pipe2(go, O_CLOEXEC), 0);
	child.pid = fork();
	assert_true(child.pid >= 0);
	if (child.pid == 0) {
		close(go[1]);
		prctl(PR_SET_NAME, name);
		if (uid && syscall(SYS_setresuid, uid, uid, uid) < 0)
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

static void nobody_holds_a_free_port(void **state)
{
	struct berth_who_holder rows[ROWS_MAX];
	int fd = listening();
	uint16_t port = port_of(fd);
	size_t count = 99;

	(void)state;
	close(fd);
	assert_int_equal(ask(port, rows), 0);
	assert_int_equal(berth_who_find(0, true, NULL, 0, rows, ROWS_MAX, &count), -EINVAL);
	assert_int_equal(count, 99);
}

static void a_listener_is_told_with_its_process_and_a_safe_name(void **state)
{
	struct berth_who_holder rows[ROWS_MAX];
	int fd = listening();
	uint16_t port = port_of(fd);
	uint64_t inode = berth_sock_inode(fd);
	struct child child = start_child("no\033[31m\nde", 0);
	char buf[128], expected[128];

	(void)state;
	close(fd);
	assert_int_equal(ask(port, rows), 1);
	assert_int_equal(rows[0].kind, BERTH_LOOK_LISTENER);
	assert_int_equal(rows[0].inode, inode);
	assert_int_equal(rows[0].uid, geteuid());
	assert_int_equal(rows[0].proc.pid, child.pid);
	assert_true(berth_procfs_is_alive(&rows[0].proc));
	assert_string_equal(rows[0].comm, "no\033[31m\nde");
	assert_int_equal(berth_addr_port(&rows[0].local), port);
	berth_who_format(&rows[0], buf, sizeof(buf));
	snprintf(expected, sizeof(expected), "no\\e[31m\\nde %d", (int)child.pid);
	assert_string_equal(buf, expected);
	end_child(&child);
}

static void of_several_processes_the_lowest_pid_is_told(void **state)
{
	struct berth_who_holder rows[ROWS_MAX];
	int fd = listening();
	struct child children[3];

	(void)state;
	for (size_t i = 0; i < BERTH_ARRAY_SIZE(children); i++)
		children[i] = start_child("worker", 0);
	assert_int_equal(ask(port_of(fd), rows), 1);
	assert_int_equal(rows[0].proc.pid, getpid() < children[0].pid ? getpid() : children[0].pid);
	close(fd);
	/* The later ones inherited the pipes of the earlier ones. */
	for (size_t i = BERTH_ARRAY_SIZE(children); i-- > 0;)
		end_child(&children[i]);
}

static void own_sockets_and_processes_are_left_out_on_demand(void **state)
{
	struct berth_who_holder rows[ROWS_MAX] = { 0 };
	int fd = listening(), client = connected_to(port_of(fd));
	uint64_t own[] = { 1, berth_sock_inode(fd) };
	size_t count = 99;

	(void)state;
	assert_int_equal(berth_who_find(port_of(fd), true, own, 2, rows, ROWS_MAX, &count), 0);
	assert_int_equal(count, 0);
	assert_int_equal(berth_who_find(port_of(fd), false, NULL, 0, rows, ROWS_MAX, &count), 0);
	assert_int_equal(count, 1);
	assert_int_equal(rows[0].proc.pid, 0);
	close(client);
	close(fd);
}

/* What a server accepted has its port, and is none of the reasons why a bind() fails. */
static void accepted_connections_of_a_living_listener_are_no_holders(void **state)
{
	struct berth_who_holder rows[ROWS_MAX];
	int fd = listening(), client = connected_to(port_of(fd)), server = accept(fd, NULL, NULL);
	int closed = connected_to(port_of(fd)), closed_server = accept(fd, NULL, NULL);
	char byte;

	(void)state;
	/* One in TIME_WAIT on the listener's side. */
	close(closed_server);
	assert_int_equal(read(closed, &byte, 1), 0);
	close(closed);
	assert_int_equal(ask(port_of(fd), rows), 1);
	assert_int_equal(rows[0].kind, BERTH_LOOK_LISTENER);
	close(client);
	close(server);
	close(fd);
}

static void an_outgoing_connection_is_a_holder_with_its_peer(void **state)
{
	struct berth_who_holder rows[ROWS_MAX];
	int fd = listening(), client = connected_to(port_of(fd));
	uint16_t port = port_of(client);
	struct child child;
	char buf[128], expected[128];

	(void)state;
	child = start_child("curl", 0);
	assert_int_equal(ask(port, rows), 1);
	assert_int_equal(rows[0].kind, BERTH_LOOK_CONNECTION);
	assert_int_equal(rows[0].inode, berth_sock_inode(client));
	assert_int_equal(berth_addr_port(&rows[0].peer), port_of(fd));
	close(client);
	assert_int_equal(ask(port, rows), 1);
	assert_int_equal(rows[0].proc.pid, child.pid);
	berth_who_format(&rows[0], buf, sizeof(buf));
	snprintf(expected, sizeof(expected), "an outgoing connection of curl %d to 127.0.0.1:%u",
		 (int)child.pid, port_of(fd));
	assert_string_equal(buf, expected);
	end_child(&child);
	close(fd);
}

static void time_wait_is_told_as_nobody(void **state)
{
	struct berth_who_holder rows[ROWS_MAX];
	int fd = listening(), client = connected_to(port_of(fd)), server = accept(fd, NULL, NULL);
	uint16_t port = port_of(fd), client_port = port_of(client);
	char byte, buf[128], expected[128];

	(void)state;
	close(server);
	assert_int_equal(read(client, &byte, 1), 0);
	close(client);
	close(fd);
	assert_int_equal(ask(port, rows), 1);
	assert_int_equal(rows[0].kind, BERTH_LOOK_TIME_WAIT);
	assert_int_equal(rows[0].proc.pid, 0);
	berth_who_format(&rows[0], buf, sizeof(buf));
	snprintf(expected, sizeof(expected), "a closed connection to 127.0.0.1:%u in TIME_WAIT",
		 client_port);
	assert_string_equal(buf, expected);
}

static void a_bound_socket_is_told_where_the_kernel_can(void **state)
{
	struct berth_who_holder rows[ROWS_MAX];
	int fd = bound(0);
	char buf[128], expected[128];

	(void)state;
	if (ask(port_of(fd), rows) == 0) {
		print_message("this kernel does not dump bound sockets\n");
		close(fd);
		skip();
	}
	assert_int_equal(rows[0].kind, BERTH_LOOK_BOUND);
	assert_int_equal(rows[0].proc.pid, getpid());
	berth_who_format(&rows[0], buf, sizeof(buf));
	snprintf(expected, sizeof(expected), "%s %d, bound and not listening", rows[0].comm,
		 (int)getpid());
	assert_string_equal(buf, expected);
	close(fd);
}

/* The kernel tells of IPv4 first: TIME_WAIT there, and then a listener on IPv6. */
static void the_weightiest_come_first_and_all_are_counted(void **state)
{
	struct berth_who_holder rows[ROWS_MAX];
	struct berth_addr other = berth_addr_loopback(AF_INET6, 0);
	int fd = listening(), client = connected_to(port_of(fd)), server = accept(fd, NULL, NULL);
	int second = berth_sock_new(AF_INET6, SOCK_STREAM, 0);
	uint16_t port = port_of(fd);
	size_t count, all;
	char byte;

	(void)state;
	close(server);
	assert_int_equal(read(client, &byte, 1), 0);
	close(client);
	close(fd);
	berth_addr_set_port(&other, port);
	if (second < 0 || berth_sock_bind(second, &other) < 0) {
		print_message("no IPv6 here\n");
		skip();
	}
	assert_int_equal(berth_sock_listen(second, 1), 0);

	all = ask(port, rows);
	assert_int_equal(all, 2);
	assert_int_equal(rows[0].kind, BERTH_LOOK_LISTENER);
	assert_int_equal(rows[1].kind, BERTH_LOOK_TIME_WAIT);
	memset(rows, 0, sizeof(rows));
	assert_int_equal(berth_who_find(port, true, NULL, 0, rows, 1, &count), 0);
	assert_int_equal(count, all);
	assert_int_equal(rows[0].kind, BERTH_LOOK_LISTENER);
	assert_int_equal(rows[1].inode, 0);
	assert_int_equal(berth_who_find(port, true, NULL, 0, NULL, 0, &count), 0);
	assert_int_equal(count, all);
	close(second);
}

static void a_hidden_process_is_told_by_its_user(void **state)
{
	struct berth_who_holder rows[ROWS_MAX];
	int fd = listening(), ends[2], status;
	uint16_t port = port_of(fd);
	char buf[128] = "", expected[128];
	pid_t child;

	(void)state;
	if (geteuid() != 0) {
		print_message("only root can become somebody else\n");
		close(fd);
		skip();
	}
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		close(fd);
		if (syscall(SYS_setresuid, NOBODY, NOBODY, NOBODY) < 0 || ask(port, rows) != 1)
			_exit(1);
		berth_who_format(&rows[0], buf, sizeof(buf));
		_exit(write(ends[1], buf, strlen(buf)) > 0 ? 7 : 1);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(WEXITSTATUS(status), 7);
	assert_true(read(ends[0], buf, sizeof(buf) - 1) > 0);
	snprintf(expected, sizeof(expected), "held by uid %u, process hidden", geteuid());
	assert_string_equal(buf, expected);
	close(ends[0]);
	close(ends[1]);
	close(fd);
}

static void sentences_fit_their_kinds(void **state)
{
	struct berth_who_holder holder = { .uid = 70, .peer = berth_addr_loopback(AF_INET6, 443) };
	static const struct {
		enum berth_look_kind kind;
		uint64_t inode;
		const char *name, *text;
	} rows[] = {
		{ BERTH_LOOK_LISTENER, 1, "listener", "held by uid 70, process hidden" },
		{ BERTH_LOOK_BOUND, 1, "bound",
		  "held by uid 70, bound and not listening, process hidden" },
		{ BERTH_LOOK_CONNECTION, 1, "connection",
		  "an outgoing connection of uid 70 to [::1]:443, process hidden" },
		{ BERTH_LOOK_CONNECTION, 0, "connection", "a closing connection to [::1]:443" },
		{ BERTH_LOOK_TIME_WAIT, 0, "time_wait",
		  "a closed connection to [::1]:443 in TIME_WAIT" },
	};
	char buf[128], tight[8];

	(void)state;
	for (size_t i = 0; i < BERTH_ARRAY_SIZE(rows); i++) {
		holder.kind = rows[i].kind;
		holder.inode = rows[i].inode;
		assert_string_equal(berth_look_kind_name(rows[i].kind), rows[i].name);
		assert_ptr_equal(berth_who_format(&holder, buf, sizeof(buf)), buf);
		assert_string_equal(buf, rows[i].text);
		assert_int_equal(strlen(berth_who_format(&holder, tight, sizeof(tight))), 7);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nobody_holds_a_free_port),
		cmocka_unit_test(a_listener_is_told_with_its_process_and_a_safe_name),
		cmocka_unit_test(of_several_processes_the_lowest_pid_is_told),
		cmocka_unit_test(own_sockets_and_processes_are_left_out_on_demand),
		cmocka_unit_test(accepted_connections_of_a_living_listener_are_no_holders),
		cmocka_unit_test(an_outgoing_connection_is_a_holder_with_its_peer),
		cmocka_unit_test(time_wait_is_told_as_nobody),
		cmocka_unit_test(a_bound_socket_is_told_where_the_kernel_can),
		cmocka_unit_test(the_weightiest_come_first_and_all_are_counted),
		cmocka_unit_test(a_hidden_process_is_told_by_its_user),
		cmocka_unit_test(sentences_fit_their_kinds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
