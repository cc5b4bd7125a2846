/* SPDX-License-Identifier: MIT */
/* cli/ends.h - which end of app/history.h is meant, and what it is called */
#pragma once

#include "base/json.h"
#include "service/identity.h"

#include <stdbool.h>

enum {
	BERTH_ENDS_LABEL_SIZE = 2 * BERTH_NAME_MAX + 160,
};

/*
 * Does @word name it: its id; "api", "api.2" of the project at @here, never of a copy (up --as);
 * "shop/api", "shop@branch+demo/api"?
 */
bool berth_ends_is_named(const json_t *end, const struct berth_identity *here, const char *word);

/* "shop+demo/api.2", as berth ls would call it where it is the only one. Returns @buf. */
const char *berth_ends_label(const json_t *end, char buf[BERTH_ENDS_LABEL_SIZE]);

/* Was it part of a stack of which one of @records is, and is it since that was started? */
bool berth_ends_is_of_stack(const json_t *records, const json_t *end);

/* Are two documents of services of one service in one copy; of one instance of it, too? */
bool berth_ends_is_same_service(const json_t *a, const json_t *b);
bool berth_ends_is_same_instance(const json_t *a, const json_t *b);

/* It ended by itself, with 0. */
bool berth_ends_has_completed(const json_t *end);
