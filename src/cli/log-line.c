/* SPDX-License-Identifier: MIT */
/* cli/log-line.c - one line of a log, for a pipe, for a terminal, for a program */
#include "cli/log-line.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/parse.h"
#include "base/time.h"

/* ESC [ 1;31 m; 0: not one of these. */
static size_t color_len(const char *text, size_t len)
{
	size_t at = 2;

	if (len < 3 || text[0] != '\033' || text[1] != '[')
		return 0;
	while (at < len && strchr("0123456789;:", text[at]) && text[at])
		at++;
	return at < len && text[at] == 'm' ? at + 1 : 0;
}

/* Text without tabs and colours. */
static void add_visible(const char *text, size_t len, struct berth_str *str)
{
	BERTH_AUTO_FREE char *shown = len ? malloc(4 * len + 1) : NULL;

	if (!len)
		return;
	if (!shown) {
		str->failed = true;
		return;
	}
	berth_str_add(str, berth_str_printable(text, len, shown, 4 * len + 1));
}

void berth_log_line_terminal(const char *text, size_t len, bool color, struct berth_str *str)
{
	bool colored = false;
	size_t from = 0, at = 0;

	if (len && text[len - 1] == '\r')
		len--;
	while (at < len) {
		size_t skip = text[at] == '\t' ? 1 : color_len(text + at, len - at);

		if (!skip) {
			at++;
			continue;
		}
		add_visible(text + from, at - from, str);
		if (text[at] == '\t' || color)
			berth_str_add_bytes(str, text + at, skip);
		colored |= text[at] != '\t' && color;
		at += skip;
		from = at;
	}
	add_visible(text + from, len - from, str);
	if (colored)
		berth_str_add(str, "\033[0m");
}

static json_t *text_document(const char *text, size_t len)
{
	static const char replacement[] = "\xef\xbf\xbd";
	struct berth_str str = { 0 };
	json_t *json;

	for (size_t from = 0, at = 0; at <= len;) {
		size_t n = at < len ? berth_str_utf8_len(text + at, len - at) : 0;

		if (n) {
			at += n;
			continue;
		}
		berth_str_add_bytes(&str, text + from, at - from);
		if (at < len)
			berth_str_add(&str, replacement);
		from = ++at;
	}
	json = berth_str_text(&str) ? json_stringn(berth_str_text(&str), str.len) : NULL;
	berth_str_deinit(&str);
	return json;
}

json_t *berth_log_line_document(const struct berth_log_entry *entry, const char *service,
				int64_t instance)
{
	return json_pack("{s:i, s:o, s:o, s:I, s:i, s:s, s:o}", "version", 1, "at",
			 berth_json_time(entry->at_ms), "service", berth_json_text(service),
			 "instance", (json_int_t)instance, "worker",
			 entry->worker ? (int)entry->worker : 1, "stream",
			 entry->is_own	    ? "berth"
			 : entry->is_stderr ? "stderr"
					    : "stdout",
			 "text", text_document(entry->text, entry->len));
}

static int parse_offset(const char *text, int64_t *ret_ms)
{
	static const char form[] = "+00:00";
	int sign = *text == '-' ? -1 : 1;
	int hours, minutes;

	if (strcmp(text, "Z") == 0 || strcmp(text, "z") == 0) {
		*ret_ms = 0;
		return 0;
	}
	if (strlen(text) != strlen(form) || (*text != '+' && *text != '-') || text[3] != ':' ||
	    strspn(text + 1, "0123456789") != 2 || strspn(text + 4, "0123456789") != 2)
		return -EINVAL;
	hours = (text[1] - '0') * 10 + text[2] - '0';
	minutes = (text[4] - '0') * 10 + text[5] - '0';
	if (hours > 23 || minutes > 59)
		return -EINVAL;
	*ret_ms = sign * (hours * 60 + minutes) * 60 * 1000;
	return 0;
}

/* Whatever of the form our own has without its fraction and zone. */
static int parse_time(const char *text, int64_t *ret_ms)
{
	static const char seconds[] = "2026-11-21T09:30:00";
	char exact[BERTH_TIME_RFC3339_SIZE];
	const char *rest = text + strlen(seconds);
	char fraction[] = "000";
	int64_t ms, offset_ms;

	if (strlen(text) < strlen(seconds))
		return -EINVAL;
	if (*rest == '.') {
		size_t digits = strspn(++rest, "0123456789");

		if (!digits)
			return -EINVAL;
		memcpy(fraction, rest, digits < 3 ? digits : 3);
		rest += digits;
	}
	snprintf(exact, sizeof(exact), "%.*s.%sZ", (int)strlen(seconds), text, fraction);
	exact[10] = exact[10] == 't' || exact[10] == ' ' ? 'T' : exact[10];
	if (berth_time_parse(exact, &ms) < 0 || parse_offset(rest, &offset_ms) < 0)
		return -EINVAL;
	*ret_ms = ms - offset_ms;
	return 0;
}

int berth_log_line_parse_since(const char *text, int64_t now_ms, int64_t *ret_ms)
{
	int64_t ms;
	int r = berth_parse_duration(text, 1000, &ms);

	if (r < 0)
		return parse_time(text, ret_ms) == 0 ? 0 : r;
	*ret_ms = now_ms - ms;
	return 0;
}
