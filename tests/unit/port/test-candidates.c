/* SPDX-License-Identifier: MIT */
/* unit/port/test-candidates.c - whole sequences of candidates, as tables */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/parse.h"
#include "base/str.h"
#include "port/candidates.h"

/*
 * A sequence as text: "5000*" the wish, "~5007" remembered, "!5008" pinned, "5001" moved, "8100/8101" a group,
 * "any" the kernel's; " ..." at the end of what is expected: and so on.
 */
struct sequence {
	const char *title;
	const char *ports[5]; /* --port */
	struct berth_range range;
	uint16_t step, around, attempts;
	bool any, strict;
	const char *remembered, *home, *pinned; /* home: remembered too, and tried before */
	const char *reserved; /* lists of numbers */
	const char *foreign;
	const char *expected;
};

static const struct sequence lone[] = {
	{ .title = "no wish at all is an empty sequence", .expected = "" },
	{ .title = "no wish, any", .any = true, .expected = "any" },
	{
		.title = "no wish, remembered, any",
		.remembered = "5007",
		.any = true,
		.expected = "~5007 any",
	},
	{
		.title = "a lone wish goes upwards",
		.ports = { "5000" },
		.expected = "5000* 5001 5002 5003 ...",
	},
	{
		.title = "attempts count the wish",
		.ports = { "5000" },
		.attempts = 3,
		.expected = "5000* 5001 5002",
	},
	{
		.title = "attempts are places, skipped numbers included",
		.ports = { "5000" },
		.attempts = 4,
		.reserved = "5001-5002",
		.expected = "5000* 5003",
	},
	{
		.title = "a step for one port",
		.ports = { "5000" },
		.step = 100,
		.attempts = 3,
		.expected = "5000* 5100 5200",
	},
	{
		.title = "upwards ends at 65535",
		.ports = { "65534" },
		.any = true,
		.expected = "65534* 65535 any",
	},
	{
		.title = "a list is tried in its order before counting",
		.ports = { "5000,5001,3000,8000" },
		.attempts = 4,
		.expected = "5000* 5001 3000 8000 5002 5003",
	},
	{
		.title = "the remembered number comes after the list and before counting",
		.ports = { "5000,3000" },
		.attempts = 3,
		.remembered = "5077",
		.expected = "5000* 3000 ~5077 5001 5002",
	},
	{
		.title = "a remembered wish is the wish",
		.ports = { "5000" },
		.attempts = 2,
		.remembered = "5000",
		.expected = "5000* 5001",
	},
	{
		.title = "a memory without the number is none",
		.ports = { "5000" },
		.attempts = 2,
		.remembered = "0",
		.expected = "5000* 5001",
	},
	{
		.title = "a range goes around to its start",
		.ports = { "5010" },
		.range = { 5007, 5012 },
		.expected = "5010* 5011 5012 5007 5008 5009",
	},
	{
		.title = "a range in steps keeps in step when it goes around",
		.ports = { "5010" },
		.range = { 5001, 5018 },
		.step = 4,
		.expected = "5010* 5014 5018 5002 5006",
	},
	{
		.title = "a range without a wish begins at its start",
		.range = { 5002, 5004 },
		.expected = "5002* 5003 5004",
	},
	{
		.title = "without a wish the remembered number comes first",
		.range = { 5002, 5004 },
		.remembered = "5004",
		.expected = "~5004 5002* 5003",
	},
	{
		.title = "a remembered start of the range is remembered",
		.range = { 5002, 5003 },
		.remembered = "5002",
		.expected = "~5002 5003",
	},
	{
		.title = "a remembered number outside of the range is forgotten",
		.ports = { "5002" },
		.range = { 5002, 5003 },
		.remembered = "5004",
		.expected = "5002* 5003",
	},
	{
		.title = "a list may leave the range",
		.ports = { "5002,8000" },
		.range = { 5002, 5003 },
		.expected = "5002* 8000 5003",
	},
	{
		.title = "a wish outside of the range counts from the range's start",
		.ports = { "4000" },
		.range = { 5002, 5003 },
		.expected = "4000* 5002 5003",
	},
	{
		.title = "the last of all ports as a range",
		.range = { 65535, 65535 },
		.expected = "65535*",
	},
	{
		.title = "around",
		.ports = { "5000" },
		.around = 3,
		.expected = "5000* 5001 4999 5002 4998 5003 4997",
	},
	{
		.title = "around at the upper edge of all numbers",
		.ports = { "65534" },
		.around = 3,
		.expected = "65534* 65535 65533 65532 65531",
	},
	{
		.title = "around does not go below 1024",
		.ports = { "1025" },
		.around = 3,
		.expected = "1025* 1026 1024 1027 1028",
	},
	{
		.title = "around in steps",
		.ports = { "5000" },
		.around = 25,
		.step = 10,
		.expected = "5000* 5010 4990 5020 4980",
	},
	{
		.title = "around within a range, then the rest of it",
		.ports = { "5001" },
		.range = { 5000, 5005 },
		.around = 2,
		.expected = "5001* 5002 5000 5003 5004 5005",
	},
	{
		.title = "any comes last and once",
		.ports = { "5000" },
		.attempts = 2,
		.any = true,
		.expected = "5000* 5001 any",
	},
	{
		.title = "strict",
		.ports = { "5000,5001" },
		.range = { 5000, 5010 },
		.remembered = "5005",
		.any = true,
		.strict = true,
		.expected = "5000*",
	},
	{
		.title = "strict does not mind other folders",
		.ports = { "5000" },
		.foreign = "5000",
		.strict = true,
		.expected = "5000*",
	},
	{
		.title = "strict without a wish is the range's start",
		.range = { 5002, 5004 },
		.strict = true,
		.expected = "5002*",
	},
	{ .title = "strict without anything", .strict = true, .any = true, .expected = "" },
};

static const struct sequence skipped[] = {
	{
		.title = "reserved numbers are left out everywhere",
		.ports = { "5000,5001,3000" },
		.range = { 5000, 5005 },
		.remembered = "5004",
		.reserved = "5001,5004,3000",
		.expected = "5000* 5002 5003 5005",
	},
	{
		.title = "the very wish is offered though reserved",
		.ports = { "6000" },
		.attempts = 2,
		.reserved = "6000",
		.expected = "6000* 6001",
	},
	{
		.title = "a range's reserved start was not wished",
		.range = { 6000, 6001 },
		.reserved = "6000",
		.expected = "6001",
	},
	{
		.title = "numbers of other folders come in a second round, in the same order",
		.ports = { "5000,3000" },
		.attempts = 4,
		.any = true,
		.foreign = "5000,3000,5002",
		.expected = "5001 5003 5000* 3000 5002 any",
	},
	{
		.title = "an own remembered number that another folder has too",
		.ports = { "5000" },
		.attempts = 2,
		.remembered = "5050",
		.foreign = "5050",
		.expected = "5000* 5001 ~5050",
	},
	{
		.title = "reserved and foreign is reserved",
		.ports = { "5000" },
		.attempts = 3,
		.reserved = "5001",
		.foreign = "5001-5002",
		.expected = "5000* 5002",
	},
	{
		.title = "all of a range is foreign",
		.range = { 5000, 5002 },
		.foreign = "5000-5002",
		.expected = "5000* 5001 5002",
	},
	{
		.title = "a reserved wish of another folder",
		.ports = { "6000" },
		.attempts = 2,
		.reserved = "6000",
		.foreign = "6000",
		.expected = "6001 6000*",
	},
};

static const struct sequence privileged[] = {
	{
		.title = "80 goes on at 8080",
		.ports = { "80" },
		.attempts = 3,
		.expected = "80* 8080 8081 8082",
	},
	{
		.title = "443 goes on at 8443",
		.ports = { "443" },
		.attempts = 2,
		.expected = "443* 8443 8444",
	},
	{
		.title = "1023 is privileged, 1024 is not",
		.ports = { "1023" },
		.attempts = 1,
		.expected = "1023* 9023",
	},
	{ .title = "1024", .ports = { "1024" }, .attempts = 2, .expected = "1024* 1025" },
	{
		.title = "the list's own numbers may be privileged",
		.ports = { "80,81,3000" },
		.attempts = 2,
		.expected = "80* 81 3000 8080 8081",
	},
	{
		.title = "with around the centre is moved too",
		.ports = { "80" },
		.around = 1,
		.expected = "80* 8080 8081 8079",
	},
	{
		.title = "into the range, if that has it",
		.ports = { "80" },
		.range = { 8079, 8082 },
		.expected = "80* 8080 8081 8082 8079",
	},
	{
		.title = "at the range's start, if that has not",
		.ports = { "80" },
		.range = { 9000, 9001 },
		.expected = "80* 9000 9001",
	},
	{
		.title = "a range below 1024 is not counted through",
		.ports = { "80" },
		.range = { 80, 90 },
		.any = true,
		.expected = "80* any",
	},
	{
		.title = "a range that begins below 1024",
		.range = { 1022, 1025 },
		.expected = "1024 1025",
	},
	{
		.title = "a group moves as a whole",
		.ports = { "http=80", "https=443" },
		.attempts = 2,
		.expected = "80/443* 8080/8443 8450/8813",
	},
};

static const struct sequence groups[] = {
	{
		.title = "a small group moves by ten",
		.ports = { "http=8100", "ws=8101" },
		.expected = "8100/8101* 8110/8111 8120/8121 8130/8131 ...",
	},
	{
		.title = "a span of ten moves by ten",
		.ports = { "a=5000", "b=5009" },
		.attempts = 2,
		.expected = "5000/5009* 5010/5019",
	},
	{
		.title = "a span of eleven moves by twenty",
		.ports = { "a=5010", "b=5000" },
		.attempts = 2,
		.expected = "5010/5000* 5030/5020",
	},
	{
		.title = "a step of its own",
		.ports = { "http=8080", "ws=8081" },
		.step = 1,
		.attempts = 3,
		.expected = "8080/8081* 8081/8082 8082/8083",
	},
	{
		.title = "zipped lists, then counting",
		.ports = { "http=8080,8090", "ws=8081,8091" },
		.attempts = 3,
		.expected = "8080/8081* 8090/8091 8100/8101",
	},
	{
		.title = "zipped lists that change the spacing",
		.ports = { "http=8080,8090", "ws=8081,9000" },
		.attempts = 3,
		.expected = "8080/8081* 8090/9000 8090/8091 8100/8101",
	},
	{
		.title = "the same odd pair twice is offered once",
		.ports = { "http=8080,8090,8090", "ws=8081,9000,9000" },
		.attempts = 1,
		.remembered = "8090/9000",
		.expected = "8080/8081* 8090/9000",
	},
	{
		.title = "a port without fallbacks keeps its distance",
		.ports = { "http=8080,8090,9000", "ws=8081" },
		.attempts = 1,
		.expected = "8080/8081* 8090/8091 9000/9001",
	},
	{
		.title = "fallbacks that another port of the group has are left out",
		.ports = { "a=8080,8090,8100", "b=8081,8090,8101" },
		.attempts = 1,
		.expected = "8080/8081* 8100/8101",
	},
	{
		.title = "one number for two protocols",
		.ports = { "web=8443", "quic=8443/udp" },
		.attempts = 2,
		.expected = "8443/8443* 8453/8453",
	},
	{
		.title = "a range holds the whole group",
		.ports = { "http=8110", "ws=8111" },
		.range = { 8100, 8130 },
		.expected = "8110/8111* 8120/8121 8100/8101",
	},
	{
		.title = "a range smaller than the group",
		.ports = { "http=8100", "ws=8105" },
		.range = { 8100, 8104 },
		.any = true,
		.expected = "8100/8105* any",
	},
	{
		.title = "around moves all by the same",
		.ports = { "http=8080", "ws=8081" },
		.around = 2,
		.expected = "8080/8081* 8081/8082 8079/8080 8082/8083 8078/8079",
	},
	{
		.title = "one reserved number rules the whole out",
		.ports = { "http=8080", "ws=8081" },
		.attempts = 4,
		.reserved = "8091",
		.foreign = "8100",
		.expected = "8080/8081* 8110/8111 8100/8101",
	},
	{
		.title = "remembered as a whole, changed spacing and all",
		.ports = { "http=8080", "ws=8081" },
		.attempts = 2,
		.remembered = "8090/9001",
		.expected = "8080/8081* ~8090/9001 8090/8091",
	},
	{
		.title = "a port that the memory does not know keeps its distance",
		.ports = { "http=8080", "ws=8081", "x=8085" },
		.attempts = 1,
		.remembered = "0/8091/0",
		.expected = "8080/8081/8085* ~8090/8091/8095",
	},
	{
		.title = "a group ends at 65535 as a whole",
		.ports = { "a=65520", "b=65530" },
		.any = true,
		.expected = "65520/65530* any",
	},
};

static const struct sequence known[] = {
	{
		.title = "where it is at home comes before where it was last",
		.ports = { "5000" },
		.attempts = 2,
		.home = "5050",
		.remembered = "5077",
		.expected = "5000* ~5050 ~5077 5001",
	},
	{
		.title = "the same number twice is one",
		.ports = { "5000" },
		.attempts = 2,
		.home = "5050",
		.remembered = "5050",
		.expected = "5000* ~5050 5001",
	},
	{
		.title = "a home outside of the range is none",
		.range = { 5002, 5003 },
		.home = "5050",
		.remembered = "5003",
		.expected = "~5003 5002*",
	},
	{
		.title = "a pinned number comes before the wish",
		.ports = { "5000,3000" },
		.attempts = 2,
		.pinned = "9000",
		.remembered = "5077",
		.expected = "!9000 5000* 3000 ~5077 5001",
	},
	{ .title = "a pin is enough", .pinned = "9000", .expected = "!9000" },
	{
		.title = "a pin may lie outside of the range, and belong to another folder",
		.range = { 5002, 5003 },
		.pinned = "9000",
		.foreign = "9000,5002",
		.expected = "!9000 5003 5002*",
	},
	{
		.title = "a pin may be the wish",
		.ports = { "5000" },
		.attempts = 2,
		.pinned = "5000",
		.expected = "!5000 5001",
	},
	{
		.title = "nobody is given a reserved one by a pin",
		.ports = { "5000" },
		.attempts = 1,
		.pinned = "9000",
		.reserved = "9000",
		.expected = "5000*",
	},
	{
		.title = "strict means the wish",
		.ports = { "5000" },
		.strict = true,
		.pinned = "9000",
		.expected = "5000*",
	},
	{
		.title = "of a group that is pinned in part the others keep their distance",
		.ports = { "http=8080", "ws=8081", "x=8085" },
		.attempts = 1,
		.pinned = "0/9001/0",
		.expected = "!9000/9001/9005 8080/8081/8085*",
	},
	{
		.title = "of a group that is pinned as a whole each has its own",
		.ports = { "http=8080", "ws=8081" },
		.attempts = 1,
		.pinned = "9000/7000",
		.expected = "!9000/7000 8080/8081*",
	},
};

static bool in_list(const char *list, uint16_t port)
{
	static struct berth_portset set;

	memset(&set, 0, sizeof(set));
	assert_int_equal(berth_portset_parse(list, &set), 0);
	return berth_portset_has(&set, port);
}

static bool is_reserved(uint16_t port, void *arg)
{
	return in_list(((const struct sequence *)arg)->reserved, port);
}

static bool is_foreign(uint16_t port, void *arg)
{
	return in_list(((const struct sequence *)arg)->foreign, port);
}

static void make_wish(const struct sequence *s, struct berth_wish *ret_wish)
{
	struct berth_err err = { 0 };
	bool none;

	*ret_wish = (struct berth_wish){
		.range = s->range,
		.step = s->step,
		.around = s->around,
		.attempts = s->attempts,
		.any = s->any,
		.strict = s->strict,
	};
	for (size_t i = 0; i < BERTH_ARRAY_SIZE(s->ports) && s->ports[i]; i++)
		assert_int_equal(berth_wish_add_port(ret_wish, s->ports[i], &none, &err), 0);
}

/* "8090/8091" */
static void make_candidate(const char *text, struct berth_candidate *ret_candidate)
{
	char buf[64];
	char *save = NULL;
	size_t i = 0;

	assert_true(berth_str_copy(buf, sizeof(buf), text));
	for (char *word = strtok_r(buf, "/", &save); word; word = strtok_r(NULL, "/", &save)) {
		uint64_t port;

		assert_int_equal(berth_parse_u64(word, UINT16_MAX, &port), 0);
		ret_candidate->port[i++] = (uint16_t)port;
	}
}

static void add_candidate(struct berth_str *text, const struct berth_candidate *candidate,
			  enum berth_port_reason reason, size_t count)
{
	if (text->len > 0)
		berth_str_add(text, " ");
	if (reason == BERTH_PORT_REMEMBERED)
		berth_str_add(text, "~");
	if (reason == BERTH_PORT_PINNED)
		berth_str_add(text, "!");
	for (size_t i = 0; i < count; i++) {
		if (reason == BERTH_PORT_ANY)
			assert_int_equal(candidate->port[i], 0);
		else
			berth_str_addf(text, "%s%u", i > 0 ? "/" : "", candidate->port[i]);
	}
	for (size_t i = count; i < BERTH_WISH_PORTS_MAX; i++)
		assert_int_equal(candidate->port[i], 0);
	if (reason == BERTH_PORT_ANY)
		berth_str_add(text, "any");
	if (reason == BERTH_PORT_WISHED)
		berth_str_add(text, "*");
}

static void run_sequence(const struct sequence *s)
{
	BERTH_CLEANUP(berth_candidates_freep) struct berth_candidates *candidates = NULL;
	BERTH_CLEANUP(berth_str_deinit) struct berth_str text = { 0 };
	struct berth_candidate remembered[2] = { 0 }, pinned = { 0 }, candidate;
	struct berth_wish wish;
	struct berth_candidates_spec spec = {
		.wish = &wish,
		.reserved_fn = s->reserved ? is_reserved : NULL,
		.foreign_fn = s->foreign ? is_foreign : NULL,
		.arg = (void *)s,
	};
	enum berth_port_reason reason;
	const char *more = strstr(s->expected, " ...");
	size_t len = more ? (size_t)(more - s->expected) + 1 : strlen(s->expected);

	make_wish(s, &wish);
	if (s->remembered) {
		make_candidate(s->home ? s->home : s->remembered, &remembered[0]);
		make_candidate(s->remembered, &remembered[1]);
		spec.remembered = remembered;
		spec.remembered_count = s->home ? 2 : 1;
	}
	if (s->pinned) {
		make_candidate(s->pinned, &pinned);
		spec.pinned = &pinned;
	}
	assert_int_equal(berth_candidates_new(&spec, &candidates), 0);
	while (berth_candidates_next(candidates, &candidate, &reason))
		add_candidate(&text, &candidate, reason, wish.port_count ? wish.port_count : 1);

	if (more ? strncmp(berth_str_text(&text), s->expected, len)
		 : strcmp(berth_str_text(&text), s->expected))
		fail_msg("%s:\n  expected %s\n  got      %.200s", s->title, s->expected,
			 berth_str_text(&text));

	/* The end is the end. */
	assert_false(berth_candidates_next(candidates, &candidate, &reason));
}

#define RUN_ALL(table) \
	for (size_t i = 0; i < BERTH_ARRAY_SIZE(table); i++) \
	run_sequence(&(table)[i])

static void a_lone_wish_is_searched_from(void **state)
{
	RUN_ALL(lone);
}

static void what_is_held_back_is_left_out_or_comes_last(void **state)
{
	RUN_ALL(skipped);
}

static void a_privileged_wish_goes_on_at_8000_more(void **state)
{
	RUN_ALL(privileged);
}

static void a_group_moves_as_a_whole(void **state)
{
	RUN_ALL(groups);
}

static void what_is_pinned_goes_before_and_what_is_remembered_after_the_wish(void **state)
{
	RUN_ALL(known);
}

static void a_lone_wish_tries_a_hundred_numbers(void **state)
{
	BERTH_CLEANUP(berth_candidates_freep) struct berth_candidates *candidates = NULL;
	struct berth_wish wish = { .port_count = 1,
				   .ports = { { .list = { 5000 }, .list_len = 1 } } };
	struct berth_candidates_spec spec = { .wish = &wish };
	struct berth_candidate candidate;
	enum berth_port_reason reason;
	size_t count = 0;

	assert_int_equal(berth_candidates_new(&spec, &candidates), 0);
	while (berth_candidates_next(candidates, &candidate, &reason))
		assert_int_equal(candidate.port[0], 5000 + count++);
	assert_int_equal(count, 100);
}

/* Three viewers at once: each takes what the ones before it left. */
static void three_viewers_get_neighbouring_pairs(void **state)
{
	static const uint16_t expected[] = { 8100, 8110, 8120 };
	struct sequence s = { .ports = { "http=8100", "ws=8101" } };
	bool taken[UINT16_MAX + 1] = { false };
	struct berth_wish wish;
	struct berth_candidates_spec spec = { .wish = &wish };

	make_wish(&s, &wish);
	for (size_t i = 0; i < BERTH_ARRAY_SIZE(expected); i++) {
		BERTH_CLEANUP(berth_candidates_freep) struct berth_candidates *candidates = NULL;
		struct berth_candidate candidate;
		enum berth_port_reason reason;

		assert_int_equal(berth_candidates_new(&spec, &candidates), 0);
		do {
			assert_true(berth_candidates_next(candidates, &candidate, &reason));
		} while (taken[candidate.port[0]] || taken[candidate.port[1]]);
		taken[candidate.port[0]] = taken[candidate.port[1]] = true;
		assert_int_equal(candidate.port[0], expected[i]);
		assert_int_equal(candidate.port[1], expected[i] + 1);
		assert_int_equal(reason, i == 0 ? BERTH_PORT_WISHED : BERTH_PORT_TAKEN);
	}
}

static bool is_odd(uint16_t port, void *arg)
{
	(*(size_t *)arg)++;
	return port % 2 == 1;
}

/*
 * The predicates are asked a bounded number of times a place: nothing searches what was offered
 * before.
 */
static void a_wide_range_costs_a_look_per_number(void **state)
{
	BERTH_CLEANUP(berth_candidates_freep) struct berth_candidates *candidates = NULL;
	static bool seen[UINT16_MAX + 1];
	size_t asked = 0, count = 0;
	struct berth_wish wish = {
		.port_count = 1,
		.ports = { { .list = { 24567 }, .list_len = 1 } },
		.range = { 20000, 29999 },
	};
	struct berth_candidates_spec spec = { .wish = &wish, .foreign_fn = is_odd, .arg = &asked };
	struct berth_candidate candidate;
	enum berth_port_reason reason;

	assert_int_equal(berth_candidates_new(&spec, &candidates), 0);
	for (; berth_candidates_next(candidates, &candidate, &reason); count++) {
		assert_in_range(candidate.port[0], 20000, 29999);
		assert_false(seen[candidate.port[0]]);
		seen[candidate.port[0]] = true;
		assert_int_equal(candidate.port[0] % 2, count < 5000 ? 0 : 1);
	}
	assert_int_equal(count, 10000);
	assert_in_range(asked, 10000, 10001);
}

/* The program may have ports that nobody gave a number. */
static void a_port_without_a_wish_follows_the_one_before_it(void **state)
{
	BERTH_CLEANUP(berth_candidates_freep) struct berth_candidates *candidates = NULL;
	struct berth_wish wish = {
		.port_count = 4,
		.ports = { { .name = "a", .list = { 9000 }, .list_len = 1 },
			   { .name = "b" },
			   { .name = "c", .list = { 9001 }, .list_len = 1 },
			   { .name = "d" } },
	};
	struct berth_candidates_spec spec = { .wish = &wish };
	static const uint16_t expected[] = { 9000, 9002, 9001, 9003 };
	struct berth_candidate candidate;
	enum berth_port_reason reason;

	assert_int_equal(berth_candidates_new(&spec, &candidates), 0);
	assert_true(berth_candidates_next(candidates, &candidate, &reason));
	/* "d" comes after 9001, but 9002 is that of "b". */
	for (size_t i = 0; i < BERTH_ARRAY_SIZE(expected); i++)
		assert_int_equal(candidate.port[i], expected[i]);
	assert_int_equal(reason, BERTH_PORT_WISHED);
}

static void every_reason_has_a_name(void **state)
{
	assert_string_equal(berth_port_reason_name(BERTH_PORT_WISHED), "wished");
	assert_string_equal(berth_port_reason_name(BERTH_PORT_TOOL), "tool");
	for (int i = 0; i < BERTH_PORT_REASON_COUNT_; i++)
		assert_non_null(berth_port_reason_name((enum berth_port_reason)i));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_lone_wish_is_searched_from),
		cmocka_unit_test(what_is_held_back_is_left_out_or_comes_last),
		cmocka_unit_test(a_privileged_wish_goes_on_at_8000_more),
		cmocka_unit_test(a_group_moves_as_a_whole),
		cmocka_unit_test(what_is_pinned_goes_before_and_what_is_remembered_after_the_wish),
		cmocka_unit_test(a_lone_wish_tries_a_hundred_numbers),
		cmocka_unit_test(three_viewers_get_neighbouring_pairs),
		cmocka_unit_test(a_wide_range_costs_a_look_per_number),
		cmocka_unit_test(a_port_without_a_wish_follows_the_one_before_it),
		cmocka_unit_test(every_reason_has_a_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
