/* SPDX-License-Identifier: MIT */
/* app/stack-reload.h - a manifest that has changed under a running stack */
#pragma once

#include "app/stack-run.h"

/*
 * Has the manifest changed since it was read, or .env, or a file of variables? Then what is started from now on is as it is written
 * now; what runs goes on as it was. 0; -errno with @err, and nothing has changed: it is broken, or
 * lacks a service that runs (REFUSED).
 */
BERTH_MUST_USE int berth_stack_reload(struct berth_supervisor *supervisor, struct berth_err *err);
