/* SPDX-License-Identifier: MIT */
/* fuzz/fuzz-yaml.c - YAML of any bytes: a tree that can be written and read again, or a fault with its place */
#include "fuzz.h"

#include <errno.h>

#include "base/yaml-write.h"
#include "base/yaml.h"

enum {
	NODES_MAX = 100000
};

static json_t *json_of(const struct berth_yaml_node *node)
{
	json_t *value;

	if (node->kind == BERTH_YAML_SCALAR)
		return berth_json_text(node->text);
	value = node->kind == BERTH_YAML_MAP ? json_object() : json_array();
	for (size_t i = 0; i < node->count; i++) {
		if (node->kind == BERTH_YAML_MAP)
			json_object_set_new(value, node->items[i].key, json_of(&node->items[i]));
		else
			json_array_append_new(value, json_of(&node->items[i]));
	}
	return value;
}

/* Every place is in the text; lists hold scalars only where @flat is to stay true. */
static size_t check(const struct berth_yaml_node *node, unsigned int lines, int depth, bool *flat)
{
	size_t count = 1;

	MUST(depth <= 64 && node->at.line >= 1 && node->at.line <= lines && node->at.column >= 1);
	MUST((node->kind == BERTH_YAML_SCALAR) == (node->text != NULL));
	MUST(node->kind != BERTH_YAML_SCALAR || node->count == 0);
	for (size_t i = 0; i < node->count; i++) {
		MUST((node->kind == BERTH_YAML_MAP) == (node->items[i].key != NULL));
		if (node->kind == BERTH_YAML_MAP)
			MUST(node->items[i].key_at.line <= lines);
		else if (node->items[i].kind != BERTH_YAML_SCALAR)
			*flat = false;
		count += check(&node->items[i], lines, depth + 1, flat);
	}
	return count;
}

static void write_and_read(const struct berth_yaml_node *root)
{
	BERTH_CLEANUP(berth_yaml_freep) struct berth_yaml_node *again = NULL;
	BERTH_CLEANUP(berth_str_deinit) struct berth_str text = { 0 };
	BERTH_AUTO_JSON json_t *first = json_of(root);
	BERTH_AUTO_JSON json_t *second = NULL;
	struct berth_faults faults = { 0 };

	berth_yaml_write(first, 0, &text);
	MUST(!text.failed);
	if (text.len > 1024 * 1024)
		return;
	MUST(berth_yaml_parse(text.text ? text.text : "", text.len, &faults, &again) == 0);
	if (!again) {
		MUST(json_object_size(first) == 0);
		return;
	}
	second = json_of(again);
	MUST(json_equal(first, second));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	BERTH_CLEANUP(berth_yaml_freep) struct berth_yaml_node *root = NULL;
	BERTH_CLEANUP(berth_faults_deinit) struct berth_faults faults = { 0 };
	BERTH_CLEANUP(berth_str_deinit) struct berth_str shown = { 0 };
	const char *text = (const char *)data;
	unsigned int lines = 1;
	bool flat = true;

	for (size_t i = 0; i < size; i++)
		lines += text[i] == '\n';
	if (berth_yaml_parse(text, size, &faults, &root) < 0) {
		MUST(!root && faults.count > 0);
		for (size_t i = 0; i < faults.count; i++)
			MUST(faults.items[i].at.line <= lines && *faults.items[i].text);
		berth_faults_sort(&faults);
		berth_faults_format(&faults, "f", text, size, &shown);
		MUST(!shown.failed && shown.len > 0);
		for (size_t i = 0; i < shown.len; i++)
			MUST((unsigned char)shown.text[i] >= ' ' || shown.text[i] == '\n');
		return 0;
	}
	if (!root)
		return 0;
	MUST(check(root, lines, 0, &flat) <= NODES_MAX);
	if (root->kind == BERTH_YAML_MAP && flat)
		write_and_read(root);
	return 0;
}
