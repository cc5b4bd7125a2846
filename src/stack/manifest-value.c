/* SPDX-License-Identifier: MIT */
/* stack/manifest-value.c - a map of berth.yaml by its table, and what is a word or a number */
#include "stack/manifest-value.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/parse.h"
#include "base/str.h"
#include "base/time.h"
#include "base/value.h"

int berth_manifest_value_flag(struct berth_manifest_reader *reader,
			      const struct berth_manifest_key *key, struct berth_yaml_node *node,
			      void *into)
{
	static const struct {
		const char *word;
		bool value;
	} words[] = { { "true", true }, { "false", false }, { "yes", true }, { "no", false } };
	const char *text = berth_manifest_reader_text(reader, key, node, "true or false");

	for (size_t i = 0; text && i < BERTH_ARRAY_SIZE(words); i++) {
		if (!strcmp(text, words[i].word)) {
			*(bool *)into = words[i].value;
			return 0;
		}
	}
	if (text)
		berth_manifest_reader_refuse(reader, key, node, "true or false");
	return 0;
}

/* A whole number within the bounds of @key; false: a fault was added. */
static bool number_of(struct berth_manifest_reader *reader, const struct berth_manifest_key *key,
		      const struct berth_yaml_node *node, uint64_t *ret_value)
{
	char what[64];
	const char *text;
	uint64_t value;

	snprintf(what, sizeof(what), "a number from %lld to %lld", (long long)key->min,
		 (long long)key->max);
	text = berth_manifest_reader_text(reader, key, node, what);
	if (!text)
		return false;
	if (berth_parse_u64(text, (uint64_t)key->max, &value) == 0 && value >= (uint64_t)key->min) {
		*ret_value = value;
		return true;
	}
	berth_manifest_reader_refuse(reader, key, node, what);
	return false;
}

static int read_count(struct berth_manifest_reader *reader, const struct berth_manifest_key *key,
		      struct berth_yaml_node *node, void *into)
{
	uint64_t value;

	if (number_of(reader, key, node, &value))
		*(unsigned int *)into = (unsigned int)value;
	return 0;
}

static int read_u16(struct berth_manifest_reader *reader, const struct berth_manifest_key *key,
		    struct berth_yaml_node *node, void *into)
{
	uint64_t value;

	if (number_of(reader, key, node, &value))
		*(uint16_t *)into = (uint16_t)value;
	return 0;
}

static bool duration_of(struct berth_manifest_reader *reader, const struct berth_manifest_key *key,
			const struct berth_yaml_node *node, int64_t *ret_ms)
{
	static const char what[] = "a time such as 500ms, 30s or 2h";
	const char *text = berth_manifest_reader_text(reader, key, node, what);
	char bound[32], least[80];
	int64_t ms;

	if (!text)
		return false;
	if (berth_parse_duration(text, 1000, &ms) < 0) {
		berth_manifest_reader_refuse(reader, key, node, what);
		return false;
	}
	if (ms < key->min) {
		snprintf(least, sizeof(least), "a time of at least %s",
			 berth_value_format_duration(key->min, bound));
		berth_manifest_reader_refuse(reader, key, node, least);
		return false;
	}
	*ret_ms = ms;
	return true;
}

static int read_ms(struct berth_manifest_reader *reader, const struct berth_manifest_key *key,
		   struct berth_yaml_node *node, void *into)
{
	int64_t ms;

	if (duration_of(reader, key, node, &ms))
		*(int64_t *)into = ms;
	return 0;
}

static int read_ns(struct berth_manifest_reader *reader, const struct berth_manifest_key *key,
		   struct berth_yaml_node *node, void *into)
{
	int64_t ms;

	if (duration_of(reader, key, node, &ms))
		*(int64_t *)into = ms * BERTH_NS_PER_MS;
	return 0;
}

static int read_ignored(struct berth_manifest_reader *reader, const struct berth_manifest_key *key,
			struct berth_yaml_node *node, void *into)
{
	int64_t ms;

	(void)into;
	(void)duration_of(reader, key, node, &ms);
	return 0;
}

static int read_size(struct berth_manifest_reader *reader, const struct berth_manifest_key *key,
		     struct berth_yaml_node *node, void *into)
{
	static const char what[] = "a size such as 512k or 10M";
	const char *text = berth_manifest_reader_text(reader, key, node, what);
	char bound[32], least[80];
	int64_t bytes;

	if (!text)
		return 0;
	if (berth_value_size(text, &bytes) < 0) {
		berth_manifest_reader_refuse(reader, key, node, what);
	} else if (bytes < key->min) {
		snprintf(least, sizeof(least), "a size of at least %s",
			 berth_value_format_size(key->min, bound));
		berth_manifest_reader_refuse(reader, key, node, least);
	} else {
		*(int64_t *)into = bytes;
	}
	return 0;
}

static void hint_closest(struct berth_manifest_reader *reader, const char *text,
			 const char *const *words)
{
	const char *closest = berth_str_closest(text, words);

	if (closest)
		berth_faults_hint(reader->faults, "did you mean '%s'?", closest);
}

static int read_word(struct berth_manifest_reader *reader, const struct berth_manifest_key *key,
		     struct berth_yaml_node *node, void *into)
{
	BERTH_CLEANUP(berth_str_deinit) struct berth_str what = { 0 };
	const char *text;

	for (size_t i = 0; key->words[i]; i++)
		berth_str_addf(&what, "%s%s",
			       i == 0		   ? ""
			       : key->words[i + 1] ? ", "
						   : " or ",
			       key->words[i]);
	if (what.failed)
		return -ENOMEM;
	text = berth_manifest_reader_text(reader, key, node, what.text);
	if (!text)
		return 0;
	for (size_t i = 0; key->words[i]; i++) {
		if (!strcmp(key->words[i], text)) {
			*(unsigned int *)into = key->base + (unsigned int)i;
			return 0;
		}
	}
	berth_manifest_reader_refuse(reader, key, node, what.text);
	hint_closest(reader, text, key->words);
	return 0;
}

static int read_signal(struct berth_manifest_reader *reader, const struct berth_manifest_key *key,
		       struct berth_yaml_node *node, void *into)
{
	static const char what[] = "a signal such as TERM or SIGINT";
	const char *text = berth_manifest_reader_text(reader, key, node, what), *closest;

	if (!text || berth_value_signal(text, into) == 0)
		return 0;
	berth_manifest_reader_refuse(reader, key, node, what);
	closest = berth_value_closest_signal(text);
	if (closest)
		berth_faults_hint(reader->faults, "did you mean '%s'?", closest);
	return 0;
}

static int read_range(struct berth_manifest_reader *reader, const struct berth_manifest_key *key,
		      struct berth_yaml_node *node, void *into)
{
	static const char what[] = "a range of ports such as 9000-9099";
	const char *text = berth_manifest_reader_text(reader, key, node, what);

	if (text && berth_range_parse(text, into) < 0)
		berth_manifest_reader_refuse(reader, key, node, what);
	return 0;
}

static int replace_text(char **into, const char *text)
{
	char *copy = strdup(text);

	if (!copy)
		return -ENOMEM;
	free(*into);
	*into = copy;
	return 0;
}

static int read_text(struct berth_manifest_reader *reader, const struct berth_manifest_key *key,
		     struct berth_yaml_node *node, void *into)
{
	const char *text = berth_manifest_reader_text(reader, key, node, "a text");

	return text ? replace_text(into, text) : 0;
}

static int read_variable(struct berth_manifest_reader *reader, const struct berth_manifest_key *key,
			 struct berth_yaml_node *node, void *into)
{
	static const char what[] = "the name of a variable such as CORS_ORIGINS";
	const char *text = berth_manifest_reader_text(reader, key, node, what);

	if (!text)
		return 0;
	if (text[strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_0123456789")] ||
	    (*text >= '0' && *text <= '9')) {
		berth_manifest_reader_refuse(reader, key, node, what);
		return 0;
	}
	return replace_text(into, text);
}

static int read_texts(struct berth_manifest_reader *reader, const struct berth_manifest_key *key,
		      struct berth_yaml_node *node, void *into)
{
	const struct berth_yaml_node *item;

	for (size_t i = 0;
	     berth_manifest_reader_item(reader, key, node, i, "a text or a list of texts", &item);
	     i++) {
		if (berth_manifest_reader_append(into, i, item->text) < 0)
			return -ENOMEM;
	}
	return 0;
}

static bool check_name(struct berth_manifest_reader *reader, const struct berth_manifest_key *key,
		       const struct berth_yaml_node *node)
{
	char closest[BERTH_NAME_MAX];

	if (berth_name_is_valid(node->text))
		return true;
	berth_manifest_reader_refuse(reader, key, node, "a name such as shop or my-shop");
	berth_name_from(node->text, closest);
	berth_faults_hint(reader->faults, "did you mean '%s'?", closest);
	return false;
}

static int read_name(struct berth_manifest_reader *reader, const struct berth_manifest_key *key,
		     struct berth_yaml_node *node, void *into)
{
	if (berth_manifest_reader_text(reader, key, node, "a name such as shop or my-shop") &&
	    check_name(reader, key, node))
		berth_str_copy(into, BERTH_NAME_MAX, node->text);
	return 0;
}

static int read_names(struct berth_manifest_reader *reader, const struct berth_manifest_key *key,
		      struct berth_yaml_node *node, void *into)
{
	const struct berth_yaml_node *item;
	size_t count = 0;

	for (size_t i = 0;
	     berth_manifest_reader_item(reader, key, node, i, "a name or a list of names", &item);
	     i++) {
		if (!check_name(reader, key, item))
			continue;
		if (berth_manifest_reader_append(into, count++, item->text) < 0)
			return -ENOMEM;
	}
	return 0;
}

static int read_map(struct berth_manifest_reader *reader, const struct berth_manifest_key *key,
		    struct berth_yaml_node *node, void *into)
{
	if (node->kind != BERTH_YAML_MAP) {
		berth_manifest_reader_refuse(reader, key, node, "a map of keys");
		return 0;
	}
	/* Its keys are members of the same service. */
	return berth_manifest_value_map(reader, key->level, node, into);
}

static const struct berth_manifest_value_row rows[] = {
	{ BERTH_MANIFEST_T_FLAG, berth_manifest_value_flag },
	{ BERTH_MANIFEST_T_COUNT, read_count },
	{ BERTH_MANIFEST_T_U16, read_u16 },
	{ BERTH_MANIFEST_T_MS, read_ms },
	{ BERTH_MANIFEST_T_NS, read_ns },
	{ BERTH_MANIFEST_T_IGNORED, read_ignored },
	{ BERTH_MANIFEST_T_SIZE, read_size },
	{ BERTH_MANIFEST_T_WORD, read_word },
	{ BERTH_MANIFEST_T_SIGNAL, read_signal },
	{ BERTH_MANIFEST_T_RANGE, read_range },
	{ BERTH_MANIFEST_T_TEXT, read_text },
	{ BERTH_MANIFEST_T_VARIABLE, read_variable },
	{ BERTH_MANIFEST_T_TEXTS, read_texts },
	{ BERTH_MANIFEST_T_NAME, read_name },
	{ BERTH_MANIFEST_T_NAMES, read_names },
	{ BERTH_MANIFEST_T_MAP, read_map },
	{ 0 },
};

static const struct berth_manifest_value_row *find_row(enum berth_manifest_type type)
{
	static const struct berth_manifest_value_row *const tables[] = {
		rows,
		berth_manifest_value_ports,
		berth_manifest_value_forms,
		berth_manifest_value_probes,
		berth_manifest_value_services,
	};

	for (size_t i = 0; i < BERTH_ARRAY_SIZE(tables); i++) {
		for (const struct berth_manifest_value_row *row = tables[i]; row->read; row++) {
			if (row->type == type)
				return row;
		}
	}
	return NULL;
}

/* ${NAME} of a text for a shell is the shell's; a map's values are filled in with its own keys. */
static bool is_filled_in(const struct berth_manifest_key *key, const struct berth_yaml_node *node)
{
	if (key->type == BERTH_MANIFEST_T_MAP || key->type == BERTH_MANIFEST_T_SERVICES ||
	    key->type == BERTH_MANIFEST_T_PROFILES || key->type == BERTH_MANIFEST_T_ENVIRONMENT)
		return false;
	return !key->shell || node->kind != BERTH_YAML_SCALAR;
}

/* Are there {port} and its like in its values? */
static bool is_template(const struct berth_manifest_key *key)
{
	return key->shell || key->type == BERTH_MANIFEST_T_LINKS;
}

static void refuse_key(struct berth_manifest_reader *reader, enum berth_manifest_level level,
		       const struct berth_yaml_node *node, const struct berth_manifest_key *key)
{
	const char *closest = key ? NULL : berth_manifest_keys_closest(level, node->key);

	berth_faults_add(reader->faults, node->key_at, "'%.60s' is no key of %s", node->key,
			 berth_manifest_keys_of(level));
	if (key)
		berth_faults_hint(reader->faults, "%s", key->hint);
	else if (closest)
		berth_faults_hint(reader->faults, "did you mean '%s'?", closest);
	/* What was meant for a command need not be missed as well. */
	if (level == BERTH_MANIFEST_LEVEL_SERVICE &&
	    (key || (closest && !strcmp(closest, "command"))))
		reader->places[reader->service].has_image = true;
}

static int read_key(struct berth_manifest_reader *reader, enum berth_manifest_level level,
		    const struct berth_manifest_key *key, struct berth_yaml_node *node, char *into)
{
	const struct berth_manifest_value_row *row = find_row(key->type);
	size_t before;

	if (level == BERTH_MANIFEST_LEVEL_SERVICE) {
		struct berth_manifest_places *places = &reader->places[reader->service];
		size_t index = (size_t)(key - berth_manifest_keys(level));

		places->keys[index] = node->key_at;
		places->values[index] = node->at;
	}
	before = berth_faults_count(reader->faults);
	if (is_filled_in(key, node) &&
	    berth_manifest_reader_expand(reader, node, is_template(key)) < 0)
		return -ENOMEM;
	/* What could not be filled in is no value. */
	if (berth_faults_count(reader->faults) > before)
		return 0;
	return row->read(reader, key, node, into + key->offset);
}

int berth_manifest_value_map(struct berth_manifest_reader *reader, enum berth_manifest_level level,
			     struct berth_yaml_node *node, void *into)
{
	for (size_t i = 0; i < node->count; i++) {
		struct berth_yaml_node *item = &node->items[i];
		const struct berth_manifest_key *key = berth_manifest_keys_find(level, item->key);
		int r;

		if (berth_manifest_keys_allows_own(level, item->key))
			continue;
		if (!key || key->type == BERTH_MANIFEST_T_REFUSED) {
			refuse_key(reader, level, item, key);
			continue;
		}
		r = read_key(reader, level, key, item, into);
		if (r < 0)
			return r;
	}
	return 0;
}
