/* SPDX-License-Identifier: MIT */
/* port/candidates.h - in which order numbers are tried: a pure sequence */
#pragma once

#include "port/wish.h"

#include <stdint.h>

/* clang-format off */
/* Why a service has the number it has; the words are those of the JSON output ("reason"). */
#define BERTH_PORT_REASONS(X)                                                            \
	X(WISHED, "wished")         /* the very wish */                                  \
	X(PINNED, "pinned")         /* the user keeps it for this service */             \
	X(REMEMBERED, "remembered") /* what this folder and service had before */        \
	X(TAKEN, "taken")           /* moved: somebody has the wish */                   \
	X(RESERVED, "reserved")     /* moved: the wish may not be used */                \
	X(GROUP, "group")           /* moved because another port of its group had to */ \
	X(ANY, "any")               /* from the kernel */                                \
	X(EXTRA, "extra")           /* bound by the service beside its declared ports */ \
	X(TOOL, "tool")             /* of a debugger or reloader */
/* clang-format on */

enum {
	BERTH_CANDIDATES_REMEMBERED_MAX = 2
};

enum berth_port_reason {
#define X(id, name) BERTH_PORT_##id,
	BERTH_PORT_REASONS(X)
#undef X
	BERTH_PORT_REASON_COUNT_,
};
const char *berth_port_reason_name(enum berth_port_reason reason);

/* One try: a number for each port of the wish, in its order. All 0: ask the kernel (@any). */
struct berth_candidate {
	uint16_t port[BERTH_WISH_PORTS_MAX];
};

/*
 * What the sequence depends on, all borrowed for its life. The predicates are pure look-ups into
 * what the caller gathered (reserved.h, remembered.h): true = skip, for the whole group. NULL:
 * never.
 *   @reserved_fn: may never be given unless it is the very first wish (which is then a usage error
 *                 elsewhere); asked for the lists' own numbers too
 *   @foreign_fn:  remembered for another folder that still exists: tried only when all else has
 *                 been
 * @pinned: 0 for a port that has none. It may lie outside of the range, and be one that
 *                 @foreign_fn would hold back.
 * @remembered: 0 for a port that the memory does not know. Left out where it is outside of the
 * wish's range; whether it was remembered for this wish is the caller's to know.
 */
struct berth_candidates_spec {
	const struct berth_wish *wish;
	const struct berth_candidate *pinned; /* NULL: none */
	const struct berth_candidate *remembered; /* in the order of trying */
	size_t remembered_count; /* at most BERTH_CANDIDATES_REMEMBERED_MAX */
	bool (*reserved_fn)(uint16_t port, void *arg);
	bool (*foreign_fn)(uint16_t port, void *arg);
	void *arg;
};

/*
 * The order: the pinned numbers; the wish; the lists, zipped; the remembered numbers; then the range from the wish
 * upwards and around to its start (or, without a range, `attempts` numbers upwards by `step`, the
 * wish being the first of them; with around N: +1 -1 +2 -2 ..., as far as it lies in a range,
 * before the rest of that); the same once more for numbers that @foreign_fn held back; then "any".
 *
 * A group moves as a whole: all of it stays in the range, and a port that has no fallback where
 * another one has keeps its distance. A port without a wish follows the one before it, the first
 * one stands at the range's start; a start that nobody wished comes after the remembered numbers.
 *
 * No candidate comes twice, none holds one number for two ports of one protocol, none is outside
 * 1-65535. Counting never reaches numbers below 1024; from a wish there it goes on at 8000 + wish
 * (80 -> 8080, 443 -> 8443) and upwards, for the whole group, or at the range's start if that is
 * outside of it.
 *
 * strict: only the very wish (without one, the range's start); lists, range and any are not tried.
 */
struct berth_candidates;
BERTH_MUST_USE int berth_candidates_new(const struct berth_candidates_spec *spec,
					struct berth_candidates **ret_candidates);
void berth_candidates_free(struct berth_candidates *candidates);
BERTH_DEFINE_CLEANUP(struct berth_candidates *, berth_candidates_free)

/* The next one; false at the end. The reason is the whole group's: PINNED WISHED REMEMBERED TAKEN ANY. */
bool berth_candidates_next(struct berth_candidates *candidates,
			   struct berth_candidate *ret_candidate,
			   enum berth_port_reason *ret_reason);
