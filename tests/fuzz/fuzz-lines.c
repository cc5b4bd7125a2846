/* SPDX-License-Identifier: MIT */
/* fuzz/fuzz-lines.c - any bytes in any portions become the same lines, and none is lost */
#include "fuzz.h"

#include "app/log-read.h"
#include "base/lines.h"
#include "base/str.h"

enum {
	REPEAT_MAX = 200, /* long enough for a line beyond the maximum */
};

/* The lines put together again. */
static void take(const char *text, size_t len, bool continued, void *arg)
{
	struct berth_str *str = arg;
	struct berth_log_entry entry;

	MUST(len <= BERTH_LINES_MAX);
	MUST(!memchr(text, '\n', len));
	berth_str_add_bytes(str, text, len);
	if (!continued)
		berth_str_add(str, "\n");
	berth_log_read_parse(text, len, &entry);
	MUST(entry.text >= text && entry.text + entry.len == text + len);
}

static void must_come_back(const char *bytes, size_t len, size_t step)
{
	struct berth_str str = { 0 };
	struct berth_lines_sink sink = { .fn = take, .arg = &str };
	struct berth_lines lines = { 0 };

	for (size_t at = 0; at < len; at += step) {
		size_t part = len - at < step ? len - at : step;
		BERTH_AUTO_FREE char *exact = malloc(part);

		MUST(exact);
		memcpy(exact, bytes + at, part);
		berth_lines_feed(&lines, exact, part, &sink);
	}
	berth_lines_flush(&lines, &sink);
	MUST(!lines.partial);
	MUST(str.len == len + (len && bytes[len - 1] != '\n'));
	MUST(!len || memcmp(str.text, bytes, len) == 0);
	berth_lines_deinit(&lines);
	berth_str_deinit(&str);
}

/* The first byte tells the portions, the second how often the rest comes. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t step, repeat, len;
	BERTH_AUTO_FREE char *bytes = NULL;

	if (size < 2)
		return 0;
	repeat = data[1] % REPEAT_MAX + 1;
	len = (size - 2) * repeat;
	bytes = malloc(len ? len : 1);
	MUST(bytes);
	for (size_t i = 0; i < repeat; i++)
		memcpy(bytes + i * (size - 2), data + 2, size - 2);
	step = (size_t)(data[0] + 1) * (data[0] + 1);
	must_come_back(bytes, len, step);
	must_come_back(bytes, len, len ? len : 1);
	return 0;
}
