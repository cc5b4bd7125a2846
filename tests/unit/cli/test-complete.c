/* SPDX-License-Identifier: MIT */
/* unit/cli/test-complete.c - what a shell is offered at each place of a line */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/str.h"
#include "cli/complete.h"
#include "cli/table.h"

enum {
	MAX_WORDS = 8
};

struct args {
	struct berth_opt_list ports;
	unsigned int steer;
	unsigned int free;
	const char *file, *folder, *in, *columns;
	bool detach, secret;
};

static const char *const steer_words[] = { "all", "bind", "off", NULL };
static const char *const free_words[] = { "own", "any", NULL };
static const char *const topics[] = { "agents", NULL };
static const char *const shells[] = { "bash", "zsh", NULL };

static const struct berth_opt run_opts[] = {
	{ 'p', "port", "PORT", BERTH_AT(LIST, struct args, ports), "h" },
	{ 'd', "detach", NULL, BERTH_AT(FLAG, struct args, detach), "h" },
	{ 0, "steer", "WHAT", BERTH_AT(CHOICE, struct args, steer), "h", .words = steer_words },
	{ 0, "free", "WHOSE", BERTH_AT(CHOICE, struct args, free), "h", .words = free_words,
	  .bare = "own" },
	{ 'f', "file", "FILE", BERTH_AT(STRING, struct args, file), "h",
	  .complete = BERTH_COMPLETE_FILE },
	{ 0, "secret", NULL, BERTH_AT(FLAG, struct args, secret), NULL },
	{ 0 },
};

static const struct berth_opt ls_opts[] = {
	{ 'o', "output", "COLUMNS", BERTH_AT(STRING, struct args, columns), "h",
	  .complete = BERTH_COMPLETE_COLUMN },
	{ 0, "in", "NAME", BERTH_AT(STRING, struct args, in), "h",
	  .complete = BERTH_COMPLETE_SERVICE },
	{ 0 },
};

static const struct berth_column columns[] = {
	{ "state", "STATE", BERTH_COLUMN_STRING, "state", "h" },
	{ "pid", "PID", BERTH_COLUMN_INTEGER, "pid", "h" },
	{ "ports", "PORTS", BERTH_COLUMN_LIST, "ports", "h" },
	{ 0 },
};

/* clang-format off */
static const struct berth_cmd all[] = {
	{ .name = "run", .summary = "s", .opts = run_opts, .min = 1, .max = -1, .command_rest = true,
	  .complete = BERTH_COMPLETE_FOREIGN },
	{ .name = "ls", .summary = "s", .opts = ls_opts, .columns = columns },
	{ .name = "stop", .summary = "s", .max = -1, .complete = BERTH_COMPLETE_SERVICE },
	{ .name = "port", .summary = "s", .max = 1, .complete = BERTH_COMPLETE_SERVICE },
	{ .name = "help", .summary = "s", .max = 1, .complete = BERTH_COMPLETE_COMMAND,
	  .words = topics },
	{ .name = "completion", .summary = "s", .max = -1, .command_rest = true,
	  .complete = BERTH_COMPLETE_WORDS, .words = shells },
	{ .name = "restart", .summary = "s", .max = -1, .command_last = true,
	  .complete = BERTH_COMPLETE_SERVICE },
	{ .name = "internal", .summary = "s", .hidden = true },
	{ .name = "free", .summary = "s", .max = -1, .complete = BERTH_COMPLETE_PORT },
};
/* clang-format on */

static const struct berth_cmd *const cmds[] = { &all[0], &all[1], &all[2], &all[3], &all[4],
						&all[5], &all[6], &all[7], &all[8], NULL };

static const struct berth_cmd *find(const char *word)
{
	for (size_t i = 0; cmds[i]; i++)
		if (strcmp(cmds[i]->name, word) == 0)
			return cmds[i];
	return strcmp(word, "ps") == 0 ? &all[1] : NULL;
}

static int add(const char *word, const char *help, void *arg)
{
	struct berth_str *text = arg;

	berth_str_addf(text, "%s%s", text->len ? " " : "", word);
	return 0;
}

static int services(int (*offer)(const char *word, const char *help, void *offer_arg),
		    void *offer_arg)
{
	static const char *const names[] = {
		"web",
		"api",
		"shop@fix-1/web",
		"5173",
		"shop@a b/web",
		"shop@$(reboot)/x",
		"shop@`reboot`/x",
		"a;b",
		"~root",
		"=ls",
		"$HOME",
		"",
	};
	int r = 0;

	for (size_t i = 0; !r && i < BERTH_ARRAY_SIZE(names); i++)
		r = offer(names[i], "h", offer_arg);
	return r;
}

static const struct {
	const char *words[MAX_WORDS];
	const char *offered;
	enum berth_opt_complete rest;
	size_t foreign;
} cases[] = {
	/* the command */
	{ { "" }, "run ls stop port help completion restart free" },
	{ { NULL }, "run ls stop port help completion restart free" },
	{ { "st" }, "stop" },
	{ { "int" }, "" },
	{ { "-C", "/tmp", "st" }, "stop" },
	{ { "-v", "--json", "st" }, "stop" },
	{ { "--js" }, "--json" },
	{ { "-C", "" }, "", BERTH_COMPLETE_FOLDER },
	/* options */
	{ { "run", "--" },
	  "--port --detach --steer --free --file --directory --json --quiet --verbose --no-color --help" },
	{ { "run", "--f" }, "--free --file" },
	{ { "run", "--se" }, "" },
	{ { "ps", "--o" }, "--output" },
	{ { "nonsense", "--js" }, "--json" },
	{ { "--", "run", "--st" }, "--steer" },
	/* values */
	{ { "run", "--steer", "" }, "all bind off" },
	{ { "run", "--steer", "b" }, "bind" },
	{ { "run", "--steer=" }, "--steer=all --steer=bind --steer=off" },
	{ { "run", "--steer=o" }, "--steer=off" },
	{ { "run", "--free=a" }, "--free=any" },
	{ { "run", "-d", "--free", "--st" }, "--steer" },
	{ { "run", "--port", "" }, "" },
	{ { "run", "--port=" }, "" },
	{ { "run", "--detach=" }, "" },
	{ { "run", "--zzz=" }, "" },
	{ { "run", "--file", "x" }, "", BERTH_COMPLETE_FILE },
	{ { "run", "-df", "" }, "", BERTH_COMPLETE_FILE },
	{ { "run", "--file=" }, "", BERTH_COMPLETE_FILE },
	{ { "run", "-p5", "--st" }, "--steer" },
	{ { "run", "-p", "5", "--st" }, "--steer" },
	{ { "ls", "-o", "p" }, "pid ports" },
	{ { "ls", "-o", "state,pi" }, "state,pid" },
	{ { "ls", "--output=state,p" }, "--output=state,pid --output=state,ports" },
	{ { "ls", "--in", "a" }, "api" },
	/* operands */
	{ { "stop", "" }, "web api shop@fix-1/web 5173" },
	{ { "stop", "web", "5" }, "5173" },
	{ { "stop", "--", "w" }, "web" },
	{ { "free", "" }, "5173" },
	{ { "free", "w" }, "" },
	{ { "stop", "--", "--j" }, "" },
	{ { "port", "w" }, "web" },
	{ { "port", "web", "" }, "" },
	{ { "ls", "" }, "" },
	{ { "help", "" }, "run ls stop port help completion restart free agents" },
	{ { "help", "a" }, "agents" },
	{ { "completion", "" }, "bash zsh" },
	/* foreign commands */
	{ { "run", "" }, "", BERTH_COMPLETE_FOREIGN, 1 },
	{ { "run", "np" }, "", BERTH_COMPLETE_FOREIGN, 1 },
	{ { "run", "-d", "-p", "5", "np" }, "", BERTH_COMPLETE_FOREIGN, 4 },
	{ { "run", "-d", "--", "" }, "", BERTH_COMPLETE_FOREIGN, 3 },
	{ { "run", "npm", "--st" }, "", BERTH_COMPLETE_FOREIGN, 1 },
	{ { "run", "--", "npm", "run", "" }, "", BERTH_COMPLETE_FOREIGN, 2 },
	{ { "-v", "run", "npm", "run", "" }, "", BERTH_COMPLETE_FOREIGN, 2 },
	{ { "restart", "w" }, "web" },
	{ { "restart", "web", "--", "" }, "", BERTH_COMPLETE_FOREIGN, 3 },
	{ { "restart", "web", "--", "node", "--js" }, "", BERTH_COMPLETE_FOREIGN, 3 },
};

static void each_place_offers_what_fits(void **state)
{
	for (size_t i = 0; i < BERTH_ARRAY_SIZE(cases); i++) {
		BERTH_CLEANUP(berth_str_deinit) struct berth_str offered = { 0 };
		struct berth_complete_rest rest;
		const struct berth_complete_spec spec = {
			.cmds = cmds,
			.find = find,
			.offer = add,
			.services = services,
			.arg = &offered,
		};

		assert_int_equal(berth_complete(&spec, cases[i].words, &rest), 0);
		assert_string_equal(berth_str_text(&offered), cases[i].offered);
		assert_int_equal(rest.what, cases[i].rest);
		assert_int_equal(rest.foreign, cases[i].foreign);
	}
}

static int refuse(const char *word, const char *help, void *arg)
{
	++*(int *)arg;
	return 7;
}

static void a_callback_can_stop_it(void **state)
{
	static const char *const lines[][MAX_WORDS] = {
		{ "" },
		{ "run", "--" },
		{ "stop", "" },
		{ "ls", "-o", "" },
		{ "run", "--steer", "" },
	};

	for (size_t i = 0; i < BERTH_ARRAY_SIZE(lines); i++) {
		struct berth_complete_rest rest = { .foreign = 99 };
		int calls = 0;
		const struct berth_complete_spec spec = { cmds, find, refuse, services, &calls };

		assert_int_equal(berth_complete(&spec, lines[i], &rest), 7);
		assert_int_equal(calls, 1);
		assert_int_equal(rest.foreign, 99);
	}
}

static void long_words_are_no_trouble(void **state)
{
	BERTH_CLEANUP(berth_str_deinit) struct berth_str offered = { 0 };
	static char columns_word[4096], option_word[4096];
	const char *const lines[][MAX_WORDS] = { { "ls", "-o", columns_word },
						 { "run", option_word } };
	const struct berth_complete_spec spec = {
		.cmds = cmds,
		.find = find,
		.offer = add,
		.services = services,
		.arg = &offered,
	};

	memset(columns_word, ',', sizeof(columns_word) - 1);
	memset(option_word, '-', sizeof(option_word) - 1);
	option_word[sizeof(option_word) - 2] = '=';
	for (size_t i = 0; i < BERTH_ARRAY_SIZE(lines); i++) {
		struct berth_complete_rest rest;

		assert_int_equal(berth_complete(&spec, lines[i], &rest), 0);
		assert_string_equal(berth_str_text(&offered), "");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_place_offers_what_fits),
		cmocka_unit_test(a_callback_can_stop_it),
		cmocka_unit_test(long_words_are_no_trouble),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
