/* SPDX-License-Identifier: MIT */
/* stack/compose-docker.h - one service of a Compose file as a `docker run` */
#pragma once

#include "base/yaml.h"
#include "stack/draft.h"

/* A service that is being written. */
struct berth_compose_docker {
	struct berth_draft *draft;
	const struct berth_yaml_node *node; /* a map with an `image`; its key is its name there */
	const char *name; /* here */
	const char *waiter; /* a service that waits until this one has completed; NULL: none */
	bool failed; /* out of memory; the caller looks at the end */
};

/*
 * Is it not more than a command can have words (BERTH_MANIFEST_WORDS_MAX)? Each variable, port and
 * option is two of them.
 */
bool berth_compose_docker_fits(const struct berth_yaml_node *node);
/*
 * Its command, stop_command, port or ports, environment, and what is the same key in berth.yaml.
 */
void berth_compose_docker_write(struct berth_compose_docker *service);
/* The test of its health check, done in the container; false: it can't be written. */
bool berth_compose_docker_test(struct berth_compose_docker *service,
			       const struct berth_yaml_node *test);

/*
 * "key: value" of the service, or of its key @within, with the variables of @value as berth.yaml has
 * them. false: a berth.yaml can't have it; it is left out, with a note.
 */
bool berth_compose_docker_value(struct berth_compose_docker *service, const char *within,
				const char *key, const char *value);
/* The same of what was written since draft->services.len was @mark. */
bool berth_compose_docker_keep(const struct berth_compose_docker *service, size_t mark,
			       const char *within, const char *key);
/* A note: "NAME: 'key' is left out: reason". */
void berth_compose_docker_leave_out(const struct berth_compose_docker *service, const char *key,
				    const char *reason);

/* A scalar, or each of a list of them. */
static inline size_t berth_compose_docker_count(const struct berth_yaml_node *node)
{
	return node->kind == BERTH_YAML_LIST ? node->count : 1;
}

/* NULL: no scalar. */
static inline const char *berth_compose_docker_at(const struct berth_yaml_node *node, size_t i)
{
	const struct berth_yaml_node *item = node->kind == BERTH_YAML_LIST ? &node->items[i] : node;

	return item->kind == BERTH_YAML_SCALAR ? item->text : NULL;
}

static inline bool berth_compose_docker_is_true(const struct berth_yaml_node *node)
{
	return node && node->kind == BERTH_YAML_SCALAR && node->text[0] == 't';
}
