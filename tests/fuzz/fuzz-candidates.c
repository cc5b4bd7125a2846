/* SPDX-License-Identifier: MIT */
/* fuzz/fuzz-candidates.c - any wish, and what every sequence of candidates must keep to */
#include "fuzz.h"

#include "port/candidates.h"

/* Wider ranges are only slower. */
enum {
	RANGE_MAX = 600,
	ATTEMPTS_MAX = 300,
	OFFERED_MAX = 4096
};

struct input {
	const uint8_t *data;
	size_t size;
};

static uint8_t take_byte(struct input *input)
{
	if (input->size == 0)
		return 0;
	input->size--;
	return *input->data++;
}

static uint16_t take_port(struct input *input)
{
	uint8_t high = take_byte(input);

	return (uint16_t)(high << 8 | take_byte(input));
}

static void take_wish(struct input *input, struct berth_wish *wish)
{
	uint8_t flags = take_byte(input);

	wish->any = flags & 1;
	wish->strict = flags & 2;
	if (flags & 4) {
		uint32_t lo = take_port(input), hi = lo + take_port(input) % RANGE_MAX;

		wish->range.lo = (uint16_t)lo;
		wish->range.hi = hi > UINT16_MAX ? UINT16_MAX : (uint16_t)hi;
	}
	wish->step = flags & 8 ? take_port(input) : 0;
	wish->around = flags & 16 ? take_port(input) % ATTEMPTS_MAX : 0;
	wish->attempts = flags & 32 ? take_port(input) % ATTEMPTS_MAX : 0;
	wish->port_count = take_byte(input) % (BERTH_WISH_PORTS_MAX + 1);
	for (size_t i = 0; i < wish->port_count; i++) {
		struct berth_wish_port *port = &wish->ports[i];
		uint8_t shape = take_byte(input);

		port->udp = shape & 128;
		port->list_len = shape % (BERTH_WISH_LIST_MAX + 1);
		for (size_t k = 0; k < port->list_len; k++) {
			port->list[k] = take_port(input);
			if (port->list[k] == 0)
				port->list[k] = 1;
		}
	}
}

static bool is_reserved(uint16_t port, void *arg)
{
	return port % 7 == 3;
}

static bool is_foreign(uint16_t port, void *arg)
{
	return port % 5 == 2;
}

/* The very wish, port for port. */
static bool is_wish(const struct berth_wish *wish, const struct berth_candidate *candidate)
{
	bool wished = false;

	for (size_t i = 0; i < wish->port_count; i++) {
		if (wish->ports[i].list_len == 0)
			continue;
		wished = true;
		if (candidate->port[i] != wish->ports[i].list[0])
			return false;
	}
	return wished;
}

static void must_be_sound(const struct berth_candidates_spec *spec,
			  const struct berth_candidate *candidate)
{
	const struct berth_wish *wish = spec->wish;
	size_t count = wish->port_count ? wish->port_count : 1;

	for (size_t i = 0; i < BERTH_WISH_PORTS_MAX; i++) {
		MUST((candidate->port[i] != 0) == (i < count));
		MUST(i >= count || !spec->reserved_fn || !is_reserved(candidate->port[i], NULL) ||
		     is_wish(wish, candidate));
		for (size_t k = 0; k < i && i < count; k++)
			MUST(candidate->port[k] != candidate->port[i] ||
			     wish->ports[k].udp != wish->ports[i].udp);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct berth_candidate offered[OFFERED_MAX];
	BERTH_CLEANUP(berth_candidates_freep) struct berth_candidates *candidates = NULL;
	struct input input = { data, size };
	struct berth_wish wish = { 0 };
	struct berth_candidate remembered[2] = { 0 }, pinned = { 0 };
	struct berth_candidates_spec spec = { .wish = &wish };
	enum berth_port_reason reason;
	uint8_t flags = take_byte(&input);
	size_t count = 0;
	bool held_back = false;

	take_wish(&input, &wish);
	if (flags & 1)
		spec.reserved_fn = is_reserved;
	if (flags & 2)
		spec.foreign_fn = is_foreign;
	if (flags & 4) {
		for (size_t i = 0; i < BERTH_WISH_PORTS_MAX; i++)
			remembered[0].port[i] = take_port(&input);
		spec.remembered = remembered;
		spec.remembered_count = 1;
	}
	if (flags & 8) {
		for (size_t i = 0; i < BERTH_WISH_PORTS_MAX; i++)
			pinned.port[i] = take_port(&input);
		spec.pinned = &pinned;
	}
	if (flags & 16) {
		for (size_t i = 0; i < BERTH_WISH_PORTS_MAX; i++)
			remembered[1].port[i] = take_port(&input);
		spec.remembered = remembered;
		spec.remembered_count = 2;
	}
	MUST(berth_candidates_new(&spec, &candidates) == 0);
	while (berth_candidates_next(candidates, &offered[count], &reason)) {
		const struct berth_candidate *candidate = &offered[count];
		bool foreign = false;

		MUST(reason == BERTH_PORT_WISHED || reason == BERTH_PORT_REMEMBERED ||
		     reason == BERTH_PORT_TAKEN || reason == BERTH_PORT_ANY ||
		     (reason == BERTH_PORT_PINNED && spec.pinned && count == 0));
		if (reason == BERTH_PORT_ANY) {
			MUST(wish.any && !wish.strict && candidate->port[0] == 0);
			MUST(!berth_candidates_next(candidates, &offered[count], &reason));
			break;
		}
		must_be_sound(&spec, candidate);
		for (size_t i = 0; i < count; i++)
			MUST(memcmp(&offered[i], candidate, sizeof(*candidate)));
		for (size_t i = 0; i < BERTH_WISH_PORTS_MAX; i++)
			foreign |= candidate->port[i] && is_foreign(candidate->port[i], NULL);
		held_back |= foreign && reason != BERTH_PORT_PINNED;
		MUST(!spec.foreign_fn || foreign || !held_back);
		MUST(!wish.strict || count == 0);
		MUST(++count < OFFERED_MAX);
	}
	return 0;
}
