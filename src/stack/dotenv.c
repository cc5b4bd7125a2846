/* SPDX-License-Identifier: MIT */
/* stack/dotenv.c - .env files, with foreman's quoting */
#include "stack/dotenv.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "base/str.h"

enum {
	ENTRIES_MAX = 10000
};

/* Messages tell the place and never the text: it may be a secret. */
struct reader {
	const char *p, *end;
	const char *name;
	size_t line;
	struct berth_err *err;
};

static int refuse(const struct reader *reader, size_t line, const char *cause)
{
	char name[256];

	return berth_err_set(reader->err, -EINVAL, BERTH_ERR_CONFIG, "%s:%zu: %s",
			     berth_str_printable(reader->name, (size_t)-1, name, sizeof(name)),
			     line, cause);
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static bool is_key(char c, bool first)
{
	if ((c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_')
		return true;
	return !first && c == '.';
}

static void skip_blanks(struct reader *reader)
{
	while (reader->p < reader->end && is_blank(*reader->p))
		reader->p++;
}

/* At a newline, with or without a carriage return, or at the end of the text? */
static bool at_line_end(const struct reader *reader)
{
	const char *p = reader->p;

	if (p < reader->end && *p == '\r')
		p++;
	return p == reader->end || *p == '\n';
}

static void skip_line(struct reader *reader)
{
	const char *newline = memchr(reader->p, '\n', (size_t)(reader->end - reader->p));

	reader->p = newline ? newline + 1 : reader->end;
	reader->line++;
}

static int read_key(struct reader *reader, char **ret_key)
{
	static const char export[] = { 'e', 'x', 'p', 'o', 'r', 't' };
	const char *begin;
	char *key;
	size_t len;

	for (bool exported = false;; exported = true) {
		begin = reader->p;
		while (reader->p < reader->end && is_key(*reader->p, reader->p == begin))
			reader->p++;
		len = (size_t)(reader->p - begin);
		skip_blanks(reader);
		if (reader->p < reader->end && *reader->p == '=' && len > 0)
			break;
		/* "export" is a key of its own only before an equals sign. */
		if (exported || len != sizeof(export) || memcmp(begin, export, len) ||
		    reader->p == begin + len)
			return refuse(reader, reader->line, "neither KEY=value nor a comment");
	}
	reader->p++;

	key = strndup(begin, len);
	if (!key)
		return -ENOMEM;
	*ret_key = key;
	return 0;
}

/* Up to the line's end or a comment, without the blanks around it. */
static int read_bare(struct reader *reader, struct berth_str *value)
{
	const char *begin, *end;

	while (!at_line_end(reader)) {
		if (*reader->p == '#' && is_blank(reader->p[-1]))
			break;
		berth_str_add_bytes(value, reader->p++, 1);
	}
	if (value->failed)
		return -ENOMEM;
	if (value->len == 0)
		return 0;
	begin = value->text;
	end = value->text + value->len;
	while (begin < end && is_blank(*begin))
		begin++;
	while (end > begin && is_blank(end[-1]))
		end--;
	value->len = (size_t)(end - begin);
	memmove(value->text, begin, value->len);
	value->text[value->len] = '\0';
	return 0;
}

/* Does a backslash in double quotes take @c with it? Before the end of a line it stands for itself. */
static bool is_escaped(char c)
{
	return c != '\n' && c != '\r';
}

/* Behind the opening quote, through the closing one, which may be lines further down (a key). */
static int read_quoted(struct reader *reader, char quote, struct berth_str *value)
{
	size_t first_line = reader->line;

	for (; reader->p < reader->end && *reader->p != quote; reader->p++) {
		char c = *reader->p;

		if (c == '\r' && at_line_end(reader))
			continue;
		if (c == '\n')
			reader->line++;
		if (c == '\\' && quote == '"' && reader->end - reader->p > 1 &&
		    is_escaped(reader->p[1])) {
			c = *++reader->p;
			if (c == 'n')
				c = '\n';
		}
		berth_str_add_bytes(value, &c, 1);
	}
	if (reader->p == reader->end)
		return refuse(reader, first_line, "the quote is never closed");
	reader->p++;

	if (!at_line_end(reader) && !is_blank(*reader->p))
		return refuse(reader, reader->line, "text behind the closing quote");
	skip_blanks(reader);
	if (!at_line_end(reader) && *reader->p != '#')
		return refuse(reader, reader->line, "text behind the closing quote");
	return 0;
}

static int read_value(struct reader *reader, char **ret_value)
{
	BERTH_CLEANUP(berth_str_deinit) struct berth_str text = { 0 };
	const char *begin = reader->p;
	char *value;
	int r;

	skip_blanks(reader);
	if (reader->p < reader->end && (*reader->p == '\'' || *reader->p == '"')) {
		char quote = *reader->p++;

		r = read_quoted(reader, quote, &text);
	} else {
		/* From the equals sign on: a blank before a '#' may be the first one. */
		reader->p = begin;
		r = read_bare(reader, &text);
	}
	if (r < 0)
		return r;
	value = berth_str_steal(&text);
	if (!value)
		return -ENOMEM;
	*ret_value = value;
	return 0;
}

static int add_entry(struct berth_dotenv *env, size_t *size, char *key, char *value)
{
	if (env->count == *size) {
		size_t more = *size ? *size * 2 : 16;
		struct berth_dotenv_entry *entries;

		entries = reallocarray(env->entries, more, sizeof(*entries));
		if (!entries)
			return -ENOMEM;
		env->entries = entries;
		*size = more;
	}
	env->entries[env->count++] = (struct berth_dotenv_entry){ key, value };
	return 0;
}

/* One line, or the lines of one quoted value. */
static int read_entry(struct reader *reader, struct berth_dotenv *env, size_t *size)
{
	BERTH_AUTO_FREE char *key = NULL;
	BERTH_AUTO_FREE char *value = NULL;
	int r;

	skip_blanks(reader);
	if (at_line_end(reader) || *reader->p == '#')
		return 0;
	if (env->count == ENTRIES_MAX)
		return refuse(reader, reader->line, "more than 10000 entries");
	r = read_key(reader, &key);
	if (r < 0)
		return r;
	r = read_value(reader, &value);
	if (r < 0)
		return r;
	r = add_entry(env, size, key, value);
	if (r < 0)
		return r;
	key = value = NULL;
	return 0;
}

int berth_dotenv_parse(const char *text, size_t len, const char *name, struct berth_dotenv *ret_env,
		       struct berth_err *err)
{
	static const char mark[] = { '\xef', '\xbb', '\xbf' };
	struct reader reader = { .name = name, .line = 1, .err = err };
	struct berth_dotenv env = { 0 };
	const char *nul;
	size_t size = 0;
	int r = 0;

	/* An empty file may come without a buffer. */
	if (len == 0)
		text = "";
	nul = memchr(text, '\0', len);
	if (nul) {
		for (const char *p = text; p < nul; p++)
			reader.line += *p == '\n';
		return refuse(&reader, reader.line, "a NUL byte");
	}
	reader.p = text;
	reader.end = text + len;
	/* Editors on Windows put a byte order mark in front. */
	if (len >= sizeof(mark) && !memcmp(text, mark, sizeof(mark)))
		reader.p += sizeof(mark);

	while (reader.p < reader.end) {
		r = read_entry(&reader, &env, &size);
		if (r < 0)
			break;
		skip_line(&reader);
	}
	if (r < 0) {
		berth_dotenv_deinit(&env);
		if (r == -ENOMEM)
			berth_err_errno(err, r, "cannot read '%s'", name);
		return r;
	}
	*ret_env = env;
	return 0;
}

void berth_dotenv_deinit(struct berth_dotenv *env)
{
	if (!env)
		return;
	for (size_t i = 0; i < env->count; i++) {
		free(env->entries[i].key);
		free(env->entries[i].value);
	}
	free(env->entries);
	*env = (struct berth_dotenv){ 0 };
}

const char *berth_dotenv_get(const struct berth_dotenv *env, const char *key)
{
	for (size_t i = env->count; i > 0; i--) {
		if (!strcmp(env->entries[i - 1].key, key))
			return env->entries[i - 1].value;
	}
	return NULL;
}
