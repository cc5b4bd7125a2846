/* SPDX-License-Identifier: MIT */
/* os/netns.h - the network namespaces of this machine, and a look into each */
#pragma once

#include "base/attr.h"

#include <stdint.h>

/* The inode of the caller's own, as in net:[4026531840]; 0: there is no /proc. */
uint64_t berth_netns_own(void);

/*
 * Calls @fn for each network namespace that a process is in, but for the caller's own, by inode,
 * until it returns non-zero; returns that, 0 at the end, or -errno. @sockdiag asks that namespace
 * (berth_sockdiag_each_on()), and is closed afterwards. *ret_closed: how many we may not enter;
 * only root may.
 *
 * @fn runs in a thread of its own, which is in that namespace, while the caller waits where it is.
 */
BERTH_MUST_USE int berth_netns_each_other(int (*fn)(uint64_t inode, int sockdiag, void *arg),
					  void *arg, unsigned int *ret_closed);
