/* SPDX-License-Identifier: MIT */
/* stack/manifest-count.c - how many instances a service can have, and how many numbers they need */
#include "stack/manifest-count.h"

#include <errno.h>

static unsigned int ports_of(const struct berth_manifest_service *service)
{
	if (service->no_port)
		return 0;
	return service->wish.port_count ? (unsigned int)service->wish.port_count : 1;
}

static bool has_workers(const struct berth_manifest_service *service, struct berth_err *err)
{
	if (service->workers <= 1)
		return false;
	berth_err_set(err, -EINVAL, BERTH_ERR_USAGE, "'workers' goes not with 'instances'");
	berth_err_hint(err, "workers share one port, instances have a port each");
	return true;
}

static bool is_strict(const struct berth_manifest_service *service, struct berth_err *err)
{
	if (!service->wish.strict)
		return false;
	berth_err_set(err, -EINVAL, BERTH_ERR_USAGE,
		      "'strict' with %u instances: only one can have the wish", service->instances);
	berth_err_hint(err, "'workers' share one port");
	return true;
}

static bool is_too_narrow(const struct berth_manifest_service *service, struct berth_err *err)
{
	const struct berth_range *range = &service->wish.range;
	unsigned int numbers = (unsigned int)(range->hi - range->lo) + 1;
	unsigned int need = service->instances * ports_of(service);

	if (range->lo == 0 || need <= numbers)
		return false;
	berth_err_set(err, -EINVAL, BERTH_ERR_USAGE,
		      "the range has %u numbers, and %u instances need %u", numbers,
		      service->instances, need);
	berth_err_hint(err, "at least %u-%u", range->lo, range->lo + need - 1);
	return true;
}

static const struct {
	const char *key;
	bool (*forbids)(const struct berth_manifest_service *service, struct berth_err *err);
} rules[] = {
	{ "workers", has_workers },
	{ "strict", is_strict },
	{ "range", is_too_narrow },
};

_Static_assert(BERTH_ARRAY_SIZE(rules) == BERTH_MANIFEST_COUNT_RULES, "what the header says");

const char *berth_manifest_count_fault(const struct berth_manifest_service *service, size_t rule,
				       struct berth_err *err)
{
	if (service->instances <= 1 || !rules[rule].forbids(service, err))
		return NULL;
	return rules[rule].key;
}

unsigned int berth_manifest_count_numbers(const struct berth_manifest *manifest,
					  const struct berth_order_service *states)
{
	unsigned int count = 0;

	for (size_t i = 0; i < manifest->service_count; i++)
		if (states[i].wanted)
			count += manifest->services[i].instances * ports_of(&manifest->services[i]);
	return count;
}
