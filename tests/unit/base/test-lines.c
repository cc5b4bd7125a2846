/* SPDX-License-Identifier: MIT */
/* unit/base/test-lines.c - however the bytes come, the lines are the same */
#include "base/lines.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/str.h"

/* What has come, each line as "text$", each piece as "text+". */
static struct berth_str got;
static size_t longest;

static void take(const char *text, size_t len, bool continued, void *arg)
{
	assert_ptr_equal(arg, &got);
	berth_str_add_bytes(&got, text, len);
	berth_str_add(&got, continued ? "+" : "$");
	if (len > longest)
		longest = len;
}

static const struct berth_lines_sink sink = { .fn = take, .arg = &got };

static int tear_down(void **state)
{
	(void)state;
	berth_str_deinit(&got);
	longest = 0;
	return 0;
}

static void assert_got(const char *wanted, size_t len)
{
	assert_int_equal(got.len, len);
	assert_memory_equal(got.len ? got.text : "", wanted, len);
}

static void the_lines_are_the_same_however_the_bytes_come(void **state)
{
	static const struct {
		const char *bytes;
		size_t len;
		const char *wanted;
		size_t wanted_len;
	} rows[] = {
#define ROW(bytes, wanted) { bytes, sizeof(bytes) - 1, wanted, sizeof(wanted) - 1 }
		ROW("", ""),
		ROW("\n", "$"),
		ROW("\n\n", "$$"),
		ROW("one\n", "one$"),
		ROW("one\ntwo\nthree\n", "one$two$three$"),
		ROW("no last newline", "no last newline$"),
		ROW("one\nrest", "one$rest$"),
		ROW("nul \0 inside\n\0\n", "nul \0 inside$\0$"),
		ROW("crlf\r\n\xff\xfe\n", "crlf\r$\xff\xfe$"),
#undef ROW
	};

	for (size_t i = 0; i < BERTH_ARRAY_SIZE(rows); i++) {
		for (size_t step = 1; step <= rows[i].len + 1; step++) {
			struct berth_lines lines = { 0 };

			for (size_t at = 0; at < rows[i].len; at += step)
				berth_lines_feed(&lines, rows[i].bytes + at,
						 rows[i].len - at < step ? rows[i].len - at : step,
						 &sink);
			berth_lines_flush(&lines, &sink);
			assert_got(rows[i].wanted, rows[i].wanted_len);
			assert_null(lines.partial);
			berth_lines_deinit(&lines);
			tear_down(state);
		}
	}
}

static void the_beginning_of_a_line_waits_for_its_end(void **state)
{
	struct berth_lines lines = { 0 };

	(void)state;
	berth_lines_feed(&lines, "a", 1, &sink);
	assert_got("", 0);
	assert_non_null(lines.partial);
	berth_lines_feed(&lines, "b\nc", 3, &sink);
	assert_got("ab$", 3);
	berth_lines_feed(&lines, "\n", 1, &sink);
	assert_got("ab$c$", 5);
	assert_null(lines.partial);
	berth_lines_flush(&lines, &sink);
	assert_got("ab$c$", 5);
	berth_lines_deinit(&lines);
}

/* @len times 'x', then @end, in steps of @step. */
static void feed_long(size_t len, const char *end, size_t step)
{
	size_t whole = len + strlen(end);
	char *bytes = malloc(whole + 1);
	struct berth_lines lines = { 0 };

	assert_non_null(bytes);
	memset(bytes, 'x', len);
	memcpy(bytes + len, end, strlen(end) + 1);
	for (size_t at = 0; at < whole; at += step)
		berth_lines_feed(&lines, bytes + at, whole - at < step ? whole - at : step, &sink);
	berth_lines_flush(&lines, &sink);
	berth_lines_deinit(&lines);
	free(bytes);
}

static void a_line_of_the_maximum_is_one_line(void **state)
{
	static const size_t steps[] = { 1000, 65535, 65536, 65537, 1 << 20 };

	for (size_t i = 0; i < BERTH_ARRAY_SIZE(steps); i++) {
		feed_long(BERTH_LINES_MAX, "\nnext\n", steps[i]);
		assert_int_equal(got.len, BERTH_LINES_MAX + 1 + 5);
		assert_memory_equal(got.text + BERTH_LINES_MAX, "$next$", 6);
		tear_down(state);
	}
}

static void a_longer_line_comes_in_pieces(void **state)
{
	static const size_t steps[] = { 999, 65536, 65537, 1 << 20 };

	for (size_t i = 0; i < BERTH_ARRAY_SIZE(steps); i++) {
		feed_long(3 * BERTH_LINES_MAX + 10, "\n", steps[i]);
		assert_int_equal(longest, BERTH_LINES_MAX);
		assert_int_equal(got.len, 3 * BERTH_LINES_MAX + 10 + 4);
		assert_int_equal(got.text[BERTH_LINES_MAX], '+');
		assert_string_equal(got.text + 3 * (BERTH_LINES_MAX + 1), "xxxxxxxxxx$");
		tear_down(state);
		/* Without a newline the last piece ends the line as well. */
		feed_long(2 * BERTH_LINES_MAX, "", steps[i]);
		assert_int_equal(got.len, 2 * BERTH_LINES_MAX + 2);
		assert_string_equal(got.text + 2 * BERTH_LINES_MAX, "x$");
		tear_down(state);
	}
}

static void a_piece_ends_between_two_characters(void **state)
{
	static const size_t steps[] = { 7, 65536, 1 << 20 };
	static const char euro[] = "\xe2\x82\xac";
	size_t count = 2 * BERTH_LINES_MAX / 3, len = 3 * count + 1;
	char *bytes = malloc(len);

	(void)state;
	assert_non_null(bytes);
	for (size_t at = 0; at < len - 1; at += 3)
		memcpy(bytes + at, euro, 3);
	bytes[len - 1] = '\n';
	for (size_t i = 0; i < BERTH_ARRAY_SIZE(steps); i++) {
		struct berth_lines lines = { 0 };

		for (size_t at = 0; at < len; at += steps[i])
			berth_lines_feed(&lines, bytes + at,
					 len - at < steps[i] ? len - at : steps[i], &sink);
		assert_int_equal(got.text[BERTH_LINES_MAX - 1], '+');
		assert_memory_equal(got.text + BERTH_LINES_MAX, euro, 3);
		berth_lines_deinit(&lines);
		tear_down(state);
	}
	free(bytes);
	/* What is no UTF-8 has no characters to be cut between. */
	bytes = malloc(BERTH_LINES_MAX + 2);
	assert_non_null(bytes);
	memset(bytes, 0x80, BERTH_LINES_MAX + 2);
	{
		struct berth_lines lines = { 0 };

		berth_lines_feed(&lines, bytes, BERTH_LINES_MAX + 2, &sink);
		assert_int_equal(longest, BERTH_LINES_MAX);
		berth_lines_deinit(&lines);
	}
	free(bytes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(the_lines_are_the_same_however_the_bytes_come, tear_down),
		cmocka_unit_test_teardown(the_beginning_of_a_line_waits_for_its_end, tear_down),
		cmocka_unit_test_teardown(a_line_of_the_maximum_is_one_line, tear_down),
		cmocka_unit_test_teardown(a_longer_line_comes_in_pieces, tear_down),
		cmocka_unit_test_teardown(a_piece_ends_between_two_characters, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
