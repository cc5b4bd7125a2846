/* SPDX-License-Identifier: MIT */
/* cli/services.h - what the commands about running services have in common */
#pragma once

#include "app/registry.h"
#include "cli/cli.h"
#include "service/identity.h"

/* What runs, as of now: dead records have been swept, labels are set. */
struct berth_services {
	struct berth_registry registry;
	struct berth_identity here; /* of the working folder */
	json_t *records; /* owned */
};

BERTH_MUST_USE int berth_services_load(struct berth_services *services, struct berth_err *err);
void berth_services_deinit(struct berth_services *services);

/*
 * The records that the operands mean, all of them, each once; without operands those of the project
 * here. -ENOENT with @err for an operand that means nothing. A new array.
 */
BERTH_MUST_USE int berth_services_select(struct berth_services *services,
					 const struct berth_opt_list *operands, json_t **ret_found,
					 struct berth_err *err);

/*
 * The one service that @operand means (with ":NAME" of a port split off before); the first instance
 * if there are several. Borrowed.
 */
BERTH_MUST_USE int berth_services_one(struct berth_services *services, const char *operand,
				      json_t **ret_record, struct berth_err *err);

/* The "service" documents of records, whole or what `ls` shows of them: a new array. */
json_t *berth_services_documents(const json_t *records);
json_t *berth_services_summaries(const json_t *records);

/* The main port's URL, or the first port as "port 5000"; "" if it has none. Returns @buf. */
const char *berth_services_url(const json_t *service, char *buf, size_t size);
/* The port called @name of a service document, NULL: the main one; borrowed, NULL: none. */
const json_t *berth_services_port(const json_t *service, const char *name);
