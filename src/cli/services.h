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
/* The same where the folder makes no difference: one that was removed is of no project, root "". */
BERTH_MUST_USE int berth_services_load_anywhere(struct berth_services *services,
						struct berth_err *err);
/* The project of the working folder; without @needed alike of a folder that was removed. */
BERTH_MUST_USE int berth_services_load_here(bool needed, struct berth_identity *ret_here,
					    struct berth_err *err);
void berth_services_deinit(struct berth_services *services);

/*
 * The records that the operands mean, all of them, each once; without operands those of the project
 * here. -ENOENT with @err for an operand that means nothing. A new array.
 */
BERTH_MUST_USE int berth_services_select(struct berth_services *services,
					 const struct berth_opt_list *operands, json_t **ret_found,
					 struct berth_err *err);

/*
 * The same for what is to be changed: without operands what `berth down` would mean, and so no copies
 * (of up --as).
 */
BERTH_MUST_USE int berth_services_select_own(struct berth_services *services,
					     const struct berth_opt_list *operands,
					     json_t **ret_found, struct berth_err *err);

/*
 * The one service that @operand means (with ":NAME" of a port split off before); the first instance
 * if there are several. Borrowed.
 */
BERTH_MUST_USE int berth_services_one(struct berth_services *services, const char *operand,
				      json_t **ret_record, struct berth_err *err);

/*
 * How the service that @word names (by name, label or id, see cli/ends.h) ended last: a document of
 * app/history.h, new reference; NULL: none such is known.
 */
json_t *berth_services_last_end(const struct berth_services *services, const char *word);

/*
 * After a select of @words that failed with @err: where it ran once, say that it does not run, and
 * how to start it.
 */
void berth_services_explain_missing(struct berth_services *services,
				    const struct berth_opt_list *words, struct berth_err *err);

/* Are @records (at least one) all instances of one service, in one folder? */
bool berth_services_is_one(const json_t *records);

/* The "service" documents of records, whole or what `ls` shows of them: a new array. */
json_t *berth_services_documents(const json_t *records);
json_t *berth_services_summaries(const json_t *records);
/*
 * The same as of now, from the supervisors themselves; from the record where one does not answer. A
 * new array.
 */
json_t *berth_services_ask_all(const json_t *records);

/*
 * What a request that ends in a service being ready was answered: print the reason where it is not
 * (@r, or its state), with the end of its log. @service may be NULL. 0, or -errno with @err.
 */
BERTH_MUST_USE int berth_services_check_ready(struct berth_cli *cli, const json_t *service,
					      const char *label, struct berth_err *err);

/* The main port's URL, or the first port as "port 5000"; "" if it has none. Returns @buf. */
const char *berth_services_url(const json_t *service, char *buf, size_t size);
/* The port called @name of a service document, NULL: the main one; borrowed, NULL: none. */
const json_t *berth_services_port(const json_t *service, const char *name);
