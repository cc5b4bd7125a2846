/* SPDX-License-Identifier: MIT */
/* unit/cli/test-out.c - what is printed where, and what happens when it can't be */
#include <errno.h>
#include <fcntl.h>
#include <pty.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cmocka.h>

#include "cli/out.h"

/* An output into memory. */
struct captured {
	struct berth_out out;
	char *results, *messages;
	size_t results_size, messages_size;
};

static void capture(struct captured *c)
{
	*c = (struct captured){ 0 };
	c->out.results = open_memstream(&c->results, &c->results_size);
	c->out.messages = open_memstream(&c->messages, &c->messages_size);
	assert_non_null(c->out.results);
	assert_non_null(c->out.messages);
}

static void assert_captured(struct captured *c, const char *results, const char *messages)
{
	fclose(c->out.results);
	fclose(c->out.messages);
	assert_string_equal(c->results, results);
	assert_string_equal(c->messages, messages);
	free(c->results);
	free(c->messages);
	berth_out_deinit(&c->out);
}

static const struct berth_err taken = {
	.code = BERTH_ERR_NO_PORT,
	.msg = "no port for 'w\033[31meb'",
	.hint = "add --any",
};

static void results_and_messages_go_apart(void **state)
{
	struct captured c;

	capture(&c);
	berth_out_say(&c.out, "started %s", "web");
	berth_out_result(&c.out, "%d\n", 5173);
	berth_out_hint(&c.out, "use it");
	berth_out_verbose(&c.out, "not said");
	c.out.verbose = 1;
	berth_out_verbose(&c.out, "said");
	assert_int_equal(berth_out_finish(&c.out, 3), 3);
	assert_captured(&c, "5173\n", "berth: started web\nhint: use it\nberth: said\n");
}

static void messages_keep_their_place_between_results(void **state)
{
	struct captured c;
	FILE *messages;

	capture(&c);
	messages = c.out.messages;
	c.out.messages = fopen("/dev/null", "w");
	berth_out_result(&c.out, "first");
	assert_int_equal(c.results_size, 0); /* still in the buffer */
	berth_out_say(&c.out, "second");
	assert_string_equal(c.results, "first");
	fclose(c.out.messages);
	c.out.messages = messages;
	assert_captured(&c, "first", "");
}

static void quiet_leaves_errors(void **state)
{
	struct captured c;

	capture(&c);
	c.out.quiet = true;
	berth_out_say(&c.out, "started");
	berth_out_hint(&c.out, "use it");
	berth_out_error(&c.out, &taken, 75);
	assert_captured(&c, "", "berth: no port for 'w\\e[31meb'\n");
}

static void an_error_has_its_hint(void **state)
{
	struct captured c;

	capture(&c);
	berth_out_error(&c.out, &taken, 75);
	assert_captured(&c, "", "berth: no port for 'w\\e[31meb'\nhint: add --any\n");
}

static void an_error_is_one_document_with_json(void **state)
{
	struct captured c;

	capture(&c);
	c.out.json = true;
	berth_out_error(&c.out, &taken, 75);
	assert_captured(&c,
			"{\"version\":1,\"error\":{\"code\":\"no-port\",\"exit\":75,"
			"\"message\":\"no port for 'w\\u001B[31meb'\",\"hint\":\"add --any\"}}\n",
			"");
}

static void an_error_document_carries_what_was_added(void **state)
{
	const struct berth_err err = { .code = BERTH_ERR_ALREADY_RUNNING, .msg = "m" };
	struct captured c;

	capture(&c);
	c.out.json = true;
	berth_out_error_extra(&c.out, "service", json_string("old"));
	berth_out_error_extra(&c.out, "service", json_string("web"));
	berth_out_error(&c.out, &err, 4);
	assert_captured(&c,
			"{\"version\":1,\"error\":{\"code\":\"already-running\",\"exit\":4,"
			"\"message\":\"m\",\"hint\":null,\"service\":\"web\"}}\n",
			"");
}

static void long_messages_are_cut_and_not_overrun(void **state)
{
	struct captured c;
	char *text = malloc(100000);

	assert_non_null(text);
	memset(text, 'x', 99999);
	text[99999] = '\0';
	capture(&c);
	berth_out_say(&c.out, "%s", text);
	fflush(c.out.messages);
	assert_in_range(c.messages_size, 4000, 5000);
	assert_int_equal(c.messages[c.messages_size - 1], '\n');
	fclose(c.out.results);
	fclose(c.out.messages);
	free(c.results);
	free(c.messages);
	free(text);
}

static void a_full_disk_is_a_failure(void **state)
{
	FILE *full = fopen("/dev/full", "w");
	struct captured c;

	if (!full) {
		print_message("no /dev/full\n");
		skip();
	}
	for (int early = 0; early < 2; early++) {
		FILE *memory;

		capture(&c);
		memory = c.out.results;
		c.out.results = full;
		berth_out_result(&c.out, "x");
		if (early)
			berth_out_say(&c.out, "flushes");
		assert_int_equal(berth_out_finish(&c.out, 0), 1);
		c.out.results = memory;
		assert_captured(
			&c, "",
			early ? "berth: flushes\n"
				"berth: cannot write the results: No space left on device\n"
			      : "berth: cannot write the results: No space left on device\n");
		clearerr(full);
	}
	fclose(full);
}

static void a_reader_that_has_gone_is_a_silent_failure(void **state)
{
	struct captured c;
	FILE *memory, *file;
	int ends[2];

	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	close(ends[0]);
	signal(SIGPIPE, SIG_IGN);
	capture(&c);
	memory = c.out.results;
	file = c.out.results = fdopen(ends[1], "w");
	berth_out_result(&c.out, "x");
	assert_int_equal(berth_out_finish(&c.out, 0), 1);
	c.out.results = memory;
	assert_captured(&c, "", "");
	fclose(file);
	signal(SIGPIPE, SIG_DFL);
}

static void the_first_failure_keeps_the_exit_code(void **state)
{
	struct captured c;

	capture(&c);
	c.out.write_errno = ENOSPC;
	assert_int_equal(berth_out_finish(&c.out, 75), 75);
	assert_captured(&c, "", "berth: cannot write the results: No space left on device\n");
}

/* ---- terminals ---- */

struct terminal {
	int master;
	FILE *file;
};

static void open_terminal(struct terminal *terminal, unsigned short columns)
{
	struct winsize size = { .ws_row = 24, .ws_col = columns };
	int slave;

	assert_int_equal(openpty(&terminal->master, &slave, NULL, NULL, &size), 0);
	terminal->file = fdopen(slave, "w");
	assert_non_null(terminal->file);
}

static void close_terminal(struct terminal *terminal)
{
	fclose(terminal->file);
	close(terminal->master);
}

static void colours_need_a_terminal_that_wants_them(void **state)
{
	enum {
		AUTO = BERTH_SETTINGS_COLOUR_AUTO,
		ALWAYS = BERTH_SETTINGS_COLOUR_ALWAYS,
		NEVER = BERTH_SETTINGS_COLOUR_NEVER,
	};
	static const struct {
		const char *term, *no_color;
		bool option, terminal;
		unsigned int settled;
		bool colored;
	} cases[] = {
		{ "xterm", NULL, false, true, AUTO, true },
		{ "xterm", "", false, true, AUTO, true },
		{ "xterm", "1", false, true, AUTO, false },
		{ "xterm", NULL, true, true, AUTO, false },
		{ "dumb", NULL, false, true, AUTO, false },
		{ NULL, NULL, false, true, AUTO, false },
		{ "xterm", NULL, false, false, AUTO, false },
		/* What the user has settled goes before NO_COLOR (no-color.org), an option before both. */
		{ "xterm", NULL, false, true, NEVER, false },
		{ "xterm", NULL, false, false, ALWAYS, true },
		{ NULL, "1", false, true, ALWAYS, true },
		{ "xterm", NULL, true, true, ALWAYS, false },
	};
	struct terminal terminal;
	struct captured c;

	open_terminal(&terminal, 90);
	capture(&c);
	for (size_t i = 0; i < BERTH_ARRAY_SIZE(cases); i++) {
		FILE *file = cases[i].terminal ? terminal.file : fopen("/dev/null", "w");
		struct berth_out_options options = {
			.no_color = cases[i].option,
			.colour = (enum berth_settings_colour)cases[i].settled,
		};
		struct berth_out out;

		unsetenv("TERM");
		unsetenv("NO_COLOR");
		if (cases[i].term)
			setenv("TERM", cases[i].term, 1);
		if (cases[i].no_color)
			setenv("NO_COLOR", cases[i].no_color, 1);
		berth_out_init(&out, file, file, &options);
		assert_int_equal(out.terminal, cases[i].terminal);
		assert_int_equal(out.color, cases[i].colored);
		assert_int_equal(out.messages_color, cases[i].colored);
		assert_string_equal(berth_out_tone(&out, BERTH_TONE_BAD),
				    cases[i].colored ? "\033[31m" : "");
		if (!cases[i].terminal)
			fclose(file);
	}
	close_terminal(&terminal);
	assert_captured(&c, "", "");
}

static void the_width_is_that_of_the_terminal(void **state)
{
	static const struct {
		const char *columns;
		unsigned short terminal;
		unsigned int width, text_width;
	} cases[] = {
		{ NULL, 90, 90, 90 },	 { "70", 90, 70, 70 },		{ "", 90, 90, 90 },
		{ "x", 90, 90, 90 },	 { "0", 90, 90, 90 },		{ "-5", 90, 90, 90 },
		{ "10", 90, 40, 40 },	 { NULL, 0, 80, 80 },		{ NULL, 20, 40, 40 },
		{ NULL, 200, 200, 100 }, { "99999999999", 90, 90, 90 },
	};

	for (size_t i = 0; i < BERTH_ARRAY_SIZE(cases); i++) {
		const struct berth_out_options options = { 0 };
		struct terminal terminal;
		struct berth_out out;

		unsetenv("COLUMNS");
		if (cases[i].columns)
			setenv("COLUMNS", cases[i].columns, 1);
		open_terminal(&terminal, cases[i].terminal);
		berth_out_init(&out, terminal.file, terminal.file, &options);
		assert_int_equal(out.width, cases[i].width);
		assert_int_equal(berth_out_text_width(&out), cases[i].text_width);
		close_terminal(&terminal);
	}
}

static void a_file_has_no_width(void **state)
{
	const struct berth_out_options options = { 0 };
	FILE *null = fopen("/dev/null", "w");
	struct berth_out out;

	setenv("COLUMNS", "60", 1);
	berth_out_init(&out, null, null, &options);
	assert_int_equal(out.width, 0);
	assert_int_equal(berth_out_text_width(&out), 80);
	fclose(null);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(results_and_messages_go_apart),
		cmocka_unit_test(messages_keep_their_place_between_results),
		cmocka_unit_test(quiet_leaves_errors),
		cmocka_unit_test(an_error_has_its_hint),
		cmocka_unit_test(an_error_is_one_document_with_json),
		cmocka_unit_test(an_error_document_carries_what_was_added),
		cmocka_unit_test(long_messages_are_cut_and_not_overrun),
		cmocka_unit_test(a_full_disk_is_a_failure),
		cmocka_unit_test(a_reader_that_has_gone_is_a_silent_failure),
		cmocka_unit_test(the_first_failure_keeps_the_exit_code),
		cmocka_unit_test(colours_need_a_terminal_that_wants_them),
		cmocka_unit_test(the_width_is_that_of_the_terminal),
		cmocka_unit_test(a_file_has_no_width),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
