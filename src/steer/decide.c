/* SPDX-License-Identifier: MIT */
/* steer/decide.c - what to answer to a bind() or connect() of a service: pure decision */
#include "steer/decide.h"

#include <string.h>

/* They listen before the server does, and would otherwise take its number. */
static const struct {
	uint16_t lo, hi;
} tools[] = {
	{ 9229, 9239 }, /* node --inspect, and the ports it counts up to for its workers */
	{ 5678, 5678 }, /* debugpy */
	{ 5005, 5005 }, /* the Java debug wire protocol, as every IDE sets it */
	{ 2345, 2345 }, /* delve */
	{ 6060, 6060 }, /* Go's pprof */
	{ 24678, 24678 }, /* Vite's reloader */
	{ 35729, 35729 }, /* LiveReload */
};

bool berth_steer_is_tool(uint16_t number)
{
	for (size_t i = 0; i < BERTH_ARRAY_SIZE(tools); i++)
		if (number >= tools[i].lo && number <= tools[i].hi)
			return true;
	return false;
}

static bool is_tool_here(const struct berth_steer_view *view, uint16_t number)
{
	for (size_t i = 0; i < view->tool_count; i++)
		if (view->tools[i] == number)
			return true;
	return berth_steer_is_tool(number);
}

bool berth_steer_port_is_asked(const struct berth_steer_port *port, uint16_t asked)
{
	for (size_t i = 0; i < port->asked_count; i++)
		if (port->asked[i] == asked)
			return true;
	return false;
}

void berth_steer_port_add_asked(struct berth_steer_port *port, uint16_t asked)
{
	if (berth_steer_port_is_asked(port, asked))
		return;
	if (port->asked_count == BERTH_STEER_ASKED_MAX) {
		/* The first is the wish, which status shows. */
		memmove(&port->asked[1], &port->asked[2],
			sizeof(port->asked[0]) * (BERTH_STEER_ASKED_MAX - 2));
		port->asked_count--;
	}
	port->asked[port->asked_count++] = asked;
}

static bool means(const struct berth_steer_port *port, uint16_t number)
{
	return port->given == number || berth_steer_port_is_asked(port, number);
}

/*
 * A port that another number has claimed, and that a socket of the service still has, is not to be
 * had.
 */
static bool is_occupied_by_other(const struct berth_steer_port *port, uint16_t number)
{
	return port->live && port->claimed && port->claimed != number;
}

static struct berth_steer_verdict to_port(size_t index)
{
	return (struct berth_steer_verdict){ .action = BERTH_STEER_PORT, .port = index };
}

static struct berth_steer_verdict plain(enum berth_steer_action action)
{
	return (struct berth_steer_verdict){ .action = action };
}

/*
 * The best port that @number stands for: mapped, then claimed by that very number, then wished,
 * then any.
 */
static bool find_known(const struct berth_steer_view *view, uint16_t number, bool udp,
		       size_t *ret_index)
{
	int best = 0;

	for (size_t i = 0; i < view->count; i++) {
		const struct berth_steer_port *port = &view->ports[i];
		int rank;

		if (!means(port, number) || port->udp != udp)
			continue;
		rank = port->mapped				       ? 4
		       : port->claimed == number		       ? 3
		       : port->asked_count && port->asked[0] == number ? 2
								       : 1;
		if (rank > best) {
			best = rank;
			*ret_index = i;
		}
	}
	return best > 0;
}

static bool find_unclaimed(const struct berth_steer_view *view, size_t *ret_index)
{
	for (size_t i = 0; i < view->count; i++) {
		const struct berth_steer_port *port = &view->ports[i];

		if (port->kind == BERTH_STEER_DECLARED && !port->udp && !port->mapped &&
		    !port->claimed) {
			*ret_index = i;
			return true;
		}
	}
	return false;
}

/*
 * UDP has no listen(), and sockets that mean to share can't be kept from anybody: only numbers that
 * we know are moved.
 */
static struct berth_steer_verdict decide_udp(const struct berth_steer_view *view,
					     const struct berth_steer_bind *bind)
{
	size_t index;

	if (bind->multicast || bind->reuse)
		return plain(BERTH_STEER_PASS);
	if (find_known(view, bind->number, true, &index) ||
	    find_known(view, bind->number, false, &index))
		return to_port(index);
	return plain(BERTH_STEER_PASS);
}

struct berth_steer_verdict berth_steer_decide_bind(const struct berth_steer_view *view,
						   const struct berth_steer_bind *bind)
{
	size_t index;

	if (!bind->number || view->scope == BERTH_STEER_OFF)
		return plain(BERTH_STEER_PASS);
	if (bind->udp)
		return decide_udp(view, bind);
	if (find_known(view, bind->number, false, &index)) {
		if (!is_occupied_by_other(&view->ports[index], bind->number))
			return to_port(index);
		return plain(BERTH_STEER_NEW_EXTRA);
	}
	if (view->scope == BERTH_STEER_ONLY_DECLARED)
		return plain(BERTH_STEER_PASS);
	if (is_tool_here(view, bind->number))
		return plain(BERTH_STEER_NEW_TOOL);
	if (find_unclaimed(view, &index))
		return to_port(index);
	return plain(BERTH_STEER_NEW_EXTRA);
}

struct berth_steer_verdict berth_steer_decide_connect(const struct berth_steer_view *view,
						      uint16_t number, bool loopback)
{
	size_t index;

	if (!loopback || !number || view->scope == BERTH_STEER_OFF ||
	    view->scope == BERTH_STEER_BIND)
		return plain(BERTH_STEER_PASS);
	if (find_known(view, number, false, &index))
		return view->ports[index].given ? to_port(index) : plain(BERTH_STEER_REFUSE);
	/* With declared ports only, no unknown number ever becomes the main one. */
	if (view->scope != BERTH_STEER_ONLY_DECLARED && find_unclaimed(view, &index) &&
	    !view->ports[index].wished)
		return plain(BERTH_STEER_ASK);
	return plain(BERTH_STEER_PASS);
}
