/* SPDX-License-Identifier: MIT */
/* unit/stack/test-formation.c - how many of each service */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "stack/formation.h"

static void make(struct berth_manifest *manifest)
{
	assert_non_null(berth_manifest_add(manifest, "web"));
	assert_non_null(berth_manifest_add(manifest, "worker-1"));
	assert_non_null(berth_manifest_add(manifest, "clock"));
	assert_non_null(berth_manifest_add(manifest, "strict"));
	assert_non_null(berth_manifest_add(manifest, "narrow"));
	manifest->services[2].workers = 4;
	manifest->services[3].wish.strict = true;
	manifest->services[4].wish.port_count = 2;
	manifest->services[4].wish.range = (struct berth_range){ 9810, 9814 };
}

static void each_gets_its_number(void **state)
{
	static const struct {
		const char *text;
		unsigned int web, worker, clock; /* 0: not started */
	} rows[] = {
		{ "all=1", 1, 1, 1 },
		{ "web=2", 2, 0, 0 },
		{ "all=1,web=2", 2, 1, 1 },
		{ "web=2,all=1", 2, 1, 1 },
		{ "all=1,worker-1=0", 1, 0, 1 },
		{ "worker_1=3", 0, 3, 0 },
		{ " web = 2 , clock=1 ", 2, 0, 1 },
		{ "web=100", 100, 0, 0 },
		{ "clock=1", 0, 0, 1 },
		{ "web=1,strict=1,narrow=2", 1, 0, 0 },
	};

	for (size_t i = 0; i < BERTH_ARRAY_SIZE(rows); i++) {
		BERTH_CLEANUP(berth_manifest_deinit) struct berth_manifest manifest = { 0 };
		const unsigned int wanted[] = { rows[i].web, rows[i].worker, rows[i].clock };
		struct berth_err err = { 0 };
		bool started[5];

		make(&manifest);
		if (berth_formation_parse(rows[i].text, &manifest, NULL, started, &err) != 0)
			fail_msg("%s: %s", rows[i].text, err.msg);
		for (size_t j = 0; j < 3; j++) {
			assert_int_equal(started[j], wanted[j] > 0);
			assert_int_equal(manifest.services[j].instances, wanted[j] ? wanted[j] : 1);
		}
	}
}

static void what_is_none_is_refused(void **state)
{
	static const struct {
		const char *text, *msg, *hint;
	} rows[] = {
		{ "", "'' is not NAME=NUMBER", "as in: web=2,worker=1, with 0 to 100 of each" },
		{ "web", "'web' is not NAME=NUMBER",
		  "as in: web=2,worker=1, with 0 to 100 of each" },
		{ "web=", "'web=' is not NAME=NUMBER",
		  "as in: web=2,worker=1, with 0 to 100 of each" },
		{ "web=101", "'web=101' is not NAME=NUMBER",
		  "as in: web=2,worker=1, with 0 to 100 of each" },
		{ "web=-1", "'web=-1' is not NAME=NUMBER",
		  "as in: web=2,worker=1, with 0 to 100 of each" },
		{ "web=1,", "'' is not NAME=NUMBER",
		  "as in: web=2,worker=1, with 0 to 100 of each" },
		{ "wep=1", "no service is called 'wep'", "did you mean 'web'?" },
		{ "al=1", "no service is called 'al'", "did you mean 'all'?" },
		{ "=1", "no service is called ''", "" },
		{ "web=1,web=2", "'web' comes twice", "" },
		{ "all=1,all=2", "'all' comes twice", "" },
		{ "web=0", "that would start no service at all", "" },
		{ "clock=2", "'clock': 'workers' goes not with 'instances'",
		  "workers share one port, instances have a port each" },
		{ "strict=2", "'strict': 'strict' with 2 instances: only one can have the wish",
		  "'workers' share one port" },
		{ "narrow=3", "'narrow': the range has 5 numbers, and 3 instances need 6",
		  "at least 9810-9815" },
	};

	for (size_t i = 0; i < BERTH_ARRAY_SIZE(rows); i++) {
		BERTH_CLEANUP(berth_manifest_deinit) struct berth_manifest manifest = { 0 };
		struct berth_err err = { 0 };
		bool started[5] = { true, true, true, true, true };

		make(&manifest);
		assert_int_equal(
			berth_formation_parse(rows[i].text, &manifest, NULL, started, &err),
			-EINVAL);
		assert_int_equal(err.code, BERTH_ERR_USAGE);
		assert_string_equal(err.msg, rows[i].msg);
		assert_string_equal(err.hint, rows[i].hint);
		assert_true(started[0] && started[1] && started[2]);
		assert_int_equal(manifest.services[0].instances, 1);
	}
}

static void in_the_range_of_a_profile_other_numbers_count(void **state)
{
	const struct berth_manifest_profile profile = { .range = { 1000, 1100 } };
	BERTH_CLEANUP(berth_manifest_deinit) struct berth_manifest manifest = { 0 };
	struct berth_err err = { 0 };
	bool started[5];

	make(&manifest);
	assert_int_equal(
		berth_formation_parse("strict=2,narrow=3", &manifest, &profile, started, &err), 0);
	assert_int_equal(berth_formation_parse("clock=2", &manifest, &profile, started, &err),
			 -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_gets_its_number),
		cmocka_unit_test(what_is_none_is_refused),
		cmocka_unit_test(in_the_range_of_a_profile_other_numbers_count),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
