/* SPDX-License-Identifier: MIT */
/* port/candidates.c - in which order numbers are tried: a pure sequence */
/*
 * A group moves as a whole, so nearly every candidate is the wish plus one shift for all of its
 * ports; a lone port is a group of one. Counting is therefore counting of shifts, and "was this
 * offered before" is one bit per shift: 2^17 bits, whatever the length of a range. Only the user's
 * lists and the remembered numbers can hold anything else ("odd"); they are few and kept as they
 * are.
 *
 * The sources below each yield raw candidates by running index; accept() alone says what may be
 * offered. The whole is run twice: what is remembered for another folder is held back in the first
 * round, and what was offered in the first is left out of the second.
 */
#include "port/candidates.h"

#include <errno.h>
#include <string.h>

enum {
	PORT_LAST = 65535,
	PRIVILEGED_END = 1024, /* ip(7); ip_unprivileged_port_start changes nothing here */
	UNPRIVILEGED_SHIFT = 8000, /* 80 -> 8080 */
	ATTEMPTS = 100,
	STEP_ROUND = 10,
	/* The lists, the pinned and the remembered numbers. */
	ODD_MAX = BERTH_WISH_LIST_MAX + 1 + BERTH_CANDIDATES_REMEMBERED_MAX,
};

enum source {
	SOURCE_PINNED,
	SOURCE_WISH,
	SOURCE_LISTS,
	SOURCE_REMEMBERED,
	SOURCE_AROUND,
	SOURCE_COUNT,
};

struct berth_candidates {
	struct berth_candidates_spec spec;

	size_t count; /* ports of one candidate */
	bool wished; /* the user named a number */
	bool has_base;
	int base[BERTH_WISH_PORTS_MAX]; /* where shift 0 is: the wish, or the range's start */
	int low, high; /* least and greatest of @base */
	int first; /* the shift from which counting goes on */
	int step; /* of counting */

	int round, rounds;
	enum source source;
	int index; /* within the source */
	bool done;

	uint64_t shifts[2 * (PORT_LAST + 1) / 64]; /* offered; bit 0 is a shift of -PORT_LAST */
	struct berth_candidate odd[ODD_MAX];
	size_t odd_count;
};

const char *berth_port_reason_name(enum berth_port_reason reason)
{
	static const char *const names[] = {
#define X(id, name) [BERTH_PORT_##id] = name,
		BERTH_PORT_REASONS(X)
#undef X
	};

	return names[reason];
}

/* The base plus @shift; 0 for a number that would be none. */
static uint16_t shifted(const struct berth_candidates *c, size_t i, int shift)
{
	int port = c->base[i] + shift;

	return port >= 1 && port <= PORT_LAST ? (uint16_t)port : 0;
}

static void shift_all(const struct berth_candidates *c, int shift, struct berth_candidate *ret)
{
	for (size_t i = 0; i < c->count; i++)
		ret->port[i] = shifted(c, i, shift);
}

/* Fill what is open in @candidate by the shift of its first number. False: nothing to go by. */
static bool complete(const struct berth_candidates *c, struct berth_candidate *candidate)
{
	size_t known = 0;

	while (known < c->count && candidate->port[known] == 0)
		known++;
	if (known == c->count)
		return false;
	for (size_t i = 0; i < c->count; i++) {
		if (candidate->port[i] == 0 && c->has_base)
			candidate->port[i] = shifted(c, i, candidate->port[known] - c->base[known]);
	}
	return true;
}

/* Is it the base moved as a whole, and by how much? */
static bool is_shifted(const struct berth_candidates *c, const struct berth_candidate *candidate,
		       int *ret_shift)
{
	int shift;

	if (!c->has_base)
		return false;
	shift = candidate->port[0] - c->base[0];
	for (size_t i = 1; i < c->count; i++) {
		if (candidate->port[i] - c->base[i] != shift)
			return false;
	}
	*ret_shift = shift;
	return true;
}

static bool is_in_range(const struct berth_candidates *c, const struct berth_candidate *candidate)
{
	if (c->spec.wish->range.lo == 0)
		return true;
	for (size_t i = 0; i < c->count; i++) {
		if (!berth_range_has(&c->spec.wish->range, candidate->port[i]))
			return false;
	}
	return true;
}

/* The sources: raw candidate number @index, 0 for what does not exist; false behind the last. */

static bool source_pinned(const struct berth_candidates *c, int index, struct berth_candidate *ret)
{
	if (index > 0 || !c->spec.pinned || c->spec.wish->strict)
		return false;
	memcpy(ret->port, c->spec.pinned->port, c->count * sizeof(ret->port[0]));
	return complete(c, ret);
}

static bool source_wish(const struct berth_candidates *c, int index, struct berth_candidate *ret)
{
	if (index > 0 || !c->has_base || !(c->wished || c->spec.wish->strict))
		return false;
	shift_all(c, 0, ret);
	return true;
}

static bool source_lists(const struct berth_candidates *c, int index, struct berth_candidate *ret)
{
	const struct berth_wish *wish = c->spec.wish;
	size_t fallback = (size_t)index + 1;

	for (size_t i = 0; i < wish->port_count; i++) {
		if (fallback < wish->ports[i].list_len)
			ret->port[i] = wish->ports[i].list[fallback];
	}
	return complete(c, ret);
}

static bool source_remembered(const struct berth_candidates *c, int index,
			      struct berth_candidate *ret)
{
	if ((size_t)index >= c->spec.remembered_count)
		return false;
	memcpy(ret->port, c->spec.remembered[index].port, c->count * sizeof(ret->port[0]));
	/* The user may have asked for another range since. */
	if (!complete(c, ret) || !is_in_range(c, ret))
		memset(ret, 0, sizeof(*ret));
	return true;
}

/* 0 +1 -1 +2 -2 ...: by one, the neighbourhood being what was asked for, if no step was set. */
static bool source_around(const struct berth_candidates *c, int index, struct berth_candidate *ret)
{
	int unit = c->spec.wish->step ? c->spec.wish->step : 1;
	int distance = (index + 1) / 2 * unit;

	if (!c->has_base || c->spec.wish->around == 0 || distance > c->spec.wish->around)
		return false;
	shift_all(c, c->first + (index % 2 ? distance : -distance), ret);
	if (!is_in_range(c, ret))
		memset(ret, 0, sizeof(*ret));
	return true;
}

/* Upwards through the range from @first, then in the same steps from its start up to @first. */
static bool count_range(const struct berth_candidates *c, int index, struct berth_candidate *ret)
{
	int lo = c->spec.wish->range.lo - c->low, hi = c->spec.wish->range.hi - c->high;
	int begin = lo + (c->first - lo) % c->step;
	int above = (hi - c->first) / c->step + 1;
	int below = (c->first - begin) / c->step;

	if (c->first > hi || index >= above + below)
		return false;
	shift_all(c, index < above ? c->first + index * c->step : begin + (index - above) * c->step,
		  ret);
	return true;
}

static bool source_count(const struct berth_candidates *c, int index, struct berth_candidate *ret)
{
	const struct berth_wish *wish = c->spec.wish;

	if (!c->has_base)
		return false;
	if (wish->range.lo != 0)
		return count_range(c, index, ret);
	if (wish->around != 0 || index >= (wish->attempts ? wish->attempts : ATTEMPTS))
		return false;
	shift_all(c, c->first + index * c->step, ret);
	return true;
}

static bool (*const sources[])(const struct berth_candidates *, int, struct berth_candidate *) = {
	[SOURCE_PINNED] = source_pinned, [SOURCE_WISH] = source_wish,
	[SOURCE_LISTS] = source_lists,	 [SOURCE_REMEMBERED] = source_remembered,
	[SOURCE_AROUND] = source_around, [SOURCE_COUNT] = source_count,
};

/* Numbers that exist, and none for two ports of one protocol. */
static bool is_sound(const struct berth_candidates *c, const struct berth_candidate *candidate)
{
	const struct berth_wish_port *ports = c->spec.wish->ports;

	for (size_t i = 0; i < c->count; i++) {
		if (candidate->port[i] == 0)
			return false;
		for (size_t k = 0; k < i; k++) {
			if (candidate->port[k] == candidate->port[i] &&
			    ports[k].udp == ports[i].udp)
				return false;
		}
	}
	return true;
}

static bool any_port(const struct berth_candidates *c, const struct berth_candidate *candidate,
		     bool (*fn)(uint16_t port, void *arg))
{
	for (size_t i = 0; fn && i < c->count; i++) {
		if (fn(candidate->port[i], c->spec.arg))
			return true;
	}
	return false;
}

static bool any_privileged(const struct berth_candidates *c,
			   const struct berth_candidate *candidate)
{
	for (size_t i = 0; i < c->count; i++) {
		if (candidate->port[i] < PRIVILEGED_END)
			return true;
	}
	return false;
}

static bool was_offered(const struct berth_candidates *c, const struct berth_candidate *candidate)
{
	unsigned int bit;
	int shift;

	if (is_shifted(c, candidate, &shift)) {
		bit = (unsigned int)(shift + PORT_LAST);
		return c->shifts[bit / 64] >> bit % 64 & 1;
	}
	for (size_t i = 0; i < c->odd_count; i++) {
		if (!memcmp(&c->odd[i], candidate, sizeof(*candidate)))
			return true;
	}
	return false;
}

static void note_offered(struct berth_candidates *c, const struct berth_candidate *candidate)
{
	unsigned int bit;
	int shift;

	if (is_shifted(c, candidate, &shift)) {
		bit = (unsigned int)(shift + PORT_LAST);
		c->shifts[bit / 64] |= UINT64_C(1) << bit % 64;
	} else {
		c->odd[c->odd_count++] = *candidate;
	}
}

/* May @candidate, from the source that is at work, be offered now? */
static bool accept(const struct berth_candidates *c, const struct berth_candidate *candidate)
{
	bool is_wish;
	int shift;

	if (!is_sound(c, candidate) || was_offered(c, candidate))
		return false;
	is_wish = c->wished && is_shifted(c, candidate, &shift) && shift == 0;
	if (!is_wish) {
		if (any_port(c, candidate, c->spec.reserved_fn))
			return false;
		if (c->source >= SOURCE_AROUND && any_privileged(c, candidate))
			return false;
	}
	return c->round == c->rounds || c->source == SOURCE_PINNED ||
	       !any_port(c, candidate, c->spec.foreign_fn);
}

static enum berth_port_reason reason_of(const struct berth_candidates *c,
					const struct berth_candidate *candidate)
{
	int shift;

	if (c->source == SOURCE_PINNED)
		return BERTH_PORT_PINNED;
	if (c->source == SOURCE_REMEMBERED)
		return BERTH_PORT_REMEMBERED;
	return is_shifted(c, candidate, &shift) && shift == 0 ? BERTH_PORT_WISHED
							      : BERTH_PORT_TAKEN;
}

bool berth_candidates_next(struct berth_candidates *c, struct berth_candidate *ret_candidate,
			   enum berth_port_reason *ret_reason)
{
	enum source last = c->spec.wish->strict ? SOURCE_WISH : SOURCE_COUNT;

	for (; c->round <= c->rounds; c->round++, c->source = SOURCE_PINNED) {
		for (; c->source <= last; c->source++, c->index = 0) {
			for (;;) {
				struct berth_candidate candidate = { 0 };

				if (!sources[c->source](c, c->index, &candidate))
					break;
				c->index++;
				if (!accept(c, &candidate))
					continue;
				note_offered(c, &candidate);
				*ret_reason = reason_of(c, &candidate);
				*ret_candidate = candidate;
				return true;
			}
		}
	}
	if (c->done || !c->spec.wish->any || c->spec.wish->strict)
		return false;
	c->done = true;
	*ret_reason = BERTH_PORT_ANY;
	memset(ret_candidate, 0, sizeof(*ret_candidate));
	return true;
}

/* Is @port the wish of one of the ports, or the base of one before @end? */
static bool is_based(const struct berth_candidates *c, size_t end, int port)
{
	const struct berth_wish *wish = c->spec.wish;

	for (size_t i = 0; i < wish->port_count; i++) {
		if (wish->ports[i].list_len > 0 && wish->ports[i].list[0] == port)
			return true;
		if (i < end && c->base[i] == port)
			return true;
	}
	return false;
}

/* A port without a wish follows the one before it, or stands at the range's start; else no base. */
static void find_base(struct berth_candidates *c)
{
	const struct berth_wish *wish = c->spec.wish;
	int before = wish->range.lo - 1;

	for (size_t i = 0; i < c->count; i++) {
		if (i < wish->port_count && wish->ports[i].list_len > 0) {
			c->base[i] = wish->ports[i].list[0];
			c->wished = true;
		} else if (before >= 0) {
			c->base[i] = before + 1;
			while (is_based(c, i, c->base[i]))
				c->base[i]++;
		}
		if (c->base[i] < 1 || c->base[i] > PORT_LAST)
			return;
		before = c->base[i];
		c->low = i == 0 || c->base[i] < c->low ? c->base[i] : c->low;
		c->high = i == 0 || c->base[i] > c->high ? c->base[i] : c->high;
	}
	c->has_base = true;
}

/* The shift from which counting goes on: 0, but away from privileged numbers and into the range. */
static int find_first(const struct berth_candidates *c)
{
	const struct berth_range *range = &c->spec.wish->range;
	int first = c->low < PRIVILEGED_END ? UNPRIVILEGED_SHIFT : 0;

	if (range->lo != 0 && (c->low + first < range->lo || c->high + first > range->hi))
		return range->lo - c->low;
	return first;
}

static int find_step(const struct berth_candidates *c)
{
	if (c->spec.wish->step != 0)
		return c->spec.wish->step;
	if (c->count == 1)
		return 1;
	return (c->high - c->low + 1 + STEP_ROUND - 1) / STEP_ROUND * STEP_ROUND;
}

int berth_candidates_new(const struct berth_candidates_spec *spec,
			 struct berth_candidates **ret_candidates)
{
	struct berth_candidates *c;

	c = calloc(1, sizeof(*c));
	if (!c)
		return -ENOMEM;
	c->spec = *spec;
	c->count = spec->wish->port_count > 0 ? spec->wish->port_count : 1;
	c->round = 1;
	c->rounds = spec->foreign_fn ? 2 : 1;
	find_base(c);
	if (c->has_base) {
		c->first = find_first(c);
		c->step = find_step(c);
	}
	*ret_candidates = c;
	return 0;
}

void berth_candidates_free(struct berth_candidates *candidates)
{
	free(candidates);
}
