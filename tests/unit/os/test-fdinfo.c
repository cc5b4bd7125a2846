/* SPDX-License-Identifier: MIT */
/* unit/os/test-fdinfo.c - the descriptors of a process, read from the real /proc */
#include "os/fdinfo.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "os/sock.h"

static void flags_are_octal_and_alone(void **state)
{
	static const struct {
		const char *line;
		int result;
		unsigned int flags;
	} rows[] = {
		{ "flags:\t02000002", 0, O_CLOEXEC | O_RDWR },
		{ "flags:\t04002", 0, O_NONBLOCK | O_RDWR },
		{ "flags:\t037777777777", 0, UINT32_MAX },
		{ "flags:\t040000000000", -EINVAL, 0 },
		{ "flags:\t777777777777777777777777", -EINVAL, 0 },
		{ "flags:\t09", -EINVAL, 0 },
		{ "flags:\t02 ", -EINVAL, 0 },
		{ "flags:\t", -EINVAL, 0 },
		{ "flags:", -EINVAL, 0 },
		{ "flags", -EINVAL, 0 },
		{ "pos:\t0", -EINVAL, 0 },
		{ "", -EINVAL, 0 },
	};

	(void)state;
	for (size_t i = 0; i < BERTH_ARRAY_SIZE(rows); i++) {
		unsigned int flags = 77;

		assert_int_equal(
			berth_fdinfo_parse_flags(rows[i].line, strlen(rows[i].line), &flags),
			rows[i].result);
		assert_int_equal(flags, rows[i].result ? 77 : rows[i].flags);
	}
}

static void a_watch_has_a_number_events_data_and_a_file(void **state)
{
	static const struct {
		const char *line;
		int result;
		struct berth_fdinfo_watch watch;
	} rows[] = {
		{ "tfd:        5 events:       19 data:                5  pos:0 ino:59 sdev:8",
		  0,
		  { .fd = 5, .events = 0x19, .data = 5, .inode = 0x59, .dev = 8 } },
		{ "tfd:1234567 events:8000201f data:ffffffffffffffff  pos:-1 ino:1a2b3c4d5e sdev:a",
		  0,
		  { .fd = 1234567,
		    .events = 0x8000201f,
		    .data = UINT64_MAX,
		    .inode = 0x1a2b3c4d5e,
		    .dev = 10 } },
		/* what a kernel to come may add */
		{ "tfd: 1 events: 1 data: 1 pos:0 ino:1 sdev:8 more:1",
		  0,
		  { .fd = 1, .events = 1, .data = 1, .inode = 1, .dev = 8 } },
		{ "tfd: 1 events: 1 data: 1 pos:0 ino:1 sdev:8,", -EINVAL, { 0 } },
		{ "tfd: -1 events: 1 data: 1 pos:0 ino:1 sdev:8", -EINVAL, { 0 } },
		{ "tfd: 2147483648 events: 1 data: 1 pos:0 ino:1 sdev:8", -EINVAL, { 0 } },
		{ "tfd: 1 events: 100000000 data: 1 pos:0 ino:1 sdev:8", -EINVAL, { 0 } },
		{ "tfd: 1 events: 1 data: 10000000000000000 pos:0 ino:1 sdev:8", -EINVAL, { 0 } },
		{ "tfd: 1 events: 1 data: 1", -EINVAL, { 0 } },
		{ "tfd: 1 events: 1 data: 1 pos:0 ino:1 sdev:", -EINVAL, { 0 } },
		{ "tfd: 1 events: data: 1 pos:0 ino:1 sdev:8", -EINVAL, { 0 } },
		{ "ino:\t1043", -EINVAL, { 0 } },
		{ "", -EINVAL, { 0 } },
	};

	(void)state;
	for (size_t i = 0; i < BERTH_ARRAY_SIZE(rows); i++) {
		struct berth_fdinfo_watch watch = { .fd = 77 };

		assert_int_equal(
			berth_fdinfo_parse_watch(rows[i].line, strlen(rows[i].line), &watch),
			rows[i].result);
		if (rows[i].result) {
			assert_int_equal(watch.fd, 77);
			continue;
		}
		assert_int_equal(watch.fd, rows[i].watch.fd);
		assert_int_equal(watch.events, rows[i].watch.events);
		assert_int_equal(watch.data, rows[i].watch.data);
		assert_int_equal(watch.inode, rows[i].watch.inode);
		assert_int_equal(watch.dev, rows[i].watch.dev);
	}
}

static void flags_of_a_descriptor_hold_close_on_exec(void **state)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	unsigned int flags = 0;

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(berth_fdinfo_flags(getpid(), fd, &flags), 0);
	assert_int_equal(flags & (O_CLOEXEC | O_NONBLOCK), O_NONBLOCK);
	assert_int_equal(fcntl(fd, F_SETFD, FD_CLOEXEC), 0);
	assert_int_equal(berth_fdinfo_flags(getpid(), fd, &flags), 0);
	assert_int_equal(flags & (O_CLOEXEC | O_NONBLOCK), O_CLOEXEC | O_NONBLOCK);
	close(fd);
	assert_int_equal(berth_fdinfo_flags(getpid(), fd, &flags), -ENOENT);
}

static void a_pass_over_the_table_finds_copies_and_epolls(void **state)
{
	int fd = berth_sock_new(AF_INET, SOCK_STREAM, 0);
	int other = berth_sock_new(AF_INET, SOCK_STREAM, 0);
	int epolls[2] = { epoll_create1(EPOLL_CLOEXEC), epoll_create1(EPOLL_CLOEXEC) };
	struct berth_fdinfo_table table;
	int copy, r;

	(void)state;
	assert_true(fd >= 0 && other >= 0 && epolls[0] >= 0 && epolls[1] >= 0);
	r = berth_fdinfo_scan(getpid(), fd, &table);
	assert_int_equal(r, 0);
	assert_int_equal(table.copies, 1);
	assert_int_equal(table.epoll_count, 2);
	assert_int_equal(table.epolls[0], epolls[0]);
	assert_int_equal(table.epolls[1], epolls[1]);
	copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	close(epolls[0]);
	assert_int_equal(berth_fdinfo_scan(getpid(), fd, &table), 0);
	assert_int_equal(table.copies, 2);
	assert_int_equal(table.epoll_count, 1);
	close(copy);
	close(epolls[1]);
	close(other);
	close(fd);
}

static void registrations_of_the_one_socket_are_told(void **state)
{
	int fd = berth_sock_new(AF_INET, SOCK_STREAM, 0);
	int other = berth_sock_new(AF_INET, SOCK_STREAM, 0);
	int epoll_fd = epoll_create1(EPOLL_CLOEXEC), copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	struct epoll_event event = { .events = EPOLLIN | EPOLLET, .data.u64 = 0xfedcba9876543210 };
	struct berth_fdinfo_watch watches[2];
	size_t count = 77;

	(void)state;
	assert_int_equal(epoll_ctl(epoll_fd, EPOLL_CTL_ADD, other, &event), 0);
	assert_int_equal(berth_fdinfo_watches(getpid(), epoll_fd, fd, watches, 2, &count), 0);
	assert_int_equal(count, 0);
	assert_int_equal(epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event), 0);
	assert_int_equal(berth_fdinfo_watches(getpid(), epoll_fd, fd, watches, 1, &count), 0);
	assert_int_equal(count, 1);
	assert_int_equal(watches[0].fd, fd);
	assert_int_equal(watches[0].data, 0xfedcba9876543210);
	/* The kernel adds what is always reported. */
	assert_int_equal(watches[0].events, EPOLLIN | EPOLLET | EPOLLERR | EPOLLHUP);
	/* A number that is closed again leaves its registration with the file. */
	assert_int_equal(epoll_ctl(epoll_fd, EPOLL_CTL_ADD, copy, &event), 0);
	close(copy);
	assert_int_equal(berth_fdinfo_watches(getpid(), epoll_fd, fd, watches, 2, &count), 0);
	assert_int_equal(count, 2);
	assert_int_equal(watches[0].fd + watches[1].fd, fd + copy);
	assert_int_equal(berth_fdinfo_watches(getpid(), epoll_fd, fd, watches, 1, &count), -E2BIG);
	assert_int_equal(count, 2);
	close(epoll_fd);
	close(other);
	close(fd);
}

static void too_many_epolls_are_said(void **state)
{
	int fd = berth_sock_new(AF_INET, SOCK_STREAM, 0);
	int epolls[BERTH_FDINFO_EPOLLS + 1];
	struct berth_fdinfo_table table = { .copies = 77 };

	(void)state;
	for (size_t i = 0; i < BERTH_ARRAY_SIZE(epolls); i++) {
		epolls[i] = epoll_create1(EPOLL_CLOEXEC);
		assert_true(epolls[i] >= 0);
	}
	assert_int_equal(berth_fdinfo_scan(getpid(), fd, &table), -E2BIG);
	assert_int_equal(table.copies, 77);
	close(epolls[BERTH_FDINFO_EPOLLS]);
	assert_int_equal(berth_fdinfo_scan(getpid(), fd, &table), 0);
	assert_int_equal(table.epoll_count, BERTH_FDINFO_EPOLLS);
	for (size_t i = 0; i < BERTH_FDINFO_EPOLLS; i++)
		close(epolls[i]);
	close(fd);
}

static void a_process_that_has_gone_says_so(void **state)
{
	int fd = berth_sock_new(AF_INET, SOCK_STREAM, 0);
	struct berth_fdinfo_table table;
	unsigned int flags;
	pid_t pid = fork();

	(void)state;
	if (pid == 0)
		_exit(0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	assert_int_equal(berth_fdinfo_scan(pid, fd, &table), -ESRCH);
	assert_int_equal(berth_fdinfo_flags(pid, fd, &flags), -ENOENT);
	assert_int_equal(berth_fdinfo_scan(getpid(), -1, &table), -EBADF);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(flags_are_octal_and_alone),
		cmocka_unit_test(a_watch_has_a_number_events_data_and_a_file),
		cmocka_unit_test(flags_of_a_descriptor_hold_close_on_exec),
		cmocka_unit_test(a_pass_over_the_table_finds_copies_and_epolls),
		cmocka_unit_test(registrations_of_the_one_socket_are_told),
		cmocka_unit_test(too_many_epolls_are_said),
		cmocka_unit_test(a_process_that_has_gone_says_so),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
