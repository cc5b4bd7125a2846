/* SPDX-License-Identifier: MIT */
/* unit/base/test-str.c - building, printing and comparing text */
#include <locale.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/str.h"

static void text_grows_as_it_is_added_to(void **state)
{
	BERTH_CLEANUP(berth_str_deinit) struct berth_str str = { 0 };

	assert_string_equal(berth_str_text(&str), "");
	berth_str_add(&str, "");
	assert_null(str.text);
	berth_str_add(&str, "a");
	berth_str_add_bytes(&str, "bcd", 2);
	berth_str_addf(&str, "-%d-%s", 5, "x");
	assert_string_equal(berth_str_text(&str), "abc-5-x");
	assert_int_equal(str.len, 7);

	for (int i = 0; i < 10000; i++)
		berth_str_addf(&str, "%04d", i);
	assert_int_equal(str.len, 40007);
	assert_int_equal(strlen(berth_str_text(&str)), 40007);
	assert_string_equal(berth_str_text(&str) + 40003, "9999");
}

static void text_may_hold_nul_bytes(void **state)
{
	BERTH_CLEANUP(berth_str_deinit) struct berth_str str = { 0 };

	berth_str_add_bytes(&str, "a\0b", 3);
	assert_int_equal(str.len, 3);
	assert_memory_equal(str.text, "a\0b", 4);
}

static void stolen_text_is_the_callers(void **state)
{
	struct berth_str str = { 0 };
	BERTH_AUTO_FREE char *empty = berth_str_steal(&str);
	BERTH_AUTO_FREE char *text = NULL;

	assert_string_equal(empty, "");
	berth_str_add(&str, "abc");
	text = berth_str_steal(&str);
	assert_string_equal(text, "abc");
	assert_string_equal(berth_str_text(&str), "");
	berth_str_add_bytes(&str, "x", SIZE_MAX - 8);
	assert_null(berth_str_steal(&str));
	assert_false(str.failed);
}

static void after_a_failure_text_stays_as_it_was(void **state)
{
	BERTH_CLEANUP(berth_str_deinit) struct berth_str str = { 0 };

	berth_str_add(&str, "kept");
	berth_str_add_bytes(&str, "x", SIZE_MAX - 8);
	assert_true(str.failed);
	assert_null(berth_str_text(&str));
	berth_str_add(&str, "more");
	assert_string_equal(str.text, "kept");
	berth_str_deinit(&str);
	assert_string_equal(berth_str_text(&str), "");
	berth_str_deinit(NULL);
}

static void a_copy_says_if_it_was_cut(void **state)
{
	char buf[4] = "???";

	assert_true(berth_str_copy(buf, sizeof(buf), "abc"));
	assert_string_equal(buf, "abc");
	assert_false(berth_str_copy(buf, sizeof(buf), "abcd"));
	assert_string_equal(buf, "abc");
	assert_true(berth_str_copy(buf, sizeof(buf), ""));
	assert_string_equal(buf, "");
	assert_false(berth_str_copy(NULL, 0, ""));
}

static void utf8_is_known_by_its_bytes(void **state)
{
	static const struct {
		const char *text;
		size_t len, n;
	} rows[] = {
		{ "a", 0, 0 },
		{ "a", 1, 1 },
		{ "", 1, 1 },
		{ "\x7f", 1, 1 },
		{ "\x80", 1, 0 },
		{ "\xc1\xbf", 2, 0 },
		{ "\xc2\x80", 2, 2 },
		{ "\xc2\x80", 1, 0 },
		{ "\xc2\xc2", 2, 0 },
		{ "\xe0\x9f\xbf", 3, 0 },
		{ "\xe0\xa0\x80", 3, 3 },
		{ "\xed\x9f\xbf", 3, 3 },
		{ "\xed\xa0\x80", 3, 0 },
		{ "\xee\x80\x80", 3, 3 },
		{ "\xef\xbf\xbf", 3, 3 },
		{ "\xf0\x8f\xbf\xbf", 4, 0 },
		{ "\xf0\x90\x80\x80", 4, 4 },
		{ "\xf0\x90\x80\x80", 3, 0 },
		{ "\xf4\x8f\xbf\xbf", 4, 4 },
		{ "\xf4\x90\x80\x80", 4, 0 },
		{ "\xf5\x80\x80\x80", 4, 0 },
		{ "\xff", 1, 0 },
	};

	for (size_t i = 0; i < BERTH_ARRAY_SIZE(rows); i++)
		assert_int_equal(berth_str_utf8_len(rows[i].text, rows[i].len), rows[i].n);
}

static void what_a_terminal_would_obey_is_escaped(void **state)
{
	static const struct {
		const char *text, *printable;
	} rows[] = {
		{ "", "" },
		{ "plain text, ~ and \\", "plain text, ~ and \\" },
		{ "a\nb\tc\rd", "a\\nb\\tc\\rd" },
		{ "\x1b[31mred\x07", "\\e[31mred\\x07" },
		{ "\x7f", "\\x7f" },
		{ "na\xc3\xafve \xe6\x97\xa5\xe6\x9c\xac \xf0\x9f\x98\x80",
		  "na\xc3\xafve \xe6\x97\xa5\xe6\x9c\xac \xf0\x9f\x98\x80" },
		{ "\xc2\x9b"
		  "1m",
		  "\\xc2\\x9b1m" }, /* C1: CSI */
		{ "\xff\xc3", "\\xff\\xc3" },
		{ "\xc3(", "\\xc3(" },
		{ "\xe2\x80\xae"
		  "cod.exe",
		  "\\xe2\\x80\\xaecod.exe" }, /* right-to-left override */
		{ "\xe2\x81\xa6", "\\xe2\\x81\\xa6" }, /* left-to-right isolate */
		{ "a\xe2\x80\x8b"
		  "b",
		  "a\\xe2\\x80\\x8bb" }, /* zero-width space */
		{ "\xe2\x80\xa8", "\\xe2\\x80\\xa8" }, /* line separator */
		{ "\xc2\xad", "\\xc2\\xad" }, /* soft hyphen */
		{ "\xef\xbb\xbf", "\\xef\\xbb\\xbf" }, /* byte order mark */
		{ "\xf3\xa0\x81\x81", "\\xf3\\xa0\\x81\\x81" }, /* a tag */
		{ "\xf4\x8f\xbf\xbf", "\\xf4\\x8f\\xbf\\xbf" }, /* a noncharacter */
		{ "\xef\xbf\xbe", "\\xef\\xbf\\xbe" },
		{ "\xef\xbf\xbd", "\xef\xbf\xbd" },
		{ "\xed\xa0\x80", "\\xed\\xa0\\x80" }, /* a surrogate */
	};

	for (size_t i = 0; i < BERTH_ARRAY_SIZE(rows); i++) {
		char buf[128];

		assert_ptr_equal(berth_str_printable(rows[i].text, (size_t)-1, buf, sizeof(buf)),
				 buf);
		assert_string_equal(buf, rows[i].printable);
	}
}

static void a_length_rules_over_nul_bytes(void **state)
{
	char buf[32];

	berth_str_printable("a\0b", 3, buf, sizeof(buf));
	assert_string_equal(buf, "a\\x00b");
	berth_str_printable("\xc3\xaf", 1, buf, sizeof(buf));
	assert_string_equal(buf, "\\xc3");
	berth_str_printable("abc", 0, buf, sizeof(buf));
	assert_string_equal(buf, "");
}

static void what_is_cut_ends_at_the_edge_of_a_character(void **state)
{
	static const struct {
		const char *text;
		size_t size;
		const char *printable;
	} rows[] = {
		{ "abcdef", 7, "abcdef" },
		{ "abcdef", 6, "ab..." },
		{ "abcdef", 5, "a..." },
		{ "abcdef", 4, "..." },
		{ "abcdef", 3, ".." },
		{ "abcdef", 1, "" },
		{ "ab\xc3\xaf\xc3\xaf", 6, "ab..." },
		{ "a\xc3\xaf\xc3\xaf\xc3\xaf", 7, "a\xc3\xaf..." },
		{ "a\x1b\x1b\x1b", 7, "a\\e..." },
		{ "a\x01\x01\x01", 8, "a..." },
	};

	for (size_t i = 0; i < BERTH_ARRAY_SIZE(rows); i++) {
		char *buf = malloc(rows[i].size); /* exact, so that a byte too far is seen */

		assert_non_null(buf);
		berth_str_printable(rows[i].text, (size_t)-1, buf, rows[i].size);
		assert_string_equal(buf, rows[i].printable);
		free(buf);
	}
	berth_str_printable("abc", (size_t)-1, NULL, 0);
}

static void without_utf8_each_byte_is_a_column(void **state)
{
	assert_non_null(setlocale(LC_CTYPE, "C"));
	assert_int_equal(berth_str_width("abc"), 3);
	assert_int_equal(berth_str_width("na\xc3\xafve"), 6);
}

static void width_is_that_of_the_terminal(void **state)
{
	if (!setlocale(LC_CTYPE, "C.UTF-8"))
		skip();
	assert_int_equal(berth_str_width(""), 0);
	assert_int_equal(berth_str_width("na\xc3\xafve"), 5);
	assert_int_equal(berth_str_width("\xe6\x97\xa5\xe6\x9c\xac"), 4);
	assert_int_equal(berth_str_width("e\xcc\x81"), 1);
	assert_int_equal(berth_str_width("\xff"), 1);
	assert_non_null(setlocale(LC_CTYPE, "C"));
}

static void argv_is_quoted_as_a_shell_needs_it(void **state)
{
	static const struct {
		const char *argv[5];
		const char *quoted;
	} rows[] = {
		{ { NULL }, "" },
		{ { "npm", "run", "dev" }, "npm run dev" },
		{ { "uvicorn", "app:app", "--port={port}" }, "uvicorn app:app '--port={port}'" },
		{ { "a", "--x=1", "A=b", "=b" }, "a --x=1 A=b '=b'" },
		{ { "A=b", "c" }, "'A=b' c" },
		{ { "sh", "-c", "echo $HOME; ls *" }, "sh -c 'echo $HOME; ls *'" },
		{ { "echo", "" }, "echo ''" },
		{ { "echo", "it's" }, "echo 'it'\\''s'" },
		{ { "echo", "~", "a b" }, "echo '~' 'a b'" },
		{ { "echo", "na\xc3\xafve" }, "echo 'na\xc3\xafve'" },
		{ { "echo", "a\nb" }, "echo $'a\\nb'" },
		{ { "echo", "it's\x1b\\" }, "echo $'it\\'s\\e\\\\'" },
		{ { "echo", "\xff" }, "echo $'\\xff'" },
	};

	for (size_t i = 0; i < BERTH_ARRAY_SIZE(rows); i++) {
		char buf[128];

		assert_ptr_equal(berth_str_quote_argv(rows[i].argv, buf, sizeof(buf)), buf);
		assert_string_equal(buf, rows[i].quoted);
	}
}

static void a_long_argv_is_cut(void **state)
{
	static const char *const argv[] = { "echo", "a b", "c", NULL };
	char buf[16];

	berth_str_quote_argv(argv, buf, 13);
	assert_string_equal(buf, "echo 'a b' c");
	berth_str_quote_argv(argv, buf, 12);
	assert_string_equal(buf, "echo 'a ...");
	berth_str_quote_argv(argv, buf, 1);
	assert_string_equal(buf, "");
}

static void the_closest_word_is_the_one_that_was_meant(void **state)
{
	static const char *const words[] = {
		"run", "exec",	  "status", "start",   "stop",	  "logs",
		"ls",  "restart", "--port", "--range", "--steer", NULL,
	};
	static const struct {
		const char *text, *word;
	} rows[] = {
		{ "stop", "stop" },
		{ "stpo", "stop" }, /* swapped */
		{ "sotp", "stop" },
		{ "stopp", "stop" }, /* put in */
		{ "sttus", "status" }, /* left out */
		{ "stotus", "status" }, /* another */
		{ "STOP", "stop" },
		{ "LS", "ls" },
		{ "restrat", "restart" },
		{ "--prot", "--port" },
		{ "--rangee", "--range" },
		{ "re", "restart" }, /* a unique prefix */
		{ "stat", "status" },
		{ "sta", NULL }, /* status and start */
		{ "r", NULL }, /* too short for a prefix */
		{ "e", NULL },
		{ "lx", NULL }, /* 1 edit of 2 letters */
		{ "", NULL },
		{ "abcdefgh", NULL },
		{ "rnu", "run" },
		{ "0123456789012345678901234567890123456789012345678901234567890123456789", NULL },
	};

	for (size_t i = 0; i < BERTH_ARRAY_SIZE(rows); i++) {
		const char *word = berth_str_closest(rows[i].text, words);
		const char *expected = rows[i].word;

		if (!word != !expected || (word && strcmp(word, expected)))
			fail_msg("'%s': '%s'", rows[i].text, word ? word : "(none)");
	}
}

static void of_equally_close_words_the_first_counts(void **state)
{
	static const char *const words[] = { "tame", "tale", "take", NULL };

	assert_string_equal(berth_str_closest("tare", words), "tame");
}

static void at_most_three_edits_are_a_slip(void **state)
{
	static const char *const words[] = { "abcdefghijklmno", NULL };

	assert_non_null(berth_str_closest("xxxdefghijklmno", words));
	assert_null(berth_str_closest("xxxxefghijklmno", words));
}

static void a_name_becomes_one_of_the_environment(void **state)
{
	static const struct {
		const char *text;
		size_t size;
		const char *name;
	} rows[] = {
		{ "my-api.ws", 32, "MY_API_WS" },
		{ "2fa", 32, "_2FA" },
		{ "a2", 32, "A2" },
		{ "na\xc3\xafve", 32, "NA__VE" },
		{ "", 32, "" },
		{ "abcdef", 4, "ABC" },
		{ "2fa", 2, "_" },
		{ "2fa", 1, "" },
	};

	for (size_t i = 0; i < BERTH_ARRAY_SIZE(rows); i++) {
		char buf[32];

		berth_str_env_name(rows[i].text, buf, rows[i].size);
		assert_string_equal(buf, rows[i].name);
	}
}

/* The values are those of the FNV reference (draft-eastlake-fnv, 128 bits, FNV-1a). */
static void the_hash_is_fnv_1a_of_128_bits(void **state)
{
	char hex[33];

	berth_str_hash("", 0, hex);
	assert_string_equal(hex, "6c62272e07bb014262b821756295c58d");
	berth_str_hash("a", 1, hex);
	assert_string_equal(hex, "d228cb696f1a8caf78912b704e4a8964");
	berth_str_hash("foobar", 6, hex);
	assert_string_equal(hex, "343e1662793c64bf6f0d3597ba446f18");
}

static void nul_bytes_count_in_a_hash(void **state)
{
	char one[33], two[33];

	berth_str_hash("a\0b", 3, one);
	berth_str_hash("ab\0", 3, two);
	assert_string_not_equal(one, two);
	berth_str_hash("a", 1, two);
	assert_string_not_equal(one, two);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(text_grows_as_it_is_added_to),
		cmocka_unit_test(text_may_hold_nul_bytes),
		cmocka_unit_test(stolen_text_is_the_callers),
		cmocka_unit_test(after_a_failure_text_stays_as_it_was),
		cmocka_unit_test(a_copy_says_if_it_was_cut),
		cmocka_unit_test(utf8_is_known_by_its_bytes),
		cmocka_unit_test(what_a_terminal_would_obey_is_escaped),
		cmocka_unit_test(a_length_rules_over_nul_bytes),
		cmocka_unit_test(what_is_cut_ends_at_the_edge_of_a_character),
		cmocka_unit_test(without_utf8_each_byte_is_a_column),
		cmocka_unit_test(width_is_that_of_the_terminal),
		cmocka_unit_test(argv_is_quoted_as_a_shell_needs_it),
		cmocka_unit_test(a_long_argv_is_cut),
		cmocka_unit_test(the_closest_word_is_the_one_that_was_meant),
		cmocka_unit_test(of_equally_close_words_the_first_counts),
		cmocka_unit_test(at_most_three_edits_are_a_slip),
		cmocka_unit_test(a_name_becomes_one_of_the_environment),
		cmocka_unit_test(the_hash_is_fnv_1a_of_128_bits),
		cmocka_unit_test(nul_bytes_count_in_a_hash),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
