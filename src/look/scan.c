/* SPDX-License-Identifier: MIT */
/* look/scan.c - which numbers of a range are taken, at a glance: without processes, without a bind */
/*
 * What takes time is the kernel's walk over its tables, and 0.6 us for each connection that it
 * tells of. Listeners are told first, which is quick. Then their numbers are known to be taken, and
 * need not be told again: what a server has accepted has its number, and that may be most of all
 * there is.
 *
 * Two threads share the work. One begins with the listeners and goes on with most connections. The
 * other one begins with what is bound, and goes on with the connections at the upper end of the
 * range for outgoing ones. So they seldom are in the same place of a table, where they would wait
 * for each other. That upper end does not wait for the listeners: there are few of them up there.
 */
#include "look/scan.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <string.h>

#include "look/bound.h"
#include "os/crew.h"
#include "os/sockdiag.h"

enum {
	CONNECTED = BERTH_SOCKDIAG_CONNECTED | BERTH_SOCKDIAG_TIME_WAIT,
};

/* Ports that need not be told. */
struct spans {
	struct berth_sockdiag_span list[BERTH_SOCKDIAG_EXCEPT_MAX];
	size_t count;
};

/* One thread's. */
struct look {
	struct berth_scan scan;
	uint16_t lo, hi;
	uint16_t upper; /* the first that the other thread asks for */
	bool udp;
	int protocol; /* of the dump at hand */
	int result;
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

/* From port @lo to @hi, but for @except, which may be NULL. */
static int dump(struct look *look, int protocol, uint32_t states, uint16_t lo, uint16_t hi,
		const struct spans *except)
{
	struct berth_sockdiag_query query = {
		.family = AF_UNSPEC,
		.protocol = protocol,
		.states = states,
		.port_lo = lo,
		.port_hi = hi,
		.except = except ? except->list : NULL,
		.except_count = except ? except->count : 0,
	};

	look->protocol = protocol;
	return lo > hi ? 0 : berth_sockdiag_each(&query, mark, look);
}

/* Those that there is no room for are told twice, which is only slower. */
static void list_taken(const struct look *look, struct spans *spans)
{
	struct berth_sockdiag_span *span = NULL;

	for (uint32_t port = look->lo; port <= look->hi; port++) {
		if (!look->scan.kinds[port]) {
			span = NULL;
			continue;
		}
		if (!span && spans->count == BERTH_SOCKDIAG_EXCEPT_MAX)
			break;
		if (!span) {
			span = &spans->list[spans->count++];
			span->lo = (uint16_t)port;
		}
		span->hi = (uint16_t)port;
	}
}

static int look_first(struct look *look)
{
	struct spans listening = { 0 };
	uint16_t last = look->upper - 1;
	int r;

	r = dump(look, IPPROTO_TCP, BERTH_SOCKDIAG_LISTEN, look->lo, look->hi, NULL);
	if (r < 0)
		return r;
	list_taken(look, &listening);
	return dump(look, IPPROTO_TCP, CONNECTED, look->lo, look->hi < last ? look->hi : last,
		    &listening);
}

static void *look_second(void *arg)
{
	struct look *look = arg;
	uint16_t first = look->lo > look->upper ? look->lo : look->upper;

	look->result = dump(look, IPPROTO_TCP, BERTH_SOCKDIAG_BOUND, look->lo, look->hi, NULL);
	if (look->result == 0 && look->udp)
		look->result =
			dump(look, IPPROTO_UDP, BERTH_SOCKDIAG_ANY, look->lo, look->hi, NULL);
	if (look->result == 0)
		look->result = dump(look, IPPROTO_TCP, CONNECTED, first, look->hi, NULL);
	return NULL;
}

/* All into looks[0]. */
static int look_by_two(struct look looks[2])
{
	pthread_t thread;
	bool beside = berth_crew_start(look_second, &looks[1], &thread) == 0;
	int r = look_first(&looks[0]);

	if (beside)
		pthread_join(thread, NULL);
	else
		look_second(&looks[1]);
	for (size_t port = looks[0].lo; port <= looks[0].hi; port++)
		if (looks[1].scan.kinds[port])
			put(&looks[0].scan, (uint16_t)port, looks[1].scan.kinds[port]);
	return r < 0 ? r : looks[1].result;
}

static int mark_bound(const struct berth_bound_socket *socket, void *arg)
{
	put(arg, berth_addr_port(&socket->local), 1 + BERTH_LOOK_BOUND);
	return 0;
}

/* A third of the range for outgoing connections, which is where most are. */
static uint16_t find_upper(void)
{
	uint16_t lo = 32768, hi = 60999;

	(void)!berth_sock_outgoing_range(&lo, &hi);
	return (uint16_t)(hi - (hi - lo) / 3);
}

int berth_scan_load(uint16_t lo, uint16_t hi, bool udp, struct berth_scan *ret_scan)
{
	struct look *looks;
	bool hidden = false;
	int r;

	if (!lo || hi < lo)
		return -EINVAL;
	looks = calloc(2, sizeof(*looks));
	if (!looks)
		return -ENOMEM;
	looks[0].lo = looks[1].lo = lo;
	looks[0].hi = looks[1].hi = hi;
	looks[0].upper = looks[1].upper = find_upper();
	looks[1].udp = udp;
	r = look_by_two(looks);
	if (r == 0 && !berth_bound_is_told())
		r = berth_bound_each(lo, hi, mark_bound, &looks[0].scan, &hidden);
	if (r == 0) {
		memcpy(ret_scan, &looks[0].scan, sizeof(*ret_scan));
		ret_scan->bound_unseen = hidden;
	}
	free(looks);
	return r;
}
