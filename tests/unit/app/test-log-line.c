/* SPDX-License-Identifier: MIT */
/* unit/app/test-log-line.c - a line of a log does nothing to a terminal, and is whole for a program */
#include "app/log-line.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

static void a_terminal_is_shown_colours_and_nothing_else_that_it_acts_on(void **state)
{
	static const struct {
		const char *text;
		size_t len;
		const char *colored, *plain;
	} rows[] = {
#define ROW(text, colored, plain) { text, sizeof(text) - 1, colored, plain }
		ROW("", "", ""),
		ROW("plain \xc3\xbc", "plain \xc3\xbc", "plain \xc3\xbc"),
		ROW("a\tb", "a\tb", "a\tb"),
		ROW("\t", "\t", "\t"),
		ROW("windows\r", "windows", "windows"),
		ROW("\r", "", ""),
		ROW("windows\r\r", "windows", "windows"),
		/* What a terminal would have at the end. */
		ROW("10%\r20%", "20%", "20%"),
		ROW("\t10%\r\r\033[K", "", ""),
		ROW("\033[31m10%\r20%\033[0m", "\033[31m20%\033[0m\033[0m", "20%"),
		ROW("a\033]0;\rtitle\007b", "b", "b"),
		ROW("\033[31mred\033[0m", "\033[31mred\033[0m\033[0m", "red"),
		ROW("\033[38;5;1;4:3mx", "\033[38;5;1;4:3mx\033[0m", "x"),
		ROW("\033[m", "\033[m\033[0m", ""),
		/* grep and gcc, tput sgr0, tsc --watch, a link */
		ROW("\033[01;31m\033[Kx\033[m\033[K", "\033[01;31mx\033[m\033[0m", "x"),
		ROW("\033(B\033[m", "\033[m\033[0m", ""),
		ROW("\033cStarting", "Starting", "Starting"),
		ROW("\033]8;;http://x\033\\x\033]8;;\033\\", "x", "x"),
		ROW("\033[2J\033[1;1H\033[?25l\033[>4;2m\033[1 q", "", ""),
		ROW("\033]0;title\007x", "x", "x"),
		ROW("\033P1$r\033\\x", "x", "x"),
		/* not whole */
		ROW("\033]0;title", "\\e]0;title", "\\e]0;title"),
		ROW("\033]0;ti\033[31mtle", "\\e]0;ti\033[31mtle\033[0m", "\\e]0;title"),
		ROW("\033[31", "\\e[31", "\\e[31"),
		ROW("\033[", "\\e[", "\\e["),
		ROW("\033[31\xc3\xbc", "\\e[31\xc3\xbc", "\\e[31\xc3\xbc"),
		ROW("\033", "\\e", "\\e"),
		ROW("\033\033[mx", "\\e\033[mx\033[0m", "\\ex"),
		ROW("\b\a", "\\x08\\x07", "\\x08\\x07"),
		/* a warning sign with its selector, a joined picture; but no other direction */
		ROW("\xe2\x9a\xa0\xef\xb8\x8f!", "\xe2\x9a\xa0\xef\xb8\x8f!",
		    "\xe2\x9a\xa0\xef\xb8\x8f!"),
		ROW("a\xe2\x80\x8d\xe2\x80\xae", "a\xe2\x80\x8d\\xe2\\x80\\xae",
		    "a\xe2\x80\x8d\\xe2\\x80\\xae"),
		ROW("nul \0 in", "nul \\x00 in", "nul \\x00 in"),
		ROW("\xff\xc2\x9b", "\\xff\\xc2\\x9b", "\\xff\\xc2\\x9b"),
#undef ROW
	};

	(void)state;
	for (size_t i = 0; i < BERTH_ARRAY_SIZE(rows); i++) {
		for (int color = 0; color < 2; color++) {
			struct berth_str str = { 0 };

			berth_log_line_terminal(rows[i].text, rows[i].len, color, &str);
			assert_string_equal(berth_str_text(&str),
					    color ? rows[i].colored : rows[i].plain);
			berth_str_deinit(&str);
		}
	}
}

static void a_program_is_given_all_members(void **state)
{
	struct berth_log_entry entry = { .at_ms = 1795253400123,
					 .worker = 2,
					 .is_stderr = true,
					 .continued = true,
					 .text = "a\0b \xff",
					 .len = 5 };
	json_t *document = berth_log_line_document(&entry, "api", 3);
	char *line = berth_json_line(document);

	(void)state;
	assert_string_equal(line, "{\"version\":1,\"at\":\"2026-11-21T09:30:00.123Z\","
				  "\"service\":\"api\",\"instance\":3,\"worker\":2,"
				  "\"stream\":\"stderr\",\"text\":\"a\\u0000b \xef\xbf\xbd\"}");
	free(line);
	json_decref(document);
	entry = (struct berth_log_entry){ .text = "" };
	document = berth_log_line_document(&entry, "api", 1);
	assert_true(json_is_null(json_object_get(document, "at")));
	assert_int_equal(berth_json_int(document, "worker", 0), 1);
	assert_string_equal(berth_json_string(document, "stream", ""), "stdout");
	assert_string_equal(berth_json_string(document, "text", "?"), "");
	json_decref(document);
	entry.is_own = true;
	document = berth_log_line_document(&entry, NULL, 0);
	assert_true(json_is_null(json_object_get(document, "service")));
	assert_true(json_is_null(json_object_get(document, "instance")));
	assert_true(json_is_null(json_object_get(document, "worker")));
	assert_string_equal(berth_json_string(document, "stream", ""), "berth");
	json_decref(document);
}

/* What @writer makes of "text", said at 09:30:00.123. */
static const char *head(struct berth_log_line_writer *writer, const char *name, bool is_own)
{
	static char shown[256];
	const struct berth_log_line_source source = { .name = name, .tint = 13 };
	const struct berth_log_entry entry = {
		.at_ms = 1795253400123, .is_own = is_own, .text = "text", .len = 4
	};
	struct berth_str str = { 0 };

	berth_log_line_add(writer, &source, &entry, &str);
	snprintf(shown, sizeof(shown), "%s", berth_str_text(&str));
	berth_str_deinit(&str);
	return shown;
}

static void a_line_has_in_front_of_it_what_is_wanted(void **state)
{
#define STAMP "2026-11-21T09:30:00.123Z"
	static const struct {
		bool names, stamps, color, is_own;
		const char *name, *shown;
	} rows[] = {
		{ false, false, false, false, "api.1", "text\n" },
		{ false, false, true, false, "api.1", "text\n" },
		{ false, false, false, true, "api.1", "berth: text\n" },
		{ false, false, true, true, NULL, "\033[2mberth:\033[0m text\n" },
		{ false, true, false, false, "api.1", STAMP " text\n" },
		{ false, true, true, false, "api.1", "\033[2m" STAMP "\033[0m text\n" },
		{ false, true, false, true, "api.1", STAMP " berth: text\n" },
		{ true, false, false, false, "api.1", "09:30:00 api.1    | text\n" },
		{ true, false, false, false, "worker.12", "09:30:00 worker.12 | text\n" },
		/* The second of the 12 colours. */
		{ true, false, true, false, "api.1", "\033[33m09:30:00 api.1    | \033[0mtext\n" },
		{ true, false, false, true, "api.1", "09:30:00 api.1    | berth: text\n" },
		{ true, false, false, true, NULL, "09:30:00 berth    | text\n" },
		{ true, false, true, true, NULL, "09:30:00 berth    | text\n" },
		{ true, true, false, false, "api.1", STAMP " api.1    | text\n" },
	};
#undef STAMP

	(void)state;
	for (size_t i = 0; i < BERTH_ARRAY_SIZE(rows); i++) {
		struct berth_log_line_writer writer = { .names = rows[i].names,
							.stamps = rows[i].stamps,
							.color = rows[i].color,
							.width = 8 };

		assert_string_equal(head(&writer, rows[i].name, rows[i].is_own), rows[i].shown);
	}
}

static void colours_are_foremans_in_its_order(void **state)
{
	static const int codes[] = { 36, 33, 32, 35, 31, 34, 96, 93, 92, 95, 91, 94, 36 };
	const struct berth_log_entry entry = { .at_ms = 1795253400123, .text = "" };

	(void)state;
	for (unsigned int i = 0; i < BERTH_ARRAY_SIZE(codes); i++) {
		struct berth_log_line_writer writer = { .names = true, .color = true };
		const struct berth_log_line_source source = { .name = "a.1", .tint = i };
		struct berth_str str = { 0 }, wanted = { 0 };

		berth_log_line_add(&writer, &source, &entry, &str);
		berth_str_addf(&wanted, "\033[%dm09:30:00 a.1 | \033[0m\n", codes[i]);
		assert_string_equal(berth_str_text(&str), berth_str_text(&wanted));
		berth_str_deinit(&str);
		berth_str_deinit(&wanted);
	}
}

static void a_line_without_a_time_is_as_wide_as_others(void **state)
{
	struct berth_log_line_writer writer = { .names = true };
	const struct berth_log_line_source source = { .name = "a.1" };
	const struct berth_log_entry entry = { .text = "text", .len = 4 };
	struct berth_str str = { 0 };

	(void)state;
	berth_log_line_add(&writer, &source, &entry, &str);
	writer.names = false;
	writer.stamps = true;
	berth_log_line_add(&writer, &source, &entry, &str);
	assert_string_equal(berth_str_text(&str), "         a.1 | text\ntext\n");
	berth_str_deinit(&str);
}

/* "A+" is a piece of A that goes on; the second letter is the worker, or e for its standard error. */
static void pieces_are_one_line_unless_somebody_speaks_in_between(void **state)
{
	static const struct {
		const char *said[6];
		const char *shown;
	} rows[] = {
		{ { "A+one", "A+two", "A three" }, "A | onetwothree\n" },
		{ { "A+one", "B two", "A three" }, "A | one\nB | two\nA | three\n" },
		{ { "A+one", "B+two", "A+three", "B four" },
		  "A | one\nB | two\nA | three\nB | four\n" },
		{ { "A+one", "Aetwo", "A three" }, "A | one\nA | two\nA | three\n" },
		{ { "A+one", "A2two", "A three" }, "A | one\nA | two\nA | three\n" },
		{ { "A+one", "Abtwo", "A three" }, "A | one\nA | berth: two\nA | three\n" },
		{ { "A+one" }, "A | one\n" },
	};
	static const struct berth_log_line_source a = { .name = "A" }, b = { .name = "B" };

	(void)state;
	for (size_t i = 0; i < BERTH_ARRAY_SIZE(rows); i++) {
		struct berth_log_line_writer writer = { .names = true };
		struct berth_str str = { 0 }, shown = { 0 };
		const char *line;

		for (size_t j = 0; j < 6 && rows[i].said[j]; j++) {
			const char *said = rows[i].said[j];
			const struct berth_log_entry entry = { .worker = said[1] == '2' ? 2 : 0,
							       .is_stderr = said[1] == 'e',
							       .is_own = said[1] == 'b',
							       .continued = said[1] == '+',
							       .text = said + 2,
							       .len = strlen(said + 2) };

			berth_log_line_add(&writer, *said == 'A' ? &a : &b, &entry, &str);
		}
		berth_log_line_end(&writer, &str);
		/* without the blanks in place of a time */
		for (line = berth_str_text(&str); *line; line = strchr(line, '\n') + 1)
			berth_str_add_bytes(&shown, line + 9,
					    (size_t)(strchr(line, '\n') + 1 - line - 9));
		assert_string_equal(berth_str_text(&shown), rows[i].shown);
		berth_str_deinit(&str);
		berth_str_deinit(&shown);
	}
}

static void a_pipe_is_given_the_bytes_as_they_are(void **state)
{
	static const char text[] = "\033[31mnul \0 \xff\r";
	struct berth_log_line_writer writer = { 0 };
	const struct berth_log_line_source source = { .name = "a.1" };
	const struct berth_log_entry entry = { .text = text, .len = sizeof(text) - 1 };
	struct berth_str str = { 0 };

	(void)state;
	berth_log_line_add(&writer, &source, &entry, &str);
	assert_int_equal(str.len, sizeof(text));
	assert_memory_equal(str.text, "\033[31mnul \0 \xff\r\n", str.len);
	str.len = 0;
	writer.color = true;
	berth_log_line_add(&writer, &source, &entry, &str);
	assert_memory_equal(str.text, "\033[31mnul \0 \xff\r\033[0m\n", str.len);
	berth_str_deinit(&str);
}

static void since_is_a_duration_or_a_time(void **state)
{
	static const int64_t now = 1795253400123; /* 2026-11-21T09:30:00.123Z */
	static const struct {
		const char *text;
		int r;
		int64_t ms;
	} rows[] = {
		{ "10m", 0, 1795253400123 - 600000 },
		{ "90", 0, 1795253400123 - 90000 },
		{ "0s", 0, 1795253400123 },
		{ "2026-11-21T09:30:00.123Z", 0, 1795253400123 },
		{ "2026-11-21T09:30:00Z", 0, 1795253400000 },
		{ "2026-11-21 09:30:00z", 0, 1795253400000 },
		{ "2026-11-21T09:30:00.5Z", 0, 1795253400500 },
		{ "2026-11-21T09:30:00.123456789Z", 0, 1795253400123 },
		{ "2026-11-21T10:30:00+01:00", 0, 1795253400000 },
		{ "2026-11-21T08:00:00.123-01:30", 0, 1795253400123 },
		{ "2026-11-21T09:30:00", -EINVAL, 0 },
		{ "2026-11-21T09:30:00.Z", -EINVAL, 0 },
		{ "2026-11-21T09:30:00+1:00", -EINVAL, 0 },
		{ "2026-11-21T09:30:00+24:00", -EINVAL, 0 },
		{ "2026-02-30T09:30:00Z", -EINVAL, 0 },
		{ "2026-11-21", -EINVAL, 0 },
		{ "yesterday", -EINVAL, 0 },
		{ "", -EINVAL, 0 },
		{ "9999d", -ERANGE, 0 },
	};

	(void)state;
	for (size_t i = 0; i < BERTH_ARRAY_SIZE(rows); i++) {
		int64_t ms = -1;

		assert_int_equal(berth_log_line_parse_since(rows[i].text, now, &ms), rows[i].r);
		assert_int_equal(ms, rows[i].r ? -1 : rows[i].ms);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_terminal_is_shown_colours_and_nothing_else_that_it_acts_on),
		cmocka_unit_test(a_line_has_in_front_of_it_what_is_wanted),
		cmocka_unit_test(colours_are_foremans_in_its_order),
		cmocka_unit_test(a_line_without_a_time_is_as_wide_as_others),
		cmocka_unit_test(pieces_are_one_line_unless_somebody_speaks_in_between),
		cmocka_unit_test(a_pipe_is_given_the_bytes_as_they_are),
		cmocka_unit_test(a_program_is_given_all_members),
		cmocka_unit_test(since_is_a_duration_or_a_time),
	};

	setenv("TZ", "UTC0", 1);
	tzset();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
