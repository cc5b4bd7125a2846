/* SPDX-License-Identifier: MIT */
/* unit/base/test-time.c - times as people and files have them */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "base/time.h"

static void a_time_is_written_and_read_in_one_form(void **state)
{
	static const struct {
		int64_t ms;
		const char *text;
	} rows[] = {
		{ 0, "1970-01-01T00:00:00.000Z" },
		{ 1, "1970-01-01T00:00:00.001Z" },
		{ 1795253400123, "2026-11-21T09:30:00.123Z" },
		{ 951782400000, "2000-02-29T00:00:00.000Z" },
		{ -1, "1969-12-31T23:59:59.999Z" },
		{ -62167219200000, "0000-01-01T00:00:00.000Z" },
		{ 253402300799999, "9999-12-31T23:59:59.999Z" },
	};

	for (size_t i = 0; i < BERTH_ARRAY_SIZE(rows); i++) {
		char buf[BERTH_TIME_RFC3339_SIZE];
		int64_t ms = 4711;

		assert_string_equal(berth_time_format(rows[i].ms, buf), rows[i].text);
		assert_int_equal(berth_time_parse(rows[i].text, &ms), 0);
		assert_true(ms == rows[i].ms);
	}
}

static void times_that_the_form_cannot_hold_are_its_ends(void **state)
{
	char buf[BERTH_TIME_RFC3339_SIZE];

	assert_string_equal(berth_time_format(INT64_MAX, buf), "9999-12-31T23:59:59.999Z");
	assert_string_equal(berth_time_format(INT64_MIN, buf), "0000-01-01T00:00:00.000Z");
}

static void what_is_no_time_is_refused(void **state)
{
	static const char *const texts[] = {
		"",
		"2026",
		"2026-11-21",
		"2026-11-21T09:30:00Z",
		"2026-11-21T09:30:00.12Z",
		"2026-11-21T09:30:00.1234Z",
		"2026-11-21T09:30:00.123",
		"2026-11-21T09:30:00.123Z ",
		"2026-11-21t09:30:00.123z",
		"2026-11-21 09:30:00.123Z",
		"2026-11-21T09:30:00,123Z",
		"2026-11-21T09:30:00.123+01:00",
		"2026-13-21T09:30:00.123Z",
		"2026-00-21T09:30:00.123Z",
		"2026-02-29T09:30:00.123Z",
		"2026-11-31T09:30:00.123Z",
		"2026-11-00T09:30:00.123Z",
		"2026-11-21T24:00:00.000Z",
		"2026-11-21T09:60:00.123Z",
		"2026-11-21T09:30:60.123Z",
		"-026-11-21T09:30:00.123Z",
		"2026-+1-21T09:30:00.123Z",
	};

	for (size_t i = 0; i < BERTH_ARRAY_SIZE(texts); i++) {
		int64_t ms = 4711;

		if (berth_time_parse(texts[i], &ms) != -EINVAL || ms != 4711)
			fail_msg("'%s' was taken for a time", texts[i]);
	}
}

static void a_clock_time_names_the_day_only_if_it_is_another(void **state)
{
	const int64_t noon = 1795262400000; /* 2026-11-21T12:00:00Z */
	const int64_t hour = 3600000;
	char buf[BERTH_TIME_RFC3339_SIZE];

	/* POSIX: minutes are subtracted, so this is 5:30 ahead of UTC. */
	assert_int_equal(setenv("TZ", "XXX-5:30", 1), 0);
	tzset();
	assert_string_equal(berth_time_clock(noon, noon, buf), "17:30");
	assert_string_equal(berth_time_clock(noon - 17 * hour, noon, buf), "00:30");
	assert_string_equal(berth_time_clock(noon - 18 * hour, noon, buf), "Nov 20 23:30");
	assert_string_equal(berth_time_clock(noon + 7 * hour, noon, buf), "Nov 22 00:30");
	assert_string_equal(berth_time_clock(noon - 365 * 24 * hour, noon, buf), "Nov 21 17:30");
	assert_string_equal(berth_time_clock(noon - 320 * 24 * hour, noon, buf), "Jan 5 17:30");
}

static void an_age_has_one_unit(void **state)
{
	static const struct {
		int64_t ms;
		const char *text;
	} rows[] = {
		{ INT64_MIN, "0 s" },
		{ -5000, "0 s" },
		{ 0, "0 s" },
		{ 999, "0 s" },
		{ 8000, "8 s" },
		{ 59999, "59 s" },
		{ 60000, "1 min" },
		{ 3599999, "59 min" },
		{ 3600000, "1 h" },
		{ 86399999, "23 h" },
		{ 86400000, "1 d" },
		{ 432000000, "5 d" },
		{ INT64_MAX, "2932896 d" },
	};

	for (size_t i = 0; i < BERTH_ARRAY_SIZE(rows); i++) {
		char buf[BERTH_TIME_AGE_SIZE];

		assert_string_equal(berth_time_age(rows[i].ms, buf), rows[i].text);
	}
}

static void clocks_run(void **state)
{
	int64_t before = berth_time_mono_ns();

	assert_true(before > 0);
	assert_true(berth_time_mono_ns() >= before);
	/* 2020 to 2200: ms, not s or ns. */
	assert_true(berth_time_now_ms() > 1577836800000);
	assert_true(berth_time_now_ms() < 7258118400000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_time_is_written_and_read_in_one_form),
		cmocka_unit_test(times_that_the_form_cannot_hold_are_its_ends),
		cmocka_unit_test(what_is_no_time_is_refused),
		cmocka_unit_test(a_clock_time_names_the_day_only_if_it_is_another),
		cmocka_unit_test(an_age_has_one_unit),
		cmocka_unit_test(clocks_run),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
