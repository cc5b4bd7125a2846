/* SPDX-License-Identifier: MIT */
/* unit/base/test-value.c - signals, sizes and limits from text */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/parse.h"
#include "base/value.h"

enum {
	LIMIT_MAX = 32
};

static void a_signal_has_a_name_or_a_number(void **state)
{
	static const struct {
		const char *text;
		int signal;
	} cases[] = {
		{ "TERM", SIGTERM },   { "SIGTERM", SIGTERM }, { "sigint", SIGINT },
		{ "usr1", SIGUSR1 },   { "15", SIGTERM },      { "1", SIGHUP },
		{ "WINCH", SIGWINCH },
	};
	int signal;

	for (size_t i = 0; i < BERTH_ARRAY_SIZE(cases); i++) {
		assert_int_equal(berth_value_signal(cases[i].text, &signal), 0);
		assert_int_equal(signal, cases[i].signal);
	}
	assert_int_equal(berth_value_signal("RTMIN", &signal), 0);
	assert_int_equal(signal, SIGRTMIN);
	assert_int_equal(berth_value_signal("SIGRTMIN+3", &signal), 0);
	assert_int_equal(signal, SIGRTMIN + 3);
	assert_int_equal(berth_value_signal("rtmax-1", &signal), 0);
	assert_int_equal(signal, SIGRTMAX - 1);
}

static void what_is_no_signal_is_refused(void **state)
{
	static const char *const cases[] = { "",	"0",	    "-1",     "65",	 "TERM ",
					     "SIG",	"SIG15",    "TEMR",   "RTMIN-1", "RTMIN+",
					     "RTMAX+1", "RTMIN+99", "RTMINX", "9x" };
	int signal = 77;

	for (size_t i = 0; i < BERTH_ARRAY_SIZE(cases); i++)
		assert_int_equal(berth_value_signal(cases[i], &signal), -EINVAL);
	assert_int_equal(signal, 77);
}

static void a_slip_is_understood(void **state)
{
	assert_string_equal(berth_value_closest_signal("TEMR"), "TERM");
	assert_string_equal(berth_value_closest_signal("sigquti"), "QUIT");
	assert_null(berth_value_closest_signal("nonsense"));
	assert_null(berth_value_closest_signal(""));
}

static void a_size_counts_by_1024(void **state)
{
	static const struct {
		const char *text;
		int64_t bytes;
	} cases[] = {
		{ "0", 0 },
		{ "65536", 65536 },
		{ "100B", 100 },
		{ "512k", 512 << 10 },
		{ "10M", 10 << 20 },
		{ "10mb", 10 << 20 },
		{ "10MiB", 10 << 20 },
		{ "3G", INT64_C(3) << 30 },
		{ "9223372036854775807", INT64_MAX },
		{ "8589934591G", INT64_C(8589934591) << 30 },
	};
	int64_t bytes;

	for (size_t i = 0; i < BERTH_ARRAY_SIZE(cases); i++) {
		assert_int_equal(berth_value_size(cases[i].text, &bytes), 0);
		assert_true(bytes == cases[i].bytes);
	}
}

static void what_is_no_size_is_refused(void **state)
{
	static const char *const none[] = { "",	    "M",    "-1",   "1.5M", "10Q", "10 M",
					    "10MM", "10iB", "0x10", "1Mi",  "10Mx" };
	static const char *const too_large[] = { "9223372036854775808", "8589934592G",
						 "99999999999999999999999999999" };
	int64_t bytes = 77;

	for (size_t i = 0; i < BERTH_ARRAY_SIZE(none); i++)
		assert_int_equal(berth_value_size(none[i], &bytes), -EINVAL);
	for (size_t i = 0; i < BERTH_ARRAY_SIZE(too_large); i++)
		assert_int_equal(berth_value_size(too_large[i], &bytes), -ERANGE);
	assert_true(bytes == 77);
}

static void a_size_is_shown_in_its_largest_unit(void **state)
{
	char buf[32];

	assert_string_equal(berth_value_format_size(0, buf), "0");
	assert_string_equal(berth_value_format_size(1025, buf), "1025");
	assert_string_equal(berth_value_format_size(65536, buf), "64K");
	assert_string_equal(berth_value_format_size(10 << 20, buf), "10M");
	assert_string_equal(berth_value_format_size(INT64_C(5) << 30, buf), "5G");
}

static void a_limit_is_a_number_in_a_time(void **state)
{
	struct berth_value_limit limit;

	assert_int_equal(berth_value_limit("5/10s", LIMIT_MAX, &limit), 0);
	assert_int_equal(limit.count, 5);
	assert_int_equal(limit.ms, 10000);
	assert_int_equal(berth_value_limit("32/1h30m", LIMIT_MAX, &limit), 0);
	assert_int_equal(limit.count, 32);
	assert_int_equal(limit.ms, 5400000);
	assert_int_equal(berth_value_limit("1/2", LIMIT_MAX, &limit), 0);
	assert_int_equal(limit.ms, 2000);
	assert_int_equal(berth_value_limit("none", LIMIT_MAX, &limit), 0);
	assert_int_equal(limit.count, 0);
	assert_int_equal(limit.ms, 0);
}

static void what_is_no_limit_is_refused(void **state)
{
	static const char *const none[] = { "",	     "5",      "/10s",	  "5/",	  "5/x",
					    "x/10s", "-1/10s", "5/10s/2", "None", "5 /10s" };
	static const char *const out_of_range[] = { "33/10s", "0/10s", "5/0", "5/400d" };
	struct berth_value_limit limit = { 77, 77 };

	for (size_t i = 0; i < BERTH_ARRAY_SIZE(none); i++)
		assert_int_equal(berth_value_limit(none[i], LIMIT_MAX, &limit), -EINVAL);
	for (size_t i = 0; i < BERTH_ARRAY_SIZE(out_of_range); i++)
		assert_int_equal(berth_value_limit(out_of_range[i], LIMIT_MAX, &limit), -ERANGE);
	assert_int_equal(limit.count, 77);
}

static void durations_are_written_as_they_are_read(void **state)
{
	static const struct {
		int64_t ms;
		const char *text;
	} rows[] = {
		{ 0, "0" },	   { 1, "1ms" },       { 1500, "1500ms" },
		{ 1000, "1s" },	   { 90000, "90s" },   { 120000, "2m" },
		{ 3600000, "1h" }, { 86400000, "1d" }, { INT64_C(31622400000), "366d" },
	};
	char text[32];

	for (size_t i = 0; i < BERTH_ARRAY_SIZE(rows); i++) {
		int64_t ms = -1;

		assert_string_equal(berth_value_format_duration(rows[i].ms, text), rows[i].text);
		assert_int_equal(berth_parse_duration(text, 1000, &ms), 0);
		assert_true(ms == rows[i].ms);
	}
}

static void limits_are_written_as_they_are_read(void **state)
{
	static const char *const texts[] = { "none", "5/10s", "1/366d", "32/1500ms" };
	struct berth_value_limit limit;
	char text[48];

	for (size_t i = 0; i < BERTH_ARRAY_SIZE(texts); i++) {
		assert_int_equal(berth_value_limit(texts[i], 32, &limit), 0);
		assert_string_equal(berth_value_format_limit(&limit, text), texts[i]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_signal_has_a_name_or_a_number),
		cmocka_unit_test(what_is_no_signal_is_refused),
		cmocka_unit_test(a_slip_is_understood),
		cmocka_unit_test(a_size_counts_by_1024),
		cmocka_unit_test(what_is_no_size_is_refused),
		cmocka_unit_test(a_size_is_shown_in_its_largest_unit),
		cmocka_unit_test(a_limit_is_a_number_in_a_time),
		cmocka_unit_test(what_is_no_limit_is_refused),
		cmocka_unit_test(durations_are_written_as_they_are_read),
		cmocka_unit_test(limits_are_written_as_they_are_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
