/* SPDX-License-Identifier: MIT */
/* port/choose.h - from a wish to leased ports: the candidates, tried against the kernel */
#pragma once

#include "base/err.h"
#include "port/candidates.h"
#include "port/lease.h"
#include "port/reserved.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	BERTH_CHOOSE_REFUSED_MAX = 8
};

/* Why a number was passed over. */
enum berth_choose_why {
	BERTH_CHOOSE_TAKEN, /* somebody has it, at least in part */
	BERTH_CHOOSE_DENIED, /* the kernel does not let us (EACCES) */
	BERTH_CHOOSE_RESERVED, /* see berth_choose_refused.reserved */
	BERTH_CHOOSE_FOREIGN, /* it is remembered for another folder; only said of a wish */
};

struct berth_choose_refused {
	uint16_t port;
	bool udp;
	enum berth_choose_why why;
	enum berth_reserved_why reserved; /* with BERTH_CHOOSE_RESERVED */
};

/* All borrowed for the call. */
struct berth_choose_spec {
	const struct berth_wish *wish; /* checked: berth_wish_check() */
	const struct berth_candidate *pinned; /* by the user, for this service; NULL: none */
	const struct berth_candidate *remembered; /* in the order of trying */
	size_t remembered_count;
	const struct berth_reserved *reserved; /* NULL: nothing is */
	const struct berth_portset *foreign; /* remembered for other folders; NULL: none */
	/*
	 * TCP ports that a search just before has found taken: they are not asked for again, and
	 * what is found is added. For those who lease many in a row, by the same means; NULL: none.
	 */
	struct berth_portset *taken;
	struct berth_lease_means means;
	int64_t deadline_ns; /* CLOCK_MONOTONIC; 0: none. The first candidate is always tried */
	const char *service; /* whom the messages name; NULL: nobody */
	/*
	 * Names a holder that the caller knows better than the kernel does ("node 812 'shop/api'");
	 * false: it doesn't. NULL: none.
	 */
	bool (*holder_fn)(uint16_t port, char *buf, size_t size, void *arg);
	void *holder_arg;
};

struct berth_choice {
	/*
	 * In the wish's order; owned: berth_choice_release(). Those from @count on are not taken.
	 */
	struct berth_lease leases[BERTH_WISH_PORTS_MAX];
	struct berth_candidate ports;
	size_t count; /* of ports; 1 for a wish without any */
	enum berth_port_reason reason; /* of the whole: WISHED PINNED REMEMBERED TAKEN RESERVED
					 ANY */
	enum berth_port_reason reasons[BERTH_WISH_PORTS_MAX]; /* of each port, GROUP among them */
	/*
	 * The first numbers that were passed over, in the order of trying, and how many there were
	 * in all.
	 */
	struct berth_choose_refused refused[BERTH_CHOOSE_REFUSED_MAX];
	size_t refused_count;
	size_t tried;
};

/* Positive outcomes. */
enum {
	BERTH_CHOOSE_E_NO_PORT = 1, /* every candidate was refused, or the time was up */
};

/*
 * Lease all ports of the first candidate that can be had as a whole; nothing is kept of those that
 * can't. A wish that is reserved is passed over as if it were taken (with strict: refused). 0.
 * E_NO_PORT: @err (code NO_PORT) says which numbers, why, who holds the first of them and what the
 * user can do; of @ret_choice only the fields about what was refused are filled, no lease. -errno
 * (-EMFILE, -ENOMEM ...).
 */
BERTH_MUST_USE int berth_choose(const struct berth_choose_spec *spec,
				struct berth_choice *ret_choice, struct berth_err *err);

/* Release all leases; harmless on a choice that failed, and a second time. */
void berth_choice_release(struct berth_choice *choice);
