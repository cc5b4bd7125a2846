/* SPDX-License-Identifier: MIT */
/* stack/package-edit.c - scripts added to a package.json of which nothing else changes */
/*
 * Written anew from its tree, a file would lose what its owner's editor has given it: indentation,
 * blank lines, the style of its colons. So the text itself is edited. Where a member ends is found
 * by stepping over strings and brackets, which is enough for a text that is known to be JSON; what
 * comes out is parsed once more and has to say what was meant.
 */
#include "stack/package-edit.h"

#include <errno.h>
#include <string.h>

/* A part of the text: bytes from..to. */
struct span {
	size_t from, to;
};

/* What is known of an object after a walk through its members. */
struct object {
	size_t open, close; /* its braces */
	size_t count;
	struct span blank; /* in front of the key of the last member */
	struct span colon; /* between its key and its value */
	size_t end; /* behind its value */
	struct span wanted; /* the value that was asked for; 0, 0: not there */
};

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static size_t skip_blanks(const char *text, size_t at)
{
	while (is_blank(text[at]))
		at++;
	return at;
}

static size_t skip_string(const char *text, size_t at)
{
	for (at++; text[at] && text[at] != '"'; at++)
		if (text[at] == '\\' && text[at + 1])
			at++;
	return text[at] ? at + 1 : at;
}

static size_t skip_value(const char *text, size_t at)
{
	size_t depth = 0;

	do {
		char c = text[at];

		if (c == '"') {
			at = skip_string(text, at);
			continue;
		}
		if (c == '{' || c == '[')
			depth++;
		else if (c == '}' || c == ']')
			depth--;
		at++;
		if (depth == 0 && c != '}' && c != ']')
			at += strcspn(text + at, ",]} \t\r\n");
	} while (depth > 0 && text[at]);
	return at;
}

/* Walk the object that opens at @open, looking for the member @key (NULL: none). */
static struct object walk(const char *text, size_t open, const char *key)
{
	struct object object = { .open = open };
	size_t at = open;

	for (;;) {
		size_t begin = at + 1, key_at = skip_blanks(text, begin), colon, value;

		if (text[key_at] != '"') {
			object.close = key_at;
			return object;
		}
		colon = skip_string(text, key_at);
		value = skip_blanks(text, colon);
		value = skip_blanks(text, value + (text[value] == ':'));
		object.blank = (struct span){ begin, key_at };
		object.colon = (struct span){ colon, value };
		object.end = skip_value(text, value);
		object.count++;
		if (key && colon - key_at == strlen(key) + 2 &&
		    memcmp(text + key_at + 1, key, strlen(key)) == 0)
			object.wanted = (struct span){ value, object.end };
		at = skip_blanks(text, object.end);
		if (text[at] != ',') {
			object.close = at;
			return object;
		}
	}
}

static void add_span(struct berth_str *out, const char *text, struct span span)
{
	berth_str_add_bytes(out, text + span.from, span.to - span.from);
}

static void add_json_string(struct berth_str *out, const char *value)
{
	BERTH_AUTO_JSON json_t *json = json_string(value);
	BERTH_AUTO_FREE char *line = json ? json_dumps(json, JSON_ENCODE_ANY) : NULL;

	if (line)
		berth_str_add(out, line);
	else
		out->failed = true;
}

/* "key": "value", with the colon of the file. */
static void add_member(struct berth_str *out, const char *text, const struct object *like,
		       const struct berth_package_entry *entry)
{
	add_json_string(out, entry->name);
	if (like->count)
		add_span(out, text, like->colon);
	else
		berth_str_add(out, ": ");
	add_json_string(out, entry->command);
}

/* What stands before the last member of @top, once more with one level of indentation: @deeper. */
static void add_blank(struct berth_str *out, const char *text, const struct object *top,
		      bool deeper)
{
	struct span blank = top->blank;
	size_t unit = blank.from;

	add_span(out, text, blank);
	for (size_t i = blank.from; i < blank.to; i++)
		if (text[i] == '\n')
			unit = i + 1;
	if (deeper && unit > blank.from)
		add_span(out, text, (struct span){ unit, blank.to });
}

/* An object of that one script, in the style of the members of @top, of which it is to be one. */
static void add_object(struct berth_str *out, const char *text, const struct object *top,
		       const struct berth_package_entry *entry)
{
	berth_str_add(out, "{");
	add_blank(out, text, top, true);
	add_member(out, text, top, entry);
	add_blank(out, text, top, false);
	berth_str_add(out, "}");
}

/* @text with the bytes of @gone replaced by what @put has. */
static int replace(char **text, struct span gone, const struct berth_str *put)
{
	BERTH_CLEANUP(berth_str_deinit) struct berth_str out = { 0 };
	const char *middle = berth_str_text(put);
	char *made;

	if (!middle)
		return -ENOMEM;
	berth_str_add_bytes(&out, *text, gone.from);
	berth_str_add(&out, middle);
	berth_str_add(&out, *text + gone.to);
	made = berth_str_steal(&out);
	if (!made)
		return -ENOMEM;
	free(*text);
	*text = made;
	return 0;
}

/* One more script; @scripts is zeroed where there are none yet. */
static int add_script(char **text, const struct object *top, const struct object *scripts,
		      const struct berth_package_entry *entry)
{
	BERTH_CLEANUP(berth_str_deinit) struct berth_str put = { 0 };
	struct span gone;

	if (scripts->count) {
		berth_str_add(&put, ",");
		add_span(&put, *text, scripts->blank);
		add_member(&put, *text, scripts, entry);
		gone = (struct span){ scripts->end, scripts->end };
	} else if (scripts->close) {
		add_object(&put, *text, top, entry);
		gone = (struct span){ scripts->open, scripts->close + 1 };
	} else if (top->count) {
		berth_str_add(&put, ",");
		add_span(&put, *text, top->blank);
		berth_str_add(&put, "\"scripts\"");
		add_span(&put, *text, top->colon);
		add_object(&put, *text, top, entry);
		gone = (struct span){ top->end, top->end };
	} else {
		berth_str_add(&put, "{\n  \"scripts\": {\n    ");
		add_member(&put, *text, top, entry);
		berth_str_add(&put, "\n  }\n}");
		gone = (struct span){ top->open, top->close + 1 };
	}
	return replace(text, gone, &put);
}

static int put_entry(char **text, struct berth_package_entry *entry, bool force)
{
	BERTH_CLEANUP(berth_str_deinit) struct berth_str put = { 0 };
	struct object top = walk(*text, skip_blanks(*text, 0), "scripts"), scripts = { 0 };
	struct span value;

	if (top.wanted.to)
		scripts = walk(*text, top.wanted.from, entry->name);
	if (!scripts.wanted.to) {
		entry->done = BERTH_PACKAGE_ADDED;
		return add_script(text, &top, &scripts, entry);
	}
	value = scripts.wanted;
	add_json_string(&put, entry->command);
	if (!berth_str_text(&put))
		return -ENOMEM;
	if (put.len == value.to - value.from &&
	    memcmp(put.text, *text + value.from, put.len) == 0) {
		entry->done = BERTH_PACKAGE_SAME;
		return 0;
	}
	entry->done = force ? BERTH_PACKAGE_REPLACED : BERTH_PACKAGE_KEPT;
	return force ? replace(text, value, &put) : 0;
}

/* The same but for the scripts that were to be put there, and those are. */
static bool is_as_meant(const char *before, size_t len, const char *after,
			const struct berth_package_entry *entries, size_t count)
{
	BERTH_AUTO_JSON json_t *old = json_loadb(before, len, 0, NULL);
	BERTH_AUTO_JSON json_t *new = json_loads(after, JSON_REJECT_DUPLICATES, NULL);
	json_t *scripts;

	if (!old || !new)
		return false;
	scripts = json_object_get(old, "scripts");
	if (!scripts) {
		scripts = json_object();
		json_object_set_new(old, "scripts", scripts);
	}
	for (size_t i = 0; i < count; i++)
		if (entries[i].done != BERTH_PACKAGE_KEPT)
			json_object_set_new(scripts, entries[i].name,
					    json_string(entries[i].command));
	return json_equal(old, new);
}

int berth_package_edit_scripts(const char *text, size_t len, struct berth_package_entry *entries,
			       size_t count, bool force, char **ret_text, struct berth_err *err)
{
	BERTH_AUTO_JSON json_t *document = json_loadb(text, len, JSON_REJECT_DUPLICATES, NULL);
	BERTH_AUTO_FREE char *edited = strndup(text, len);
	const json_t *scripts = json_object_get(document, "scripts");

	if (!edited)
		return berth_err_errno(err, -ENOMEM, "cannot add scripts");
	if (!json_is_object(document) || (scripts && !json_is_object(scripts)))
		return berth_err_set(err, -EINVAL, BERTH_ERR_CONFIG,
				     "its \"scripts\" are no object");
	for (size_t i = 0; i < count; i++) {
		int r = put_entry(&edited, &entries[i], force);

		if (r < 0)
			return berth_err_errno(err, r, "cannot add scripts");
	}
	if (!is_as_meant(text, len, edited, entries, count))
		return berth_err_set(err, -EINVAL, BERTH_ERR_CONFIG,
				     "its \"scripts\" are written in a way that can't be edited");
	*ret_text = BERTH_STEAL(edited);
	return 0;
}
