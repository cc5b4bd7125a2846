/* SPDX-License-Identifier: MIT */
/* stack/exports.c - variables as text that something else reads: .env lines, a shell's exports */
#include "stack/exports.h"

#include <string.h>

#define LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_"
#define DIGITS "0123456789"

static bool is_name(const char *name, size_t len)
{
	return len > 0 && strchr(LETTERS, *name) && strspn(name, LETTERS DIGITS) == len;
}

/* In single quotes; @quote and @backslash are what these characters become there. */
static void add_single(struct berth_str *out, const char *value, const char *quote,
		       const char *backslash)
{
	berth_str_add(out, "'");
	for (; *value; value++) {
		if (*value == '\'')
			berth_str_add(out, quote);
		else if (*value == '\\')
			berth_str_add(out, backslash);
		else
			berth_str_add_bytes(out, value, 1);
	}
	berth_str_add(out, "'");
}

static void add_double(struct berth_str *out, const char *value)
{
	berth_str_add(out, "\"");
	for (; *value; value++) {
		if (*value == '\n') {
			berth_str_add(out, "\\n");
			continue;
		}
		if (*value == '"' || *value == '\\')
			berth_str_add(out, "\\");
		berth_str_add_bytes(out, value, 1);
	}
	berth_str_add(out, "\"");
}

/*
 * Bare, or in single quotes, as long as that is possible: in double ones some readers expand
 * $NAME. What has a quote, a line's end or another control character has no other way.
 */
static void add_dotenv(struct berth_str *out, const char *value)
{
	bool control = false;

	for (const char *c = value; *c; c++)
		control |= (unsigned char)*c < ' ' || *c == 0x7f;
	if (!value[strspn(value, LETTERS DIGITS "-./:,@%+=")])
		berth_str_add(out, value);
	else if (!control && !strchr(value, '\''))
		add_single(out, value, "'", "\\");
	else
		add_double(out, value);
}

void berth_exports_format(enum berth_exports format, const char *const *pairs,
			  struct berth_str *out)
{
	for (; *pairs; pairs++) {
		const char *equals = strchr(*pairs, '=');

		if (!equals || !is_name(*pairs, (size_t)(equals - *pairs)))
			continue;
		if (format == BERTH_EXPORTS_FISH)
			berth_str_add(out, "set -gx ");
		else if (format != BERTH_EXPORTS_DOTENV)
			berth_str_add(out, "export ");
		berth_str_add_bytes(out, *pairs, (size_t)(equals - *pairs));
		berth_str_add(out, format == BERTH_EXPORTS_FISH ? " " : "=");
		if (format == BERTH_EXPORTS_DOTENV)
			add_dotenv(out, equals + 1);
		else if (format == BERTH_EXPORTS_FISH)
			add_single(out, equals + 1, "\\'", "\\\\");
		else
			add_single(out, equals + 1, "'\\''", "\\");
		berth_str_add(out, "\n");
	}
}

enum berth_exports berth_exports_of_shell(const char *shell)
{
	static const char *const names[] = {
#define X(id, name) [BERTH_EXPORTS_##id] = name,
		BERTH_EXPORTS(X)
#undef X
	};
	const char *slash = shell ? strrchr(shell, '/') : NULL;
	const char *name = slash ? slash + 1 : shell;

	for (unsigned int i = BERTH_EXPORTS_SH; name && i < BERTH_EXPORTS_COUNT_; i++)
		if (strcmp(names[i], name) == 0)
			return (enum berth_exports)i;
	return BERTH_EXPORTS_SH;
}
