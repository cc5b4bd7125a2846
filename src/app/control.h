/* SPDX-License-Identifier: MIT */
/* app/control.h - the control socket of a supervisor: one request, one answer, as JSON */
#pragma once

#include "base/err.h"
#include "base/json.h"

#include <stdint.h>

enum {
	BERTH_CONTROL_MAX = 128 * 1024,
	BERTH_CONTROL_AGAIN_MS = 50, /* before one that was too busy is asked again */
};

/*
 * Requests are objects with "do":
 *   status                              {"service"}
 *   await                               {"service"} when it is ready, or has ended
 *   stop {grace_ms?, kill?, cause}      {"service"} when nothing of it lives, its ports bindable
 *   restart                             {"service"} when it is ready again
 *   environment                         {"env":[...]}
 *   view + a notify descriptor          {}; the connection stays open while it is answered for
 *   open {url}                          {}
 * and, from inside of the service's own tree only:
 *   lease {service, ports, range}       {"env":[...],"ports":[...]}
 *   start {argv, cwd, env} + an output  {"exit"} when it has ended: run outside of the tree
 * An answer is {"ok":true,...} or {"ok":false,"error":{"code","message","hint"}}; with "busy":true
 * there was no place for one more client, and nothing was looked at.
 */

/*
 * Connect to the supervisor at @name, checked to be our own user's or root's. fd, or -errno
 * (-ECONNREFUSED, -ENOENT: nobody).
 */
BERTH_MUST_USE int berth_control_connect(const char *name);

/*
 * Send @request (borrowed) with @pass_fd (-1: none). 0 or -errno with @err: nobody has got it.
 */
BERTH_MUST_USE int berth_control_send(int fd, const json_t *request, int pass_fd,
				      struct berth_err *err);
/*
 * Wait for the answer, at most @timeout_ms (-1: for ever). 0 with *ret_answer (new reference, "ok"
 * was true); -errno with @err: as the other side said, TIMEOUT, that it has gone (-ECONNRESET), or
 * has no place for us (-EBUSY).
 */
BERTH_MUST_USE int berth_control_receive(int fd, int timeout_ms, json_t **ret_answer,
					 struct berth_err *err);
/* Both. */
BERTH_MUST_USE int berth_control_ask(int fd, const json_t *request, int pass_fd, int timeout_ms,
				     json_t **ret_answer, struct berth_err *err);
/* Does the supervisor at @name answer within @timeout_ms? That it has no place for us is an answer, too. */
bool berth_control_is_responsive(const char *name, int timeout_ms);
/* Connect as well, and again while it is busy; -EBUSY: it has been, all the time. */
BERTH_MUST_USE int berth_control_ask_at(const char *name, const json_t *request, int timeout_ms,
					json_t **ret_answer, struct berth_err *err);
