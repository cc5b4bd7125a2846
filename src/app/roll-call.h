/* SPDX-License-Identifier: MIT */
/* app/roll-call.h - services that live and have no record */
#pragma once

#include "app/registry.h"

#include <stdbool.h>

/*
 * Compare @records (of berth_registry_load()) with the control sockets of our user in this network
 * namespace, and ask each that has no record: it writes it again then, if its folder was removed.
 * True: one of them has, load again. Reads /proc/net/unix once for each life of the folder.
 */
bool berth_roll_call(const struct berth_registry *registry, const json_t *records);
