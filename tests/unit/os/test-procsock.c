/* SPDX-License-Identifier: MIT */
/* unit/os/test-procsock.c - the sockets of real processes */
#include "os/procsock.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

enum {
	NOBODY = 65534
};

/* A child that has what we have, and ends when the test closes the pipe. */
struct child {
	pid_t pid;
	int go;
};

static struct child start_child(void)
{
	struct child child;
	char byte;
	int go[2];

	assert_int_equal(pipe2(go, O_CLOEXEC), 0);
	child.pid = fork();
	assert_true(child.pid >= 0);
	if (child.pid == 0) {
		close(go[1]);
		_exit(read(go[0], &byte, 1) == 0 ? 7 : 1);
	}
	close(go[0]);
	child.go = go[1];
	return child;
}

static void end_child(struct child *child)
{
	int status;

	close(child->go);
	assert_int_equal(waitpid(child->pid, &status, 0), child->pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 7);
}

static uint64_t new_socket(int *ret_fd)
{
	struct stat st;

	*ret_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_true(*ret_fd >= 0);
	assert_int_equal(fstat(*ret_fd, &st), 0);
	return st.st_ino;
}

static void the_inode_of_a_descriptor_is_read(void **state)
{
	struct child child;
	uint64_t inode, got = 0;
	int fd;

	(void)state;
	inode = new_socket(&fd);
	child = start_child();
	assert_int_equal(berth_procsock_inode(child.pid, fd, &got), 0);
	assert_int_equal(got, inode);
	got = 5;
	assert_int_equal(berth_procsock_inode(child.pid, 999, &got), -ENOENT);
	assert_int_equal(berth_procsock_inode(getpid(), child.go, &got), -ENOENT);
	assert_int_equal(berth_procsock_inode(child.pid, -1, &got), -ENOENT);
	assert_int_equal(berth_procsock_inode(0, fd, &got), -ENOENT);
	assert_int_equal(got, 5);
	end_child(&child);
	assert_int_equal(berth_procsock_inode(child.pid, fd, &got), -ENOENT);
	close(fd);
}

static void sockets_are_found_in_all_their_holders_with_the_lowest_descriptor(void **state)
{
	struct berth_procsock found[8];
	uint64_t inodes[3];
	struct child child;
	int a, b, copy;
	size_t count = 0, unreadable = 0;
	bool mine = false, theirs = false;

	(void)state;
	inodes[0] = 1; /* no socket */
	inodes[2] = new_socket(&a);
	copy = fcntl(a, F_DUPFD_CLOEXEC, 200);
	assert_true(copy >= 200);
	child = start_child();
	inodes[1] = new_socket(&b);

	assert_int_equal(berth_procsock_find(inodes, 3, NULL, 0, found, 8, &count, &unreadable), 0);
	assert_int_equal(count, 3);
	for (size_t i = 0; i < count; i++) {
		assert_true(i == 0 || found[i].pid >= found[i - 1].pid);
		if (found[i].inode == inodes[1]) {
			assert_int_equal(found[i].pid, getpid());
			assert_int_equal(found[i].fd, b);
		} else {
			assert_int_equal(found[i].inode, inodes[2]);
			assert_int_equal(found[i].fd, a);
			mine |= found[i].pid == getpid();
			theirs |= found[i].pid == child.pid;
		}
	}
	assert_true(mine && theirs);

	assert_int_equal(berth_procsock_find(inodes, 3, &child.pid, 1, found, 8, &count, NULL), 0);
	assert_int_equal(count, 1);
	assert_int_equal(found[0].pid, child.pid);
	assert_int_equal(berth_procsock_find(inodes, 3, NULL, 0, found, 1, &count, NULL), 0);
	assert_int_equal(count, 1);
	assert_int_equal(berth_procsock_find(NULL, 0, NULL, 0, found, 8, &count, NULL), 0);
	assert_int_equal(count, 0);
	end_child(&child);
	assert_int_equal(
		berth_procsock_find(inodes, 3, &child.pid, 1, found, 8, &count, &unreadable), 0);
	assert_int_equal(count, 0);
	assert_int_equal(unreadable, 0);
	close(a);
	close(b);
	close(copy);
}

/* In a child, since there is no way back. The exit status tells the line that failed. */
#define CHECK_IN_CHILD(condition) \
	do { \
		if (!(condition)) \
			_exit(1); \
	} while (0)

static void look_at_a_stranger(pid_t stranger, uint64_t inode)
{
	struct berth_procsock found[2];
	size_t count = 9, unreadable = 0;
	uint64_t got;

	CHECK_IN_CHILD(berth_procsock_inode(stranger, 0, &got) == -EACCES);
	CHECK_IN_CHILD(
		berth_procsock_find(&inode, 1, &stranger, 1, found, 2, &count, &unreadable) == 0);
	CHECK_IN_CHILD(count == 0 && unreadable == 1);
	_exit(7);
}

static void a_stranger_is_closed_to_us_and_counted(void **state)
{
	pid_t parent = getpid(), child;
	uint64_t inode;
	int fd, status;

	(void)state;
	if (geteuid() != 0) {
		print_message("only root can become somebody else\n");
		skip();
	}
	inode = new_socket(&fd);
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		CHECK_IN_CHILD(syscall(SYS_setresuid, NOBODY, NOBODY, NOBODY) == 0);
		look_at_a_stranger(parent, inode);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 7);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_inode_of_a_descriptor_is_read),
		cmocka_unit_test(sockets_are_found_in_all_their_holders_with_the_lowest_descriptor),
		cmocka_unit_test(a_stranger_is_closed_to_us_and_counted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
