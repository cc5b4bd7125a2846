/* SPDX-License-Identifier: MIT */
/* unit/os/test-sdnotify.c - messages of sd_notify(3), from real processes */
#include "os/sdnotify.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

enum {
	DEADLINE_MS = 5000
};

/* As sd_notify() does it, from the value of NOTIFY_SOCKET. */
static int connect_to(const char *name)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	size_t len = strlen(name);
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	assert_true(len < sizeof(addr.sun_path));
	memcpy(addr.sun_path, name, len);
	if (name[0] == '@')
		addr.sun_path[0] = '\0';
	assert_int_equal(connect(fd, (struct sockaddr *)&addr,
				 (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len)),
			 0);
	return fd;
}

static void send_with_fds(int fd, const char *text, const int *fds, size_t count)
{
	union {
		char buf[CMSG_SPACE(64 * sizeof(int))];
		struct cmsghdr align;
	} control = { 0 };
	struct iovec iov = { .iov_base = (void *)text, .iov_len = strlen(text) };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };

	assert_true(count <= 64);
	if (count) {
		msg.msg_control = control.buf;
		msg.msg_controllen = CMSG_SPACE(count * sizeof(int));
		control.align = (struct cmsghdr){
			.cmsg_len = CMSG_LEN(count * sizeof(int)),
			.cmsg_level = SOL_SOCKET,
			.cmsg_type = SCM_RIGHTS,
		};
		memcpy(CMSG_DATA(&control.align), fds, count * sizeof(int));
	}
	assert_int_equal(sendmsg(fd, &msg, MSG_NOSIGNAL), strlen(text));
}

static void say(int fd, const char *text)
{
	send_with_fds(fd, text, NULL, 0);
}

static int open_fd_count(void)
{
	int count = 0;

	for (int fd = 0; fd < 256; fd++)
		count += fcntl(fd, F_GETFD) >= 0;
	return count;
}

struct pair {
	int receiver, sender;
	char name[BERTH_SDNOTIFY_NAME_SIZE];
};

static struct pair make_pair(void)
{
	struct pair pair;

	pair.receiver = berth_sdnotify_open(pair.name);
	assert_true(pair.receiver >= 0);
	pair.sender = connect_to(pair.name);
	return pair;
}

static void close_pair(struct pair *pair)
{
	close(pair->receiver);
	close(pair->sender);
}

static void the_name_is_abstract_and_nobody_elses(void **state)
{
	char name[BERTH_SDNOTIFY_NAME_SIZE], other[BERTH_SDNOTIFY_NAME_SIZE], prefix[64];
	struct berth_sdnotify_message message;
	int fd = berth_sdnotify_open(name), second = berth_sdnotify_open(other);

	assert_true(fd >= 0 && second >= 0);
	snprintf(prefix, sizeof(prefix), "@berth/%u/notify/", (unsigned int)getuid());
	assert_int_equal(strncmp(name, prefix, strlen(prefix)), 0);
	assert_int_equal(strlen(name), strlen(prefix) + 16);
	assert_string_not_equal(name, other);
	assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	assert_true(fcntl(fd, F_GETFL) & O_NONBLOCK);
	assert_int_equal(berth_sdnotify_recv(fd, &message), -EAGAIN);
	close(fd);
	close(second);
}

static void a_message_says_who_sent_it_even_after_his_end(void **state)
{
	struct pair pair = make_pair();
	struct berth_sdnotify_message message;
	int status;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		int fd = connect_to(pair.name);

		say(fd, "READY=1\nSTATUS=Listening on 5000\nMAINPID=4711\n");
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_int_equal(berth_sdnotify_recv(pair.receiver, &message), 0);
	assert_int_equal(message.pid, pid);
	assert_int_equal(message.uid, getuid());
	assert_true(message.ready);
	assert_false(message.stopping || message.reloading || message.watchdog || message.failed);
	assert_int_equal(message.mainpid, 4711);
	assert_true(message.has_status);
	assert_string_equal(message.status, "Listening on 5000");
	assert_int_equal(berth_sdnotify_recv(pair.receiver, &message), -EAGAIN);
	close_pair(&pair);
}

static void a_barrier_is_over_and_no_descriptor_stays(void **state)
{
	struct pair pair = make_pair();
	struct berth_sdnotify_message message;
	struct pollfd poll_end;
	int fds[64], ends[2], before;

	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	poll_end = (struct pollfd){ .fd = ends[0] };
	send_with_fds(pair.sender, "BARRIER=1", &ends[1], 1);
	close(ends[1]);
	assert_int_equal(poll(&poll_end, 1, 0), 0);
	before = open_fd_count();
	assert_int_equal(berth_sdnotify_recv(pair.receiver, &message), 0);
	assert_int_equal(open_fd_count(), before);
	assert_int_equal(poll(&poll_end, 1, DEADLINE_MS), 1);
	assert_true(poll_end.revents & POLLHUP);
	assert_int_equal(message.pid, getpid());
	close(ends[0]);

	for (size_t i = 0; i < 64; i++)
		fds[i] = pair.sender;
	send_with_fds(pair.sender, "FDSTORE=1\nREADY=1", fds, 64);
	before = open_fd_count();
	assert_int_equal(berth_sdnotify_recv(pair.receiver, &message), 0);
	assert_int_equal(open_fd_count(), before);
	assert_true(message.ready);
	assert_int_equal(message.pid, getpid());
	close_pair(&pair);
}

static void one_too_long_is_dropped_alone(void **state)
{
	struct pair pair = make_pair();
	struct berth_sdnotify_message message, before;
	char text[BERTH_SDNOTIFY_MESSAGE_MAX + 2] = "READY=1\n";

	memset(text + 8, 'x', sizeof(text) - 9);
	say(pair.sender, text);
	text[BERTH_SDNOTIFY_MESSAGE_MAX] = '\0';
	say(pair.sender, text);
	memset(&message, 0xa5, sizeof(message));
	before = message;
	assert_int_equal(berth_sdnotify_recv(pair.receiver, &message), -EBADMSG);
	assert_memory_equal(&message, &before, sizeof(message));
	assert_int_equal(berth_sdnotify_recv(pair.receiver, &message), 0);
	assert_true(message.ready);
	close_pair(&pair);
}

/* An empty one too: it is no end of anything. */
static void an_empty_one_says_nothing(void **state)
{
	struct pair pair = make_pair();
	struct berth_sdnotify_message message;

	say(pair.sender, "");
	say(pair.sender, "STOPPING=1");
	assert_int_equal(berth_sdnotify_recv(pair.receiver, &message), 0);
	assert_false(message.ready || message.stopping || message.has_status);
	assert_int_equal(berth_sdnotify_recv(pair.receiver, &message), 0);
	assert_true(message.stopping);
	close_pair(&pair);
}

/* clang-format off */
static const struct {
	const char *text;
	struct berth_sdnotify_message message;
} texts[] = {
	{ "READY=1", { .ready = true } },
	{ "READY=1\n", { .ready = true } },
	{ "\n\nREADY=1\nSTOPPING=1\nRELOADING=1\nWATCHDOG=1",
	  { .ready = true, .stopping = true, .reloading = true, .watchdog = true } },
	{ "READY=0\nSTOPPING=\nRELOADING=11\nWATCHDOG=yes", { 0 } },
	{ "READY\nREADYX=1\n READY=1\nEADY=1\n=1\n=", { 0 } },
	{ "WATCHDOG=trigger", { .failed = true } },
	{ "WATCHDOG_USEC=1\nFDSTORE=1\nBARRIER=1\nERRNO=2\nBUSERROR=x\nEXTEND_TIMEOUT_USEC=5", { 0 } },
	{ "MAINPID=1", { .mainpid = 1 } },
	{ "MAINPID=0\nMAINPID=-1\nMAINPID=1x\nMAINPID=2147483648\nMAINPID=", { 0 } },
	{ "MAINPID=99999999999999999999999999", { 0 } },
	{ "MAINPID=2147483647\nMAINPID=7", { .mainpid = 7 } },
	{ "STATUS=", { .has_status = true } },
	{ "STATUS=a=b c", { .has_status = true, .status = "a=b c" } },
	{ "STATUS=one\nSTATUS=two", { .has_status = true, .status = "two" } },
	{ "STATUS=\033[31mred\r", { .has_status = true, .status = "\\e[31mred\\r" } },
};
/* clang-format on */

static void each_line_means_what_sd_notify_says(void **state)
{
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct berth_sdnotify_message message = { 0 };

		berth_sdnotify_parse(texts[i].text, strlen(texts[i].text), &message);
		if (memcmp(&message, &texts[i].message, sizeof(message)) != 0)
			fail_msg("'%s' is taken for something else", texts[i].text);
	}
}

static void a_long_status_is_cut(void **state)
{
	struct berth_sdnotify_message message = { 0 };
	char text[1024] = "STATUS=";

	memset(text + 7, 'a', sizeof(text) - 8);
	berth_sdnotify_parse(text, strlen(text), &message);
	assert_int_equal(strlen(message.status), BERTH_SDNOTIFY_STATUS_SIZE - 1);
	assert_string_equal(message.status + BERTH_SDNOTIFY_STATUS_SIZE - 4, "...");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_name_is_abstract_and_nobody_elses),
		cmocka_unit_test(a_message_says_who_sent_it_even_after_his_end),
		cmocka_unit_test(a_barrier_is_over_and_no_descriptor_stays),
		cmocka_unit_test(one_too_long_is_dropped_alone),
		cmocka_unit_test(an_empty_one_says_nothing),
		cmocka_unit_test(each_line_means_what_sd_notify_says),
		cmocka_unit_test(a_long_status_is_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
