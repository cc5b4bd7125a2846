/* SPDX-License-Identifier: MIT */
/* service/check.h - how it is told that a service is ready, or alive: what the user asked for */
#pragma once

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

/* The words are those of --ready and --live. */
enum berth_check_kind {
	BERTH_CHECK_NONE, /* "started": it is when it runs; it is not asked whether it lives */
	BERTH_CHECK_LISTEN, /* its own listen() */
	BERTH_CHECK_TCP, /* a connection is accepted */
	BERTH_CHECK_HTTP, /* GET @arg is answered with 200-399 */
	BERTH_CHECK_LOG, /* a line of its output matches @arg, an extended regular expression */
	BERTH_CHECK_NOTIFY, /* it says READY=1 (sd_notify(3)) */
	BERTH_CHECK_EXEC, /* the shell's command @arg exits with 0 */
};

struct berth_check {
	enum berth_check_kind kind;
	const char *arg; /* borrowed from what was parsed; NULL where the kind has none */
};

/*
 * "listen", "tcp", "http PATH", "log PATTERN", "notify", "exec COMMAND", "started"; also with ':' in
 * the place of the space. @live: what --live takes, "tcp", "http PATH" and "exec COMMAND" only. -EINVAL with
 * @err (USAGE).
 */
BERTH_MUST_USE int berth_check_parse(const char *text, bool live, struct berth_check *ret_check,
				     struct berth_err *err);
/* "http /healthz": as it is written. Returns @buf. */
const char *berth_check_format(const struct berth_check *check, char *buf, size_t size);

/* Names and defaults are those of Kubernetes' probes (the defaults are set by the options). */
struct berth_check_timing {
	int64_t initial_delay_ms, period_ms, timeout_ms;
	unsigned int success_threshold, failure_threshold;
	int64_t poll_ms; /* the period until readiness first succeeds; 0: the default of probe.c */
};
