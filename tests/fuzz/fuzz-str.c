/* SPDX-License-Identifier: MIT */
/* fuzz/fuzz-str.c - any bytes, made fit for a terminal, a shell, JSON and the environment */
#include "fuzz.h"

#include "base/json.h"
#include "base/str.h"

enum {
	WORDS_MAX = 8
};

/* No byte that a terminal acts on, and nothing but UTF-8. */
static void must_be_printable(const char *text)
{
	size_t len = strlen(text);

	while (len > 0) {
		size_t n = berth_str_utf8_len(text, len);

		MUST(n > 0);
		MUST(n > 1 || (*text >= ' ' && *text != 0x7f));
		MUST(n != 2 || (unsigned char)text[0] != 0xc2 || (unsigned char)text[1] >= 0xa0);
		text += n;
		len -= n;
	}
}

static void try_printable(const uint8_t *data, size_t size)
{
	static const size_t sizes[] = { 0, 1, 2, 3, 4, 5, 16, 64 };
	size_t whole_size = size * 4 + 1;
	BERTH_AUTO_FREE char *whole = malloc(whole_size);

	MUST(whole);
	berth_str_printable((const char *)data, size, whole, whole_size);
	must_be_printable(whole);
	MUST(berth_str_width(whole) <= strlen(whole));
	for (size_t i = 0; i < BERTH_ARRAY_SIZE(sizes); i++) {
		BERTH_AUTO_FREE char *cut = malloc(sizes[i] ? sizes[i] : 1);

		MUST(cut);
		cut[0] = '\0';
		berth_str_printable((const char *)data, size, cut, sizes[i]);
		MUST(strlen(cut) < (sizes[i] ? sizes[i] : 1));
		must_be_printable(cut);
		if (strlen(whole) < sizes[i])
			MUST(!strcmp(cut, whole));
	}
}

/* Lines of the input as words. */
static void try_words(char *text)
{
	const char *words[WORDS_MAX + 1] = { NULL };
	char *save = NULL, *word = strtok_r(text, "\n", &save);
	const char *closest;
	char buf[64], whole[1024];

	for (size_t i = 0; i < WORDS_MAX && word; i++, word = strtok_r(NULL, "\n", &save))
		words[i] = word;
	berth_str_quote_argv(words, buf, sizeof(buf));
	must_be_printable(buf);
	berth_str_quote_argv(words, whole, sizeof(whole));
	must_be_printable(whole);
	if (words[0]) {
		MUST(berth_str_closest(words[0], words) ==
		     (strlen(words[0]) < 2 || strlen(words[0]) > 63 ? NULL : words[0]));
		closest = berth_str_closest(words[0], words + 1);
		MUST(!closest || strlen(closest) + 3 >= strlen(words[0]));
	}
}

static void try_rest(const char *text, size_t size)
{
	BERTH_AUTO_JSON json_t *json = berth_json_text(text);
	BERTH_AUTO_JSON json_t *parsed = berth_json_parse(text, size);
	BERTH_AUTO_FREE char *line = parsed ? berth_json_line(parsed) : NULL;
	char env[16], hex[33];

	MUST(json);
	MUST(json_string_length(json) >= strlen(text));
	MUST(!parsed || (line && !strchr(line, '\n')));
	berth_str_env_name(text, env, sizeof(env));
	MUST(strspn(env, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") == strlen(env));
	MUST(env[0] < '0' || env[0] > '9');
	berth_str_hash(text, size, hex);
	MUST(strspn(hex, "0123456789abcdef") == 32 && hex[32] == '\0');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	BERTH_AUTO_FREE char *text = fuzz_text(data, size);

	try_printable(data, size);
	try_rest(text, size);
	try_words(text);
	return 0;
}
