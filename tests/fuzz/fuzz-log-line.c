/* SPDX-License-Identifier: MIT */
/* fuzz/fuzz-log-line.c - whatever a service says, a terminal is given text and colours */
#include "fuzz.h"

#include "app/log-line.h"

/* ESC [ 1;31 m at @text: its length; 0: something else. */
static size_t color_at(const char *text)
{
	size_t len;

	if (text[0] != '\033' || text[1] != '[')
		return 0;
	len = 2 + strspn(text + 2, "0123456789:;");
	return text[len] == 'm' ? len + 1 : 0;
}

/* All but its colours. */
static void must_be_harmless(const char *text, size_t len, struct berth_str *ret_plain)
{
	MUST(strlen(text) == len);
	for (size_t at = 0; at < len;) {
		size_t color = color_at(text + at);
		size_t n = berth_str_utf8_len(text + at, len - at);
		unsigned char byte = (unsigned char)text[at];

		MUST(color || (n && byte != 0x7f && (byte >= ' ' || byte == '\t')));
		if (!color)
			berth_str_add_bytes(ret_plain, text + at, n);
		at += color ? color : n;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct berth_str colored = { 0 }, plain = { 0 }, again = { 0 }, bare = { 0 }, same = { 0 };
	BERTH_AUTO_FREE char *text = malloc(size ? size : 1);

	MUST(text);
	memcpy(text, data, size);
	berth_log_line_terminal(text, size, true, &colored);
	berth_log_line_terminal(text, size, false, &plain);
	must_be_harmless(berth_str_text(&colored), colored.len, &bare);
	must_be_harmless(berth_str_text(&plain), plain.len, &same);
	MUST(strcmp(berth_str_text(&bare), berth_str_text(&plain)) == 0);
	MUST(strcmp(berth_str_text(&same), berth_str_text(&plain)) == 0);
	if (colored.len > plain.len)
		MUST(strcmp(colored.text + colored.len - 4, "\033[0m") == 0);
	berth_log_line_terminal(berth_str_text(&plain), plain.len, false, &again);
	MUST(strcmp(berth_str_text(&again), berth_str_text(&plain)) == 0);
	berth_str_deinit(&colored);
	berth_str_deinit(&plain);
	berth_str_deinit(&again);
	berth_str_deinit(&bare);
	berth_str_deinit(&same);
	return 0;
}
