/* SPDX-License-Identifier: MIT */
/* stack/manifest-count.h - how many instances a service can have, and how many numbers they need */
#pragma once

#include "stack/manifest.h"
#include "stack/order.h"

enum {
	BERTH_MANIFEST_COUNT_RULES = 3,
};

/*
 * Whether rule @rule (0 ..) forbids @service as many instances as it has: the key that is in their
 * way, and @err (USAGE) says why; NULL: it does not, and @err is untouched.
 */
const char *berth_manifest_count_fault(const struct berth_manifest_service *service, size_t rule,
				       struct berth_err *err);

/* The numbers of those that are wanted, with all of their instances. */
unsigned int berth_manifest_count_numbers(const struct berth_manifest *manifest,
					  const struct berth_order_service *states);
