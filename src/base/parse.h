/* SPDX-License-Identifier: MIT */
/* base/parse.h - numbers and durations from text, whole string or nothing */
#pragma once

#include "base/attr.h"

#include <stdint.h>

/* Decimal digits only: no sign, no blanks, no 0x. -EINVAL: not that; -ERANGE: above @max. */
BERTH_MUST_USE int berth_parse_u64(const char *text, uint64_t max, uint64_t *ret_value);
/* 1-65535, optionally with a leading ':'. -EINVAL, -ERANGE. */
BERTH_MUST_USE int berth_parse_port(const char *text, uint16_t *ret_port);
/*
 * "90", "1.5s", "500ms", "30m", "2h", "1d", "1h30m": to ms, @unit_ms for a number without a unit.
 * At most 366 days.
 */
BERTH_MUST_USE int berth_parse_duration(const char *text, int64_t unit_ms, int64_t *ret_ms);
