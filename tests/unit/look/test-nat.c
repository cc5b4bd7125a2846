/* SPDX-License-Identifier: MIT */
/* unit/look/test-nat.c - the real tools and the real packet filter, in a namespace of our own */
#include "look/nat.h"

#include <errno.h>
#include <linux/capability.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "../own-netns.h"
#include "base/attr.h"

/* Is the command there, and does it work here? */
static bool works(const char *command)
{
	char line[1024];

	snprintf(line, sizeof(line),
		 "exec >/dev/null 2>&1 </dev/null; PATH=$PATH:/usr/sbin:/sbin; %s", command);
	return system(line) == 0;
}

static void skip_without(const char *command)
{
	if (works(command))
		return;
	print_message("'%s' does not work here\n", command);
	skip();
}

static const char *target_of(const struct berth_nat *nat, uint16_t port, int protocol)
{
	const struct berth_nat_rule *rule = berth_nat_find(nat, port, protocol);

	return rule ? rule->target : "none";
}

static void an_empty_filter_leads_nothing_away(void **state)
{
	struct berth_nat nat = { .count = 99 };

	(void)state;
	assert_true(own_netns_enter());
	skip_without("nft list ruleset");
	assert_int_equal(berth_nat_load(&nat), 0);
	assert_int_equal(nat.count, 0);
	assert_int_equal(nat.error, 0);
	assert_null(berth_nat_find(&nat, 80, IPPROTO_TCP));
	berth_nat_deinit(&nat);
}

static void rules_of_nft_are_found_by_port_and_protocol(void **state)
{
	struct berth_nat nat = { 0 };

	(void)state;
	assert_true(own_netns_enter());
	skip_without("nft list ruleset");
	assert_true(works("nft 'table ip t {\nchain p {\ntype nat hook prerouting priority -100;\n"
			  "tcp dport 8080-8090 dnat to 10.0.0.2:80; "
			  "ip daddr 127.0.0.1 udp dport 53 redirect to :5353; "
			  "ip daddr 192.0.2.1 tcp dport 70 dnat to 10.0.0.3; "
			  "ip daddr 127.0.0.0/8 tcp dport 71 dnat to 10.0.0.4; "
			  "ip daddr 10.96.0.0/12 tcp dport 72 dnat to 10.0.0.5\n}\n}'"));
	assert_int_equal(berth_nat_load(&nat), 0);
	assert_int_equal(nat.error, 0);
	assert_string_equal(target_of(&nat, 8080, IPPROTO_TCP), "10.0.0.2:80");
	assert_string_equal(target_of(&nat, 8090, IPPROTO_TCP), "10.0.0.2:80");
	assert_string_equal(target_of(&nat, 8091, IPPROTO_TCP), "none");
	assert_string_equal(target_of(&nat, 8080, IPPROTO_UDP), "none");
	assert_string_equal(target_of(&nat, 53, IPPROTO_UDP), ":5353");
	/* Only addresses of this machine are ours to answer for. */
	assert_string_equal(target_of(&nat, 70, IPPROTO_TCP), "none");
	assert_string_equal(target_of(&nat, 71, IPPROTO_TCP), "10.0.0.4");
	assert_string_equal(target_of(&nat, 72, IPPROTO_TCP), "none");
	berth_nat_deinit(&nat);
}

static void an_address_that_we_have_is_ours(void **state)
{
	struct berth_nat nat = { 0 };

	(void)state;
	assert_true(own_netns_enter());
	skip_without("nft list ruleset");
	assert_true(works("ip addr add 192.0.2.1/32 dev lo && ip addr add fd00::1/128 dev lo && "
			  "nft 'table ip t {\nchain p {\ntype nat hook prerouting priority -100;\n"
			  "ip daddr 192.0.2.1 tcp dport 70 dnat to 10.0.0.3; "
			  "ip daddr 192.0.2.0/28 tcp dport 71 dnat to 10.0.0.3; "
			  "ip daddr 192.0.2.2 tcp dport 72 dnat to 10.0.0.3\n}\n}\n"
			  "table ip6 t {\nchain p {\ntype nat hook output priority -100;\n"
			  "ip6 daddr fd00::1 tcp dport 73 dnat to [fd00::2]:80; "
			  "ip6 daddr fd00::/9 tcp dport 74 dnat to [fd00::2]:80; "
			  "ip6 daddr fd80::/9 tcp dport 75 dnat to [fd00::2]:80\n}\n}'"));
	assert_int_equal(berth_nat_load(&nat), 0);
	assert_string_equal(target_of(&nat, 70, IPPROTO_TCP), "10.0.0.3");
	assert_string_equal(target_of(&nat, 71, IPPROTO_TCP), "10.0.0.3");
	assert_string_equal(target_of(&nat, 72, IPPROTO_TCP), "none");
	assert_string_equal(target_of(&nat, 73, IPPROTO_TCP), "[fd00::2]:80");
	assert_string_equal(target_of(&nat, 74, IPPROTO_TCP), "[fd00::2]:80");
	assert_string_equal(target_of(&nat, 75, IPPROTO_TCP), "none");
	berth_nat_deinit(&nat);
}

/* nft tells no more of them than that they are there. */
static void rules_of_iptables_are_found_through_its_own_tool(void **state)
{
	struct berth_nat nat = { 0 };

	(void)state;
	assert_true(own_netns_enter());
	skip_without("nft list ruleset && iptables-nft-save");
	assert_true(
		works("iptables-nft -t nat -A OUTPUT -p tcp -m multiport --dports 5556,5558:5560 "
		      "-j DNAT --to-destination 10.1.1.1:80 && "
		      "ip6tables-nft -t nat -A OUTPUT -p tcp --dport 5564 "
		      "-j DNAT --to-destination [fd00::1]:6"));
	assert_int_equal(berth_nat_load(&nat), 0);
	assert_int_equal(nat.error, 0);
	assert_string_equal(target_of(&nat, 5559, IPPROTO_TCP), "10.1.1.1:80");
	assert_string_equal(target_of(&nat, 5557, IPPROTO_TCP), "none");
	assert_string_equal(target_of(&nat, 5564, IPPROTO_TCP), "[fd00::1]:6");
	berth_nat_deinit(&nat);
}

static void tables_of_the_old_iptables_are_found_and_never_made(void **state)
{
	static const char has_table[] = "grep -qs nat /proc/net/ip_tables_names";
	struct berth_nat nat = { 0 };
	bool before;

	(void)state;
	assert_true(own_netns_enter());
	before = works(has_table);
	assert_int_equal(berth_nat_load(&nat), 0);
	berth_nat_deinit(&nat);
	assert_int_equal(works(has_table), before);
	skip_without("iptables-legacy -t nat -S");
	assert_true(works("iptables-legacy -t nat -A OUTPUT -p tcp --dport 4444 "
			  "-j DNAT --to-destination 10.2.2.2:4"));
	assert_int_equal(berth_nat_load(&nat), 0);
	assert_string_equal(target_of(&nat, 4444, IPPROTO_TCP), "10.2.2.2:4");
	berth_nat_deinit(&nat);
}

static void who_may_not_look_is_told_so(void **state)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2] = { 0 };
	struct berth_nat nat = { 0 };
	int status;
	pid_t pid;

	(void)state;
	assert_true(own_netns_enter());
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		if (syscall(SYS_capset, &header, data) < 0)
			_exit(1);
		_exit(berth_nat_load(&nat) == 0 && nat.error == -EACCES && !nat.count ? 0 : 2);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_empty_filter_leads_nothing_away),
		cmocka_unit_test(rules_of_nft_are_found_by_port_and_protocol),
		cmocka_unit_test(an_address_that_we_have_is_ours),
		cmocka_unit_test(rules_of_iptables_are_found_through_its_own_tool),
		cmocka_unit_test(tables_of_the_old_iptables_are_found_and_never_made),
		cmocka_unit_test(who_may_not_look_is_told_so),
	};
	return own_netns_run_group_tests(tests);
}
