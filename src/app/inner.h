/* SPDX-License-Identifier: MIT */
/* app/inner.h - berth inside berth: what a start does in the tree of another one */
#pragma once

#include "app/job.h"
#include "base/json.h"

enum {
	BERTH_INNER_E_OUTSIDE = -100000, /* below every -errno: we are in nobody's tree, or not told
					    so: start as usual */
};

/*
 * In a service's tree (BERTH_SOCKET, and its supervisor agrees) all binds are answered by that
 * supervisor already, and there can be only one listener: so the wishes of @job are leased through
 * it, and the command takes our place. With -d it is started outside of the tree instead, which
 * this process reports like a start of its own. E_OUTSIDE is negative so that it can't be an exit
 * code. Otherwise the exit code of a start with -d, or -errno with @err; never returns where the
 * command has taken our place.
 */
BERTH_MUST_USE int berth_inner_run(struct berth_job *job, struct berth_err *err);

/*
 * The same for a stack, of which @job is what holds for all: with -d outside of the tree; in the
 * foreground -EOPNOTSUPP, as only one can answer for what it starts.
 */
BERTH_MUST_USE int berth_inner_up(const struct berth_job *job, struct berth_err *err);

/*
 * Lease @wish through the supervisor whose tree we are in. 0 with the answer (new reference):
 * "ports" are the numbers, in the wish's order. E_OUTSIDE, or -errno with @err (never NULL).
 */
BERTH_MUST_USE int berth_inner_lease(const struct berth_wish *wish, const char *service,
				     json_t **ret_answer, struct berth_err *err);

/*
 * Take the place of this process by @argv, with @job's variables and @env (an array of "K=V", NULL:
 * none). Returns only on failure.
 */
BERTH_MUST_USE int berth_inner_exec(char **argv, const struct berth_job *job, const json_t *env,
				    struct berth_err *err);
