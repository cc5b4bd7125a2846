/* SPDX-License-Identifier: MIT */
/* unit/port/test-reserved.c - numbers that nobody should be given, and why */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "port/reserved.h"

static struct berth_reserved reserved;

static int fresh(void **state)
{
	memset(&reserved, 0, sizeof(reserved));
	reserved.unprivileged_start = 1024;
	return 0;
}

static void a_number_is_reserved_for_a_reason(void **state)
{
	static const struct {
		uint16_t port;
		bool explicitly;
		enum berth_reserved_why why;
	} rows[] = {
		{ 8080, false, BERTH_RESERVED_NOT },
		{ 5000, false, BERTH_RESERVED_NOT },
		{ 65535, false, BERTH_RESERVED_NOT },
		{ 6000, false, BERTH_RESERVED_BROWSER },
		{ 6000, true, BERTH_RESERVED_BROWSER },
		{ 6665, false, BERTH_RESERVED_BROWSER },
		{ 6664, false, BERTH_RESERVED_NOT },
		{ 10080, false, BERTH_RESERVED_BROWSER },
		{ 4190, false, BERTH_RESERVED_BROWSER },
		{ 9000, false, BERTH_RESERVED_KERNEL },
		{ 9001, false, BERTH_RESERVED_USER },
		{ 9002, false, BERTH_RESERVED_USER }, /* of both: the user knows of this one */
		{ 6566, false, BERTH_RESERVED_USER }, /* of browsers, too */
	};

	assert_int_equal(berth_portset_parse("9000,9002", &reserved.kernel), 0);
	assert_int_equal(berth_portset_parse("9001,9002,6566", &reserved.user), 0);
	for (size_t i = 0; i < BERTH_ARRAY_SIZE(rows); i++)
		assert_int_equal(berth_reserved_why(&reserved, rows[i].port, rows[i].explicitly),
				 rows[i].why);
}

static void privileged_is_what_the_machine_says_and_the_user_named(void **state)
{
	static const struct {
		uint16_t start;
		bool may;
		uint16_t port;
		bool explicitly;
		enum berth_reserved_why why;
	} rows[] = {
		{ 1024, false, 80, false, BERTH_RESERVED_PRIVILEGED },
		{ 1024, false, 80, true, BERTH_RESERVED_PRIVILEGED },
		{ 1024, true, 80, false, BERTH_RESERVED_PRIVILEGED },
		{ 1024, true, 80, true, BERTH_RESERVED_NOT },
		{ 80, false, 80, true, BERTH_RESERVED_NOT },
		{ 80, false, 80, false, BERTH_RESERVED_PRIVILEGED },
		{ 81, false, 80, true, BERTH_RESERVED_PRIVILEGED },
		{ 0, false, 1, true, BERTH_RESERVED_BROWSER },
		{ 1024, false, 1023, true, BERTH_RESERVED_PRIVILEGED },
		{ 1024, false, 1024, false, BERTH_RESERVED_NOT },
		{ 2000, false, 1999, true, BERTH_RESERVED_PRIVILEGED },
		{ 2000, true, 1999, false, BERTH_RESERVED_NOT },
	};

	for (size_t i = 0; i < BERTH_ARRAY_SIZE(rows); i++) {
		reserved.unprivileged_start = rows[i].start;
		reserved.may_privileged = rows[i].may;
		assert_int_equal(berth_reserved_why(&reserved, rows[i].port, rows[i].explicitly),
				 rows[i].why);
	}
}

static void every_reason_can_be_said(void **state)
{
	assert_string_equal(berth_reserved_text(BERTH_RESERVED_BROWSER),
			    "browsers refuse to connect to it");
	for (int why = BERTH_RESERVED_NOT; why <= BERTH_RESERVED_USER; why++)
		assert_true(strlen(berth_reserved_text((enum berth_reserved_why)why)) > 0);
}

static void this_machine_tells_what_it_keeps_back(void **state)
{
	static struct berth_portset kernel;
	static char line[1 << 16];
	unsigned int start = 0;
	FILE *file;

	file = fopen("/proc/sys/net/ipv4/ip_unprivileged_port_start", "re");
	assert_non_null(file);
	assert_int_equal(fscanf(file, "%u", &start), 1);
	fclose(file);
	file = fopen("/proc/sys/net/ipv4/ip_local_reserved_ports", "re");
	assert_non_null(file);
	if (fgets(line, sizeof(line), file))
		assert_int_equal(berth_portset_parse(line, &kernel), 0);
	fclose(file);

	assert_int_equal(berth_reserved_load(&reserved, "7777, 8000-8001"), 0);
	assert_int_equal(reserved.unprivileged_start, start);
	assert_memory_equal(&reserved.kernel, &kernel, sizeof(kernel));
	assert_true(berth_portset_has(&reserved.user, 7777));
	assert_true(berth_portset_has(&reserved.user, 8001));
	assert_false(berth_portset_has(&reserved.user, 8002));
	assert_int_equal(berth_reserved_load(&reserved, NULL), 0);
	assert_false(berth_portset_has(&reserved.user, 7777));
}

static void a_bad_list_of_the_user_changes_nothing(void **state)
{
	reserved.unprivileged_start = 4711;
	assert_int_equal(berth_reserved_load(&reserved, "7777,x"), -EINVAL);
	assert_int_equal(berth_reserved_load(&reserved, "0"), -ERANGE);
	assert_int_equal(reserved.unprivileged_start, 4711);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(a_number_is_reserved_for_a_reason, fresh),
		cmocka_unit_test_setup(privileged_is_what_the_machine_says_and_the_user_named,
				       fresh),
		cmocka_unit_test(every_reason_can_be_said),
		cmocka_unit_test_setup(this_machine_tells_what_it_keeps_back, fresh),
		cmocka_unit_test_setup(a_bad_list_of_the_user_changes_nothing, fresh),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
