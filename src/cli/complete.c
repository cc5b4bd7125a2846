/* SPDX-License-Identifier: MIT */
/*
 * cli/complete.c - what could stand at the cursor of a shell: pure over the command tables
 *
 * The words before the cursor are walked as the parser would walk them, but forgivingly: what is
 * wrong there is told when the line is run. What comes out is either the value of an option, an
 * option, a command or an operand.
 *
 * Words end up on the user's command line unquoted. Names of services hold names of branches, which
 * other people choose: a word with any character that some shell might act on is not offered.
 */
#include "cli/complete.h"

#include <stdio.h>
#include <string.h>

#include "cli/table.h"

enum {
	WORD_MAX = 256
};

static const struct berth_cmd no_command = { .name = "", .synopsis = "", .summary = "" };

struct completer {
	const struct berth_complete_spec *spec;
	const char *typed; /* what the word begins with */
	/* The part of the word that is settled: "--port=", "name,url,". */
	char prefix[WORD_MAX];
	struct berth_complete_rest rest;
};

static bool is_harmless(const char *word)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "0123456789@%+=:,./_~-";

	return *word && !strchr("~=", *word) && strspn(word, letters) == strlen(word);
}

static int offer(const char *word, const char *help, void *arg)
{
	struct completer *c = arg;
	char whole[2 * WORD_MAX];

	if (!is_harmless(word) || strncmp(word, c->typed, strlen(c->typed)) != 0)
		return 0;
	snprintf(whole, sizeof(whole), "%s%s", c->prefix, word);
	return c->spec->offer(whole, help ? help : "", c->spec->arg);
}

/* Of the names and ports of services the ports: a name is never a number. */
static int offer_port(const char *word, const char *help, void *arg)
{
	return word[strspn(word, "0123456789")] ? 0 : offer(word, help, arg);
}

/* ---- the walk up to the cursor ---- */

/* Where the cursor stands. */
struct place {
	const struct berth_cmd *cmd; /* &no_command before its name */
	const struct berth_opt *value_of; /* the word is the value of this option; NULL: not */
	bool options_ended; /* by "--" */
	size_t foreign; /* index of a foreign command's first word; 0: none yet */
	size_t operands; /* how many stand before it */
};

/* The option of "-p", "-dp" or "--port" whose value is the next word; NULL: none. */
static const struct berth_opt *takes_next(const struct berth_cmd *cmd, const char *word)
{
	const struct berth_opt *opt;

	if (word[1] == '-') {
		opt = strchr(word, '=') ? NULL : berth_opt_find(cmd, word);
		return opt && berth_opt_takes_word(opt) ? opt : NULL;
	}
	for (const char *c = word + 1; *c; c++) {
		char one[] = { '-', *c, '\0' };

		opt = berth_opt_find(cmd, one);
		if (!opt)
			return NULL;
		if (berth_opt_takes_word(opt))
			return c[1] ? NULL : opt;
	}
	return NULL;
}

static void walk_word(const struct berth_complete_spec *spec, const char *word, size_t index,
		      struct place *place)
{
	const struct berth_cmd *cmd;

	if (place->value_of) {
		place->value_of = NULL;
	} else if (!place->options_ended && strcmp(word, "--") == 0) {
		place->options_ended = true;
		if (place->cmd->command_last)
			place->foreign = index + 1;
	} else if (!place->options_ended && word[0] == '-' && word[1]) {
		place->value_of = takes_next(place->cmd, word);
	} else if (place->cmd == &no_command) {
		cmd = spec->find(word);
		if (cmd)
			place->cmd = cmd;
		place->options_ended = false;
	} else {
		if (place->cmd->complete == BERTH_COMPLETE_FOREIGN)
			place->foreign = index;
		place->operands++;
	}
}

/* ---- what fits there ---- */

static int offer_words(struct completer *c, const char *const *words)
{
	int r = 0;

	for (; !r && words && *words; words++)
		r = offer(*words, NULL, c);
	return r;
}

static int offer_commands(struct completer *c)
{
	int r = 0;

	for (size_t i = 0; !r && c->spec->cmds[i]; i++)
		if (!c->spec->cmds[i]->hidden)
			r = offer(c->spec->cmds[i]->name, c->spec->cmds[i]->summary, c);
	return r;
}

static int offer_options(struct completer *c, const struct berth_opt *opts)
{
	int r = 0;

	for (; !r && opts && opts->kind != BERTH_OPT_END; opts++) {
		char word[WORD_MAX];

		if (!opts->help)
			continue;
		snprintf(word, sizeof(word), "--%s", opts->long_name);
		r = offer(word, opts->help, c);
	}
	return r;
}

/* Columns are a list in one word: what stands before the last comma is kept. */
static int offer_columns(struct completer *c, const struct berth_column *columns)
{
	const char *comma = strrchr(c->typed, ',');
	int r = 0;

	if (comma) {
		size_t len = strlen(c->prefix), more = (size_t)(comma + 1 - c->typed);

		if (len + more >= sizeof(c->prefix))
			return 0;
		memcpy(c->prefix + len, c->typed, more);
		c->prefix[len + more] = '\0';
		c->typed = comma + 1;
	}
	for (; !r && columns && columns->name; columns++)
		r = offer(columns->name, columns->help, c);
	return r;
}

static int offer_kind(struct completer *c, enum berth_opt_complete what, const char *const *words,
		      const struct berth_cmd *cmd, size_t index)
{
	switch (what) {
	case BERTH_COMPLETE_NONE:
		return 0;
	case BERTH_COMPLETE_FILE:
	case BERTH_COMPLETE_FOLDER:
		c->rest.what = what;
		return 0;
	case BERTH_COMPLETE_FOREIGN:
		c->rest = (struct berth_complete_rest){ what, index };
		return 0;
	case BERTH_COMPLETE_SERVICE:
		return c->spec->services(offer, c);
	case BERTH_COMPLETE_PORT:
		return c->spec->services(offer_port, c);
	case BERTH_COMPLETE_COMMAND:
		return offer_commands(c);
	case BERTH_COMPLETE_WORDS:
		return offer_words(c, words);
	case BERTH_COMPLETE_COLUMN:
		return offer_columns(c, cmd->columns);
	}
	return 0;
}

static int offer_value(struct completer *c, const struct berth_opt *opt,
		       const struct berth_cmd *cmd)
{
	if (opt->kind == BERTH_OPT_CHOICE)
		return offer_words(c, opt->words);
	return offer_kind(c, opt->complete, opt->words, cmd, 0);
}

/* The word is "--name=..."; @equals points to its '='. */
static int offer_joined(struct completer *c, const char *word, const char *equals,
			const struct berth_cmd *cmd)
{
	const struct berth_opt *opt = berth_opt_find(cmd, word);
	size_t len = (size_t)(equals + 1 - word);

	if (!opt || !opt->argument || len >= sizeof(c->prefix))
		return 0;
	memcpy(c->prefix, word, len);
	c->prefix[len] = '\0';
	c->typed = equals + 1;
	return offer_value(c, opt, cmd);
}

static int offer_operand(struct completer *c, const struct place *place, size_t index)
{
	const struct berth_cmd *cmd = place->cmd;
	int r;

	if (cmd == &no_command)
		return offer_commands(c);
	if (cmd->max >= 0 && place->operands >= (size_t)cmd->max)
		return 0;
	r = offer_kind(c, cmd->complete, cmd->words, cmd, index);
	/* `berth help` takes a command or one of its own words. */
	if (!r && cmd->complete == BERTH_COMPLETE_COMMAND)
		r = offer_words(c, cmd->words);
	return r;
}

static int offer_at(struct completer *c, const struct place *place, size_t index)
{
	const char *equals = strchr(c->typed, '=');
	int r;

	if (place->foreign) {
		c->rest = (struct berth_complete_rest){ BERTH_COMPLETE_FOREIGN, place->foreign };
		return 0;
	}
	if (place->value_of)
		return offer_value(c, place->value_of, place->cmd);
	if (place->options_ended || *c->typed != '-')
		return offer_operand(c, place, index);
	if (c->typed[1] == '-' && equals)
		return offer_joined(c, c->typed, equals, place->cmd);
	r = offer_options(c, place->cmd->opts);
	return r ? r : offer_options(c, berth_common_opts);
}

int berth_complete(const struct berth_complete_spec *spec, const char *const *words,
		   struct berth_complete_rest *ret_rest)
{
	struct completer c = { .spec = spec, .typed = "" };
	struct place place = { .cmd = &no_command };
	size_t last = 0;
	int r;

	for (; words[last] && words[last + 1] && !place.foreign; last++)
		walk_word(spec, words[last], last, &place);
	if (words[last])
		c.typed = words[last];
	r = offer_at(&c, &place, last);
	if (!r)
		*ret_rest = c.rest;
	return r;
}
