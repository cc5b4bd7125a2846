/* SPDX-License-Identifier: MIT */
/* stack/interpolate.c - ${NAME} in the values of berth.yaml */
#include "stack/interpolate.h"

#include <errno.h>
#include <string.h>

#include "base/str.h"
#include "stack/template.h"

enum {
	DEPTH_MAX = 8, /* of defaults within defaults */
};

static size_t name_length(const char *text)
{
	size_t len =
		strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789");

	return *text >= '0' && *text <= '9' ? 0 : len;
}

/* What begins at @text, behind its dollar and brace: NAME, then nothing or an operator and a text. */
struct reference {
	char *name; /* owned */
	char operator; /* '-' or '?'; 0: none */
	char *text; /* owned, as it stands; NULL: none */
	size_t len; /* with the closing brace */
};

static void reference_deinit(struct reference *reference)
{
	free(reference->name);
	free(reference->text);
}

/* To the brace that closes: those of {port} in a default are passed over. */
static size_t find_end(const char *text)
{
	size_t open = 0, at = 0;

	for (; text[at]; at++) {
		if (text[at] == '{')
			open++;
		else if (text[at] == '}' && open-- == 0)
			return at;
	}
	return 0;
}

static int refuse(const char *text, const char *what, struct berth_err *err)
{
	char shown[64];

	berth_str_printable(text, (size_t)-1, shown, sizeof(shown));
	berth_err_set(err, -EINVAL, BERTH_ERR_CONFIG, "'%s' %s", shown, what);
	berth_err_hint(err, "${NAME}, ${NAME:-text} or ${NAME:?text}; '$$' is a dollar");
	return -EINVAL;
}

/* @text: at its dollar. */
static int read_reference(const char *text, struct reference *ret_reference, struct berth_err *err)
{
	const char *name = text + 2;
	size_t len = name_length(name), end = find_end(name);
	struct reference reference = { .len = end + 1 };

	if (end == 0 && *name != '}')
		return refuse(text, "has no closing brace", err);
	if (len == 0)
		return refuse(text, "names no variable", err);
	if (len < end) {
		if (name[len] != ':' || (name[len + 1] != '-' && name[len + 1] != '?'))
			return refuse(text, "is more than is understood", err);
		reference.operator= name[len + 1];
		reference.text = strndup(name + len + 2, end - len - 2);
	}
	reference.name = strndup(name, len);
	if (!reference.name || (reference.operator&& !reference.text)) {
		reference_deinit(&reference);
		return berth_err_errno(err, -ENOMEM, "cannot fill in a variable");
	}
	*ret_reference = reference;
	return 0;
}

static int fill(const char *text, const struct berth_interpolate_source *source, int depth,
		struct berth_str *out, struct berth_err *err);

static int add_default(const struct reference *reference,
		       const struct berth_interpolate_source *source, int depth,
		       struct berth_str *out, struct berth_err *err)
{
	if (depth == DEPTH_MAX)
		return refuse(reference->text, "is a default within too many others", err);
	return fill(reference->text, source, depth + 1, out, err);
}

static int add_value(const struct reference *reference,
		     const struct berth_interpolate_source *source, int depth,
		     struct berth_str *out, struct berth_err *err)
{
	const char *value = source ? source->find(source->arg, reference->name) : NULL;
	char shown[128];

	if (value && *value && source->literal)
		berth_template_escape(value, NULL, NULL, out);
	else if (value && *value)
		berth_str_add(out, value);
	else if (reference->operator== '-')
		return add_default(reference, source, depth, out, err);
	else if (reference->operator== '?' && source)
		return berth_err_set(
			err, -EINVAL, BERTH_ERR_CONFIG, "%s is not set: %s", reference->name,
			berth_str_printable(reference->text, (size_t)-1, shown, sizeof(shown)));
	return 0;
}

static int fill(const char *text, const struct berth_interpolate_source *source, int depth,
		struct berth_str *out, struct berth_err *err)
{
	int r;

	while (*text) {
		size_t plain = strcspn(text, "$");
		struct reference reference = { 0 };

		berth_str_add_bytes(out, text, plain);
		text += plain;
		if (!*text)
			break;
		if (text[1] != '{') {
			berth_str_add_bytes(out, text, 1);
			text += text[1] == '$' ? 2 : 1;
			continue;
		}
		r = read_reference(text, &reference, err);
		if (r < 0)
			return r;
		r = add_value(&reference, source, depth, out, err);
		text += 2 + reference.len;
		reference_deinit(&reference);
		if (r < 0)
			return r;
	}
	return 0;
}

int berth_interpolate(const char *text, const struct berth_interpolate_source *source,
		      char **ret_text, struct berth_err *err)
{
	BERTH_CLEANUP(berth_str_deinit) struct berth_str out = { 0 };
	int r = fill(text, source, 0, &out, err);
	char *filled;

	if (r < 0)
		return r;
	filled = berth_str_steal(&out);
	if (!filled)
		return berth_err_errno(err, -ENOMEM, "cannot fill in a variable");
	*ret_text = filled;
	return 0;
}
