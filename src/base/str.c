/* SPDX-License-Identifier: MIT */
/* base/str.c - text: bounded building, safe printing, the closest word */
#include "base/str.h"

#include <langinfo.h>
#include <stdio.h>
#include <string.h>
#include <wchar.h>

/* The longest thing that is put out whole: a character of 4 bytes, each as \xHH. */
enum {
	PIECE_MAX = 16
};

/* Words longer than this are nobody's slip of the finger. */
enum {
	CLOSEST_MAX = 63
};

static bool str_reserve(struct berth_str *str, size_t more)
{
	size_t need, size = str->size ? str->size : 64;
	char *text;

	if (str->failed)
		return false;
	if (__builtin_add_overflow(str->len + 1, more, &need) || need > SIZE_MAX / 2)
		goto fail;
	if (need <= str->size)
		return true;
	while (size < need)
		size *= 2;
	text = realloc(str->text, size);
	if (!text)
		goto fail;
	str->text = text;
	str->size = size;
	return true;
fail:
	str->failed = true;
	return false;
}

void berth_str_add(struct berth_str *str, const char *text)
{
	berth_str_add_bytes(str, text, strlen(text));
}

void berth_str_add_bytes(struct berth_str *str, const char *bytes, size_t len)
{
	if (len == 0 || !str_reserve(str, len))
		return;
	memcpy(str->text + str->len, bytes, len);
	str->len += len;
	str->text[str->len] = '\0';
}

void berth_str_addf(struct berth_str *str, const char *fmt, ...)
{
	va_list ap;
	int len;

	va_start(ap, fmt);
	len = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	if (len < 0) {
		str->failed = true;
		return;
	}
	if (!str_reserve(str, (size_t)len))
		return;
	va_start(ap, fmt);
	vsnprintf(str->text + str->len, (size_t)len + 1, fmt, ap);
	va_end(ap);
	str->len += (size_t)len;
}

void berth_str_deinit(struct berth_str *str)
{
	if (!str)
		return;
	free(str->text);
	*str = (struct berth_str){ 0 };
}

const char *berth_str_text(const struct berth_str *str)
{
	if (str->failed)
		return NULL;
	return str->text ? str->text : "";
}

char *berth_str_steal(struct berth_str *str)
{
	char *text = NULL;

	if (!str->failed)
		text = str->text ? BERTH_STEAL(str->text) : strdup("");
	berth_str_deinit(str);
	return text;
}

bool berth_str_copy(char *buf, size_t size, const char *text)
{
	size_t len = strnlen(text, size);
	bool whole = len < size;

	if (size == 0)
		return false;
	if (!whole)
		len = size - 1;
	memcpy(buf, text, len);
	buf[len] = '\0';
	return whole;
}

/* The character at @text and its length; 0: not UTF-8 (nor are overlong forms and surrogates). */
static size_t decode(const char *text, size_t len, uint32_t *ret_char)
{
	static const uint32_t least[] = { [2] = 0x80, [3] = 0x800, [4] = 0x10000 };
	const unsigned char *s = (const unsigned char *)text;
	uint32_t c;
	size_t n;

	if (len == 0)
		return 0;
	if (s[0] < 0x80) {
		*ret_char = s[0];
		return 1;
	}
	n = s[0] >= 0xf0 ? 4 : s[0] >= 0xe0 ? 3 : 2;
	if (s[0] < 0xc0 || s[0] > 0xf4 || n > len)
		return 0;
	c = s[0] & (0x7f >> n);
	for (size_t i = 1; i < n; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (s[i] & 0x3f);
	}
	if (c < least[n] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
		return 0;
	*ret_char = c;
	return n;
}

size_t berth_str_utf8_len(const char *text, size_t len)
{
	uint32_t c;

	return decode(text, len, &c);
}

/*
 * What a reader would not see, or would see in another place: controls, Unicode's
 * Default_Ignorable_Code_Point, the bidi controls, line separators, annotations and noncharacters.
 * A table, so that the answer is the same in every locale.
 */
static bool is_invisible(uint32_t c)
{
	static const struct {
		uint32_t lo, hi;
	} spans[] = {
		{ 0x0000, 0x001f },   { 0x007f, 0x009f },   { 0x00ad, 0x00ad },
		{ 0x034f, 0x034f },   { 0x061c, 0x061c },   { 0x115f, 0x1160 },
		{ 0x17b4, 0x17b5 },   { 0x180b, 0x180f },   { 0x200b, 0x200f },
		{ 0x2028, 0x202e },   { 0x2060, 0x206f },   { 0x3164, 0x3164 },
		{ 0xfdd0, 0xfdef },   { 0xfe00, 0xfe0f },   { 0xfeff, 0xfeff },
		{ 0xffa0, 0xffa0 },   { 0xfff0, 0xfffb },   { 0x1bca0, 0x1bca3 },
		{ 0x1d173, 0x1d17a }, { 0xe0000, 0xe0fff },
	};

	for (size_t i = 0; i < BERTH_ARRAY_SIZE(spans); i++) {
		if (c <= spans[i].hi)
			return c >= spans[i].lo || (c & 0xfffe) == 0xfffe;
	}
	return (c & 0xfffe) == 0xfffe;
}

/* How many printable characters of ASCII does @text begin with? */
static size_t ascii_len(const char *text, size_t len)
{
	size_t n = 0;

	while (n < len && text[n] >= ' ' && text[n] <= '~')
		n++;
	return n;
}

/* A fixed buffer that takes whole pieces; once one does not fit, it ends in "..." for good. */
struct pieces {
	char *buf;
	size_t size;
	size_t len;
	size_t keep; /* the last edge of a piece that leaves room for "..." */
	bool cut;
};

static void pieces_add(struct pieces *pieces, const char *piece, size_t len)
{
	static const char dots[] = "...";

	if (pieces->cut)
		return;
	if (pieces->len + len < pieces->size) {
		memcpy(pieces->buf + pieces->len, piece, len);
		pieces->len += len;
		if (pieces->len + strlen(dots) < pieces->size)
			pieces->keep = pieces->len;
	} else {
		pieces->cut = true;
		pieces->len = pieces->keep;
		for (size_t i = 0; dots[i] && pieces->len + 1 < pieces->size; i++)
			pieces->buf[pieces->len++] = dots[i];
	}
	if (pieces->len < pieces->size)
		pieces->buf[pieces->len] = '\0';
}

/*
 * The plain ASCII that @text begins with, of which most is made, at once. Bytes taken; 0 also where
 * there may be no room, and so an edge to be found.
 */
static size_t pieces_add_ascii(struct pieces *pieces, const char *text, size_t len)
{
	size_t n = ascii_len(text, len);

	if (pieces->size < PIECE_MAX || n + pieces->len >= pieces->size - PIECE_MAX)
		return 0;
	pieces_add(pieces, text, n);
	return n;
}

/* @len bytes, each as an escape of C and of $'' in a shell. */
static size_t escape(const char *bytes, size_t len, char piece[PIECE_MAX + 1])
{
	static const char names[] = { ['\n'] = 'n', ['\t'] = 't', ['\r'] = 'r', [0x1b] = 'e' };
	size_t out = 0;

	for (size_t i = 0; i < len; i++) {
		unsigned char b = (unsigned char)bytes[i];

		if (b < sizeof(names) && names[b])
			out += (size_t)snprintf(piece + out, PIECE_MAX + 1 - out, "\\%c", names[b]);
		else
			out += (size_t)snprintf(piece + out, PIECE_MAX + 1 - out, "\\x%02x", b);
	}
	return out;
}

/* Bytes of the character (or bad byte) at @text, and may a terminal have them as they are? */
static size_t next_char(const char *text, size_t len, bool *ret_plain)
{
	uint32_t c;
	size_t n = decode(text, len, &c);

	*ret_plain = n > 0 && !is_invisible(c);
	return n > 0 ? n : 1;
}

const char *berth_str_printable(const char *text, size_t len, char *buf, size_t size)
{
	struct pieces pieces = { .buf = buf, .size = size };

	if (len == (size_t)-1)
		len = strlen(text);
	pieces_add(&pieces, "", 0);
	while (len > 0 && !pieces.cut) {
		size_t n = pieces_add_ascii(&pieces, text, len);
		char piece[PIECE_MAX + 1];
		bool plain = true;

		if (n == 0) {
			n = next_char(text, len, &plain);
			if (plain)
				pieces_add(&pieces, text, n);
			else
				pieces_add(&pieces, piece, escape(text, n, piece));
		}
		text += n;
		len -= n;
	}
	return buf;
}

size_t berth_str_width(const char *text)
{
	size_t len = strlen(text), width = ascii_len(text, len);

	if (width == len || strcmp(nl_langinfo(CODESET), "UTF-8"))
		return len;
	text += width;
	len -= width;
	while (len > 0) {
		uint32_t c;
		size_t n = decode(text, len, &c);
		int columns = n > 0 ? wcwidth((wchar_t)c) : 1;

		/* What the C library does not know, a terminal shows as one box. */
		width += columns >= 0 ? (size_t)columns : 1;
		n = n > 0 ? n : 1;
		text += n;
		len -= n;
	}
	return width;
}

enum quoting {
	QUOTING_NONE,
	QUOTING_SINGLE,
	QUOTING_DOLLAR
};

static bool is_safe(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       (c && strchr("@%+:,./_-", c));
}

/* '' keeps all but what can't be shown; that needs $'': in bash, zsh, ksh and POSIX of 2024. */
static enum quoting quoting_of(const char *word, bool first)
{
	enum quoting quoting = *word ? QUOTING_NONE : QUOTING_SINGLE;
	size_t len = strlen(word);

	for (const char *p = word; len > 0;) {
		bool plain = true;
		size_t n = is_safe(*p) ? 1 : next_char(p, len, &plain);

		if (!plain)
			return QUOTING_DOLLAR;
		/* A=b in front would be an assignment, and zsh looks up what =b is. */
		if (!(*p == '=' && !first && p != word) && !is_safe(*p))
			quoting = QUOTING_SINGLE;
		p += n;
		len -= n;
	}
	return quoting;
}

static void quote_word(struct pieces *pieces, const char *word, enum quoting quoting)
{
	size_t len = strlen(word);

	if (quoting == QUOTING_DOLLAR)
		pieces_add(pieces, "$'", 2);
	else if (quoting == QUOTING_SINGLE)
		pieces_add(pieces, "'", 1);
	if (quoting == QUOTING_NONE) {
		size_t n = pieces_add_ascii(pieces, word, len);

		word += n;
		len -= n;
	}
	while (len > 0 && !pieces->cut) {
		char piece[PIECE_MAX + 1];
		bool plain;
		size_t n = next_char(word, len, &plain);

		if (!plain)
			pieces_add(pieces, piece, escape(word, n, piece));
		else if (*word == '\'' && quoting == QUOTING_SINGLE)
			pieces_add(pieces, "'\\''", 4);
		else if ((*word == '\'' || *word == '\\') && quoting == QUOTING_DOLLAR)
			pieces_add(pieces, *word == '\'' ? "\\'" : "\\\\", 2);
		else
			pieces_add(pieces, word, n);
		word += n;
		len -= n;
	}
	if (quoting != QUOTING_NONE)
		pieces_add(pieces, "'", 1);
}

const char *berth_str_quote_argv(const char *const *argv, char *buf, size_t size)
{
	struct pieces pieces = { .buf = buf, .size = size };

	pieces_add(&pieces, "", 0);
	for (size_t i = 0; argv[i] && !pieces.cut; i++) {
		if (i > 0)
			pieces_add(&pieces, " ", 1);
		quote_word(&pieces, argv[i], quoting_of(argv[i], i == 0));
	}
	return buf;
}

static char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

/* Edits (put in, left out, another letter, two neighbours swapped) from one word to another. */
static size_t distance(const char *a, size_t a_len, const char *b, size_t b_len)
{
	/* Rows of the table of edit distances: before the last, the last, this one. */
	unsigned char rows[3][CLOSEST_MAX + 1];

	for (size_t j = 0; j <= b_len; j++)
		rows[0][j] = (unsigned char)j;
	for (size_t i = 1; i <= a_len; i++) {
		unsigned char *row = rows[i % 3], *last = rows[(i + 2) % 3];
		unsigned char *before = rows[(i + 1) % 3];

		row[0] = (unsigned char)i;
		for (size_t j = 1; j <= b_len; j++) {
			bool same = lower(a[i - 1]) == lower(b[j - 1]);
			size_t least = last[j - 1] + !same;

			if (last[j] + 1u < least)
				least = last[j] + 1u;
			if (row[j - 1] + 1u < least)
				least = row[j - 1] + 1u;
			if (i > 1 && j > 1 && lower(a[i - 1]) == lower(b[j - 2]) &&
			    lower(a[i - 2]) == lower(b[j - 1]) && before[j - 2] + 1u < least)
				least = before[j - 2] + 1u;
			row[j] = (unsigned char)least;
		}
	}
	return rows[a_len % 3][b_len];
}

const char *berth_str_closest(const char *text, const char *const *words)
{
	size_t len = strlen(text);
	size_t least = len / 3 < 3 ? len / 3 : 3;
	const char *closest = NULL, *prefixed = NULL;
	size_t prefixed_count = 0;

	if (len < 2 || len > CLOSEST_MAX)
		return NULL;
	for (; *words; words++) {
		size_t word_len = strlen(*words), edits;

		if (!strcmp(text, *words))
			return *words;
		if (!strncmp(text, *words, len)) {
			prefixed = *words;
			prefixed_count++;
		}
		if (word_len > CLOSEST_MAX)
			continue;
		edits = distance(text, len, *words, word_len);
		if (edits < least || (edits == least && !closest)) {
			least = edits;
			closest = *words;
		}
	}
	/* Who began a word and stopped meant it more likely than one that is an edit away. */
	return prefixed_count == 1 ? prefixed : closest;
}

void berth_str_env_name(const char *text, char *buf, size_t size)
{
	size_t len = 0;

	if (size == 0)
		return;
	if (*text >= '0' && *text <= '9' && size > 1)
		buf[len++] = '_';
	for (; *text && len + 1 < size; text++) {
		char c = *text;

		if (c >= 'a' && c <= 'z')
			c = (char)(c - 'a' + 'A');
		else if (!(c >= 'A' && c <= 'Z') && !(c >= '0' && c <= '9'))
			c = '_';
		buf[len++] = c;
	}
	buf[len] = '\0';
}

void berth_str_hash(const void *data, size_t len, char ret_hex[33])
{
	/* Limbs of 32 bits, lowest first: not every target has 128-bit integers. */
	uint32_t h[4] = { 0x6295c58d, 0x62b82175, 0x07bb0142, 0x6c62272e };
	const unsigned char *bytes = data;

	for (size_t i = 0; i < len; i++) {
		uint64_t p[4];

		h[0] ^= bytes[i];
		/* Times the prime, 2^88 + 0x13b. */
		for (size_t k = 0; k < 4; k++)
			p[k] = (uint64_t)h[k] * 0x13b;
		p[2] += (uint32_t)(h[0] << 24);
		p[3] += (uint32_t)(h[1] << 24 | h[0] >> 8);
		for (size_t k = 1; k < 4; k++)
			p[k] += p[k - 1] >> 32;
		for (size_t k = 0; k < 4; k++)
			h[k] = (uint32_t)p[k];
	}
	snprintf(ret_hex, 33, "%08x%08x%08x%08x", h[3], h[2], h[1], h[0]);
}
