/* SPDX-License-Identifier: MIT */
/* cli/end-text.h - how a service ended, in a few words */
#pragma once

#include "base/json.h"

/*
 * "exit 1 by itself, 2 min ago", "SIGKILL by the OOM killer, ...": of an end of app/history, or of
 * a former life of what runs, which has no "ended_at", and so no age. Returns @buf.
 */
const char *berth_end_text(const json_t *end, int64_t now_ms, char *buf, size_t size);
