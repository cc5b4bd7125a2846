/* SPDX-License-Identifier: MIT */
/* unit/cli/test-holder-columns.c - the holders of ports as lines that people read */
#include "cli/holder-columns.h"

#include <locale.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/str.h"

/* One holder of which only @members are known. */
static json_t *holder_with(const char *members)
{
	json_t *holder = json_loads(members, 0, NULL);

	assert_non_null(holder);
	return holder;
}

static json_t *port_with(json_t *holders, int more)
{
	return json_pack("[{s:i,s:s,s:[],s:o,s:i}]", "port", 5000, "protocol", "tcp", "answers",
			 "holders", holders, "more", more);
}

/* The table of @ports at @width, without colours. */
static void assert_lines(json_t *ports, const char *names, unsigned int width, const char *expected)
{
	json_t *rows = berth_holder_columns_rows(ports, names);
	struct berth_out out = { .width = width };
	struct berth_err err = { 0 };
	char *text = NULL;
	size_t len;

	out.results = open_memstream(&text, &len);
	assert_int_equal(berth_holder_columns_print(rows, names, false, &out, &err), 0);
	assert_int_equal(fclose(out.results), 0);
	assert_string_equal(text, expected);
	free(text);
	json_decref(rows);
	json_decref(ports);
}

static void a_port_that_nobody_has_is_free(void **state)
{
	assert_lines(port_with(json_array(), 0), NULL, 0,
		     "PORT  STATE  HOLDER  USER  SINCE  COMMAND  WHERE\n"
		     "5000  free   -       -     -      -        -\n");
}

static void sockets_of_one_process_are_one_line(void **state)
{
	json_t *holders = json_pack(
		"[o,o,o]",
		holder_with("{\"kind\":\"listener\",\"address\":\"127.0.0.1\",\"pid\":812}"),
		holder_with("{\"kind\":\"listener\",\"address\":\"::1\",\"pid\":812}"),
		holder_with("{\"kind\":\"listener\",\"address\":\"10.0.0.1\",\"pid\":813}"));

	assert_lines(port_with(holders, 0), "port,address,pid", 0,
		     "PORT  ADDRESS        PID\n"
		     "5000  127.0.0.1,::1  812\n"
		     "5000  10.0.0.1       813\n");
}

static void what_berth_holds_beside_its_service_is_not_shown(void **state)
{
	json_t *holders = json_pack(
		"[o,o,o]",
		holder_with("{\"kind\":\"listener\",\"pid\":812,\"service\":{\"id\":\"2aaaaa\"}}"),
		holder_with("{\"kind\":\"lease\",\"pid\":810,\"service\":{\"id\":\"2aaaaa\"}}"),
		holder_with("{\"kind\":\"lease\",\"pid\":910,\"service\":{\"id\":\"2bbbbb\"}}"));

	assert_lines(port_with(holders, 0), "state,pid", 0,
		     "STATE      PID\n"
		     "listening  812\n"
		     "lease      910\n");
}

static void many_connections_are_one_line_with_their_number(void **state)
{
	json_t *holders = json_pack("[o,o]",
				    holder_with("{\"kind\":\"time_wait\",\"peer\":\"10.1.2.3:443\","
						"\"command\":[]}"),
				    holder_with("{\"kind\":\"time_wait\",\"peer\":\"10.1.2.4:443\","
						"\"command\":[]}"));

	assert_lines(port_with(holders, 40), "state,command", 0,
		     "STATE      COMMAND\n"
		     "time-wait  -> 10.1.2.3:443 and 41 more\n");
}

static void a_hidden_process_has_a_user_and_a_unit(void **state)
{
	json_t *holders = json_pack("[o]", holder_with("{\"kind\":\"listener\",\"pid\":null,"
						       "\"pid_visible\":false,\"uid\":70,"
						       "\"unit\":\"db.service\"}"));

	assert_lines(port_with(holders, 0), "holder,user,where", 0,
		     "HOLDER          USER    WHERE\n"
		     "process hidden  uid 70  db.service\n");
}

static void a_name_can_not_move_the_cursor(void **state)
{
	json_t *holders =
		json_pack("[{s:s,s:i,s:s,s:[s,s]}]", "kind", "listener", "pid", 812, "process",
			  "\033[2Jx\n", "command", "sh", "\033]0;owned\007\r\xc2\x9b");

	assert_lines(port_with(holders, 0), "holder,command", 0,
		     "HOLDER        COMMAND\n"
		     "\\e[2Jx\\n 812  sh $'\\e]0;owned\\x07\\r\\xc2\\x9b'\n");
}

static void where_is_what_tells_most(void **state)
{
	static const struct {
		const char *members, *where;
	} rows[] = {
		{ "{\"service\":{\"label\":\"shop/api\"},\"unit\":\"a.service\"}", "shop/api" },
		{ "{\"container\":{\"name\":\"web\",\"id\":\"0a\"},\"cwd\":\"/x\"}", "web" },
		{ "{\"container\":{\"name\":null,\"id\":\"0a\"},\"cwd\":\"/x\"}", "0a" },
		{ "{\"unit\":\"nginx.service\",\"cwd\":\"/\"}", "nginx.service" },
		{ "{\"unit\":\"session-2.scope\",\"cwd\":\"/srv\"}", "/srv" },
		{ "{\"unit\":\"user@1000.service\",\"cwd\":\"/srv\"}", "/srv" },
		{ "{\"project\":{\"root\":\"/home/ann/shop\"},\"cwd\":\"/x\"}", "~/shop" },
		{ "{\"cwd\":\"/home/annabel\"}", "/home/annabel" },
		{ "{\"netns\":\"blue\",\"cwd\":\"/\"}", "netns blue" },
		{ "{\"kind\":\"connection\",\"in_the_way\":true,\"cwd\":\"/x\"}",
		  "bind() fails although nobody listens" },
		{ "{\"kind\":\"reserved\",\"in_the_way\":false}", "ip_local_reserved_ports" },
	};

	assert_int_equal(setenv("HOME", "/home/ann", 1), 0);
	for (size_t i = 0; i < BERTH_ARRAY_SIZE(rows); i++) {
		char expected[128];

		snprintf(expected, sizeof(expected), "WHERE\n%s\n", rows[i].where);
		assert_lines(port_with(json_pack("[o]", holder_with(rows[i].members)), 0), "where",
			     0, expected);
	}
}

static json_t *usual(void)
{
	return port_with(json_pack("[o]", holder_with("{\"kind\":\"listener\",\"pid\":812,"
						      "\"process\":\"postgres\","
						      "\"user\":\"postgres\","
						      "\"command\":[\"postgres\",\"-D\",\"main\","
						      "\"-c\",\"config_file=/etc/postgresql\"],"
						      "\"unit\":\"postgresql@15-main.service\"}")),
			 0);
}

static void a_narrow_terminal_gets_fewer_columns(void **state)
{
	assert_lines(usual(), NULL, 0,
		     "PORT  STATE      HOLDER        USER      SINCE  COMMAND"
		     "                                          WHERE\n"
		     "5000  listening  postgres 812  postgres  -      postgres -D main -c "
		     "config_file=/etc/postgresql  postgresql@15-main.service\n");
	assert_lines(usual(), NULL, 80,
		     "PORT  STATE      HOLDER        USER      SINCE  COMMAND          WHERE\n"
		     "5000  listening  postgres 812  postgres  -      postgres -D ...  "
		     "postgresql@1...\n");
	assert_lines(usual(), NULL, 50,
		     "PORT  STATE      HOLDER        COMMAND   WHERE\n"
		     "5000  listening  postgres 812  postg...  postgr...\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_port_that_nobody_has_is_free),
		cmocka_unit_test(sockets_of_one_process_are_one_line),
		cmocka_unit_test(what_berth_holds_beside_its_service_is_not_shown),
		cmocka_unit_test(many_connections_are_one_line_with_their_number),
		cmocka_unit_test(a_hidden_process_has_a_user_and_a_unit),
		cmocka_unit_test(a_name_can_not_move_the_cursor),
		cmocka_unit_test(where_is_what_tells_most),
		cmocka_unit_test(a_narrow_terminal_gets_fewer_columns),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
