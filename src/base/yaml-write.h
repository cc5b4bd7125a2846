/* SPDX-License-Identifier: MIT */
/* base/yaml-write.h - a tree of values as YAML */
#pragma once

#include "base/json.h"
#include "base/str.h"

/*
 * Maps in block style, @depth levels in; lists of scalars on one line; texts in double quotes unless
 * every reader of YAML takes them for a text without. An empty map is {}, null a key without a value.
 */
void berth_yaml_write(const json_t *map, unsigned int depth, struct berth_str *out);
/* One text, in quotes where it needs them; it must be UTF-8. */
void berth_yaml_write_text(const char *text, struct berth_str *out);
