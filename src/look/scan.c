/* SPDX-License-Identifier: MIT */
/* look/scan.c - which numbers of a range are taken, at a glance: without processes, without a bind */
/*
 * What takes time is the kernel's walk over its tables, and 0.6 us for each connection that it
 * tells of. Listeners are told first, which is quick. Then their numbers are known to be taken, and
 * need not be told again: what a server has accepted has its number, and that may be most of all
 * there is. Connections, bound sockets and UDP are asked for at the same time.
 */
#include "look/scan.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <stdatomic.h>
#include <string.h>

#include "look/bound.h"
#include "os/crew.h"
#include "os/sockdiag.h"

/* A part of the kernel's tables that is asked for by itself; the longest first. */
static const struct part {
	int protocol;
	uint32_t states;
} parts[] = {
	{ IPPROTO_TCP, BERTH_SOCKDIAG_CONNECTED | BERTH_SOCKDIAG_TIME_WAIT },
	{ IPPROTO_TCP, BERTH_SOCKDIAG_BOUND },
	{ IPPROTO_UDP, BERTH_SOCKDIAG_ANY },
};

enum {
	PARTS_TCP = 2,
};

/* One thread's. */
struct look {
	struct berth_scan scan;
	int protocol; /* of the dump at hand */
};

struct looks {
	uint16_t lo, hi;
	struct look
		*each; /* owned: BERTH_CREW_MAX of them; pages that no thread touches are none */
	struct berth_sockdiag_span listening[BERTH_SOCKDIAG_EXCEPT_MAX];
	size_t listening_count;
	atomic_int error; /* of any thread */
};

static enum berth_look_kind kind_of(const struct berth_sockdiag_entry *entry, int protocol)
{
	switch (entry->state) {
	case TCP_LISTEN:
		return BERTH_LOOK_LISTENER;
	case TCP_CLOSE:
		return protocol == IPPROTO_UDP ? BERTH_LOOK_LISTENER : BERTH_LOOK_BOUND;
	case TCP_TIME_WAIT:
		return BERTH_LOOK_TIME_WAIT;
	default:
		return BERTH_LOOK_CONNECTION;
	}
}

static void put(struct berth_scan *scan, uint16_t port, uint8_t kind)
{
	if (!scan->kinds[port] || kind < scan->kinds[port])
		scan->kinds[port] = kind;
}

static int mark(const struct berth_sockdiag_entry *entry, void *arg)
{
	struct look *look = arg;

	put(&look->scan, berth_addr_port(&entry->local),
	    (uint8_t)(1 + kind_of(entry, look->protocol)));
	return 0;
}

static int dump(struct looks *looks, struct look *look, const struct part *part, bool all)
{
	struct berth_sockdiag_query query = {
		.family = AF_UNSPEC,
		.protocol = part->protocol,
		.states = part->states,
		.port_lo = looks->lo,
		.port_hi = looks->hi,
		.except = looks->listening,
		.except_count = all ? 0 : looks->listening_count,
	};

	look->protocol = part->protocol;
	return berth_sockdiag_each(&query, mark, look);
}

static int find_listeners(struct looks *looks)
{
	static const struct part listeners = { IPPROTO_TCP, BERTH_SOCKDIAG_LISTEN };
	struct look *look = &looks->each[0];
	struct berth_sockdiag_span *span = NULL;
	int r = dump(looks, look, &listeners, true);

	if (r < 0)
		return r;
	/* Those that there is no room for are told twice, which is only slower. */
	for (uint32_t port = looks->lo; port <= looks->hi; port++) {
		if (!look->scan.kinds[port]) {
			span = NULL;
			continue;
		}
		if (!span && looks->listening_count == BERTH_SOCKDIAG_EXCEPT_MAX)
			break;
		if (!span) {
			span = &looks->listening[looks->listening_count++];
			span->lo = (uint16_t)port;
		}
		span->hi = (uint16_t)port;
	}
	return 0;
}

static void dump_part(size_t index, size_t worker, void *arg)
{
	struct looks *looks = arg;
	const struct part *part = &parts[index];
	int r = dump(looks, &looks->each[worker], part, false);

	if (r < 0)
		atomic_store(&looks->error, r);
}

static int mark_bound(const struct berth_bound_socket *socket, void *arg)
{
	put(arg, berth_addr_port(&socket->local), 1 + BERTH_LOOK_BOUND);
	return 0;
}

int berth_scan_load(uint16_t lo, uint16_t hi, bool udp, struct berth_scan *ret_scan)
{
	struct looks looks = { .lo = lo, .hi = hi };
	size_t count = udp ? BERTH_ARRAY_SIZE(parts) : PARTS_TCP;
	bool hidden = false;
	int r;

	if (!lo || hi < lo)
		return -EINVAL;
	looks.each = calloc(BERTH_CREW_MAX, sizeof(*looks.each));
	if (!looks.each)
		return -ENOMEM;
	r = find_listeners(&looks);
	if (r == 0) {
		berth_crew_run(count, 1, dump_part, &looks);
		r = atomic_load(&looks.error);
	}
	if (r == 0 && !berth_bound_is_told())
		r = berth_bound_each(lo, hi, mark_bound, &looks.each[0].scan, &hidden);
	if (r == 0) {
		memcpy(ret_scan, &looks.each[0].scan, sizeof(*ret_scan));
		ret_scan->bound_unseen = hidden;
		for (size_t i = 1; i < BERTH_CREW_MAX; i++)
			for (size_t port = lo; port <= hi; port++)
				if (looks.each[i].scan.kinds[port])
					put(ret_scan, (uint16_t)port,
					    looks.each[i].scan.kinds[port]);
	}
	free(looks.each);
	return r;
}
