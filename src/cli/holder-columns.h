/* SPDX-License-Identifier: MIT */
/* cli/holder-columns.h - who holds a port, as rows of a table */
#pragma once

#include "cli/table.h"

extern const struct berth_column berth_holder_columns[];

/*
 * What tells most of where a process belongs: its container, else another network namespace, its
 * unit, its project, its working folder. @row has these members of a holder, as far as known.
 */
void berth_holder_columns_add_where(const json_t *row, struct berth_str *text);

/*
 * One row for each holder of @ports ("ports" of berth_holders_load()): the holder's members and
 * "port", "state", "addresses", "peers" (how many). Sockets that differ in their address only are
 * one row, a port without a holder is one too, and what berth holds for a service that listens
 * there is none. @whole: command lines are shown however long they are. New reference.
 */
json_t *berth_holder_columns_rows(const json_t *ports, bool whole);

/*
 * Print @rows. @names as for berth_table_select(); NULL: those that are not extra, the protocol
 * with @udp, and on a narrow terminal without what is wanted least. -errno with @err.
 */
BERTH_MUST_USE int berth_holder_columns_print(const json_t *rows, const char *names, bool udp,
					      struct berth_out *out, struct berth_err *err);
