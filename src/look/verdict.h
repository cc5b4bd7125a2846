/* SPDX-License-Identifier: MIT */
/* look/verdict.h - would a bind() to a port succeed, and what is in the way: pure */
#pragma once

#include "look/look.h"

/*
 * What an ordinary server does: SO_REUSEADDR, no SO_REUSEPORT, on every address of a family
 * (0.0.0.0, [::] with both families, as most do) or on the loopback of each.
 */
enum berth_verdict_bind {
	BERTH_VERDICT_ANY4 = 1 << 0, /* 0.0.0.0 */
	BERTH_VERDICT_ANY6 = 1 << 1, /* [::], both families */
	BERTH_VERDICT_LOOPBACK4 = 1 << 2, /* 127.0.0.1 */
	BERTH_VERDICT_LOOPBACK6 = 1 << 3, /* [::1] */
	BERTH_VERDICT_ALL = (1 << 4) - 1,
};

struct berth_verdict {
	unsigned int fails; /* set of berth_verdict_bind: these are refused with EADDRINUSE */
	/* The same without SO_REUSEADDR: any TIME_WAIT is enough then. */
	unsigned int fails_plain;
	/* Two programs answer on this number: 127.0.0.1 and [::1] belong to different sockets. */
	bool split;
	bool answers4, answers6; /* somebody listens that 127.0.0.1, [::1] leads to */
};

/*
 * Of the sockets of our own namespace on @port and @protocol in @look, which should have all kinds.
 * Without holders, programs are told apart by user and cgroup.
 */
struct berth_verdict berth_verdict_of(const struct berth_look *look, uint16_t port, int protocol);
/*
 * Is @socket one of those in the way of some bind of @fails (a set of berth_verdict_bind), as
 * .fails counts it? Never true for clients of a listener, and for other network namespaces.
 */
bool berth_verdict_is_in_the_way(const struct berth_look_socket *socket, unsigned int fails);
/*
 * Do clients of the loopback address of @family (AF_INET, AF_INET6) get to @socket, one of those in
 * @look? It may be one of several.
 */
bool berth_verdict_gets_clients(const struct berth_look *look,
				const struct berth_look_socket *socket, int family);
