/* SPDX-License-Identifier: MIT */
/* unit/stack/test-dotenv.c - .env files, good and bad */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/str.h"
#include "stack/dotenv.h"

static int parse(const char *text, struct berth_dotenv *ret_env, struct berth_err *err)
{
	return berth_dotenv_parse(text, strlen(text), ".env", ret_env, err);
}

/* "[KEY]=[value]" for each entry. */
static void write_env(const struct berth_dotenv *env, struct berth_str *ret_text)
{
	for (size_t i = 0; i < env->count; i++)
		berth_str_addf(ret_text, "[%s]=[%s]", env->entries[i].key, env->entries[i].value);
}

static void good_files_are_read(void **state)
{
	static const struct {
		const char *text, *entries;
	} rows[] = {
		{ "", "" },
		{ "\n\n", "" },
		{ "# only a comment", "" },
		{ "  \t# indented\n \n", "" },
		{ "PORT=5000", "[PORT]=[5000]" },
		{ "PORT=5000\n", "[PORT]=[5000]" },
		{ "A=1\nB=2\nA=3\n", "[A]=[1][B]=[2][A]=[3]" },
		{ "A=1\r\nB=2\r\n", "[A]=[1][B]=[2]" },
		{ "A=1\r", "[A]=[1]" },
		{ "A=1\r2", "[A]=[1\r2]" },
		{ "export A=1", "[A]=[1]" },
		{ "export\tA=1", "[A]=[1]" },
		{ "export=1", "[export]=[1]" },
		{ "export export=1", "[export]=[1]" },
		{ "exports=1", "[exports]=[1]" },
		{ "  A=1", "[A]=[1]" },
		{ "A = 1 ", "[A]=[1]" },
		{ "A=", "[A]=[]" },
		{ "A=  ", "[A]=[]" },
		{ "_a.b9=x", "[_a.b9]=[x]" },
		{ "A=b=c", "[A]=[b=c]" },
		{ "A=two words", "[A]=[two words]" },
		{ "A=x # comment", "[A]=[x]" },
		{ "A=x\t# comment", "[A]=[x]" },
		{ "A=x#y", "[A]=[x#y]" },
		{ "A=#y", "[A]=[#y]" },
		{ "A= #y", "[A]=[]" },
		{ "A=it's", "[A]=[it's]" },
		{ "A=x\\ny", "[A]=[x\\ny]" },
		{ "A=$HOME", "[A]=[$HOME]" },
		{ "A=''", "[A]=[]" },
		{ "A='x y'", "[A]=[x y]" },
		{ "A=' x '", "[A]=[ x ]" },
		{ "A='x\\n\"#'", "[A]=[x\\n\"#]" },
		{ "A='x' # comment", "[A]=[x]" },
		{ "A= \"x\" ", "[A]=[x]" },
		{ "A=\"x\\ny\"", "[A]=[x\ny]" },
		{ "A=\"\\\"\\\\\"", "[A]=[\"\\]" },
		{ "A=\"\\d\\$\\\\n\"", "[A]=[d$\\n]" },
		{ "A=\"1\\\n2\\\r\n3\"", "[A]=[1\\\n2\\\n3]" },
		{ "9A=x", "[9A]=[x]" },
		{ "A=\"it's\"", "[A]=[it's]" },
		{ "A=\"1\r\n2\r\n\"\r\nB=3", "[A]=[1\n2\n][B]=[3]" },
		{ "A='1\n2'\nB=3", "[A]=[1\n2][B]=[3]" },
		{ "A=na\xc3\xafve", "[A]=[na\xc3\xafve]" },
		{ "\xef\xbb\xbf"
		  "A=1",
		  "[A]=[1]" },
	};

	for (size_t i = 0; i < BERTH_ARRAY_SIZE(rows); i++) {
		BERTH_CLEANUP(berth_str_deinit) struct berth_str text = { 0 };
		BERTH_CLEANUP(berth_dotenv_deinit) struct berth_dotenv env = { 0 };
		struct berth_err err = { 0 };

		if (parse(rows[i].text, &env, &err) != 0)
			fail_msg("'%s': %s", rows[i].text, err.msg);
		write_env(&env, &text);
		assert_string_equal(berth_str_text(&text), rows[i].entries);
	}
}

static void bad_lines_are_named_by_place_and_not_by_text(void **state)
{
	static const struct {
		const char *text, *msg;
	} rows[] = {
		{ "secret", ".env:1: neither KEY=value nor a comment" },
		{ "A=1\n\nsecret value\n", ".env:3: neither KEY=value nor a comment" },
		{ "=x", ".env:1: neither KEY=value nor a comment" },
		{ ".A=x", ".env:1: neither KEY=value nor a comment" },
		{ "A-B=x", ".env:1: neither KEY=value nor a comment" },
		{ "A: x", ".env:1: neither KEY=value nor a comment" },
		{ "export", ".env:1: neither KEY=value nor a comment" },
		{ "export A", ".env:1: neither KEY=value nor a comment" },
		{ "export export A=1", ".env:1: neither KEY=value nor a comment" },
		{ "A B=1", ".env:1: neither KEY=value nor a comment" },
		{ "A=1\nB='secret\n\n", ".env:2: the quote is never closed" },
		{ "A=\"x\\\"", ".env:1: the quote is never closed" },
		{ "A='", ".env:1: the quote is never closed" },
		{ "A='x'y", ".env:1: text behind the closing quote" },
		{ "A='x' y", ".env:1: text behind the closing quote" },
		{ "A='x'#y", ".env:1: text behind the closing quote" },
		{ "A='x\n\n'y", ".env:3: text behind the closing quote" },
		{ "A='1\n2'\nx", ".env:3: neither KEY=value nor a comment" },
	};

	for (size_t i = 0; i < BERTH_ARRAY_SIZE(rows); i++) {
		struct berth_dotenv env = { 0 };
		struct berth_err err = { 0 };

		assert_int_equal(parse(rows[i].text, &env, &err), -EINVAL);
		assert_int_equal(err.code, BERTH_ERR_CONFIG);
		assert_string_equal(err.msg, rows[i].msg);
		assert_null(env.entries);
	}
}

static void a_nul_byte_is_refused(void **state)
{
	struct berth_dotenv env = { 0 };
	struct berth_err err = { 0 };

	assert_int_equal(berth_dotenv_parse("A=1\nB=\0", 7, "x\x1b", &env, &err), -EINVAL);
	assert_string_equal(err.msg, "x\\e:2: a NUL byte");
	assert_int_equal(berth_dotenv_parse(NULL, 0, "x", &env, &err), 0);
	assert_int_equal(env.count, 0);
}

static void no_byte_beyond_the_length_is_read(void **state)
{
	struct berth_dotenv env = { 0 };
	struct berth_err err = { 0 };

	assert_int_equal(berth_dotenv_parse("A='x'y", 5, "x", &env, &err), 0);
	assert_string_equal(berth_dotenv_get(&env, "A"), "x");
	berth_dotenv_deinit(&env);
	berth_dotenv_deinit(NULL);
}

static void the_last_of_a_key_counts(void **state)
{
	BERTH_CLEANUP(berth_dotenv_deinit) struct berth_dotenv env = { 0 };
	struct berth_err err = { 0 };

	assert_int_equal(parse("A=1\nB=2\nA=3\n", &env, &err), 0);
	assert_string_equal(berth_dotenv_get(&env, "A"), "3");
	assert_string_equal(berth_dotenv_get(&env, "B"), "2");
	assert_null(berth_dotenv_get(&env, "C"));
	assert_null(berth_dotenv_get(&env, "a"));
}

static void ten_thousand_entries_are_enough(void **state)
{
	BERTH_CLEANUP(berth_str_deinit) struct berth_str text = { 0 };
	BERTH_CLEANUP(berth_dotenv_deinit) struct berth_dotenv env = { 0 };
	struct berth_dotenv untouched = { 0 };
	struct berth_err err = { 0 };

	for (int i = 0; i < 10000; i++)
		berth_str_addf(&text, "K%d=%d\n", i, i);
	berth_str_add(&text, "# no entry\n");
	assert_int_equal(parse(berth_str_text(&text), &env, &err), 0);
	assert_int_equal(env.count, 10000);
	assert_string_equal(berth_dotenv_get(&env, "K9999"), "9999");

	berth_str_add(&text, "more=1");
	assert_int_equal(parse(berth_str_text(&text), &untouched, &err), -EINVAL);
	assert_string_equal(err.msg, ".env:10002: more than 10000 entries");
	assert_null(untouched.entries);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(good_files_are_read),
		cmocka_unit_test(bad_lines_are_named_by_place_and_not_by_text),
		cmocka_unit_test(a_nul_byte_is_refused),
		cmocka_unit_test(no_byte_beyond_the_length_is_read),
		cmocka_unit_test(the_last_of_a_key_counts),
		cmocka_unit_test(ten_thousand_entries_are_enough),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
