/* SPDX-License-Identifier: MIT */
/* base/yaml-tree.c - the tree of a YAML text while it is being built */
/*
 * Open lists and maps stand in frames, one a level, and are appended to the one around them when
 * they end: nothing recurses deeper than the deepest frame.
 *
 * What has an anchor is copied when it ends, and copied again by each alias. Every node, the copies
 * too, is counted before it is made, so that a file that multiplies itself is refused early. A map
 * that is merged (<<) waits in its frame until the end of the map: own keys win, then those of the
 * first.
 */
#include "base/yaml-tree.h"

#include <errno.h>
#include <string.h>

void berth_yaml_tree_node_deinit(struct berth_yaml_node *node)
{
	for (size_t i = 0; i < node->count; i++)
		berth_yaml_tree_node_deinit(&node->items[i]);
	free(node->items);
	free(node->text);
	free(node->key);
	*node = (struct berth_yaml_node){ 0 };
}

static void nodes_deinit(struct berth_yaml_nodes *nodes)
{
	for (size_t i = 0; i < nodes->count; i++)
		berth_yaml_tree_node_deinit(&nodes->items[i]);
	free(nodes->items);
	*nodes = (struct berth_yaml_nodes){ 0 };
}

static void frame_deinit(struct berth_yaml_frame *frame)
{
	berth_yaml_tree_node_deinit(&frame->node);
	nodes_deinit(&frame->nodes);
	nodes_deinit(&frame->merged);
	free(frame->anchor);
	free(frame->key);
	*frame = (struct berth_yaml_frame){ 0 };
}

void berth_yaml_tree_deinit(struct berth_yaml_tree *tree)
{
	if (!tree)
		return;
	while (tree->depth > 0)
		frame_deinit(&tree->frames[--tree->depth]);
	for (size_t k = 0; k < tree->anchor_count; k++) {
		free(tree->anchors[k].name);
		berth_yaml_tree_node_deinit(&tree->anchors[k].node);
	}
	tree->anchor_count = 0;
	berth_yaml_tree_node_deinit(&tree->root);
}

/* Takes what @node owns; on failure it is gone. */
static int nodes_add(struct berth_yaml_nodes *nodes, struct berth_yaml_node *node)
{
	if (nodes->count == nodes->size) {
		size_t size = nodes->size ? 2 * nodes->size : 4;
		void *items = reallocarray(nodes->items, size, sizeof(*nodes->items));

		if (!items) {
			berth_yaml_tree_node_deinit(node);
			return -ENOMEM;
		}
		nodes->items = items;
		nodes->size = size;
	}
	nodes->items[nodes->count++] = *node;
	*node = (struct berth_yaml_node){ 0 };
	return 0;
}

/* --- appending --------------------------------------------------------------------------------- */

/* One node more; false: a fault was added, nothing may follow. */
static bool count_node(struct berth_yaml_tree *tree, struct berth_mark at)
{
	if (tree->node_count++ < BERTH_YAML_TREE_NODES_MAX)
		return true;
	berth_faults_add(tree->faults, at, "more than %d values", BERTH_YAML_TREE_NODES_MAX);
	return false;
}

/* Deep, its key excepted; as deep as the original, which is bounded. */
static int copy_node(struct berth_yaml_tree *tree, const struct berth_yaml_node *from,
		     struct berth_mark at, struct berth_yaml_node *ret_node)
{
	struct berth_yaml_node node = { .kind = from->kind, .at = from->at, .plain = from->plain };
	int r = -ENOMEM;

	if (!count_node(tree, at))
		return -EINVAL;
	if (from->text && !(node.text = strdup(from->text)))
		return -ENOMEM;
	if (from->count > 0 && !(node.items = calloc(from->count, sizeof(*node.items))))
		goto fail;
	for (size_t i = 0; i < from->count; i++) {
		struct berth_yaml_node *item = &node.items[i];

		r = copy_node(tree, &from->items[i], at, item);
		if (r < 0)
			goto fail;
		node.count++;
		item->key_at = from->items[i].key_at;
		r = -ENOMEM;
		if (from->items[i].key && !(item->key = strdup(from->items[i].key)))
			goto fail;
	}
	*ret_node = node;
	return 0;
fail:
	berth_yaml_tree_node_deinit(&node);
	return r;
}

static unsigned int depth_of(const struct berth_yaml_node *node)
{
	unsigned int deepest = 0;

	for (size_t i = 0; i < node->count; i++) {
		unsigned int depth = depth_of(&node->items[i]);

		if (depth > deepest)
			deepest = depth;
	}
	return deepest + (node->kind != BERTH_YAML_SCALAR);
}

static struct berth_yaml_anchor *find_anchor(struct berth_yaml_tree *tree, const char *name)
{
	for (size_t i = 0; i < tree->anchor_count; i++) {
		if (!strcmp(tree->anchors[i].name, name))
			return &tree->anchors[i];
	}
	return NULL;
}

/* Remember @node under its anchor; the last one of a name counts. Takes @name. */
static int add_anchor(struct berth_yaml_tree *tree, char *name, const struct berth_yaml_node *node)
{
	BERTH_AUTO_FREE char *owned = name;
	struct berth_yaml_node copy;
	struct berth_yaml_anchor *anchor = find_anchor(tree, name);
	int r;

	if (!anchor && tree->anchor_count == BERTH_YAML_TREE_ANCHORS_MAX) {
		berth_faults_add(tree->faults, node->at, "more than %d anchors",
				 BERTH_YAML_TREE_ANCHORS_MAX);
		return -EINVAL;
	}
	r = copy_node(tree, node, node->at, &copy);
	if (r < 0)
		return r;
	if (anchor) {
		berth_yaml_tree_node_deinit(&anchor->node);
	} else {
		anchor = &tree->anchors[tree->anchor_count++];
		anchor->name = BERTH_STEAL(owned);
	}
	anchor->node = copy;
	return 0;
}

/* A value of <<: a map, or a list of maps. Takes what @node owns. */
static int add_merged(struct berth_yaml_tree *tree, struct berth_yaml_frame *frame,
		      struct berth_yaml_node *node)
{
	bool good = node->kind == BERTH_YAML_MAP;
	int r = 0;

	if (node->kind == BERTH_YAML_LIST) {
		good = true;
		for (size_t i = 0; i < node->count; i++)
			good = good && node->items[i].kind == BERTH_YAML_MAP;
	}
	if (frame->merged_at.line > 0)
		berth_faults_add(tree->faults, frame->key_at,
				 "the key '<<' comes twice; one may have a list");
	else if (!good)
		berth_faults_add(tree->faults, node->at,
				 "what is merged is a map or a list of maps");
	else if (node->kind == BERTH_YAML_MAP)
		r = nodes_add(&frame->merged, node);
	else
		for (size_t i = 0; i < node->count && r == 0; i++)
			r = nodes_add(&frame->merged, &node->items[i]);
	frame->merged_at = frame->key_at;
	berth_yaml_tree_node_deinit(node);
	return r;
}

/* Into the list or map that is open, or as the root. Takes what @node owns. */
static int add_node(struct berth_yaml_tree *tree, struct berth_yaml_node *node)
{
	struct berth_yaml_frame *frame = tree->depth ? &tree->frames[tree->depth - 1] : NULL;

	if (!frame) {
		berth_yaml_tree_node_deinit(&tree->root);
		tree->root = *node;
		tree->has_root = true;
		return 0;
	}
	if (frame->node.at.len == 0 && frame->nodes.count == 0)
		frame->node.at.len = frame->has_key ? frame->key_at.len : node->at.len;
	if (!frame->has_key) {
		return nodes_add(&frame->nodes, node);
	}
	frame->has_key = false;
	if (frame->is_merge)
		return add_merged(tree, frame, node);
	node->key = BERTH_STEAL(frame->key);
	node->key_at = frame->key_at;
	return nodes_add(&frame->nodes, node);
}

/* --- the end of a map -------------------------------------------------------------------------- */

struct entry {
	struct berth_yaml_node *node;
	size_t index;
};

static int compare_entries(const void *left, const void *right)
{
	const struct entry *a = left, *b = right;
	int r = strcmp(a->node->key, b->node->key);

	return r ? r : (a->index > b->index) - (a->index < b->index);
}

/*
 * Of those with the same key the first stays. Own keys come first: two of those are a fault, one of
 * a merged map gives way.
 */
static int drop_doubles(struct berth_yaml_tree *tree, struct berth_yaml_nodes *nodes, size_t own)
{
	BERTH_AUTO_FREE struct entry *entries = calloc(nodes->count, sizeof(*entries));
	size_t kept = 0, first = 0;

	if (!entries)
		return -ENOMEM;
	for (size_t i = 0; i < nodes->count; i++)
		entries[i] = (struct entry){ &nodes->items[i], i };
	qsort(entries, nodes->count, sizeof(*entries), compare_entries);
	for (size_t i = 1; i < nodes->count; i++) {
		struct berth_yaml_node *node = entries[i].node;

		if (strcmp(entries[first].node->key, node->key) != 0) {
			first = i;
			continue;
		}
		if (entries[i].index < own)
			berth_faults_add(tree->faults, node->key_at,
					 "the key '%s' comes twice, first in line %u", node->key,
					 entries[first].node->key_at.line);
		berth_yaml_tree_node_deinit(node);
	}
	for (size_t i = 0; i < nodes->count; i++) {
		if (nodes->items[i].key)
			nodes->items[kept++] = nodes->items[i];
	}
	nodes->count = kept;
	return 0;
}

static int finish_map(struct berth_yaml_tree *tree, struct berth_yaml_frame *frame)
{
	size_t own = frame->nodes.count;
	int r = 0;

	for (size_t i = 0; i < frame->merged.count; i++) {
		struct berth_yaml_node *map = &frame->merged.items[i];

		for (size_t k = 0; k < map->count && r == 0; k++)
			r = nodes_add(&frame->nodes, &map->items[k]);
	}
	if (r == 0 && frame->nodes.count > 1)
		r = drop_doubles(tree, &frame->nodes, own);
	return r;
}

/* --- what comes -------------------------------------------------------------------------------- */

/* Is the next value a key? If it is no scalar then, that is a fault. */
static bool wants_key(const struct berth_yaml_tree *tree)
{
	const struct berth_yaml_frame *frame = tree->depth ? &tree->frames[tree->depth - 1] : NULL;

	return frame && frame->node.kind == BERTH_YAML_MAP && !frame->has_key;
}

static int refuse_key(struct berth_yaml_tree *tree, struct berth_mark at)
{
	berth_faults_add(tree->faults, at, "a key that is no word");
	berth_faults_hint(tree->faults, "quote a value that begins with a brace: \"{port}\"");
	return -EINVAL;
}

static int refuse_depth(struct berth_yaml_tree *tree, struct berth_mark at)
{
	berth_faults_add(tree->faults, at, "more than %d levels", BERTH_YAML_TREE_DEPTH_MAX);
	return -EINVAL;
}

/* Takes @text. */
static void set_key(struct berth_yaml_tree *tree, char *text, struct berth_mark at, bool plain)
{
	struct berth_yaml_frame *frame = &tree->frames[tree->depth - 1];

	free(frame->key);
	frame->key = text;
	frame->key_at = at;
	frame->has_key = true;
	frame->is_merge = plain && !strcmp(text, "<<");
}

int berth_yaml_tree_scalar(struct berth_yaml_tree *tree, struct berth_mark at, bool plain,
			   char *text, char *anchor)
{
	struct berth_yaml_node node = { .at = at, .plain = plain, .text = text };
	int r = 0;

	if (!count_node(tree, at)) {
		free(anchor);
		r = -EINVAL;
	} else if (anchor) {
		r = add_anchor(tree, anchor, &node);
	}
	if (r < 0) {
		berth_yaml_tree_node_deinit(&node);
		return r;
	}
	if (!wants_key(tree))
		return add_node(tree, &node);
	set_key(tree, text, at, plain);
	return 0;
}

int berth_yaml_tree_alias(struct berth_yaml_tree *tree, struct berth_mark at, const char *name)
{
	const struct berth_yaml_anchor *anchor = find_anchor(tree, name);
	struct berth_yaml_node node;
	int r;

	if (!anchor) {
		berth_faults_add(tree->faults, at, "nothing above has the anchor '&%s'", name);
		return -EINVAL;
	}
	if (tree->depth + depth_of(&anchor->node) > BERTH_YAML_TREE_DEPTH_MAX)
		return refuse_depth(tree, at);
	if (wants_key(tree) && anchor->node.kind != BERTH_YAML_SCALAR)
		return refuse_key(tree, at);
	r = copy_node(tree, &anchor->node, at, &node);
	if (r < 0)
		return r;
	if (!wants_key(tree))
		return add_node(tree, &node);
	set_key(tree, node.text, at, false);
	return 0;
}

int berth_yaml_tree_open(struct berth_yaml_tree *tree, enum berth_yaml_kind kind,
			 struct berth_mark at, char *anchor)
{
	BERTH_AUTO_FREE char *owned = anchor;

	if (wants_key(tree))
		return refuse_key(tree, at);
	if (tree->depth == BERTH_YAML_TREE_DEPTH_MAX)
		return refuse_depth(tree, at);
	if (!count_node(tree, at))
		return -EINVAL;
	tree->frames[tree->depth++] = (struct berth_yaml_frame){
		.node = { .kind = kind, .at = at },
		.anchor = BERTH_STEAL(owned),
		.is_flow = at.len > 0,
	};
	return 0;
}

int berth_yaml_tree_close(struct berth_yaml_tree *tree, struct berth_mark end)
{
	struct berth_yaml_frame frame = tree->frames[tree->depth - 1];
	struct berth_yaml_node node = frame.node;
	int r = 0;

	tree->frames[--tree->depth] = (struct berth_yaml_frame){ 0 };
	frame.node = (struct berth_yaml_node){ 0 };
	if (node.kind == BERTH_YAML_MAP)
		r = finish_map(tree, &frame);
	if (frame.is_flow && end.line == node.at.line && end.column >= node.at.column)
		node.at.len = end.column + 1 - node.at.column;
	node.items = BERTH_STEAL(frame.nodes.items);
	node.count = frame.nodes.count;
	frame.nodes = (struct berth_yaml_nodes){ 0 };
	if (r == 0 && frame.anchor)
		r = add_anchor(tree, BERTH_STEAL(frame.anchor), &node);
	frame_deinit(&frame);
	if (r < 0) {
		berth_yaml_tree_node_deinit(&node);
		return r;
	}
	return add_node(tree, &node);
}

unsigned int berth_yaml_tree_open_bracket(const struct berth_yaml_tree *tree)
{
	for (size_t i = tree->depth; i > 0; i--) {
		if (tree->frames[i - 1].is_flow)
			return tree->frames[i - 1].node.at.line;
	}
	return 0;
}
