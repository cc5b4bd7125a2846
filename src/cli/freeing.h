/* SPDX-License-Identifier: MIT */
/* cli/freeing.h - what is said of holders that are to be ended, by berth free and berth run */
#pragma once

#include "app/free.h"
#include "cli/cli.h"

/* How many there are of a verdict. */
size_t berth_freeing_count(const struct berth_free *all, enum berth_free_verdict verdict);

/* For a question: each holder, and what would be done or stands against it. */
void berth_freeing_show(struct berth_out *out, const struct berth_free *all, int64_t grace_ms);
/* The same as a result (-n), one line each. */
void berth_freeing_print(struct berth_out *out, const struct berth_free *all, int64_t grace_ms);
/* What was done. */
void berth_freeing_say(struct berth_out *out, const struct berth_free *all);
/* Who was left alone, and why. */
void berth_freeing_say_left(struct berth_out *out, const struct berth_free *all);

/*
 * Why not all of the ports become free: of the weightiest that stays, with the command that would,
 * for @words; @forced: --force was given. Returns -EPERM, or 0 where nobody stays.
 */
BERTH_MUST_USE int berth_freeing_refuse(const struct berth_free *all, bool forced,
					const char *const *words, struct berth_err *err);
