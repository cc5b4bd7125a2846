/* SPDX-License-Identifier: MIT */
/* cli/opt.c - commands and their options as tables, and the parser they drive */
#include "cli/opt.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/parse.h"
#include "base/str.h"

enum {
	OPTIONS_MAX = 128, /* rows of a command and the common ones together */
	SHOWN_MAX = 96, /* bytes of a user's word in a message */
	LABEL_MAX = 64,
	FD_MAX = 1 << 20, /* far above any RLIMIT_NOFILE: fs.nr_open's default */
	NO_LIMIT = -1,
};

const struct berth_opt berth_common_opts[] = {
	{ 'C', "directory", "DIR", BERTH_AT(STRING, struct berth_common, folder),
	  "change to DIR before doing anything", .complete = BERTH_COMPLETE_FOLDER },
	{ 0, "json", NULL, BERTH_AT(FLAG, struct berth_common, json),
	  "print one JSON document, also for an error" },
	{ 'q', "quiet", NULL, BERTH_AT(FLAG, struct berth_common, quiet), "print errors only" },
	{ 'v', "verbose", NULL, BERTH_AT(COUNT, struct berth_common, verbose),
	  "say what is done and why; twice: more" },
	{ 0, "no-color", NULL, BERTH_AT(FLAG, struct berth_common, no_color),
	  "no colours (NO_COLOR does the same)" },
	{ 'h', "help", NULL, BERTH_AT(FLAG, struct berth_common, help), "show this help" },
	{ 0 },
};

/* One option as it was met on the command line. */
struct value {
	const struct berth_opt *opt;
	const char *label; /* as typed: "--port", "-p" */
	const char *text; /* NULL: none */
};

static const char *shown(const char *text, char buf[SHOWN_MAX])
{
	return berth_str_printable(text, (size_t)-1, buf, SHOWN_MAX);
}

static int usage(struct berth_err *err, const struct value *value, const char *must_be)
{
	char buf[SHOWN_MAX];

	return berth_err_set(err, -EINVAL, BERTH_ERR_USAGE, "%s: '%s' is not %s", value->label,
			     shown(value->text, buf), must_be);
}

static int parse_flag(const struct value *value, void *slot, struct berth_err *err)
{
	*(bool *)slot = true;
	return 0;
}

static int parse_count(const struct value *value, void *slot, struct berth_err *err)
{
	*(unsigned int *)slot += 1;
	return 0;
}

static int refuse_empty(const struct value *value, struct berth_err *err)
{
	if (*value->text)
		return 0;
	return berth_err_set(err, -EINVAL, BERTH_ERR_USAGE, "%s: %s is empty", value->label,
			     value->opt->argument);
}

static int parse_string(const struct value *value, void *slot, struct berth_err *err)
{
	const char **present = slot;
	char first[SHOWN_MAX], second[SHOWN_MAX];
	int r = refuse_empty(value, err);

	if (r < 0)
		return r;
	if (value->opt->once && *present)
		return berth_err_set(err, -EINVAL, BERTH_ERR_USAGE,
				     "%s can be given once, and is '%s' and '%s'", value->label,
				     shown(*present, first), shown(value->text, second));
	*present = value->text;
	return 0;
}

static int parse_port(const struct value *value, void *slot, struct berth_err *err)
{
	if (berth_parse_port(value->text, slot) < 0)
		return usage(err, value, "a port (1-65535)");
	return 0;
}

static int parse_u16(const struct value *value, void *slot, struct berth_err *err)
{
	int64_t max = value->opt->max ? value->opt->max : UINT16_MAX;
	char must_be[64];
	uint64_t number;

	if (berth_parse_u64(value->text, (uint64_t)max, &number) < 0 ||
	    number < (uint64_t)value->opt->min) {
		snprintf(must_be, sizeof(must_be), "a number from %lld to %lld",
			 (long long)value->opt->min, (long long)max);
		return usage(err, value, must_be);
	}
	*(uint16_t *)slot = (uint16_t)number;
	return 0;
}

/* 90000 -> "90s": in the largest unit that divides it, so as it stands in the table. */
static const char *format_bound(int64_t ms, char buf[32])
{
	static const struct {
		int64_t ms;
		const char *name;
	} units[] = { { 86400000, "d" }, { 3600000, "h" }, { 60000, "m" }, { 1000, "s" } };

	for (size_t i = 0; i < BERTH_ARRAY_SIZE(units); i++) {
		if (ms % units[i].ms)
			continue;
		snprintf(buf, 32, "%lld%s", (long long)(ms / units[i].ms), units[i].name);
		return buf;
	}
	snprintf(buf, 32, "%lldms", (long long)ms);
	return buf;
}

static int parse_duration(const struct value *value, void *slot, struct berth_err *err)
{
	const struct berth_opt *opt = value->opt;
	char shown_buf[SHOWN_MAX], bound[32];
	int64_t ms;

	if (berth_parse_duration(value->text, opt->unit ? opt->unit : 1000, &ms) < 0)
		return usage(err, value, "a duration (10, 1.5s, 500ms, 1h30m)");
	if (ms < opt->min)
		return berth_err_set(err, -EINVAL, BERTH_ERR_USAGE,
				     "%s: '%s' is too short, at least %s", value->label,
				     shown(value->text, shown_buf), format_bound(opt->min, bound));
	if (opt->max && ms > opt->max)
		return berth_err_set(err, -EINVAL, BERTH_ERR_USAGE,
				     "%s: '%s' is too long, at most %s", value->label,
				     shown(value->text, shown_buf), format_bound(opt->max, bound));
	*(int64_t *)slot = ms;
	return 0;
}

static int parse_range(const struct value *value, void *slot, struct berth_err *err)
{
	if (berth_range_parse(value->text, slot) < 0)
		return usage(err, value, "a range of ports (5002-5012)");
	return 0;
}

static int list_add(struct berth_opt_list *list, const char *item, struct berth_err *err)
{
	const char **items = reallocarray(list->items, list->count + 2, sizeof(*items));

	if (!items)
		return berth_err_errno(err, -ENOMEM, "cannot keep the arguments");
	items[list->count++] = item;
	items[list->count] = NULL;
	list->items = items;
	return 0;
}

static int parse_list(const struct value *value, void *slot, struct berth_err *err)
{
	int r = refuse_empty(value, err);

	return r < 0 ? r : list_add(slot, value->text, err);
}

static int parse_choice(const struct value *value, void *slot, struct berth_err *err)
{
	const char *const *words = value->opt->words;
	BERTH_CLEANUP(berth_str_deinit) struct berth_str must_be = { 0 };
	const char *closest, *text;

	for (unsigned int i = 0; words[i]; i++) {
		if (strcmp(words[i], value->text) != 0)
			continue;
		i += value->opt->base;
		memcpy(slot, &i, sizeof(i)); /* the member is some enum */
		return 0;
	}
	for (size_t i = 0; words[i]; i++)
		berth_str_addf(&must_be, "%s%s", !i ? "" : words[i + 1] ? ", " : " or ", words[i]);
	text = berth_str_text(&must_be);
	usage(err, value, text ? text : "a known word");
	closest = berth_str_closest(value->text, words);
	if (closest)
		berth_err_hint(err, "did you mean '%s'?", closest);
	return -EINVAL;
}

static int parse_fd(const struct value *value, void *slot, struct berth_err *err)
{
	uint64_t number;

	if (berth_parse_u64(value->text, FD_MAX, &number) < 0)
		return usage(err, value, "the number of a file descriptor");
	*(int *)slot = (int)number;
	return 0;
}

static int parse_signal(const struct value *value, void *slot, struct berth_err *err)
{
	const char *closest;

	if (berth_value_signal(value->text, slot) == 0)
		return 0;
	usage(err, value, "a signal (TERM, SIGINT, 15)");
	closest = berth_value_closest_signal(value->text);
	if (closest)
		berth_err_hint(err, "did you mean '%s'?", closest);
	return -EINVAL;
}

static int parse_size(const struct value *value, void *slot, struct berth_err *err)
{
	const struct berth_opt *opt = value->opt;
	char shown_buf[SHOWN_MAX], bound[32];
	int64_t bytes;
	int r = berth_value_size(value->text, &bytes);

	if (r == -ERANGE)
		bytes = INT64_MAX;
	else if (r < 0)
		return usage(err, value, "a size (10M, 512k, 65536)");
	if (bytes < opt->min)
		return berth_err_set(err, -EINVAL, BERTH_ERR_USAGE,
				     "%s: '%s' is too small, at least %s", value->label,
				     shown(value->text, shown_buf),
				     berth_value_format_size(opt->min, bound));
	if (r < 0 || (opt->max && bytes > opt->max))
		return berth_err_set(
			err, -EINVAL, BERTH_ERR_USAGE, "%s: '%s' is too large, at most %s",
			value->label, shown(value->text, shown_buf),
			berth_value_format_size(opt->max ? opt->max : INT64_MAX, bound));
	*(int64_t *)slot = bytes;
	return 0;
}

static int parse_limit(const struct value *value, void *slot, struct berth_err *err)
{
	int64_t max = value->opt->max ? value->opt->max : UINT16_MAX;
	char must_be[96];
	int r = berth_value_limit(value->text, (unsigned int)max, slot);

	if (r == 0)
		return 0;
	if (r == -ERANGE)
		snprintf(must_be, sizeof(must_be),
			 "a limit of 1 to %lld in a time above 0, nor \"none\"", (long long)max);
	else
		snprintf(must_be, sizeof(must_be), "NUMBER/TIME (5/10s), nor \"none\"");
	return usage(err, value, must_be);
}

/* clang-format off */
static int (*const parsers[])(const struct value *value, void *slot, struct berth_err *err) = {
	[BERTH_OPT_FLAG] = parse_flag,
	[BERTH_OPT_COUNT] = parse_count,
	[BERTH_OPT_STRING] = parse_string,
	[BERTH_OPT_PORT] = parse_port,
	[BERTH_OPT_U16] = parse_u16,
	[BERTH_OPT_DURATION] = parse_duration,
	[BERTH_OPT_RANGE] = parse_range,
	[BERTH_OPT_LIST] = parse_list,
	[BERTH_OPT_CHOICE] = parse_choice,
	[BERTH_OPT_FD] = parse_fd,
	[BERTH_OPT_SIGNAL] = parse_signal,
	[BERTH_OPT_SIZE] = parse_size,
	[BERTH_OPT_LIMIT] = parse_limit,
};
/* clang-format on */

_Static_assert(BERTH_ARRAY_SIZE(parsers) == BERTH_OPT_LIMIT + 1, "one parser per kind");

/* ---- finding rows ---- */

static const struct berth_opt *find_long(const struct berth_opt *opts, const char *name, size_t len)
{
	for (; opts && opts->kind != BERTH_OPT_END; opts++)
		if (strlen(opts->long_name) == len && memcmp(opts->long_name, name, len) == 0)
			return opts;
	return NULL;
}

static const struct berth_opt *find_short(const struct berth_opt *opts, char name)
{
	for (; opts && opts->kind != BERTH_OPT_END; opts++)
		if (opts->short_name && opts->short_name == name)
			return opts;
	return NULL;
}

/* A command's own rows come first, so that it may give a common option another meaning. */
static const struct berth_opt *find_row(const struct berth_cmd *cmd, const char *name, size_t len,
					bool is_long, bool *ret_common)
{
	const struct berth_opt *opt =
		is_long ? find_long(cmd->opts, name, len) : find_short(cmd->opts, *name);

	*ret_common = !opt;
	if (opt)
		return opt;
	if (is_long)
		return find_long(berth_common_opts, name, len);
	return find_short(berth_common_opts, *name);
}

const struct berth_opt *berth_opt_find(const struct berth_cmd *cmd, const char *word)
{
	bool common;

	if (word[0] != '-' || !word[1])
		return NULL;
	if (word[1] == '-')
		return find_row(cmd, word + 2, strcspn(word + 2, "="), true, &common);
	return find_row(cmd, word + 1, 1, false, &common);
}

/* ---- parsing ---- */

struct parser {
	const struct berth_cmd *cmd;
	const char *const *next; /* the word to look at */
	struct berth_common *common;
	char *args;
	struct berth_opt_list *operands;
	bool dashes; /* a `--` was met */
	struct berth_err *err; /* NULL from the first error on: that one is reported */
};

static void hint_help(const struct berth_cmd *cmd, const char *meant, struct berth_err *err)
{
	const char *name = cmd->name ? cmd->name : "";

	if (meant)
		berth_err_hint(err, "did you mean '--%s'? try 'berth%s%s --help'", meant,
			       *name ? " " : "", name);
	else
		berth_err_hint(err, "try 'berth%s%s --help'", *name ? " " : "", name);
}

static int unknown_long(struct parser *p, const char *name, size_t len)
{
	const struct berth_opt *tables[] = { p->cmd->opts, berth_common_opts };
	const char *words[OPTIONS_MAX + 1];
	char text[SHOWN_MAX], buf[SHOWN_MAX];
	size_t count = 0;
	int r;

	for (size_t i = 0; i < BERTH_ARRAY_SIZE(tables); i++)
		for (const struct berth_opt *o = tables[i]; o && o->kind != BERTH_OPT_END; o++)
			if (o->help && count < OPTIONS_MAX)
				words[count++] = o->long_name;
	words[count] = NULL;
	snprintf(text, sizeof(text), "%.*s", (int)(len < SHOWN_MAX ? len : SHOWN_MAX), name);
	r = berth_err_set(p->err, -EINVAL, BERTH_ERR_USAGE, "unknown option '--%s'",
			  shown(text, buf));
	hint_help(p->cmd, berth_str_closest(text, words), p->err);
	return r;
}

static int unknown_short(struct parser *p, const char *name)
{
	char buf[SHOWN_MAX];
	int r;

	r = berth_err_set(p->err, -EINVAL, BERTH_ERR_USAGE, "unknown option '-%s'",
			  berth_str_printable(name, 1, buf, sizeof(buf)));
	hint_help(p->cmd, NULL, p->err);
	return r;
}

static int no_value(struct parser *p, const struct value *value)
{
	int r = berth_err_set(p->err, -EINVAL, BERTH_ERR_USAGE, "%s needs a value: %s",
			      value->label, value->opt->argument);

	hint_help(p->cmd, NULL, p->err);
	return r;
}

static int store(struct parser *p, const struct value *value, bool common)
{
	char *base = common ? (char *)p->common : p->args;
	struct value given = *value;

	if (!given.text)
		given.text = given.opt->bare;
	if (given.opt->given_at)
		*(bool *)(base + given.opt->given_at) = true;
	return parsers[given.opt->kind](&given, base + given.opt->offset, p->err);
}

/* @word is "--name" or "--name=value". */
static int parse_long(struct parser *p, const char *word)
{
	size_t len = strcspn(word + 2, "=");
	struct value value = { 0 };
	char label[LABEL_MAX];
	bool common;

	value.opt = find_row(p->cmd, word + 2, len, true, &common);
	if (!value.opt)
		return unknown_long(p, word + 2, len);
	snprintf(label, sizeof(label), "--%s", value.opt->long_name);
	value.label = label;
	if (word[2 + len] == '=')
		value.text = word + 2 + len + 1;
	if (value.text && !value.opt->argument)
		return berth_err_set(p->err, -EINVAL, BERTH_ERR_USAGE, "%s takes no value", label);
	if (!value.text && berth_opt_takes_word(value.opt)) {
		if (!*p->next)
			return no_value(p, &value);
		value.text = *p->next++;
	}
	return store(p, &value, common);
}

/* @word is "-abc": flags, of which the last may take the rest of the word, or the next one. */
static int parse_bundle(struct parser *p, const char *word)
{
	for (const char *c = word + 1; *c; c++) {
		char label[] = { '-', *c, '\0' };
		struct value value = { .label = label };
		bool common;
		int r;

		value.opt = find_row(p->cmd, c, 1, false, &common);
		if (!value.opt)
			return unknown_short(p, c);
		if (berth_opt_takes_word(value.opt)) {
			value.text = c[1] ? c + 1 : *p->next;
			if (!value.text)
				return no_value(p, &value);
			if (!c[1])
				p->next++;
			return store(p, &value, common);
		}
		r = store(p, &value, common);
		if (r < 0)
			return r;
	}
	return 0;
}

static int take_rest(struct parser *p)
{
	int r = 0;

	while (r >= 0 && *p->next)
		r = list_add(p->operands, *p->next++, p->err);
	return r;
}

static int parse_word(struct parser *p)
{
	const char *word = *p->next;

	if (word[0] != '-' || !word[1]) {
		if (p->cmd->command_rest)
			return take_rest(p);
		p->next++;
		return list_add(p->operands, word, p->err);
	}
	p->next++;
	if (word[1] != '-')
		return parse_bundle(p, word);
	if (word[2])
		return parse_long(p, word);
	p->operands->before_dashes = p->operands->count;
	p->dashes = true;
	return take_rest(p);
}

static int check_operands(struct parser *p)
{
	const struct berth_cmd *cmd = p->cmd;
	size_t count = p->operands->count;
	char buf[SHOWN_MAX];
	int r = 0;

	if (p->common->help)
		return 0;
	if (count < (size_t)cmd->min)
		r = berth_err_set(p->err, -EINVAL, BERTH_ERR_USAGE, "no %s given to 'berth %s'",
				  cmd->command_rest ? "command" : "argument", cmd->name);
	else if (cmd->max != NO_LIMIT && count > (size_t)cmd->max)
		r = berth_err_set(p->err, -EINVAL, BERTH_ERR_USAGE, "unexpected argument '%s'",
				  shown(p->operands->items[cmd->max], buf));
	if (r < 0)
		berth_err_hint(p->err, "usage: berth %s %s; try 'berth %s --help'", cmd->name,
			       cmd->synopsis, cmd->name);
	return r;
}

static void preset(struct parser *p)
{
	for (const struct berth_opt *o = p->cmd->opts; o && o->kind != BERTH_OPT_END; o++) {
		struct value value = { .opt = o, .label = o->long_name, .text = o->preset };

		if (o->kind == BERTH_OPT_FD) {
			int none = -1;

			memcpy(p->args + o->offset, &none, sizeof(none));
		}
		if (o->preset) {
			int r = store(p, &value, false);

			assert(r == 0); /* the table itself is wrong */
			(void)r;
		}
		if (o->given_at)
			p->args[o->given_at] = false;
	}
}

int berth_opt_parse(const struct berth_cmd *cmd, const char *const *argv,
		    struct berth_common *common, void *args, struct berth_opt_list *ret_operands,
		    struct berth_err *err)
{
	struct berth_opt_list operands = { 0 };
	struct parser p = { .cmd = cmd,
			    .next = argv,
			    .common = common,
			    .args = args,
			    .operands = &operands,
			    .err = err };
	int first = 0;

	preset(&p);
	/* Goes on after an error: a --json that is still to come decides how that error is told. */
	while (*p.next) {
		int r = parse_word(&p);

		if (r < 0 && !first) {
			first = r;
			p.err = NULL;
		}
	}
	if (!p.dashes)
		operands.before_dashes = operands.count;
	if (!first)
		first = check_operands(&p);
	if (first < 0) {
		berth_opt_deinit(cmd, args, &operands);
		if (args)
			memset(args, 0, cmd->args_size);
		*ret_operands = (struct berth_opt_list){ 0 };
		return first;
	}
	*ret_operands = operands;
	return 0;
}

static void list_deinit(struct berth_opt_list *list)
{
	free(list->items);
	*list = (struct berth_opt_list){ 0 };
}

void berth_opt_deinit(const struct berth_cmd *cmd, void *args, struct berth_opt_list *operands)
{
	for (const struct berth_opt *o = cmd->opts; args && o && o->kind != BERTH_OPT_END; o++)
		if (o->kind == BERTH_OPT_LIST)
			list_deinit((void *)((char *)args + o->offset));
	list_deinit(operands);
}
