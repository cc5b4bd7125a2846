/* SPDX-License-Identifier: MIT */
/* app/log-read.h - the lines of a log, oldest first, across its rotation */
#pragma once

#include "base/attr.h"
#include "base/json.h"

#include <stdbool.h>
#include <stdint.h>

/* One line of a log file. */
struct berth_log_entry {
	int64_t at_ms; /* 0: not told */
	unsigned int worker; /* 0: no number */
	bool is_own; /* said by berth about the service */
	bool is_stderr;
	bool continued; /* the next one of this worker and stream goes on in the same line */
	const char *text; /* borrowed, no NUL behind it */
	size_t len;
};

/* Take a line apart. One that is not of our form is text as a whole. */
void berth_log_read_parse(const char *line, size_t len, struct berth_log_entry *ret_entry);

struct berth_log_reader {
	char *path; /* owned: of the present file */
	int fd; /* owned; -1: there is no log yet */
	char *buf; /* owned */
	size_t at, len; /* what is in @buf, and not yet handed out */
	int64_t since_ms;
	bool last_look; /* @fd is not the present file any more: read to its end, then the next */
	bool cut; /* within a line that is longer than @buf; @head is its beginning */
	struct berth_log_entry head;
};

enum {
	BERTH_LOG_READ_E_END = 1, /* that was all, so far */
};

/*
 * @lines: begin with the last so many, UINT64_MAX: with all there are. @since_ms: leave out what is
 * older, 0: nothing. A log that is not there is an empty one, until it comes. -errno: nothing to be
 * closed.
 */
BERTH_MUST_USE int berth_log_read_open(struct berth_log_reader *reader, const char *path,
				       uint64_t lines, int64_t since_ms);
/* Takes a zeroed one too. */
void berth_log_read_close(struct berth_log_reader *reader);

/*
 * The next entry, valid until the next call. BERTH_LOG_READ_E_END: ask again when the file has
 * changed. @final: nobody writes any more, so that a last line without a newline is one. -errno.
 */
BERTH_MUST_USE int berth_log_read_next(struct berth_log_reader *reader, bool final,
				       struct berth_log_entry *ret_entry);

/*
 * The service's own of the last @count lines of a log, without their last newline; "" if there is none. New array of
 * strings, control characters made printable.
 */
json_t *berth_log_read_tail(const char *path, size_t count);
