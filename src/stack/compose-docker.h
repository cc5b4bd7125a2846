/* SPDX-License-Identifier: MIT */
/* stack/compose-docker.h - one service of a Compose file as a `docker run` */
#pragma once

#include "base/yaml.h"
#include "stack/draft.h"

/* A service that is being written. */
struct berth_compose_docker {
	struct berth_draft *draft;
	const struct berth_yaml_node *node; /* a map with an `image`; its key is its name there */
	bool failed; /* out of memory; the caller looks at the end */
};

/* Its command, stop_command, port or ports, and what is the same key in berth.yaml. */
void berth_compose_docker_write(struct berth_compose_docker *service);
/* The test of its health check, done in the container. */
void berth_compose_docker_test(struct berth_compose_docker *service,
			       const struct berth_yaml_node *test);

/* "key: value", with the variables of @value as berth.yaml has them. */
void berth_compose_docker_value(struct berth_compose_docker *service, int depth, const char *key,
				const char *value);
/* A note: "NAME: 'key' is left out: reason". */
void berth_compose_docker_leave_out(const struct berth_compose_docker *service, const char *key,
				    const char *reason);

/*
 * The @i-th variable of an `environment`: its name, which the caller frees, and *ret_value, NULL
 * where it is to be as it is in our environment. NULL: none, a later
 * one has its name, or out of memory.
 */
char *berth_compose_docker_variable(const struct berth_yaml_node *environment, size_t i,
				    const char **ret_value);

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
