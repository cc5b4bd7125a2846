/* SPDX-License-Identifier: MIT */
/*
 * app/log-line.c - one line of a log, for a pipe, for a terminal, for a program
 *
 * A pipe is given the bytes as they are. On a terminal many services write below each other, and
 * what one of them says must stay in its own line: foreman passes everything on, and a progress bar
 * or a cleared screen (`tsc --watch` sends that into pipes, too) takes the names of others away. So
 * of all escape sequences only colours get through, and end with the line. The others are left out
 * rather than shown: gcc, grep and tput put "erase to the end of the line" and character sets
 * between words of every day. Of a line with carriage returns the last state counts, as on a
 * terminal. What is not part of a whole sequence is made visible. The log file has it all.
 */
#include "app/log-line.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/parse.h"
#include "base/time.h"

enum {
	CLOCK_SIZE = sizeof("09:30:00"),
};

/* foreman's, in its order: cyan yellow green magenta red blue, then the bright ones. */
static const unsigned char tints[] = { 36, 33, 32, 35, 31, 34, 96, 93, 92, 95, 91, 94 };

static const char dim[] = "\033[2m", plain[] = "\033[0m";

/* --- what a terminal is given --- */

/* How many bytes from @at on are between @lo and @hi. */
static size_t span(const char *text, size_t at, size_t len, unsigned char lo, unsigned char hi)
{
	size_t from = at;

	while (at < len && (unsigned char)text[at] >= lo && (unsigned char)text[at] <= hi)
		at++;
	return at - from;
}

/* ESC ] title BEL, or with ESC \ at its end; 0: it has none. */
static size_t string_len(const char *text, size_t len)
{
	for (size_t at = 2; at < len; at++) {
		if (text[at] == '\a')
			return at + 1;
		if (text[at] == '\033')
			return at + 1 < len && text[at + 1] == '\\' ? at + 2 : 0;
	}
	return 0;
}

/*
 * The escape sequence at @text (ECMA-48), 0: none that is whole. *ret_color: it is one of a colour,
 * ESC [ 1;31 m.
 */
static size_t escape_len(const char *text, size_t len, bool *ret_color)
{
	size_t at = 1, params = 0, middle;

	*ret_color = false;
	if (len < 2 || text[0] != '\033')
		return 0;
	if (memchr("]PX^_", text[1], 5))
		return string_len(text, len);
	if (text[1] == '[') {
		params = span(text, 2, len, 0x30, 0x3f);
		at = 2 + params;
	}
	middle = span(text, at, len, 0x20, 0x2f);
	at += middle;
	if (!span(text, at, at < len ? at + 1 : at, text[1] == '[' ? 0x40 : 0x30, 0x7e))
		return 0;
	/* '<' to '?' are for private ones. */
	*ret_color = text[1] == '[' && !middle && text[at] == 'm' &&
		     span(text, 2, len, '0', ';') == params;
	return at + 1;
}

/*
 * The joiner and the selectors of U+FE0E, U+FE0F are invisible, but part of what many programs
 * begin their lines with: without them their pictures fall apart.
 */
static size_t joiner_len(const char *text, size_t len)
{
	static const char joiners[][4] = { "\xe2\x80\x8d", "\xef\xb8\x8e", "\xef\xb8\x8f" };

	for (size_t i = 0; len >= 3 && i < BERTH_ARRAY_SIZE(joiners); i++)
		if (memcmp(text, joiners[i], 3) == 0)
			return 3;
	return 0;
}

/* Text without tabs and colours. */
static void add_visible(const char *text, size_t len, struct berth_str *str)
{
	BERTH_AUTO_FREE char *shown = NULL;

	if (span(text, 0, len, ' ', '~') == len) {
		berth_str_add_bytes(str, text, len);
		return;
	}
	shown = malloc(4 * len + 1);
	if (!shown) {
		str->failed = true;
		return;
	}
	berth_str_add(str, berth_str_printable(text, len, shown, 4 * len + 1));
}

/* What is to be dealt with by itself; 0: the byte is like others. *ret_keep: as it is. */
static size_t special_len(const char *text, size_t len, bool color, bool *ret_keep)
{
	size_t n;

	*ret_keep = true;
	if (*text >= ' ' && *text <= '~')
		return 0;
	if (*text == '\t')
		return 1;
	n = joiner_len(text, len);
	if (!n) {
		n = escape_len(text, len, ret_keep);
		*ret_keep &= color;
	}
	return n;
}

/* Where the text begins that no carriage return leads back over. */
static size_t last_start(const char *text, size_t len)
{
	const char *cr = len ? memrchr(text, '\r', len) : NULL;

	return cr ? (size_t)(cr - text) + 1 : 0;
}

void berth_log_line_terminal(const char *text, size_t len, bool color, struct berth_str *str)
{
	bool colored = false;
	size_t from = 0, at = 0, start;

	while (len && text[len - 1] == '\r')
		len--;
	start = last_start(text, len);
	while (at < len) {
		bool keep;
		size_t skip = special_len(text + at, len - at, color, &keep);

		if (!skip) {
			at++;
			continue;
		}
		if (from < start)
			from = at < start ? at : start;
		if (at > from)
			add_visible(text + from, at - from, str);
		/* A colour that was set before the return holds behind it. */
		if (keep && (at >= start || text[at] == '\033'))
			berth_str_add_bytes(str, text + at, skip);
		colored |= keep && text[at] == '\033';
		at += skip;
		from = at;
	}
	if (from < start)
		from = start;
	if (len > from)
		add_visible(text + from, len - from, str);
	if (colored)
		berth_str_add(str, plain);
}

/* --- what stands in front --- */

static const char *clock_of(int64_t at_ms, char buf[CLOCK_SIZE])
{
	time_t seconds = (time_t)(at_ms / 1000);
	struct tm tm;

	berth_str_copy(buf, CLOCK_SIZE, "        ");
	if (at_ms && localtime_r(&seconds, &tm))
		strftime(buf, CLOCK_SIZE, "%H:%M:%S", &tm);
	return buf;
}

static void add_names(const struct berth_log_line_writer *writer,
		      const struct berth_log_line_source *source, int64_t at_ms,
		      struct berth_str *str)
{
	const char *name = source->name ? source->name : "berth";
	bool tinted = writer->color && source->name;
	size_t width = berth_str_width(name);
	char stamp[BERTH_TIME_RFC3339_SIZE], clock[CLOCK_SIZE];

	if (tinted)
		berth_str_addf(str, "\033[%dm", tints[source->tint % BERTH_ARRAY_SIZE(tints)]);
	berth_str_add(str, writer->stamps && at_ms ? berth_time_format(at_ms, stamp)
						   : clock_of(at_ms, clock));
	berth_str_addf(str, " %s%*s | ", name,
		       (int)(width < writer->width ? writer->width - width : 0), "");
	if (tinted)
		berth_str_add(str, plain);
}

static void add_dimmed(const struct berth_log_line_writer *writer, const char *text,
		       struct berth_str *str)
{
	berth_str_addf(str, "%s%s%s ", writer->color ? dim : "", text, writer->color ? plain : "");
}

static void add_head(const struct berth_log_line_writer *writer,
		     const struct berth_log_line_source *source,
		     const struct berth_log_entry *entry, struct berth_str *str)
{
	char stamp[BERTH_TIME_RFC3339_SIZE];

	if (writer->names)
		add_names(writer, source, entry->at_ms, str);
	else if (writer->stamps && entry->at_ms)
		add_dimmed(writer, berth_time_format(entry->at_ms, stamp), str);
	if (entry->is_own && (!writer->names || source->name))
		add_dimmed(writer, "berth:", str);
}

static void add_text(const struct berth_log_line_writer *writer,
		     const struct berth_log_entry *entry, struct berth_str *str)
{
	if (writer->terminal) {
		berth_log_line_terminal(entry->text, entry->len, writer->color, str);
		return;
	}
	berth_str_add_bytes(str, entry->text, entry->len);
	/* Colours into a pipe: whoever shows them shall not have ours in those of the line. */
	if (writer->color && entry->len && memchr(entry->text, '\033', entry->len))
		berth_str_add(str, plain);
}

void berth_log_line_add(struct berth_log_line_writer *writer,
			const struct berth_log_line_source *source,
			const struct berth_log_entry *entry, struct berth_str *str)
{
	if (writer->open != source || writer->open_worker != entry->worker ||
	    writer->open_stderr != entry->is_stderr || entry->is_own)
		berth_log_line_end(writer, str);
	if (!writer->open)
		add_head(writer, source, entry, str);
	add_text(writer, entry, str);
	if (!entry->continued)
		berth_str_add(str, "\n");
	writer->open = entry->continued ? source : NULL;
	writer->open_worker = entry->worker;
	writer->open_stderr = entry->is_stderr;
}

void berth_log_line_end(struct berth_log_line_writer *writer, struct berth_str *str)
{
	if (writer->open)
		berth_str_add(str, "\n");
	writer->open = NULL;
}

/* --- for a program --- */

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
	json_t *number = service ? json_integer(instance) : json_null();
	json_t *worker = service ? json_integer(entry->worker ? entry->worker : 1) : json_null();

	return json_pack("{s:i, s:o, s:o, s:o, s:o, s:s, s:o}", "version", 1, "at",
			 berth_json_time(entry->at_ms), "service", berth_json_text_or_null(service),
			 "instance", number, "worker", worker, "stream",
			 entry->is_own	    ? "berth"
			 : entry->is_stderr ? "stderr"
					    : "stdout",
			 "text", text_document(entry->text, entry->len));
}

/* --- since when --- */

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
