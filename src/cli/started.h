/* SPDX-License-Identifier: MIT */
/* cli/started.h - say where a service that was started in the background is to be reached */
#pragma once

#include "cli/out.h"

/*
 * @port of @service, both as documents. @reused: it ran already. @one_of_many: its instance is
 * named too.
 */
void berth_started_say(struct berth_out *out, const json_t *service, const json_t *port,
		       bool reused, bool one_of_many);
