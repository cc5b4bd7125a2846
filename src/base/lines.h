/* SPDX-License-Identifier: MIT */
/* base/lines.h - bytes as they come, taken apart into whole lines */
#pragma once

#include "base/attr.h"

#include <stdbool.h>

enum {
	BERTH_LINES_MAX = 64 * 1024, /* bytes of a line without its newline; longer ones are cut */
};

/*
 * Zero is an empty one. Any byte may be in a line, NUL included; only '\n' ends it. What fits is
 * handed on from the caller's own buffer; memory is taken only for a line whose end has not come,
 * and given back with that.
 */
struct berth_lines {
	char *partial; /* owned; the beginning of a line */
	size_t len, size;
	bool open; /* a piece of this line has been handed on already */
};

/*
 * Takes one line without its newline, or one piece of a line that is longer than the maximum;
 * @continued: more of that line follows. @text is valid during the call.
 */
struct berth_lines_sink {
	void (*fn)(const char *text, size_t len, bool continued, void *arg);
	void *arg;
};

/*
 * Cannot fail: without memory for the beginning of a line, that is handed on as a piece. Pieces are
 * cut between the characters of UTF-8.
 */
void berth_lines_feed(struct berth_lines *lines, const char *bytes, size_t len,
		      const struct berth_lines_sink *sink);
/* No more will come: what is left is a line, though without a newline. */
void berth_lines_flush(struct berth_lines *lines, const struct berth_lines_sink *sink);
void berth_lines_deinit(struct berth_lines *lines);
