/* SPDX-License-Identifier: MIT */
/* unit/cli/test-end-text.c - ends as documents in, a few words out */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cli/end-text.h"

static const int64_t now_ms = INT64_C(1763717520000); /* 2025-11-21T09:32:00Z */

static void an_end_is_told_with_its_cause_and_age(void **state)
{
	static const struct {
		const char *end, *text;
	} cases[] = {
		{ "{\"exit\":{\"code\":1,\"signal\":null,\"by\":\"itself\"},"
		  "\"ended_at\":\"2025-11-21T09:30:00.000Z\"}",
		  "exit 1 by itself, 2 min ago" },
		{ "{\"exit\":{\"code\":null,\"signal\":\"KILL\",\"by\":\"oom\"},"
		  "\"ended_at\":\"2025-11-21T09:31:52.000Z\"}",
		  "SIGKILL by the OOM killer, 8 s ago" },
		/* of a life that another one has followed */
		{ "{\"exit\":{\"code\":3,\"signal\":null,\"by\":\"itself\"}}", "exit 3 by itself" },
		/* a cause of a later version is told as it is written */
		{ "{\"exit\":{\"code\":0,\"signal\":null,\"by\":\"moonlight\"}}",
		  "exit 0 moonlight" },
	};

	for (size_t i = 0; i < BERTH_ARRAY_SIZE(cases); i++) {
		BERTH_AUTO_JSON json_t *end = json_loads(cases[i].end, 0, NULL);
		char buf[128];

		assert_non_null(end);
		assert_string_equal(berth_end_text(end, now_ms, buf, sizeof(buf)), cases[i].text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_end_is_told_with_its_cause_and_age),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
