/* SPDX-License-Identifier: MIT */
/* app/holders.h - who holds which ports, joined from all that knows of it, as documents */
#pragma once

#include "base/err.h"
#include "base/json.h"
#include "port/range.h"

/*
 * What `who` and `ls -m` wait for a container engine; and what they say of one that takes longer, or
 * answers with an error.
 */
enum {
	BERTH_HOLDERS_ENGINE_MS = 500
};
#define BERTH_HOLDERS_ENGINE_LATE \
	"a container engine did not answer within 0.5 s: containers may be missing, or their names"
#define BERTH_HOLDERS_ENGINE_GARBLED \
	"a container engine answered with an error: containers may be missing, or their names"

struct berth_holders_query {
	const struct berth_range *ranges; /* borrowed; each answered for itself */
	size_t count;
	const bool
		*datagrams; /* for each of @ranges: is it of UDP alone? NULL: none is; borrowed */
	bool every; /* also the ports of a range that nobody holds (a single port always is there) */
	bool udp; /* UDP too, of all of them */
	bool details; /* what costs more: engines, NAT, systemd, other namespaces */
};

/*
 * The array "ports" of `berth who --json` (share/schemas/who.schema.json): for each port and
 * protocol {"port","protocol","bindable","refused","answers","holders":[...],"more","hint","fix",
 * "fix_needs"}, each of a number once, in the order that they were asked in.
 *
 * *ret_unseen (NULL allowed) is an array of sentences: what could not be seen, and could matter
 * ("5432 is held by uid 70 (postgres), process hidden"). New references. -errno with @err.
 */
BERTH_MUST_USE int berth_holders_load(const struct berth_holders_query *query, json_t **ret_ports,
				      json_t **ret_unseen, struct berth_err *err);
