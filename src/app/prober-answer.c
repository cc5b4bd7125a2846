/* SPDX-License-Identifier: MIT */
/* app/prober-answer.c - what a probe reads of an HTTP answer: its status line */
#include "app/prober.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

/* "HTTP/1.1 200 OK", up to the line's end, which is not there yet: -EAGAIN. */
static int parse_line(const char *text, size_t len, unsigned int *ret_status, size_t *ret_len)
{
	static const char prefix[] = "HTTP/1.";
	size_t prefix_len = sizeof(prefix) - 1;
	const char *end;

	if (memcmp(text, prefix, len < prefix_len ? len : prefix_len) != 0)
		return -EPROTO;
	end = memchr(text, '\n', len);
	if (!end)
		return -EAGAIN;
	*ret_len = (size_t)(end - text) + 1;
	text += prefix_len;
	/* One digit, a blank, three digits, and then a blank or the end. */
	if (end - text < 5 || !isdigit((unsigned char)text[0]) || text[1] != ' ' || text[2] < '1' ||
	    text[2] > '9' || !isdigit((unsigned char)text[3]) || !isdigit((unsigned char)text[4]) ||
	    (text[5] != ' ' && text[5] != '\r' && text[5] != '\n'))
		return -EPROTO;
	*ret_status = (unsigned int)((text[2] - '0') * 100 + (text[3] - '0') * 10 + text[4] - '0');
	return 0;
}

/* Bytes up to the empty line and with it; 0: it has not come yet. */
static size_t find_header_end(const char *text, size_t len)
{
	size_t pos = 0;

	while (pos < len) {
		const char *end = memchr(text + pos, '\n', len - pos);
		size_t line_len = end ? (size_t)(end - text) - pos : 0;

		if (!end)
			return 0;
		if (line_len == 0 || (line_len == 1 && text[pos] == '\r'))
			return (size_t)(end - text) + 1;
		pos += line_len + 1;
	}
	return 0;
}

int berth_prober_parse_status(const char *text, size_t len, unsigned int *ret_status)
{
	for (;;) {
		unsigned int status = 0;
		size_t line_len = 0, rest_len;
		int r;

		if (!len)
			return -EAGAIN;
		r = parse_line(text, len, &status, &line_len);
		if (r < 0)
			return r;
		/* 101 ends HTTP on this connection; after all others below 200 the answer comes. */
		if (status >= 200 || status == 101) {
			*ret_status = status;
			return 0;
		}
		rest_len = find_header_end(text + line_len, len - line_len);
		if (!rest_len)
			return -EAGAIN;
		text += line_len + rest_len;
		len -= line_len + rest_len;
	}
}
