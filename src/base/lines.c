/* SPDX-License-Identifier: MIT */
/* base/lines.c - bytes as they come, taken apart into whole lines */
#include "base/lines.h"

#include <string.h>

enum {
	FIRST_SIZE = 256,
};

/*
 * Where to cut the line at @text, more than the maximum of which is there: before a character of
 * UTF-8 rather than within it.
 */
static size_t cut_at(const char *text)
{
	size_t at = BERTH_LINES_MAX;

	while (at > BERTH_LINES_MAX - 4 && ((unsigned char)text[at] & 0xc0) == 0x80)
		at--;
	return at > BERTH_LINES_MAX - 4 ? at : BERTH_LINES_MAX;
}

static bool reserve(struct berth_lines *lines, size_t size)
{
	size_t wanted = lines->size ? lines->size : FIRST_SIZE;
	char *grown;

	if (size <= lines->size)
		return true;
	while (wanted < size)
		wanted *= 2;
	grown = realloc(lines->partial, wanted);
	if (!grown)
		return false;
	lines->partial = grown;
	lines->size = wanted;
	return true;
}

static void let_go(struct berth_lines *lines)
{
	free(BERTH_STEAL(lines->partial));
	lines->len = lines->size = 0;
}

static void hand_on(struct berth_lines *lines, const char *text, size_t len, bool continued,
		    const struct berth_lines_sink *sink)
{
	sink->fn(text, len, continued, sink->arg);
	lines->open = continued;
}

/* Pieces of the line at @bytes, until at most the maximum is left of it; how much that is. */
static size_t hand_on_pieces(struct berth_lines *lines, const char **bytes, size_t len,
			     const struct berth_lines_sink *sink)
{
	while (len > BERTH_LINES_MAX) {
		size_t at = cut_at(*bytes);

		hand_on(lines, *bytes, at, true, sink);
		*bytes += at;
		len -= at;
	}
	return len;
}

/* Keep @len bytes behind what is kept already; at most one more than the maximum at a time. */
static void keep(struct berth_lines *lines, const char *bytes, size_t len,
		 const struct berth_lines_sink *sink)
{
	while (len) {
		size_t room = BERTH_LINES_MAX + 1 - lines->len;
		size_t part = len < room ? len : room;
		size_t at;

		if (!reserve(lines, lines->len + part)) {
			if (lines->len)
				hand_on(lines, lines->partial, lines->len, true, sink);
			let_go(lines);
			hand_on(lines, bytes, part, true, sink);
		} else {
			memcpy(lines->partial + lines->len, bytes, part);
			lines->len += part;
		}
		bytes += part;
		len -= part;
		if (lines->len <= BERTH_LINES_MAX)
			continue;
		at = cut_at(lines->partial);
		hand_on(lines, lines->partial, at, true, sink);
		lines->len -= at;
		memmove(lines->partial, lines->partial + at, lines->len);
	}
}

void berth_lines_feed(struct berth_lines *lines, const char *bytes, size_t len,
		      const struct berth_lines_sink *sink)
{
	const char *end = bytes + len;

	while (bytes < end) {
		const char *stop = memchr(bytes, '\n', (size_t)(end - bytes));
		size_t part = (size_t)((stop ? stop : end) - bytes);

		if (!lines->len)
			part = hand_on_pieces(lines, &bytes, part, sink);
		if (!stop) {
			keep(lines, bytes, part, sink);
			return;
		}
		if (lines->len) {
			keep(lines, bytes, part, sink);
			hand_on(lines, lines->partial, lines->len, false, sink);
			let_go(lines);
		} else {
			hand_on(lines, bytes, part, false, sink);
		}
		bytes = stop + 1;
	}
}

void berth_lines_flush(struct berth_lines *lines, const struct berth_lines_sink *sink)
{
	if (lines->len || lines->open)
		hand_on(lines, lines->partial ? lines->partial : "", lines->len, false, sink);
	let_go(lines);
}

void berth_lines_deinit(struct berth_lines *lines)
{
	if (!lines)
		return;
	let_go(lines);
	lines->open = false;
}
