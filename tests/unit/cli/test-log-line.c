/* SPDX-License-Identifier: MIT */
/* unit/cli/test-log-line.c - a line of a log does nothing to a terminal, and is whole for a program */
#include "cli/log-line.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

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
		ROW("10%\r20%", "10%\\r20%", "10%\\r20%"),
		ROW("\033[31mred\033[0m", "\033[31mred\033[0m\033[0m", "red"),
		ROW("\033[38;5;1;4:3mx", "\033[38;5;1;4:3mx\033[0m", "x"),
		ROW("\033[m", "\033[m\033[0m", ""),
		ROW("\033[2J", "\\e[2J", "\\e[2J"),
		ROW("\033]0;title\007", "\\e]0;title\\x07", "\\e]0;title\\x07"),
		ROW("\033[31", "\\e[31", "\\e[31"),
		ROW("\033", "\\e", "\\e"),
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
		cmocka_unit_test(a_program_is_given_all_members),
		cmocka_unit_test(since_is_a_duration_or_a_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
