/* SPDX-License-Identifier: MIT */
/* stack/dotenv.h - .env files, with foreman's quoting */
#pragma once

#include "base/err.h"

struct berth_dotenv_entry {
	char *key;
	char *value;
};

struct berth_dotenv {
	struct berth_dotenv_entry *entries; /* in order; the last one of a key counts */
	size_t count;
};

/*
 * KEY=value, `export KEY=value`, # comments, blank lines; blanks around the equals sign are
 * allowed, as are CRLF and a byte order mark. 'single' taken literally; "double" with \n for a
 * newline and \X for any other X; both may go on over several lines, and only a comment may
 * follow. Bare values: trimmed, a # after a blank begins a comment. Nothing is expanded: $HOME
 * stays. Keys [A-Za-z0-9_][A-Za-z0-9_.]*. A line that is none of these: -EINVAL, code CONFIG,
 * "FILE:LINE: ..." with @name as the file and nothing of the text, which may be a secret. At most
 * 10,000 entries. Pure: @text of @len bytes, NUL bytes are an error.
 *
 * The quoting is foreman's. Where we differ from it:
 *
 *   A=x # text    foreman keeps all of it; honcho, and every reader of the name dotenv, drop the
 *                 comment, and so do we
 *   "two lines"   foreman knows only whole lines; keys in PEM form need more
 *   export, A = 1 foreman passes them over, dotenv reads them
 *   "it's" x      text behind a quote: foreman keeps the quotes, honcho joins; here it is an error
 *   no key at all foreman and honcho pass it over; a value that is missing without a word costs
 *                 more than an error with its line
 */
BERTH_MUST_USE int berth_dotenv_parse(const char *text, size_t len, const char *name,
				      struct berth_dotenv *ret_env, struct berth_err *err);
void berth_dotenv_deinit(struct berth_dotenv *env);
/* The last value of @key, NULL: none. */
const char *berth_dotenv_get(const struct berth_dotenv *env, const char *key);
