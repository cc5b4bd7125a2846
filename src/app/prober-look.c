/* SPDX-License-Identifier: MIT */
/*
 * app/prober-look.c - who would answer a probe
 *
 * Whose answer is it? Others can stand on the same number: on another address, on one interface,
 * in the same SO_REUSEPORT group. So the listening sockets which could have answered are asked of
 * the kernel, before the connection and once it stands, and all of them must be the service's own. A
 * foreign one would have to come after the first look and be gone before the second. "Could have
 * answered" follows the kernel's lookup (inet_lookup_listener()): one on the very address before
 * one on all addresses.
 */
#include "app/prober.h"

#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "os/sockdiag.h"

/*
 * Address alone, whatever the scope: taking one for the same too often only makes us the more
 * careful.
 */
static bool is_same_host(const struct berth_addr *local, const struct berth_addr *target)
{
	struct berth_addr v4;

	if (target->sa.sa_family == AF_INET6)
		return IN6_ARE_ADDR_EQUAL(&local->in6.sin6_addr, &target->in6.sin6_addr);
	v4 = berth_addr_unmapped(local);
	return v4.sa.sa_family == AF_INET && v4.in.sin_addr.s_addr == target->in.sin_addr.s_addr;
}

/*
 * How far in front @entry stands for connections to @target; 0: it gets none of them. Whether it is
 * bound to an interface is not asked: such a one could be in front of ours.
 */
static unsigned int rank_of(const struct berth_sockdiag_entry *entry,
			    const struct berth_addr *target)
{
	const struct berth_addr *local = &entry->local;
	bool v6 = local->sa.sa_family == AF_INET6;

	if (target->sa.sa_family == AF_INET6 && (!v6 || berth_addr_is_v4mapped(local)))
		return 0;
	if (is_same_host(local, target))
		return 2;
	if (!berth_addr_is_any(local))
		return 0;
	return target->sa.sa_family == AF_INET && v6 && entry->v6only ? 0 : 1;
}

struct look {
	const struct berth_addr *target;
	const struct berth_prober_listener *listeners;
	size_t count;
	unsigned int rank; /* of those in front, who alone get connections */
	uint64_t own; /* among them; 0: none */
	bool other, foreign; /* likewise */
};

static int on_listener(const struct berth_sockdiag_entry *entry, void *arg)
{
	struct look *look = arg;
	unsigned int rank = rank_of(entry, look->target);
	size_t i = 0;

	if (!rank || rank < look->rank)
		return 0;
	if (rank > look->rank) {
		look->own = 0;
		look->other = look->foreign = false;
	}
	look->rank = rank;
	while (i < look->count && look->listeners[i].inode != entry->inode)
		i++;
	if (i == look->count)
		look->foreign = true;
	else if (look->listeners[i].other)
		look->other = true;
	else
		look->own = entry->inode;
	return 0;
}

enum berth_prober_outcome berth_prober_look(const struct berth_addr *target,
					    const struct berth_prober_listener *listeners,
					    size_t count, char why[BERTH_PROBER_WHY_SIZE],
					    uint64_t *ret_own)
{
	uint16_t port = berth_addr_port(target);
	struct berth_sockdiag_query query = {
		.family = target->sa.sa_family == AF_INET6 ? AF_INET6 : AF_UNSPEC,
		.protocol = IPPROTO_TCP,
		.states = BERTH_SOCKDIAG_LISTEN,
		.port_lo = port,
		.port_hi = port,
	};
	struct look look = { .target = target, .listeners = listeners, .count = count };
	char where[BERTH_ADDR_STRLEN];
	int r = berth_sockdiag_each(&query, on_listener, &look);

	berth_addr_format(target, where);
	*ret_own = look.own;
	if (r < 0)
		snprintf(why, BERTH_PROBER_WHY_SIZE, "cannot tell who listens on %s: %s", where,
			 strerror(-r));
	else if (look.foreign)
		snprintf(why, BERTH_PROBER_WHY_SIZE, "another program answers on %s", where);
	else if (look.other)
		return BERTH_PROBER_UNCLEAR;
	else if (!look.own)
		snprintf(why, BERTH_PROBER_WHY_SIZE, "it does not listen on %s", where);
	else
		return BERTH_PROBER_OK;
	return BERTH_PROBER_FAILED;
}
