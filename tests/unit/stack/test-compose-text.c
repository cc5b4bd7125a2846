/* SPDX-License-Identifier: MIT */
/* unit/stack/test-compose-text.c - the small languages within a Compose file */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "stack/compose-text.h"

static void variables_are_written_as_berth_has_them(void **state)
{
	static const struct {
		const char *text, *value, *now;
		bool known;
	} rows[] = {
		{ "", "", "", true },
		{ "plain", "plain", "plain", true },
		{ "${A}", "${A}", "", true },
		{ "$A.b", "${A}.b", ".b", true },
		{ "${A:-b}", "${A:-b}", "b", true },
		{ "${A-b}", "${A:-b}", "b", true },
		{ "x${A:-${B:-c}d}y", "x${A:-${B:-c}d}y", "x${B:-c}dy", true },
		{ "${A:?gone}", "${A:?gone}", "", true },
		{ "${A?gone}", "${A:?gone}", "", true },
		{ "${A:+b}", "${A}", "", false },
		{ "${A+b}c", "${A}c", "c", false },
		{ "$$A", "$$A", "$A", true },
		{ "5$", "5$$", "5$", true },
		{ "$${a} {a}", "$${a} {{a}}", "${a} {a}", true },
		{ "$5 ${5} ${", "$$5 $${5} $${", "$5 ${5} ${", true },
		{ "{port}{a b}", "{{port}}{a b}", "{port}{a b}", true },
	};

	for (size_t i = 0; i < BERTH_ARRAY_SIZE(rows); i++) {
		BERTH_CLEANUP(berth_str_deinit) struct berth_str value = { 0 };
		BERTH_CLEANUP(berth_str_deinit) struct berth_str now = { 0 };

		assert_int_equal(berth_compose_text_value(&value, rows[i].text), rows[i].known);
		berth_compose_text_default(&now, rows[i].text);
		assert_string_equal(berth_str_text(&value), rows[i].value);
		assert_string_equal(berth_str_text(&now), rows[i].now);
	}
}

static void commands_are_split_as_a_shell_does(void **state)
{
	static const struct {
		const char *text, *words; /* NULL: they can't be */
	} rows[] = {
		{ "", "" },
		{ "  a   b\tc\n", "[a][b][c]" },
		{ "sh -c 'a b'", "[sh][-c][a b]" },
		{ "a\"b c\"d ''", "[ab cd][]" },
		{ "a\\ b \\\"", "[a b][\"]" },
		{ "\"a\\\"b\\n\"", "[a\"b\\n]" },
		{ "'a\\'", "[a\\]" },
		{ "'a", NULL },
		{ "\"a", NULL },
	};

	for (size_t i = 0; i < BERTH_ARRAY_SIZE(rows); i++) {
		BERTH_CLEANUP(berth_str_deinit) struct berth_str out = { 0 };
		char **words = berth_compose_text_words(rows[i].text);

		assert_int_equal(words != NULL, rows[i].words != NULL);
		for (size_t j = 0; words && words[j]; j++)
			berth_str_addf(&out, "[%s]", words[j]);
		berth_compose_text_free_words(words);
		if (rows[i].words)
			assert_string_equal(berth_str_text(&out), rows[i].words);
	}
}

static void ports_are_read(void **state)
{
	static const struct {
		const char *text;
		struct berth_compose_port port; /* target 0: refused */
	} rows[] = {
		{ "80", { .target = 80 } },
		{ "8080:80", { .target = 80, .published = 8080 } },
		{ "8080:80/tcp", { .target = 80, .published = 8080 } },
		{ "5353:53/udp", { .target = 53, .published = 5353, .udp = true } },
		{ "53/udp", { .target = 53, .udp = true } },
		{ "127.0.0.1:8080:80",
		  { .target = 80, .published = 8080, .address = "127.0.0.1" } },
		{ "127.0.0.1::80", { .target = 80, .address = "127.0.0.1" } },
		{ "[::1]:8080:80", { .target = 80, .published = 8080, .address = "[::1]" } },
		{ ":80", { .target = 80 } },
		{ "8080:", { 0 } },
		{ "", { 0 } },
		{ "3000-3005", { 0 } },
		{ "3000-3005:3000-3005", { 0 } },
		{ "0:80", { 0 } },
		{ "80/sctp", { 0 } },
		{ "8080:99999", { 0 } },
		{ "x", { 0 } },
	};

	for (size_t i = 0; i < BERTH_ARRAY_SIZE(rows); i++) {
		struct berth_compose_port port = { .target = 7 };
		bool good = berth_compose_text_parse_port(rows[i].text, &port);

		if (good != (rows[i].port.target != 0))
			fail_msg("'%s'", rows[i].text);
		if (!good)
			continue;
		assert_int_equal(port.target, rows[i].port.target);
		assert_int_equal(port.published, rows[i].port.published);
		assert_int_equal(port.udp, rows[i].port.udp);
		assert_string_equal(port.address, rows[i].port.address);
	}
}

static void images_are_known_by_the_end_of_their_name(void **state)
{
	static const struct {
		const char *image;
		uint16_t port;
	} rows[] = {
		{ "postgres", 5432 },
		{ "postgres:16-alpine", 5432 },
		{ "docker.io/library/redis@sha256:00", 6379 },
		{ "localhost:5000/postgis/postgis:1", 5432 },
		{ "clickhouse/clickhouse-server", 8123 },
		{ "mongo-express", 0 },
		{ "mypostgres", 0 },
		{ "redisx", 0 },
		{ "acme/api:redis", 0 },
		{ "", 0 },
	};

	for (size_t i = 0; i < BERTH_ARRAY_SIZE(rows); i++)
		assert_int_equal(berth_compose_text_image_port(rows[i].image), rows[i].port);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(variables_are_written_as_berth_has_them),
		cmocka_unit_test(commands_are_split_as_a_shell_does),
		cmocka_unit_test(ports_are_read),
		cmocka_unit_test(images_are_known_by_the_end_of_their_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
