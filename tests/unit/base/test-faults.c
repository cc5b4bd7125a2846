/* SPDX-License-Identifier: MIT */
/* unit/base/test-faults.c - faults with their lines and carets, as a user reads them */
#include "base/faults.h"

#include <locale.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void assert_format(struct berth_faults *faults, const char *text, const char *wanted)
{
	BERTH_CLEANUP(berth_str_deinit) struct berth_str out = { 0 };

	berth_faults_format(faults, "berth.yaml", text, text ? strlen(text) : 0, &out);
	assert_string_equal(berth_str_text(&out), wanted);
	berth_faults_deinit(faults);
}

static void a_fault_is_shown_with_its_line_and_a_caret(void **state)
{
	struct berth_faults faults = { 0 };

	berth_faults_add(&faults, (struct berth_mark){ 2, 5, 4 }, "'%s' is no key", "prot");
	berth_faults_hint(&faults, "did you mean '%s'?", "port");
	assert_format(&faults, "a:\n    prot: 9000\nb: 1\n",
		      "berth.yaml:2:5: 'prot' is no key; did you mean 'port'?\n"
		      "     2 |     prot: 9000\n"
		      "       |     ^~~~\n");
}

static void the_file_as_a_whole_has_no_line(void **state)
{
	struct berth_faults faults = { 0 };

	berth_faults_add(&faults, (struct berth_mark){ 0 }, "longer than it may be");
	assert_format(&faults, "a: b\n", "berth.yaml: longer than it may be\n");
}

static void without_the_text_only_the_place_is_told(void **state)
{
	struct berth_faults faults = { 0 };

	berth_faults_add(&faults, (struct berth_mark){ 3, 1, 1 }, "x");
	assert_format(&faults, NULL, "berth.yaml:3:1: x\n");
}

static void places_beyond_the_text_are_no_crash(void **state)
{
	struct berth_faults faults = { 0 };

	berth_faults_add(&faults, (struct berth_mark){ 9, 1, 1 }, "no such line");
	berth_faults_add(&faults, (struct berth_mark){ 1, 90, 90 }, "no such column");
	berth_faults_add(&faults, (struct berth_mark){ 1, 2, UINT32_MAX }, "too long");
	assert_format(&faults, "ab",
		      "berth.yaml:9:1: no such line\n"
		      "berth.yaml:1:90: no such column\n"
		      "     1 | ab\n"
		      "       |   ^\n"
		      "berth.yaml:1:2: too long\n"
		      "     1 | ab\n"
		      "       |  ^\n");
}

static void nothing_of_the_file_is_printed_raw(void **state)
{
	struct berth_faults faults = { 0 };

	berth_faults_add(&faults, (struct berth_mark){ 1, 3, 2 }, "bad \x1b[31m %s", "\xff");
	assert_format(&faults, "\t\x1b\x07x\r\n",
		      "berth.yaml:1:3: bad \\e[31m \\xff\n"
		      "     1 | \\t\\e\\x07x\n"
		      "       |     ^~~~~\n");
}

static void the_caret_counts_columns_not_bytes(void **state)
{
	struct berth_faults faults = { 0 };

	if (!setlocale(LC_CTYPE, "C.UTF-8"))
		skip();
	berth_faults_add(&faults, (struct berth_mark){ 1, 7, 3 }, "x");
	assert_format(&faults, "\xc3\xa4\xc3\xb6: \xc3\xbcx\n",
		      "berth.yaml:1:7: x\n"
		      "     1 | \xc3\xa4\xc3\xb6: \xc3\xbcx\n"
		      "       |     ^~\n");
}

static void a_byte_order_mark_is_no_column(void **state)
{
	struct berth_faults faults = { 0 };

	berth_faults_add(&faults, (struct berth_mark){ 1, 1, 1 }, "x");
	assert_format(&faults,
		      "\xef\xbb\xbf"
		      "a: b\n",
		      "berth.yaml:1:1: x\n"
		      "     1 | a: b\n"
		      "       | ^\n");
}

static void long_lines_are_cut_around_the_place(void **state)
{
	struct berth_faults faults = { 0 };
	BERTH_CLEANUP(berth_str_deinit) struct berth_str out = { 0 };
	char line[1001];

	memset(line, 'a', 1000);
	line[1000] = '\0';
	line[500] = 'X';
	berth_faults_add(&faults, (struct berth_mark){ 1, 501, 1 }, "x");
	berth_faults_format(&faults, "f", line, 1000, &out);
	assert_non_null(strstr(out.text, "     1 | ...aaaa"));
	assert_non_null(strstr(out.text, "aaaa...\n"));
	/* The caret is under the X. */
	assert_int_equal(strchr(out.text, 'X') - strstr(out.text, "     1 |"),
			 strchr(out.text, '^') - strstr(out.text, "       | "));
	assert_true(out.len < 300);
	berth_faults_deinit(&faults);
}

static void they_are_sorted_by_place_and_stable(void **state)
{
	struct berth_faults faults = { 0 };

	berth_faults_add(&faults, (struct berth_mark){ 2, 1, 1 }, "c");
	berth_faults_add(&faults, (struct berth_mark){ 1, 9, 1 }, "b");
	berth_faults_add(&faults, (struct berth_mark){ 2, 1, 1 }, "d");
	berth_faults_add(&faults, (struct berth_mark){ 0 }, "a");
	berth_faults_sort(&faults);
	for (size_t i = 0; i < 4; i++)
		assert_int_equal(faults.items[i].text[0], "abcd"[i]);
	berth_faults_deinit(&faults);
}

static void the_same_of_one_place_is_said_once(void **state)
{
	struct berth_faults faults = { 0 };

	berth_faults_add(&faults, (struct berth_mark){ 2, 1, 1 }, "a");
	berth_faults_add(&faults, (struct berth_mark){ 2, 1, 1 }, "a");
	/* It belongs to one that is not kept a second time. */
	berth_faults_hint(&faults, "b");
	berth_faults_add(&faults, (struct berth_mark){ 2, 2, 1 }, "a");
	assert_int_equal(berth_faults_count(&faults), 2);
	assert_string_equal(faults.items[0].hint, "");
	berth_faults_deinit(&faults);
}

static void a_hundred_are_kept_and_the_others_counted(void **state)
{
	struct berth_faults faults = { 0 };
	BERTH_CLEANUP(berth_str_deinit) struct berth_str out = { 0 };

	for (unsigned int i = 1; i <= 150; i++) {
		berth_faults_add(&faults, (struct berth_mark){ i, 1, 1 }, "fault %u", i);
		berth_faults_hint(&faults, "hint %u", i);
	}
	assert_int_equal(faults.count, 100);
	assert_int_equal(berth_faults_count(&faults), 150);
	assert_string_equal(faults.items[99].hint, "hint 100");
	berth_faults_format(&faults, "f", NULL, 0, &out);
	assert_non_null(strstr(out.text, "\nf: and 50 more\n"));
	berth_faults_deinit(&faults);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_fault_is_shown_with_its_line_and_a_caret),
		cmocka_unit_test(the_file_as_a_whole_has_no_line),
		cmocka_unit_test(without_the_text_only_the_place_is_told),
		cmocka_unit_test(places_beyond_the_text_are_no_crash),
		cmocka_unit_test(nothing_of_the_file_is_printed_raw),
		cmocka_unit_test(the_caret_counts_columns_not_bytes),
		cmocka_unit_test(a_byte_order_mark_is_no_column),
		cmocka_unit_test(long_lines_are_cut_around_the_place),
		cmocka_unit_test(they_are_sorted_by_place_and_stable),
		cmocka_unit_test(the_same_of_one_place_is_said_once),
		cmocka_unit_test(a_hundred_are_kept_and_the_others_counted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
