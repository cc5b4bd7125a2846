/* SPDX-License-Identifier: MIT */
/* unit/app/test-log.c - all that a worker says is in the log, whoever else reads it slowly */
#include "app/log.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <termios.h>
#include <time.h>

#include <cmocka.h>

#include "../own-folder.h"
#include "app/history.h"
#include "app/log-read.h"

enum {
	PATH_SIZE = 160,
	TEXT_SIZE = 4 << 20,
};

static const struct berth_logfile_limits limits = { .size = 1 << 30, .files = 3 };

static char top[OWN_FOLDER_SIZE];
static struct berth_loop loop;
static struct berth_log log_;
static struct berth_err err;

static int set_up(void **state)
{
	(void)state;
	signal(SIGPIPE, SIG_IGN);
	err = (struct berth_err){ 0 };
	log_ = (struct berth_log){ 0 };
	return own_folder_make(top) ? berth_loop_init(&loop) : -1;
}

static int tear_down(void **state)
{
	(void)state;
	berth_log_close(&log_);
	berth_loop_deinit(&loop);
	return own_folder_remove(top) ? 0 : -1;
}

static void open_log(void)
{
	assert_int_equal(berth_log_open(&log_, &loop, "3aaaaa", &limits, &err), 0);
}

/* What is written to *ret_fd comes from that worker. */
static struct berth_log_stream *add(unsigned int worker, bool is_stderr, int *ret_fd)
{
	struct berth_log_stream *stream = NULL;
	int ends[2];

	assert_int_equal(berth_log_pipe(ends), 0);
	assert_int_equal(berth_log_add(&log_, worker, is_stderr, ends[0], &stream), 0);
	*ret_fd = ends[1];
	return stream;
}

static void say(int fd, const char *text)
{
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
}

static bool is_ready(int fd)
{
	struct pollfd poll_fd = { .fd = fd, .events = POLLIN };

	return poll(&poll_fd, 1, 0) == 1;
}

/* As long as there is something to be done. */
static void turn(void)
{
	while (is_ready(loop.epoll_fd))
		assert_int_equal(berth_loop_turn(&loop, 0), 0);
}

/* All lines of the log without their times, "o2 text|". */
static const char *read_log(void)
{
	static char text[TEXT_SIZE];
	char *line = NULL;
	size_t size = 0, len = 0;
	FILE *file = fopen(log_.path, "re");
	ssize_t n;

	text[0] = '\0';
	assert_non_null(file);
	while ((n = getline(&line, &size, file)) > 0) {
		assert_true(n > 25 && line[n - 1] == '\n' && line[24] == ' ');
		assert_true(len + (size_t)n < sizeof(text));
		memcpy(text + len, line + 25, (size_t)n - 25);
		len += (size_t)n - 25;
		text[len - 1] = '|';
		text[len] = '\0';
	}
	free(line);
	fclose(file);
	return text;
}

static void each_line_bears_its_worker_and_stream(void **state)
{
	int plain, out, second;

	(void)state;
	open_log();
	add(0, false, &plain);
	add(1, false, &out);
	add(2, true, &second);
	say(plain, "one\n");
	turn();
	say(out, "two\nthr");
	turn();
	say(second, "wrong\n");
	turn();
	say(out, "ee\n");
	turn();
	assert_string_equal(read_log(), "o one|o1 two|e2 wrong|o1 three|");
	close(plain);
	close(out);
	close(second);
}

static void finish(unsigned int worker)
{
	struct berth_log_stream *next;

	for (struct berth_log_stream *stream = log_.streams; stream; stream = next) {
		next = stream->next;
		if (stream->worker == worker)
			berth_log_finish_stream(stream);
	}
}

static void nothing_is_lost_at_the_end(void **state)
{
	struct berth_log_stream *stream;
	int out, other;

	(void)state;
	open_log();
	stream = add(1, false, &out);
	add(2, false, &other);
	say(out, "one\nlast, without a newline");
	close(out);
	berth_log_finish_stream(stream);
	say(other, "lives on");
	finish(1);
	assert_string_equal(read_log(), "o1 one|o1 last, without a newline|");
	/* A descriptor that somebody still has does not keep us waiting. */
	finish(2);
	assert_string_equal(read_log(), "o1 one|o1 last, without a newline|o2 lives on|");
	assert_null(log_.streams);
	assert_int_equal(write(other, "x", 1), -1);
	close(other);
}

static void a_closed_output_is_read_no_more_and_can_be_finished_later(void **state)
{
	struct berth_log_stream *stream;
	int out;

	(void)state;
	open_log();
	stream = add(0, false, &out);
	say(out, "partial");
	close(out);
	turn();
	assert_string_equal(read_log(), "o partial|");
	assert_ptr_equal(log_.streams, stream);
	finish(0);
	assert_null(log_.streams);
	assert_string_equal(read_log(), "o partial|");
}

static void a_full_pipe_is_read_whole(void **state)
{
	static char line[64];
	int out, flags;
	unsigned int said = 0;
	const char *at;

	(void)state;
	open_log();
	add(0, false, &out);
	flags = fcntl(out, F_GETFL);
	assert_false(flags & O_NONBLOCK);
	assert_int_equal(fcntl(out, F_SETFL, flags | O_NONBLOCK), 0);
	for (;; said++) {
		snprintf(line, sizeof(line), "%049u\n", said);
		if (write(out, line, 50) != 50)
			break;
	}
	assert_true(said > 1000);
	close(out);
	finish(0);
	at = read_log();
	for (unsigned int i = 0; i < said; i++, at += 52)
		assert_int_equal(strtoul(at + 2, NULL, 10), i);
	/* The write that did not go was cut short, perhaps. */
	assert_true(strlen(at) < 52);
}

static void a_turn_is_bounded(void **state)
{
	static char text[1 << 20];
	ssize_t n;
	int out, left;

	(void)state;
	memset(text, 'x', sizeof(text));
	open_log();
	add(0, false, &out);
	assert_int_equal(fcntl(out, F_SETFL, O_NONBLOCK), 0);
	if (fcntl(out, F_SETPIPE_SZ, sizeof(text)) < 0)
		skip(); /* this user has too many pipes already */
	n = write(out, text, sizeof(text));
	assert_int_equal(n, sizeof(text));
	assert_int_equal(berth_loop_turn(&loop, 0), 0);
	assert_int_equal(ioctl(log_.streams->fd, FIONREAD, &left), 0);
	assert_int_equal(n - left, 256 * 1024);
	close(out);
}

struct heard {
	char text[64];
	unsigned int count;
};

static void hear(struct berth_log_stream *stream, const char *text, size_t len, void *arg)
{
	struct heard *heard = arg;

	snprintf(heard->text, sizeof(heard->text), "%.*s", (int)len, text);
	if (++heard->count == 2)
		berth_log_watch(stream, NULL, NULL);
}

static void lines_are_watched_while_somebody_wants_them(void **state)
{
	struct heard heard = { 0 };
	struct berth_log_stream *stream;
	int out;

	(void)state;
	/* In the foreground there is no file. */
	assert_int_equal(berth_log_open(&log_, &loop, NULL, &limits, &err), 0);
	assert_null(log_.path);
	stream = add(0, false, &out);
	say(out, "unheard\n");
	turn();
	berth_log_watch(stream, hear, &heard);
	say(out, "on");
	turn();
	assert_int_equal(heard.count, 0);
	say(out, "e\ntwo\nthree\n");
	turn();
	assert_int_equal(heard.count, 2);
	assert_string_equal(heard.text, "two");
	close(out);
}

/* Reads what there is, and checks that it goes on counting. */
static void read_numbers(int fd, unsigned int *next)
{
	static char text[1 << 16];
	static char rest[16];
	static size_t rest_len;

	while (is_ready(fd)) {
		ssize_t n = read(fd, text, sizeof(text));

		if (n <= 0)
			return;
		for (ssize_t i = 0; i < n; i++) {
			rest[rest_len++] = text[i];
			assert_true(rest_len < sizeof(rest));
			if (text[i] != '\n')
				continue;
			rest[rest_len] = '\0';
			assert_int_equal(strtoul(rest, NULL, 10), (*next)++);
			rest_len = 0;
		}
	}
}

static void a_service_waits_for_the_reader_it_is_passed_on_to(void **state)
{
	unsigned int said = 0, next = 0;
	struct berth_log_stream *stream;
	struct pollfd writable;
	int out, passed[2];
	char line[16];

	(void)state;
	open_log();
	stream = add(0, false, &out);
	assert_int_equal(fcntl(out, F_SETFL, O_NONBLOCK), 0);
	assert_int_equal(pipe2(passed, O_CLOEXEC), 0);
	assert_int_equal(berth_log_pass(stream, passed[1]), 0);
	assert_false(fcntl(passed[1], F_GETFL) & O_NONBLOCK);
	close(passed[1]);
	/* Nobody reads: sooner or later the service's own pipe is full. */
	writable = (struct pollfd){ .fd = out, .events = POLLOUT };
	while (poll(&writable, 1, 0) == 1) {
		snprintf(line, sizeof(line), "%u\n", said++);
		say(out, line);
		if (said % 1000 == 0)
			turn();
	}
	turn();
	assert_int_equal(poll(&writable, 1, 0), 0);
	/* It goes on when he does; no turn is a busy one in between. */
	while (next < said / 2) {
		read_numbers(passed[0], &next);
		turn();
	}
	/* The worker ends, its reader is still slow: nothing is lost to him either. */
	close(out);
	finish(0);
	while (next < said) {
		read_numbers(passed[0], &next);
		turn();
	}
	assert_null(log_.streams);
	assert_int_equal(read(passed[0], line, 1), 0);
	close(passed[0]);
}

static void a_service_learns_that_its_reader_has_gone(void **state)
{
	struct berth_log_stream *stream;
	int out, passed[2];

	(void)state;
	open_log();
	stream = add(0, false, &out);
	assert_int_equal(pipe2(passed, O_CLOEXEC), 0);
	assert_int_equal(berth_log_pass(stream, passed[1]), 0);
	close(passed[1]);
	say(out, "heard\n");
	turn();
	close(passed[0]);
	say(out, "unheard\nalso partial");
	turn();
	assert_int_equal(write(out, "x", 1), -1);
	assert_int_equal(errno, EPIPE);
	assert_string_equal(read_log(), "o heard|o unheard|o also partial|");
	close(out);
	berth_log_finish_stream(stream);
	assert_null(log_.streams);
}

static void what_is_passed_on_reaches_a_file_too(void **state)
{
	struct berth_log_stream *stream;
	char path[PATH_SIZE], text[32] = "";
	int out, fd;

	(void)state;
	open_log();
	snprintf(path, sizeof(path), "%s/out", top);
	fd = open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	stream = add(0, true, &out);
	assert_int_equal(berth_log_pass(stream, fd), 0);
	say(out, "one\npart");
	turn();
	assert_int_equal(pread(fd, text, sizeof(text) - 1, 0), 8);
	assert_string_equal(text, "one\npart");
	close(fd);
	close(out);
}

static void a_terminal_is_captured_as_it_was_written(void **state)
{
	struct berth_log_stream *stream;
	struct winsize window;
	int master, slave;

	(void)state;
	open_log();
	assert_int_equal(berth_log_tty(&master, &slave), 0);
	assert_true(isatty(slave));
	assert_int_equal(ioctl(slave, TIOCGWINSZ, &window), 0);
	assert_true(window.ws_col > 0 && window.ws_row > 0);
	assert_int_equal(berth_log_add(&log_, 0, false, master, &stream), 0);
	say(slave, "one\n\ttwo\nlast");
	close(slave);
	turn();
	/* Its last user has gone: that is no reason to turn all the time, nor to hang up. */
	assert_true(fcntl(master, F_GETFD) >= 0);
	finish(0);
	assert_string_equal(read_log(), "o one|o \ttwo|o last|");
}

static void a_terminal_is_read_to_its_end(void **state)
{
	struct berth_log_stream *stream;
	char line[32];
	int master, slave;
	const char *at;

	(void)state;
	open_log();
	assert_int_equal(berth_log_tty(&master, &slave), 0);
	assert_int_equal(berth_log_add(&log_, 0, false, master, &stream), 0);
	for (int i = 0; i < 100; i++) {
		snprintf(line, sizeof(line), "%08d\n", i);
		say(slave, line);
	}
	close(slave);
	finish(0);
	at = read_log();
	for (int i = 0; i < 100; i++, at += 11)
		assert_int_equal(strtol(at + 2, NULL, 10), i);
	assert_string_equal(at, "");
}

static void a_folder_that_is_removed_is_made_again(void **state)
{
	char folder[PATH_SIZE];
	int out;

	(void)state;
	open_log();
	add(0, false, &out);
	say(out, "one\n");
	turn();
	snprintf(folder, sizeof(folder), "%s/state", top);
	assert_true(own_folder_remove(folder));
	say(out, "two\n");
	turn();
	assert_string_equal(read_log(), "o two|");
	close(out);
}

static void a_folder_that_can_not_be_written_is_no_reason_to_go_without_streams(void **state)
{
	struct heard heard = { 0 };
	char path[PATH_SIZE];
	int out, fd;

	(void)state;
	snprintf(path, sizeof(path), "%s/file", top);
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	close(fd);
	setenv("XDG_STATE_HOME", path, 1);
	assert_true(berth_log_open(&log_, &loop, "3aaaaa", &limits, &err) < 0);
	assert_non_null(strstr(err.msg, "log"));
	assert_null(log_.path);
	berth_log_watch(add(0, false, &out), hear, &heard);
	say(out, "one\n");
	turn();
	assert_string_equal(heard.text, "one");
	close(out);
}

static void make_log(const char *name, time_t age)
{
	struct timespec times[2] = { 0 };
	char path[PATH_SIZE];
	int fd;

	snprintf(path, sizeof(path), "%s/state/berth/logs/%s", top, name);
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	times[0].tv_sec = times[1].tv_sec = time(NULL) - age;
	assert_int_equal(futimens(fd, times), 0);
	close(fd);
}

static bool has_log(const char *name)
{
	char path[PATH_SIZE];

	snprintf(path, sizeof(path), "%s/state/berth/logs/%s", top, name);
	return access(path, F_OK) == 0;
}

static void logs_that_nobody_knows_are_removed(void **state)
{
	enum {
		OLD = 3 * 24 * 60 * 60
	};
	BERTH_AUTO_JSON json_t *end = json_pack("{s:s}", "id", "3eeeee");
	struct timespec times[2] = { 0 };
	struct berth_log other;

	(void)state;
	open_log();
	assert_int_equal(berth_history_add(end, "0123456789abcdef0123456789abcdef"), 0);
	make_log("3bbbbb.log", OLD);
	make_log("3bbbbb.log.1", OLD);
	make_log("3bbbbb.log.2", OLD);
	make_log("3ccccc.log", 60); /* may be just about to be written */
	make_log("3ddddd.log.7", OLD); /* of one that has gone */
	make_log("3eeeee.log", OLD); /* the history has it */
	make_log("notes.txt", OLD);
	times[0].tv_sec = times[1].tv_sec = time(NULL) - OLD;
	assert_int_equal(futimens(log_.file.fd, times), 0); /* quiet, but written */
	assert_int_equal(berth_log_open(&other, &loop, "3fffff", &limits, &err), 0);
	berth_log_close(&other);
	assert_true(has_log("3bbbbb.log"));
	berth_log_tidy();
	assert_false(has_log("3bbbbb.log"));
	assert_false(has_log("3bbbbb.log.1") || has_log("3bbbbb.log.2"));
	assert_true(has_log("3ccccc.log"));
	assert_false(has_log("3ddddd.log.7"));
	assert_true(has_log("3eeeee.log"));
	assert_true(has_log("notes.txt"));
	assert_true(has_log("3aaaaa.log"));
	assert_true(has_log("3fffff.log"));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(each_line_bears_its_worker_and_stream),
		TEST(nothing_is_lost_at_the_end),
		TEST(a_closed_output_is_read_no_more_and_can_be_finished_later),
		TEST(a_full_pipe_is_read_whole),
		TEST(a_turn_is_bounded),
		TEST(lines_are_watched_while_somebody_wants_them),
		TEST(a_service_waits_for_the_reader_it_is_passed_on_to),
		TEST(a_service_learns_that_its_reader_has_gone),
		TEST(what_is_passed_on_reaches_a_file_too),
		TEST(a_terminal_is_captured_as_it_was_written),
		TEST(a_terminal_is_read_to_its_end),
		TEST(a_folder_that_is_removed_is_made_again),
		TEST(a_folder_that_can_not_be_written_is_no_reason_to_go_without_streams),
		TEST(logs_that_nobody_knows_are_removed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
