/* SPDX-License-Identifier: MIT */
/* unit/steer/test-decide.c - what a bind() or connect() stands for, rule by rule */
#include "steer/decide.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

enum {
	ROWS_MAX = 4,
	ANYBODY = 40000, /* a number that nobody knows */
};

/* clang-format off */
#define ASKED(...)                                                                                 \
	.asked = { __VA_ARGS__ },                                                                  \
	.asked_count = sizeof((uint16_t[]){ __VA_ARGS__ }) / sizeof(uint16_t)

/* The ports that the rules are about. */
#define WISHED { .wished = true, .given = 5001, ASKED(5000) }
#define WISHED_AND_LIVE { .wished = true, .given = 5001, ASKED(5000), .claimed = 5000, .live = true }
#define REMEMBERED { .remembered = true, .given = 5001, ASKED(5000) }
#define UNKNOWN { .given = 0 }
#define SECOND { .wished = true, .given = 7001, ASKED(7000) }
#define MAPPED { .mapped = true, .wished = true, .given = 6000, ASKED(5000) }
#define UDP { .udp = true, .wished = true, .given = 5301, ASKED(5300) }
#define EXTRA { .kind = BERTH_STEER_EXTRA, .given = 8000, .claimed = 8000, .live = true, ASKED(8000) }
#define TOOL { .kind = BERTH_STEER_TOOL, .given = 9230, .claimed = 9229, .live = true, ASKED(9229) }
/* clang-format on */

static const uint16_t tools[] = { 4444, 12345 };

struct copy {
	struct berth_steer_port ports[ROWS_MAX];
	size_t count;
	enum berth_steer_scope scope;
};

static struct berth_steer_view view_of(const struct copy *copy)
{
	return (struct berth_steer_view){
		.ports = copy->ports,
		.count = copy->count,
		.scope = copy->scope,
		.tools = tools,
		.tool_count = BERTH_ARRAY_SIZE(tools),
	};
}

static void assert_verdict(const char *what, struct berth_steer_verdict verdict,
			   enum berth_steer_action action, size_t port)
{
	if (verdict.action != action)
		fail_msg("%s: action %d, not %d", what, (int)verdict.action, (int)action);
	if (action == BERTH_STEER_PORT && verdict.port != port)
		fail_msg("%s: port %zu, not %zu", what, verdict.port, port);
}

/* clang-format off */
static const struct {
	const char *what;
	struct copy copy;
	struct berth_steer_bind bind;
	enum berth_steer_action action;
	size_t port;
} binds[] = {
	{ "the kernel picks a number itself", { { WISHED }, 1 }, { 0 }, BERTH_STEER_PASS },
	{ "switched off", { { WISHED }, 1, BERTH_STEER_OFF }, { 5000 }, BERTH_STEER_PASS },
	{ "switched off, UDP", { { UDP }, 1, BERTH_STEER_OFF }, { 5300, .udp = true }, BERTH_STEER_PASS },

	/* a number that we know */
	{ "the wish", { { WISHED }, 1 }, { 5000 }, BERTH_STEER_PORT, 0 },
	{ "PORT", { { WISHED }, 1 }, { 5001 }, BERTH_STEER_PORT, 0 },
	{ "the wish of the second", { { WISHED, SECOND }, 2 }, { 7000 }, BERTH_STEER_PORT, 1 },
	{ "PORT of the second", { { WISHED, SECOND }, 2 }, { 7001 }, BERTH_STEER_PORT, 1 },
	{ "a remembered number", { { REMEMBERED }, 1 }, { 5000 }, BERTH_STEER_PORT, 0 },
	{ "a number of an earlier bind",
	  { { { .given = 5001, ASKED(5000, 3000), .claimed = 3000 } }, 1 }, { 3000 }, BERTH_STEER_PORT, 0 },
	{ "an extra port's number", { { WISHED, EXTRA }, 2 }, { 8000 }, BERTH_STEER_PORT, 1 },
	{ "a tool's number", { { WISHED, TOOL }, 2 }, { 9229 }, BERTH_STEER_PORT, 1 },
	{ "what a tool was given", { { WISHED, TOOL }, 2 }, { 9230 }, BERTH_STEER_NEW_EXTRA },
	{ "a tool's number that somebody wished",
	  { { { .wished = true, .given = 9229, ASKED(9229) } }, 1 }, { 9229 }, BERTH_STEER_PORT, 0 },
	{ "declared ports only, a wish",
	  { { WISHED }, 1, BERTH_STEER_ONLY_DECLARED }, { 5000 }, BERTH_STEER_PORT, 0 },
	{ "bind only, a wish", { { WISHED }, 1, BERTH_STEER_BIND }, { 5000 }, BERTH_STEER_PORT, 0 },

	/* several ports that one number could stand for */
	{ "a map before a wish", { { WISHED, MAPPED }, 2 }, { 5000 }, BERTH_STEER_PORT, 1 },
	{ "a map before what has the number already",
	  { { WISHED_AND_LIVE, MAPPED }, 2 }, { 5000 }, BERTH_STEER_PORT, 1 },
	{ "what claimed the number before whose wish it is",
	  { { WISHED, { .given = 7001, ASKED(7000, 5000), .claimed = 5000, .live = true } }, 2 },
	  { 5000 }, BERTH_STEER_PORT, 1 },
	{ "whose wish it is before who asked for it too",
	  { { { .given = 7001, ASKED(7000, 5000) }, WISHED }, 2 }, { 5000 }, BERTH_STEER_PORT, 1 },
	{ "a wish before what another one was given",
	  { { { .given = 5000, ASKED(4999) }, WISHED }, 2 }, { 5000 }, BERTH_STEER_PORT, 1 },
	{ "the first of equals",
	  { { WISHED, { .wished = true, .given = 5002, ASKED(5000) } }, 2 }, { 5000 }, BERTH_STEER_PORT, 0 },

	/* taken by another number of ours */
	{ "the same number once more", { { WISHED_AND_LIVE }, 1 }, { 5000 }, BERTH_STEER_PORT, 0 },
	{ "PORT, where the wish has it", { { WISHED_AND_LIVE }, 1 }, { 5001 }, BERTH_STEER_NEW_EXTRA },
	{ "the wish, where another number has it",
	  { { { .wished = true, .given = 5001, ASKED(5000, 3000), .claimed = 3000, .live = true } }, 1 },
	  { 5000 }, BERTH_STEER_NEW_EXTRA },
	{ "the wish, where another number had it",
	  { { { .wished = true, .given = 5001, ASKED(5000, 3000), .claimed = 3000 } }, 1 },
	  { 5000 }, BERTH_STEER_PORT, 0 },
	{ "declared ports only, and taken all the same",
	  { { WISHED_AND_LIVE }, 1, BERTH_STEER_ONLY_DECLARED }, { 5001 }, BERTH_STEER_NEW_EXTRA },

	/* a number that nobody knows */
	{ "the main port, before anybody has it", { { WISHED }, 1 }, { ANYBODY }, BERTH_STEER_PORT, 0 },
	{ "the main port without a wish", { { UNKNOWN }, 1 }, { ANYBODY }, BERTH_STEER_PORT, 0 },
	{ "the main port of the last time", { { REMEMBERED }, 1 }, { ANYBODY }, BERTH_STEER_PORT, 0 },
	{ "the next declared one", { { WISHED_AND_LIVE, SECOND }, 2 }, { ANYBODY }, BERTH_STEER_PORT, 1 },
	{ "no socket is left, but it is still claimed",
	  { { { .wished = true, .given = 5001, ASKED(5000), .claimed = 5000 } }, 1 },
	  { ANYBODY }, BERTH_STEER_NEW_EXTRA },
	{ "all are claimed", { { WISHED_AND_LIVE, EXTRA }, 2 }, { ANYBODY }, BERTH_STEER_NEW_EXTRA },
	{ "there are none", { { EXTRA }, 0 }, { ANYBODY }, BERTH_STEER_NEW_EXTRA },
	{ "a map takes its own number only",
	  { { MAPPED, UDP, EXTRA, TOOL }, 4 }, { ANYBODY }, BERTH_STEER_NEW_EXTRA },
	{ "a map does not stand before the main port",
	  { { MAPPED, WISHED }, 2 }, { ANYBODY }, BERTH_STEER_PORT, 1 },
	{ "the number of a UDP port", { { UDP, WISHED }, 2 }, { 5300 }, BERTH_STEER_PORT, 1 },
	{ "a debugger", { { UNKNOWN }, 1 }, { 9229 }, BERTH_STEER_NEW_TOOL },
	{ "a reloader", { { WISHED_AND_LIVE }, 1 }, { 24678 }, BERTH_STEER_NEW_TOOL },
	{ "a tool of the user's", { { UNKNOWN }, 1 }, { 12345 }, BERTH_STEER_NEW_TOOL },
	{ "declared ports only", { { UNKNOWN }, 1, BERTH_STEER_ONLY_DECLARED }, { ANYBODY }, BERTH_STEER_PASS },
	{ "declared ports only, a debugger",
	  { { UNKNOWN }, 1, BERTH_STEER_ONLY_DECLARED }, { 9229 }, BERTH_STEER_PASS },
	{ "bind only", { { UNKNOWN }, 1, BERTH_STEER_BIND }, { ANYBODY }, BERTH_STEER_PORT, 0 },

	/* UDP */
	{ "the wish of a UDP port", { { WISHED, UDP }, 2 }, { 5300, .udp = true }, BERTH_STEER_PORT, 1 },
	{ "what a UDP port was given", { { WISHED, UDP }, 2 }, { 5301, .udp = true }, BERTH_STEER_PORT, 1 },
	{ "the twin of a TCP port", { { UDP, WISHED }, 2 }, { 5000, .udp = true }, BERTH_STEER_PORT, 1 },
	{ "a UDP port before the twin of a TCP port",
	  { { WISHED, { .udp = true, .given = 5002, ASKED(5000) } }, 2 },
	  { 5000, .udp = true }, BERTH_STEER_PORT, 1 },
	{ "UDP that nobody knows", { { UNKNOWN, UDP }, 2 }, { ANYBODY, .udp = true }, BERTH_STEER_PASS },
	{ "UDP of a debugger", { { WISHED }, 1 }, { 9229, .udp = true }, BERTH_STEER_PASS },
	{ "multicast", { { UDP }, 1 }, { 5300, .udp = true, .multicast = true }, BERTH_STEER_PASS },
	{ "UDP that means to share", { { UDP }, 1 }, { 5300, .udp = true, .reuse = true }, BERTH_STEER_PASS },
};
/* clang-format on */

static void each_bind_stands_for_its_port(void **state)
{
	(void)state;
	for (size_t i = 0; i < BERTH_ARRAY_SIZE(binds); i++) {
		const struct berth_steer_view view = view_of(&binds[i].copy);

		assert_verdict(binds[i].what, berth_steer_decide_bind(&view, &binds[i].bind),
			       binds[i].action, binds[i].port);
	}
}

/* clang-format off */
static const struct {
	const char *what;
	struct copy copy;
	uint16_t number;
	bool elsewhere; /* no loopback address */
	enum berth_steer_action action;
	size_t port;
} connects[] = {
	{ "no number", { { UNKNOWN }, 1 }, 0, .action = BERTH_STEER_PASS },
	{ "another machine", { { WISHED_AND_LIVE }, 1 }, 5000, .elsewhere = true, .action = BERTH_STEER_PASS },
	{ "switched off", { { WISHED_AND_LIVE }, 1, BERTH_STEER_OFF }, 5000, .action = BERTH_STEER_PASS },
	{ "bind only", { { WISHED_AND_LIVE }, 1, BERTH_STEER_BIND }, 5000, .action = BERTH_STEER_PASS },

	{ "the wish", { { WISHED_AND_LIVE }, 1 }, 5000, .action = BERTH_STEER_PORT },
	{ "what it was given", { { WISHED_AND_LIVE }, 1 }, 5001, .action = BERTH_STEER_PORT },
	/* nobody listens there but us: ECONNREFUSED comes from the kernel */
	{ "the wish, before it is up", { { WISHED }, 1 }, 5000, .action = BERTH_STEER_PORT },
	{ "the second", { { WISHED, SECOND }, 2 }, 7000, .action = BERTH_STEER_PORT, .port = 1 },
	{ "an extra port", { { WISHED, EXTRA }, 2 }, 8000, .action = BERTH_STEER_PORT, .port = 1 },
	{ "a tool", { { WISHED, TOOL }, 2 }, 9229, .action = BERTH_STEER_PORT, .port = 1 },
	{ "a map before a wish", { { WISHED, MAPPED }, 2 }, 5000, .action = BERTH_STEER_PORT, .port = 1 },
	{ "declared ports only, the wish",
	  { { WISHED }, 1, BERTH_STEER_ONLY_DECLARED }, 5000, .action = BERTH_STEER_PORT },
	{ "asked for, and lost its lease in this moment",
	  { { { .wished = true, ASKED(5000) } }, 1 }, 5000, .action = BERTH_STEER_REFUSE },

	{ "unknown, before the first bind()", { { UNKNOWN }, 1 }, ANYBODY, .action = BERTH_STEER_ASK },
	{ "unknown, and it may differ this time", { { REMEMBERED }, 1 }, ANYBODY, .action = BERTH_STEER_ASK },
	{ "unknown, but the own number is known", { { WISHED }, 1 }, ANYBODY, .action = BERTH_STEER_PASS },
	{ "unknown, and the main port is claimed",
	  { { { .given = 5001, ASKED(5000), .claimed = 5000 } }, 1 }, ANYBODY, .action = BERTH_STEER_PASS },
	{ "unknown, and there are no ports", { { UNKNOWN }, 0 }, ANYBODY, .action = BERTH_STEER_PASS },
	{ "the number of a UDP port", { { UDP }, 1 }, 5300, .action = BERTH_STEER_PASS },
	{ "declared ports only, and unknown",
	  { { UNKNOWN }, 1, BERTH_STEER_ONLY_DECLARED }, ANYBODY, .action = BERTH_STEER_PASS },
};
/* clang-format on */

static void each_connect_goes_where_the_copy_has_that_number(void **state)
{
	(void)state;
	for (size_t i = 0; i < BERTH_ARRAY_SIZE(connects); i++) {
		const struct berth_steer_view view = view_of(&connects[i].copy);

		assert_verdict(connects[i].what,
			       berth_steer_decide_connect(&view, connects[i].number,
							  !connects[i].elsewhere),
			       connects[i].action, connects[i].port);
	}
}

/* Whatever the number: what is bound and then connected to is the same port. */
static void a_connect_finds_what_a_bind_has_claimed(void **state)
{
	(void)state;
	for (unsigned int number = 1; number <= UINT16_MAX; number++) {
		struct copy copy = { { WISHED_AND_LIVE, SECOND, EXTRA, TOOL }, ROWS_MAX };
		const struct berth_steer_view view = view_of(&copy);
		const struct berth_steer_bind bind = { .number = (uint16_t)number };
		struct berth_steer_verdict verdict = berth_steer_decide_bind(&view, &bind);
		struct berth_steer_port *port = &copy.ports[verdict.port];

		if (verdict.action != BERTH_STEER_PORT)
			continue;
		assert_true(verdict.port < copy.count);
		port->live = true;
		if (!port->claimed)
			port->claimed = bind.number;
		berth_steer_port_add_asked(port, bind.number);
		assert_verdict("after the bind",
			       berth_steer_decide_connect(&view, bind.number, true),
			       BERTH_STEER_PORT, verdict.port);
		assert_verdict("the same bind again", berth_steer_decide_bind(&view, &bind),
			       BERTH_STEER_PORT, verdict.port);
	}
}

static void the_wish_and_the_latest_numbers_are_kept(void **state)
{
	struct berth_steer_port port = { 0 };

	(void)state;
	for (uint16_t number = 1; number <= BERTH_STEER_ASKED_MAX; number++) {
		assert_false(berth_steer_port_is_asked(&port, number));
		berth_steer_port_add_asked(&port, number);
		berth_steer_port_add_asked(&port, number);
		assert_true(berth_steer_port_is_asked(&port, number));
		assert_int_equal(port.asked_count, number);
	}
	berth_steer_port_add_asked(&port, 100);
	berth_steer_port_add_asked(&port, 101);
	assert_int_equal(port.asked_count, BERTH_STEER_ASKED_MAX);
	assert_int_equal(port.asked[0], 1);
	assert_false(berth_steer_port_is_asked(&port, 2));
	assert_false(berth_steer_port_is_asked(&port, 3));
	assert_int_equal(port.asked[1], 4);
	assert_int_equal(port.asked[BERTH_STEER_ASKED_MAX - 2], 100);
	assert_int_equal(port.asked[BERTH_STEER_ASKED_MAX - 1], 101);
}

static void the_numbers_of_tools_are_known(void **state)
{
	static const struct {
		uint16_t number;
		bool is_tool;
	} rows[] = {
		{ 9228, false }, { 9229, true },  { 9239, true },	 { 9240, false },
		{ 5678, true },	 { 5005, true },  { 2345, true },	 { 6060, true },
		{ 24678, true }, { 35729, true }, { 3000, false },	 { 8080, false },
		{ 5000, false }, { 0, false },	  { UINT16_MAX, false }, { 5004, false },
		{ 5006, false },
	};

	(void)state;
	for (size_t i = 0; i < BERTH_ARRAY_SIZE(rows); i++)
		if (berth_steer_is_tool(rows[i].number) != rows[i].is_tool)
			fail_msg("%u", rows[i].number);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_bind_stands_for_its_port),
		cmocka_unit_test(each_connect_goes_where_the_copy_has_that_number),
		cmocka_unit_test(a_connect_finds_what_a_bind_has_claimed),
		cmocka_unit_test(the_wish_and_the_latest_numbers_are_kept),
		cmocka_unit_test(the_numbers_of_tools_are_known),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
