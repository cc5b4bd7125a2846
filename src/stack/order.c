/* SPDX-License-Identifier: MIT */
/* stack/order.c - which services of a stack may start, or stop, now: pure decision */
#include "stack/order.h"

#include "stack/mentions.h"

static enum berth_order_verdict judge(enum berth_manifest_condition condition,
				      const struct berth_order_service *state)
{
	bool fulfilled = false;

	switch (condition) {
	case BERTH_MANIFEST_STARTED:
		fulfilled = state->started;
		break;
	case BERTH_MANIFEST_READY:
		fulfilled = state->ready;
		break;
	case BERTH_MANIFEST_COMPLETED:
		fulfilled = state->succeeded && !state->living;
		break;
	case BERTH_MANIFEST_CONDITION_COUNT_:
		break;
	}
	if (fulfilled)
		return BERTH_ORDER_START;
	if (condition == BERTH_MANIFEST_READY && state->lost)
		return BERTH_ORDER_GIVE_UP;
	return state->living ? BERTH_ORDER_WAIT : BERTH_ORDER_GIVE_UP;
}

enum berth_order_verdict berth_order_start(const struct berth_manifest *manifest,
					   const struct berth_order_service *states, size_t index,
					   size_t *ret_dependency)
{
	const struct berth_manifest_service *service = &manifest->services[index];
	enum berth_order_verdict verdict = BERTH_ORDER_START;

	for (size_t i = 0; i < service->depend_count; i++) {
		const struct berth_manifest_dependency *depend = &service->depends[i];
		enum berth_order_verdict one = judge(depend->condition, &states[depend->service]);

		/* The first that it waits for; in vain, where another one will never come. */
		if (one == BERTH_ORDER_START || (one == verdict && one == BERTH_ORDER_WAIT))
			continue;
		verdict = one;
		*ret_dependency = depend->service;
		if (verdict == BERTH_ORDER_GIVE_UP)
			break;
	}
	return verdict;
}

bool berth_order_may_stop(const struct berth_manifest *manifest,
			  const struct berth_order_service *states, size_t index)
{
	for (size_t i = 0; i < manifest->service_count; i++) {
		const struct berth_manifest_service *service = &manifest->services[i];

		if (!states[i].living || !states[i].ending)
			continue;
		for (size_t j = 0; j < service->depend_count; j++)
			if (service->depends[j].service == index)
				return false;
	}
	return true;
}

void berth_order_want(const struct berth_manifest *manifest, struct berth_order_service *states,
		      size_t index)
{
	const struct berth_manifest_service *service = &manifest->services[index];

	states[index].wanted = true;
	for (size_t i = 0; i < service->depend_count; i++)
		if (!states[service->depends[i].service].wanted)
			berth_order_want(manifest, states, service->depends[i].service);
}

void berth_order_want_mentioned(const struct berth_manifest *manifest,
				struct berth_order_service *states)
{
	bool more = true;

	while (more) {
		more = false;
		for (size_t i = 0; i < manifest->service_count; i++)
			for (size_t j = 0; j < manifest->service_count && states[i].wanted; j++) {
				if (states[j].wanted || !berth_mentions(&manifest->services[i],
									manifest->services[j].name))
					continue;
				berth_order_want(manifest, states, j);
				more = true;
			}
	}
}
