/* SPDX-License-Identifier: MIT */
/* unit/stack/test-exports.c - variables that come back from their readers as they were */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "stack/dotenv.h"
#include "stack/exports.h"

static const char *const pairs[] = {
	"PORT=9001",
	"BACKEND_URL=http://localhost:9001",
	"EMPTY=",
	"EQUALS=a=b",
	"BLANKS= a  b ",
	"QUOTE=it's",
	"DOUBLE=say \"x\"",
	"BOTH='\"",
	"BACKSLASH=C:\\new\\",
	"DOLLAR=$HOME ${PORT} `id` $(id)",
	"HASH=a #b",
	"LINES=one\ntwo\r\nthree\r",
	"TAB=a\tb",
	"BYTES=\xc3\xa4\xff\x01\x1b[0m\x7f",
	"GLOB=* ? [a] ~ ! & ; | < > ( )",
	NULL,
};

static const char *const strange[] = {
	"", "A", "=x", "1A=x", "A-B=x", "A.B=x", "A B=x", "\xc3\xa4=x", "A=1", NULL,
};

static void dotenv_reads_back_what_was_written(void **state)
{
	BERTH_CLEANUP(berth_str_deinit) struct berth_str text = { 0 };
	BERTH_CLEANUP(berth_dotenv_deinit) struct berth_dotenv env = { 0 };
	struct berth_err err = { 0 };

	(void)state;
	berth_exports_format(BERTH_EXPORTS_DOTENV, pairs, &text);
	if (berth_dotenv_parse(text.text, text.len, "f", &env, &err) < 0)
		fail_msg("%s in %s", err.msg, text.text);
	assert_int_equal(env.count, BERTH_ARRAY_SIZE(pairs) - 1);
	for (size_t i = 0; i < env.count; i++) {
		char pair[256];

		snprintf(pair, sizeof(pair), "%s=%s", env.entries[i].key, env.entries[i].value);
		assert_string_equal(pair, pairs[i]);
	}
}

static void every_character_comes_back_from_dotenv(void **state)
{
	char pair[8] = "A=";
	const char *const one[] = { pair, NULL };

	(void)state;
	for (unsigned int c = 1; c < 256 * 256; c++) {
		BERTH_CLEANUP(berth_str_deinit) struct berth_str text = { 0 };
		BERTH_CLEANUP(berth_dotenv_deinit) struct berth_dotenv env = { 0 };

		pair[2] = (char)(c & 255 ? c & 255 : 'x');
		pair[3] = (char)(c >> 8);
		berth_exports_format(BERTH_EXPORTS_DOTENV, one, &text);
		assert_int_equal(berth_dotenv_parse(text.text, text.len, "f", &env, NULL), 0);
		assert_int_equal(env.count, 1);
		assert_string_equal(env.entries[0].value, pair + 2);
	}
}

static void what_is_plain_stays_plain(void **state)
{
	static const char *const plain[] = { "PORT=9001", "URL=http://localhost:9001", "A=it's",
					     "B=a b", NULL };
	BERTH_CLEANUP(berth_str_deinit) struct berth_str dotenv = { 0 };
	BERTH_CLEANUP(berth_str_deinit) struct berth_str bash = { 0 };
	BERTH_CLEANUP(berth_str_deinit) struct berth_str fish = { 0 };

	(void)state;
	berth_exports_format(BERTH_EXPORTS_DOTENV, plain, &dotenv);
	assert_string_equal(dotenv.text,
			    "PORT=9001\nURL=http://localhost:9001\nA=\"it's\"\nB='a b'\n");
	berth_exports_format(BERTH_EXPORTS_BASH, plain, &bash);
	assert_string_equal(bash.text, "export PORT='9001'\n"
				       "export URL='http://localhost:9001'\n"
				       "export A='it'\\''s'\nexport B='a b'\n");
	berth_exports_format(BERTH_EXPORTS_FISH, plain, &fish);
	assert_string_equal(fish.text, "set -gx PORT '9001'\n"
				       "set -gx URL 'http://localhost:9001'\n"
				       "set -gx A 'it\\'s'\nset -gx B 'a b'\n");
}

/* What `sh` has in each variable after reading the text. */
static void a_shell_reads_back_what_was_written(void **state)
{
	BERTH_CLEANUP(berth_str_deinit) struct berth_str text = { 0 };
	char script[] = "/tmp/berth-exports-XXXXXX", command[128], value[256];
	int fd = mkstemp(script);

	(void)state;
	assert_true(fd >= 0);
	berth_exports_format(BERTH_EXPORTS_SH, pairs, &text);
	assert_int_equal(write(fd, text.text, text.len), (ssize_t)text.len);
	close(fd);
	for (size_t i = 0; pairs[i]; i++) {
		const char *equals = strchr(pairs[i], '=');
		FILE *shell;
		size_t len;

		snprintf(command, sizeof(command), ". %s; printf %%s \"$%.*s\"", script,
			 (int)(equals - pairs[i]), pairs[i]);
		shell = popen(command, "re");
		assert_non_null(shell);
		len = fread(value, 1, sizeof(value) - 1, shell);
		value[len] = '\0';
		assert_int_equal(pclose(shell), 0);
		assert_string_equal(value, equals + 1);
	}
	unlink(script);
}

static void what_is_no_name_of_a_variable_is_left_out(void **state)
{
	(void)state;
	for (unsigned int format = 0; format < BERTH_EXPORTS_COUNT_; format++) {
		BERTH_CLEANUP(berth_str_deinit) struct berth_str text = { 0 };

		berth_exports_format((enum berth_exports)format, strange, &text);
		assert_string_equal(text.text, format == BERTH_EXPORTS_DOTENV ? "A=1\n"
					       : format == BERTH_EXPORTS_FISH ? "set -gx A '1'\n"
									      : "export A='1'\n");
	}
}

static void the_shell_is_known_by_its_path(void **state)
{
	(void)state;
	assert_int_equal(berth_exports_of_shell("/usr/bin/fish"), BERTH_EXPORTS_FISH);
	assert_int_equal(berth_exports_of_shell("/bin/bash"), BERTH_EXPORTS_BASH);
	assert_int_equal(berth_exports_of_shell("zsh"), BERTH_EXPORTS_ZSH);
	assert_int_equal(berth_exports_of_shell("/bin/dash"), BERTH_EXPORTS_SH);
	assert_int_equal(berth_exports_of_shell("dotenv"), BERTH_EXPORTS_SH);
	assert_int_equal(berth_exports_of_shell(""), BERTH_EXPORTS_SH);
	assert_int_equal(berth_exports_of_shell(NULL), BERTH_EXPORTS_SH);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(dotenv_reads_back_what_was_written),
		cmocka_unit_test(every_character_comes_back_from_dotenv),
		cmocka_unit_test(what_is_plain_stays_plain),
		cmocka_unit_test(a_shell_reads_back_what_was_written),
		cmocka_unit_test(what_is_no_name_of_a_variable_is_left_out),
		cmocka_unit_test(the_shell_is_known_by_its_path),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
