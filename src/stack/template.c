/* SPDX-License-Identifier: MIT */
/* stack/template.c - {port} and its like in commands and values */
/*
 * A name is words of letters, digits, '_' and '-', a letter first, joined by single dots.
 * Everything else in braces means something to somebody else and stays: {} of find, {a,b} and
 * {1..5} of a shell, {print $1} of awk, {{.Names}} of docker, {"json": 1}. So does ${name}, which
 * is a variable.
 */
#include "stack/template.h"

#include <errno.h>
#include <string.h>

#include "base/str.h"

enum piece_kind {
	PIECE_END,
	PIECE_TEXT,
	PIECE_NAME, /* {name} */
	PIECE_DOUBLED, /* {{name}} */
};

struct piece {
	enum piece_kind kind;
	const char *text; /* all of it, braces included */
	size_t len;
	const char *name;
	size_t name_len;
};

static bool is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static size_t name_length(const char *text)
{
	size_t len = 0;

	for (;;) {
		if (!is_letter(text[len]))
			return 0;
		while (is_letter(text[len]) || (text[len] >= '0' && text[len] <= '9') ||
		       text[len] == '_' || text[len] == '-')
			len++;
		if (text[len] != '.')
			return len;
		len++;
	}
}

/* What stands at @text, which is at a '{'. */
static struct piece piece_in_braces(const char *text)
{
	size_t doubled = text[1] == '{' ? name_length(text + 2) : 0;
	size_t single = name_length(text + 1);

	if (doubled > 0 && text[doubled + 2] == '}' && text[doubled + 3] == '}')
		return (struct piece){ PIECE_DOUBLED, text, doubled + 4, text + 2, doubled };
	if (single > 0 && text[single + 1] == '}')
		return (struct piece){ PIECE_NAME, text, single + 2, text + 1, single };
	return (struct piece){ PIECE_TEXT, text, 1 };
}

/* The next piece at @text; text comes in any number of pieces. */
static struct piece next_piece(const char *text)
{
	size_t len;

	if (!*text)
		return (struct piece){ PIECE_END, text };
	if (*text == '{')
		return piece_in_braces(text);
	if (*text == '$')
		len = 1 + strspn(text + 1, "{");
	else
		len = strcspn(text, "{$");
	return (struct piece){ PIECE_TEXT, text, len };
}

static const char *find_value(const struct piece *piece, const struct berth_template_var *vars,
			      size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (strlen(vars[i].name) == piece->name_len &&
		    !memcmp(vars[i].name, piece->name, piece->name_len))
			return vars[i].value;
	}
	return NULL;
}

static int refuse(const struct piece *piece, const struct berth_template_var *vars, size_t count,
		  struct berth_err *err)
{
	BERTH_AUTO_FREE const char **words = calloc(count + 1, sizeof(*words));
	BERTH_AUTO_FREE char *name = strndup(piece->name, piece->name_len);
	const char *closest;
	char shown[64];

	if (!words || !name)
		return berth_err_errno(err, -ENOMEM, "cannot read a template");
	for (size_t i = 0; i < count; i++)
		words[i] = vars[i].name;
	closest = berth_str_closest(name, words);
	berth_str_printable(name, piece->name_len, shown, sizeof(shown));

	berth_err_set(err, -EINVAL, BERTH_ERR_CONFIG, "nothing is called '{%s}' here", shown);
	if (closest)
		berth_err_hint(err, "did you mean '{%s}'?", closest);
	else
		berth_err_hint(err, "for the braces themselves write '{{%s}}'", shown);
	return -EINVAL;
}

int berth_template_expand(const char *text, const struct berth_template_var *vars, size_t count,
			  bool strict, char **ret_text, struct berth_err *err)
{
	BERTH_CLEANUP(berth_str_deinit) struct berth_str out = { 0 };
	struct piece piece;
	char *expanded;

	for (; (piece = next_piece(text)).kind != PIECE_END; text += piece.len) {
		const char *value = piece.name ? find_value(&piece, vars, count) : NULL;

		if (piece.kind == PIECE_NAME && value)
			berth_str_add(&out, value);
		else if (piece.kind == PIECE_NAME && strict)
			return refuse(&piece, vars, count, err);
		else if (piece.kind == PIECE_DOUBLED && (value || strict))
			berth_str_add_bytes(&out, piece.text + 1, piece.len - 2);
		else
			berth_str_add_bytes(&out, piece.text, piece.len);
	}
	expanded = berth_str_steal(&out);
	if (!expanded)
		return berth_err_errno(err, -ENOMEM, "cannot read a template");
	*ret_text = expanded;
	return 0;
}

void berth_template_escape(const char *text,
			   bool (*add)(const void *arg, const char *name, size_t len,
				       struct berth_str *out),
			   const void *arg, struct berth_str *out)
{
	struct piece piece;

	for (; (piece = next_piece(text)).kind != PIECE_END; text += piece.len) {
		BERTH_CLEANUP(berth_str_deinit) struct berth_str name = { 0 };
		bool known = piece.name && add && add(arg, piece.name, piece.name_len, &name);

		if (piece.kind == PIECE_NAME && known) {
			berth_str_addf(out, "{%s}", name.text ? name.text : "");
			out->failed = out->failed || name.failed;
		} else if (piece.kind != PIECE_TEXT && !known) {
			berth_str_add(out, "{");
			berth_str_add_bytes(out, piece.text, piece.len);
			berth_str_add(out, "}");
		} else {
			berth_str_add_bytes(out, piece.text, piece.len);
		}
	}
}

bool berth_template_has(const char *text, const struct berth_template_var *vars, size_t count)
{
	struct piece piece;

	for (; (piece = next_piece(text)).kind != PIECE_END; text += piece.len) {
		if (piece.kind == PIECE_NAME && find_value(&piece, vars, count))
			return true;
	}
	return false;
}

bool berth_template_next(const char *text, size_t *at, const char **ret_name, size_t *ret_len)
{
	struct piece piece;

	while ((piece = next_piece(text + *at)).kind != PIECE_END) {
		*at += piece.len;
		if (piece.kind != PIECE_NAME)
			continue;
		*ret_name = piece.name;
		*ret_len = piece.name_len;
		return true;
	}
	return false;
}
