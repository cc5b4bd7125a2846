/* SPDX-License-Identifier: MIT */
/* stack/compose-env.c - the variables of one service of a Compose file */
#include "stack/compose-env.h"

#include <string.h>
#include <strings.h>

char *berth_compose_env_variable(const struct berth_yaml_node *node, size_t i,
				 const char **ret_value)
{
	const struct berth_yaml_node *item = &node->items[i];
	size_t len;

	if (item->kind != BERTH_YAML_SCALAR)
		return NULL;
	if (node->kind == BERTH_YAML_MAP) {
		*ret_value = berth_yaml_is_null(item) ? NULL : item->text;
		return strdup(item->key);
	}
	len = strcspn(item->text, "=");
	for (size_t later = i + 1; later < node->count; later++) {
		const struct berth_yaml_node *other = &node->items[later];

		if (other->kind == BERTH_YAML_SCALAR && strcspn(other->text, "=") == len &&
		    memcmp(other->text, item->text, len) == 0)
			return NULL;
	}
	*ret_value = item->text[len] ? item->text + len + 1 : NULL;
	return strndup(item->text, len);
}

bool berth_compose_env_is_clients(const char *name)
{
	static const char *const names[] = { "PATH", "HOME", "TMPDIR" };
	static const char *const prefixes[] = { "DOCKER_", "LD_", "XDG_" };
	static const char proxy[] = "_proxy"; /* in either case */
	size_t len = strlen(name);

	for (size_t i = 0; i < BERTH_ARRAY_SIZE(names); i++)
		if (strcmp(names[i], name) == 0)
			return true;
	for (size_t i = 0; i < BERTH_ARRAY_SIZE(prefixes); i++)
		if (strncmp(prefixes[i], name, strlen(prefixes[i])) == 0)
			return true;
	return len >= sizeof(proxy) && strcasecmp(name + len - strlen(proxy), proxy) == 0;
}
