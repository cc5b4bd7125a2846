/* SPDX-License-Identifier: MIT */
/* stack/compose-env.h - the variables of one service of a Compose file */
#pragma once

#include "base/yaml.h"

/*
 * The @i-th variable of an `environment`: its name, which the caller frees, and *ret_value, NULL
 * where it is to be as it is in our environment. NULL: none, a later one has its name, or out of
 * memory.
 */
char *berth_compose_env_variable(const struct berth_yaml_node *environment, size_t i,
				 const char **ret_value);
/*
 * Does docker itself go by that variable? With the container's PATH it is not found, and with its
 * DOCKER_HOST another engine would be asked.
 */
bool berth_compose_env_is_clients(const char *name);
