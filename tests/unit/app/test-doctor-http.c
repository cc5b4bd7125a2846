/* SPDX-License-Identifier: MIT */
/* unit/app/test-doctor-http.c - what a server's first bytes say, however they come */
#include "app/doctor-http.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static struct berth_doctor_http answer;

static int read_text(const char *text, size_t len, bool ended)
{
	memset(&answer, 0, sizeof(answer));
	memcpy(answer.text, text, len);
	answer.len = len;
	return berth_doctor_http_read(&answer, ended);
}

static void assert_field(const char *name, size_t index, const char *expected)
{
	char value[64];

	if (!expected) {
		assert_false(berth_doctor_http_field(&answer, name, index, value, sizeof(value)));
		return;
	}
	assert_true(berth_doctor_http_field(&answer, name, index, value, sizeof(value)));
	assert_string_equal(value, expected);
}

static const char whole[] = "HTTP/1.1 103 Early Hints\r\n"
			    "Server: not this one\r\n"
			    "\r\n"
			    "HTTP/1.1 204 No Content\r\n"
			    "Vary:Origin\r\n"
			    "server: \t a b \t\r\n"
			    "VARY: Accept\r\n"
			    "Empty:\r\n"
			    "\r\n"
			    "Server: of the body\r\n";

static void a_head_is_read_byte_by_byte_as_at_once(void **state)
{
	size_t head = (size_t)(strstr(whole, "Server: of") - whole);

	for (size_t len = 0; len < head; len++)
		assert_int_equal(read_text(whole, len, false), -EAGAIN);
	for (size_t len = head; len < sizeof(whole); len++) {
		assert_int_equal(read_text(whole, len, false), 0);
		assert_int_equal(answer.outcome, BERTH_DOCTOR_HTTP_ANSWERED);
		assert_int_equal(answer.status, 204);
		assert_field("Server", 0, "a b");
		assert_field("Server", 1, NULL);
		assert_field("vary", 0, "Origin");
		assert_field("vary", 1, "Accept");
		assert_field("vary", 2, NULL);
		assert_field("Empty", 0, "");
		assert_field("Serve", 0, NULL);
	}
}

static void what_came_before_the_end_counts(void **state)
{
	static const struct {
		const char *text;
		enum berth_doctor_http_outcome outcome;
		unsigned int status;
	} cases[] = {
		{ "", BERTH_DOCTOR_HTTP_CLOSED, 0 },
		{ "HTT", BERTH_DOCTOR_HTTP_OTHER, 0 },
		{ "HTTP/1.1 200 OK", BERTH_DOCTOR_HTTP_OTHER, 0 },
		{ "HTTP/1.1 200 OK\r\n", BERTH_DOCTOR_HTTP_ANSWERED, 200 },
		{ "HTTP/1.0 404\nServer: x", BERTH_DOCTOR_HTTP_ANSWERED, 404 },
		{ "HTTP/1.1 100 Continue\r\n\r\n", BERTH_DOCTOR_HTTP_OTHER, 0 },
		{ "220 ready\r\n", BERTH_DOCTOR_HTTP_OTHER, 0 },
	};

	for (size_t i = 0; i < BERTH_ARRAY_SIZE(cases); i++) {
		assert_int_equal(read_text(cases[i].text, strlen(cases[i].text), true), 0);
		assert_int_equal(answer.outcome, cases[i].outcome);
		assert_int_equal(answer.status, cases[i].status);
	}
}

static void what_is_not_http_is_known_at_once(void **state)
{
	assert_int_equal(read_text("220 ", 4, false), 0);
	assert_int_equal(answer.outcome, BERTH_DOCTOR_HTTP_OTHER);
	assert_int_equal(read_text("\x15\x03\x01\x00", 4, false), 0);
	assert_int_equal(answer.outcome, BERTH_DOCTOR_HTTP_OTHER);
	assert_field("Server", 0, NULL);
}

static void a_head_without_end_is_cut(void **state)
{
	static char text[BERTH_DOCTOR_HTTP_MAX];
	char value[8];

	memset(text, 'x', sizeof(text));
	memcpy(text, "HTTP/1.1 200 OK\r\nServer: ", 25);
	assert_int_equal(read_text(text, sizeof(text) - 1, false), -EAGAIN);
	assert_int_equal(read_text(text, sizeof(text), false), 0);
	assert_int_equal(answer.status, 200);
	assert_true(berth_doctor_http_field(&answer, "Server", 0, value, sizeof(value)));
	assert_string_equal(value, "xxxxxxx");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_head_is_read_byte_by_byte_as_at_once),
		cmocka_unit_test(what_came_before_the_end_counts),
		cmocka_unit_test(what_is_not_http_is_known_at_once),
		cmocka_unit_test(a_head_without_end_is_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
