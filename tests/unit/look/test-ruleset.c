/* SPDX-License-Identifier: MIT */
/* unit/look/test-ruleset.c - the way of a packet along the jumps */
#include "look/ruleset.h"

#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "leads.h"

static void add(struct berth_ruleset *set, const char *chain, const char *jump, uint16_t lo,
		uint16_t hi, int protocol, const char *target)
{
	struct berth_ruleset_rule rule = {
		.when = { .port_lo = lo, .port_hi = hi, .protocol = protocol },
	};

	strcpy(rule.target, target);
	assert_int_equal(berth_ruleset_add(set, chain, jump, &rule), 0);
}

static void only_what_a_hook_leads_to_counts(void **state)
{
	struct berth_ruleset set = { 0 };

	(void)state;
	assert_int_equal(berth_ruleset_add_hook(&set, "in"), 0);
	add(&set, "left-over", NULL, 70, 70, IPPROTO_TCP, "old");
	add(&set, "in", NULL, 80, 80, IPPROTO_TCP, "web");
	add(&set, "in", "next", 0, 0, 0, "");
	add(&set, "next", NULL, 90, 91, 0, "both");
	add(&set, "in", "nowhere", 0, 0, 0, "");
	leads_assert(&set, "80-80/6 web; 90-91/0 both");
}

static void a_jump_narrows_down_what_follows(void **state)
{
	struct berth_ruleset set = { 0 };

	(void)state;
	assert_int_equal(berth_ruleset_add_hook(&set, "in"), 0);
	add(&set, "in", "service", 30080, 30090, IPPROTO_TCP, "");
	add(&set, "service", NULL, 0, 0, 0, "pod");
	add(&set, "service", NULL, 30085, 40000, 0, "part");
	add(&set, "service", NULL, 50, 60, 0, "outside");
	add(&set, "service", NULL, 0, 0, IPPROTO_UDP, "other protocol");
	leads_assert(&set, "30080-30090/6 pod; 30085-30090/6 part");
}

static void what_is_for_all_ports_says_nothing_of_one(void **state)
{
	struct berth_ruleset set = { 0 };

	(void)state;
	assert_int_equal(berth_ruleset_add_hook(&set, "in"), 0);
	add(&set, "in", NULL, 0, 0, IPPROTO_TCP, "proxy");
	add(&set, "in", NULL, 1, 65535, IPPROTO_TCP, "proxy");
	add(&set, "in", NULL, 1024, 65535, IPPROTO_TCP, "most");
	leads_assert(&set, "1024-65535/6 most");
}

static void the_same_from_two_hooks_is_told_once_with_its_container(void **state)
{
	struct berth_ruleset_rule named = { .container = "0123456789ab" };
	struct berth_ruleset set = { 0 };

	(void)state;
	assert_int_equal(berth_ruleset_add_hook(&set, "in"), 0);
	assert_int_equal(berth_ruleset_add_hook(&set, "own"), 0);
	add(&set, "in", "web", 0, 0, 0, "");
	assert_int_equal(berth_ruleset_add(&set, "own", "web", &named), 0);
	add(&set, "web", NULL, 80, 80, IPPROTO_TCP, "pod");
	leads_assert(&set, "80-80/6 pod (0123456789ab)");
}

static void circles_and_thickets_come_to_an_end(void **state)
{
	struct berth_ruleset set = { 0 };
	struct berth_nat nat = { 0 };
	char name[16], next[16];

	(void)state;
	assert_int_equal(berth_ruleset_add_hook(&set, "a"), 0);
	add(&set, "a", "b", 0, 0, 0, "");
	add(&set, "b", "a", 0, 0, 0, "");
	add(&set, "b", NULL, 80, 80, IPPROTO_TCP, "pod");
	leads_assert(&set, "80-80/6 pod");

	assert_int_equal(berth_ruleset_add_hook(&set, "0"), 0);
	for (int i = 0; i < 15; i++) {
		snprintf(name, sizeof(name), "%d", i);
		snprintf(next, sizeof(next), "%d", i + 1);
		for (int k = 0; k < 10; k++)
			add(&set, name, next, 0, 0, 0, "");
	}
	add(&set, "15", NULL, 80, 80, IPPROTO_TCP, "pod");
	assert_int_equal(berth_ruleset_resolve(&set, NULL, NULL, &nat), -EFBIG);
	assert_true(berth_nat_find(&nat, 80, IPPROTO_TCP));
	berth_nat_deinit(&nat);
	berth_ruleset_deinit(&set);
}

static bool is_not_theirs(const char *address, void *arg)
{
	return strcmp(address, arg) != 0;
}

static void what_is_for_another_address_is_left_out(void **state)
{
	struct berth_ruleset_rule rule = {
		.when = { .port_lo = 80, .port_hi = 80, .address = "10.96.0.1" },
		.target = "cluster",
	};
	struct berth_ruleset set = { 0 };
	struct berth_nat nat = { 0 };
	char theirs[] = "10.96.0.1";

	(void)state;
	assert_int_equal(berth_ruleset_add_hook(&set, "in"), 0);
	assert_int_equal(berth_ruleset_add(&set, "in", NULL, &rule), 0);
	strcpy(rule.when.address, "192.0.2.1");
	assert_int_equal(berth_ruleset_add(&set, "in", NULL, &rule), 0);
	assert_int_equal(berth_ruleset_resolve(&set, is_not_theirs, theirs, &nat), 0);
	assert_int_equal(nat.count, 1);
	assert_string_equal(nat.rules[0].address, "192.0.2.1");
	berth_nat_deinit(&nat);
	berth_ruleset_deinit(&set);
}

static void a_container_is_known_by_a_comment_that_has_its_id(void **state)
{
#define ID "e34d3ce37699cde25f77c96200e081cc965ed93d63c06730c7a68a4be452395b"
	static const char *const none[] = {
		"", "default/web:http", "id: e34d3ce37699", ID "0", ID "g", "x"
	};
	static const char *const some[] = { "dnat name: podman id: " ID,
					    "dnat name: \"bridge\" id: \"default-" ID "\"", ID };
	char id[BERTH_NAT_CONTAINER_MAX];

	(void)state;
	for (size_t i = 0; i < BERTH_ARRAY_SIZE(none); i++) {
		berth_ruleset_container_of(none[i], id);
		assert_string_equal(id, "");
	}
	for (size_t i = 0; i < BERTH_ARRAY_SIZE(some); i++) {
		berth_ruleset_container_of(some[i], id);
		assert_string_equal(id, ID);
	}
}

static void protocols_have_names_and_numbers(void **state)
{
	int protocol = 99;

	(void)state;
	assert_int_equal(berth_ruleset_protocol("tcp", &protocol), 0);
	assert_int_equal(protocol, IPPROTO_TCP);
	assert_int_equal(berth_ruleset_protocol("17", &protocol), 0);
	assert_int_equal(protocol, IPPROTO_UDP);
	assert_int_equal(berth_ruleset_protocol("th", &protocol), 0);
	assert_int_equal(protocol, 0);
	assert_int_equal(berth_ruleset_protocol("sctp", &protocol), -EPROTONOSUPPORT);
	assert_int_equal(protocol, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_what_a_hook_leads_to_counts),
		cmocka_unit_test(a_jump_narrows_down_what_follows),
		cmocka_unit_test(what_is_for_all_ports_says_nothing_of_one),
		cmocka_unit_test(the_same_from_two_hooks_is_told_once_with_its_container),
		cmocka_unit_test(circles_and_thickets_come_to_an_end),
		cmocka_unit_test(what_is_for_another_address_is_left_out),
		cmocka_unit_test(a_container_is_known_by_a_comment_that_has_its_id),
		cmocka_unit_test(protocols_have_names_and_numbers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
