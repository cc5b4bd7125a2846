/* SPDX-License-Identifier: MIT */
/* unit/cli/test-help.c - help laid out for people, and as JSON */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "cli/help.h"
#include "cli/table.h"

struct args {
	struct berth_opt_list ports;
	uint16_t step;
	unsigned int free;
	int64_t grace;
	bool secret;
};

static const char *const whose[] = { "own", "any", NULL };

static const struct berth_opt opts[] = {
	{ 'p', "port", "PORT", BERTH_AT(LIST, struct args, ports),
	  "the port it would like, or several in the order of preference", .group = "Ports" },
	{ 0, "free", "WHOSE", BERTH_AT(CHOICE, struct args, free), "end what holds it first",
	  .words = whose, .bare = "own" },
	{ 0, "a-name-that-is-far-too-long-for-its-place", "N", BERTH_AT(U16, struct args, step),
	  "how far" },
	{ 0, "secret", NULL, BERTH_AT(FLAG, struct args, secret), NULL },
	{ 0, "grace", "TIME", BERTH_AT(DURATION, struct args, grace), "from TERM to KILL",
	  .preset = "10s", .group = "Life" },
	{ 0 },
};

static const struct berth_column columns[] = {
	{ "state", "STATE", BERTH_COLUMN_STRING, "state", "what it does" },
	{ "pid", "PID", BERTH_COLUMN_INTEGER, "pid", "its process", .extra = true },
	{ 0 },
};

static const struct berth_cmd run = {
	.name = "run",
	.synopsis = "[options] [--] COMMAND [ARG...]",
	.summary = "run a service on a port of its own",
	.details =
		"Its port is leased before it starts, and it keeps that port to its end, whatever else "
		"is started meanwhile.\n\n"
		"  berth run npm run dev\n"
		"  berth run -- x\n\n"
		"Last words.",
	.opts = opts,
	.columns = columns,
};

static const struct berth_cmd ls = {
	.name = "ls",
	.synopsis = "[options]",
	.summary = "what runs",
	.group = BERTH_CMD_LOOK,
};

static const struct berth_cmd internal = {
	.name = "internal",
	.synopsis = "",
	.summary = "for berth itself",
	.hidden = true,
};

static const struct berth_cmd *const cmds[] = { &run, &internal, &ls, NULL };

static const char run_help[] = "<Usage:> berth run [options] [--] COMMAND [ARG...]\n"
			       "Run a service on a port of its own.\n"
			       "\n"
			       "Its port is leased before it starts, and it keeps that port\n"
			       "to its end, whatever else is started meanwhile.\n"
			       "\n"
			       "  berth run npm run dev\n"
			       "  berth run -- x\n"
			       "\n"
			       "Last words.\n"
			       "\n"
			       "<Ports>\n"
			       "  -p, --port=PORT       the port it would like, or several\n"
			       "                        in the order of preference\n"
			       "                        (repeatable)\n"
			       "      --free[=own|any]  end what holds it first\n"
			       "      --a-name-that-is-far-too-long-for-its-place=N\n"
			       "                        how far\n"
			       "\n"
			       "<Life>\n"
			       "      --grace=TIME      from TERM to KILL (default 10s)\n"
			       "\n"
			       "<Columns>\n"
			       "  state         what it does\n"
			       "  pid           its process (only with -o)\n"
			       "\n"
			       "<Common options>\n";

static void a_commands_help_comes_from_its_table(void **state)
{
	BERTH_CLEANUP(berth_str_deinit) struct berth_str text = { 0 };
	const struct berth_help_style style = { 60, "<", ">" };
	const char *common;

	berth_help_command(&run, &style, &text);
	common = strstr(berth_str_text(&text), "  -C, --directory");
	assert_non_null(common);
	assert_non_null(strstr(common, "-q, --quiet"));
	/* Those that all commands have follow, as their own table says. */
	text.text[common - text.text] = '\0';
	assert_string_equal(text.text, run_help);
}

/* The usage line stays whole: it is for copying. */
static size_t longest_line(const char *text)
{
	size_t longest = 0;

	while (*text) {
		size_t len = strcspn(text, "\n");

		if (len > longest && strncmp(text, "Usage:", strlen("Usage:")) != 0)
			longest = len;
		text += len + (text[len] == '\n');
	}
	return longest;
}

static void lines_fit_the_terminal(void **state)
{
	static const unsigned int widths[] = { 40, 41, 50, 60, 79, 80, 100, 132 };

	for (size_t i = 0; i < BERTH_ARRAY_SIZE(widths); i++) {
		BERTH_CLEANUP(berth_str_deinit) struct berth_str command = { 0 }, overview = { 0 };
		const struct berth_help_style style = { widths[i], "", "" };

		berth_help_command(&ls, &style, &command);
		assert_in_range(longest_line(berth_str_text(&command)), 20, widths[i]);
		berth_help_overview(cmds, &style, &overview);
		assert_in_range(longest_line(berth_str_text(&overview)), 20, widths[i]);
	}
}

static void the_overview_lists_what_is_not_hidden(void **state)
{
	BERTH_CLEANUP(berth_str_deinit) struct berth_str text = { 0 };
	const struct berth_help_style style = { 80, "", "" };
	const char *start, *look;

	berth_help_overview(cmds, &style, &text);
	start = strstr(berth_str_text(&text),
		       "\nStart\n  run           run a service on a port of its own\n");
	look = strstr(berth_str_text(&text), "\nLook\n  ls            what runs\n");
	assert_non_null(start);
	assert_non_null(look);
	assert_true(start < look);
	assert_null(strstr(berth_str_text(&text), "internal"));
}

static void json_help_is_complete_and_closed(void **state)
{
	BERTH_AUTO_JSON json_t *help = berth_help_json(cmds);
	BERTH_AUTO_JSON json_t *command = NULL, *code = NULL;
	const json_t *commands = json_object_get(help, "commands");
	const json_t *codes = json_object_get(help, "error_codes");
	const json_t *common = json_object_get(help, "options");

	assert_int_equal(berth_json_int(help, "version", 0), 1);
	assert_int_equal(json_array_size(commands), 2);
	command = json_pack(
		"{s:s, s:s, s:s, s:[{s:s,s:s,s:s,s:s}, {s:s,s:n,s:s,s:s}, {s:s,s:n,s:s,s:s},"
		" {s:s,s:n,s:s,s:s}]}",
		"name", "run", "synopsis", run.synopsis, "summary", run.summary, "options",
		/* */ "long", "port", "short", "p", "argument", "PORT", "help", opts[0].help,
		/* */ "long", "free", "short", "argument", "own|any", "help", opts[1].help,
		/* */ "long", opts[2].long_name, "short", "argument", "N", "help", opts[2].help,
		/* */ "long", "grace", "short", "argument", "TIME", "help", opts[4].help);
	assert_non_null(command);
	assert_true(json_equal(json_array_get(commands, 0), command));
	assert_int_equal(json_array_size(json_object_get(json_array_get(commands, 1), "options")),
			 0);
	assert_true(json_array_size(common) > 0);
	assert_int_equal(json_array_size(codes), BERTH_ERR_CODE_COUNT_ - 1);
	code = json_pack("{s:s, s:i}", "code", "usage", "exit", 2);
	assert_true(json_equal(json_array_get(codes, 0), code));
}

static void labels_of_choices_are_their_words(void **state)
{
	char label[16], tiny[4];

	assert_string_equal(berth_help_label(&opts[1], label, sizeof(label)), "own|any");
	assert_string_equal(berth_help_label(&opts[0], label, sizeof(label)), "PORT");
	assert_string_equal(berth_help_label(&opts[3], label, sizeof(label)), "");
	assert_string_equal(berth_help_label(&opts[1], tiny, sizeof(tiny)), "own");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_commands_help_comes_from_its_table),
		cmocka_unit_test(lines_fit_the_terminal),
		cmocka_unit_test(the_overview_lists_what_is_not_hidden),
		cmocka_unit_test(json_help_is_complete_and_closed),
		cmocka_unit_test(labels_of_choices_are_their_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
