/* SPDX-License-Identifier: MIT */
/* unit/app/test-free.c - what is said of holders */
#include "app/free.h"

#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

enum {
	SOCKETS_MAX = 8,
};

/* One process that holds some ports, by a plan made by hand. */
struct case_of_ports {
	uint16_t ports[SOCKETS_MAX]; /* 0 ends them */
	const char *text;
	size_t count; /* different ones */
};

static const struct case_of_ports port_cases[] = {
	{ { 5000 }, "5000", 1 },
	{ { 5000, 5000 }, "5000", 1 },
	{ { 5000, 5001 }, "5000-5001", 2 },
	{ { 5000, 5000, 5001, 5002 }, "5000-5002", 3 },
	{ { 5000, 5002 }, "5000, 5002", 2 },
	{ { 80, 443, 5000, 5001, 5002, 65535 }, "80, 443, 5000-5002, 65535", 6 },
	{ { 65534, 65535 }, "65534-65535", 2 },
};

static void make(struct berth_free *all, const uint16_t *ports, struct berth_look_socket *sockets,
		 struct berth_free_link *links)
{
	*all = (struct berth_free){ .look.sockets = sockets, .plan.links = links };
	for (size_t i = 0; i < SOCKETS_MAX && ports[i]; i++) {
		sockets[i].local = berth_addr_any(AF_INET, ports[i]);
		links[i] = (struct berth_free_link){ .entry = 1, .socket = i };
		all->look.socket_count = all->plan.link_count = i + 1;
	}
}

static void ports_are_told_as_runs(void **state)
{
	(void)state;
	for (size_t i = 0; i < BERTH_ARRAY_SIZE(port_cases); i++) {
		struct berth_look_socket sockets[SOCKETS_MAX] = { 0 };
		struct berth_free_link links[SOCKETS_MAX];
		BERTH_AUTO_JSON json_t *list = NULL;
		struct berth_free all;
		char buf[64];

		make(&all, port_cases[i].ports, sockets, links);
		assert_string_equal(berth_free_ports(&all, 1, buf, sizeof(buf)),
				    port_cases[i].text);
		assert_string_equal(berth_free_ports(&all, 0, buf, sizeof(buf)), "");
		list = berth_free_port_list(&all, 1);
		assert_int_equal(json_array_size(list), port_cases[i].count);
	}
}

static void signals_are_told_with_the_time_between_them(void **state)
{
	static const struct {
		int64_t grace_ms;
		const char *text;
	} cases[] = {
		{ 0, "SIGTERM, and SIGKILL at once" },
		{ 500, "SIGTERM, after 500 ms SIGKILL" },
		{ 10000, "SIGTERM, after 10 s SIGKILL" },
	};
	struct berth_free_entry entry = { .how = BERTH_FREE_PROCESS };
	struct berth_free all = { .plan.entries = &entry, .plan.entry_count = 1 };
	char buf[64];

	(void)state;
	for (size_t i = 0; i < BERTH_ARRAY_SIZE(cases); i++)
		assert_string_equal(berth_free_action(&all, 0, cases[i].grace_ms, buf, sizeof(buf)),
				    cases[i].text);
}

static void a_name_that_holds_escapes_is_made_printable(void **state)
{
	struct berth_free_proc proc = { .id.pid = 812, .comm = "\033[2J\n" };
	struct berth_free_entry entry = { .how = BERTH_FREE_PROCESS };
	struct berth_free all = { .plan.entries = &entry, .plan.entry_count = 1, .procs = &proc };
	char buf[64];

	(void)state;
	assert_string_equal(berth_free_name(&all, 0, buf, sizeof(buf)), "\\e[2J\\n 812");
}

static void each_result_has_its_word(void **state)
{
	(void)state;
	assert_string_equal(berth_free_result_name(BERTH_FREE_LEFT_ALONE), "left-alone");
	assert_string_equal(berth_free_result_name(BERTH_FREE_FAILED), "failed");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ports_are_told_as_runs),
		cmocka_unit_test(signals_are_told_with_the_time_between_them),
		cmocka_unit_test(a_name_that_holds_escapes_is_made_printable),
		cmocka_unit_test(each_result_has_its_word),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
