/* SPDX-License-Identifier: MIT */
/* app/roll-call.h - services that live and have no record */
#pragma once

#include "base/json.h"

#include <stdbool.h>

/*
 * Compare @records (of berth_registry_load()) with the control sockets of our user in this network
 * namespace, and ask each that has no record: it writes it again then, if its folder was removed.
 * True: one of them has, load again. Costs one read of /proc/net/unix where nobody is missing.
 */
bool berth_roll_call(const json_t *records);
