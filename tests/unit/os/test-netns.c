/* SPDX-License-Identifier: MIT */
/* unit/os/test-netns.c - namespaces of child processes, and a question asked in each */
#include "os/netns.h"

#include <errno.h>
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
#include "os/sockdiag.h"

enum {
	PORT = 8080,
	CHILDREN = 3,
	NOBODY = 65534,
};

/* A process in a namespace of its own, the listener in it on PORT + @number. */
struct child {
	pid_t pid;
	uint64_t netns;
};

static struct child start_child(uint16_t number)
{
	struct child child;
	int ready[2];

	assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
	child.pid = fork();
	assert_true(child.pid >= 0);
	if (child.pid == 0) {
		struct berth_addr addr = berth_addr_any(AF_INET, (uint16_t)(PORT + number));
		uint64_t own;
		int fd;

		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (!own_netns_enter())
			_exit(1);
		fd = berth_sock_new(AF_INET, SOCK_STREAM, 0);
		own = berth_netns_own();
		if (fd < 0 || berth_sock_bind(fd, &addr) < 0 || berth_sock_listen(fd, 1) < 0 ||
		    write(ready[1], &own, sizeof(own)) != sizeof(own))
			_exit(1);
		for (;;)
			pause();
	}
	close(ready[1]);
	assert_int_equal(read(ready[0], &child.netns, sizeof(child.netns)), sizeof(child.netns));
	close(ready[0]);
	return child;
}

static void end_child(const struct child *child)
{
	int status;

	assert_int_equal(kill(child->pid, SIGKILL), 0);
	assert_int_equal(waitpid(child->pid, &status, 0), child->pid);
}

struct found {
	const struct child *children;
	uint64_t last;
	unsigned int ports[CHILDREN]; /* a bit for each */
	size_t calls;
	int result;
};

static int add_port(const struct berth_sockdiag_entry *entry, void *arg)
{
	unsigned int *ports = arg;

	*ports |= 1u << (berth_addr_port(&entry->local) - PORT);
	return 0;
}

static int look_into(uint64_t inode, int sockdiag, void *arg)
{
	struct berth_sockdiag_query query = {
		.family = AF_UNSPEC,
		.protocol = IPPROTO_TCP,
		.states = BERTH_SOCKDIAG_LISTEN,
		.port_lo = PORT,
		.port_hi = PORT + CHILDREN - 1,
	};
	struct found *found = arg;

	found->calls++;
	if (inode <= found->last)
		return -EINVAL;
	found->last = inode;
	for (size_t i = 0; i < CHILDREN; i++)
		if (found->children && found->children[i].netns == inode &&
		    berth_sockdiag_each_on(sockdiag, &query, add_port, &found->ports[i]) < 0)
			return -EIO;
	return found->result;
}

static int look_into_each(struct found *found, unsigned int *ret_closed)
{
	struct berth_netns_tour *tour = NULL;

	assert_int_equal(berth_netns_start(look_into, found, &tour), 0);
	return berth_netns_finish(tour, ret_closed);
}

static void each_namespace_is_asked_and_the_caller_stays(void **state)
{
	struct child children[CHILDREN];
	struct found found = { .children = children };
	uint64_t own = berth_netns_own();
	unsigned int closed = 99;

	(void)state;
	for (size_t i = 0; i < CHILDREN; i++)
		children[i] = start_child((uint16_t)i);
	assert_int_equal(look_into_each(&found, &closed), 0);
	assert_true(found.calls >= CHILDREN);
	for (size_t i = 0; i < CHILDREN; i++)
		assert_int_equal(found.ports[i], 1u << i);
	assert_int_equal(berth_netns_own(), own);

	found = (struct found){ .result = 5 };
	assert_int_equal(look_into_each(&found, &closed), 5);
	assert_int_equal(found.calls, 1);
	for (size_t i = 0; i < CHILDREN; i++)
		end_child(&children[i]);
}

static int await_caller(uint64_t inode, int sockdiag, void *arg)
{
	const int *turn = arg;
	char byte;

	(void)inode;
	(void)sockdiag;
	return read(turn[0], &byte, 1) == 1 ? 6 : -EIO;
}

static void the_caller_has_time_for_something_else(void **state)
{
	struct berth_netns_tour *tour = NULL;
	struct child child = start_child(0);
	unsigned int closed;
	int turn[2];

	(void)state;
	assert_int_equal(pipe2(turn, O_CLOEXEC), 0);
	assert_int_equal(berth_netns_start(await_caller, turn, &tour), 0);
	assert_int_equal(write(turn[1], "t", 1), 1);
	assert_int_equal(berth_netns_finish(tour, &closed), 6);
	close(turn[0]);
	close(turn[1]);
	end_child(&child);
}

/* Its own processes it may look at, and see where they are; entering takes root. */
static void who_may_not_enter_is_told_so(void **state)
{
	int status;
	pid_t pid;

	(void)state;
	if (geteuid() != 0) {
		print_message("only root can become somebody else\n");
		skip();
	}
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		struct found found = { 0 };
		unsigned int closed = 0;
		struct child child;

		if (syscall(SYS_setresuid, NOBODY, NOBODY, NOBODY) < 0)
			_exit(2);
		prctl(PR_SET_DUMPABLE, 1);
		child = start_child(0);
		if (look_into_each(&found, &closed) < 0)
			_exit(1);
		end_child(&child);
		_exit(found.calls == 0 && closed >= 1 ? 7 : 1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (WEXITSTATUS(status) == 2) {
		print_message("there is nobody else in this user namespace\n");
		skip();
	}
	assert_int_equal(WEXITSTATUS(status), 7);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_namespace_is_asked_and_the_caller_stays),
		cmocka_unit_test(the_caller_has_time_for_something_else),
		cmocka_unit_test(who_may_not_enter_is_told_so),
	};
	return own_netns_run_group_tests(tests);
}
