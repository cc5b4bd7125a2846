/* SPDX-License-Identifier: MIT */
/* app/start.h - from a job to a running service: the processes of one start */
#pragma once

#include "app/guardian.h"
#include "base/json.h"

/*
 * Run @job in the foreground: this process becomes its guardian until the end. 0 with *ret_end;
 * -errno with @err for what failed before the command ran, ret_end->exit_code being what to exit
 * with.
 */
BERTH_MUST_USE int berth_start_foreground(struct berth_job *job, struct berth_guardian_end *ret_end,
					  struct berth_err *err);

/*
 * Start @job in the background, and wait until it is ready or has failed, at most job->wait_ms. 0
 * with the service document (new reference). -errno with @err (START_FAILED, ALREADY_RUNNING,
 * NO_PORT, TIMEOUT when the time is up and it goes on ...) and *ret_exit; *ret_document may be set
 * then too (its last lines).
 */
BERTH_MUST_USE int berth_start_detached(struct berth_job *job, json_t **ret_document, int *ret_exit,
					struct berth_err *err);
