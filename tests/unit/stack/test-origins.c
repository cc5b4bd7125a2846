/* SPDX-License-Identifier: MIT */
/* unit/stack/test-origins.c - which origins a service is told, as browsers write them */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "stack/origins.h"

#define THREE(scheme, port) \
	scheme "://localhost" port "," scheme "://127.0.0.1" port "," scheme "://[::1]" port

static void a_service_is_told_at_its_number_and_at_the_one_it_asked_for(void **state)
{
	static const struct {
		const char *scheme;
		uint16_t port, asked;
		const char *value;
	} rows[] = {
		{ "http", 5174, 5173, THREE("http", ":5174") "," THREE("http", ":5173") },
		{ "http", 5173, 5173, THREE("http", ":5173") },
		{ "http", 5173, 0, THREE("http", ":5173") },
		{ "https", 8444, 443, THREE("https", ":8444") "," THREE("https", "") },
		{ "http", 8080, 80, THREE("http", ":8080") "," THREE("http", "") },
		{ "http", 443, 0, THREE("http", ":443") },
		{ "https", 80, 0, THREE("https", ":80") },
		{ "redis", 6380, 6379, "" },
		{ "", 6380, 6379, "" },
		{ "none", 9000, 0, "" },
	};

	(void)state;
	for (size_t i = 0; i < BERTH_ARRAY_SIZE(rows); i++) {
		BERTH_CLEANUP(berth_str_deinit) struct berth_str list = { 0 };

		assert_int_equal(berth_origins_add_service(&list, rows[i].scheme, rows[i].port,
							   rows[i].asked),
				 0);
		assert_string_equal(berth_str_text(&list), rows[i].value);
	}
}

static void nothing_comes_twice_and_the_order_is_that_of_the_calls(void **state)
{
	BERTH_CLEANUP(berth_str_deinit) struct berth_str list = { 0 };

	(void)state;
	assert_int_equal(berth_origins_add(&list, "https://app.example"), 0);
	assert_int_equal(berth_origins_add_service(&list, "http", 3000, 3000), 0);
	assert_int_equal(berth_origins_add_port(&list, "http", 3000), 0);
	assert_int_equal(berth_origins_add(&list, "http://localhost:3000"), 0);
	/* a beginning is not the same */
	assert_int_equal(berth_origins_add(&list, "https://app.exampl"), 0);
	assert_string_equal(berth_str_text(&list),
			    "https://app.example," THREE("http", ":3000") ",https://app.exampl");
}

static void only_origins_are_taken_and_never_a_wildcard(void **state)
{
	static const char *const valid[] = {
		"http://localhost",	 "http://localhost:3000",
		"https://app.example",	 "https://xn--bcher-kva.example:8443",
		"http://[::1]:5173",	 "http://127.0.0.1:1",
		"capacitor://localhost", "tauri+x.1-y://my_app.localhost",
	};
	static const char *const invalid[] = {
		"",
		"*",
		"null",
		"localhost:3000",
		"http://",
		"http://*",
		"http://*.example",
		"https://app.example/",
		"https://app.example/x",
		"https://app.example:",
		"https://app.example:0",
		"https://app.example:65536",
		"https://app.example::1",
		"https://a@app.example",
		"https://a,https://b",
		"https://a b",
		"1x://a",
		"://a",
		"http://[]",
		"http://[::1",
		"http://[::1]x",
	};
	BERTH_CLEANUP(berth_str_deinit) struct berth_str list = { 0 };

	(void)state;
	for (size_t i = 0; i < BERTH_ARRAY_SIZE(valid); i++)
		if (!berth_origins_is_valid(valid[i]))
			fail_msg("'%s' is an origin", valid[i]);
	for (size_t i = 0; i < BERTH_ARRAY_SIZE(invalid); i++)
		if (berth_origins_add(&list, invalid[i]) != -EINVAL)
			fail_msg("'%s' is no origin", invalid[i]);
	assert_string_equal(berth_str_text(&list), "");
}

static void the_list_has_an_end(void **state)
{
	BERTH_CLEANUP(berth_str_deinit) struct berth_str list = { 0 };
	int r = 0;

	(void)state;
	for (unsigned int port = 1; port <= UINT16_MAX && r == 0; port++)
		r = berth_origins_add_port(&list, "http", (uint16_t)port);
	assert_int_equal(r, -E2BIG);
	assert_true(list.len <= BERTH_ORIGINS_LEN_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_service_is_told_at_its_number_and_at_the_one_it_asked_for),
		cmocka_unit_test(nothing_comes_twice_and_the_order_is_that_of_the_calls),
		cmocka_unit_test(only_origins_are_taken_and_never_a_wildcard),
		cmocka_unit_test(the_list_has_an_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
