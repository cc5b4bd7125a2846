/* SPDX-License-Identifier: MIT */
/* app/log-line.h - one line of a log, for a pipe, for a terminal, for a program */
#pragma once

#include "app/log-read.h"
#include "base/str.h"

/* Who says a line, where several do. */
struct berth_log_line_source {
	const char *name; /* "api.1"; borrowed; NULL: berth itself */
	unsigned int tint; /* of its service: 0, 1 .. are foreman's colours, in its order */
};

/*
 * Lines of one source or of several, one after the other: "09:30:00 api.1    | text". The fields
 * above @open are the caller's; zero is text alone.
 */
struct berth_log_line_writer {
	bool names; /* time of day and name in front of each line */
	bool stamps; /* RFC 3339 in place of the time of day, and without names too */
	bool terminal; /* see berth_log_line_terminal(); else bytes as they are */
	bool color;
	size_t width; /* of the longest name, in columns */

	const struct berth_log_line_source
		*open; /* whose line the last piece is; NULL: it is whole */
	unsigned int open_worker;
	bool open_stderr;
};

/*
 * Add @entry of @source to @str. A piece of a long line goes on behind the piece before it; where
 * another one has spoken in between it begins anew, with its name in front. A source stays where
 * it is while a line of it is open.
 */
void berth_log_line_add(struct berth_log_line_writer *writer,
			const struct berth_log_line_source *source,
			const struct berth_log_entry *entry, struct berth_str *str);
/* End a line that no piece will go on with. */
void berth_log_line_end(struct berth_log_line_writer *writer, struct berth_str *str);

/*
 * Add the text to @str as a terminal may have it: tabs and, with @color, colours (SGR) are kept.
 * Other escape sequences are left out, and so is what stands before a carriage return and would be
 * overwritten; all else that a terminal would act on is made visible.
 */
void berth_log_line_terminal(const char *text, size_t len, bool color, struct berth_str *str);

/*
 * {"version":1,"at","service","instance","worker","stream","text"}: bytes that are no UTF-8 become
 * U+FFFD, NUL stays; a line that is stored in pieces is as many documents. @service NULL: said of
 * no single service, then service, instance and worker are null. New reference; NULL: out of memory.
 */
json_t *berth_log_line_document(const struct berth_log_entry *entry, const char *service,
				int64_t instance);

/*
 * "10m" before @now_ms, or a time of RFC 3339 ("2026-11-21T09:30:00Z", "...00.5+01:00"). -EINVAL,
 * -ERANGE.
 */
BERTH_MUST_USE int berth_log_line_parse_since(const char *text, int64_t now_ms, int64_t *ret_ms);
