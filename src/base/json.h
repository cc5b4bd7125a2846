/* SPDX-License-Identifier: MIT */
/* base/json.h - jansson, with our defaults: look-ups that never fail, one way to print */
#pragma once

#include "base/attr.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

static inline void berth_json_cleanup(json_t **json)
{
	json_decref(*json);
}
#define BERTH_AUTO_JSON BERTH_CLEANUP(berth_json_cleanup)

/*
 * A member of an object, or the default when it is absent or of another type. Strings are borrowed.
 */
const char *berth_json_string(const json_t *object, const char *key, const char *otherwise);
int64_t berth_json_int(const json_t *object, const char *key, int64_t otherwise);
bool berth_json_bool(const json_t *object, const char *key, bool otherwise);

/*
 * A JSON string of bytes that may be no UTF-8 (a command line, a path): bad bytes become U+FFFD.
 * New reference.
 */
json_t *berth_json_text(const char *bytes);
/* null for NULL or "", else like berth_json_text(). New reference. */
json_t *berth_json_text_or_null(const char *bytes);
/* A time as RFC 3339, null for 0. New reference. */
json_t *berth_json_time(int64_t ms);
/* A pid, null for none (not above 0). New reference. */
json_t *berth_json_pid(pid_t pid);

/*
 * Parse @text; duplicate keys are refused, depth and size are jansson's. NULL on error. New
 * reference.
 */
json_t *berth_json_parse(const char *text, size_t len);
/* Have two objects the same under @key, or neither anything? */
bool berth_json_has_same(const json_t *a, const json_t *b, const char *key);
/* Is @wanted itself, not only its like, in the array? */
bool berth_json_has(const json_t *array, const json_t *wanted);
/*
 * A JSON array of strings as an argv, to free(); the strings stay the array's. NULL: it holds
 * anything else; out of memory.
 */
const char **berth_json_strings(const json_t *array);
/*
 * One line, members in the order they were added, no newline at the end. The caller frees it; NULL:
 * out of memory.
 */
char *berth_json_line(const json_t *json);
