/* SPDX-License-Identifier: MIT */
/* look/nft.h - the JSON of nft(8), pure */
#pragma once

#include "look/ruleset.h"

/*
 * The output of `nft -j list ruleset` (libnftables-json(5)): chains, their rules that lead away or
 * hand on, added to @set. -EPROTO: not that; -ENOMEM, -EFBIG.
 */
BERTH_MUST_USE int berth_nft_parse(const char *text, size_t len, struct berth_ruleset *set);
