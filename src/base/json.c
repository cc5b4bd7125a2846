/* SPDX-License-Identifier: MIT */
/* base/json.c - jansson, with our defaults: look-ups that never fail, one way to print */
#include "base/json.h"

#include "base/str.h"
#include "base/time.h"

#include <string.h>

const char *berth_json_string(const json_t *object, const char *key, const char *otherwise)
{
	const json_t *member = json_object_get(object, key);

	return json_is_string(member) ? json_string_value(member) : otherwise;
}

int64_t berth_json_int(const json_t *object, const char *key, int64_t otherwise)
{
	const json_t *member = json_object_get(object, key);

	return json_is_integer(member) ? json_integer_value(member) : otherwise;
}

bool berth_json_bool(const json_t *object, const char *key, bool otherwise)
{
	const json_t *member = json_object_get(object, key);

	return json_is_boolean(member) ? json_is_true(member) : otherwise;
}

json_t *berth_json_text(const char *bytes)
{
	struct berth_str clean = { 0 };
	json_t *json = NULL;
	size_t len = strlen(bytes);

	while (len > 0) {
		size_t n = berth_str_utf8_len(bytes, len);

		if (n > 0) {
			berth_str_add_bytes(&clean, bytes, n);
		} else {
			berth_str_add(&clean, "\xef\xbf\xbd");
			n = 1;
		}
		bytes += n;
		len -= n;
	}
	if (berth_str_text(&clean))
		json = json_string(berth_str_text(&clean));
	berth_str_deinit(&clean);
	return json;
}

json_t *berth_json_text_or_null(const char *bytes)
{
	return bytes && *bytes ? berth_json_text(bytes) : json_null();
}

json_t *berth_json_time(int64_t ms)
{
	char buf[BERTH_TIME_RFC3339_SIZE];

	return ms ? json_string(berth_time_format(ms, buf)) : json_null();
}

json_t *berth_json_pid(pid_t pid)
{
	return pid > 0 ? json_integer(pid) : json_null();
}

json_t *berth_json_parse(const char *text, size_t len)
{
	return json_loadb(text, len, JSON_REJECT_DUPLICATES, NULL);
}

char *berth_json_line(const json_t *json)
{
	return json_dumps(json, JSON_COMPACT | JSON_ENCODE_ANY);
}

const char **berth_json_strings(const json_t *array)
{
	const char **strings = calloc(json_array_size(array) + 1, sizeof(*strings));
	const json_t *item;
	size_t i;

	json_array_foreach (array, i, item)
		if (strings && !(strings[i] = json_string_value(item))) {
			free(strings);
			return NULL;
		}
	return strings;
}

bool berth_json_has(const json_t *array, const json_t *wanted)
{
	const json_t *item;
	size_t i;

	json_array_foreach (array, i, item)
		if (item == wanted)
			return true;
	return false;
}

bool berth_json_has_same(const json_t *a, const json_t *b, const char *key)
{
	const json_t *one = json_object_get(a, key), *other = json_object_get(b, key);

	return one == other || json_equal(one, other);
}
