/* SPDX-License-Identifier: MIT */
/* unit/look/test-iptables.c - the text of iptables-save(8), as engines make it */
#include "look/iptables.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "leads.h"

#define ID "e34d3ce37699cde25f77c96200e081cc965ed93d63c06730c7a68a4be452395b"
#define HOOKS "*nat\n:PREROUTING ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\n"

static void check(const char *text, const char *wanted)
{
	struct berth_ruleset set = { 0 };

	assert_int_equal(berth_iptables_parse(text, strlen(text), "ip", &set), 0);
	leads_assert(&set, wanted);
}

static void docker_publishes_in_a_chain_of_its_own(void **state)
{
	(void)state;
	check(HOOKS ":DOCKER - [0:0]\n"
		    "-A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER\n"
		    "-A OUTPUT ! -d 127.0.0.0/8 -m addrtype --dst-type LOCAL -j DOCKER\n"
		    "-A DOCKER -i docker0 -j RETURN\n"
		    "-A DOCKER ! -i docker0 -p tcp -m tcp --dport 8080 -j DNAT --to-destination "
		    "172.17.0.2:80\n"
		    "-A DOCKER -d 192.0.2.7/32 ! -i docker0 -p udp -m udp --dport 53 -j DNAT "
		    "--to-destination 172.17.0.3:53\n"
		    "COMMIT\n",
	      "53-53/17 [192.0.2.7] 172.17.0.3:53; 8080-8080/6 172.17.0.2:80");
}

/* As netavark 1.4 writes it, and iptables-save 1.8.9 tells it. */
static void podman_says_in_a_comment_which_container_it_is(void **state)
{
	(void)state;
	check(HOOKS
	      "-A PREROUTING -m addrtype --dst-type LOCAL -j NETAVARK-HOSTPORT-DNAT\n"
	      "-A OUTPUT -m addrtype --dst-type LOCAL -j NETAVARK-HOSTPORT-DNAT\n"
	      "-A NETAVARK-DN-1D -s 10.88.0.0/16 -p tcp -m tcp --dport 18481:18483 -j SETMARK\n"
	      "-A NETAVARK-DN-1D -p tcp -m tcp --dport 18481:18483 -j DNAT --to-destination "
	      "10.88.0.3:8080-8082/18481\n"
	      "-A NETAVARK-HOSTPORT-DNAT -p tcp -m tcp --dport 18481:18483 -m comment --comment "
	      "\"dnat name: podman id: " ID "\" -j NETAVARK-DN-1D\n"
	      "-A SETMARK -j MARK --set-xmark 0x2000/0x2000\n"
	      "COMMIT\n",
	      "18481-18483/6 10.88.0.3:8080-8082/18481 (" ID ")");
}

static void cni_lists_ports_and_quotes_within_quotes(void **state)
{
	(void)state;
	check(HOOKS
	      "-A PREROUTING -m addrtype --dst-type LOCAL -j CNI-HOSTPORT-DNAT\n"
	      "-A CNI-HOSTPORT-DNAT -p tcp -m comment --comment \"dnat name: \\\"podman\\\" id: "
	      "\\\"" ID "\\\"\" -m multiport --dports 8080,8443 -j CNI-DN-7c2f\n"
	      "-A CNI-DN-7c2f -p tcp -m tcp --dport 8080 -j DNAT --to-destination 10.88.0.2:80\n"
	      "-A CNI-DN-7c2f -p tcp -m tcp --dport 8443 -j DNAT --to-destination 10.88.0.2:443\n",
	      "8080-8080/6 10.88.0.2:80 (" ID "); 8443-8443/6 10.88.0.2:443 (" ID ")");
}

static void kubernetes_has_the_port_before_the_jumps_and_none_after(void **state)
{
	(void)state;
	check(HOOKS
	      "-A PREROUTING -m comment --comment \"kubernetes service portals\" -j KUBE-SERVICES\n"
	      "-A KUBE-SERVICES -m addrtype --dst-type LOCAL -j KUBE-NODEPORTS\n"
	      "-A KUBE-NODEPORTS -p tcp -m comment --comment \"default/web\" -m tcp --dport 30080 "
	      "-j KUBE-EXT-X\n"
	      "-A KUBE-EXT-X -j KUBE-SVC-X\n"
	      "-A KUBE-SVC-X -m statistic --mode random --probability 0.5 -j KUBE-SEP-X\n"
	      "-A KUBE-SEP-X -p tcp -m tcp -j DNAT --to-destination 10.244.0.5:8080\n",
	      "30080-30080/6 10.244.0.5:8080");
}

static void redirects_lead_to_another_port_of_ours(void **state)
{
	(void)state;
	check(HOOKS "-A PREROUTING -p tcp -m tcp --dport 443 -j REDIRECT --to-ports 8443\n"
		    "-A PREROUTING -p tcp -m tcp --dport 444 -j REDIRECT\n",
	      "443-443/6 :8443");
}

static void ports_are_numbers_ranges_and_lists(void **state)
{
	static const struct {
		const char *options, *wanted;
	} rows[] = {
		{ "--dport 80", "80-80/6 x" },
		{ "--dport 80:90", "80-90/6 x" },
		{ "--dport 60000:", "60000-65535/6 x" },
		{ "--dport :90", "1-90/6 x" },
		{ "-m multiport --dports 80,443,8000:8010", "80-80/6 x; 443-443/6 x; "
							    "8000-8010/6 x" },
		/* What is not understood, or not that, is no port. */
		{ "! --dport 80", "" },
		{ "--dport 90:80", "" },
		{ "--dport 65536", "" },
		{ "--dport http", "" },
		{ "--dport 0", "" },
		{ "--dport 80,", "80-80/6 x" },
		{ "--sport 80", "" },
		{ "-m comment --comment \"--dport 80\"", "" },
		{ "--dport 123456789012345678901234567890", "" },
	};
	char text[512];

	(void)state;
	for (size_t i = 0; i < BERTH_ARRAY_SIZE(rows); i++) {
		snprintf(text, sizeof(text),
			 HOOKS "-A OUTPUT -p tcp %s -j DNAT --to-destination x\n", rows[i].options);
		check(text, rows[i].wanted);
	}
}

static void protocols_other_than_tcp_and_udp_are_left_out(void **state)
{
	(void)state;
	check(HOOKS "-A OUTPUT -p sctp -m sctp --dport 80 -j DNAT --to-destination a\n"
		    "-A OUTPUT -p 17 -m udp --dport 81 -j DNAT --to-destination b\n"
		    "-A OUTPUT -p all -m multiport --dports 82 -j DNAT --to-destination c\n",
	      "81-81/17 b; 82-82/0 c");
}

static void only_the_table_nat_counts(void **state)
{
	(void)state;
	check("*filter\n:OUTPUT ACCEPT [0:0]\n"
	      "-A OUTPUT -p tcp -m tcp --dport 80 -j DNAT --to-destination x\nCOMMIT\n" HOOKS
	      "-A OUTPUT -p tcp -m tcp --dport 81 -j DNAT --to-destination y",
	      "81-81/6 y");
}

static void nonsense_is_passed_over(void **state)
{
	char text[8192] =
		HOOKS "-A\n-A OUTPUT\n-A OUTPUT -j\n-A OUTPUT !\n-A OUTPUT -p\n\n   \n\"\n"
		      "-A OUTPUT -j DNAT --to-destination\n"
		      "-A OUTPUT -p tcp --dport 79 -j DNAT --to-destination \"\"\n-A OUTPUT ";
	size_t len = strlen(text);

	(void)state;
	memset(text + len, 'x', 5000);
	strcpy(text + len + 5000, "\n-A OUTPUT -p tcp --dport 80 -j DNAT --to-destination y\n");
	check(text, "80-80/6 y");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(docker_publishes_in_a_chain_of_its_own),
		cmocka_unit_test(podman_says_in_a_comment_which_container_it_is),
		cmocka_unit_test(cni_lists_ports_and_quotes_within_quotes),
		cmocka_unit_test(kubernetes_has_the_port_before_the_jumps_and_none_after),
		cmocka_unit_test(redirects_lead_to_another_port_of_ours),
		cmocka_unit_test(ports_are_numbers_ranges_and_lists),
		cmocka_unit_test(protocols_other_than_tcp_and_udp_are_left_out),
		cmocka_unit_test(only_the_table_nat_counts),
		cmocka_unit_test(nonsense_is_passed_over),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
