/* SPDX-License-Identifier: MIT */
/* unit/os/test-outq.c - output in front of readers that are slow, gone, or share the file */
#include "os/outq.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>

enum {
	MESSAGE_LEN = 1000,
	MESSAGES = 200,
};

static struct berth_loop loop;

static int set_up(void **state)
{
	(void)state;
	return berth_loop_init(&loop);
}

static int tear_down(void **state)
{
	(void)state;
	berth_loop_deinit(&loop);
	return 0;
}

static void say(struct berth_outq *queue, int number)
{
	char text[MESSAGE_LEN + 1];

	snprintf(text, sizeof(text), "%0*d\n", MESSAGE_LEN - 1, number);
	berth_outq_add(queue, text, MESSAGE_LEN);
}

/* Reads what there is, letting the queue follow, and counts the messages; they are whole and in order. */
static int drain(int fd)
{
	static char text[MESSAGES * MESSAGE_LEN];
	struct pollfd poll_fd = { .fd = fd, .events = POLLIN };
	size_t len = 0;

	do {
		ssize_t n = read(fd, text + len, sizeof(text) - len);

		assert_true(n >= 0);
		len += (size_t)n;
		assert_int_equal(berth_loop_turn(&loop, 0), 0);
	} while (poll(&poll_fd, 1, 0) == 1 && len < sizeof(text));
	assert_int_equal(len % MESSAGE_LEN, 0);
	for (size_t i = 0; i < len / MESSAGE_LEN; i++)
		assert_int_equal(strtol(text + i * MESSAGE_LEN, NULL, 10), i);
	return (int)(len / MESSAGE_LEN);
}

static void nobody_waits_for_a_slow_reader(void **state)
{
	static const char *const kinds[] = { "pipe", "socket" };

	(void)state;
	for (size_t i = 0; i < BERTH_ARRAY_SIZE(kinds); i++) {
		struct berth_outq queue;
		int fds[2], flags;

		if (i == 0)
			assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
		else
			assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds),
					 0);
		if (i == 0)
			assert_true(fcntl(fds[1], F_SETPIPE_SZ, 4096) >= 0);
		else
			assert_int_equal(setsockopt(fds[1], SOL_SOCKET, SO_SNDBUF, &(int){ 4096 },
						    sizeof(int)),
					 0);
		flags = fcntl(fds[1], F_GETFL);
		berth_outq_init(&queue, &loop, fds[1]);
		assert_true(queue.fd >= 0);
		assert_true(fcntl(queue.fd, F_GETFD) & FD_CLOEXEC);
		for (int j = 0; j < MESSAGES; j++)
			say(&queue, j);
		/* What others write there with is as it was. */
		assert_int_equal(fcntl(fds[1], F_GETFL), flags);
		assert_true(queue.len > 0 && queue.len <= BERTH_OUTQ_MAX);
		assert_true(queue.dropped > 0);
		assert_int_equal(drain(fds[0]), MESSAGES - queue.dropped);
		assert_int_equal(queue.len, 0);
		/* and it goes on */
		berth_outq_add(&queue, "x", 1);
		assert_int_equal(queue.len, 0);
		berth_outq_deinit(&queue);
		close(fds[0]);
		close(fds[1]);
	}
}

static void what_goes_at_once_is_not_kept(void **state)
{
	struct berth_outq queue;
	char buf[16];
	int fds[2];

	(void)state;
	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	berth_outq_init(&queue, &loop, fds[1]);
	berth_outq_add(&queue, "hello\n", 6);
	assert_int_equal(queue.len, 0);
	assert_null(queue.source.fn);
	assert_int_equal(read(fds[0], buf, sizeof(buf)), 6);
	assert_memory_equal(buf, "hello\n", 6);
	berth_outq_deinit(&queue);
	berth_outq_deinit(&queue);
	assert_int_equal(queue.fd, -1);
	/* Ours was a duplicate. */
	assert_int_equal(write(fds[1], "x", 1), 1);
	close(fds[0]);
	close(fds[1]);
}

static void a_reader_that_has_gone_switches_it_off(void **state)
{
	struct berth_outq queue;
	int fds[2];

	(void)state;
	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	assert_true(fcntl(fds[1], F_SETPIPE_SZ, 4096) >= 0);
	berth_outq_init(&queue, &loop, fds[1]);
	for (int i = 0; i < 10; i++)
		say(&queue, i);
	assert_true(queue.len > 0);
	close(fds[0]);
	assert_int_equal(berth_loop_turn(&loop, INT64_MAX), 0);
	assert_int_equal(queue.fd, -1);
	assert_int_equal(queue.len, 0);
	berth_outq_add(&queue, "x", 1);
	assert_int_equal(queue.len, 0);
	berth_outq_deinit(&queue);

	/* Gone before it began. */
	berth_outq_init(&queue, &loop, fds[1]);
	berth_outq_add(&queue, "x", 1);
	assert_int_equal(berth_loop_turn(&loop, INT64_MAX), 0);
	assert_int_equal(queue.fd, -1);
	berth_outq_deinit(&queue);
	close(fds[1]);
}

static void without_a_descriptor_it_is_off(void **state)
{
	struct berth_outq queue;

	(void)state;
	berth_outq_init(&queue, &loop, -1);
	berth_outq_add(&queue, "x", 1);
	assert_int_equal(queue.len, 0);
	assert_int_equal(queue.dropped, 0);
	berth_outq_deinit(&queue);
}

static void a_file_is_written_at_its_end_whoever_else_writes(void **state)
{
	char path[] = "/tmp/berth-test-XXXXXX", buf[16] = "";
	struct berth_outq queue;
	int fd = mkostemp(path, O_CLOEXEC);

	(void)state;
	assert_true(fd >= 0);
	berth_outq_init(&queue, &loop, fd);
	assert_int_equal(write(fd, "theirs ", 7), 7);
	berth_outq_add(&queue, "ours", 4);
	assert_int_equal(pread(fd, buf, sizeof(buf), 0), 11);
	assert_string_equal(buf, "theirs ours");
	berth_outq_deinit(&queue);
	close(fd);
	assert_int_equal(unlink(path), 0);
}

static void the_end_tries_once_more(void **state)
{
	struct berth_outq queue;
	int fds[2], count = 0;
	char buf[4096];

	(void)state;
	assert_int_equal(pipe2(fds, O_CLOEXEC | O_NONBLOCK), 0);
	assert_true(fcntl(fds[1], F_SETPIPE_SZ, 4096) >= 0);
	berth_outq_init(&queue, &loop, fds[1]);
	while (!queue.len)
		say(&queue, count++);
	assert_true(read(fds[0], buf, sizeof(buf)) > 0);
	berth_outq_deinit(&queue);
	assert_true(read(fds[0], buf, sizeof(buf)) > 0);
	close(fds[0]);
	close(fds[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(nobody_waits_for_a_slow_reader, set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_goes_at_once_is_not_kept, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_reader_that_has_gone_switches_it_off, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(without_a_descriptor_it_is_off, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_file_is_written_at_its_end_whoever_else_writes,
						set_up, tear_down),
		cmocka_unit_test_setup_teardown(the_end_tries_once_more, set_up, tear_down),
	};

	signal(SIGPIPE, SIG_IGN); /* berth blocks it */
	return cmocka_run_group_tests(tests, NULL, NULL);
}
