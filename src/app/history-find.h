/* SPDX-License-Identifier: MIT */
/* app/history-find.h - which ends a user means */
#pragma once

#include "base/err.h"
#include "base/json.h"
#include "service/identity.h"

/*
 * The ends (of berth_history_load()) that @word means, by the rules of berth_find(): an id, "api",
 * "api.2", "shop/api", "shop+demo/api", "shop". A number is a port, of what was freed too. Only what
 * is of the project at @here goes by a mere name or number, or with @all of any. *ret_found is a new
 * array of the same ends, newest first, never empty on success. -ENOENT with @err (NOT_FOUND) offers
 * the closest name; -EINVAL (USAGE): no port.
 */
BERTH_MUST_USE int berth_history_find(const json_t *ends, const char *word,
				      const struct berth_identity *here, bool all,
				      json_t **ret_found, struct berth_err *err);

/* Is @end of the project with that root? What was freed is of where it ran, and of where berth was. */
bool berth_history_find_is_of(const json_t *end, const char *root);
