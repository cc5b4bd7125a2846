/* SPDX-License-Identifier: MIT */
/* look/nat.h - ports that the packet filter leads to somewhere else, past all sockets */
#pragma once

#include "base/attr.h"

#include <stddef.h>
#include <stdint.h>

enum {
	BERTH_NAT_TARGET_MAX = 80,
	BERTH_NAT_ADDRESS_MAX = 64,
	BERTH_NAT_CONTAINER_MAX = 72,
};

struct berth_nat_rule {
	uint16_t port_lo, port_hi; /* of ours */
	int protocol; /* 0: all of them */
	char address[BERTH_NAT_ADDRESS_MAX]; /* only what is for this of our addresses; "" any */
	/* "10.88.0.2:80", printable; ":8443": another port of this machine. */
	char target[BERTH_NAT_TARGET_MAX];
	char container[BERTH_NAT_CONTAINER_MAX]; /* its id, where the rule's comment says; or "" */
};

struct berth_nat {
	struct berth_nat_rule *rules; /* owned */
	size_t count;
	/*
	 * 0; -EACCES: only root may look; -ENOENT: no tool there that tells; another -errno: why
	 * the tool could not tell (all).
	 */
	int error;
};

/*
 * The destination NAT of this network namespace: nft(8)'s JSON; iptables-save(8) too for the rules
 * in it that only iptables understands, and where there are tables of the old kind. Costs processes
 * of some ms: only for who asks. -ENOMEM.
 */
BERTH_MUST_USE int berth_nat_load(struct berth_nat *ret_nat);
void berth_nat_deinit(struct berth_nat *nat);
/* The first rule for @port, NULL: none. @protocol IPPROTO_TCP, IPPROTO_UDP. */
const struct berth_nat_rule *berth_nat_find(const struct berth_nat *nat, uint16_t port,
					    int protocol);
