/* SPDX-License-Identifier: MIT */
/*
 * look/ruleset.c - rules of a packet filter, whoever told them, and what they lead away: pure
 *
 * A rule's port is often not in the rule that leads away but in one before it, which jumps to a
 * chain for this container or service (netavark, CNI, kube-proxy). And engines that were killed
 * leave chains behind that nothing jumps to any more. So this walks from the hooks along all jumps,
 * as a packet does, narrowing down what the packet must be like. It takes every branch: that a rule
 * before may have ended the packet's way is not looked at.
 */
#include "look/ruleset.h"

#include <ctype.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"

enum {
	RULES_MAX = 1 << 17,
	DEPTH_MAX = 16, /* the kernel's own limit (NFT_JUMP_STACK_SIZE) */
	STEPS_MAX = 1 << 19, /* a node of Kubernetes needs some 10,000 */
	ID_LEN = 64,
};

int berth_ruleset_add(struct berth_ruleset *set, const char *chain, const char *jump,
		      const struct berth_ruleset_rule *rule)
{
	BERTH_AUTO_FREE char *own_chain = strdup(chain);
	BERTH_AUTO_FREE char *own_jump = jump ? strdup(jump) : NULL;
	struct berth_ruleset_rule *added;

	if (!own_chain || (jump && !own_jump))
		return -ENOMEM;
	if (set->count == RULES_MAX)
		return -EFBIG;
	if (set->count == set->size) {
		size_t size = set->size ? set->size * 2 : 32;
		struct berth_ruleset_rule *rules = reallocarray(set->rules, size, sizeof(*rules));

		if (!rules)
			return -ENOMEM;
		set->rules = rules;
		set->size = size;
	}
	added = &set->rules[set->count];
	*added = *rule;
	added->chain = BERTH_STEAL(own_chain);
	added->jump = BERTH_STEAL(own_jump);
	added->order = set->count++;
	return 0;
}

int berth_ruleset_add_hook(struct berth_ruleset *set, const char *chain)
{
	char **hooks = reallocarray(set->hooks, set->hook_count + 1, sizeof(*hooks));

	if (!hooks)
		return -ENOMEM;
	set->hooks = hooks;
	hooks[set->hook_count] = strdup(chain);
	if (!hooks[set->hook_count])
		return -ENOMEM;
	set->hook_count++;
	return 0;
}

void berth_ruleset_deinit(struct berth_ruleset *set)
{
	if (!set)
		return;
	for (size_t i = 0; i < set->count; i++) {
		free(set->rules[i].chain);
		free(set->rules[i].jump);
	}
	for (size_t i = 0; i < set->hook_count; i++)
		free(set->hooks[i]);
	free(set->rules);
	free(set->hooks);
	*set = (struct berth_ruleset){ 0 };
}

bool berth_ruleset_narrow(struct berth_ruleset_when *when, const struct berth_ruleset_when *also)
{
	if (also->protocol) {
		if (when->protocol && when->protocol != also->protocol)
			return false;
		when->protocol = also->protocol;
	}
	if (also->port_lo) {
		if (!when->port_lo || also->port_lo > when->port_lo)
			when->port_lo = also->port_lo;
		if (!when->port_hi || also->port_hi < when->port_hi)
			when->port_hi = also->port_hi;
		if (when->port_lo > when->port_hi)
			return false;
	}
	if (also->address[0])
		memcpy(when->address, also->address, sizeof(when->address));
	return true;
}

static int compare_rules(const void *a, const void *b)
{
	const struct berth_ruleset_rule *x = a, *y = b;
	int r = strcmp(x->chain, y->chain);

	return r ? r : x->order < y->order ? -1 : x->order > y->order;
}

static int compare_results(const void *a, const void *b)
{
	const struct berth_nat_rule *x = a, *y = b;
	int r = x->port_lo - y->port_lo;

	r = r ? r : x->port_hi - y->port_hi;
	r = r ? r : x->protocol - y->protocol;
	r = r ? r : strcmp(x->address, y->address);
	r = r ? r : strcmp(x->target, y->target);
	/* What knows its container comes first, and is what stays. */
	return r ? r : strcmp(y->container, x->container);
}

static bool is_same_result(const struct berth_nat_rule *x, const struct berth_nat_rule *y)
{
	return x->port_lo == y->port_lo && x->port_hi == y->port_hi && x->protocol == y->protocol &&
	       strcmp(x->address, y->address) == 0 && strcmp(x->target, y->target) == 0;
}

static void drop_doubles(struct berth_nat *nat)
{
	size_t kept = 0;

	if (!nat->count)
		return;
	qsort(nat->rules, nat->count, sizeof(*nat->rules), compare_results);
	for (size_t i = 1; i < nat->count; i++)
		if (!is_same_result(&nat->rules[i], &nat->rules[kept]))
			nat->rules[++kept] = nat->rules[i];
	nat->count = kept + 1;
}

struct walk {
	const struct berth_ruleset *set;
	bool (*is_ours)(const char *address, void *arg);
	void *arg;
	struct berth_nat *nat;
	size_t size, steps;
};

static int add_result(struct walk *walk, const struct berth_ruleset_when *when,
		      const struct berth_ruleset_rule *rule, const char *container)
{
	struct berth_nat *nat = walk->nat;
	struct berth_nat_rule *result;

	if (nat->count >= RULES_MAX)
		return -EFBIG;
	if (nat->count >= walk->size) {
		size_t size = (nat->count + 16) * 2;
		struct berth_nat_rule *rules = reallocarray(nat->rules, size, sizeof(*rules));

		if (!rules)
			return -ENOMEM;
		nat->rules = rules;
		walk->size = size;
	}
	result = &nat->rules[nat->count++];
	*result = (struct berth_nat_rule){
		.port_lo = when->port_lo,
		.port_hi = when->port_hi,
		.protocol = when->protocol,
	};
	memcpy(result->address, when->address, sizeof(result->address));
	berth_str_printable(rule->target, (size_t)-1, result->target, sizeof(result->target));
	berth_str_copy(result->container, sizeof(result->container), container);
	return 0;
}

/* Sorted by chain: the first rule of @chain, *ret_end behind its last. */
static const struct berth_ruleset_rule *rules_of(const struct berth_ruleset *set, const char *chain,
						 const struct berth_ruleset_rule **ret_end)
{
	const struct berth_ruleset_rule *end = set->rules + set->count;
	size_t lo = 0, hi = set->count;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (strcmp(set->rules[mid].chain, chain) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	*ret_end = end;
	return set->rules + lo;
}

static int visit(struct walk *walk, const char *chain, const struct berth_ruleset_when *before,
		 const char *container, unsigned int depth)
{
	const struct berth_ruleset_rule *end, *rule;
	int r = 0;

	if (depth == DEPTH_MAX || !walk->set->count)
		return 0;
	for (rule = rules_of(walk->set, chain, &end);
	     rule < end && r == 0 && strcmp(rule->chain, chain) == 0; rule++) {
		const char *known = rule->container[0] ? rule->container : container;
		struct berth_ruleset_when when = *before;

		if (walk->steps++ == STEPS_MAX)
			return -EFBIG;
		if (!berth_ruleset_narrow(&when, &rule->when))
			continue;
		if (when.address[0] && walk->is_ours && !walk->is_ours(when.address, walk->arg))
			continue;
		if (rule->jump)
			r = visit(walk, rule->jump, &when, known, depth + 1);
		else if (when.port_lo && (when.port_lo > 1 || when.port_hi < UINT16_MAX))
			r = add_result(walk, &when, rule, known);
	}
	return r;
}

int berth_ruleset_resolve(struct berth_ruleset *set,
			  bool (*is_ours)(const char *address, void *arg), void *arg,
			  struct berth_nat *nat)
{
	static const struct berth_ruleset_when any = { 0 };
	struct walk walk = { .set = set, .is_ours = is_ours, .arg = arg, .nat = nat };
	int r = 0;

	if (set->count)
		qsort(set->rules, set->count, sizeof(*set->rules), compare_rules);
	for (size_t i = 0; i < set->hook_count && r == 0; i++)
		r = visit(&walk, set->hooks[i], &any, "", 0);
	drop_doubles(nat);
	return r;
}

void berth_ruleset_container_of(const char *comment, char ret_id[BERTH_NAT_CONTAINER_MAX])
{
	ret_id[0] = '\0';
	while (*comment) {
		size_t len = strspn(comment, "0123456789abcdef");

		if (len == ID_LEN && !isalnum((unsigned char)comment[len])) {
			memcpy(ret_id, comment, len);
			ret_id[len] = '\0';
			return;
		}
		comment += len ? len : 1;
	}
}

int berth_ruleset_protocol(const char *name, int *ret_protocol)
{
	static const struct {
		const char *name;
		int protocol;
	} known[] = {
		{ "tcp", IPPROTO_TCP }, { "udp", IPPROTO_UDP }, { "all", 0 }, { "th", 0 },
		{ "6", IPPROTO_TCP },	{ "17", IPPROTO_UDP },	{ "0", 0 },
	};

	for (size_t i = 0; i < BERTH_ARRAY_SIZE(known); i++) {
		if (strcmp(name, known[i].name) == 0) {
			*ret_protocol = known[i].protocol;
			return 0;
		}
	}
	return -EPROTONOSUPPORT;
}
