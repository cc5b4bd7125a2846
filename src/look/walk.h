/* SPDX-License-Identifier: MIT */
/* look/walk.h - the sockets on some ports, from the kernel's tables, of all network namespaces */
#pragma once

#include "look/look.h"

/* A search of the kernel's tables that is under way. */
struct berth_walk;

/*
 * Begins with the other namespaces, if they are asked for, in a thread of their own. @query is
 * borrowed until the end. -errno.
 */
BERTH_MUST_USE int berth_walk_start(const struct berth_look_query *query,
				    struct berth_walk **ret_walk);
/* The sockets of our own namespace: those of @ret_look, in order, and bound_unseen. */
BERTH_MUST_USE int berth_walk_own(struct berth_walk *walk, struct berth_look *ret_look);
/*
 * Waits for those of the others: adds them to @look, which is in order again, and
 * hidden_namespaces. *ret_count: how many there were.
 */
BERTH_MUST_USE int berth_walk_others(struct berth_walk *walk, struct berth_look *look,
				     size_t *ret_count);
/* At any time; waits for what still runs. NULL allowed. */
void berth_walk_free(struct berth_walk *walk);

/* The order of the sockets of a look. */
int berth_walk_compare(const void *x, const void *y);
/* Have they one port, protocol and namespace? */
bool berth_walk_is_one_group(const struct berth_look_socket *a, const struct berth_look_socket *b);
