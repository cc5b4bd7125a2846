/* SPDX-License-Identifier: MIT */
/* unit/look/test-nft.c - the JSON of nft(8), as version 1.0.6 writes it */
#include "look/nft.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "leads.h"

#define ID "e34d3ce37699cde25f77c96200e081cc965ed93d63c06730c7a68a4be452395b"
#define IN "\"family\":\"ip\",\"table\":\"nat\""
#define CHAIN \
	"{\"chain\":{" IN ",\"name\":\"p\",\"type\":\"nat\",\"hook\":\"prerouting\"," \
	"\"prio\":-100}}"
#define RULE(expr) "{\"rule\":{" IN ",\"chain\":\"p\",\"expr\":[" expr "]}}"
#define RULESET(rules) "{\"nftables\":[{\"metainfo\":{\"version\":\"1.0.6\"}}," CHAIN "," rules "]}"
#define PAYLOAD(protocol, field) \
	"{\"payload\":{\"protocol\":\"" protocol "\",\"field\":\"" field "\"}}"
#define MATCH(op, left, right) \
	"{\"match\":{\"op\":\"" op "\",\"left\":" left ",\"right\":" right "}}"
#define DPORT(right) MATCH("==", PAYLOAD("tcp", "dport"), right)
#define DNAT(addr, port) "{\"dnat\":{\"addr\":\"" addr "\",\"port\":" port "}}"
#define TO_X "{\"dnat\":{\"addr\":\"x\"}}"

static void check(const char *text, const char *wanted)
{
	struct berth_ruleset set = { 0 };

	assert_int_equal(berth_nft_parse(text, strlen(text), &set), 0);
	assert_false(set.foreign4 || set.foreign6);
	leads_assert(&set, wanted);
}

static void a_rule_leads_its_ports_away(void **state)
{
	static const struct {
		const char *ruleset, *wanted;
	} rows[] = {
		{ RULESET(RULE(DPORT("8080") "," DNAT("10.0.0.2", "80"))),
		  "8080-8080/6 10.0.0.2:80" },
		{ RULESET(RULE(
			  DPORT("{\"range\":[8081,8083]}") ",{\"counter\":{\"packets\":0}}," TO_X)),
		  "8081-8083/6 x" },
		{ RULESET(RULE(DPORT("{\"set\":[9000,{\"range\":[9002,9004]}]}") "," TO_X)),
		  "9000-9000/6 x; 9002-9004/6 x" },
		{ RULESET(RULE(DPORT("80") "," DNAT("fd00::2", "81"))), "80-80/6 [fd00::2]:81" },
		{ RULESET(RULE(DPORT("80") ",{\"dnat\":{\"addr\":\"fd00::2\"}}")),
		  "80-80/6 fd00::2" },
		{ RULESET(RULE(DPORT("22") "," DNAT("a", "{\"range\":[2222,2230]}"))),
		  "22-22/6 a:2222-2230" },
		{ RULESET(RULE(DPORT("22") ",{\"dnat\":{\"addr\":{\"range\":[\"a\",\"b\"]}}}")),
		  "22-22/6 a-b" },
		{ RULESET(RULE(DPORT("443") ",{\"redirect\":{\"port\":8443}}")),
		  "443-443/6 :8443" },
		{ RULESET(RULE(DPORT("443") ",{\"redirect\":null}")), "" },
		{ RULESET(RULE(MATCH(">=", PAYLOAD("udp", "dport"), "60000") "," TO_X)),
		  "60000-65535/17 x" },
		{ RULESET(RULE(MATCH(">", PAYLOAD("udp", "dport"), "60000") "," TO_X)),
		  "60001-65535/17 x" },
		{ RULESET(RULE(MATCH("<", PAYLOAD("udp", "dport"), "10") "," TO_X)), "1-9/17 x" },
		{ RULESET(RULE(MATCH("!=", PAYLOAD("udp", "dport"), "10") "," TO_X)), "" },
		{ RULESET(RULE(MATCH("==", PAYLOAD("sctp", "dport"), "10") "," TO_X)), "" },
		{ RULESET(RULE(TO_X)), "" },
		{ RULESET(RULE(DPORT("80") ",{\"accept\":null}")), "" },
	};

	(void)state;
	for (size_t i = 0; i < BERTH_ARRAY_SIZE(rows); i++)
		check(rows[i].ruleset, rows[i].wanted);
}

static void addresses_and_protocols_narrow_down(void **state)
{
	static const char l4proto[] = RULESET(
		RULE(MATCH("==", "{\"meta\":{\"key\":\"l4proto\"}}",
			   "{\"set\":[\"tcp\",\"udp\"]}") "," MATCH("==", PAYLOAD("th", "dport"),
								    "78") "," TO_X));
	static const char addresses[] = RULESET(
		RULE(MATCH("==", PAYLOAD("ip", "daddr"),
			   "{\"set\":[\"192.0.2.1\",\"192.0.2.3\"]}") "," DPORT("23") "," TO_X));
	static const char prefix[] = RULESET(RULE(MATCH(
		"==", PAYLOAD("ip", "daddr"),
		"{\"prefix\":{\"addr\":\"10.96.0.0\",\"len\":12}}") "," DPORT("23") "," TO_X));
	static const char source[] = RULESET(RULE(
		MATCH("==", PAYLOAD("ip", "saddr"), "\"192.0.2.1\"") "," DPORT("23") "," TO_X));

	(void)state;
	check(l4proto, "78-78/6 x; 78-78/17 x");
	check(addresses, "23-23/6 [192.0.2.1] x; 23-23/6 [192.0.2.3] x");
	check(prefix, "23-23/6 [10.96.0.0/12] x");
	check(source, "23-23/6 x");
}

static void sets_and_maps_may_have_names(void **state)
{
	static const char set[] = RULESET(
		"{\"set\":{" IN ",\"name\":\"s\",\"elem\":[100,{\"range\":[200,210]},"
		"{\"elem\":{\"val\":300,\"timeout\":60}}]}}," RULE(DPORT("\"@s\"") "," TO_X));
	static const char map[] = RULESET(
		"{\"map\":{" IN ",\"name\":\"m\",\"elem\":[[7001,{\"concat\":[\"10.0.0.9\",80]}],"
		"[7002,{\"concat\":[\"10.0.0.9\",81]}]]}}," RULE(
			"{\"dnat\":{\"family\":\"ip\",\"addr\":{\"map\":{\"key\":" PAYLOAD(
				"tcp", "dport") ",\"data\":\"@m\"}}}}"));
	static const char literal[] =
		RULESET(RULE("{\"dnat\":{\"port\":90,\"addr\":{\"map\":{\"key\":" PAYLOAD(
			"tcp", "dport") ",\"data\":{\"set\":[[7100,\"a\"],[7101,\"b\"]]}}}}}"));
	static const char chosen[] = RULESET(RULE(
		DPORT("3000") ",{\"dnat\":{\"addr\":{\"map\":{\"key\":{\"numgen\":{\"mod\":2}},"
			      "\"data\":{\"set\":[[0,\"a\"],[1,\"b\"]]}}}}}"));
	static const char number[] =
		RULESET(RULE("{\"dnat\":{\"addr\":\"10.0.0.4\",\"port\":{\"map\":{\"key\":" PAYLOAD(
			"tcp",
			"dport") ",\"data\":{\"set\":[[8104,80],[{\"range\":[8120,8125]},90]]}"
				 "}}}}"));
	static const char redirect[] = RULESET(
		"{\"map\":{" IN ",\"name\":\"m\",\"elem\":[[8101,9101],[8102,9102]]}}," RULE(
			"{\"redirect\":{\"port\":{\"map\":{\"key\":" PAYLOAD(
				"tcp", "dport") ",\"data\":\"@m\"}}}}"));
	static const char sources[] =
		RULESET(RULE(DPORT("3000") ",{\"redirect\":{\"port\":{\"map\":{\"key\":" PAYLOAD(
			"tcp", "sport") ",\"data\":{\"set\":[[8132,9132],[8133,9133]]}}}}}"));
	static const char unknown[] = RULESET(RULE(DPORT("\"@gone\"") "," TO_X));

	(void)state;
	check(set, "100-100/6 x; 200-210/6 x; 300-300/6 x");
	check(map, "7001-7001/6 10.0.0.9:80; 7002-7002/6 10.0.0.9:81");
	check(literal, "7100-7100/6 a:90; 7101-7101/6 b:90");
	check(chosen, "3000-3000/6 a");
	check(number, "8104-8104/6 10.0.0.4:80; 8120-8125/6 10.0.0.4:90");
	check(redirect, "8101-8101/6 :9101; 8102-8102/6 :9102");
	check(sources, "3000-3000/6 :9132");
	check(unknown, "");
}

/* As netavark does it from 1.11 on, and kube-proxy. */
static void jumps_and_maps_of_verdicts_are_followed(void **state)
{
#define Q(expr) "{\"rule\":{" IN ",\"chain\":\"q\",\"comment\":\"id: " ID "\",\"expr\":[" expr "]}}"
	static const char jump[] =
		RULESET(RULE(DPORT("8080") ",{\"jump\":{\"target\":\"q\"}}") "," Q(TO_X));
	static const char vmap[] = RULESET(RULE("{\"vmap\":{\"key\":" PAYLOAD(
		"tcp", "dport") ",\"data\":{\"set\":["
				"[8087,{\"jump\":{\"target\":\"q\"}}],"
				"[{\"range\":[8088,8089]},{\"goto\":{\"target\":\"q\"}}],"
				"[8090,{\"drop\":null}]]}}}") "," Q(TO_X));
	static const char ports[] = RULESET(
		"{\"map\":{" IN ",\"name\":\"nodeports\",\"map\":\"verdict\",\"elem\":["
		"[{\"concat\":[\"tcp\",30080]},{\"goto\":{\"target\":\"q\"}}],"
		"[{\"concat\":[\"sctp\",30081]},{\"goto\":{\"target\":\"q\"}}]]}}," RULE(
			"{\"vmap\":{\"key\":{\"concat\":[{\"meta\":{\"key\":\"l4proto\"}}," PAYLOAD(
				"th", "dport") "]},\"data\":\"@nodeports\"}}") "," Q(TO_X));

	(void)state;
	check(jump, "8080-8080/6 x (" ID ")");
	check(vmap, "8087-8087/6 x (" ID "); 8088-8089/6 x (" ID ")");
	check(ports, "30080-30080/6 x (" ID ")");
}

static void what_only_iptables_can_tell_is_noted(void **state)
{
	static const char text[] =
		RULESET(RULE(DPORT("5555") ",{\"xt\":{\"type\":\"target\",\"name\":\"DNAT\"}}"));
	static const char old[] =
		RULESET("{\"rule\":{\"family\":\"ip6\",\"table\":\"nat\",\"chain\":\"p\",\"expr\":["
			"{\"xt\":null}]}}");
	struct berth_ruleset set = { 0 };

	(void)state;
	assert_int_equal(berth_nft_parse(text, strlen(text), &set), 0);
	assert_true(set.foreign4 && !set.foreign6);
	leads_assert(&set, "");
	assert_int_equal(berth_nft_parse(old, strlen(old), &set), 0);
	assert_true(!set.foreign4 && set.foreign6);
	leads_assert(&set, "");
}

static void remarks_may_stand_before_it(void **state)
{
	(void)state;
	check("# Warning: table ip nat is managed by iptables-nft, do not touch!\n" RULESET(
		      RULE(DPORT("80") "," TO_X)),
	      "80-80/6 x");
}

static void what_is_no_ruleset_is_refused(void **state)
{
	static const char *const rows[] = { "", "{", "[]", "{}", "{\"nftables\":{}}", "nonsense" };
	struct berth_ruleset set = { 0 };

	(void)state;
	for (size_t i = 0; i < BERTH_ARRAY_SIZE(rows); i++)
		assert_int_equal(berth_nft_parse(rows[i], strlen(rows[i]), &set), -EPROTO);
	check("{\"nftables\":[null,1,{\"rule\":null},{\"rule\":{}},{\"chain\":{}},{\"set\":1}]}",
	      "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_rule_leads_its_ports_away),
		cmocka_unit_test(addresses_and_protocols_narrow_down),
		cmocka_unit_test(sets_and_maps_may_have_names),
		cmocka_unit_test(jumps_and_maps_of_verdicts_are_followed),
		cmocka_unit_test(what_only_iptables_can_tell_is_noted),
		cmocka_unit_test(remarks_may_stand_before_it),
		cmocka_unit_test(what_is_no_ruleset_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
