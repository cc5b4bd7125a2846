/* SPDX-License-Identifier: MIT */
/* unit/stack/test-command.c - what a shell would only split, and what it has to read */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "stack/command.h"

/* The words, joined by '|'. */
static void check(const char *text, const char *wanted)
{
	char **words = berth_command_words(text);
	char joined[256] = "";

	assert_non_null(words);
	for (char **word = words; *word; word++) {
		strcat(joined, *joined ? "|" : "");
		strcat(joined, *word);
	}
	assert_string_equal(joined, wanted);
	berth_command_free(words);
}

static void what_a_shell_would_only_split_is_split(void **state)
{
	check("sleep 100", "sleep|100");
	check("  uvicorn app.main:app   --port\t{port} ", "uvicorn|app.main:app|--port|{port}");
	check("./bin/api -p {port.http} --db={db.url} a@b,c%d+e", /* nothing here is special */
	      "./bin/api|-p|{port.http}|--db={db.url}|a@b,c%d+e");
	check("x", "x");
}

static void what_needs_a_shell_goes_to_one(void **state)
{
	static const char *const texts[] = {
		"a && b",    "a; b",	 "a | b",   "a > b",	  "echo $HOME", "echo \"a b\"",
		"ls *.c",    "ls a?",	 "~/bin/x", "a 'b'",	  "a\nb",	"a #b",
		"A=1 b",     "cd x",	 "exec a",  "echo `id`",  "a \\ b",	"echo {a,b}",
		"echo {A}",  "! a",	 "[ a ]",   "echo {port", "",		"   ",
		"\303\244h", "ulimit 1", ". file",
	};
	char wanted[128];

	for (size_t i = 0; i < BERTH_ARRAY_SIZE(texts); i++) {
		strcpy(wanted, "/bin/sh|-c|");
		strcat(wanted, texts[i]);
		check(texts[i], wanted);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_a_shell_would_only_split_is_split),
		cmocka_unit_test(what_needs_a_shell_goes_to_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
