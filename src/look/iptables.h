/* SPDX-License-Identifier: MIT */
/* look/iptables.h - the text of iptables-save(8), pure */
#pragma once

#include "look/ruleset.h"

/*
 * The chains of table nat and their rules that lead away or hand on, added to @set under the name
 * of @family ("ip", "ip6"). What it does not know is passed over. -ENOMEM, -EFBIG.
 */
BERTH_MUST_USE int berth_iptables_parse(const char *text, size_t len, const char *family,
					struct berth_ruleset *set);
