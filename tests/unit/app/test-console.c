/* SPDX-License-Identifier: MIT */
/* unit/app/test-console.c - many services speak in one log: whole lines, and nobody waits but they */
#include "app/console.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include <cmocka.h>

#include "../own-folder.h"
#include "base/json.h"

enum {
	SOURCES = 100,
	SHOWN_SIZE = 4 << 20,
};

static const struct berth_logfile_limits limits = { .size = 1 << 30, .files = 3 };

static char top[OWN_FOLDER_SIZE];
static struct berth_loop loop;
static struct berth_log log_;
static struct berth_console console;
static struct berth_err err;
static int reader; /* of what the console shows; -1: none */
static char *shown; /* what was read there so far */
static size_t shown_len;

static int set_up(void **state)
{
	(void)state;
	signal(SIGPIPE, SIG_IGN);
	setenv("TZ", "UTC0", 1);
	err = (struct berth_err){ 0 };
	log_ = (struct berth_log){ 0 };
	console = (struct berth_console){ 0 };
	reader = -1;
	shown_len = 0;
	shown = calloc(1, SHOWN_SIZE);
	if (!shown || !own_folder_make(top) || berth_loop_init(&loop) < 0)
		return -1;
	return berth_log_open(&log_, &loop, "3aaaaa", &limits, &err);
}

static int tear_down(void **state)
{
	(void)state;
	berth_log_close(&log_);
	if (reader >= 0)
		close(reader);
	berth_console_deinit(&console);
	berth_loop_deinit(&loop);
	free(shown);
	return own_folder_remove(top) ? 0 : -1;
}

/* Shown into a pipe, whose reading end is @reader. */
static void open_pipe(struct berth_console_spec spec)
{
	int ends[2];

	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	spec.fd = ends[1];
	berth_console_init(&console, &loop, &spec);
	assert_false(fcntl(ends[1], F_GETFL) & O_NONBLOCK);
	close(ends[1]);
	reader = ends[0];
	assert_int_equal(fcntl(reader, F_SETFL, O_NONBLOCK), 0);
}

/* Shown on a terminal of so many columns, whose master is @reader. */
static void open_terminal(unsigned short columns, bool color)
{
	int slave;
	struct winsize window = { .ws_row = 5, .ws_col = columns };

	assert_int_equal(berth_log_tty(&reader, &slave), 0);
	assert_int_equal(ioctl(slave, TIOCSWINSZ, &window), 0);
	berth_console_init(&console, &loop,
			   &(struct berth_console_spec){
				   .fd = slave, .color = color, .terminal = true, .live = true });
	close(slave);
}

/* What is written to *ret_fd is said by @source. */
static struct berth_log_stream *add_stream(const struct berth_console_source *source,
					   bool is_stderr, int *ret_fd)
{
	struct berth_log_stream *stream = NULL;
	int ends[2];

	assert_int_equal(berth_log_pipe(ends), 0);
	assert_int_equal(berth_log_add(&log_, 0, is_stderr, ends[0], &stream), 0);
	berth_console_attach(&console, source, stream);
	*ret_fd = ends[1];
	return stream;
}

static int add(const char *service, unsigned int instance, unsigned int tint)
{
	int fd;

	add_stream(berth_console_add(&console, service, instance, tint), false, &fd);
	return fd;
}

static void say(int fd, const char *text)
{
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
}

static bool is_ready(int fd, short events)
{
	struct pollfd poll_fd = { .fd = fd, .events = events };

	return poll(&poll_fd, 1, 0) == 1 && (poll_fd.revents & events);
}

/* As long as there is something to be done. */
static void turn(void)
{
	while (is_ready(loop.epoll_fd, POLLIN))
		assert_int_equal(berth_loop_turn(&loop, 0), 0);
}

/* What there is to be read, at most @max bytes. */
static void read_shown(size_t max)
{
	size_t until = shown_len + max < SHOWN_SIZE - 1 ? shown_len + max : SHOWN_SIZE - 1;

	while (shown_len < until && is_ready(reader, POLLIN)) {
		ssize_t n = read(reader, shown + shown_len, until - shown_len);

		if (n <= 0)
			break;
		shown_len += (size_t)n;
		shown[shown_len] = '\0';
	}
}

/* Read until nothing comes any more. */
static void drain(void)
{
	size_t before;

	do {
		before = shown_len;
		turn();
		read_shown(SHOWN_SIZE);
	} while (shown_len > before);
}

/* Everything that was shown since the last call, "09:30:00" being "T". */
static const char *show(void)
{
	size_t len = 0;

	drain();
	for (size_t at = 0; at < shown_len; at++) {
		if (at + 8 < shown_len && shown[at + 2] == ':' && shown[at + 5] == ':' &&
		    strspn(shown + at, "0123456789:") == 8) {
			at += 7;
			shown[len++] = 'T';
		} else {
			shown[len++] = shown[at];
		}
	}
	shown[len] = '\0';
	shown_len = 0;
	return shown;
}

static void assert_log(const char *text)
{
	static char found[1 << 16];
	FILE *file = fopen(log_.path, "re");
	char *line = NULL;
	size_t size = 0, len = 0;
	ssize_t n;

	assert_non_null(file);
	while ((n = getline(&line, &size, file)) > 27 && len + (size_t)n < sizeof(found)) {
		memcpy(found + len, line + 27, (size_t)n - 27);
		len += (size_t)n - 27;
	}
	found[len] = '\0';
	free(line);
	fclose(file);
	assert_string_equal(found, text);
}

static void whole_lines_have_their_name_in_front(void **state)
{
	int web, api, also;

	(void)state;
	open_pipe((struct berth_console_spec){ .names = true });
	web = add("web", 1, 0);
	api = add("backend", 12, 1);
	add_stream(console.sources, true, &also);
	say(web, "one\ntw");
	turn();
	say(api, "hello\n");
	turn();
	say(also, "wrong\n");
	turn();
	say(web, "o\n\n");
	assert_string_equal(show(), "T web.1      | one\n"
				    "T backend.12 | hello\n"
				    "T backend.12 | wrong\n"
				    "T web.1      | two\n"
				    "T web.1      | \n");
	berth_console_say(&console, NULL, "%s is up\nand so on", "it");
	assert_string_equal(show(), "T berth      | it is up\nT berth      | and so on\n");
	close(web);
	close(api);
	close(also);
}

static void colours_end_where_the_name_and_the_line_do(void **state)
{
	int web, api;

	(void)state;
	open_pipe((struct berth_console_spec){ .names = true, .color = true });
	web = add("web", 1, 0);
	api = add("api", 1, 1);
	say(web, "\033[31mred\n");
	turn();
	say(api, "plain\n");
	turn();
	berth_console_say(&console, NULL, "own");
	assert_string_equal(show(), "\033[36mT web.1 | \033[0m\033[31mred\033[0m\n"
				    "\033[33mT api.1 | \033[0mplain\n"
				    "T berth | own\n");
	close(web);
	close(api);
}

static void the_last_line_needs_no_newline(void **state)
{
	struct berth_log_stream *stream;
	int api, web;

	(void)state;
	open_pipe((struct berth_console_spec){ .names = true });
	stream = add_stream(berth_console_add(&console, "api", 1, 0), false, &api);
	web = add("web", 1, 0);
	say(api, "last");
	close(api);
	berth_log_finish_stream(stream);
	say(web, "also last");
	close(web);
	turn();
	assert_string_equal(show(), "T api.1 | last\nT web.1 | also last\n");
}

static void without_names_there_is_the_text_alone(void **state)
{
	int api;

	(void)state;
	open_pipe((struct berth_console_spec){ 0 });
	api = add("api", 1, 0);
	assert_int_equal(write(api, "nul \0 \xff\xfe \033[2J\r\n", 15), 15);
	turn();
	berth_console_say(&console, NULL, "own");
	turn();
	read_shown(100);
	assert_int_equal(shown_len, 15 + 11);
	assert_memory_equal(shown, "nul \0 \xff\xfe \033[2J\r\nberth: own\n", shown_len);
	close(api);
}

static void documents_are_those_of_berth_logs(void **state)
{
	char *save = NULL, *line;
	json_t *document;
	int api;

	(void)state;
	open_pipe((struct berth_console_spec){ .json = true, .names = true, .color = true });
	add_stream(berth_console_add(&console, "api", 2, 0), true, &api);
	say(api, "text\n");
	turn();
	berth_console_say(&console, console.sources, "of it");
	berth_console_say(&console, NULL, "of all");
	turn();
	read_shown(SHOWN_SIZE);
	line = strtok_r(shown, "\n", &save);
	document = berth_json_parse(line, strlen(line));
	assert_string_equal(berth_json_string(document, "service", ""), "api");
	assert_int_equal(berth_json_int(document, "instance", 0), 2);
	assert_string_equal(berth_json_string(document, "stream", ""), "stderr");
	assert_string_equal(berth_json_string(document, "text", ""), "text");
	json_decref(document);
	line = strtok_r(NULL, "\n", &save);
	document = berth_json_parse(line, strlen(line));
	assert_string_equal(berth_json_string(document, "service", ""), "api");
	assert_string_equal(berth_json_string(document, "stream", ""), "berth");
	json_decref(document);
	line = strtok_r(NULL, "\n", &save);
	document = berth_json_parse(line, strlen(line));
	assert_true(json_is_null(json_object_get(document, "service")));
	assert_string_equal(berth_json_string(document, "text", ""), "of all");
	json_decref(document);
	assert_null(strtok_r(NULL, "\n", &save));
	close(api);
}

/* In pieces of 64 KiB, which a service may be interrupted between. */
static void a_long_line_is_one_line_unless_somebody_speaks_in_between(void **state)
{
	static char text[1 << 20];
	size_t said = 0;
	int api, web;

	(void)state;
	for (size_t i = 0; i < sizeof(text); i++)
		text[i] = (char)('a' + i % 26);
	open_pipe((struct berth_console_spec){ .names = true });
	api = add("api", 1, 0);
	web = add("web", 1, 0);
	assert_int_equal(fcntl(api, F_SETFL, O_NONBLOCK), 0);
	while (said < sizeof(text)) {
		ssize_t n = write(api, text + said, sizeof(text) - said);

		said += n > 0 ? (size_t)n : 0;
		turn();
		read_shown(SHOWN_SIZE);
	}
	say(api, "\n");
	drain();
	assert_int_equal(shown_len, strlen("09:30:00 api.1 | \n") + sizeof(text));
	assert_memory_equal(shown + strlen("09:30:00 api.1 | "), text, sizeof(text));
	/* And now with the other one. */
	shown_len = 0;
	assert_int_equal(write(api, text, 100000), 100000);
	drain();
	say(web, "between\n");
	turn();
	say(api, "end\n");
	/* 64 KiB end with a p. */
	assert_non_null(strstr(show(), "mnop\nT web.1 | between\nT api.1 | qrst"));
	assert_non_null(strstr(shown, "abcdend\n"));
	close(api);
	close(web);
}

/* --- readers that are slow, stopped, gone --- */

/* Lines "N text" into @fd, counting on from *next, until it takes no more. */
static void fill(int fd, unsigned int *next)
{
	char line[100];

	while (is_ready(fd, POLLOUT)) {
		snprintf(line, sizeof(line), "%06u %080u\n", (*next)++, 0);
		say(fd, line);
	}
}

/* Each source counts on by itself, and each line is whole. */
static void check_counts(const unsigned int said[SOURCES])
{
	unsigned int next[SOURCES] = { 0 };
	char *save = NULL;

	assert_int_equal(shown[shown_len - 1], '\n');
	for (char *line = strtok_r(shown, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		unsigned int source, number;

		assert_int_equal(strlen(line), strlen("09:30:00 api1234.1 | ") + 87);
		assert_int_equal(sscanf(line + 9, "api%u.1 | %u 0", &source, &number), 2);
		source -= 1000;
		assert_true(source < SOURCES);
		assert_int_equal(number, next[source]++);
	}
	assert_memory_equal(next, said, sizeof(next));
}

static void a_hundred_services_wait_for_one_slow_reader(void **state)
{
	unsigned int said[SOURCES] = { 0 };
	int fds[SOURCES];
	char name[16];

	(void)state;
	open_pipe((struct berth_console_spec){ .names = true });
	for (unsigned int i = 0; i < SOURCES; i++) {
		snprintf(name, sizeof(name), "api%u", 1000 + i);
		fds[i] = add(name, 1, i);
		/* else they had 25 MiB among them */
		assert_true(fcntl(fds[i], F_SETPIPE_SZ, 8192) > 0);
	}
	for (unsigned int i = 0; i < SOURCES; i++)
		fill(fds[i], &said[i]);
	turn();
	/* Nobody has read: the loop is at rest, and we hold but one read of one of them. */
	assert_true(console.sink.full);
	assert_true(console.queue.len - console.queue_at < 64 * 1024);
	for (unsigned int i = 0; i < SOURCES; i++) {
		fill(fds[i], &said[i]);
		assert_false(is_ready(fds[i], POLLOUT));
	}
	turn();
	while (shown_len < 500000) {
		read_shown(4096);
		turn();
	}
	for (unsigned int i = 0; i < SOURCES; i++)
		fill(fds[i], &said[i]);
	drain();
	check_counts(said);
	assert_false(console.sink.full);
	for (unsigned int i = 0; i < SOURCES; i++)
		close(fds[i]);
}

/* A service that fills the console each time it can does not keep the others from it. */
static void a_chatty_service_leaves_the_others_their_turn(void **state)
{
	unsigned int said = 0, rounds = 0;
	int chatty, quiet[2];

	(void)state;
	open_pipe((struct berth_console_spec){ .names = true });
	assert_true(fcntl(reader, F_SETPIPE_SZ, 4096) > 0);
	chatty = add("chatty", 1, 0);
	quiet[0] = add("quiet", 1, 1);
	quiet[1] = add("quiet", 2, 1);
	fill(chatty, &said);
	turn();
	assert_true(console.sink.full);
	say(quiet[0], "first\n");
	say(quiet[1], "second\n");
	while (!strstr(shown, "| second") || !strstr(shown, "| first")) {
		assert_true(rounds++ < 100);
		fill(chatty, &said);
		turn();
		read_shown(4096);
	}
	close(chatty);
	close(quiet[0]);
	close(quiet[1]);
}

static void the_end_of_a_service_does_not_wait_for_the_reader(void **state)
{
	struct berth_log_stream *stream;
	unsigned int said[SOURCES] = { 0 };
	const struct berth_console_source *source;
	int fd;

	(void)state;
	open_pipe((struct berth_console_spec){ .names = true });
	source = berth_console_add(&console, "api1000", 1, 0);
	stream = add_stream(source, false, &fd);
	fill(fd, &said[0]);
	turn();
	fill(fd, &said[0]);
	close(fd);
	berth_log_finish_stream(stream);
	assert_null(log_.streams);
	drain();
	check_counts(said);
}

static void what_nobody_takes_is_counted_in_the_end(void **state)
{
	static const char newlines[32768] = "";
	char text[sizeof(newlines)];
	unsigned long missing = 0;
	size_t lines = 0;
	int fd;

	(void)state;
	memset(text, '\n', sizeof(text));
	open_pipe((struct berth_console_spec){ .json = true });
	for (int life = 0; life < 8; life++) {
		struct berth_log_stream *stream =
			add_stream(berth_console_add(&console, "api", 1, 0), false, &fd);

		assert_int_equal(write(fd, text, sizeof(text)), sizeof(text));
		close(fd);
		berth_log_finish_stream(stream);
	}
	assert_true(console.left_out > 0);
	assert_true(console.queue.len - console.queue_at < BERTH_CONSOLE_HELD_MAX + 1024);
	missing = console.left_out;
	do {
		shown_len = 0;
		read_shown(SHOWN_SIZE);
		for (size_t i = 0; i < shown_len; i++)
			lines += shown[i] == '\n';
		turn();
	} while (is_ready(reader, POLLIN));
	assert_int_equal(lines + missing, 8 * sizeof(text) + 1);
	assert_non_null(strstr(shown, "lines are missing here"));
}

static void a_reader_that_has_gone_stops_nobody(void **state)
{
	unsigned int said = 0;
	int api, web;

	(void)state;
	open_pipe((struct berth_console_spec){ .names = true });
	api = add("api", 1, 0);
	web = add("web", 1, 0);
	fill(api, &said);
	turn();
	assert_true(console.sink.full);
	say(web, "waits\n");
	turn();
	assert_false(berth_console_is_gone(&console));
	close(reader);
	reader = -1;
	turn();
	assert_true(berth_console_is_gone(&console));
	for (int i = 0; i < 3; i++) {
		fill(api, &said);
		turn();
	}
	assert_true(is_ready(api, POLLOUT));
	berth_console_say(&console, NULL, "nobody hears it");
	berth_console_status(&console, "nor sees it");
	close(api);
	close(web);
}

static void the_log_has_it_too(void **state)
{
	int api;

	(void)state;
	open_pipe((struct berth_console_spec){ .names = true });
	api = add("api", 1, 0);
	say(api, "one\n\033[31mtwo\n");
	turn();
	assert_log("one\n\033[31mtwo\n");
	close(api);
}

static void without_an_output_nothing_is_shown(void **state)
{
	unsigned int said = 0;
	int api;

	(void)state;
	berth_console_init(&console, &loop, &(struct berth_console_spec){ .fd = -1 });
	api = add("api", 1, 0);
	fill(api, &said);
	turn();
	assert_true(is_ready(api, POLLOUT));
	assert_false(berth_console_is_gone(&console));
	berth_console_say(&console, NULL, "unheard");
	close(api);
}

static void a_zeroed_one_shows_nothing(void **state)
{
	int api;

	(void)state;
	assert_null(berth_console_add(&console, "api", 1, 0));
	add_stream(NULL, false, &api);
	say(api, "one\n");
	turn();
	berth_console_say(&console, NULL, "unheard");
	berth_console_status(&console, "unseen");
	assert_log("one\n");
	close(api);
}

/* What is shown in a file does not wait, and stands behind what was there. */
static void a_file_takes_everything(void **state)
{
	char path[160], text[64] = "";
	int api, fd;

	(void)state;
	snprintf(path, sizeof(path), "%s/out", top);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	say(fd, "before\n");
	berth_console_init(&console, &loop, &(struct berth_console_spec){ .fd = fd });
	api = add("api", 1, 0);
	say(api, "one\n");
	turn();
	say(fd, "after\n");
	assert_int_equal(pread(fd, text, sizeof(text) - 1, 0), 17);
	assert_string_equal(text, "before\none\nafter\n");
	close(fd);
	close(api);
}

static void a_slow_reader_has_the_last_words(void **state)
{
	unsigned int said = 0;
	int api, status;
	pid_t pid;

	(void)state;
	open_pipe((struct berth_console_spec){ .names = true });
	api = add("api", 1, 0);
	fill(api, &said);
	turn();
	close(api);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		char text[4096];
		unsigned int lines = 0;
		ssize_t n;

		fcntl(reader, F_SETFL, 0);
		berth_fd_close(&console.fd);
		while ((n = read(reader, text, sizeof(text))) > 0)
			for (ssize_t i = 0; i < n; i++)
				lines += text[i] == '\n';
		_exit(lines == said ? 0 : 1);
	}
	berth_log_close(&log_);
	berth_console_deinit(&console);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

/* --- terminals --- */

static void a_terminal_is_not_at_the_mercy_of_a_service(void **state)
{
	int api;

	(void)state;
	open_terminal(80, true);
	api = add("api", 1, 0);
	say(api, "10%\r20%\n\033[2J\033[31mred\nnul\a\xff\n");
	assert_string_equal(show(), "20%\n\033[31mred\033[0m\nnul\\x07\\xff\n");
	close(api);
}

static void the_status_line_stays_below_all_others(void **state)
{
	int api;

	(void)state;
	open_terminal(80, false);
	api = add("api", 1, 0);
	berth_console_status(&console, "waiting: web");
	assert_string_equal(show(), "waiting: web");
	say(api, "one\ntwo\n");
	assert_string_equal(show(), "\r\033[Kone\ntwo\nwaiting: web");
	berth_console_say(&console, NULL, "own");
	assert_string_equal(show(), "\r\033[Kberth: own\nwaiting: web");
	berth_console_status(&console, "waiting: web");
	assert_string_equal(show(), "");
	berth_console_status(&console, "waiting: api");
	assert_string_equal(show(), "\r\033[Kwaiting: api");
	berth_console_status(&console, NULL);
	assert_string_equal(show(), "\r\033[K");
	berth_console_status(&console, "");
	say(api, "three\n");
	assert_string_equal(show(), "three\n");
	close(api);
}

static void the_status_line_is_dim_and_erased_at_the_end(void **state)
{
	(void)state;
	open_terminal(80, true);
	berth_console_status(&console, "waiting");
	assert_string_equal(show(), "\033[2mwaiting\033[0m");
	berth_console_deinit(&console);
	read_shown(100);
	assert_string_equal(shown, "\r\033[K");
}

static void the_status_line_fits_into_the_terminal(void **state)
{
	static const struct {
		unsigned short columns;
		const char *text, *shown;
	} rows[] = {
		{ 10, "123456789", "123456789" }, /* the last column would wrap */
		{ 10, "1234567890", "123456..." },
		{ 10, "12345678901", "123456..." },
		{ 4, "12345", "123" },
		{ 1, "12345", "" },
		{ 80, "a\033[2Jb\n", "a\\e[2Jb\\n" },
	};
	struct winsize window = { .ws_row = 5 };

	(void)state;
	open_terminal(80, false);
	for (size_t i = 0; i < BERTH_ARRAY_SIZE(rows); i++) {
		window.ws_col = rows[i].columns;
		assert_int_equal(ioctl(reader, TIOCSWINSZ, &window), 0);
		berth_console_status(&console, rows[i].text);
		assert_string_equal(show(), rows[i].shown);
		berth_console_status(&console, NULL);
		show();
	}
	/* The same text again, after the terminal has changed. */
	berth_console_status(&console, "1234567890");
	assert_string_equal(show(), "1234567890");
	window.ws_col = 10;
	assert_int_equal(ioctl(reader, TIOCSWINSZ, &window), 0);
	berth_console_status(&console, "1234567890");
	assert_string_equal(show(), "\r\033[K123456...");
}

static void a_pipe_has_no_status_line(void **state)
{
	(void)state;
	open_pipe((struct berth_console_spec){ .live = true });
	berth_console_status(&console, "waiting");
	assert_string_equal(show(), "");
}

/* Ctrl-S: the terminal takes nothing, until Ctrl-Q. */
static void a_stopped_terminal_stops_only_the_services(void **state)
{
	unsigned int said = 0;
	int api, slave, rounds = 0;

	(void)state;
	open_terminal(80, false);
	slave = console.fd;
	api = add("api", 1, 0);
	assert_int_equal(tcflow(slave, TCOOFF), 0);
	say(api, "one\n");
	turn();
	assert_true(console.sink.full);
	fill(api, &said);
	turn();
	assert_false(is_ready(api, POLLOUT));
	for (int i = 0; i < 1000; i++) {
		char text[32];

		snprintf(text, sizeof(text), "waiting %d s", i);
		berth_console_status(&console, text);
	}
	assert_true(console.queue.len < 1000);
	assert_string_equal(show(), "");
	assert_int_equal(tcflow(slave, TCOON), 0);
	while (!strstr(show(), "waiting 999 s"))
		assert_true(rounds++ < 1000);
	close(api);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(whole_lines_have_their_name_in_front),
		TEST(colours_end_where_the_name_and_the_line_do),
		TEST(the_last_line_needs_no_newline),
		TEST(without_names_there_is_the_text_alone),
		TEST(documents_are_those_of_berth_logs),
		TEST(a_long_line_is_one_line_unless_somebody_speaks_in_between),
		TEST(a_hundred_services_wait_for_one_slow_reader),
		TEST(a_chatty_service_leaves_the_others_their_turn),
		TEST(the_end_of_a_service_does_not_wait_for_the_reader),
		TEST(what_nobody_takes_is_counted_in_the_end),
		TEST(a_reader_that_has_gone_stops_nobody),
		TEST(the_log_has_it_too),
		TEST(without_an_output_nothing_is_shown),
		TEST(a_zeroed_one_shows_nothing),
		TEST(a_file_takes_everything),
		TEST(a_slow_reader_has_the_last_words),
		TEST(a_terminal_is_not_at_the_mercy_of_a_service),
		TEST(the_status_line_stays_below_all_others),
		TEST(the_status_line_is_dim_and_erased_at_the_end),
		TEST(the_status_line_fits_into_the_terminal),
		TEST(a_pipe_has_no_status_line),
		TEST(a_stopped_terminal_stops_only_the_services),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
