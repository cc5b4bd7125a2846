/* SPDX-License-Identifier: MIT */
/* stack/origins.h - whose pages a service answers: the value of BERTH_CORS_ORIGINS */
#pragma once

#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>

enum {
	BERTH_ORIGINS_LEN_MAX = 96 * 1024 /* execve(2) takes 128 KiB for one variable */
};

/*
 * Each adds to @list, comma-joined, what is not there yet. An origin is written as browsers send it
 * (RFC 6454): without the port that its scheme has anyway. 0; -E2BIG: the list is full.
 */

/* The page on @port of this machine, by each of its names: localhost, 127.0.0.1, [::1]. */
BERTH_MUST_USE int berth_origins_add_port(struct berth_str *list, const char *scheme,
					  uint16_t port);
/*
 * A service that serves pages: at the number it has, and at @asked (0: none), where a browser in
 * `berth exec` sees it. Of another @scheme than http and https: nothing.
 */
BERTH_MUST_USE int berth_origins_add_service(struct berth_str *list, const char *scheme,
					     uint16_t port, uint16_t asked);
/* @origin as it stands there. -EINVAL: it is none. */
BERTH_MUST_USE int berth_origins_add(struct berth_str *list, const char *origin);

/* SCHEME://HOST[:PORT] and no more; so never "*" or "null". */
bool berth_origins_is_valid(const char *origin);
