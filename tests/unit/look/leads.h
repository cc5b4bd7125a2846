/* SPDX-License-Identifier: MIT */
/* unit/look/leads.h - where rules of a packet filter lead, as a line that tests compare */
#pragma once

#include <stdio.h>
#include <string.h>

#include "look/ruleset.h"

/* "80-80/6 10.0.0.2:80; 90-91/0 [192.0.2.1] 10.0.0.3 (0123456789ab)"; takes the rules away. */
static inline void leads_assert(struct berth_ruleset *set, const char *wanted)
{
	struct berth_nat nat = { 0 };
	char text[4096] = "";
	size_t len = 0;

	assert_int_equal(berth_ruleset_resolve(set, NULL, NULL, &nat), 0);
	for (size_t i = 0; i < nat.count && len < sizeof(text); i++) {
		const struct berth_nat_rule *rule = &nat.rules[i];

		len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%u-%u/%d %s%s%s%s%s%s%s",
					i ? "; " : "", rule->port_lo, rule->port_hi, rule->protocol,
					rule->address[0] ? "[" : "", rule->address,
					rule->address[0] ? "] " : "", rule->target,
					rule->container[0] ? " (" : "", rule->container,
					rule->container[0] ? ")" : "");
	}
	assert_string_equal(text, wanted);
	berth_nat_deinit(&nat);
	berth_ruleset_deinit(set);
}
