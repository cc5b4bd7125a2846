/* SPDX-License-Identifier: MIT */
/* fuzz/fuzz-nat.c - whatever nft(8) or iptables-save(8) say, what comes of it are ports and targets */
#include "fuzz.h"

#include <errno.h>
#include <netinet/in.h>

#include "base/str.h"
#include "look/iptables.h"
#include "look/nft.h"

static void check(struct berth_ruleset *set, int r)
{
	struct berth_nat nat = { 0 };

	MUST(r == 0 || r == -EPROTO || r == -EFBIG);
	r = berth_ruleset_resolve(set, NULL, NULL, &nat);
	MUST(r == 0 || r == -EFBIG);
	for (size_t i = 0; i < nat.count; i++) {
		const struct berth_nat_rule *rule = &nat.rules[i];
		char printable[4 * sizeof(rule->target)];

		MUST(rule->port_lo && rule->port_lo <= rule->port_hi);
		MUST(rule->protocol == 0 || rule->protocol == IPPROTO_TCP ||
		     rule->protocol == IPPROTO_UDP);
		MUST(memchr(rule->address, '\0', sizeof(rule->address)));
		MUST(strspn(rule->container, "0123456789abcdef") == strlen(rule->container));
		MUST(rule->target[0]);
		berth_str_printable(rule->target, (size_t)-1, printable, sizeof(printable));
		MUST(strcmp(rule->target, printable) == 0);
		MUST(i == 0 || nat.rules[i - 1].port_lo <= rule->port_lo);
		MUST(berth_nat_find(&nat, rule->port_hi, IPPROTO_TCP) ||
		     berth_nat_find(&nat, rule->port_hi, IPPROTO_UDP));
	}
	berth_nat_deinit(&nat);
	berth_ruleset_deinit(set);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct berth_ruleset set = { 0 };
	char *bytes = malloc(size ? size : 1);

	/* With nothing behind it, so that a read there is seen. */
	MUST(bytes);
	if (size)
		memcpy(bytes, data, size);
	check(&set, berth_nft_parse(bytes, size, &set));
	check(&set, berth_iptables_parse(bytes, size, "ip", &set));
	free(bytes);
	return 0;
}
