/* SPDX-License-Identifier: MIT */
/* service/check.c - how it is told that a service is ready, or alive: what the user asked for */
#include "service/check.h"

#include <errno.h>
#include <regex.h>
#include <stdio.h>
#include <string.h>

#include "base/str.h"

enum {
	ARG_MAX_LEN = 1024,
	COMMAND_MAX_LEN = 16 * 1024,
};

/* In the order of the enum. @arg: what the word is followed by, NULL: nothing. */
static const struct {
	const char *word, *arg;
	bool live;
} kinds[] = {
	[BERTH_CHECK_NONE] = { "started" },
	[BERTH_CHECK_LISTEN] = { "listen" },
	[BERTH_CHECK_TCP] = { "tcp", .live = true },
	[BERTH_CHECK_HTTP] = { "http", "PATH", .live = true },
	[BERTH_CHECK_LOG] = { "log", "PATTERN" },
	[BERTH_CHECK_NOTIFY] = { "notify" },
	[BERTH_CHECK_EXEC] = { "exec", "COMMAND", .live = true },
};

/* Text of the user's, fit for a message. */
struct shown {
	char text[96];
};

static const char *show(const char *text, size_t len, struct shown *shown)
{
	return berth_str_printable(text, len, shown->text, sizeof(shown->text));
}

static int refuse_word(const char *text, size_t len, bool live, struct berth_err *err)
{
	const char *words[BERTH_ARRAY_SIZE(kinds) + 1] = { NULL };
	const char *closest;
	struct shown shown;
	char word[16] = "";
	size_t count = 0;

	for (size_t i = 0; i < BERTH_ARRAY_SIZE(kinds); i++)
		if (!live || kinds[i].live)
			words[count++] = kinds[i].word;
	if (len < sizeof(word))
		memcpy(word, text, len);
	closest = berth_str_closest(word, words);
	berth_err_set(err, -EINVAL, BERTH_ERR_USAGE, "'%s' does not tell whether a service is %s",
		      show(text, len, &shown), live ? "alive" : "ready");
	if (closest)
		berth_err_hint(err, "did you mean '%s'?", closest);
	else if (live)
		berth_err_hint(err, "tcp, 'http PATH' or 'exec COMMAND'");
	else
		berth_err_hint(err, "listen, tcp, 'http PATH', 'log PATTERN', notify, "
				    "'exec COMMAND' or started");
	return -EINVAL;
}

static bool find_kind(const char *word, size_t len, enum berth_check_kind *ret_kind)
{
	for (size_t i = 0; i < BERTH_ARRAY_SIZE(kinds); i++) {
		if (strlen(kinds[i].word) != len || memcmp(kinds[i].word, word, len) != 0)
			continue;
		*ret_kind = (enum berth_check_kind)i;
		return true;
	}
	return false;
}

/* It goes into a request line as it is: printable ASCII without blanks (RFC 9112, section 3.2). */
static int check_path(const char *path, struct berth_err *err)
{
	struct shown shown;

	show(path, (size_t)-1, &shown);
	if (path[0] != '/' || path[1] == '/') {
		berth_err_set(err, -EINVAL, BERTH_ERR_USAGE, "'%s' is no path", shown.text);
		berth_err_hint(err, "the path alone, which begins with one '/': 'http /health'");
		return -EINVAL;
	}
	for (const char *p = path; *p; p++) {
		if (*p > ' ' && *p <= '~' && *p != '#')
			continue;
		berth_err_set(err, -EINVAL, BERTH_ERR_USAGE,
			      "the path '%s' has a character that a request cannot have",
			      shown.text);
		berth_err_hint(err,
			       "blanks and all but ASCII are written as in a URL: %%20, %%C3%%A4");
		return -EINVAL;
	}
	if (strlen(path) > ARG_MAX_LEN)
		return berth_err_set(err, -EINVAL, BERTH_ERR_USAGE,
				     "a path of more than %d characters: '%s'", ARG_MAX_LEN,
				     shown.text);
	return 0;
}

static int check_pattern(const char *pattern, struct berth_err *err)
{
	struct shown shown;
	char cause[128];
	regex_t regex;
	int r;

	if (strlen(pattern) > ARG_MAX_LEN)
		return berth_err_set(err, -EINVAL, BERTH_ERR_USAGE,
				     "a pattern of more than %d bytes: '%s'", ARG_MAX_LEN,
				     show(pattern, (size_t)-1, &shown));
	r = regcomp(&regex, pattern, REG_EXTENDED | REG_NOSUB);
	if (r == 0) {
		regfree(&regex);
		return 0;
	}
	regerror(r, &regex, cause, sizeof(cause));
	berth_err_set(err, -EINVAL, BERTH_ERR_USAGE, "'%s' is no extended regular expression: %s",
		      show(pattern, (size_t)-1, &shown), cause);
	berth_err_hint(err, "a character of ( ) [ ] { } . * + ? ^ $ | \\ that stands for itself is "
			    "written with a backslash before it");
	return -EINVAL;
}

/* The shell says what is wrong with it, when it is run. */
static int check_command(const char *command, struct berth_err *err)
{
	struct shown shown;

	if (strlen(command) <= COMMAND_MAX_LEN)
		return 0;
	return berth_err_set(err, -EINVAL, BERTH_ERR_USAGE, "a command of more than %d bytes: '%s'",
			     COMMAND_MAX_LEN, show(command, (size_t)-1, &shown));
}

/* An argument of each kind that has one. */
static const struct {
	const char *example;
	int (*check)(const char *arg, struct berth_err *err);
} args[] = {
	[BERTH_CHECK_HTTP] = { "/health", check_path },
	[BERTH_CHECK_LOG] = { "listening on", check_pattern },
	[BERTH_CHECK_EXEC] = { "pg_isready -p {port}", check_command },
};

static int check_arg(enum berth_check_kind kind, const char *arg, struct berth_err *err)
{
	const char *word = kinds[kind].word;

	if (!kinds[kind].arg) {
		if (!arg)
			return 0;
		return berth_err_set(err, -EINVAL, BERTH_ERR_USAGE, "'%s' stands alone", word);
	}
	if (!arg || !*arg) {
		berth_err_set(err, -EINVAL, BERTH_ERR_USAGE, "'%s' needs a %s", word,
			      kinds[kind].arg);
		berth_err_hint(err, "in one word for the shell: '%s %s'", word, args[kind].example);
		return -EINVAL;
	}
	return args[kind].check(arg, err);
}

int berth_check_parse(const char *text, bool live, struct berth_check *ret_check,
		      struct berth_err *err)
{
	size_t len = strcspn(text, " :");
	const char *arg = text[len] ? text + len + 1 : NULL;
	enum berth_check_kind kind;
	int r;

	if (!find_kind(text, len, &kind))
		return refuse_word(text, len, live, err);
	if (live && !kinds[kind].live) {
		berth_err_set(err, -EINVAL, BERTH_ERR_USAGE,
			      "'%s' tells when a service is ready, not whether it is still alive",
			      kinds[kind].word);
		berth_err_hint(err, "tcp, 'http PATH' or 'exec COMMAND'");
		return -EINVAL;
	}
	r = check_arg(kind, arg, err);
	if (r < 0)
		return r;
	*ret_check = (struct berth_check){ .kind = kind, .arg = arg };
	return 0;
}

const char *berth_check_format(const struct berth_check *check, char *buf, size_t size)
{
	snprintf(buf, size, "%s%s%s", kinds[check->kind].word, check->arg ? " " : "",
		 check->arg ? check->arg : "");
	return buf;
}
