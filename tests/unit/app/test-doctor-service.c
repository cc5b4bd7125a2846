/* SPDX-License-Identifier: MIT */
/* unit/app/test-doctor-service.c - what follows from what is known of a service */
#include "app/doctor-service.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static struct berth_doctor_http http;

static void assert_finding(const struct berth_doctor_finding *finding,
			   enum berth_doctor_result result, const char *found)
{
	if (finding->result != result || !strstr(finding->found, found) ||
	    !finding->cost[0] != (result == BERTH_DOCTOR_OK))
		fail_msg("%s '%s' (cost '%s'), not %s '%s'",
			 berth_doctor_result_name(finding->result), finding->found, finding->cost,
			 berth_doctor_result_name(result), found);
}

/* A port with the listeners that @text names: "o4" own on 127.0.0.1, "f6" foreign on [::1] ... */
static struct berth_doctor_port port_of(const char *text)
{
	struct berth_doctor_port port = {
		.number = 5000,
		.scheme = "http",
		.http = &http,
		.localhost = { .v4 = true, .v6 = true, .v6_first = true },
	};

	http.outcome = BERTH_DOCTOR_HTTP_ANSWERED;
	for (; *text; text += 2 + (text[2] == ' ')) {
		struct berth_doctor_listener *listener = &port.listeners[port.count++];

		listener->whose = text[0] == 'o'   ? BERTH_DOCTOR_OWN
				  : text[0] == 'k' ? BERTH_DOCTOR_KEPT
						   : BERTH_DOCTOR_FOREIGN;
		listener->addr =
			text[1] == 'i'
				? berth_addr_any(AF_INET, 5000)
				: berth_addr_loopback(text[1] == '6' ? AF_INET6 : AF_INET, 5000);
		if (text[1] == 'i') /* on one interface */
			listener->addr.in.sin_addr.s_addr = htonl(0x0a090807);
		listener->gets4 = text[1] == '4' || text[1] == 'd';
		listener->gets6 = text[1] == '6' || text[1] == 'd';
		if (text[1] == 'd') { /* both families */
			listener->addr = berth_addr_any(AF_INET6, 5000);
			listener->both = true;
		}
		listener->pid = 812;
		snprintf(listener->who, sizeof(listener->who), "node 812");
	}
	return port;
}

static void where_it_listens(void **state)
{
	static const struct {
		const char *listeners, *elsewhere;
		enum berth_doctor_result result;
		const char *found;
	} cases[] = {
		{ "o4", "", BERTH_DOCTOR_OK, "127.0.0.1:5000 (IPv4 only)" },
		{ "o6", "", BERTH_DOCTOR_OK, "[::1]:5000 (IPv6 only)" },
		{ "od", "", BERTH_DOCTOR_OK, "[::]:5000 (IPv4 and IPv6)" },
		{ "o4 o6", "", BERTH_DOCTOR_OK, "127.0.0.1:5000, [::1]:5000 (IPv4 and IPv6)" },
		{ "o4 f6", "", BERTH_DOCTOR_OK, "127.0.0.1:5000 (IPv4 only)" },
		{ "k4", "", BERTH_DOCTOR_DEGRADED, "kept" },
		{ "f4", "", BERTH_DOCTOR_MISSING, "nothing of it is on port 5000" },
		{ "", "127.0.0.1:7000", BERTH_DOCTOR_MISSING, "on 127.0.0.1:7000" },
	};

	for (size_t i = 0; i < BERTH_ARRAY_SIZE(cases); i++) {
		struct berth_doctor_port port = port_of(cases[i].listeners);
		struct berth_doctor_finding finding = { 0 };

		snprintf(port.elsewhere, sizeof(port.elsewhere), "%s", cases[i].elsewhere);
		berth_doctor_service_judge_listening(&port, &finding);
		assert_finding(&finding, cases[i].result, cases[i].found);
	}
}

static void who_else_answers_on_localhost(void **state)
{
	static const struct {
		const char *listeners;
		enum berth_doctor_result result;
		const char *found, *cost;
	} cases[] = {
		{ "o4 o6", BERTH_DOCTOR_OK, "and to nobody else", "" },
		{ "o4", BERTH_DOCTOR_OK, "nobody is on [::1]", "" },
		{ "o6", BERTH_DOCTOR_OK, "nobody is on 127.0.0.1", "" },
		{ "oi", BERTH_DOCTOR_OK, "nobody else", "" },
		{ "o4 fi", BERTH_DOCTOR_OK, "nobody is on [::1]", "" },
		{ "o4 f6", BERTH_DOCTOR_MISSING, "on [::1], port 5000, node 812 answers",
		  "one program or the other" },
		{ "o6 f4", BERTH_DOCTOR_MISSING, "on 127.0.0.1, port 5000, node 812 answers",
		  "one program or the other" },
		{ "o4 f4", BERTH_DOCTOR_MISSING, "node 812 answers, too", "or the other" },
		{ "fd", BERTH_DOCTOR_MISSING, "127.0.0.1 and [::1]", "meets that program" },
	};

	for (size_t i = 0; i < BERTH_ARRAY_SIZE(cases); i++) {
		struct berth_doctor_port port = port_of(cases[i].listeners);
		struct berth_doctor_finding finding = { 0 };

		berth_doctor_service_judge_localhost(&port, &finding);
		assert_finding(&finding, cases[i].result, cases[i].found);
		assert_non_null(strstr(finding.cost, cases[i].cost));
		if (cases[i].result != BERTH_DOCTOR_OK)
			assert_string_equal(finding.fix, "kill 812");
	}
}

static void whether_a_browser_reaches_it(void **state)
{
	static const struct {
		const char *listeners;
		const char *names; /* what localhost is, in that order; "": it is not known */
		enum berth_doctor_result result;
		const char *found;
	} cases[] = {
		{ "o4 o6", "64", BERTH_DOCTOR_OK, "at http://localhost:5000" },
		{ "od", "4", BERTH_DOCTOR_OK, "at http://localhost:5000" },
		{ "o4", "64", BERTH_DOCTOR_DEGRADED, "by fallback" },
		{ "o4", "46", BERTH_DOCTOR_OK, "127.0.0.1" },
		{ "o4", "4", BERTH_DOCTOR_OK, "127.0.0.1" },
		{ "o4", "6", BERTH_DOCTOR_DEGRADED, "by fallback" },
		{ "o6", "64", BERTH_DOCTOR_OK, "[::1]" },
		{ "o6", "46", BERTH_DOCTOR_DEGRADED, "127.0.0.1 first, which refuses" },
		{ "o6", "4", BERTH_DOCTOR_DEGRADED, "alone to all but browsers" },
		{ "o4", "", BERTH_DOCTOR_DEGRADED, "no resolver" },
		{ "oi", "64", BERTH_DOCTOR_MISSING, "not on localhost" },
		{ "o4 f6", "4", BERTH_DOCTOR_MISSING, "node 812 comes before it" },
		{ "o6 f4", "46", BERTH_DOCTOR_DEGRADED, "127.0.0.1 first" },
		{ "oi f4", "4", BERTH_DOCTOR_MISSING, "node 812 comes before it" },
	};

	for (size_t i = 0; i < BERTH_ARRAY_SIZE(cases); i++) {
		struct berth_doctor_port port = port_of(cases[i].listeners);
		const char *names = cases[i].names;
		struct berth_doctor_finding finding = { 0 };

		port.localhost_error = *names ? 0 : -ENOENT;
		port.localhost.v4 = strchr(names, '4');
		port.localhost.v6 = strchr(names, '6');
		port.localhost.v6_first = names[0] == '6';
		berth_doctor_service_judge_browser(&port, &finding);
		assert_finding(&finding, cases[i].result, cases[i].found);
	}
}

static void what_keeps_a_browser_away_comes_first(void **state)
{
	static const struct {
		const char *scheme;
		bool tls, bad;
		const char *found;
	} cases[] = {
		{ "http", false, true, "browsers refuse" },
		{ "http", true, false, "it speaks TLS, and its URL is http://" },
		{ "https", false, false, "it speaks no TLS, and its URL is https://" },
	};

	for (size_t i = 0; i < BERTH_ARRAY_SIZE(cases); i++) {
		struct berth_doctor_port port = port_of("od");
		struct berth_doctor_finding finding = { 0 };

		port.scheme = cases[i].scheme;
		port.tls = cases[i].tls;
		port.refused_by_browsers = cases[i].bad;
		berth_doctor_service_judge_browser(&port, &finding);
		assert_finding(&finding, BERTH_DOCTOR_MISSING, cases[i].found);
	}
}

static void what_was_answered(void **state)
{
	static const struct {
		enum berth_doctor_http_outcome outcome;
		bool tls;
		enum berth_doctor_result result;
		const char *found;
	} cases[] = {
		{ BERTH_DOCTOR_HTTP_ANSWERED, false, BERTH_DOCTOR_OK, "answered with 503" },
		{ BERTH_DOCTOR_HTTP_OTHER, false, BERTH_DOCTOR_DEGRADED, "not HTTP: '\\e[2J" },
		{ BERTH_DOCTOR_HTTP_OTHER, true, BERTH_DOCTOR_OK, "speaks TLS" },
		{ BERTH_DOCTOR_HTTP_CLOSED, false, BERTH_DOCTOR_MISSING, "closes" },
		{ BERTH_DOCTOR_HTTP_SILENT, false, BERTH_DOCTOR_MISSING, "within 2 seconds" },
		{ BERTH_DOCTOR_HTTP_UNREACHED, false, BERTH_DOCTOR_MISSING, "refused" },
	};

	for (size_t i = 0; i < BERTH_ARRAY_SIZE(cases); i++) {
		struct berth_doctor_port port = port_of("o4");
		struct berth_doctor_finding finding = { 0 };

		http = (struct berth_doctor_http){ .outcome = cases[i].outcome,
						   .error = -ECONNREFUSED,
						   .status = 503,
						   .len = 7,
						   .text = "\033[2J\x80 x" };
		http.head = http.len;
		port.tls = cases[i].tls;
		berth_doctor_service_judge_http(&port, &finding);
		assert_finding(&finding, cases[i].result, cases[i].found);
	}
}

static void how_it_lives(void **state)
{
	static const struct {
		const char *document;
		enum berth_doctor_result result;
		const char *found;
	} cases[] = {
		{ "{\"state\":\"ready\",\"pid\":7,\"started_at\":\"1970-01-01T00:00:10.000Z\"}",
		  BERTH_DOCTOR_OK, "ready, pid 7, started 1 min ago" },
		{ "{\"state\":\"ready\",\"restarts\":1}", BERTH_DOCTOR_OK, "1 restart" },
		{ "{\"state\":\"ready\",\"health\":\"failing\"}", BERTH_DOCTOR_MISSING,
		  "its probe fails" },
		{ "{\"state\":\"starting\"}", BERTH_DOCTOR_DEGRADED, "starting" },
		{ "{\"state\":\"waiting\",\"restart_at\":\"1970-01-01T00:01:45.000Z\"}",
		  BERTH_DOCTOR_MISSING, "starts again in 5 s" },
		{ "{\"state\":\"unready\"}", BERTH_DOCTOR_MISSING, "unready" },
		{ "{\"state\":\"stopping\"}", BERTH_DOCTOR_MISSING, "stopping" },
		{ "{\"state\":\"failed\"}", BERTH_DOCTOR_MISSING, "failed" },
	};

	for (size_t i = 0; i < BERTH_ARRAY_SIZE(cases); i++) {
		BERTH_AUTO_JSON json_t *service =
			berth_json_parse(cases[i].document, strlen(cases[i].document));
		struct berth_doctor_finding finding = { 0 };

		assert_non_null(service);
		berth_doctor_service_judge_life(service, 100 * 1000, &finding);
		assert_finding(&finding, cases[i].result, cases[i].found);
		assert_string_equal(finding.fix, ""); /* it has no log */
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(where_it_listens),
		cmocka_unit_test(who_else_answers_on_localhost),
		cmocka_unit_test(whether_a_browser_reaches_it),
		cmocka_unit_test(what_keeps_a_browser_away_comes_first),
		cmocka_unit_test(what_was_answered),
		cmocka_unit_test(how_it_lives),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
