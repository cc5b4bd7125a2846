/* SPDX-License-Identifier: MIT */
/* unit/cli/test-commands.c - the tables of all commands are whole, unknown words are answered */
#include <ctype.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "cli/commands.h"
#include "cli/help.h"
#include "cli/table.h"

#define EACH_COMMAND(cmd) \
	for (const struct berth_cmd *const *at = berth_commands, *cmd; (cmd = *at); at++)
#define EACH_OPTION(opt, table) \
	for (const struct berth_opt *opt = (table); opt && opt->kind != BERTH_OPT_END; opt++)

static void each_command_is_whole(void **state)
{
	EACH_COMMAND(cmd)
	{
		assert_non_null(cmd->name);
		assert_non_null(cmd->synopsis);
		assert_non_null(cmd->run);
		/* One line at 80 columns in the overview; made a sentence in the command's help. */
		assert_non_null(cmd->summary);
		assert_true(islower(cmd->summary[0]));
		assert_in_range(strlen(cmd->summary), 1, 64);
		assert_int_not_equal(cmd->summary[strlen(cmd->summary) - 1], '.');
		assert_true(cmd->max < 0 || cmd->max >= cmd->min);
		assert_ptr_equal(berth_commands_find(cmd->name), cmd);
		assert_true(cmd->complete != BERTH_COMPLETE_WORDS || cmd->words);
	}
}

static void assert_row(const struct berth_cmd *cmd, const struct berth_opt *opt)
{
	bool takes_none = opt->kind == BERTH_OPT_FLAG || opt->kind == BERTH_OPT_COUNT;
	char word[80];

	assert_non_null(opt->long_name);
	assert_int_equal(strspn(opt->long_name, "abcdefghijklmnopqrstuvwxyz0123456789-"),
			 strlen(opt->long_name));
	assert_int_equal(opt->argument == NULL, takes_none);
	assert_int_equal(opt->kind == BERTH_OPT_CHOICE || opt->complete == BERTH_COMPLETE_WORDS,
			 opt->words != NULL);
	assert_true(!opt->help || !strchr(opt->help, '\n'));
	assert_true(opt->complete != BERTH_COMPLETE_COLUMN || cmd->columns);
	/* Each name means one thing. */
	snprintf(word, sizeof(word), "--%s", opt->long_name);
	assert_ptr_equal(berth_opt_find(cmd, word), opt);
	snprintf(word, sizeof(word), "-%c", opt->short_name);
	if (opt->short_name)
		assert_ptr_equal(berth_opt_find(cmd, word), opt);
}

static void each_option_is_whole_and_its_names_are_its_own(void **state)
{
	EACH_COMMAND(cmd)
	{
		EACH_OPTION(opt, cmd->opts)
		assert_row(cmd, opt);
	}
	EACH_OPTION(opt, berth_common_opts)
	assert_row(&berth_cmd_version, opt);
}

/* A preset that its own kind refuses is caught by an assertion in the parser. */
static void presets_and_bare_values_are_valid(void **state)
{
	EACH_COMMAND(cmd)
	{
		EACH_OPTION(opt, cmd->opts)
		{
			struct berth_common common = { .help = true };
			struct berth_opt_list operands = { 0 };
			struct berth_err err = { 0 };
			char word[80];
			const char *const line[] = { word, NULL };
			void *args = calloc(1, cmd->args_size);

			snprintf(word, sizeof(word), "--%s", opt->bare ? opt->long_name : "quiet");
			assert_int_equal(berth_opt_parse(cmd, line, &common, args, &operands, &err),
					 0);
			berth_opt_deinit(cmd, args, &operands);
			free(args);
		}
	}
}

static void no_two_columns_share_a_name(void **state)
{
	EACH_COMMAND(cmd)
	{
		for (const struct berth_column *a = cmd->columns; a && a->name; a++) {
			assert_non_null(a->help);
			assert_true(a->path || a->format);
			for (const struct berth_column *b = a + 1; b->name; b++)
				assert_string_not_equal(a->name, b->name);
		}
	}
}

static void words_of_other_tools_work(void **state)
{
	assert_ptr_equal(berth_commands_find("ps"), &berth_cmd_ls);
	assert_ptr_equal(berth_commands_find("list"), &berth_cmd_ls);
	assert_null(berth_commands_find("l"));
	assert_null(berth_commands_find(""));
}

static void unknown_words_get_the_right_one(void **state)
{
	static const struct {
		const char *word, *msg, *hint;
	} cases[] = {
		{ "kill", "there is no command 'kill'",
		  "'berth stop SERVICE' ends a service and all it started" },
		{ "start", "there is no command 'start'",
		  "'berth run -d COMMAND' starts a service in the background" },
		{ "reload", "there is no command 'reload'",
		  "'berth restart --rolling SERVICE' restarts it one after the other" },
		{ "await", "there is no command 'await'",
		  "'berth wait SERVICE' returns when it is ready" },
		{ "lsof", "there is no command 'lsof'", "'berth who PORT' tells who holds a port" },
		{ "restart-all", "there is no command 'restart-all'",
		  "'berth restart SERVICE...' restarts services" },
		{ "sttus", "there is no command 'sttus'", "did you mean 'berth status'?" },
		{ "8080", "there is no command '8080'",
		  "'berth who 8080' tells who holds that port" },
		{ "node", "there is no command 'node'",
		  "to start a program: 'berth run node'; all commands: 'berth --help'" },
		{ "", "there is no command ''", "all commands: 'berth --help'" },
		{ "\033[2J", "there is no command '\\e[2J'",
		  "to start a program: 'berth run \\e[2J'; all commands: 'berth --help'" },
	};

	for (size_t i = 0; i < BERTH_ARRAY_SIZE(cases); i++) {
		struct berth_err err = { 0 };

		assert_int_equal(berth_commands_unknown(cases[i].word, &err), -EINVAL);
		assert_int_equal(err.code, BERTH_ERR_USAGE);
		assert_string_equal(err.msg, cases[i].msg);
		assert_string_equal(err.hint, cases[i].hint);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_command_is_whole),
		cmocka_unit_test(each_option_is_whole_and_its_names_are_its_own),
		cmocka_unit_test(presets_and_bare_values_are_valid),
		cmocka_unit_test(no_two_columns_share_a_name),
		cmocka_unit_test(words_of_other_tools_work),
		cmocka_unit_test(unknown_words_get_the_right_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
