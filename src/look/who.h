/* SPDX-License-Identifier: MIT */
/* look/who.h - who holds a port, in one sentence: why a bind() to it fails */
#pragma once

#include "look/look.h"

struct berth_who_holder {
	enum berth_look_kind kind; /* never ACCEPTED */
	struct berth_addr local;
	struct berth_addr peer; /* of a connection */
	uid_t uid;
	uint64_t inode;
	struct berth_proc_id proc; /* pid 0: hidden from us, or none */
	char comm[32]; /* raw */
};

/*
 * The holders of TCP port @port in our network namespace, listeners first; one row per socket, with
 * the lowest pid that holds it. At most @max rows are filled, *ret_count tells how many there are.
 * Sockets whose inode is one of @own (e.g. our own holders) are left out, and so is what a living
 * listener has accepted. @with_process false leaves out the scan of /proc (pid stays 0). 0 or
 * -errno.
 */
BERTH_MUST_USE int berth_who_find(uint16_t port, bool with_process, const uint64_t *own,
				  size_t own_count, struct berth_who_holder *ret_holders,
				  size_t max, size_t *ret_count);

/*
 * "node 812", "held by uid 70, process hidden", "an outgoing connection of curl 4711 to
 * 10.1.2.3:443"; control characters escaped. Returns @buf.
 */
const char *berth_who_format(const struct berth_who_holder *holder, char *buf, size_t size);
