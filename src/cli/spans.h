/* SPDX-License-Identifier: MIT */
/* cli/spans.h - a range of numbers as spans of free and taken ones, for berth scan: pure */
#pragma once

#include "base/json.h"
#include "look/scan.h"
#include "port/range.h"
#include "port/reserved.h"

/* The words are those of the JSON output ("state"). */
#define BERTH_SPAN_STATES(X) \
	X(FREE, "free") \
	X(TAKEN, "taken") \
	X(RESERVED, "reserved") /* free, but net.ipv4.ip_local_reserved_ports has it */ \
	X(PRIVILEGED, "privileged") /* free, but not for this user */

enum berth_span_state {
#define X(id, name) BERTH_SPAN_##id,
	BERTH_SPAN_STATES(X)
#undef X
	BERTH_SPAN_STATE_COUNT_,
};
const char *berth_span_state_name(enum berth_span_state state);

/* What there is to know of the numbers. Borrowed. */
struct berth_spans_spec {
	struct berth_range range;
	const struct berth_scan *scan;
	const struct berth_reserved *reserved;
	struct berth_range ephemeral; /* ip_local_port_range; lo 0: not known */
};

enum berth_span_state berth_spans_state_of(const struct berth_spans_spec *spec, uint16_t port);

/*
 * An array of {"from","to","count","state","kind","taken"}, without gaps. "kind" is that of the
 * weightiest socket on taken ones, else null.
 *
 * @brief: for people. Where outgoing connections come and go, the kernel's own range is one span of
 * state "changing", in which "taken" numbers are taken. New reference; NULL: out of memory.
 */
json_t *berth_spans_make(const struct berth_spans_spec *spec, bool brief);

/* How many of the range are in each state: {"free","taken","reserved","privileged"}. */
json_t *berth_spans_count(const struct berth_spans_spec *spec);

/*
 * The first @count numbers that anybody may be given, an array; fewer where there are no more.
 * Those from which the kernel takes the ports of outgoing connections come last, since any of them
 * can be gone at any time. Left out are those below 1024 and those that browsers refuse.
 */
json_t *berth_spans_pick(const struct berth_spans_spec *spec, size_t count);
