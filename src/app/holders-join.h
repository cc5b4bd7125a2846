/* SPDX-License-Identifier: MIT */
/* app/holders-join.h - the holders of one port, joined from what was found of each */
#pragma once

#include "app/holders-process.h"
#include "look/engine.h"
#include "look/look.h"
#include "look/nat.h"
#include "port/range.h"
#include "port/reserved.h"

/* All borrowed. */
struct berth_holders_sources {
	const struct berth_look *look;
	struct berth_holders_processes *processes;
	const struct berth_engine *engine; /* NULL: not asked */
	const struct berth_nat *nat; /* NULL: not asked */
	const struct berth_reserved *reserved;
	struct berth_range ephemeral; /* ip_local_port_range */
	uid_t uid; /* effective, ours */
	bool all_pids; /* /proc shows the processes of the whole machine, not of a container */
	bool units; /* systemd may be asked what its sockets are for */
};

/*
 * One element of "ports" of share/schemas/who.schema.json. New reference; NULL: out of memory.
 *
 * *ret_gone (NULL allowed) is set to true where a process has ended since the look: look again to
 * know.
 */
json_t *berth_holders_join(const struct berth_holders_sources *sources, uint16_t port, int protocol,
			   bool *ret_gone);

/* Does any socket of our own network namespace have that port? */
bool berth_holders_join_has_any(const struct berth_look *look, uint16_t port, int protocol);
/*
 * The next port, @port or above, that a socket of any namespace has or that is one of @led; 0: none.
 */
uint16_t berth_holders_join_next(const struct berth_look *look, const struct berth_portset *led,
				 uint16_t port);
/* Adds the numbers that clients are led away from: by rules that are not wide, and by engines. */
void berth_holders_join_collect_led(const struct berth_holders_sources *sources,
				    struct berth_portset *led);
/* Is it for so many numbers that a line for each of them would tell nothing? */
bool berth_holders_join_is_wide(const struct berth_nat_rule *rule);
/*
 * Set "container" of @holder, a document with "pid", "process" and "container", to what @engine
 * knows of it: of its id, or of what publishes @port where the process is a proxy.
 */
void berth_holders_join_container(const struct berth_engine *engine, uint16_t port, int protocol,
				  json_t *holder);
