/* SPDX-License-Identifier: MIT */
/* cli/log-line.h - one line of a log, for a pipe, for a terminal, for a program */
#pragma once

#include "app/log-read.h"
#include "base/str.h"

/*
 * Add the text to @str as a terminal may have it: tabs and, with @color, colours (SGR) are kept, a
 * carriage return at the end is not; all else that a terminal would act on is made visible.
 */
void berth_log_line_terminal(const char *text, size_t len, bool color, struct berth_str *str);

/*
 * {"version":1,"at","service","instance","worker","stream","text"}: bytes that are no UTF-8 become
 * U+FFFD, NUL stays; a line that is stored in pieces is as many documents. New reference; NULL: out of memory.
 */
json_t *berth_log_line_document(const struct berth_log_entry *entry, const char *service,
				int64_t instance);

/*
 * "10m" before @now_ms, or a time of RFC 3339 ("2026-11-21T09:30:00Z", "...00.5+01:00"). -EINVAL,
 * -ERANGE.
 */
BERTH_MUST_USE int berth_log_line_parse_since(const char *text, int64_t now_ms, int64_t *ret_ms);
