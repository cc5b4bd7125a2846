/* SPDX-License-Identifier: MIT */
/* port/range.h - a span of port numbers */
#pragma once

#include "base/attr.h"

#include <stdbool.h>
#include <stdint.h>

/* lo <= hi, both included; lo 0: none. */
struct berth_range {
	uint16_t lo, hi;
};

/* "5002-5012", "5000", ":5000", whole. -EINVAL: not that; -ERANGE: 0, above 65535, lo > hi. */
BERTH_MUST_USE int berth_range_parse(const char *text, struct berth_range *ret_range);

bool berth_range_has(const struct berth_range *range, uint16_t port);

/* A set of port numbers: one bit each. 8 KiB: on the heap, not on the stack of a deep call. */
struct berth_portset {
	uint64_t bits[1024];
};
void berth_portset_add(struct berth_portset *set, struct berth_range range);
bool berth_portset_has(const struct berth_portset *set, uint16_t port);

/*
 * Add "8080,9000-9005" to the set, all or nothing: the kernel's way (ip_local_reserved_ports) and
 * the user's; blanks and an empty list allowed.
 */
BERTH_MUST_USE int berth_portset_parse(const char *text, struct berth_portset *set);
