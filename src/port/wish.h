/* SPDX-License-Identifier: MIT */
/* port/wish.h - which ports a service would like: flags and environment as one value */
#pragma once

#include "base/err.h"
#include "port/range.h"

#include <stdbool.h>
#include <stdint.h>

enum {
	BERTH_WISH_PORTS_MAX = 16, /* named ports of one service */
	BERTH_WISH_LIST_MAX = 64, /* numbers in one list of fallbacks */
	BERTH_PORT_NAME_MAX = 32,
};

/* One named port. The first of a service without a name is "main". */
struct berth_wish_port {
	char name[BERTH_PORT_NAME_MAX];
	bool udp; /* "/udp" after the list */
	uint16_t list[BERTH_WISH_LIST_MAX]; /* first the wish, then its fallbacks in order */
	size_t list_len; /* 0: no wish of its own */
	uint16_t alias; /* what its program and its neighbours call it, where the wish is another
			   number; 0: nothing */
	bool moved; /* its wish was said by berth_wish_move() */
};

struct berth_wish {
	struct berth_wish_port ports[BERTH_WISH_PORTS_MAX];
	size_t port_count; /* 0: no wish at all */
	struct berth_range range; /* --range; lo 0: none */
	uint16_t step; /* of a group; 0: its span rounded up to 10; of a single port 1 */
	uint16_t around; /* --around N: +1 -1 +2 -2 ... up to N; 0: upwards only */
	uint16_t attempts; /* MAX_PORT_ATTEMPTS: how many numbers a lone wish tries; 0: 100 */
	bool any; /* --any: at last a number from the kernel */
	bool strict; /* the wish or nothing */
};

/*
 * One --port argument: "5000", "5000,5001,3000", "http=8080", "http=8080,8090", "dns=5353/udp",
 * "none" (sets *ret_none). Appends to @wish, or adds fallbacks to the port of that name. Numbers
 * without a name belong to "main". A name is [a-z][a-z0-9-]{0,30}, not "none" or "any". Names the
 * argument in @err (code USAGE) and returns -EINVAL.
 */
BERTH_MUST_USE int berth_wish_add_port(struct berth_wish *wish, const char *text, bool *ret_none,
				       struct berth_err *err);
/* The same but "none", and @err does not speak of an option. */
BERTH_MUST_USE int berth_wish_add(struct berth_wish *wish, const char *text, struct berth_err *err);

/*
 * The wish is @number now: the search starts there, in a range of the same length if it is not in
 * that of @wish. What was wished before is the alias, and the list's other numbers follow. The
 * ports beside port @index that have wishes keep their distance.
 */
void berth_wish_move(struct berth_wish *wish, size_t index, uint16_t number);

/*
 * Check what only the whole can tell: lists that are zipped (more than one port with fallbacks)
 * have equal lengths, no number twice in one place, a wish inside the range. Code USAGE.
 */
BERTH_MUST_USE int berth_wish_check(const struct berth_wish *wish, struct berth_err *err);
