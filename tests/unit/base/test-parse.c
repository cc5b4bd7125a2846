/* SPDX-License-Identifier: MIT */
/* unit/base/test-parse.c - numbers and durations, whole string or nothing */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/parse.h"

static void a_number_is_digits_and_nothing_else(void **state)
{
	static const struct {
		const char *text;
		uint64_t max;
		int r;
		uint64_t value;
	} rows[] = {
		{ "0", 10, 0, 0 },
		{ "10", 10, 0, 10 },
		{ "007", 10, 0, 7 },
		{ "18446744073709551615", UINT64_MAX, 0, UINT64_MAX },
		{ "11", 10, -ERANGE },
		{ "18446744073709551616", UINT64_MAX, -ERANGE },
		{ "99999999999999999999999999", UINT64_MAX, -ERANGE },
		{ "", 10, -EINVAL },
		{ " 1", 10, -EINVAL },
		{ "1 ", 10, -EINVAL },
		{ "1\n", 10, -EINVAL },
		{ "+1", 10, -EINVAL },
		{ "-1", 10, -EINVAL },
		{ "0x1", 10, -EINVAL },
		{ "1e1", 10, -EINVAL },
		{ "99999999999999999999x", UINT64_MAX, -EINVAL },
		{ "\xd9\xa1", 10, -EINVAL }, /* ARABIC-INDIC DIGIT ONE */
	};

	for (size_t i = 0; i < BERTH_ARRAY_SIZE(rows); i++) {
		uint64_t value = 4711;

		assert_int_equal(berth_parse_u64(rows[i].text, rows[i].max, &value), rows[i].r);
		assert_int_equal(value, rows[i].r == 0 ? rows[i].value : 4711);
	}
}

static void a_port_may_have_a_colon(void **state)
{
	static const struct {
		const char *text;
		int r;
		uint16_t port;
	} rows[] = {
		{ "1", 0, 1 },	  { "8080", 0, 8080 }, { ":8080", 0, 8080 }, { "65535", 0, 65535 },
		{ "0", -ERANGE }, { ":0", -ERANGE },   { "65536", -ERANGE }, { "::80", -EINVAL },
		{ ":", -EINVAL }, { "", -EINVAL },     { "80:", -EINVAL },   { "http", -EINVAL },
	};

	for (size_t i = 0; i < BERTH_ARRAY_SIZE(rows); i++) {
		uint16_t port = 4711;

		assert_int_equal(berth_parse_port(rows[i].text, &port), rows[i].r);
		assert_int_equal(port, rows[i].r == 0 ? rows[i].port : 4711);
	}
}

static void a_duration_is_numbers_with_falling_units(void **state)
{
	static const struct {
		const char *text;
		int64_t unit;
		int r;
		int64_t ms;
	} rows[] = {
		{ "90", 1000, 0, 90000 },
		{ "90", 1, 0, 90 },
		{ "1.5", 1000, 0, 1500 },
		{ "0", 1000, 0, 0 },
		{ "0s", 1000, 0, 0 },
		{ "1.5s", 1, 0, 1500 },
		{ "0.001s", 1, 0, 1 },
		{ "0.0009s", 1, 0, 0 },
		{ "0.0000000000000000009d", 1, 0, 0 },
		{ "500ms", 1000, 0, 500 },
		{ "30m", 1000, 0, 1800000 },
		{ "2h", 1000, 0, 7200000 },
		{ "1d", 1000, 0, 86400000 },
		{ "1h30m", 1000, 0, 5400000 },
		{ "1d2h3m4s5ms", 1000, 0, 93784005 },
		{ "1m1.5s", 1000, 0, 61500 },
		{ "366d", 1000, 0, 31622400000 },
		{ "8784h", 1000, 0, 31622400000 },
		{ "366d1ms", 1000, -ERANGE },
		{ "366.1d", 1000, -ERANGE },
		{ "367d", 1000, -ERANGE },
		{ "366d366d", 1000, -EINVAL },
		{ "99999999999999999999999999999d", 1000, -ERANGE },
		{ "99999999999999999999999999999", 1, -ERANGE },
		{ "99999999999999999999999999999x", 1, -EINVAL },
		{ "", 1000, -EINVAL },
		{ "s", 1000, -EINVAL },
		{ ".5s", 1000, -EINVAL },
		{ "1.s", 1000, -EINVAL },
		{ "1.", 1000, -EINVAL },
		{ "1..5s", 1000, -EINVAL },
		{ "1 s", 1000, -EINVAL },
		{ " 1s", 1000, -EINVAL },
		{ "1s ", 1000, -EINVAL },
		{ "-1s", 1000, -EINVAL },
		{ "+1s", 1000, -EINVAL },
		{ "1S", 1000, -EINVAL },
		{ "1min", 1000, -EINVAL },
		{ "1w", 1000, -EINVAL },
		{ "1h30", 1000, -EINVAL },
		{ "30m1h", 1000, -EINVAL },
		{ "1h1h", 1000, -EINVAL },
		{ "1.5h30m", 1000, -EINVAL },
		{ "1e3s", 1000, -EINVAL },
		{ "0x10s", 1000, -EINVAL },
	};

	for (size_t i = 0; i < BERTH_ARRAY_SIZE(rows); i++) {
		int64_t ms = 4711;
		int r = berth_parse_duration(rows[i].text, rows[i].unit, &ms);

		if (r != rows[i].r || ms != (r == 0 ? rows[i].ms : 4711))
			fail_msg("'%s': %d, %lld ms", rows[i].text, r, (long long)ms);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_number_is_digits_and_nothing_else),
		cmocka_unit_test(a_port_may_have_a_colon),
		cmocka_unit_test(a_duration_is_numbers_with_falling_units),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
