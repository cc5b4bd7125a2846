/* SPDX-License-Identifier: MIT */
/* base/yaml-write.c - a tree of values as YAML */
#include "base/yaml-write.h"

#include <string.h>
#include <strings.h>

/* Words that some reader takes for something else than a text. */
static const char *const reserved[] = {
	"null", "true", "false", "yes", "no", "on", "off", "y", "n", "nan", "inf",
};

static bool is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* 9000-9099, 30s, 10M, 5/10s: digits that nobody takes for a number. */
static bool is_measure(const char *text)
{
	const char *unit = text + strspn(text, "0123456789");

	return unit > text && *unit && strchr("-/smhdKMG", *unit) &&
	       !unit[1 + strspn(unit + 1, "0123456789smhd")];
}

static bool is_plain(const char *text)
{
	size_t len = strlen(text);

	if (is_measure(text))
		return true;

	if (!is_letter(*text) && *text != '/' && !(*text == '.' && strchr("/.", text[1])) &&
	    *text != '_')
		return false;
	for (size_t i = 0; i < BERTH_ARRAY_SIZE(reserved); i++) {
		if (!strcasecmp(text, reserved[i]))
			return false;
	}
	for (const char *p = text; *p; p++) {
		if (!is_letter(*p) && !(*p >= '0' && *p <= '9') && !strchr(" _./:@%+=~$-", *p))
			return false;
		if (*p == ':' && (p[1] == ' ' || !p[1]))
			return false;
	}
	return text[len - 1] != ' ';
}

void berth_yaml_write_text(const char *text, struct berth_str *out)
{
	size_t len = strlen(text), n;

	if (is_plain(text)) {
		berth_str_add(out, text);
		return;
	}
	berth_str_add(out, "\"");
	for (size_t i = 0; i < len; i += n) {
		unsigned char c = (unsigned char)text[i];

		n = berth_str_utf8_len(text + i, len - i) ?: 1;
		if (c == '"' || c == '\\')
			berth_str_addf(out, "\\%c", c);
		else if (c == '\n')
			berth_str_add(out, "\\n");
		else if (c == '\t')
			berth_str_add(out, "\\t");
		else if (c < ' ' || c == 0x7f || (n == 2 && c == 0xc2 && text[i + 1] < (char)0xa0))
			berth_str_addf(out, "\\x%02x", n == 2 ? (unsigned char)text[i + 1] : c);
		else
			berth_str_add_bytes(out, text + i, n);
	}
	berth_str_add(out, "\"");
}

static void add_scalar(const json_t *value, struct berth_str *out)
{
	if (json_is_string(value))
		berth_yaml_write_text(json_string_value(value), out);
	else if (json_is_integer(value))
		berth_str_addf(out, "%lld", (long long)json_integer_value(value));
	else
		berth_str_add(out, json_is_true(value) ? "true" : "false");
}

static void add_list(const json_t *list, struct berth_str *out)
{
	const json_t *item;
	size_t i;

	berth_str_add(out, "[");
	json_array_foreach (list, i, item) {
		berth_str_add(out, i ? ", " : "");
		add_scalar(item, out);
	}
	berth_str_add(out, "]");
}

void berth_yaml_write(const json_t *map, unsigned int depth, struct berth_str *out)
{
	const char *key;
	json_t *value;

	json_object_foreach ((json_t *)(uintptr_t)map, key, value) {
		berth_str_addf(out, "%*s", (int)(2 * depth), "");
		berth_yaml_write_text(key, out);
		if (json_is_null(value)) {
			berth_str_add(out, ":\n");
			continue;
		}
		if (json_is_object(value) && json_object_size(value) > 0) {
			berth_str_add(out, ":\n");
			berth_yaml_write(value, depth + 1, out);
			continue;
		}
		berth_str_add(out, ": ");
		if (json_is_object(value))
			berth_str_add(out, "{}");
		else if (json_is_array(value))
			add_list(value, out);
		else
			add_scalar(value, out);
		berth_str_add(out, "\n");
	}
}
