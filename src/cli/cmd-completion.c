/* SPDX-License-Identifier: MIT */
/*
 * cli/cmd-completion.c - berth completion: the scripts for the shells, and the words those ask for
 *
 * The scripts are thin: on each Tab they run `berth completion words SHELL -- WORD...` with the
 * words after "berth" up to the cursor, and get one line for each word that fits, in zsh and fish
 * with a tab and one line of help behind it. At most one further line says what the shell is to
 * offer by itself:
 *	:files		names of files
 *	:folders	names of folders
 *	:command N	what it would offer for a line that begins with WORD number N (from 0)
 * No word begins with a colon.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "app/registry.h"
#include "base/str.h"
#include "cli/cli.h"
#include "cli/commands.h"
#include "cli/complete.h"
#include "cli/completions.h" /* made from completions/ by the build */

static const char *const shells[] = { "bash", "zsh", "fish", NULL };

static const struct {
	const char *shell;
	const char *script;
	bool with_help; /* does it show a line about each word? */
} scripts[] = {
	{ "bash", completion_bash, false },
	{ "zsh", completion_zsh, true },
	{ "fish", completion_fish, true },
};

_Static_assert(BERTH_ARRAY_SIZE(shells) == BERTH_ARRAY_SIZE(scripts) + 1, "one script per shell");

struct words_output {
	struct berth_out *out;
	bool with_help;
};

static int print_word(const char *word, const char *help, void *arg)
{
	struct words_output *output = arg;

	if (output->with_help && *help)
		berth_out_result(output->out, "%s\t%s\n", word, help);
	else
		berth_out_result(output->out, "%s\n", word);
	return 0;
}

/* A service: its short name, its full one, its ports. */
static int complete_service(const json_t *service,
			    int (*add)(const char *word, const char *help, void *arg), void *arg)
{
	const char *label = berth_json_string(service, "label", "");
	const json_t *ports = json_object_get(service, "ports");
	int r;

	r = add(berth_json_string(service, "service", ""), label, arg);
	if (!r)
		r = add(label, berth_json_string(service, "state", ""), arg);
	for (size_t i = 0; !r && i < json_array_size(ports); i++) {
		int64_t port = berth_json_int(json_array_get(ports, i), "port", 0);
		char number[24];

		snprintf(number, sizeof(number), "%lld", (long long)port);
		if (port)
			r = add(number, label, arg);
	}
	return r;
}

/* What runs. What can't be read offers nothing: a Tab is no place for an error. */
static int complete_services(int (*add)(const char *word, const char *help, void *arg), void *arg)
{
	BERTH_AUTO_JSON json_t *records = NULL;
	struct berth_registry registry;
	int r;

	if (berth_registry_open(&registry, NULL) < 0)
		return 0;
	r = berth_registry_load(&registry, &records);
	berth_registry_close(&registry);
	if (r < 0)
		return 0;
	berth_registry_label(records);
	r = 0;
	for (size_t i = 0; !r && i < json_array_size(records); i++) {
		const json_t *record = json_array_get(records, i);

		if (berth_registry_life(record) == BERTH_REGISTRY_LIVE)
			r = complete_service(berth_registry_service(record), add, arg);
	}
	return r;
}

static int print_words(struct berth_cli *cli, size_t shell, const char *const *words,
		       struct berth_err *err)
{
	struct words_output output = { &cli->out, scripts[shell].with_help };
	struct berth_complete_spec spec = {
		.cmds = berth_commands,
		.find = berth_commands_find,
		.offer = print_word,
		.services = complete_services,
		.arg = &output,
	};
	struct berth_complete_rest rest;
	int r;

	r = berth_complete(&spec, words, &rest);
	if (r < 0)
		return berth_err_errno(err, r, "cannot complete");
	if (rest.what == BERTH_COMPLETE_FILE)
		berth_out_result(&cli->out, ":files\n");
	else if (rest.what == BERTH_COMPLETE_FOLDER)
		berth_out_result(&cli->out, ":folders\n");
	else if (rest.what == BERTH_COMPLETE_FOREIGN)
		berth_out_result(&cli->out, ":command %zu\n", rest.foreign);
	return 0;
}

static int unknown_shell(const char *word, struct berth_err *err)
{
	const char *closest = berth_str_closest(word, shells);
	char buf[64];

	berth_err_set(err, -EINVAL, BERTH_ERR_USAGE, "there is no completion for the shell '%s'",
		      berth_str_printable(word, (size_t)-1, buf, sizeof(buf)));
	if (closest)
		berth_err_hint(err, "did you mean '%s'?", closest);
	else
		berth_err_hint(err, "there is one for bash, zsh and fish");
	return -EINVAL;
}

static int find_shell(const char *word, size_t *ret_shell, struct berth_err *err)
{
	for (size_t i = 0; i < BERTH_ARRAY_SIZE(scripts); i++) {
		if (strcmp(scripts[i].shell, word) != 0)
			continue;
		*ret_shell = i;
		return 0;
	}
	return unknown_shell(word, err);
}

static int completion_run(struct berth_cli *cli, void *args, struct berth_err *err)
{
	const char *const *words = (const char *const *)cli->operands.items;
	bool wants_words = strcmp(words[0], "words") == 0;
	size_t shell;
	int r;

	if (wants_words && cli->operands.count < 3)
		return berth_err_set(err, -EINVAL, BERTH_ERR_USAGE,
				     "usage: berth completion words SHELL -- WORD...");
	r = find_shell(words[wants_words ? 1 : 0], &shell, err);
	if (r < 0)
		return r;
	if (wants_words)
		return print_words(cli, shell, words + 3, err);
	if (cli->operands.count > 1)
		return berth_err_set(err, -EINVAL, BERTH_ERR_USAGE, "only one shell at a time");
	berth_out_result(&cli->out, "%s", scripts[shell].script);
	return 0;
}

const struct berth_cmd berth_cmd_completion = {
	.name = "completion",
	.synopsis = "bash|zsh|fish",
	.summary = "print the completion script for a shell",
	.details =
		"An installed berth has its completion in place already. Else, to have it in every "
		"new shell:\n\n"
		"  bash: echo 'eval \"$(berth completion bash)\"' >> ~/.bashrc\n"
		"  zsh:  berth completion zsh > \"${fpath[1]}/_berth\"\n"
		"  fish: berth completion fish > ~/.config/fish/completions/berth.fish\n\n"
		"It knows the commands and their options, and the services and ports of what runs.",
	.min = 1,
	.max = -1,
	.command_rest = true, /* the words of another line, with its options */
	.group = BERTH_CMD_REST,
	.complete = BERTH_COMPLETE_WORDS,
	.words = shells,
	.run = completion_run,
};
