/* SPDX-License-Identifier: MIT */
/* base/yaml-tree.h - the tree of a YAML text while it is being built */
#pragma once

#include "base/yaml.h"

enum {
	BERTH_YAML_TREE_DEPTH_MAX = 64,
	BERTH_YAML_TREE_NODES_MAX = 100000,
	BERTH_YAML_TREE_ANCHORS_MAX = 256,
};

struct berth_yaml_nodes {
	struct berth_yaml_node *items; /* owned */
	size_t count, size;
};

/* A list or a map that has not ended yet. */
struct berth_yaml_frame {
	struct berth_yaml_node node; /* its items are in `nodes` */
	struct berth_yaml_nodes nodes;
	struct berth_yaml_nodes merged; /* maps of << */
	struct berth_mark merged_at;
	char *anchor; /* owned; NULL: none */
	char *key; /* owned; of the value that comes next */
	struct berth_mark key_at;
	bool has_key;
	bool is_merge; /* that key is << */
	bool is_flow;
};

struct berth_yaml_anchor {
	char *name; /* owned */
	struct berth_yaml_node node;
};

/*
 * Zero, with `faults` set, is an empty one. All functions below: 0, -ENOMEM, or -EINVAL with a fault
 * after which nothing may follow. Some faults (a key that comes twice) are added on the way.
 */
struct berth_yaml_tree {
	struct berth_faults *faults; /* borrowed */
	struct berth_yaml_frame frames[BERTH_YAML_TREE_DEPTH_MAX];
	size_t depth;
	struct berth_yaml_node root;
	bool has_root;
	struct berth_yaml_anchor anchors[BERTH_YAML_TREE_ANCHORS_MAX];
	size_t anchor_count;
	size_t node_count;
};

/* What it owns, and what those below it do. */
void berth_yaml_tree_node_deinit(struct berth_yaml_node *node);
void berth_yaml_tree_deinit(struct berth_yaml_tree *tree);

/* A scalar; consumes @text and @anchor (NULL: none). */
BERTH_MUST_USE int berth_yaml_tree_scalar(struct berth_yaml_tree *tree, struct berth_mark at,
					  bool plain, char *text, char *anchor);
BERTH_MUST_USE int berth_yaml_tree_alias(struct berth_yaml_tree *tree, struct berth_mark at,
					 const char *name);
/* A list or a map begins; @at without a length: in block style. Consumes @anchor. */
BERTH_MUST_USE int berth_yaml_tree_open(struct berth_yaml_tree *tree, enum berth_yaml_kind kind,
					struct berth_mark at, char *anchor);
/* The one that began last ends; @end: where. */
BERTH_MUST_USE int berth_yaml_tree_close(struct berth_yaml_tree *tree, struct berth_mark end);

/* The line of the innermost bracket that is open; 0: none. */
unsigned int berth_yaml_tree_open_bracket(const struct berth_yaml_tree *tree);
