/* SPDX-License-Identifier: MIT */
/* unit/service/test-check.c - what --ready and --live take, and what they say to the rest */
#include "service/check.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static const struct {
	const char *text;
	enum berth_check_kind kind;
	const char *arg, *format;
	bool live;
} good[] = {
	{ "listen", BERTH_CHECK_LISTEN, NULL, "listen" },
	{ "tcp", BERTH_CHECK_TCP, NULL, "tcp", .live = true },
	{ "notify", BERTH_CHECK_NOTIFY, NULL, "notify" },
	{ "started", BERTH_CHECK_NONE, NULL, "started" },
	{ "http /", BERTH_CHECK_HTTP, "/", "http /", .live = true },
	{ "http:/a:b?c=%20&d", BERTH_CHECK_HTTP, "/a:b?c=%20&d", "http /a:b?c=%20&d",
	  .live = true },
	{ "log listening on", BERTH_CHECK_LOG, "listening on", "log listening on" },
	{ "log:^\\[ok\\] (a|b):", BERTH_CHECK_LOG, "^\\[ok\\] (a|b):", "log ^\\[ok\\] (a|b):" },
	{ "log  two blanks", BERTH_CHECK_LOG, " two blanks", "log  two blanks" },
	{ "exec pg_isready -p {port}", BERTH_CHECK_EXEC, "pg_isready -p {port}",
	  "exec pg_isready -p {port}", .live = true },
	{ "exec:test -e \"a b\" || exit 3", BERTH_CHECK_EXEC, "test -e \"a b\" || exit 3",
	  "exec test -e \"a b\" || exit 3", .live = true },
};

static const struct {
	const char *text;
	const char *msg, *hint; /* part of it; NULL: none is given */
	bool live;
} bad[] = {
	{ "", "''", "listen, tcp" },
	{ "htpp /health", "'htpp'", "did you mean 'http'" },
	{ "lisen", "'lisen' does not tell whether a service is ready", "'listen'" },
	{ "LISTEN", "'LISTEN'", "'listen'" },
	{ "none", "'none'", "" },
	{ "a-word-longer-than-any-of-ours", "'a-word-longer-than", "listen, tcp" },
	{ "\033[31m", "'\\e[31m'", "listen, tcp" },
	{ "tcp 5000", "'tcp' stands alone", NULL },
	{ "listen:", "'listen' stands alone", NULL },
	{ "started x", "'started' stands alone", NULL },
	{ "http", "'http' needs a PATH", "'http /health'" },
	{ "http ", "'http' needs a PATH", "'http /health'" },
	{ "http health", "'health' is no path", "the path alone" },
	{ "http://localhost:5000/health", "'//localhost:5000/health' is no path",
	  "the path alone" },
	{ "http /a b", "'/a b'", "%20" },
	{ "http /a\r\nX: y", "'/a\\r\\nX: y'", "%20" },
	{ "http /a\x7f", "'/a\\x7f'", "%20" },
	{ "http /\xc3\xa4", "'/\xc3\xa4'", "%C3%A4" },
	{ "http /#top", "'/#top'", "%20" },
	{ "exec", "'exec' needs a COMMAND", "'exec pg_isready -p {port}'" },
	{ "exec:", "'exec' needs a COMMAND", "'exec pg_isready -p {port}'", .live = true },
	{ "exce x", "'exce' does not tell", "did you mean 'exec'" },
	{ "log", "'log' needs a PATTERN", "'log listening on'" },
	{ "log (", "'(' is no extended regular expression: ", "backslash" },
	{ "log [a", "'[a' is no extended regular expression: ", "backslash" },
	{ "listen", "'listen' tells when a service is ready", "or 'exec", .live = true },
	{ "notify", "'notify' tells when", "or 'exec", .live = true },
	{ "started", "'started' tells when", "or 'exec", .live = true },
	{ "log x", "'log' tells when", "or 'exec", .live = true },
	{ "htp", "'htp' does not tell whether a service is alive", "'http'", .live = true },
	{ "something", "is alive", "or 'exec", .live = true },
	{ "http x", "'x' is no path", "the path alone", .live = true },
};

static void each_check_is_read_and_written_as_it_was(void **state)
{
	struct berth_check check;
	struct berth_err err = { 0 };
	char buf[64];

	for (size_t i = 0; i < BERTH_ARRAY_SIZE(good); i++) {
		for (int live = 0; live <= good[i].live; live++) {
			memset(&check, 0xa5, sizeof(check));
			if (berth_check_parse(good[i].text, live, &check, &err) != 0)
				fail_msg("'%s': %s", good[i].text, err.msg);
			assert_int_equal(check.kind, good[i].kind);
			if (good[i].arg)
				assert_string_equal(check.arg, good[i].arg);
			else
				assert_null(check.arg);
			assert_string_equal(berth_check_format(&check, buf, sizeof(buf)),
					    good[i].format);
		}
	}
}

static void all_else_is_refused_with_a_reason(void **state)
{
	struct berth_check check, before;
	struct berth_err err;

	memset(&before, 0xa5, sizeof(before));
	for (size_t i = 0; i < BERTH_ARRAY_SIZE(bad); i++) {
		check = before;
		err = (struct berth_err){ 0 };
		if (berth_check_parse(bad[i].text, bad[i].live, &check, &err) != -EINVAL)
			fail_msg("'%s' was taken", bad[i].text);
		assert_memory_equal(&check, &before, sizeof(check));
		assert_int_equal(err.code, BERTH_ERR_USAGE);
		if (!strstr(err.msg, bad[i].msg))
			fail_msg("'%s': message: %s", bad[i].text, err.msg);
		if (bad[i].hint ? !strstr(err.hint, bad[i].hint) : err.hint[0] != '\0')
			fail_msg("'%s': hint: %s", bad[i].text, err.hint);
		assert_int_equal(berth_check_parse(bad[i].text, bad[i].live, &check, NULL),
				 -EINVAL);
	}
}

static void what_is_far_too_long_is_refused(void **state)
{
	char text[2048] = "http /";
	struct berth_check check;
	struct berth_err err;

	memset(text + strlen(text), 'a', 1023);
	assert_int_equal(berth_check_parse(text, true, &check, &err), 0);
	text[strlen(text)] = 'a';
	assert_int_equal(berth_check_parse(text, true, &check, &err), -EINVAL);
	memcpy(text, "log  ", 5);
	assert_int_equal(berth_check_parse(text, false, &check, &err), -EINVAL);
	assert_non_null(strstr(err.msg, "more than 1024 bytes"));
}

static void a_command_may_be_longer(void **state)
{
	static char text[16 * 1024 + 16] = "exec ";
	struct berth_check check;
	struct berth_err err;

	memset(text + strlen(text), 'a', (size_t)16 * 1024);
	assert_int_equal(berth_check_parse(text, true, &check, &err), 0);
	text[strlen(text)] = 'a';
	assert_int_equal(berth_check_parse(text, true, &check, &err), -EINVAL);
	assert_non_null(strstr(err.msg, "more than 16384 bytes"));
}

static void a_text_that_does_not_fit_is_cut(void **state)
{
	struct berth_check none = { 0 }, http = { BERTH_CHECK_HTTP, "/health" };
	char buf[8];

	assert_string_equal(berth_check_format(&http, buf, sizeof(buf)), "http /h");
	assert_string_equal(berth_check_format(&none, buf, sizeof(buf)), "started");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_check_is_read_and_written_as_it_was),
		cmocka_unit_test(all_else_is_refused_with_a_reason),
		cmocka_unit_test(what_is_far_too_long_is_refused),
		cmocka_unit_test(a_command_may_be_longer),
		cmocka_unit_test(a_text_that_does_not_fit_is_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
