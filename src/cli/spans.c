/* SPDX-License-Identifier: MIT */
/* cli/spans.c - a range of numbers as spans of free and taken ones, for berth scan: pure */
#include "cli/spans.h"

#include <string.h>

enum {
	/* So many spans of outgoing connections can be taken in at a glance. */
	OUTGOING_SHOWN = 8,
};

static const char *const state_names[] = {
#define X(id, name) name,
	BERTH_SPAN_STATES(X)
#undef X
};

_Static_assert(BERTH_ARRAY_SIZE(state_names) == BERTH_SPAN_STATE_COUNT_, "one name per state");

const char *berth_span_state_name(enum berth_span_state state)
{
	return state_names[state];
}

/* Of all 65,535 in turn: so what browsers refuse, which is a search, is not asked for. */
enum berth_span_state berth_spans_state_of(const struct berth_spans_spec *spec, uint16_t port)
{
	const struct berth_reserved *reserved = spec->reserved;

	if (spec->scan->kinds[port])
		return BERTH_SPAN_TAKEN;
	if (port < reserved->unprivileged_start && !reserved->may_privileged)
		return BERTH_SPAN_PRIVILEGED;
	if (berth_portset_has(&reserved->kernel, port) || berth_portset_has(&reserved->user, port))
		return BERTH_SPAN_RESERVED;
	return BERTH_SPAN_FREE;
}

/* Taken by what comes and goes by itself. */
static bool is_outgoing(const struct berth_spans_spec *spec, uint16_t port)
{
	enum berth_look_kind kind;

	return berth_scan_is_taken(spec->scan, port, &kind) &&
	       (kind == BERTH_LOOK_CONNECTION || kind == BERTH_LOOK_TIME_WAIT);
}

/* What is the same for all numbers of one span. */
struct sort {
	bool changing;
	enum berth_span_state state;
	uint8_t kind; /* as in struct berth_scan */
};

static struct sort sort_of(const struct berth_spans_spec *spec, uint16_t port, bool changing)
{
	struct sort sort = { .state = berth_spans_state_of(spec, port) };

	/* Listeners stand out even there. */
	if (changing && berth_range_has(&spec->ephemeral, port) &&
	    (sort.state == BERTH_SPAN_FREE || is_outgoing(spec, port)))
		return (struct sort){ .changing = true };
	sort.kind = spec->scan->kinds[port];
	return sort;
}

static bool is_same(const struct sort *a, const struct sort *b)
{
	return a->changing == b->changing && a->state == b->state && a->kind == b->kind;
}

/*
 * The last number from @from on that is like it. Where neither what has a number changes, nor a
 * border is passed, two neighbours are alike; so most need no closer look.
 */
static uint32_t end_of_run(const struct berth_spans_spec *spec, uint32_t from)
{
	const uint8_t *kinds = spec->scan->kinds;
	const struct berth_reserved *reserved = spec->reserved;
	uint32_t to = from;

	while (to < spec->range.hi && kinds[to + 1] == kinds[to] &&
	       to + 1 != reserved->unprivileged_start && to + 1 != spec->ephemeral.lo &&
	       to != spec->ephemeral.hi && reserved->kernel.bits[(to + 1) / 64] == 0 &&
	       reserved->user.bits[(to + 1) / 64] == 0 && reserved->kernel.bits[to / 64] == 0 &&
	       reserved->user.bits[to / 64] == 0)
		to++;
	return to;
}

static json_t *make_span(const struct berth_spans_spec *spec, uint32_t from, uint32_t to,
			 const struct sort *sort)
{
	int taken = 0;
	json_t *kind = json_null();

	for (uint32_t port = from; port <= to; port++)
		taken += spec->scan->kinds[port] != 0;
	if (!sort->changing && sort->kind)
		kind = json_string(berth_look_kind_name((enum berth_look_kind)(sort->kind - 1)));
	return json_pack("{s:i,s:i,s:i,s:s,s:o,s:i}", "from", (int)from, "to", (int)to, "count",
			 (int)(to - from + 1), "state",
			 sort->changing ? "changing" : state_names[sort->state], "kind", kind,
			 "taken", taken);
}

/* Too many short spans of outgoing connections to be listed? */
static bool is_changing(const struct berth_spans_spec *spec)
{
	size_t spans = 0;
	bool before = false;

	for (uint32_t port = spec->range.lo; port <= spec->range.hi;
	     port = end_of_run(spec, port) + 1) {
		bool now = berth_range_has(&spec->ephemeral, (uint16_t)port) &&
			   is_outgoing(spec, (uint16_t)port);

		spans += now && !before;
		before = now;
	}
	return spans > OUTGOING_SHOWN;
}

json_t *berth_spans_make(const struct berth_spans_spec *spec, bool brief)
{
	bool changing = brief && is_changing(spec);
	json_t *spans = json_array();
	uint32_t from = spec->range.lo;

	while (spans && from <= spec->range.hi) {
		struct sort sort = sort_of(spec, (uint16_t)from, changing), next;
		uint32_t to = end_of_run(spec, from);

		while (to < spec->range.hi) {
			next = sort_of(spec, (uint16_t)(to + 1), changing);
			if (!is_same(&sort, &next))
				break;
			to = end_of_run(spec, to + 1);
		}
		if (json_array_append_new(spans, make_span(spec, from, to, &sort)) < 0)
			json_decref(BERTH_STEAL(spans));
		from = to + 1;
	}
	return spans;
}

json_t *berth_spans_count(const struct berth_spans_spec *spec)
{
	int counts[BERTH_SPAN_STATE_COUNT_] = { 0 };
	json_t *document = json_object();

	for (uint32_t from = spec->range.lo, to; from <= spec->range.hi; from = to + 1) {
		to = end_of_run(spec, from);
		counts[berth_spans_state_of(spec, (uint16_t)from)] += (int)(to - from + 1);
	}
	for (size_t i = 0; i < BERTH_SPAN_STATE_COUNT_; i++)
		json_object_set_new(document, state_names[i], json_integer(counts[i]));
	return document;
}

json_t *berth_spans_pick(const struct berth_spans_spec *spec, size_t count)
{
	json_t *picked = json_array();

	for (int ephemeral = 0; ephemeral <= 1; ephemeral++) {
		for (uint32_t port = spec->range.lo;
		     port <= spec->range.hi && json_array_size(picked) < count; port++)
			if (berth_range_has(&spec->ephemeral, (uint16_t)port) == ephemeral &&
			    !spec->scan->kinds[port] &&
			    berth_reserved_why(spec->reserved, (uint16_t)port, false) ==
				    BERTH_RESERVED_NOT)
				json_array_append_new(picked, json_integer(port));
	}
	return picked;
}
