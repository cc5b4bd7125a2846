/* SPDX-License-Identifier: MIT */
/* app/machine-row.h - what a row of the machine's listening ports tells of a socket and its holder */
#pragma once

#include "app/holders-process.h"
#include "app/machine.h"
#include "look/look.h"
#include "os/brief.h"

#include <net/if.h>

/* What rows are made of: of neighbours much is the same, and is kept from one to the next. */
struct berth_machine_rows {
	const struct berth_machine_query *query; /* borrowed */
	struct berth_holders_processes processes;
	/* Without `whole`: all processes that have a socket, in order, and what is shown of them. */
	pid_t *pids; /* owned, as the others */
	size_t pid_count;
	struct berth_brief *briefs;
	json_t **documents; /* NULL: not made yet */
	/* The place of the last row's socket: most are in the same group. */
	json_t *place; /* owned */
	uint64_t place_id;
	json_t *user; /* the same of its owner; owned */
	uid_t uid;
	json_t *address; /* and of its address; owned */
	struct berth_addr host; /* that is, with port 0 */
	uint32_t interface;
};

/* -ENOMEM; to be deinitialised in any case. */
BERTH_MUST_USE int berth_machine_rows_init(struct berth_machine_rows *rows,
					   const struct berth_machine_query *query);
/* What the rows of all sockets of @look need of /proc, at once. -errno. */
BERTH_MUST_USE int berth_machine_rows_load(struct berth_machine_rows *rows,
					   const struct berth_look *look);
void berth_machine_rows_deinit(struct berth_machine_rows *rows);

/* "tcp", "udp" */
const char *berth_machine_row_protocol(int protocol);
/*
 * A new row, without an address. @holder: whom of all @holders it is about; NULL: none can be seen.
 * @record: of the service that has the port, if any; it is told of where @holder is one of its own.
 */
json_t *berth_machine_row_new(struct berth_machine_rows *rows,
			      const struct berth_look_socket *socket,
			      const struct berth_look_holder *holders, size_t count,
			      const struct berth_look_holder *holder, const json_t *record);
/* The address of @socket, if the row does not have it yet. */
void berth_machine_row_add_address(struct berth_machine_rows *rows,
				   const struct berth_look_socket *socket, json_t *row);
