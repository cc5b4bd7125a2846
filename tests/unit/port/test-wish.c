/* SPDX-License-Identifier: MIT */
/* unit/port/test-wish.c - --port arguments, and what only all of them together can get wrong */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/str.h"
#include "port/wish.h"

enum {
	ARGUMENTS_MAX = 4
};

/* "main=5000,5001 dns=5353/udp" */
static void write_wish(const struct berth_wish *wish, struct berth_str *ret_text)
{
	for (size_t i = 0; i < wish->port_count; i++) {
		const struct berth_wish_port *port = &wish->ports[i];

		berth_str_addf(ret_text, "%s%s=", i > 0 ? " " : "", port->name);
		for (size_t k = 0; k < port->list_len; k++)
			berth_str_addf(ret_text, "%s%u", k > 0 ? "," : "", port->list[k]);
		berth_str_add(ret_text, port->udp ? "/udp" : "");
	}
}

static void arguments_become_named_lists(void **state)
{
	static const struct {
		const char *arguments[ARGUMENTS_MAX];
		const char *wish;
	} rows[] = {
		{ { "5000" }, "main=5000" },
		{ { ":5000" }, "main=5000" },
		{ { "5000,5001,3000" }, "main=5000,5001,3000" },
		{ { "5000", "5001,3000" }, "main=5000,5001,3000" },
		{ { "http=8080" }, "http=8080" },
		{ { "http=8080,8090", "ws=8081,8091" }, "http=8080,8090 ws=8081,8091" },
		{ { "http=8080", "ws=8081", "http=8090" }, "http=8080,8090 ws=8081" },
		{ { "http=8080", "9000" }, "http=8080 main=9000" },
		{ { "main=8080", "9000" }, "main=8080,9000" },
		{ { "dns=5353/udp" }, "dns=5353/udp" },
		{ { "5353/udp" }, "main=5353/udp" },
		{ { "5353/tcp" }, "main=5353" },
		{ { "dns=5353,5354/udp", "dns=5355/udp" }, "dns=5353,5354,5355/udp" },
		{ { "a2-b=1,65535" }, "a2-b=1,65535" },
		{ { "nonesuch=1", "anyone=2" }, "nonesuch=1 anyone=2" },
		{ { "abcdefghijklmnopqrstuvwxyz01234=1" }, "abcdefghijklmnopqrstuvwxyz01234=1" },
	};

	for (size_t i = 0; i < BERTH_ARRAY_SIZE(rows); i++) {
		BERTH_CLEANUP(berth_str_deinit) struct berth_str text = { 0 };
		struct berth_wish wish = { 0 };
		struct berth_err err = { 0 };
		bool none = false;

		for (size_t k = 0; k < ARGUMENTS_MAX && rows[i].arguments[k]; k++)
			assert_int_equal(
				berth_wish_add_port(&wish, rows[i].arguments[k], &none, &err), 0);
		write_wish(&wish, &text);
		assert_string_equal(berth_str_text(&text), rows[i].wish);
		assert_false(none);
		assert_int_equal(berth_wish_check(&wish, &err), 0);
	}
}

static void none_is_no_port(void **state)
{
	struct berth_wish wish = { 0 };
	struct berth_err err = { 0 };
	bool none = false;

	assert_int_equal(berth_wish_add_port(&wish, "none", &none, &err), 0);
	assert_true(none);
	assert_int_equal(wish.port_count, 0);
}

static void what_is_no_port_is_named_in_the_error(void **state)
{
	static const struct {
		const char *argument, *msg, *hint;
	} rows[] = {
		{ "", "--port '': '' is no port number", "" },
		{ "x", "--port 'x': 'x' is no port number", "" },
		{ "5000,", "--port '5000,': '' is no port number", "" },
		{ ",5000", "--port ',5000': '' is no port number", "" },
		{ "5000 ", "--port '5000 ': '5000 ' is no port number", "" },
		{ "http=", "--port 'http=': '' is no port number", "" },
		{ "http=none", "--port 'http=none': 'none' is no port number", "" },
		{ "/udp", "--port '/udp': '' is no port number", "" },
		{ "5000/sctp", "--port '5000/sctp': '/sctp' is no protocol, only /tcp and /udp are",
		  "" },
		{ "5000/udp,5001",
		  "--port '5000/udp,5001': '/udp,5001' is no protocol, only /tcp and /udp are",
		  "" },
		{ "0", "--port '0': port '0' is not in 1-65535",
		  "for a number of the kernel's choice: --any" },
		{ "any", "--port 'any': 'any' is no port number",
		  "for a number of the kernel's choice: --any" },
		{ "65536", "--port '65536': port '65536' is not in 1-65535", "" },
		{ "00000000000000005000",
		  "--port '00000000000000005000': '00000000000000005000' is no port number", "" },
		{ "5002-5012", "--port '5002-5012': '5002-5012' is no port number",
		  "ranges go to --range" },
		{ "a=b=1", "--port 'a=b=1': 'b=1' is no port number", "" },
		{ "=5000", "--port '=5000': '' is no name for a port", NULL },
		{ "Http=5000", "--port 'Http=5000': 'Http' is no name for a port", NULL },
		{ "5000=5000", "--port '5000=5000': '5000' is no name for a port", NULL },
		{ "a_b=5000", "--port 'a_b=5000': 'a_b' is no name for a port", NULL },
		{ "none=5000", "--port 'none=5000': 'none' is no name for a port", NULL },
		{ "any=5000", "--port 'any=5000': 'any' is no name for a port", NULL },
		{ "abcdefghijklmnopqrstuvwxyz012345=1",
		  "--port 'abcdefghijklmnopqrstuvwxyz012345=1': "
		  "'abcdefghijklmnopqrstuvwxyz012345' is no name for a port",
		  NULL },
		{ "\x1b[31m", "--port '\\e[31m': '\\e[31m' is no port number", "" },
	};

	for (size_t i = 0; i < BERTH_ARRAY_SIZE(rows); i++) {
		struct berth_wish wish = { 0 };
		struct berth_err err = { 0 };
		bool none = false;

		assert_int_equal(berth_wish_add_port(&wish, rows[i].argument, &none, &err),
				 -EINVAL);
		assert_int_equal(err.code, BERTH_ERR_USAGE);
		assert_string_equal(err.msg, rows[i].msg);
		if (rows[i].hint)
			assert_string_equal(err.hint, rows[i].hint);
		else
			assert_true(err.hint[0] != '\0');
		assert_int_equal(wish.port_count, 0);
		assert_false(none);
	}
}

static void a_refused_argument_leaves_the_wish_alone(void **state)
{
	struct berth_wish wish = { 0 };
	struct berth_err err = { 0 };
	bool none = false;

	assert_int_equal(berth_wish_add_port(&wish, "dns=53", &none, &err), 0);
	assert_int_equal(berth_wish_add_port(&wish, "dns=54,55,x", &none, &err), -EINVAL);
	assert_int_equal(wish.ports[0].list_len, 1);
	assert_int_equal(berth_wish_add_port(&wish, "dns=53/udp", &none, &err), -EINVAL);
	assert_string_equal(err.msg, "port 'dns' is both TCP and UDP");
	assert_false(wish.ports[0].udp);
}

static void lists_and_names_have_a_limit(void **state)
{
	struct berth_wish wish = { 0 };
	struct berth_err err = { 0 };
	bool none = false;
	char text[32];

	for (int i = 0; i < BERTH_WISH_LIST_MAX; i++) {
		snprintf(text, sizeof(text), "a=%d", 2000 + i);
		assert_int_equal(berth_wish_add_port(&wish, text, &none, &err), 0);
	}
	assert_int_equal(berth_wish_add_port(&wish, "a=3000", &none, &err), -EINVAL);
	assert_int_equal(wish.ports[0].list_len, BERTH_WISH_LIST_MAX);
	assert_int_equal(berth_wish_check(&wish, &err), 0);

	for (int i = 1; i < BERTH_WISH_PORTS_MAX; i++) {
		snprintf(text, sizeof(text), "b%d=%d", i, 4000 + i);
		assert_int_equal(berth_wish_add_port(&wish, text, &none, &err), 0);
	}
	assert_int_equal(berth_wish_add_port(&wish, "c=5000", &none, &err), -EINVAL);
	assert_int_equal(wish.port_count, BERTH_WISH_PORTS_MAX);
}

static void one_argument_has_a_limit_too(void **state)
{
	BERTH_CLEANUP(berth_str_deinit) struct berth_str text = { 0 };
	struct berth_wish wish = { 0 };
	struct berth_err err = { 0 };
	bool none = false;

	berth_str_add(&text, "1");
	for (int i = 2; i <= BERTH_WISH_LIST_MAX + 1; i++)
		berth_str_addf(&text, ",%d", i);
	assert_int_equal(berth_wish_add_port(&wish, berth_str_text(&text), &none, &err), -EINVAL);
	assert_non_null(strstr(err.msg, "more than 64 numbers for port 'main'"));
}

static void only_the_whole_tells_these(void **state)
{
	static const struct {
		const char *arguments[ARGUMENTS_MAX];
		struct berth_range range;
		const char *msg; /* NULL: fine */
	} rows[] = {
		{ { "5000,5001" } },
		{ { "5000,5001,5000" }, .msg = "port 'main' names 5000 twice" },
		{ { "a=80", "b=80" }, .msg = "ports 'a' and 'b' both wish 80" },
		{ { "a=80", "b=80/udp" } },
		{ { "a=80,81", "b=82,81" }, .msg = "ports 'a' and 'b' both wish 81" },
		{ { "a=80,81", "b=81,80" } },
		{ { "a=80,81", "b=82,83,84" },
		  .msg = "ports 'a' and 'b' have lists of different length (2, 3)" },
		{ { "a=80,81,82", "b=90", "c=70,71,72" } },
		{ { "a=80,81,82", "b=90", "c=70,71" },
		  .msg = "ports 'a' and 'c' have lists of different length (3, 2)" },
		{ { "5000" }, { 5000, 5010 } },
		{ { "5010,8000" }, { 5000, 5010 } },
		{ { "5011" },
		  { 5000, 5010 },
		  "port 'main' wishes 5011, which is not in the range 5000-5010" },
		{ { "a=5000", "b=5011" },
		  { 5000, 5010 },
		  "port 'b' wishes 5011, which is not in the range 5000-5010" },
		{ { "80" }, { 8080, 8090 } },
	};

	for (size_t i = 0; i < BERTH_ARRAY_SIZE(rows); i++) {
		struct berth_wish wish = { .range = rows[i].range };
		struct berth_err err = { 0 };
		bool none;
		int r;

		for (size_t k = 0; k < ARGUMENTS_MAX && rows[i].arguments[k]; k++)
			assert_int_equal(
				berth_wish_add_port(&wish, rows[i].arguments[k], &none, &err), 0);
		r = berth_wish_check(&wish, &err);
		assert_int_equal(r, rows[i].msg ? -EINVAL : 0);
		assert_string_equal(err.msg, rows[i].msg ? rows[i].msg : "");
		assert_int_equal(err.code, rows[i].msg ? BERTH_ERR_USAGE : BERTH_ERR_NONE);
	}
}

/* As written by write_wish(), with "(ALIAS)" behind the name where there is one. */
static void write_moved(const struct berth_wish *wish, struct berth_str *ret_text)
{
	for (size_t i = 0; i < wish->port_count; i++) {
		const struct berth_wish_port *port = &wish->ports[i];

		berth_str_addf(ret_text, "%s%s", i > 0 ? " " : "", port->name);
		if (port->alias)
			berth_str_addf(ret_text, "(%u)", port->alias);
		for (size_t k = 0; k < port->list_len; k++)
			berth_str_addf(ret_text, "%c%u", k > 0 ? ',' : '=', port->list[k]);
	}
	if (wish->range.lo)
		berth_str_addf(ret_text, " in %u-%u", wish->range.lo, wish->range.hi);
}

static void a_moved_wish_is_known_by_its_old_number(void **state)
{
	static const struct {
		const char *what, *arguments[ARGUMENTS_MAX];
		struct berth_range range;
		size_t index;
		uint16_t numbers[2]; /* one after the other; 0: no second */
		const char *wish;
	} rows[] = {
		{ "nothing was wished", { "9000" }, .numbers = { 9000 }, .wish = "main=9000" },
		{ "another number", { "9000" }, .numbers = { 9005 }, .wish = "main(9000)=9005" },
		{ "twice", { "9000" }, .numbers = { 9005, 9007 }, .wish = "main(9000)=9007" },
		{ "and back", { "9000" }, .numbers = { 9005, 9000 }, .wish = "main(9000)=9000" },
		{ "fallbacks follow",
		  { "9000,9100,9200" },
		  .numbers = { 9005 },
		  .wish = "main(9000)=9005,9100,9200" },
		{ "to one of them",
		  { "9000,9100,9200" },
		  .numbers = { 9200 },
		  .wish = "main(9000)=9200,9000,9100" },
		{ "within its range",
		  { "9000" },
		  { 9000, 9099 },
		  .numbers = { 9050 },
		  .wish = "main(9000)=9050 in 9000-9099" },
		{ "out of it: one as long begins there",
		  { "9000" },
		  { 9000, 9099 },
		  .numbers = { 7000 },
		  .wish = "main(9000)=7000 in 7000-7099" },
		{ "which ends with the numbers",
		  { "9000" },
		  { 9000, 9099 },
		  .numbers = { 65500 },
		  .wish = "main(9000)=65500 in 65500-65535" },
		{ "the others keep their distance",
		  { "http=8080", "ws=8081" },
		  .numbers = { 8100 },
		  .wish = "http(8080)=8100 ws(8081)=8101" },
		{ "from the second as well",
		  { "http=8080", "ws=8081" },
		  .index = 1,
		  .numbers = { 8100 },
		  .wish = "http(8080)=8099 ws(8081)=8100" },
		{ "where there is room",
		  { "http=8080", "ws=8081" },
		  .numbers = { 65535 },
		  .wish = "http(8080)=65535 ws=8081" },
		{ "downwards too",
		  { "http=8080", "ws=70" },
		  .numbers = { 8000 },
		  .wish = "http(8080)=8000 ws=70" },
	};

	(void)state;
	for (size_t i = 0; i < BERTH_ARRAY_SIZE(rows); i++) {
		BERTH_CLEANUP(berth_str_deinit) struct berth_str text = { 0 };
		struct berth_wish wish = { .range = rows[i].range };
		struct berth_err err = { 0 };
		bool none = false;

		for (size_t k = 0; k < ARGUMENTS_MAX && rows[i].arguments[k]; k++)
			assert_int_equal(
				berth_wish_add_port(&wish, rows[i].arguments[k], &none, &err), 0);
		for (size_t k = 0; k < BERTH_ARRAY_SIZE(rows[i].numbers); k++)
			if (rows[i].numbers[k])
				berth_wish_move(&wish, rows[i].index, rows[i].numbers[k]);
		write_moved(&wish, &text);
		if (strcmp(berth_str_text(&text), rows[i].wish) != 0)
			fail_msg("%s: %s, expected %s", rows[i].what, berth_str_text(&text),
				 rows[i].wish);
		assert_int_equal(berth_wish_check(&wish, &err), 0);
	}
}

static void a_port_without_a_wish_gets_one_and_no_other_name(void **state)
{
	struct berth_wish wish = { .ports = { { .name = "main" }, { .name = "ws" } },
				   .port_count = 2 };

	(void)state;
	berth_wish_move(&wish, 0, 9000);
	assert_int_equal(wish.ports[0].list_len, 1);
	assert_int_equal(wish.ports[0].list[0], 9000);
	assert_int_equal(wish.ports[0].alias, 0);
	assert_int_equal(wish.ports[1].list_len, 0);
}

static void a_full_list_has_room_for_a_move(void **state)
{
	struct berth_wish wish = { .ports = { { .name = "main", .list_len = BERTH_WISH_LIST_MAX } },
				   .port_count = 1 };

	(void)state;
	for (uint16_t i = 0; i < BERTH_WISH_LIST_MAX; i++)
		wish.ports[0].list[i] = (uint16_t)(2000 + i);
	berth_wish_move(&wish, 0, 9000);
	assert_int_equal(wish.ports[0].list_len, BERTH_WISH_LIST_MAX);
	assert_int_equal(wish.ports[0].list[0], 9000);
	assert_int_equal(wish.ports[0].list[1], 2001);
	assert_int_equal(wish.ports[0].alias, 2000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(arguments_become_named_lists),
		cmocka_unit_test(none_is_no_port),
		cmocka_unit_test(what_is_no_port_is_named_in_the_error),
		cmocka_unit_test(a_refused_argument_leaves_the_wish_alone),
		cmocka_unit_test(lists_and_names_have_a_limit),
		cmocka_unit_test(one_argument_has_a_limit_too),
		cmocka_unit_test(only_the_whole_tells_these),
		cmocka_unit_test(a_moved_wish_is_known_by_its_old_number),
		cmocka_unit_test(a_port_without_a_wish_gets_one_and_no_other_name),
		cmocka_unit_test(a_full_list_has_room_for_a_move),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
