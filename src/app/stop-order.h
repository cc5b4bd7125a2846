/* SPDX-License-Identifier: MIT */
/* app/stop-order.h - stop commands of services whose supervisor was killed, carried out for it */
#pragma once

#include "base/json.h"

/*
 * An order is {"id","argv":[...],"cwd","env":["K=V" ...],"patience_ms"}: a stop command with {port} and its like
 * filled in, and the variables that it gets beside those of who carries it out. The guardian has it
 * from a note, the next berth command from the record.
 */
enum {
	BERTH_STOP_ORDER_PATIENCE_MS = 5000, /* at least; else the grace period */
	BERTH_STOP_ORDERS_MAX = 1024,
	/* Of "argv" and "env" together, as text: a note of it has to fit into a socket's buffer. */
	BERTH_STOP_ORDER_SIZE_MAX = 64 * 1024,
};

/* How long it may take: the grace period, in bounds. */
int64_t berth_stop_order_patience_ms(const json_t *order);

/*
 * Carry out all @orders (an array), at the same time; returns when all have ended. Each is killed
 * when its patience is over. What they say goes to @out_fd. Returns how many have failed.
 */
size_t berth_stop_order_run_all(const json_t *orders, int out_fd);
