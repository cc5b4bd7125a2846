/* SPDX-License-Identifier: MIT */
/* look/ruleset.h - rules of a packet filter, whoever told them, and what they lead away: pure */
#pragma once

#include "base/attr.h"
#include "look/nat.h"

#include <stdbool.h>

/* What a packet to us must be like; zero: any. */
struct berth_ruleset_when {
	uint16_t port_lo, port_hi; /* where it goes to */
	int protocol;
	char address[BERTH_NAT_ADDRESS_MAX]; /* "192.0.2.1", "10.96.0.0/12" */
};

/* Led away to @target, or handed on to the chain @jump. */
struct berth_ruleset_rule {
	char *chain, *jump; /* owned; jump NULL: none */
	struct berth_ruleset_when when;
	char target[BERTH_NAT_TARGET_MAX];
	char container[BERTH_NAT_CONTAINER_MAX];
	size_t order;
};

/* Zero is an empty one. Chains are named within all: "ip nat PREROUTING". */
struct berth_ruleset {
	struct berth_ruleset_rule *rules; /* owned */
	size_t count, size;
	char **hooks; /* owned, all of them: the chains that every packet to us comes through */
	size_t hook_count;
	/* There were rules that only iptables-save(8) can tell, for IPv4 and IPv6. */
	bool foreign4, foreign6;
};

/* A copy; not @rule's chain and jump but these. -ENOMEM, -EFBIG: more rules than anybody has. */
BERTH_MUST_USE int berth_ruleset_add(struct berth_ruleset *set, const char *chain, const char *jump,
				     const struct berth_ruleset_rule *rule);
BERTH_MUST_USE int berth_ruleset_add_hook(struct berth_ruleset *set, const char *chain);
void berth_ruleset_deinit(struct berth_ruleset *set);

/*
 * Narrow @when to what @also allows; false: nothing is both. Of two addresses the later one stays,
 * as it is within the first in what people write.
 */
bool berth_ruleset_narrow(struct berth_ruleset_when *when, const struct berth_ruleset_when *also);

/*
 * The ports that are led away for packets that come through one of the hooks, added to @nat, which
 * is sorted by port then and tells nothing twice. Rules for all ports say nothing of one, and are
 * left out; so are those for an address that @is_ours(address, arg) denies (NULL: all are ours).
 * Sorts @set. -ENOMEM; -EFBIG: more than anybody has, and @nat has a part.
 */
BERTH_MUST_USE int berth_ruleset_resolve(struct berth_ruleset *set,
					 bool (*is_ours)(const char *address, void *arg), void *arg,
					 struct berth_nat *nat);

/* "dnat name: podman id: 64 hex digits": the id, else "". */
void berth_ruleset_container_of(const char *comment, char ret_id[BERTH_NAT_CONTAINER_MAX]);
/* "tcp" "6" "udp" "17" to a number; "all", "th", "0": 0; another: -EPROTONOSUPPORT. */
BERTH_MUST_USE int berth_ruleset_protocol(const char *name, int *ret_protocol);
