/* SPDX-License-Identifier: MIT */
/* unit/port/test-range.c - spans and sets of port numbers */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "port/range.h"

static void a_range_is_one_number_or_two(void **state)
{
	static const struct {
		const char *text;
		int r;
		uint16_t lo, hi;
	} rows[] = {
		{ "5002-5012", 0, 5002, 5012 },
		{ "5000", 0, 5000, 5000 },
		{ ":5000", 0, 5000, 5000 },
		{ ":5000-5001", 0, 5000, 5001 },
		{ "1-65535", 0, 1, 65535 },
		{ "0080-0081", 0, 80, 81 },
		{ "5000-5000", 0, 5000, 5000 },
		{ "0", -ERANGE },
		{ "0-5", -ERANGE },
		{ "5-0", -ERANGE },
		{ "65536", -ERANGE },
		{ "1-65536", -ERANGE },
		{ "4294967297", -ERANGE },
		{ "99999999999999999999999999", -ERANGE },
		{ "5012-5002", -ERANGE },
		{ "", -EINVAL },
		{ ":", -EINVAL },
		{ "-", -EINVAL },
		{ "5000-", -EINVAL },
		{ "-5000", -EINVAL },
		{ "0-", -EINVAL },
		{ "99999x", -EINVAL },
		{ "5000-5001-5002", -EINVAL },
		{ "5000:", -EINVAL },
		{ "5000-:5001", -EINVAL },
		{ "5000 - 5001", -EINVAL },
		{ "5000,5001", -EINVAL },
		{ " 5000", -EINVAL },
		{ "0x50", -EINVAL },
		{ "http", -EINVAL },
	};

	for (size_t i = 0; i < BERTH_ARRAY_SIZE(rows); i++) {
		struct berth_range range = { 47, 11 };
		int r = berth_range_parse(rows[i].text, &range);

		if (r != rows[i].r || range.lo != (r == 0 ? rows[i].lo : 47) ||
		    range.hi != (r == 0 ? rows[i].hi : 11))
			fail_msg("'%s': %d, %u-%u", rows[i].text, r, range.lo, range.hi);
	}
}

static void a_range_has_both_its_ends(void **state)
{
	struct berth_range range = { 5002, 5012 }, none = { 0 };

	assert_false(berth_range_has(&range, 5001));
	assert_true(berth_range_has(&range, 5002));
	assert_true(berth_range_has(&range, 5012));
	assert_false(berth_range_has(&range, 5013));
	assert_false(berth_range_has(&none, 0));
}

static size_t count(const struct berth_portset *set)
{
	size_t n = 0;

	for (uint32_t port = 0; port <= UINT16_MAX; port++)
		n += berth_portset_has(set, (uint16_t)port);
	return n;
}

static void a_set_holds_what_was_added(void **state)
{
	static struct berth_portset set;

	memset(&set, 0, sizeof(set));
	berth_portset_add(&set, (struct berth_range){ 0, 0 });
	assert_int_equal(count(&set), 0);
	berth_portset_add(&set, (struct berth_range){ 63, 65 });
	berth_portset_add(&set, (struct berth_range){ 65, 66 });
	assert_int_equal(count(&set), 4);
	assert_true(berth_portset_has(&set, 63));
	assert_true(berth_portset_has(&set, 66));
	assert_false(berth_portset_has(&set, 67));
	berth_portset_add(&set, (struct berth_range){ 1, 65535 });
	assert_int_equal(count(&set), 65535);
	assert_false(berth_portset_has(&set, 0));
}

static void a_list_of_the_kernel_or_the_user_is_read(void **state)
{
	static const struct {
		const char *text;
		int r;
		size_t count;
	} rows[] = {
		{ "", 0, 0 },
		{ "\n", 0, 0 },
		{ " \t ", 0, 0 },
		{ "8080", 0, 1 },
		{ "8080,9000-9005\n", 0, 7 },
		{ " 8080 , 9000-9005 ", 0, 7 },
		{ "8080,8080,8079-8081", 0, 3 },
		{ ",", -EINVAL },
		{ "8080,", -EINVAL },
		{ ",8080", -EINVAL },
		{ "8080,,8081", -EINVAL },
		{ "8080 8081", -EINVAL },
		{ "8080;8081", -EINVAL },
		{ "8080-", -EINVAL },
		{ "8080,0", -ERANGE },
		{ "8080,65536", -ERANGE },
		{ "9,8-7", -ERANGE },
	};

	for (size_t i = 0; i < BERTH_ARRAY_SIZE(rows); i++) {
		static struct berth_portset set;
		int r;

		memset(&set, 0, sizeof(set));
		r = berth_portset_parse(rows[i].text, &set);
		if (r != rows[i].r || count(&set) != rows[i].count)
			fail_msg("'%s': %d, %zu ports", rows[i].text, r, count(&set));
	}
}

static void a_list_is_added_to_what_the_set_had(void **state)
{
	static struct berth_portset set;

	memset(&set, 0, sizeof(set));
	assert_int_equal(berth_portset_parse("1-10", &set), 0);
	assert_int_equal(berth_portset_parse("20", &set), 0);
	assert_int_equal(berth_portset_parse("30,x", &set), -EINVAL);
	assert_int_equal(count(&set), 11);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_range_is_one_number_or_two),
		cmocka_unit_test(a_range_has_both_its_ends),
		cmocka_unit_test(a_set_holds_what_was_added),
		cmocka_unit_test(a_list_of_the_kernel_or_the_user_is_read),
		cmocka_unit_test(a_list_is_added_to_what_the_set_had),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
