/* SPDX-License-Identifier: MIT */
/* base/faults.c - what is wrong with a file that a user wrote: each fault with its place */
#include "base/faults.h"

#include <stdio.h>
#include <string.h>

enum {
	KEPT_MAX = 100,
	/* Of a long line, bytes that are shown, and how many of them stand before the place. */
	SHOWN_MAX = 96,
	BEFORE_MAX = 40,
	/* Each byte may come out as \xHH. */
	PRINTED_MAX = 4 * SHOWN_MAX + 8,
};

/* The same text at the same place comes again where an alias is read twice. */
static bool is_known(const struct berth_faults *faults, struct berth_mark at, const char *text)
{
	for (size_t i = 0; i < faults->count; i++) {
		const struct berth_fault *fault = &faults->items[i];

		if (fault->at.line == at.line && fault->at.column == at.column &&
		    !strcmp(fault->text, text))
			return true;
	}
	return false;
}

void berth_faults_add(struct berth_faults *faults, struct berth_mark at, const char *fmt, ...)
{
	char raw[sizeof(faults->items->text)], text[sizeof(faults->items->text)];
	struct berth_fault *fault;
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(raw, sizeof(raw), fmt, ap);
	va_end(ap);
	berth_str_printable(raw, (size_t)-1, text, sizeof(text));
	faults->hint_to = 0;
	if (is_known(faults, at, text))
		return;
	if (faults->count == KEPT_MAX) {
		faults->more++;
		return;
	}
	if (!faults->items)
		faults->items = calloc(KEPT_MAX, sizeof(*faults->items));
	if (!faults->items) {
		faults->more++;
		return;
	}
	fault = &faults->items[faults->count++];
	fault->at = at;
	berth_str_copy(fault->text, sizeof(fault->text), text);
	faults->hint_to = faults->count;
}

void berth_faults_hint(struct berth_faults *faults, const char *fmt, ...)
{
	char raw[sizeof(faults->items->hint)];
	struct berth_fault *fault;
	va_list ap;

	if (faults->hint_to == 0)
		return;
	va_start(ap, fmt);
	vsnprintf(raw, sizeof(raw), fmt, ap);
	va_end(ap);
	fault = &faults->items[faults->hint_to - 1];
	berth_str_printable(raw, (size_t)-1, fault->hint, sizeof(fault->hint));
}

void berth_faults_deinit(struct berth_faults *faults)
{
	if (!faults)
		return;
	free(faults->items);
	*faults = (struct berth_faults){ 0 };
}

size_t berth_faults_count(const struct berth_faults *faults)
{
	return faults->count + faults->more;
}

/* By place; stable, so that two at one place stay as they were found. */
void berth_faults_sort(struct berth_faults *faults)
{
	for (size_t i = 1; i < faults->count; i++) {
		struct berth_fault one = faults->items[i];
		size_t k = i;

		for (; k > 0; k--) {
			const struct berth_mark *at = &faults->items[k - 1].at;

			if (at->line < one.at.line ||
			    (at->line == one.at.line && at->column <= one.at.column))
				break;
			faults->items[k] = faults->items[k - 1];
		}
		faults->items[k] = one;
	}
	faults->hint_to = 0;
}

/* Line @number of @text without its end; false: there is none. */
static bool find_line(const char *text, size_t len, unsigned int number, const char **ret_line,
		      size_t *ret_len)
{
	const char *line = text, *end = text + len, *next;

	if (len >= 3 && !memcmp(text, "\xef\xbb\xbf", 3))
		line += 3;
	for (unsigned int i = 1; i < number; i++) {
		next = memchr(line, '\n', (size_t)(end - line));
		if (!next)
			return false;
		line = next + 1;
	}
	next = memchr(line, '\n', (size_t)(end - line));
	if (!next)
		next = end;
	if (next > line && next[-1] == '\r')
		next--;
	*ret_line = line;
	*ret_len = (size_t)(next - line);
	return true;
}

/* Forward from @at to where a character begins. */
static size_t character_edge(const char *line, size_t len, size_t at)
{
	while (at < len && ((unsigned char)line[at] & 0xc0) == 0x80)
		at++;
	return at;
}

/* The part of the line around the place, and a caret under it. */
static void format_line(struct berth_mark at, const char *line, size_t len, struct berth_str *out)
{
	size_t place = at.column > 0 ? at.column - 1 : 0, from = 0, to = len, piece;
	char before[PRINTED_MAX], there[PRINTED_MAX], after[PRINTED_MAX];
	const char *cut = "";

	if (place > len)
		place = len;
	if (len > SHOWN_MAX) {
		if (place > BEFORE_MAX)
			from = character_edge(line, len, place - BEFORE_MAX);
		if (from + SHOWN_MAX < len)
			to = character_edge(line, len, from + SHOWN_MAX);
		cut = from > 0 ? "..." : "";
	}
	piece = at.len < to - place ? at.len : to - place;
	berth_str_printable(line + from, place - from, before, sizeof(before));
	berth_str_printable(line + place, piece, there, sizeof(there));
	berth_str_printable(line + place + piece, to - place - piece, after, sizeof(after));
	berth_str_addf(out, "%6u | %s%s%s%s%s\n", at.line, cut, before, there, after,
		       to < len ? "..." : "");

	berth_str_addf(out, "       | %*s^", (int)(strlen(cut) + berth_str_width(before)), "");
	for (size_t i = berth_str_width(there); i > 1; i--)
		berth_str_add(out, "~");
	berth_str_add(out, "\n");
}

void berth_faults_format(const struct berth_faults *faults, const char *name, const char *text,
			 size_t len, struct berth_str *out)
{
	char shown[512];
	const char *line;
	size_t line_len;

	berth_str_printable(name, (size_t)-1, shown, sizeof(shown));
	for (size_t i = 0; i < faults->count; i++) {
		const struct berth_fault *fault = &faults->items[i];

		berth_str_add(out, shown);
		if (fault->at.line > 0)
			berth_str_addf(out, ":%u:%u", fault->at.line, fault->at.column);
		berth_str_addf(out, ": %s", fault->text);
		if (*fault->hint)
			berth_str_addf(out, "; %s", fault->hint);
		berth_str_add(out, "\n");
		if (fault->at.line > 0 && text &&
		    find_line(text, len, fault->at.line, &line, &line_len) && line_len > 0)
			format_line(fault->at, line, line_len, out);
	}
	if (faults->more > 0)
		berth_str_addf(out, "%s: and %zu more\n", shown, faults->more);
}
