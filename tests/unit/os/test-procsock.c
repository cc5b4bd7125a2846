/* SPDX-License-Identifier: MIT */
/* unit/os/test-procsock.c - who has a socket, among many processes */
#include "os/procsock.h"
#include "os/procfs.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "os/sock.h"

enum {
	CHILDREN = 250, /* enough for several threads */
	SOCKETS = 400,
	NOBODY = 65534,
};

static int new_socket(void)
{
	int fd = berth_sock_new(AF_INET, SOCK_STREAM, 0);

	assert_true(fd >= 0);
	return fd;
}

static pid_t start_child(void)
{
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (;;)
			pause();
	}
	return pid;
}

static void end_child(pid_t pid)
{
	int status;

	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
}

static struct berth_procsock_list load(const uint64_t *inodes, size_t count)
{
	struct berth_procsock_query query = { .inodes = inodes, .inode_count = count };
	struct berth_procsock_list sockets;

	memset(&sockets, 0xa5, sizeof(sockets));
	assert_int_equal(berth_procsock_load(&query, &sockets), 0);
	return sockets;
}

static void the_inode_of_a_descriptor_is_read(void **state)
{
	int fd = new_socket(), other = open("/dev/null", O_RDONLY | O_CLOEXEC);
	uint64_t inode = berth_sock_inode(fd), got = 0;
	pid_t child;

	(void)state;
	child = start_child();
	assert_int_equal(berth_procsock_inode(child, fd, &got), 0);
	assert_int_equal(got, inode);
	got = 5;
	assert_int_equal(berth_procsock_inode(child, 999, &got), -ENOENT);
	assert_int_equal(berth_procsock_inode(getpid(), other, &got), -ENOENT);
	assert_int_equal(berth_procsock_inode(child, -1, &got), -ENOENT);
	assert_int_equal(berth_procsock_inode(0, fd, &got), -ENOENT);
	assert_int_equal(got, 5);
	end_child(child);
	assert_int_equal(berth_procsock_inode(child, fd, &got), -ENOENT);
	close(fd);
	close(other);
}

static void sockets_are_found_in_all_their_holders_with_the_lowest_descriptor(void **state)
{
	struct berth_procsock found[8];
	uint64_t inodes[3];
	pid_t child;
	int a = new_socket(), b, copy;
	size_t count = 0, unreadable = 0;
	bool mine = false, theirs = false;

	(void)state;
	inodes[0] = 1; /* no socket */
	inodes[2] = berth_sock_inode(a);
	copy = fcntl(a, F_DUPFD_CLOEXEC, 200);
	assert_true(copy >= 200);
	child = start_child();
	b = new_socket();
	inodes[1] = berth_sock_inode(b);

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
			theirs |= found[i].pid == child;
		}
	}
	assert_true(mine && theirs);

	assert_int_equal(berth_procsock_find(inodes, 3, &child, 1, found, 8, &count, NULL), 0);
	assert_int_equal(count, 1);
	assert_int_equal(found[0].pid, child);
	assert_int_equal(berth_procsock_find(inodes, 3, NULL, 0, found, 1, &count, NULL), 0);
	assert_int_equal(count, 1);
	assert_int_equal(berth_procsock_find(NULL, 0, NULL, 0, found, 8, &count, NULL), 0);
	assert_int_equal(count, 0);
	end_child(child);
	assert_int_equal(berth_procsock_find(inodes, 3, &child, 1, found, 8, &count, &unreadable),
			 0);
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
	int fd = new_socket(), status;
	uint64_t inode;

	(void)state;
	if (geteuid() != 0) {
		print_message("only root can become somebody else\n");
		skip();
	}
	inode = berth_sock_inode(fd);
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

static void everyone_who_inherited_a_socket_is_found_with_his_identity(void **state)
{
	int fd = new_socket(), second = new_socket();
	uint64_t inodes[] = { 1, berth_sock_inode(second), berth_sock_inode(fd) };
	pid_t children[CHILDREN];
	struct berth_procsock_list sockets;
	size_t found = 0;

	(void)state;
	for (size_t i = 0; i < CHILDREN; i++)
		children[i] = start_child();
	sockets = load(inodes, 3);
	assert_int_equal(sockets.count, 2 * (CHILDREN + 1));
	for (size_t i = 0; i < sockets.count; i++) {
		const struct berth_procsock *at = &sockets.found[i];
		struct berth_proc_id id = { at->pid, at->start_ticks };

		assert_true(berth_procfs_is_alive(&id));
		assert_int_equal(at->fd, at->inode == inodes[1] ? second : fd);
		assert_true(i == 0 || at->inode > at[-1].inode ||
			    (at->inode == at[-1].inode && at->pid > at[-1].pid));
		for (size_t k = 0; k < CHILDREN; k++)
			found += at->pid == children[k];
	}
	assert_int_equal(found, 2 * CHILDREN);
	berth_procsock_list_deinit(&sockets);
	for (size_t i = 0; i < CHILDREN; i++)
		end_child(children[i]);
	close(second);
	close(fd);
}

/*
 * With one or two sockets processes are compared with a holder. Here each third has the first one,
 * each fifth the second, and what they have in its place is a socket too.
 */
static void comparing_with_a_holder_misses_nobody(void **state)
{
	int fds[] = { new_socket(), new_socket(), new_socket() };
	uint64_t inodes[] = { berth_sock_inode(fds[0]), berth_sock_inode(fds[1]) };
	pid_t children[CHILDREN];

	(void)state;
	for (int i = 0; i < CHILDREN; i++) {
		int go[2];
		char byte;

		assert_int_equal(pipe2(go, O_CLOEXEC), 0);
		children[i] = fork();
		assert_true(children[i] >= 0);
		if (children[i] == 0) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			if ((i % 3 && dup2(fds[2], fds[0]) < 0) || (i % 5 && close(fds[1]) < 0))
				_exit(1);
			close(go[1]);
			for (;;)
				pause();
		}
		close(go[1]);
		/* Until it has done so. */
		assert_int_equal(read(go[0], &byte, 1), 0);
		close(go[0]);
	}
	for (size_t count = 1; count <= 2; count++) {
		struct berth_procsock_list sockets = load(inodes, count);
		size_t first = 1 + (CHILDREN + 2) / 3, second = 1 + (CHILDREN + 4) / 5, mine = 0;

		assert_int_equal(sockets.count, count == 1 ? first : first + second);
		for (size_t i = 0; i < sockets.count; i++) {
			const struct berth_procsock *at = &sockets.found[i];
			size_t k = at->inode == inodes[1];

			assert_int_equal(at->fd, fds[k]);
			mine += at->pid == getpid();
			for (size_t j = 0; j < CHILDREN; j++)
				assert_true(at->pid != children[j] || j % (k ? 5 : 3) == 0);
		}
		assert_int_equal(mine, count);
		berth_procsock_list_deinit(&sockets);
	}
	for (size_t i = 0; i < CHILDREN; i++)
		end_child(children[i]);
	for (size_t i = 0; i < BERTH_ARRAY_SIZE(fds); i++)
		close(fds[i]);
}

/*
 * Has a socket of its own, made at once. With @told it makes one more, and says which, as soon as
 * nobody has the other end of @turn any more.
 */
static pid_t start_maker(const int turn[2], const int *told)
{
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		uint64_t inode = berth_sock_inode(berth_sock_new(AF_INET, SOCK_STREAM, 0));
		char byte;

		prctl(PR_SET_PDEATHSIG, SIGKILL);
		close(turn[1]);
		if (told && read(turn[0], &byte, 1) == 0) {
			inode = berth_sock_inode(berth_sock_new(AF_INET, SOCK_STREAM, 0));
			if (write(told[1], &inode, sizeof(inode)) != sizeof(inode))
				_exit(1);
		}
		for (;;)
			pause();
	}
	return pid;
}

/* A maker is guessed by the inodes near by. One that made it long after it began is found as well. */
static void a_maker_is_found_wherever_it_is(void **state)
{
	pid_t children[CHILDREN];

	(void)state;
	for (size_t place = 0; place < CHILDREN; place += CHILDREN / 2 - 1) {
		struct berth_procsock_list sockets;
		int turn[2], told[2];
		uint64_t inode = 0;

		assert_int_equal(pipe2(turn, O_CLOEXEC), 0);
		assert_int_equal(pipe2(told, O_CLOEXEC), 0);
		for (size_t i = 0; i < CHILDREN; i++)
			children[i] = start_maker(turn, i == place ? told : NULL);
		close(turn[1]);
		assert_int_equal(read(told[0], &inode, sizeof(inode)), sizeof(inode));
		sockets = load(&inode, 1);
		assert_int_equal(sockets.count, 1);
		assert_int_equal(sockets.found[0].pid, children[place]);
		berth_procsock_list_deinit(&sockets);
		for (size_t i = 0; i < CHILDREN; i++)
			end_child(children[i]);
		close(turn[0]);
		close(told[0]);
		close(told[1]);
	}
}

static void start_times_are_left_out_where_they_are_not_asked_for(void **state)
{
	int fd = new_socket();
	uint64_t inode = berth_sock_inode(fd);
	struct berth_procsock_query query = {
		.inodes = &inode,
		.inode_count = 1,
		.anonymous = true,
	};
	struct berth_procsock_list sockets;

	(void)state;
	assert_int_equal(berth_procsock_load(&query, &sockets), 0);
	assert_int_equal(sockets.count, 1);
	assert_int_equal(sockets.found[0].pid, getpid());
	assert_int_equal(sockets.found[0].fd, fd);
	assert_int_equal(sockets.found[0].start_ticks, 0);
	berth_procsock_list_deinit(&sockets);
	close(fd);
}

/*
 * A folder of descriptors that opens, and links in it that do not: of a process that has somebody
 * else's user as its real one.
 */
static void who_may_not_see_the_links_is_told_so(void **state)
{
	int fd = new_socket(), ready[2], status;
	uint64_t inode = berth_sock_inode(fd);
	pid_t pids[1], child;
	char byte;

	(void)state;
	if (geteuid() != 0) {
		print_message("only root can become somebody else\n");
		skip();
	}
	assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
	pids[0] = fork();
	assert_true(pids[0] >= 0);
	if (pids[0] == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (syscall(SYS_setresuid, NOBODY - 1, NOBODY, NOBODY) == 0 &&
		    prctl(PR_SET_DUMPABLE, 1) == 0 && write(ready[1], "r", 1) != 1)
			_exit(1);
		close(ready[1]);
		for (;;)
			pause();
	}
	close(ready[1]);
	if (read(ready[0], &byte, 1) != 1) {
		end_child(pids[0]);
		print_message("there is nobody else in this user namespace\n");
		skip();
	}
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		struct berth_procsock_query query = {
			.inodes = &inode,
			.inode_count = 1,
			.pids = pids,
			.pid_count = 1,
		};
		struct berth_procsock_list sockets;

		if (syscall(SYS_setresuid, NOBODY, NOBODY, NOBODY) < 0 ||
		    berth_procsock_load(&query, &sockets) < 0)
			_exit(1);
		_exit(sockets.count == 0 && sockets.hidden == 1 ? 7 : 1);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(WEXITSTATUS(status), 7);
	end_child(pids[0]);
	close(ready[0]);
	close(fd);
}

static pid_t start_shuffler(int fd)
{
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (;;) {
			if (dup2(fd, 500) < 0 || close(fd) < 0 || dup2(500, fd) < 0 ||
			    close(500) < 0)
				_exit(1);
		}
	}
	return pid;
}

/* The lowest pid moves its descriptor to and fro, and may be the one that is compared with. */
static void a_holder_that_shuffles_its_descriptors_hides_nobody(void **state)
{
	int fd = new_socket();
	uint64_t inode = berth_sock_inode(fd);
	pid_t shuffler = start_shuffler(fd), children[CHILDREN];

	(void)state;
	for (size_t i = 0; i < CHILDREN; i++)
		children[i] = start_child();
	for (size_t round = 0; round < 20; round++) {
		struct berth_procsock_list sockets = load(&inode, 1);
		size_t found = 0;

		for (size_t i = 0; i < sockets.count; i++)
			found += sockets.found[i].pid != shuffler;
		assert_int_equal(found, CHILDREN + 1);
		berth_procsock_list_deinit(&sockets);
	}
	end_child(shuffler);
	for (size_t i = 0; i < CHILDREN; i++)
		end_child(children[i]);
	close(fd);
}

static void of_hundreds_of_descriptors_none_is_missed(void **state)
{
	static int fds[SOCKETS];
	static uint64_t inodes[SOCKETS];
	struct berth_procsock_list sockets;
	pid_t self = getpid();
	size_t mine = 0;

	(void)state;
	for (size_t i = 0; i < SOCKETS; i++) {
		fds[i] = new_socket();
		inodes[i] = berth_sock_inode(fds[i]);
	}
	/* A second number for each: the lowest is told. */
	for (size_t i = 0; i < SOCKETS; i++)
		assert_true(fcntl(fds[i], F_DUPFD_CLOEXEC, 0) > fds[SOCKETS - 1]);
	sockets = load(inodes, SOCKETS);
	assert_int_equal(sockets.count, SOCKETS);
	for (size_t i = 0; i < sockets.count; i++) {
		struct berth_procsock *at = &sockets.found[i];

		assert_int_equal(at->pid, self);
		for (size_t k = 0; k < SOCKETS; k++)
			mine += at->inode == inodes[k] && at->fd == fds[k];
	}
	assert_int_equal(mine, SOCKETS);
	berth_procsock_list_deinit(&sockets);
	berth_procsock_list_deinit(&sockets);
	berth_procsock_list_deinit(NULL);
	for (int fd = fds[0]; fd <= fds[SOCKETS - 1] + SOCKETS; fd++)
		close(fd);
}

static void every_socket_can_be_asked_for(void **state)
{
	struct berth_procsock_list sockets;
	int pair[2], fd = new_socket(), file = open("/dev/null", O_RDONLY | O_CLOEXEC);
	size_t found = 0;

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	sockets = load(NULL, 0);
	for (size_t i = 0; i < sockets.count; i++) {
		assert_false(sockets.found[i].pid == getpid() && sockets.found[i].fd == file);
		if (sockets.found[i].pid == getpid())
			found += sockets.found[i].fd == fd || sockets.found[i].fd == pair[0] ||
				 sockets.found[i].fd == pair[1];
	}
	assert_int_equal(found, 3);
	berth_procsock_list_deinit(&sockets);
	close(pair[0]);
	close(pair[1]);
	close(file);
	close(fd);
}

static void a_socket_is_borrowed_only_if_it_is_still_the_same(void **state)
{
	int fd = new_socket(), borrowed;
	struct berth_procsock socket = { .inode = berth_sock_inode(fd), .fd = fd };

	(void)state;
	socket.pid = start_child();
	close(fd);
	borrowed = berth_procsock_borrow(&socket);
	assert_true(borrowed >= 0);
	assert_int_equal(berth_sock_inode(borrowed), socket.inode);
	assert_int_equal(fcntl(borrowed, F_GETFD), FD_CLOEXEC);
	close(borrowed);
	socket.inode++;
	assert_int_equal(berth_procsock_borrow(&socket), -ENOENT);
	socket.inode--;
	socket.fd = 999;
	assert_int_equal(berth_procsock_borrow(&socket), -ENOENT);
	socket.fd = fd;
	end_child(socket.pid);
	assert_int_equal(berth_procsock_borrow(&socket), -ENOENT);
}

static void without_a_descriptor_left_it_is_an_error(void **state)
{
	struct rlimit before, limit;
	struct berth_procsock_list sockets = { .count = 99 };
	uint64_t inode;
	int fd = new_socket();
	struct berth_procsock_query query = { .inodes = &inode, .inode_count = 1 };

	(void)state;
	inode = berth_sock_inode(fd);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	/* Room for /proc, and none for the folders in it. */
	limit = before;
	limit.rlim_cur = (rlim_t)fd + 2;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
	assert_int_equal(berth_procsock_load(&query, &sockets), -EMFILE);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	assert_int_equal(sockets.count, 99);
	close(fd);
}

/* A process of root's that has no descriptor at all, as kernel threads have none. */
static pid_t start_bare(void)
{
	int pipe[2], last;
	pid_t pid;
	char byte;

	assert_int_equal(pipe2(pipe, O_CLOEXEC), 0);
	/* The highest number is closed last: then the reader hears of it. */
	last = fcntl(pipe[1], F_DUPFD_CLOEXEC, 900);
	assert_true(last >= 900);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		syscall(SYS_close_range, 0, ~0u, 0);
		for (;;)
			pause();
	}
	close(last);
	close(pipe[1]);
	assert_int_equal(read(pipe[0], &byte, 1), 0);
	close(pipe[0]);
	return pid;
}

/* Since Linux 6.2. */
static bool counts_are_told(void)
{
	struct stat st;

	return stat("/proc/self/fd", &st) == 0 && st.st_size > 0;
}

static void who_may_not_look_counts_those_that_have_descriptors(void **state)
{
	unsigned int expected = counts_are_told() ? 1 : 2;
	int status;
	pid_t pids[2], child;

	(void)state;
	if (geteuid() != 0) {
		print_message("only root can become somebody else\n");
		skip();
	}
	pids[0] = start_child();
	pids[1] = start_bare();
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		uint64_t inode = 1;
		struct berth_procsock_query query = {
			.inodes = &inode,
			.inode_count = 1,
			.pids = pids,
			.pid_count = 2,
		};
		struct berth_procsock_list sockets;

		if (syscall(SYS_setresuid, NOBODY, NOBODY, NOBODY) < 0)
			_exit(2);
		if (berth_procsock_load(&query, &sockets) < 0)
			_exit(1);
		_exit(sockets.count == 0 && sockets.hidden == expected ? 7 : 1);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	end_child(pids[0]);
	end_child(pids[1]);
	if (WEXITSTATUS(status) == 2) {
		print_message("there is nobody else in this user namespace\n");
		skip();
	}
	assert_int_equal(WEXITSTATUS(status), 7);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_inode_of_a_descriptor_is_read),
		cmocka_unit_test(sockets_are_found_in_all_their_holders_with_the_lowest_descriptor),
		cmocka_unit_test(a_stranger_is_closed_to_us_and_counted),
		cmocka_unit_test(everyone_who_inherited_a_socket_is_found_with_his_identity),
		cmocka_unit_test(comparing_with_a_holder_misses_nobody),
		cmocka_unit_test(a_maker_is_found_wherever_it_is),
		cmocka_unit_test(start_times_are_left_out_where_they_are_not_asked_for),
		cmocka_unit_test(who_may_not_see_the_links_is_told_so),
		cmocka_unit_test(a_holder_that_shuffles_its_descriptors_hides_nobody),
		cmocka_unit_test(of_hundreds_of_descriptors_none_is_missed),
		cmocka_unit_test(every_socket_can_be_asked_for),
		cmocka_unit_test(a_socket_is_borrowed_only_if_it_is_still_the_same),
		cmocka_unit_test(without_a_descriptor_left_it_is_an_error),
		cmocka_unit_test(who_may_not_look_counts_those_that_have_descriptors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
