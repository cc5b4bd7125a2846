/* SPDX-License-Identifier: MIT */
/* unit/cli/test-spans.c - spans of free and taken numbers */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/str.h"
#include "cli/spans.h"

static struct berth_scan scan;
static struct berth_reserved reserved;

/* "5000-5001 free; 5002 taken listener; " */
static void assert_spans(const struct berth_spans_spec *spec, bool brief, const char *expected)
{
	BERTH_CLEANUP(berth_str_deinit) struct berth_str text = { 0 };
	BERTH_AUTO_JSON json_t *spans = berth_spans_make(spec, brief);
	json_int_t count = 0;
	json_t *span;
	size_t i;

	json_array_foreach (spans, i, span) {
		const char *kind = berth_json_string(span, "kind", NULL);
		int64_t taken = berth_json_int(span, "taken", 0);

		count += berth_json_int(span, "count", 0);
		berth_str_addf(&text, "%lld", (long long)berth_json_int(span, "from", 0));
		if (berth_json_int(span, "to", 0) != berth_json_int(span, "from", 0))
			berth_str_addf(&text, "-%lld", (long long)berth_json_int(span, "to", 0));
		berth_str_addf(&text, " %s", berth_json_string(span, "state", ""));
		if (kind)
			berth_str_addf(&text, " %s", kind);
		else if (taken)
			berth_str_addf(&text, " %lld", (long long)taken);
		berth_str_add(&text, "; ");
	}
	assert_string_equal(berth_str_text(&text), expected);
	assert_int_equal(count, spec->range.hi - spec->range.lo + 1);
}

static struct berth_spans_spec clean(uint16_t lo, uint16_t hi)
{
	memset(&scan, 0, sizeof(scan));
	memset(&reserved, 0, sizeof(reserved));
	reserved.unprivileged_start = 1024;
	return (struct berth_spans_spec){
		.range = { lo, hi },
		.scan = &scan,
		.reserved = &reserved,
		.ephemeral = { 32768, 60999 },
	};
}

static void put(uint16_t port, enum berth_look_kind kind)
{
	scan.kinds[port] = (uint8_t)(1 + kind);
}

static void assert_picked(const struct berth_spans_spec *spec, size_t count, const char *expected)
{
	BERTH_AUTO_JSON json_t *picked = berth_spans_pick(spec, count);
	BERTH_AUTO_FREE char *text = berth_json_line(picked);

	assert_string_equal(text, expected);
}

static void neighbours_of_one_kind_are_one_span(void **state)
{
	struct berth_spans_spec spec = clean(5000, 5010);

	put(5002, BERTH_LOOK_LISTENER);
	put(5003, BERTH_LOOK_LISTENER);
	put(5004, BERTH_LOOK_BOUND);
	put(5010, BERTH_LOOK_TIME_WAIT);
	assert_spans(&spec, false,
		     "5000-5001 free; 5002-5003 taken listener; 5004 taken bound; 5005-5009 free; "
		     "5010 taken time_wait; ");
}

static void all_numbers_are_in_some_span(void **state)
{
	struct berth_spans_spec spec = clean(1, UINT16_MAX);

	reserved.may_privileged = true;
	assert_spans(&spec, false, "1-65535 free; ");
	put(UINT16_MAX, BERTH_LOOK_LISTENER);
	put(1, BERTH_LOOK_LISTENER);
	assert_spans(&spec, false, "1 taken listener; 2-65534 free; 65535 taken listener; ");
}

static void a_taken_number_is_taken_whatever_else_it_is(void **state)
{
	struct berth_spans_spec spec = clean(1020, 1030);

	put(1022, BERTH_LOOK_LISTENER);
	berth_portset_add(&reserved.kernel, (struct berth_range){ 1026, 1028 });
	put(1027, BERTH_LOOK_BOUND);
	assert_spans(&spec, false,
		     "1020-1021 privileged; 1022 taken listener; 1023 privileged; 1024-1025 free; "
		     "1026 reserved; 1027 taken bound; 1028 reserved; 1029-1030 free; ");
}

static void few_outgoing_connections_are_listed(void **state)
{
	struct berth_spans_spec spec = clean(40000, 40010);

	put(40001, BERTH_LOOK_CONNECTION);
	assert_spans(&spec, true, "40000 free; 40001 taken connection; 40002-40010 free; ");
}

static void many_outgoing_connections_are_one_span_for_people(void **state)
{
	struct berth_spans_spec spec = clean(32760, 32800);

	for (uint16_t port = 32770; port < 32790; port += 2)
		put(port, port % 4 ? BERTH_LOOK_CONNECTION : BERTH_LOOK_TIME_WAIT);
	put(32771, BERTH_LOOK_LISTENER);
	assert_spans(&spec, true,
		     "32760-32767 free; 32768-32770 changing 1; 32771 taken listener; "
		     "32772-32800 changing 9; ");
}

static void numbers_of_outgoing_connections_are_picked_last(void **state)
{
	struct berth_spans_spec spec = clean(32766, 32770);

	put(32766, BERTH_LOOK_LISTENER);
	assert_picked(&spec, 1, "[32767]");
	assert_picked(&spec, 3, "[32767,32768,32769]");
	spec.ephemeral = (struct berth_range){ 32766, 32768 };
	assert_picked(&spec, 3, "[32769,32770,32767]");
	assert_picked(&spec, 9, "[32769,32770,32767,32768]");
}

static void what_nobody_should_be_given_is_not_picked(void **state)
{
	struct berth_spans_spec spec = clean(5058, 5064);

	berth_portset_add(&reserved.kernel, (struct berth_range){ 5063, 5063 });
	assert_picked(&spec, 9, "[5058,5059,5062,5064]"); /* browsers refuse SIP's 5060, 5061 */
	spec = clean(1020, 1025);
	reserved.may_privileged = true;
	assert_picked(&spec, 9, "[1024,1025]");
}

static void each_state_is_counted(void **state)
{
	struct berth_spans_spec spec = clean(1, UINT16_MAX);
	BERTH_AUTO_JSON json_t *counts = NULL;
	BERTH_AUTO_FREE char *text = NULL;

	put(5000, BERTH_LOOK_LISTENER);
	berth_portset_add(&reserved.kernel, (struct berth_range){ 6000, 6009 });
	counts = berth_spans_count(&spec);
	text = berth_json_line(counts);
	assert_string_equal(text,
			    "{\"free\":64501,\"taken\":1,\"reserved\":10,\"privileged\":1023}");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(neighbours_of_one_kind_are_one_span),
		cmocka_unit_test(all_numbers_are_in_some_span),
		cmocka_unit_test(a_taken_number_is_taken_whatever_else_it_is),
		cmocka_unit_test(few_outgoing_connections_are_listed),
		cmocka_unit_test(many_outgoing_connections_are_one_span_for_people),
		cmocka_unit_test(numbers_of_outgoing_connections_are_picked_last),
		cmocka_unit_test(what_nobody_should_be_given_is_not_picked),
		cmocka_unit_test(each_state_is_counted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
