/* SPDX-License-Identifier: MIT */
/* unit/os/test-uds.c - unix sockets between real processes */
#include "os/uds.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static const char *unique_name(char buf[64], const char *what)
{
	snprintf(buf, 64, "berth-test/%s/%d", what, (int)getpid());
	return buf;
}

static int open_fd_count(void)
{
	int count = 0;

	for (int fd = 0; fd < 256; fd++)
		count += fcntl(fd, F_GETFD) >= 0;
	return count;
}

static ino_t inode_of(int fd)
{
	struct stat st;

	assert_int_equal(fstat(fd, &st), 0);
	return st.st_ino;
}

static void a_name_is_taken_by_one_and_free_at_its_close(void **state)
{
	char name[64];
	int fd, other;

	(void)state;
	unique_name(name, "taken");
	assert_int_equal(berth_uds_connect_abstract(name, SOCK_STREAM), -ECONNREFUSED);
	fd = berth_uds_listen_abstract(name, SOCK_STREAM);
	assert_true(fd >= 0);
	assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	assert_true(fcntl(fd, F_GETFL) & O_NONBLOCK);
	assert_int_equal(berth_uds_listen_abstract(name, SOCK_STREAM), -EADDRINUSE);
	assert_int_equal(berth_uds_accept(fd), -EAGAIN);
	close(fd);
	other = berth_uds_listen_abstract(name, SOCK_SEQPACKET);
	assert_true(other >= 0);
	close(other);
}

static void a_name_is_free_when_its_process_is_killed(void **state)
{
	char name[64], byte = 0;
	int ready[2], fd, status;
	pid_t pid;

	(void)state;
	unique_name(name, "killed");
	assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		fd = berth_uds_listen_abstract(name, SOCK_STREAM);
		if (fd < 0 || write(ready[1], "r", 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	close(ready[1]);
	assert_int_equal(read(ready[0], &byte, 1), 1);
	assert_int_equal(berth_uds_listen_abstract(name, SOCK_STREAM), -EADDRINUSE);
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	fd = berth_uds_listen_abstract(name, SOCK_STREAM);
	assert_true(fd >= 0);
	close(fd);
	close(ready[0]);
}

static void names_have_limits(void **state)
{
	char name[102];
	int fd, same;

	(void)state;
	memset(name, 'x', sizeof(name));
	name[101] = '\0';
	assert_int_equal(berth_uds_listen_abstract(name, SOCK_STREAM), -ENAMETOOLONG);
	assert_int_equal(berth_uds_connect_abstract(name, SOCK_STREAM), -ENAMETOOLONG);
	assert_int_equal(berth_uds_listen_abstract("", SOCK_STREAM), -EINVAL);
	assert_int_equal(berth_uds_connect_abstract("", SOCK_STREAM), -EINVAL);
	snprintf(name, sizeof(name), "berth-test/%d/%0*d", (int)getpid(),
		 100 - snprintf(NULL, 0, "berth-test/%d/", (int)getpid()), 7);
	assert_int_equal(strlen(name), 100);
	fd = berth_uds_listen_abstract(name, SOCK_STREAM);
	assert_true(fd >= 0);
	/* Its beginning is another name. */
	name[99] = '\0';
	same = berth_uds_listen_abstract(name, SOCK_STREAM);
	assert_true(same >= 0);
	close(fd);
	close(same);
}

static void the_peer_is_known(void **state)
{
	char name[64], byte = 0;
	BERTH_AUTO_FD int listener = -1;
	BERTH_AUTO_FD int fd = -1;
	BERTH_AUTO_FD int pidfd = -1;
	int go[2], status;
	struct pollfd poller;
	uid_t uid = 0;
	pid_t pid = 0, child;

	(void)state;
	unique_name(name, "peer");
	listener = berth_uds_listen_abstract(name, SOCK_SEQPACKET);
	assert_true(listener >= 0);
	assert_int_equal(pipe2(go, O_CLOEXEC), 0);
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		close(go[1]);
		fd = berth_uds_connect_abstract(name, SOCK_SEQPACKET);
		if (fd < 0 || (fcntl(fd, F_GETFL) & O_NONBLOCK) ||
		    !(fcntl(fd, F_GETFD) & FD_CLOEXEC))
			_exit(1);
		_exit(read(go[0], &byte, 1) == 0 ? 7 : 1);
	}
	close(go[0]);
	poller = (struct pollfd){ .fd = listener, .events = POLLIN };
	assert_int_equal(poll(&poller, 1, 10000), 1);
	fd = berth_uds_accept(listener);
	assert_true(fd >= 0);
	assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	assert_true(fcntl(fd, F_GETFL) & O_NONBLOCK);
	assert_int_equal(berth_uds_peer(fd, &pid, &uid), 0);
	assert_int_equal(pid, child);
	assert_int_equal(uid, geteuid());

	pidfd = berth_uds_peer_pidfd(fd);
	assert_true(pidfd >= 0);
	assert_true(fcntl(pidfd, F_GETFD) & FD_CLOEXEC);
	poller = (struct pollfd){ .fd = pidfd, .events = POLLIN };
	assert_int_equal(poll(&poller, 1, 0), 0);
	close(go[1]);
	assert_int_equal(poll(&poller, 1, 10000), 1);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(WEXITSTATUS(status), 7);
}

static void a_socket_without_a_peer_names_nobody(void **state)
{
	BERTH_AUTO_FD int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	pid_t pid = 4711;
	uid_t uid = 4711;

	(void)state;
	assert_int_equal(berth_uds_peer(fd, &pid, &uid), -ENOTCONN);
	assert_true(berth_uds_peer_pidfd(fd) < 0);
	assert_int_equal(berth_uds_peer(-1, &pid, &uid), -EBADF);
	assert_int_equal(pid, 4711);
	assert_int_equal(uid, 4711);
}

static void a_descriptor_travels_and_stays(void **state)
{
	static const int types[] = { SOCK_STREAM, SOCK_SEQPACKET };
	char buf[16];

	(void)state;
	for (size_t i = 0; i < BERTH_ARRAY_SIZE(types); i++) {
		int pair[2], pipe_fds[2], fd = -2, before;

		assert_int_equal(berth_uds_pair(types[i], pair), 0);
		assert_true(fcntl(pair[0], F_GETFD) & FD_CLOEXEC);
		assert_true(fcntl(pair[1], F_GETFD) & FD_CLOEXEC);
		assert_int_equal(pipe2(pipe_fds, O_CLOEXEC), 0);
		before = open_fd_count();
		assert_int_equal(berth_uds_send(pair[0], "hello", 5, pipe_fds[0]), 0);
		assert_int_equal(berth_uds_recv(pair[1], buf, sizeof(buf), &fd), 5);
		assert_memory_equal(buf, "hello", 5);
		assert_true(fd >= 0);
		assert_int_equal(open_fd_count(), before + 1);
		assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
		assert_int_equal(inode_of(fd), inode_of(pipe_fds[0]));
		close(fd);

		assert_int_equal(berth_uds_send(pair[0], "bare", 4, -1), 0);
		assert_int_equal(berth_uds_recv(pair[1], buf, sizeof(buf), &fd), 4);
		assert_int_equal(fd, -1);
		close(pair[0]);
		assert_int_equal(berth_uds_recv(pair[1], buf, sizeof(buf), &fd), 0);
		assert_int_equal(fd, -1);
		assert_int_equal(berth_uds_send(pair[1], "x", 1, -1), -EPIPE);
		close(pair[1]);
		close(pipe_fds[0]);
		close(pipe_fds[1]);
	}
}

/* Many at once, as no sender of ours does it. */
static void send_many(int sock, const int *fds, size_t count)
{
	char control[CMSG_SPACE(sizeof(int) * 8)] __attribute__((aligned(8))) = { 0 };
	struct iovec iov = { .iov_base = (char[]){ "m" }, .iov_len = 1 };
	struct msghdr msg = { .msg_iov = &iov,
			      .msg_iovlen = 1,
			      .msg_control = control,
			      .msg_controllen = CMSG_SPACE(sizeof(int) * count) };
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg);

	cmsg->cmsg_level = SOL_SOCKET;
	cmsg->cmsg_type = SCM_RIGHTS;
	cmsg->cmsg_len = CMSG_LEN(sizeof(int) * count);
	memcpy(CMSG_DATA(cmsg), fds, sizeof(int) * count);
	assert_int_equal(sendmsg(sock, &msg, 0), 1);
}

static void surplus_descriptors_are_closed(void **state)
{
	int pair[2], fds[8], fd = -2, before;
	char buf[4];

	(void)state;
	assert_int_equal(berth_uds_pair(SOCK_SEQPACKET, pair), 0);
	for (size_t i = 0; i < BERTH_ARRAY_SIZE(fds); i++)
		fds[i] = pair[0];
	before = open_fd_count();
	for (size_t count = 2; count <= BERTH_ARRAY_SIZE(fds); count++) {
		send_many(pair[0], fds, count);
		assert_int_equal(berth_uds_recv(pair[1], buf, sizeof(buf), &fd), 1);
		assert_true(fd >= 0);
		assert_int_equal(open_fd_count(), before + 1);
		close(fd);
		/* Nobody asked for one. */
		send_many(pair[0], fds, count);
		assert_int_equal(berth_uds_recv(pair[1], buf, sizeof(buf), NULL), 1);
		assert_int_equal(open_fd_count(), before);
	}
	close(pair[0]);
	close(pair[1]);
}

static void a_message_that_is_too_long_is_dropped_with_its_descriptor(void **state)
{
	int pair[2], fd = -2, before;
	char buf[4] = "";

	(void)state;
	assert_int_equal(berth_uds_pair(SOCK_SEQPACKET, pair), 0);
	before = open_fd_count();
	assert_int_equal(berth_uds_send(pair[0], "12345", 5, pair[0]), 0);
	assert_int_equal(berth_uds_recv(pair[1], buf, sizeof(buf), &fd), -EMSGSIZE);
	assert_int_equal(fd, -2);
	assert_int_equal(open_fd_count(), before);
	assert_int_equal(berth_uds_send(pair[0], "1234", 4, -1), 0);
	assert_int_equal(berth_uds_recv(pair[1], buf, sizeof(buf), &fd), 4);
	assert_memory_equal(buf, "1234", 4);
	close(pair[0]);
	close(pair[1]);
}

static void a_full_socket_says_so(void **state)
{
	static char block[4096];
	int pair[2], r;

	(void)state;
	assert_int_equal(berth_uds_pair(SOCK_SEQPACKET, pair), 0);
	assert_int_equal(fcntl(pair[0], F_SETFL, O_NONBLOCK), 0);
	do
		r = berth_uds_send(pair[0], block, sizeof(block), -1);
	while (r == 0);
	assert_int_equal(r, -EAGAIN);
	assert_int_equal(berth_uds_send(pair[0], block, 0, -1), -EINVAL);
	close(pair[0]);
	close(pair[1]);
}

static void a_stream_that_took_a_part_is_out_of_step(void **state)
{
	enum {
		HUGE_LEN = 8 << 20
	};
	char *huge = calloc(1, HUGE_LEN);
	int pair[2];

	(void)state;
	assert_non_null(huge);
	assert_int_equal(berth_uds_pair(SOCK_STREAM, pair), 0);
	assert_int_equal(fcntl(pair[0], F_SETFL, O_NONBLOCK), 0);
	assert_int_equal(berth_uds_send(pair[0], huge, HUGE_LEN, -1), -EIO);
	close(pair[0]);
	close(pair[1]);
	free(huge);
}

static void a_long_message_goes_through_a_blocking_stream_whole(void **state)
{
	enum {
		HUGE_LEN = 4 << 20
	};
	char *huge = calloc(1, HUGE_LEN), buf[4096];
	int pair[2], status, fd = -1, first_fd = -1;
	size_t got = 0;
	ssize_t n;
	pid_t child;

	(void)state;
	assert_non_null(huge);
	assert_int_equal(berth_uds_pair(SOCK_STREAM, pair), 0);
	child = fork();
	assert_true(child >= 0);
	if (child == 0)
		_exit(berth_uds_send(pair[0], huge, HUGE_LEN, pair[0]) == 0 ? 7 : 1);
	while (got < HUGE_LEN) {
		n = berth_uds_recv(pair[1], buf, sizeof(buf), &fd);
		assert_true(n > 0);
		if (got == 0)
			first_fd = fd;
		else
			assert_int_equal(fd, -1);
		got += (size_t)n;
	}
	assert_true(first_fd >= 0);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(WEXITSTATUS(status), 7);
	close(first_fd);
	close(pair[0]);
	close(pair[1]);
	free(huge);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_name_is_taken_by_one_and_free_at_its_close),
		cmocka_unit_test(a_name_is_free_when_its_process_is_killed),
		cmocka_unit_test(names_have_limits),
		cmocka_unit_test(the_peer_is_known),
		cmocka_unit_test(a_socket_without_a_peer_names_nobody),
		cmocka_unit_test(a_descriptor_travels_and_stays),
		cmocka_unit_test(surplus_descriptors_are_closed),
		cmocka_unit_test(a_message_that_is_too_long_is_dropped_with_its_descriptor),
		cmocka_unit_test(a_full_socket_says_so),
		cmocka_unit_test(a_stream_that_took_a_part_is_out_of_step),
		cmocka_unit_test(a_long_message_goes_through_a_blocking_stream_whole),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
