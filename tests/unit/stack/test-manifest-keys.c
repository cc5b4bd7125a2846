/* SPDX-License-Identifier: MIT */
/* unit/stack/test-manifest-keys.c - the tables of keys, and the schema for editors beside them */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/json.h"
#include "stack/manifest-keys.h"

/* Where the schema has the keys of each level. */
static const char *const definitions[] = {
	[BERTH_MANIFEST_LEVEL_TOP] = NULL,
	[BERTH_MANIFEST_LEVEL_SERVICE] = "service",
	[BERTH_MANIFEST_LEVEL_HEALTHCHECK] = "healthcheck",
	[BERTH_MANIFEST_LEVEL_PROBE] = "probe",
	[BERTH_MANIFEST_LEVEL_LOG] = "log",
	[BERTH_MANIFEST_LEVEL_CORS] = "cors",
	[BERTH_MANIFEST_LEVEL_DEPENDENCY] = "dependency",
	[BERTH_MANIFEST_LEVEL_PROFILE] = "profile",
};

static json_t *load_schema(void)
{
	char path[4096];
	json_error_t error;
	json_t *schema;

	snprintf(path, sizeof(path), "%s/share/schemas/berth-yaml.schema.json",
		 getenv("BERTH_SOURCE"));
	schema = json_load_file(path, JSON_REJECT_DUPLICATES, &error);
	if (!schema)
		fail_msg("%s:%d: %s", path, error.line, error.text);
	return schema;
}

static const json_t *level_of(const json_t *schema, enum berth_manifest_level level)
{
	if (!definitions[level])
		return schema;
	return json_object_get(json_object_get(schema, "$defs"), definitions[level]);
}

/* What @value comes to: a reference followed, and of a choice the first. */
static const json_t *resolve(const json_t *schema, const json_t *value)
{
	const char *reference = berth_json_string(value, "$ref", NULL);
	const json_t *choices = json_object_get(value, "anyOf");

	if (reference)
		return resolve(schema, json_object_get(json_object_get(schema, "$defs"),
						       strrchr(reference, '/') + 1));
	return choices ? resolve(schema, json_array_get(choices, 0)) : value;
}

static void assert_known(const struct berth_manifest_key *key, const json_t *property,
			 const json_t *resolved)
{
	if (!property)
		fail_msg("the schema lacks '%s'", key->name);
	if (key->type == BERTH_MANIFEST_T_COUNT || key->type == BERTH_MANIFEST_T_U16) {
		assert_int_equal(berth_json_int(resolved, "minimum", -1), key->min);
		assert_int_equal(berth_json_int(resolved, "maximum", -1), key->max);
	}
	if (key->type == BERTH_MANIFEST_T_FLAG)
		assert_string_equal(berth_json_string(resolved, "type", ""), "boolean");
	if (key->type == BERTH_MANIFEST_T_WORD) {
		const json_t *words = json_object_get(resolved, "enum");

		for (size_t i = 0; key->words[i] || json_array_get(words, i); i++)
			assert_string_equal(json_string_value(json_array_get(words, i)),
					    key->words[i]);
	}
	if (key->type == BERTH_MANIFEST_T_MAP)
		assert_false(json_is_true(json_object_get(resolved, "additionalProperties")));
}

static void the_schema_has_every_key_and_no_other(void **state)
{
	BERTH_AUTO_JSON json_t *schema = load_schema();

	for (int level = 0; level < BERTH_MANIFEST_LEVEL_COUNT_; level++) {
		const json_t *properties = json_object_get(
			level_of(schema, (enum berth_manifest_level)level), "properties");
		const char *name;
		json_t *property;
		size_t keys = 0;

		for (const struct berth_manifest_key *key =
			     berth_manifest_keys((enum berth_manifest_level)level);
		     key->name; key++) {
			if (key->type == BERTH_MANIFEST_T_REFUSED)
				continue;
			keys++;
			property = json_object_get(properties, key->name);
			assert_known(key, property, resolve(schema, property));
		}
		json_object_foreach ((json_t *)(uintptr_t)properties, name, property) {
			const struct berth_manifest_key *key =
				berth_manifest_keys_find((enum berth_manifest_level)level, name);

			if (!key || key->type == BERTH_MANIFEST_T_REFUSED)
				fail_msg("the schema has '%s', which is no key", name);
		}
		assert_int_equal(json_object_size(properties), keys);
	}
}

static void editors_refuse_what_berth_does_not_know(void **state)
{
	BERTH_AUTO_JSON json_t *schema = load_schema();

	for (int level = 0; level < BERTH_MANIFEST_LEVEL_COUNT_; level++) {
		const json_t *object = level_of(schema, (enum berth_manifest_level)level);
		bool own = berth_manifest_keys_allows_own((enum berth_manifest_level)level, "x-a");

		assert_true(json_is_false(json_object_get(object, "additionalProperties")));
		assert_int_equal(json_object_get(object, "patternProperties") != NULL, own);
	}
}

static void a_key_is_there_once(void **state)
{
	for (int level = 0; level < BERTH_MANIFEST_LEVEL_COUNT_; level++) {
		for (const struct berth_manifest_key *key =
			     berth_manifest_keys((enum berth_manifest_level)level);
		     key->name; key++) {
			assert_ptr_equal(berth_manifest_keys_find((enum berth_manifest_level)level,
								  key->name),
					 key);
			if (key->type == BERTH_MANIFEST_T_REFUSED)
				assert_non_null(key->hint);
		}
	}
}

static void the_closest_word_is_never_one_that_is_refused(void **state)
{
	static const struct {
		enum berth_manifest_level level;
		const char *name, *closest;
	} rows[] = {
		{ BERTH_MANIFEST_LEVEL_SERVICE, "prot", "port" },
		{ BERTH_MANIFEST_LEVEL_SERVICE, "comand", "command" },
		{ BERTH_MANIFEST_LEVEL_SERVICE, "depend_on", "depends_on" },
		{ BERTH_MANIFEST_LEVEL_SERVICE, "imagee", NULL },
		{ BERTH_MANIFEST_LEVEL_TOP, "servces", "services" },
		{ BERTH_MANIFEST_LEVEL_LOG, "fils", "files" },
		{ BERTH_MANIFEST_LEVEL_PROBE, "xyz", NULL },
	};

	for (size_t i = 0; i < BERTH_ARRAY_SIZE(rows); i++) {
		const char *closest = berth_manifest_keys_closest(rows[i].level, rows[i].name);

		assert_int_equal(closest != NULL, rows[i].closest != NULL);
		if (closest)
			assert_string_equal(closest, rows[i].closest);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_schema_has_every_key_and_no_other),
		cmocka_unit_test(editors_refuse_what_berth_does_not_know),
		cmocka_unit_test(a_key_is_there_once),
		cmocka_unit_test(the_closest_word_is_never_one_that_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
