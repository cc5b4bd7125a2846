/* SPDX-License-Identifier: MIT */
/* look/scan.h - which numbers of a range are taken, at a glance: without processes, without a bind */
#pragma once

#include "look/look.h"

/* What was found on each number. 64 KiB: on the heap. */
struct berth_scan {
	/* 0: nothing; else 1 + the weightiest enum berth_look_kind of the sockets there. */
	uint8_t kinds[UINT16_MAX + 1];
	/* Bound sockets that do not listen may be missing: see berth_look.bound_unseen. */
	bool bound_unseen;
};

/*
 * One look at the numbers from @lo to @hi (at least 1): of TCP, and with @udp of UDP as well, in our
 * network namespace. Whatever the address or the family of a socket, its number counts as taken;
 * one in TIME_WAIT, too, since a bind() without SO_REUSEADDR fails there. 0 or -errno.
 *
 * Binds nothing, and asks the kernel for its tables alone; before Linux 6.8 those lack what is
 * bound and does not listen, and the processes that we may look into are asked as well, at a
 * hundred times the cost.
 */
BERTH_MUST_USE int berth_scan_load(uint16_t lo, uint16_t hi, bool udp, struct berth_scan *ret_scan);

static inline bool berth_scan_is_taken(const struct berth_scan *scan, uint16_t port,
				       enum berth_look_kind *ret_kind)
{
	if (scan->kinds[port])
		*ret_kind = (enum berth_look_kind)(scan->kinds[port] - 1);
	return scan->kinds[port];
}
