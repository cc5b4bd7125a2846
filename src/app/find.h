/* SPDX-License-Identifier: MIT */
/* app/find.h - which services a user means */
#pragma once

#include "app/registry.h"
#include "service/identity.h"

/*
 * The records (of berth_registry_load(), labelled) that @word means: a number is a port; "7f3k2m"
 * an id; "api" a service of the project at @here, else of any project if only one has it; "api.2"
 * one instance of it; "shop/api", "shop@branch/api" a label; "shop", "shop+demo" all of a project or
 * of a copy of its stack, where no service is called so. *ret_found is a new array of records,
 * never empty on success. -ENOENT with @err (NOT_FOUND) names what it may have meant.
 */
BERTH_MUST_USE int berth_find(struct berth_registry *registry, const json_t *records,
			      const char *word, const struct berth_identity *here,
			      json_t **ret_found, struct berth_err *err);

/* All services of the project at @here; a new array, may be empty. */
json_t *berth_find_project(const json_t *records, const struct berth_identity *here);

/*
 * Ask the supervisor of @record. Like berth_control_ask(), and -ECONNREFUSED with @err where nobody
 * answers (another network namespace).
 */
BERTH_MUST_USE int berth_find_ask(const json_t *record, const json_t *request, int timeout_ms,
				  json_t **ret_answer, struct berth_err *err);
