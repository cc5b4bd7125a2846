/* SPDX-License-Identifier: MIT */
/* base/str.h - text: bounded building, safe printing, the closest word */
#pragma once

#include "base/attr.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>

/*
 * Text that grows on the heap; zero is an empty one. After a failed allocation it stays as it was
 * and remembers.
 */
struct berth_str {
	char *text; /* NUL-terminated once anything was added; NULL before */
	size_t len;
	size_t size;
	bool failed;
};
void berth_str_add(struct berth_str *str, const char *text);
void berth_str_add_bytes(struct berth_str *str, const char *bytes, size_t len);
void berth_str_addf(struct berth_str *str, const char *fmt, ...) BERTH_PRINTF(2, 3);
void berth_str_deinit(struct berth_str *str);
/* The text, "" if empty; NULL if an allocation failed. Borrowed. */
const char *berth_str_text(const struct berth_str *str);
/* The same as the caller's own, to free(); the str is empty afterwards. */
char *berth_str_steal(struct berth_str *str);

/* Copy @text, cut at @size - 1 bytes. Returns false if it was cut. */
bool berth_str_copy(char *buf, size_t size, const char *text);

/*
 * What came from outside (a command line, a process name, a file's text), made fit for a terminal:
 * valid UTF-8 printable characters as they are; control characters, DEL, C1, invalid bytes, bidi
 * and other invisible format characters as \n \t \e \xHH. At most @size bytes with NUL; cut with
 * "..." at a character's edge. @len (size_t)-1: up to NUL. Returns @buf.
 */
const char *berth_str_printable(const char *text, size_t len, char *buf, size_t size);

/* Bytes of the UTF-8 character at @text, of which @len may be read; 0: none, or no valid one. */
size_t berth_str_utf8_len(const char *text, size_t len);

/* Columns a printable text takes on a terminal (wcwidth(3) with a UTF-8 locale; else bytes). */
size_t berth_str_width(const char *text);

/*
 * Words of an argv as a shell needs them typed: '' where needed, and $'' (POSIX 2024, bash, zsh)
 * for what berth_str_printable() would escape. Returns @buf, cut with "...".
 */
const char *berth_str_quote_argv(const char *const *argv, char *buf, size_t size);

/*
 * The word of @words (NULL-terminated) that @text most likely means: the only one that it begins
 * (with at least 2 letters), else the first of the least edit distance (with transposition, without
 * case), which is at most a third of its length and at most 3; NULL: none. At most 63 bytes.
 */
const char *berth_str_closest(const char *text, const char *const *words);

/* "my-api.ws" -> "MY_API_WS": all but A-Z 0-9 to '_'; a leading digit gets '_' before it. */
void berth_str_env_name(const char *text, char *buf, size_t size);

/* FNV-1a, 128 bits, as 32 hex digits and NUL; call with @len bytes. Not for secrets. */
void berth_str_hash(const void *data, size_t len, char ret_hex[33]);
