/* SPDX-License-Identifier: MIT */
/* unit/app/test-job.c - which of flag, environment and .env says what a start wishes */
#include "app/job.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

enum {
	VARIABLES_MAX = 6,
	NUMBERS_MAX = 6,
};

static const char *const variables[] = {
	"PORT",
	"FALLBACK_PORTS",
	"MAX_PORT_ATTEMPTS",
	"PORT_CHECK_TIMEOUT",
	"BERTH_PORT",
	"BERTH_FALLBACK_PORTS",
	"BERTH_MAX_PORT_ATTEMPTS",
	"BERTH_PORT_CHECK_TIMEOUT",
	"BERTH_ANY",
	"BERTH_STRICT",
	"BERTH_SKIP",
	"ANY",
	"STRICT",
	"SKIP",
};

/* What a start looked like before and after. */
struct flags {
	const char *port; /* as of --port; NULL: none */
	struct berth_range range;
	uint16_t attempts;
	int64_t timeout_ms;
	unsigned int instances;
};

struct row {
	const char *what;
	struct flags flags;
	const char *environment[VARIABLES_MAX];
	const char *dotenv;
	uint16_t list[NUMBERS_MAX];
	struct berth_range range;
	uint16_t attempts;
	int64_t timeout_ms;
	bool any, strict, tells_no_port;
	const char *error; /* a part of the message; NULL: none */
};

static void settle(const struct row *row, struct berth_job *job, struct berth_err *err, int *ret_r)
{
	struct berth_dotenv dotenv = { 0 };
	const char *text = row->dotenv ? row->dotenv : "";

	for (size_t i = 0; i < BERTH_ARRAY_SIZE(variables); i++)
		unsetenv(variables[i]);
	for (size_t i = 0; i < VARIABLES_MAX && row->environment[i]; i++)
		assert_int_equal(putenv((char *)(uintptr_t)row->environment[i]), 0);
	assert_int_equal(berth_dotenv_parse(text, strlen(text), ".env", &dotenv, err), 0);
	if (row->flags.port)
		assert_int_equal(
			berth_wish_add_port(&job->wish, row->flags.port, &job->no_port, err), 0);
	job->wish.range = row->flags.range;
	job->instances = row->flags.instances;
	job->wish.attempts = row->flags.attempts;
	job->check_timeout_ms = row->flags.timeout_ms;
	*ret_r = berth_job_settle(job, row->dotenv ? &dotenv : NULL, err);
	berth_dotenv_deinit(&dotenv);
}

/* clang-format off */
static const struct row rows[] = {
	{ "nothing", .tells_no_port = true },
	{ "PORT", .environment = { "PORT=3000" }, .list = { 3000 } },
	{ "BERTH_PORT before PORT", .environment = { "PORT=3000", "BERTH_PORT=4000" }, .list = { 4000 } },
	{ ".env", .dotenv = "PORT=5000\n", .list = { 5000 } },
	{ "BERTH_PORT before PORT in .env", .dotenv = "PORT=5000\nBERTH_PORT=6000\n", .list = { 6000 } },
	{ "the environment before .env", .environment = { "PORT=3000" }, .dotenv = "BERTH_PORT=6000\n", .list = { 3000 } },
	{ "a flag before all", { "8080" }, { "PORT=3000", "BERTH_PORT=4000" }, "PORT=5000", .list = { 8080 } },
	{ "no port, by a flag", { "none" }, { "PORT=3000", "FALLBACK_PORTS=3001" }, .tells_no_port = true },
	{ "empty is none", .environment = { "PORT=" }, .tells_no_port = true },
	{ "PORT inside of a range", { .range = { 3000, 3009 } }, { "PORT=3005" }, .list = { 3005 }, .range = { 3000, 3009 } },
	{ "PORT moves a range", { .range = { 3000, 3009 } }, { "PORT=7000" }, .list = { 7000 }, .range = { 7000, 7009 } },
	{ "PORT moves a range as far as there are ports", { .range = { 3000, 3009 } }, { "PORT=65530" }, .list = { 65530 }, .range = { 65530, 65535 } },
	{ "a range alone", { .range = { 3000, 3009 } }, .range = { 3000, 3009 } },

	{ "fallbacks", .environment = { "PORT=3000", "FALLBACK_PORTS=3001,3002" }, .list = { 3000, 3001, 3002 } },
	{ "fallbacks with blanks", .environment = { "PORT=3000", "FALLBACK_PORTS= 3001, 3002 ,," }, .list = { 3000, 3001, 3002 } },
	{ "fallbacks of a flag's wish", { "8080" }, { "FALLBACK_PORTS=3001" }, .list = { 8080, 3001 } },
	{ "a list by a flag says it all", { "8080,8081" }, { "FALLBACK_PORTS=3001" }, .list = { 8080, 8081 } },
	{ "fallbacks alone", .environment = { "FALLBACK_PORTS=3001,3002" }, .list = { 3001, 3002 } },
	{ "fallbacks in .env", .dotenv = "PORT=5000\nFALLBACK_PORTS=5001\n", .list = { 5000, 5001 } },

	{ "attempts", .environment = { "MAX_PORT_ATTEMPTS=7" }, .attempts = 7, .tells_no_port = true },
	{ "attempts by a flag", { .attempts = 3 }, { "MAX_PORT_ATTEMPTS=7" }, .attempts = 3, .tells_no_port = true },
	{ "a time in ms", .environment = { "PORT_CHECK_TIMEOUT=1500" }, .timeout_ms = 1500, .tells_no_port = true },
	{ "a time by a flag", { .timeout_ms = 10 }, { "PORT_CHECK_TIMEOUT=1500" }, .timeout_ms = 10, .tells_no_port = true },
	{ "any", .environment = { "BERTH_ANY=1" }, .any = true },
	{ "not any", .environment = { "BERTH_ANY=no", "BERTH_STRICT=0" }, .tells_no_port = true },
	{ "ANY is anybody's", .environment = { "ANY=1", "STRICT=1" }, .tells_no_port = true },
	{ "strict", .environment = { "BERTH_STRICT=Yes", "PORT=3000" }, .list = { 3000 }, .strict = true },

	{ "strict, and several instances", { .instances = 2 }, { "BERTH_STRICT=1" }, .error = "BERTH_STRICT: only one instance can have the wish" },
	{ "no number", .environment = { "PORT=web" }, .error = "PORT in the environment: 'web'" },
	{ "no port", .environment = { "PORT=0" }, .error = "PORT in the environment: '0'" },
	{ "no port at all", .environment = { "PORT=65536" }, .error = "'65536'" },
	{ "no number in .env", .dotenv = "PORT=web\n", .error = "PORT in '.env': 'web'" },
	{ "no list", .environment = { "FALLBACK_PORTS=3001;3002" }, .error = "FALLBACK_PORTS" },
	{ "a list with a long word", .environment = { "FALLBACK_PORTS=3001,00000000000003002" }, .error = "FALLBACK_PORTS" },
	{ "no count", .environment = { "MAX_PORT_ATTEMPTS=-1" }, .error = "MAX_PORT_ATTEMPTS" },
	{ "no time", .environment = { "PORT_CHECK_TIMEOUT=soon" }, .error = "PORT_CHECK_TIMEOUT" },
	{ "neither yes nor no", .environment = { "BERTH_ANY=maybe" }, .error = "BERTH_ANY" },
	{ "a wish outside of a flag's range", { "8080", .range = { 3000, 3009 } }, .error = "8080" },
};
/* clang-format on */

static void each_setting_comes_from_where_it_is_strongest(void **state)
{
	(void)state;
	for (size_t i = 0; i < BERTH_ARRAY_SIZE(rows); i++) {
		const struct row *row = &rows[i];
		struct berth_job *job = calloc(1, sizeof(*job));
		struct berth_err err = { 0 };
		size_t len = 0;
		int r;

		assert_non_null(job);
		settle(row, job, &err, &r);
		if ((r < 0) != !!row->error || (row->error && !strstr(err.msg, row->error)))
			fail_msg("%s: %d, '%s'", row->what, r, err.msg);
		if (r == 0) {
			while (len < NUMBERS_MAX && row->list[len])
				len++;
			if (job->wish.ports[0].list_len != len ||
			    memcmp(job->wish.ports[0].list, row->list,
				   len * sizeof(row->list[0])) != 0)
				fail_msg("%s: %zu numbers, the first %u", row->what,
					 job->wish.ports[0].list_len, job->wish.ports[0].list[0]);
			if (job->wish.range.lo != row->range.lo ||
			    job->wish.range.hi != row->range.hi)
				fail_msg("%s: range %u-%u", row->what, job->wish.range.lo,
					 job->wish.range.hi);
			if (job->wish.attempts != row->attempts ||
			    job->check_timeout_ms != row->timeout_ms || job->wish.any != row->any ||
			    job->wish.strict != row->strict)
				fail_msg("%s: attempts, time, any or strict", row->what);
			if (job->tell_port == row->tells_no_port)
				fail_msg("%s: PORT", row->what);
		}
		free(job);
	}
}

static void a_list_of_fallbacks_has_an_end(void **state)
{
	char text[1024] = "FALLBACK_PORTS=";
	const struct row row = { "long", .environment = { text } };
	struct berth_job *job = calloc(1, sizeof(*job));
	struct berth_err err = { 0 };
	int r;

	(void)state;
	assert_non_null(job);
	for (int i = 0; i < BERTH_WISH_LIST_MAX + 10; i++)
		sprintf(text + strlen(text), "%d,", 3000 + i);
	settle(&row, job, &err, &r);
	assert_int_equal(r, 0);
	assert_int_equal(job->wish.ports[0].list_len, BERTH_WISH_LIST_MAX);
	unsetenv("FALLBACK_PORTS");
	free(job);
}

static void the_numbers_to_skip_are_the_flags_or_the_environments(void **state)
{
	const struct row row = { "skip", .environment = { "BERTH_SKIP=3000-3005" } };
	struct berth_job *job = calloc(1, sizeof(*job));
	struct berth_err err = { 0 };
	int r;

	(void)state;
	assert_non_null(job);
	settle(&row, job, &err, &r);
	assert_int_equal(r, 0);
	assert_string_equal(job->skip, "3000-3005");
	job->skip = "4000";
	settle(&row, job, &err, &r);
	assert_string_equal(job->skip, "4000");
	free(job);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_setting_comes_from_where_it_is_strongest),
		cmocka_unit_test(a_list_of_fallbacks_has_an_end),
		cmocka_unit_test(the_numbers_to_skip_are_the_flags_or_the_environments),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
