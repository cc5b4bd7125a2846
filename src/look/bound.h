/* SPDX-License-Identifier: MIT */
/* look/bound.h - TCP sockets that are bound and do not listen, where the kernel does not tell */
#pragma once

#include "os/sock.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct berth_bound_socket {
	struct berth_addr local;
	bool v6only, reuse;
	uint32_t interface;
	uid_t uid;
	uint64_t inode;
};

/* Does sock_diag(7) of this kernel tell of them? Since Linux 6.8. */
bool berth_bound_is_told(void);

/*
 * Calls @fn for each of those in our network namespace with a port from @lo to @hi, until it
 * returns non-zero; returns that, or -errno. Borrows each socket that is in no dump from a process
 * that has it: some 10 us for each. *ret_hidden: some process does not let us.
 */
BERTH_MUST_USE int berth_bound_each(uint16_t lo, uint16_t hi,
				    int (*fn)(const struct berth_bound_socket *socket, void *arg),
				    void *arg, bool *ret_hidden);
/*
 * The same of those that the processes @pids have, and no walk over tables that are as large as the
 * machine: for a port of which nobody else can have one. -E2BIG: they have too many sockets to ask
 * each. *ret_hidden: we may not look at all of them.
 */
BERTH_MUST_USE int berth_bound_each_of(const pid_t *pids, size_t count, uint16_t lo, uint16_t hi,
				       int (*fn)(const struct berth_bound_socket *socket,
						 void *arg),
				       void *arg, bool *ret_hidden);
