/* SPDX-License-Identifier: MIT */
/* cli/help.c - help texts and the machine-readable help, from the tables of the commands */
#include "cli/help.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cli/table.h"

enum {
	LEFT_MAX = 30, /* columns for options and names; a longer one stands on a line of its own */
	NAME_WIDTH = 12, /* columns for names of commands and of columns */
	LABEL_MAX = 64,
	NAME_MAX_ = 128,
};

static const struct {
	const char *line, *remark;
} examples[] = {
	{ "berth run npm run dev", "its own port if free, else the next one" },
	{ "berth run --port 5000 node server.js", "you say which port you would like" },
	{ "berth ls", "what runs, and where" },
	{ "berth exec -- npx playwright test", "in there, localhost:5000 is this copy" },
	{ "berth stop web", "returns when its port is free again" },
};

static const char *const group_titles[] = {
#define X(id, title) title,
	BERTH_CMD_GROUPS(X)
#undef X
};

_Static_assert(BERTH_ARRAY_SIZE(group_titles) == BERTH_CMD_GROUP_COUNT_, "one title per group");

/* ---- laying out text ---- */

static void add_blanks(size_t count, struct berth_str *text)
{
	while (count--)
		berth_str_add(text, " ");
}

/*
 * Add @words broken into lines of at most @width columns. The first one begins at column @at, where
 * the text stands already, all others at @indent.
 */
static void wrap(const char *words, size_t at, size_t indent, size_t width, struct berth_str *text)
{
	bool first = true;

	for (;;) {
		char word[NAME_MAX_];
		size_t len;

		words += strspn(words, " \n");
		len = strcspn(words, " \n");
		if (len == 0)
			break;
		snprintf(word, sizeof(word), "%.*s", (int)len, words);
		if (!first && at + 1 + berth_str_width(word) > width) {
			berth_str_add(text, "\n");
			add_blanks(indent, text);
			at = indent;
		} else if (!first) {
			berth_str_add(text, " ");
			at++;
		}
		berth_str_add_bytes(text, words, len);
		at += berth_str_width(word);
		words += len;
		first = false;
	}
	berth_str_add(text, "\n");
}

/* "  LEFT      right, wrapped beside it", or below it when LEFT is wider than its @left columns. */
static void add_pair(const char *left, const char *right, size_t left_width, size_t width,
		     struct berth_str *text)
{
	size_t indent = 2 + left_width + 2, at = 2 + berth_str_width(left);

	berth_str_addf(text, "  %s", left);
	if (at + 2 > indent) {
		berth_str_add(text, "\n");
		at = 0;
	}
	add_blanks(indent - at, text);
	wrap(right, indent, indent, width, text);
}

static void add_heading(const char *heading, const struct berth_help_style *style,
			struct berth_str *text)
{
	berth_str_addf(text, "\n%s%s%s\n", style->bold, heading, style->plain);
}

/* Paragraphs are parted by empty lines; one that begins with a blank stays as it is. */
static void add_details(const char *details, size_t width, struct berth_str *text)
{
	while (*details) {
		const char *end = strstr(details, "\n\n");
		size_t len = end ? (size_t)(end - details) : strlen(details);
		BERTH_AUTO_FREE char *paragraph = strndup(details, len);

		berth_str_add(text, "\n");
		if (!paragraph)
			return;
		if (*paragraph == ' ')
			berth_str_addf(text, "%s\n", paragraph);
		else
			wrap(paragraph, 0, 0, width, text);
		details += len + (end ? 2 : 0);
	}
}

/* ---- options ---- */

const char *berth_help_label(const struct berth_opt *opt, char *buf, size_t size)
{
	size_t len = 0;

	snprintf(buf, size, "%s", opt->argument ? opt->argument : "");
	for (size_t i = 0; opt->kind == BERTH_OPT_CHOICE && opt->words[i] && len < size; i++)
		len += (size_t)snprintf(buf + len, size - len, "%s%s", i ? "|" : "", opt->words[i]);
	return buf;
}

/* "-p, --port=PORT", "    --free[=own|any]" */
static void format_option(const struct berth_opt *opt, char *buf, size_t size)
{
	char label[LABEL_MAX], dash[] = "-x, ";

	dash[1] = opt->short_name;
	berth_help_label(opt, label, sizeof(label));
	snprintf(buf, size, "%s--%s%s%s%s%s", opt->short_name ? dash : "    ", opt->long_name,
		 opt->bare ? "[" : "", *label ? "=" : "", label, opt->bare ? "]" : "");
}

static void add_option(const struct berth_opt *opt, size_t left_width, size_t width,
		       struct berth_str *text)
{
	BERTH_CLEANUP(berth_str_deinit) struct berth_str help = { 0 };
	char left[NAME_MAX_];

	format_option(opt, left, sizeof(left));
	berth_str_add(&help, opt->help);
	if (opt->preset)
		berth_str_addf(&help, " (default %s)", opt->preset);
	if (opt->kind == BERTH_OPT_LIST)
		berth_str_add(&help, " (repeatable)");
	if (!help.failed)
		add_pair(left, berth_str_text(&help), left_width, width, text);
}

static size_t option_width(const struct berth_opt *opts, size_t widest)
{
	char left[NAME_MAX_];

	for (; opts && opts->kind != BERTH_OPT_END; opts++) {
		size_t len;

		if (!opts->help)
			continue;
		format_option(opts, left, sizeof(left));
		len = strlen(left);
		if (len > widest && len <= LEFT_MAX)
			widest = len;
	}
	return widest;
}

static void add_options(const struct berth_opt *opts, const char *heading, size_t left_width,
			const struct berth_help_style *style, struct berth_str *text)
{
	const char *group = NULL;

	for (; opts && opts->kind != BERTH_OPT_END; opts++) {
		if (!opts->help)
			continue;
		if (!group || (opts->group && strcmp(group, opts->group) != 0)) {
			group = opts->group ? opts->group : heading;
			add_heading(group, style, text);
		}
		add_option(opts, left_width, style->width, text);
	}
}

/* ---- pages ---- */

static void add_columns(const struct berth_column *columns, const struct berth_help_style *style,
			struct berth_str *text)
{
	add_heading("Columns", style, text);
	for (; columns->name; columns++) {
		char right[NAME_MAX_];

		snprintf(right, sizeof(right), "%s%s", columns->help,
			 columns->extra ? " (only with -o)" : "");
		add_pair(columns->name, right, NAME_WIDTH, style->width, text);
	}
}

void berth_help_command(const struct berth_cmd *cmd, const struct berth_help_style *style,
			struct berth_str *text)
{
	size_t left_width = option_width(berth_common_opts, option_width(cmd->opts, 0));

	/* Beside a wide left there must be room for words. */
	if (left_width > style->width / 2)
		left_width = style->width / 2;
	berth_str_addf(text, "%sUsage:%s berth %s %s\n", style->bold, style->plain, cmd->name,
		       cmd->synopsis);
	berth_str_addf(text, "%c%s.\n", cmd->summary[0] - 'a' + 'A', cmd->summary + 1);
	if (cmd->details)
		add_details(cmd->details, style->width, text);
	add_options(cmd->opts, "Options", left_width, style, text);
	if (cmd->columns)
		add_columns(cmd->columns, style, text);
	add_options(berth_common_opts, "Common options", left_width, style, text);
}

static void add_examples(const struct berth_help_style *style, struct berth_str *text)
{
	size_t widest = 0;

	for (size_t i = 0; i < BERTH_ARRAY_SIZE(examples); i++)
		if (strlen(examples[i].line) > widest)
			widest = strlen(examples[i].line);
	if (2 + widest + 2 > style->width * 2 / 3)
		widest = style->width / 3;
	for (size_t i = 0; i < BERTH_ARRAY_SIZE(examples); i++)
		add_pair(examples[i].line, examples[i].remark, widest, style->width, text);
}

void berth_help_overview(const struct berth_cmd *const *cmds, const struct berth_help_style *style,
			 struct berth_str *text)
{
	wrap("berth gives every service a port of its own and keeps it: nothing it starts ever "
	     "dies of \"address already in use\", and nothing is left behind when it ends.",
	     0, 0, style->width, text);
	berth_str_addf(text, "\n%sUsage:%s berth [-C DIR] COMMAND [options]\n\n", style->bold,
		       style->plain);
	add_examples(style, text);
	for (int group = 0; group < BERTH_CMD_GROUP_COUNT_; group++) {
		add_heading(group_titles[group], style, text);
		for (size_t i = 0; cmds[i]; i++)
			if ((int)cmds[i]->group == group && !cmds[i]->hidden)
				add_pair(cmds[i]->name, cmds[i]->summary, NAME_WIDTH, style->width,
					 text);
	}
	berth_str_add(text, "\n");
	wrap("'berth COMMAND --help' has the options of a command, 'berth help agents' one page "
	     "for coding agents, berth(1) everything.",
	     0, 0, style->width, text);
}

/* ---- JSON ---- */

static json_t *string_or_null(const char *text)
{
	return text && *text ? json_string(text) : json_null();
}

static json_t *options_json(const struct berth_opt *opts)
{
	json_t *array = json_array();

	for (; array && opts && opts->kind != BERTH_OPT_END; opts++) {
		char label[LABEL_MAX], short_name[] = { opts->short_name, '\0' };
		json_t *option;

		if (!opts->help)
			continue;
		option = json_pack("{s:s, s:o, s:o, s:s}", "long", opts->long_name, "short",
				   string_or_null(short_name), "argument",
				   string_or_null(berth_help_label(opts, label, sizeof(label))),
				   "help", opts->help);
		if (json_array_append_new(array, option) < 0)
			json_decref(BERTH_STEAL(array));
	}
	return array;
}

static json_t *commands_json(const struct berth_cmd *const *cmds)
{
	json_t *array = json_array();

	for (; array && *cmds; cmds++) {
		json_t *command;

		if ((*cmds)->hidden)
			continue;
		command = json_pack("{s:s, s:s, s:s, s:o}", "name", (*cmds)->name, "synopsis",
				    (*cmds)->synopsis, "summary", (*cmds)->summary, "options",
				    options_json((*cmds)->opts));
		if (json_array_append_new(array, command) < 0)
			json_decref(BERTH_STEAL(array));
	}
	return array;
}

static json_t *error_codes_json(void)
{
	json_t *array = json_array();

	for (int code = BERTH_ERR_NONE + 1; array && code < BERTH_ERR_CODE_COUNT_; code++) {
		json_t *row = json_pack("{s:s, s:i}", "code", berth_err_code_name(code), "exit",
					berth_err_code_exit(code));

		if (json_array_append_new(array, row) < 0)
			json_decref(BERTH_STEAL(array));
	}
	return array;
}

json_t *berth_help_json(const struct berth_cmd *const *cmds)
{
	return json_pack("{s:i, s:o, s:o, s:o}", "version", 1, "commands", commands_json(cmds),
			 "options", options_json(berth_common_opts), "error_codes",
			 error_codes_json());
}

/* ---- printing ---- */

static int out_of_memory(struct berth_err *err)
{
	return berth_err_errno(err, -ENOMEM, "cannot print the help");
}

static int print_json(struct berth_out *out, const struct berth_cmd *const *cmds,
		      struct berth_err *err)
{
	BERTH_AUTO_JSON json_t *document = berth_help_json(cmds);

	if (!document)
		return out_of_memory(err);
	berth_out_json(out, document);
	return 0;
}

int berth_help_print(struct berth_out *out, const struct berth_cmd *const *cmds,
		     const struct berth_cmd *cmd, struct berth_err *err)
{
	const struct berth_cmd *const one[] = { cmd, NULL };
	struct berth_help_style style = {
		.width = berth_out_text_width(out),
		.bold = berth_out_tone(out, BERTH_TONE_BOLD),
		.plain = berth_out_tone(out, BERTH_TONE_PLAIN),
	};
	BERTH_CLEANUP(berth_str_deinit) struct berth_str text = { 0 };

	if (out->json)
		return print_json(out, cmd ? one : cmds, err);
	if (cmd)
		berth_help_command(cmd, &style, &text);
	else
		berth_help_overview(cmds, &style, &text);
	if (text.failed)
		return out_of_memory(err);
	berth_out_result(out, "%s", berth_str_text(&text));
	return 0;
}

int berth_help_print_message(struct berth_out *out, const struct berth_cmd *const *cmds,
			     struct berth_err *err)
{
	struct berth_help_style style = { berth_out_text_width(out), "", "" };
	BERTH_CLEANUP(berth_str_deinit) struct berth_str text = { 0 };

	berth_help_overview(cmds, &style, &text);
	if (text.failed)
		return out_of_memory(err);
	fputs(berth_str_text(&text), out->messages);
	return 0;
}
