/* SPDX-License-Identifier: MIT */
/* stack/manifest-clash.c - services and profiles of berth.yaml beside each other: cycles, numbers, ranges */
#include "stack/manifest-check.h"

#include <errno.h>
#include <string.h>

#include "base/str.h"
#include "stack/manifest-count.h"

/* --- cycles ------------------------------------------------------------------------------------ */

/* The dependency of @from that leads back to @to, over any number of services. */
static const struct berth_manifest_dependency *find_way(const struct berth_manifest *manifest,
							size_t from, size_t to, size_t *before,
							const struct berth_manifest_dependency **by,
							size_t *queue)
{
	size_t head = 0, tail = 0;

	for (size_t i = 0; i < manifest->service_count; i++)
		by[i] = NULL;
	queue[tail++] = from;
	while (head < tail) {
		size_t at = queue[head++];
		const struct berth_manifest_service *service = &manifest->services[at];

		for (size_t i = 0; i < service->depend_count; i++) {
			size_t next = service->depends[i].service;

			if (by[next])
				continue;
			by[next] = &service->depends[i];
			before[next] = at;
			if (next == to)
				return by[next];
			queue[tail++] = next;
		}
	}
	return NULL;
}

/* "a -> b -> a": the shortest loop that @loop is in. */
static int tell_loop(struct berth_manifest_reader *reader, size_t loop)
{
	const struct berth_manifest *manifest = reader->manifest;
	const struct berth_manifest_dependency *by[BERTH_MANIFEST_SERVICES_MAX], *last;
	size_t before[BERTH_MANIFEST_SERVICES_MAX], queue[BERTH_MANIFEST_SERVICES_MAX + 1];
	size_t way[BERTH_MANIFEST_SERVICES_MAX], len = 0;
	BERTH_CLEANUP(berth_str_deinit) struct berth_str text = { 0 };

	last = find_way(manifest, loop, loop, before, by, queue);
	if (!last)
		return 0;
	for (size_t at = before[loop]; at != loop; at = before[at])
		way[len++] = at;
	berth_str_add(&text, manifest->services[loop].name);
	while (len > 0)
		berth_str_addf(&text, " -> %s", manifest->services[way[--len]].name);
	berth_str_addf(&text, " -> %s", manifest->services[loop].name);
	if (text.failed)
		return -ENOMEM;
	berth_faults_add(reader->faults, last->at, "these wait for each other: %s", text.text);
	return 0;
}

static int check_cycles(struct berth_manifest_reader *reader)
{
	size_t order[BERTH_MANIFEST_SERVICES_MAX], loop;
	int r = berth_manifest_order(reader->manifest, order, &loop);

	return r == -ELOOP ? tell_loop(reader, loop) : r;
}

/* What is always started again never ends with success for good. */
static void check_completions(struct berth_manifest_reader *reader)
{
	const struct berth_manifest *manifest = reader->manifest;

	for (size_t i = 0; i < manifest->service_count; i++) {
		const struct berth_manifest_service *service = &manifest->services[i];

		for (size_t k = 0; k < service->depend_count; k++) {
			const struct berth_manifest_dependency *on = &service->depends[k];
			const struct berth_manifest_service *other =
				&manifest->services[on->service];

			if (on->condition != BERTH_MANIFEST_COMPLETED ||
			    other->policy.restart != BERTH_SERVICE_RESTART_ALWAYS)
				continue;
			berth_faults_add(reader->faults, on->at,
					 "'%s' is never completed: it is always started again",
					 other->name);
			berth_faults_hint(reader->faults, "restart: on-failure, for '%s'",
					  other->name);
		}
	}
}

/* --- numbers ----------------------------------------------------------------------------------- */

static bool shares(char *const *profiles, char *const *others)
{
	for (; *profiles; profiles++) {
		for (char *const *other = others; *other; other++) {
			if (!strcmp(*profiles, *other))
				return true;
		}
	}
	return false;
}

/* Is there a start in which both run? */
static bool may_meet(const struct berth_manifest_service *a, const struct berth_manifest_service *b)
{
	return !a->profiles || !b->profiles || shares(a->profiles, b->profiles);
}

/* What a wish is called in a message: its service, and its name where there are several. */
static void add_wish(struct berth_str *text, const struct berth_manifest_service *service,
		     size_t port)
{
	berth_str_addf(text, "'%s", service->name);
	if (service->wish.port_count > 1)
		berth_str_addf(text, ":%s", service->wish.ports[port].name);
	berth_str_add(text, "'");
}

static int check_pair(struct berth_manifest_reader *reader, size_t first, size_t second)
{
	const struct berth_manifest_service *a = &reader->manifest->services[first];
	const struct berth_manifest_service *b = &reader->manifest->services[second];

	for (size_t i = 0; i < a->wish.port_count; i++) {
		for (size_t k = 0; k < b->wish.port_count; k++) {
			const struct berth_wish_port *one = &a->wish.ports[i];
			const struct berth_wish_port *other = &b->wish.ports[k];
			BERTH_CLEANUP(berth_str_deinit) struct berth_str text = { 0 };

			if (one->list_len == 0 || other->list_len == 0 || one->udp != other->udp ||
			    one->list[0] != other->list[0])
				continue;
			add_wish(&text, a, i);
			berth_str_add(&text, " and ");
			add_wish(&text, b, k);
			if (text.failed)
				return -ENOMEM;
			berth_faults_add(reader->faults, reader->places[second].ports[k],
					 "%s both wish %u", text.text, other->list[0]);
			berth_faults_hint(reader->faults, "the first is in line %u",
					  reader->places[first].ports[i].line);
		}
	}
	return 0;
}

static int check_wishes(struct berth_manifest_reader *reader)
{
	const struct berth_manifest *manifest = reader->manifest;

	for (size_t i = 0; i < manifest->service_count; i++) {
		for (size_t k = 0; k < i; k++) {
			if (may_meet(&manifest->services[k], &manifest->services[i]) &&
			    check_pair(reader, k, i) < 0)
				return -ENOMEM;
		}
	}
	return 0;
}

/* --- names of variables ------------------------------------------------------------------------ */

/* WEB_WS_PORT is of 'web-ws', or of the port 'ws' of 'web'. */
static int check_variables(struct berth_manifest_reader *reader)
{
	const struct berth_manifest *manifest = reader->manifest;

	for (size_t i = 0; i < manifest->service_count; i++) {
		const struct berth_manifest_service *service = &manifest->services[i];

		for (size_t k = 0; k < service->wish.port_count; k++) {
			BERTH_CLEANUP(berth_str_deinit) struct berth_str name = { 0 };
			int other;

			/* It has no variables of its own name. */
			if (!strcmp(service->wish.ports[k].name, "main"))
				continue;
			berth_str_addf(&name, "%s-%s", service->name, service->wish.ports[k].name);
			if (name.failed)
				return -ENOMEM;
			other = berth_manifest_find(manifest, name.text);
			if (other < 0 || !may_meet(service, &manifest->services[other]))
				continue;
			berth_faults_add(
				reader->faults, reader->places[i].ports[k],
				"the port '%s' of '%s' and the service '%s' would have the "
				"same variables",
				service->wish.ports[k].name, service->name, name.text);
			berth_faults_hint(reader->faults, "call one of them something else");
		}
	}
	return 0;
}

/* --- profiles ---------------------------------------------------------------------------------- */

static bool overlap(const struct berth_range *a, const struct berth_range *b)
{
	return a->lo && b->lo && a->lo <= b->hi && b->lo <= a->hi;
}

static bool is_in_profile(const struct berth_manifest_service *service, const char *profile)
{
	for (char *const *word = service->profiles; word && *word; word++) {
		if (!strcmp(*word, profile))
			return true;
	}
	return !service->profiles;
}

/* Not only its own: what those depend on takes its numbers from there, too. */
static void check_size(struct berth_manifest_reader *reader,
		       const struct berth_manifest_profile *profile)
{
	const struct berth_manifest *manifest = reader->manifest;
	unsigned int numbers = (unsigned int)(profile->range.hi - profile->range.lo) + 1, need;
	struct berth_order_service states[BERTH_MANIFEST_SERVICES_MAX] = { { 0 } };

	for (size_t i = 0; i < manifest->service_count; i++)
		if (is_in_profile(&manifest->services[i], profile->name))
			berth_order_want(manifest, states, i);
	berth_order_want_mentioned(manifest, states);
	need = berth_manifest_count_numbers(manifest, states);
	if (need > numbers)
		berth_faults_add(reader->faults, profile->at,
				 "the range of the profile '%s' has %u number%s, and its services "
				 "need %u",
				 profile->name, numbers, numbers == 1 ? "" : "s", need);
}

/* A number that a profile keeps for itself can't be had without it. */
static void check_kept(struct berth_manifest_reader *reader,
		       const struct berth_manifest_profile *profile)
{
	for (size_t i = 0; i < reader->manifest->service_count; i++) {
		const struct berth_manifest_service *service = &reader->manifest->services[i];

		if (service->profiles && is_in_profile(service, profile->name))
			continue;
		for (size_t k = 0; k < service->wish.port_count; k++) {
			const struct berth_wish_port *port = &service->wish.ports[k];

			if (port->list_len == 0 || !berth_range_has(&profile->range, port->list[0]))
				continue;
			berth_faults_add(reader->faults, reader->places[i].ports[k],
					 "'%s' wishes %u, which the profile '%s' keeps for itself "
					 "(%u-%u)",
					 service->name, port->list[0], profile->name,
					 profile->range.lo, profile->range.hi);
		}
	}
}

static void check_profiles(struct berth_manifest_reader *reader)
{
	const struct berth_manifest *manifest = reader->manifest;

	for (size_t i = 0; i < manifest->profile_count; i++) {
		const struct berth_manifest_profile *profile = &manifest->profiles[i];

		if (!profile->range.lo)
			continue;
		check_size(reader, profile);
		check_kept(reader, profile);
		for (size_t k = 0; k < i; k++) {
			const struct berth_manifest_profile *other = &manifest->profiles[k];

			if (overlap(&profile->range, &other->range))
				berth_faults_add(reader->faults, profile->at,
						 "the ranges of the profiles '%s' and '%s' "
						 "overlap (%u-%u, %u-%u)",
						 other->name, profile->name, other->range.lo,
						 other->range.hi, profile->range.lo,
						 profile->range.hi);
		}
	}
}

int berth_manifest_check_clashes(struct berth_manifest_reader *reader)
{
	int r = check_cycles(reader);

	check_completions(reader);
	if (r == 0)
		r = check_wishes(reader);
	if (r == 0)
		r = check_variables(reader);
	if (r == 0)
		check_profiles(reader);
	return r;
}
