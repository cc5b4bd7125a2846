/* SPDX-License-Identifier: MIT */
/* app/siblings.h - the other services of a stack, as one of them sees them */
#pragma once

#include "app/supervisor.h"

struct berth_stack_member;

/*
 * BACKEND_PORT, BACKEND_URL, BACKEND_HOST and the same of named ports, of the first instance of each
 * service but @unit's own, also of one that has gone; NULL: of all that are there.
 */
void berth_siblings_add(const struct berth_supervisor *supervisor, const struct berth_unit *unit,
			struct berth_unit_words *env);

/* @unit goes: what it was called is remembered, for those that are started without it. */
void berth_siblings_remember(const struct berth_unit *unit);
void berth_siblings_forget(struct berth_stack_member *member);

/*
 * Whose pages @unit's service is to answer, where the manifest says so: BERTH_CORS_ORIGINS or what
 * it is called there.
 */
void berth_siblings_add_origins(const struct berth_unit *unit, struct berth_unit_words *env);

/*
 * [{"asked","port","service"}]: the numbers of other services that mean another one here; a new
 * reference.
 */
json_t *berth_siblings_moved(const struct berth_unit *unit);

/*
 * "backend.port", "backend.url.ws" ... for templates, also of a service that has gone. @add is called
 * with names and values.
 */
void berth_siblings_each_var(const struct berth_unit *unit,
			     void (*add)(const char *name, const char *value, void *arg),
			     void *arg);

/*
 * Which of the others a connect() to loopback port @number means: it asked for that number. The row
 * is *ret_index; NULL: none of them. *ret_unknown: one of them may come to have it, before whose
 * first bind() nobody knows.
 */
struct berth_unit *berth_siblings_find(const struct berth_unit *unit, uint16_t number,
				       size_t *ret_index, struct berth_unit **ret_unknown);
/* Is @number that of a service which has ended? */
bool berth_siblings_has_gone(const struct berth_unit *unit, uint16_t number);
/*
 * Of a service that does not run and wishes @number: its family. A program that somebody runs in its
 * place may have the number, another copy of it must not be met. NULL: there is none.
 */
const char *berth_siblings_absent_family(const struct berth_unit *unit, uint16_t number);
