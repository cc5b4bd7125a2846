/* SPDX-License-Identifier: MIT */
/* unit/cli/test-services.c - records and answers in, what commands make of them out */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "cli/services.h"

static json_t *record(const char *family, const char *root, int instance)
{
	return json_pack("{s:{s:s,s:i},s:{s:s}}", "service", "root", root, "instance", instance,
			 "berth", "family", family);
}

static void instances_are_one_service_and_copies_are_not(void **state)
{
	static const struct {
		const char *family, *root;
		bool one;
	} cases[] = {
		{ "f", "/a", true },
		{ "g", "/a", false },
		{ "f", "/b", false }, /* another worktree */
	};

	for (size_t i = 0; i < BERTH_ARRAY_SIZE(cases); i++) {
		BERTH_AUTO_JSON json_t *records = json_array();

		json_array_append_new(records, record("f", "/a", 1));
		assert_true(berth_services_is_one(records));
		json_array_append_new(records, record(cases[i].family, cases[i].root, 2));
		assert_int_equal(berth_services_is_one(records), cases[i].one);
	}
}

/* With messages to nowhere: what counts is the outcome. */
static int check(const char *state_name, const char *started_at, struct berth_err *err)
{
	BERTH_AUTO_JSON json_t *service =
		json_pack("{s:s?,s:s?}", "state", state_name, "started_at", started_at);
	struct berth_cli cli = { 0 };
	struct berth_out_options options = { .json = true };
	int r;

	berth_out_init(&cli.out, stdout, stderr, &options);
	r = berth_services_check_ready(&cli, service, "shop/api", err);
	assert_int_equal(cli.out.extra != NULL, r < 0);
	berth_out_deinit(&cli.out);
	return r;
}

static void only_ready_is_ready(void **state)
{
	static const char since[] = "2026-11-21T09:30:00.000Z";
	static const struct {
		const char *state, *started_at;
		enum berth_err_code code;
		const char *msg;
	} cases[] = {
		{ "stopped", since, BERTH_ERR_START_FAILED,
		  "'shop/api' ended before it was ready" },
		{ "failed", since, BERTH_ERR_START_FAILED, "'shop/api' ended before it was ready" },
		{ "starting", since, BERTH_ERR_NOT_READY,
		  "'shop/api' is not ready: it is starting" },
		{ "unready", since, BERTH_ERR_NOT_READY, "'shop/api' is not ready: it is unready" },
		{ "stopped", NULL, BERTH_ERR_START_FAILED,
		  "'shop/api' was not started: what it waited for has not come, or it was stopped "
		  "meanwhile" },
		{ "waiting", NULL, BERTH_ERR_NOT_READY, "'shop/api' is not ready: it is waiting" },
	};
	struct berth_err err = { 0 };

	assert_int_equal(check("ready", since, &err), 0);
	assert_int_equal(err.code, BERTH_ERR_NONE);
	for (size_t i = 0; i < BERTH_ARRAY_SIZE(cases); i++) {
		assert_int_equal(check(cases[i].state, cases[i].started_at, &err), -EIO);
		assert_int_equal(err.code, cases[i].code);
		assert_string_equal(err.msg, cases[i].msg);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(instances_are_one_service_and_copies_are_not),
		cmocka_unit_test(only_ready_is_ready),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
