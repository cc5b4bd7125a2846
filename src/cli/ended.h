/* SPDX-License-Identifier: MIT */
/* cli/ended.h - say what was ended, how, and what is free now */
#pragma once

#include "cli/out.h"

/*
 * @service: the document before; @answer: of berth_stop(), NULL where the supervisor had to be
 * killed.
 */
void berth_ended_say(struct berth_out *out, const json_t *service, const json_t *answer,
		     int64_t took_ms);

/* The end of a service's log, as it is, for the one who waits; nothing where it has none. */
void berth_ended_say_last_lines(struct berth_out *out, const json_t *service);
