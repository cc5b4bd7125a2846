/* SPDX-License-Identifier: MIT */
/* base/yaml.h - YAML as a tree of strings that know their places (libfyaml) */
#pragma once

#include "base/faults.h"

#include <stdbool.h>

enum berth_yaml_kind {
	BERTH_YAML_SCALAR,
	BERTH_YAML_LIST,
	BERTH_YAML_MAP,
};

/*
 * Nothing is typed: `no`, `22:22` and `3.10` are the strings that stand there. Aliases and merge
 * keys are resolved.
 */
struct berth_yaml_node {
	enum berth_yaml_kind kind;
	struct berth_mark at;
	char *text; /* of a scalar; "" for an empty one */
	bool plain; /* written without quotes: nothing, `~` and `null` then stand for none */
	char *key; /* in a map */
	struct berth_mark key_at;
	struct berth_yaml_node *items; /* of a list or a map, in the file's order */
	size_t count;
};

/*
 * Exactly one document of at most 1 MiB; UTF-8. Refused with a fault at its place: what YAML does
 * not allow, a key that comes twice, keys that are no scalars, a second document, NUL bytes, more
 * than 64 levels, more than 100,000 nodes after aliases are resolved. 0 with a tree (NULL for an
 * empty file) that the caller frees; -EINVAL with @faults; -ENOMEM.
 */
BERTH_MUST_USE int berth_yaml_parse(const char *text, size_t len, struct berth_faults *faults,
				    struct berth_yaml_node **ret_root);
void berth_yaml_free(struct berth_yaml_node *root);
BERTH_DEFINE_CLEANUP(struct berth_yaml_node *, berth_yaml_free)

/* The value of @key in a map; NULL: none, or no map. */
const struct berth_yaml_node *berth_yaml_get(const struct berth_yaml_node *map, const char *key);
/* Nothing, `~` or `null`, without quotes. NULL is null too. */
bool berth_yaml_is_null(const struct berth_yaml_node *node);
