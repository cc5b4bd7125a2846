/* SPDX-License-Identifier: MIT */
/* os/netns.h - the network namespaces of this machine, and a look into each */
#pragma once

#include "base/attr.h"

#include <stdint.h>

/* The inode of the caller's own, as in net:[4026531840]; 0: there is no /proc. */
uint64_t berth_netns_own(void);

/* A look into all namespaces but the caller's own that is under way. */
struct berth_netns_tour;

/*
 * Calls @fn for each network namespace that a process is in, but for the caller's own, by inode,
 * until it returns non-zero. @sockdiag asks that namespace (berth_sockdiag_each_on()), and is closed
 * afterwards.
 *
 * @fn runs in a thread of its own, which is in that namespace, while the caller goes on where it is:
 * @arg is not the caller's until the end. -errno.
 */
BERTH_MUST_USE int berth_netns_start(int (*fn)(uint64_t inode, int sockdiag, void *arg), void *arg,
				     struct berth_netns_tour **ret_tour);
/*
 * Waits for the end. What @fn returned last, or -errno. *ret_closed: how many we may not enter; only
 * root may. Consumes @tour.
 */
BERTH_MUST_USE int berth_netns_finish(struct berth_netns_tour *tour, unsigned int *ret_closed);
