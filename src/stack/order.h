/* SPDX-License-Identifier: MIT */
/* stack/order.h - which services of a stack may start, or stop, now: pure decision */
#pragma once

#include "stack/manifest.h"

/* What has become of a service: of all its instances together. */
struct berth_order_service {
	bool wanted; /* it is to be started, or has been */
	bool started; /* its command was run */
	bool ready; /* all of it is ready, or was and has ended with exit 0 */
	bool lost; /* it will not be ready, though something of it may live */
	bool living; /* something of it is there still, or is yet to come */
	bool succeeded; /* it has ended by itself, with exit 0 */
	bool ending; /* it is to be stopped */
};

enum berth_order_verdict {
	BERTH_ORDER_WAIT,
	BERTH_ORDER_START,
	BERTH_ORDER_GIVE_UP, /* what it depends on will never be what it has to be */
};

/*
 * Of service @index that waits. *ret_dependency is the index of the dependency that it waits for, or
 * that it is given up for; untouched for START. @states are one for each service of @manifest.
 */
enum berth_order_verdict berth_order_start(const struct berth_manifest *manifest,
					   const struct berth_order_service *states, size_t index,
					   size_t *ret_dependency);

/* Nobody that depends on @index is still on its way out: its turn to be stopped. */
bool berth_order_may_stop(const struct berth_manifest *manifest,
			  const struct berth_order_service *states, size_t index);

/* @index is wanted, and what it depends on, and so on. The manifest has no cycles. */
void berth_order_want(const struct berth_manifest *manifest, struct berth_order_service *states,
		      size_t index);
/* So are those whose ports the wanted ones are told: a port that is told is one that somebody has. */
void berth_order_want_mentioned(const struct berth_manifest *manifest,
				struct berth_order_service *states);
