/* SPDX-License-Identifier: MIT */
/* stack/manifest-keys.h - every key of berth.yaml: its name, what it takes, where that goes */
/*
 * One table for each level. It drives the reading (manifest-value.h), the closest word for one that
 * is not there, the printing (manifest-json.h), and it is what the JSON Schema for editors is held
 * against by a test.
 */
#pragma once

#include "stack/manifest.h"

/* What the keys of a map stand in. Outputs: @TOP a manifest, @PROFILE a profile, the others a service. */
#define BERTH_MANIFEST_LEVELS(X) \
	X(TOP, "the file") \
	X(SERVICE, "a service") \
	X(HEALTHCHECK, "'healthcheck'") \
	X(PROBE, "'probe'") \
	X(LOG, "'log'") \
	X(CORS, "'cors'") \
	X(DEPENDENCY, "a dependency") \
	X(PROFILE, "a profile")

enum berth_manifest_level {
#define X(id, what) BERTH_MANIFEST_LEVEL_##id,
	BERTH_MANIFEST_LEVELS(X)
#undef X
	BERTH_MANIFEST_LEVEL_COUNT_,
};

/*
 * What a key takes, and so how it is read, checked and printed; the type of the member at `offset`.
 * Those of two lines have forms of their own.
 */
enum berth_manifest_type {
	BERTH_MANIFEST_T_END, /* closes a table */
	BERTH_MANIFEST_T_REFUSED, /* somebody's key, but not ours: `hint` says what to write instead */
	BERTH_MANIFEST_T_FLAG, /* bool */
	BERTH_MANIFEST_T_COUNT, /* unsigned int within min and max */
	BERTH_MANIFEST_T_U16, /* uint16_t within min and max */
	BERTH_MANIFEST_T_MS, /* int64_t: a duration within min and max (ms); a number alone: seconds */
	BERTH_MANIFEST_T_NS, /* the same, kept in ns */
	BERTH_MANIFEST_T_SIZE, /* int64_t bytes, at least min */
	BERTH_MANIFEST_T_WORD, /* an enum: `base` + index in `words` */
	BERTH_MANIFEST_T_SIGNAL, /* int */
	BERTH_MANIFEST_T_RANGE, /* struct berth_range */
	BERTH_MANIFEST_T_TEXT, /* char *, not empty */
	BERTH_MANIFEST_T_TEXTS, /* char **: a text or a list of texts */
	BERTH_MANIFEST_T_NAME, /* char[BERTH_NAME_MAX] */
	BERTH_MANIFEST_T_NAMES, /* char **: a list of names */

	/* Into the service; without an offset. */
	BERTH_MANIFEST_T_COMMAND, /* struct berth_manifest_command: a text, or a list of words */
	BERTH_MANIFEST_T_ENVIRONMENT, /* a map, or a list of NAME=VALUE */
	BERTH_MANIFEST_T_DEPENDS, /* a list of services, or a map with conditions */
	BERTH_MANIFEST_T_CONDITION, /* of one; also Compose's words */
	BERTH_MANIFEST_T_PORT, /* a number, a list of them, or none */
	BERTH_MANIFEST_T_PORTS, /* a map from names to those */
	BERTH_MANIFEST_T_SKIP, /* numbers and ranges: a text or a list */
	BERTH_MANIFEST_T_SCHEME, /* of a URL */
	BERTH_MANIFEST_T_LINKS, /* a map from names to paths */
	BERTH_MANIFEST_T_CORS, /* a list of origins, or a map */
	BERTH_MANIFEST_T_ORIGINS, /* that list */
	BERTH_MANIFEST_T_VARIABLE, /* char *: a name for a variable of the environment */
	BERTH_MANIFEST_T_READY, /* "http /healthz" */
	BERTH_MANIFEST_T_LIVE,
	BERTH_MANIFEST_T_TEST, /* Compose's healthcheck: what READY is */
	BERTH_MANIFEST_T_DISABLE, /* the same: none */
	BERTH_MANIFEST_T_IGNORED, /* a duration that changes nothing here */
	BERTH_MANIFEST_T_RESTART, /* the policy, with :N for the limit */
	BERTH_MANIFEST_T_LIMIT, /* N/TIME or none */
	BERTH_MANIFEST_T_MAP, /* the keys of `level` */
	BERTH_MANIFEST_T_SERVICES, /* a map from names to maps of keys */
	BERTH_MANIFEST_T_PROFILES,
	BERTH_MANIFEST_T_COUNT_,
};

struct berth_manifest_key {
	const char *name;
	enum berth_manifest_type type;
	size_t offset;
	int64_t min, max; /* max 0: no bound */
	const char *const *words; /* NULL-terminated */
	unsigned int base;
	enum berth_manifest_level level; /* of a map */
	const char *hint; /* of what is refused; how else to write it, for other types */
	bool shell; /* as a single text it goes to a shell, whose ${NAME} are its own */
	bool twin; /* another key says the same, and is the one that is printed */
};

/* The table of @level; it ends with { 0 }. */
const struct berth_manifest_key *berth_manifest_keys(enum berth_manifest_level level);
/* The row of @name, NULL: none. */
const struct berth_manifest_key *berth_manifest_keys_find(enum berth_manifest_level level,
							  const char *name);
/* The key that @name most likely means; NULL: none. */
const char *berth_manifest_keys_closest(enum berth_manifest_level level, const char *name);
/* "a service" */
const char *berth_manifest_keys_of(enum berth_manifest_level level);
/* Does @level have keys of the user's own, which are passed over (x-...)? */
bool berth_manifest_keys_allows_own(enum berth_manifest_level level, const char *name);
