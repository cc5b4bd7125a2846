/* SPDX-License-Identifier: MIT */
/* cli/end-text.c - how a service ended, in a few words */
#include "cli/end-text.h"

#include <stdio.h>
#include <string.h>

#include "base/time.h"

/* The words of "by" in the JSON output, as people say them. */
static const struct {
	const char *by, *text;
} causes[] = {
	{ "itself", "by itself" },
	{ "user", "by berth stop" },
	{ "interrupt", "by the terminal" },
	{ "owner", "with its owner" },
	{ "ttl", "when its time was up" },
	{ "force", "for a new start" },
	{ "guardian", "with its guardian, which was killed" },
	{ "supervisor", "with its supervisor, which was killed" },
	{ "oom", "by the OOM killer" },
	{ "timeout", "as it was not ready in time" },
	{ "liveness", "as its probe failed" },
	{ "restart", "by berth restart" },
	{ "scale", "by berth scale" },
	{ "stack", "with its stack" },
};

const char *berth_end_text(const json_t *end, int64_t now_ms, char *buf, size_t size)
{
	const json_t *exit = json_object_get(end, "exit");
	const char *signal = berth_json_string(exit, "signal", NULL);
	const char *by = berth_json_string(exit, "by", "itself");
	char how[32], age[BERTH_TIME_AGE_SIZE];
	const char *cause = by;
	int64_t ended;

	if (signal)
		snprintf(how, sizeof(how), "SIG%s", signal);
	else
		snprintf(how, sizeof(how), "exit %lld", (long long)berth_json_int(exit, "code", 0));
	for (size_t i = 0; i < BERTH_ARRAY_SIZE(causes); i++)
		if (strcmp(causes[i].by, by) == 0)
			cause = causes[i].text;
	if (berth_time_parse(berth_json_string(end, "ended_at", ""), &ended) == 0)
		snprintf(buf, size, "%s %s, %s ago", how, cause,
			 berth_time_age(now_ms - ended, age));
	else
		snprintf(buf, size, "%s %s", how, cause);
	return buf;
}
