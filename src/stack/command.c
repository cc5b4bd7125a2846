/* SPDX-License-Identifier: MIT */
/*
 * stack/command.c - a command that was written as one string: what is to be run
 *
 * A shell in between costs a process for the whole life of the service where it does not exec its
 * last command, and then it is the shell that gets the stop signal. So where it would do nothing
 * but split the words, it is left out, as make(1) does.
 */
#include "stack/command.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* Words that only a shell knows: its keywords, and builtins that no program stands for. */
static const char *const shell_words[] = {
	".",	    ":",      "alias", "bg",	   "break",  "case",	"cd",	   "command",
	"continue", "do",     "done",  "elif",	   "else",   "esac",	"eval",	   "exec",
	"exit",	    "export", "fg",    "fi",	   "for",    "getopts", "hash",	   "if",
	"jobs",	    "local",  "read",  "readonly", "return", "set",	"shift",   "source",
	"then",	    "times",  "trap",  "type",	   "ulimit", "umask",	"unalias", "unset",
	"until",    "wait",   "while", NULL,
};

static bool is_shell_word(const char *text, size_t len)
{
	for (const char *const *word = shell_words; *word; word++)
		if (strlen(*word) == len && strncmp(*word, text, len) == 0)
			return true;
	return false;
}

/* "{port}", "{backend.port.http}": at @text; its length, 0: none. */
static size_t placeholder_len(const char *text)
{
	size_t len;

	if (*text != '{')
		return 0;
	len = strspn(text + 1, "abcdefghijklmnopqrstuvwxyz0123456789-.");
	return len && text[len + 1] == '}' ? len + 2 : 0;
}

static bool is_plain_char(char c)
{
	return isalnum((unsigned char)c) || strchr("_./:=,@%+-", c);
}

static bool is_plain(const char *text)
{
	const char *first = text + strspn(text, " \t");
	size_t len = strcspn(first, " \t");

	if (!len || memchr(first, '=', len) || is_shell_word(first, len))
		return false;
	while (*text) {
		size_t placeholder = placeholder_len(text);

		if (!placeholder && !is_plain_char(*text) && *text != ' ' && *text != '\t')
			return false;
		text += placeholder ? placeholder : 1;
	}
	return true;
}

static bool add(char **words, size_t *count, char *word)
{
	words[*count] = word;
	*count += word != NULL;
	words[*count] = NULL;
	return word;
}

static bool split(char **words, const char *text)
{
	size_t count = 0;

	for (;;) {
		size_t len;

		text += strspn(text, " \t");
		len = strcspn(text, " \t");
		if (!len)
			return true;
		if (!add(words, &count, strndup(text, len)))
			return false;
		text += len;
	}
}

static bool give_to_shell(char **words, const char *text)
{
	size_t count = 0;

	return add(words, &count, strdup("/bin/sh")) && add(words, &count, strdup("-c")) &&
	       add(words, &count, strdup(text));
}

char **berth_command_words(const char *text)
{
	/* Each word but the last has a blank behind it. */
	char **words = calloc(strlen(text) / 2 + 4, sizeof(*words));

	if (!words)
		return NULL;
	if (is_plain(text) ? split(words, text) : give_to_shell(words, text))
		return words;
	berth_command_free(words);
	return NULL;
}

void berth_command_free(char **words)
{
	for (char **word = words; word && *word; word++)
		free(*word);
	free(words);
}
