/* SPDX-License-Identifier: MIT */
/* unit/app/test-doctor-cors.c - what a page of another origin may read, by the headers alone */
#include "app/doctor-cors.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define ORIGIN "http://localhost:5173"
#define ALLOW "Access-Control-Allow-Origin: "
#define NAMED ALLOW ORIGIN "\r\n"
#define CREDENTIALS "Access-Control-Allow-Credentials: true\r\n"
#define TYPE "Access-Control-Allow-Headers: X-A, content-type\r\n"
#define VARY "Vary: origin\r\n"

static void answer(struct berth_doctor_http *http, const char *status, const char *fields)
{
	memset(http, 0, sizeof(*http));
	http->len = (size_t)snprintf(http->text, sizeof(http->text), "HTTP/1.1 %s\r\n%s\r\n",
				     status, fields);
	assert_int_equal(berth_doctor_http_read(http, true), 0);
	assert_int_equal(http->outcome, BERTH_DOCTOR_HTTP_ANSWERED);
}

static const struct {
	const char *get, *status, *preflight, *stranger;
	bool several;
	enum berth_doctor_result result;
	const char *found;
} cases[] = {
	{ NAMED VARY, "204", NAMED TYPE, "", true, BERTH_DOCTOR_OK, "without credentials" },
	{ NAMED CREDENTIALS, "200", NAMED CREDENTIALS TYPE, "", false, BERTH_DOCTOR_OK,
	  "with credentials" },
	{ NAMED, "204", NAMED "Access-Control-Allow-Headers: *\r\n", "", false, BERTH_DOCTOR_OK,
	  "is allowed" },
	{ "", "204", NAMED TYPE, "", false, BERTH_DOCTOR_MISSING,
	  "has no Access-Control-Allow-Origin" },
	{ ALLOW "null\r\n", "204", NAMED TYPE, "", false, BERTH_DOCTOR_MISSING, "'null' instead" },
	{ ALLOW ORIGIN "/\r\n", "204", NAMED TYPE, "", false, BERTH_DOCTOR_MISSING,
	  "'" ORIGIN "/' instead" },
	{ ALLOW ORIGIN ", http://b\r\n", "204", NAMED TYPE, "", false, BERTH_DOCTOR_MISSING,
	  "instead" },
	{ ALLOW "\x1b[2J\r\n", "204", NAMED TYPE, "", false, BERTH_DOCTOR_MISSING, "'\\e[2J'" },
	{ NAMED NAMED, "204", NAMED TYPE, "", false, BERTH_DOCTOR_MISSING, "twice" },
	{ ALLOW "*\r\n" CREDENTIALS, "204", NAMED TYPE, "", false, BERTH_DOCTOR_MISSING,
	  "browsers refuse" },
	{ NAMED CREDENTIALS, "204", ALLOW "*\r\n" CREDENTIALS TYPE, "", false, BERTH_DOCTOR_MISSING,
	  "browsers refuse" },
	{ ALLOW "*\r\n", "204", ALLOW "*\r\n" TYPE, "", true, BERTH_DOCTOR_DEGRADED, "(*)" },
	{ NAMED, "405", NAMED TYPE, "", false, BERTH_DOCTOR_MISSING, "answered with 405" },
	{ NAMED, "302", NAMED TYPE, "", false, BERTH_DOCTOR_MISSING, "answered with 302" },
	{ NAMED, "204", TYPE, "", false, BERTH_DOCTOR_MISSING, "preflight" },
	{ NAMED, "204", NAMED, "", false, BERTH_DOCTOR_DEGRADED, "Content-Type" },
	{ NAMED CREDENTIALS, "204", NAMED CREDENTIALS "Access-Control-Allow-Headers: *\r\n", "",
	  false, BERTH_DOCTOR_DEGRADED, "Content-Type" },
	{ NAMED, "204", NAMED TYPE, ALLOW BERTH_DOCTOR_CORS_STRANGER "\r\n", false,
	  BERTH_DOCTOR_DEGRADED, "as whoever asks is" },
	{ NAMED CREDENTIALS, "204", NAMED TYPE, ALLOW BERTH_DOCTOR_CORS_STRANGER "\r\n" CREDENTIALS,
	  false, BERTH_DOCTOR_DEGRADED, "with credentials" },
	{ NAMED, "204", NAMED TYPE, "", true, BERTH_DOCTOR_DEGRADED, "Vary" },
	{ NAMED, "204", NAMED TYPE, NAMED, true, BERTH_DOCTOR_OK, "is allowed" },
	{ NAMED "Vary: Accept, *\r\n", "204", NAMED TYPE, "", true, BERTH_DOCTOR_OK, "is allowed" },
};

static void headers_are_judged_as_browsers_do(void **state)
{
	static struct berth_doctor_http get, preflight, stranger;

	for (size_t i = 0; i < BERTH_ARRAY_SIZE(cases); i++) {
		const struct berth_doctor_cors cors = { ORIGIN, cases[i].several, &get, &preflight,
							&stranger };
		struct berth_doctor_finding finding = { 0 };

		answer(&get, "200 OK", cases[i].get);
		answer(&preflight, cases[i].status, cases[i].preflight);
		answer(&stranger, "200 OK", cases[i].stranger);
		berth_doctor_cors_judge(&cors, &finding);
		if (finding.result != cases[i].result || !strstr(finding.found, cases[i].found) ||
		    !finding.cost[0] != (finding.result == BERTH_DOCTOR_OK))
			fail_msg("case %zu: %s '%s', cost '%s'", i,
				 berth_doctor_result_name(finding.result), finding.found,
				 finding.cost);
	}
}

static void no_answer_is_none(void **state)
{
	static struct berth_doctor_http get, preflight, stranger;
	const struct berth_doctor_cors cors = { ORIGIN, false, &get, &preflight, &stranger };
	struct berth_doctor_finding finding = { 0 };

	berth_doctor_cors_judge(&cors, &finding);
	assert_int_equal(finding.result, BERTH_DOCTOR_MISSING);
	assert_non_null(strstr(finding.found, "gets no answer"));
	answer(&get, "200", NAMED);
	berth_doctor_cors_judge(&cors, &finding);
	assert_int_equal(finding.result, BERTH_DOCTOR_MISSING);
	assert_non_null(strstr(finding.found, "is not answered"));
}

static void an_origin_has_a_scheme_and_a_host_and_nothing_else(void **state)
{
	static const char *const origins[] = { "http://localhost", "http://localhost:5173",
					       "https://a.b", "http://[::1]:80",
					       "chrome-extension://abc" };
	static const char *const others[] = {
		"",	      "*",	    "null",	     "localhost",
		"http://",    "://a",	    "http://a/",     "http://a/b",
		"http://A",   "http://a?b", "http://a\r\nb", "http://\xc3\xa4",
		"http://u@a", "5173"
	};

	for (size_t i = 0; i < BERTH_ARRAY_SIZE(origins); i++)
		if (!berth_doctor_cors_is_origin(origins[i]))
			fail_msg("'%s' is one", origins[i]);
	for (size_t i = 0; i < BERTH_ARRAY_SIZE(others); i++)
		if (berth_doctor_cors_is_origin(others[i]))
			fail_msg("'%s' is none", others[i]);
}

static void a_list_is_parted_by_commas_and_blanks(void **state)
{
	char origin[BERTH_DOCTOR_ORIGIN_MAX], text[256] = "";
	const char *rest = " ,a,, b\tc ";

	while ((rest = berth_doctor_cors_next(rest, origin)))
		snprintf(text + strlen(text), sizeof(text) - strlen(text), "<%s>", origin);
	assert_string_equal(text, "<a><b><c>");
	assert_null(berth_doctor_cors_next("", origin));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(headers_are_judged_as_browsers_do),
		cmocka_unit_test(no_answer_is_none),
		cmocka_unit_test(an_origin_has_a_scheme_and_a_host_and_nothing_else),
		cmocka_unit_test(a_list_is_parted_by_commas_and_blanks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
