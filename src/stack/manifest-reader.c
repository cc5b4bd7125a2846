/* SPDX-License-Identifier: MIT */
/* stack/manifest-reader.c - what the parts of reading a berth.yaml share: faults, places, names to be looked up */
#include "stack/manifest-reader.h"

#include <errno.h>
#include <string.h>

#include "base/str.h"

void berth_manifest_reader_deinit(struct berth_manifest_reader *reader)
{
	free(reader->places);
	free(reader->uses);
	free(reader->references);
}

struct berth_manifest_service *berth_manifest_reader_service(
	const struct berth_manifest_reader *reader)
{
	return &reader->manifest->services[reader->service];
}

static size_t row_of(const char *name)
{
	return (size_t)(berth_manifest_keys_find(BERTH_MANIFEST_LEVEL_SERVICE, name) -
			berth_manifest_keys(BERTH_MANIFEST_LEVEL_SERVICE));
}

bool berth_manifest_reader_has(const struct berth_manifest_reader *reader, size_t index,
			       const char *key)
{
	return reader->places[index].keys[row_of(key)].line > 0;
}

struct berth_mark berth_manifest_reader_place(const struct berth_manifest_reader *reader,
					      size_t index, const char *key)
{
	if (berth_manifest_reader_has(reader, index, key))
		return reader->places[index].values[row_of(key)];
	return reader->manifest->services[index].at;
}

/* {port} without quotes is a map with a key and no value. */
static bool is_bare_brace(const struct berth_yaml_node *node)
{
	return node->kind == BERTH_YAML_MAP && node->count == 1 &&
	       berth_yaml_is_null(&node->items[0]) && node->items[0].at.line == node->at.line &&
	       node->items[0].key_at.column == node->at.column + 1;
}

void berth_manifest_reader_refuse(struct berth_manifest_reader *reader,
				  const struct berth_manifest_key *key,
				  const struct berth_yaml_node *node, const char *what)
{
	if (berth_yaml_is_null(node)) {
		berth_faults_add(reader->faults, node->at, "'%s' has no value", key->name);
		berth_faults_hint(reader->faults, "it takes %s", what);
		return;
	}
	if (node->kind == BERTH_YAML_SCALAR) {
		berth_faults_add(reader->faults, node->at, "'%s' takes %s, not '%.60s'", key->name,
				 what, node->text);
		if (key->hint)
			berth_faults_hint(reader->faults, "%s", key->hint);
		return;
	}
	berth_faults_add(reader->faults, node->at, "'%s' takes %s, not a %s", key->name, what,
			 node->kind == BERTH_YAML_LIST ? "list" : "map");
	if (is_bare_brace(node))
		berth_faults_hint(reader->faults, "quote it: \"{%s}\"", node->items[0].key);
	else if (key->hint)
		berth_faults_hint(reader->faults, "%s", key->hint);
}

const char *berth_manifest_reader_text(struct berth_manifest_reader *reader,
				       const struct berth_manifest_key *key,
				       const struct berth_yaml_node *node, const char *what)
{
	if (node->kind == BERTH_YAML_SCALAR && !berth_yaml_is_null(node) && *node->text)
		return node->text;
	berth_manifest_reader_refuse(reader, key, node, what);
	return NULL;
}

int berth_manifest_reader_item(struct berth_manifest_reader *reader,
			       const struct berth_manifest_key *key,
			       const struct berth_yaml_node *node, size_t index, const char *what,
			       const struct berth_yaml_node **ret_item)
{
	const struct berth_yaml_node *item = node;

	if (node->kind == BERTH_YAML_LIST) {
		if (index >= node->count)
			return 0;
		item = &node->items[index];
	} else if (index > 0) {
		return 0;
	}
	if (!berth_manifest_reader_text(reader, key, item, what))
		return 0;
	*ret_item = item;
	return 1;
}

int berth_manifest_reader_expand(struct berth_manifest_reader *reader, struct berth_yaml_node *node,
				 bool template)
{
	struct berth_interpolate_source source = { 0 };
	struct berth_err err = { 0 };
	char *text;
	int r;

	for (size_t i = 0; i < node->count; i++) {
		r = berth_manifest_reader_expand(reader, &node->items[i], template);
		if (r < 0)
			return r;
	}
	if (node->kind != BERTH_YAML_SCALAR || !strchr(node->text, '$'))
		return 0;
	if (reader->source)
		source = *reader->source;
	source.literal = template;
	r = berth_interpolate(node->text, reader->source ? &source : NULL, &text, &err);
	if (r == -ENOMEM)
		return r;
	if (r < 0) {
		berth_faults_add(reader->faults, node->at, "%s", err.msg);
		berth_faults_hint(reader->faults, "%s", err.hint);
		return 0;
	}
	free(node->text);
	node->text = text;
	node->plain = false;
	return 0;
}

int berth_manifest_reader_use(struct berth_manifest_reader *reader, const char *text,
			      struct berth_mark at)
{
	if (!strchr(text, '{'))
		return 0;
	if (reader->use_count == reader->use_size) {
		size_t size = reader->use_size ? 2 * reader->use_size : 16;
		void *uses = reallocarray(reader->uses, size, sizeof(*reader->uses));

		if (!uses)
			return -ENOMEM;
		reader->uses = uses;
		reader->use_size = size;
	}
	reader->uses[reader->use_count++] = (struct berth_manifest_use){
		.service = reader->service,
		.text = text,
		.at = at,
	};
	return 0;
}

int berth_manifest_reader_refer(struct berth_manifest_reader *reader,
				const struct berth_manifest_reference *reference)
{
	if (reader->reference_count == reader->reference_size) {
		size_t size = reader->reference_size ? 2 * reader->reference_size : 16;
		void *references =
			reallocarray(reader->references, size, sizeof(*reader->references));

		if (!references)
			return -ENOMEM;
		reader->references = references;
		reader->reference_size = size;
	}
	reader->references[reader->reference_count++] = *reference;
	return 0;
}

int berth_manifest_reader_append(char ***words, size_t count, const char *text)
{
	char **grown = reallocarray(*words, count + 2, sizeof(*grown));

	if (!grown)
		return -ENOMEM;
	*words = grown;
	grown[count] = strdup(text);
	grown[count + 1] = NULL;
	return grown[count] ? 0 : -ENOMEM;
}
