/* SPDX-License-Identifier: MIT */
/* steer/decide.h - what to answer to a bind() or connect() of a service: pure decision */
#pragma once

#include "base/attr.h"

#include <stdbool.h>
#include <stdint.h>

enum {
	BERTH_STEER_ASKED_MAX = 8
};

enum berth_steer_kind {
	BERTH_STEER_DECLARED, /* has a wish, or is the main port of a service that has none */
	BERTH_STEER_EXTRA, /* bound by the service beside its declared ports */
	BERTH_STEER_TOOL, /* of a debugger or reloader */
};

/* One port of the copy: the numbers that stand for it, and the one it really has. */
struct berth_steer_port {
	enum berth_steer_kind kind;
	bool udp;
	bool mapped; /* by --map: goes before every other rule */
	bool wished; /* somebody named a number for it */
	bool live; /* a socket of the service is bound there */
	bool remembered; /* asked[0] is of an earlier run: it stands for the port only until a bind
			    decides otherwise */
	uint16_t given; /* 0: the main port of a service without a wish, before its first bind() */
	uint16_t claimed; /* the number of the bind() that took it; 0: none yet */
	uint16_t asked[BERTH_STEER_ASKED_MAX]; /* wish, PORT, numbers of earlier binds */
	size_t asked_count;
};

/* Remember that @asked stands for @port; forgets the oldest but one where there are too many. */
void berth_steer_port_add_asked(struct berth_steer_port *port, uint16_t asked);
bool berth_steer_port_is_asked(const struct berth_steer_port *port, uint16_t asked);

/* Which numbers are looked at at all; the words are those of --steer. */
enum berth_steer_scope {
	BERTH_STEER_ALL,
	BERTH_STEER_ONLY_DECLARED, /* "declared": the wishes, PORT and maps; every other number is
				      the kernel's affair */
	BERTH_STEER_BIND, /* all numbers, but connect() is not trapped */
	BERTH_STEER_OFF,
};

/* The copy as a decision sees it. The first declared port is the main one. */
struct berth_steer_view {
	const struct berth_steer_port *ports;
	size_t count;
	enum berth_steer_scope scope;
	const uint16_t *tools; /* numbers of debuggers and reloaders, beside the built-in list */
	size_t tool_count;
};

/* What a bind() is for. */
struct berth_steer_bind {
	uint16_t number; /* as the service passed it */
	bool udp;
	bool multicast;
	bool reuse; /* of a UDP socket: SO_REUSEADDR or SO_REUSEPORT is set, so it means to share */
};

enum berth_steer_action {
	BERTH_STEER_PASS, /* the kernel's affair */
	BERTH_STEER_PORT, /* @port of the view */
	BERTH_STEER_NEW_EXTRA, /* a port of its own: the number if it is free, else the next free
				  one */
	BERTH_STEER_NEW_TOOL, /* the same */
	BERTH_STEER_REFUSE, /* connect() only: ECONNREFUSED */
	BERTH_STEER_ASK, /* connect() only: does another copy of this service own the number? see
			    below */
};

struct berth_steer_verdict {
	enum berth_steer_action action;
	size_t port; /* index in the view, with PORT */
};

/*
 * Which port a bind() stands for. In order: a map; a number that somebody wished, was told or has
 * bound before; for UDP nothing more than the number of a port we know. Then, for a number that
 * nobody knows: a tool's port is an extra one; else it is the main port, or the next declared one
 * that nobody has claimed; else it is extra. Where another number has claimed the port and still
 * uses it, the later caller gets an extra one.
 */
struct berth_steer_verdict berth_steer_decide_bind(const struct berth_steer_view *view,
						   const struct berth_steer_bind *bind);

/*
 * Where a connect() to @number goes. @loopback false: PASS. PORT: to that port's given number. ASK:
 * the number is unknown, and nobody has claimed the main port yet, so it may be this copy's own
 * number before the first bind(): the caller looks whether another copy of the same service has it,
 * and then passes or refuses.
 */
struct berth_steer_verdict berth_steer_decide_connect(const struct berth_steer_view *view,
						      uint16_t number, bool loopback);

/* A number that debuggers and reloaders use by default? */
bool berth_steer_is_tool(uint16_t number);
