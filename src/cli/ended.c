/* SPDX-License-Identifier: MIT */
/* cli/ended.c - say what was ended, how, and what is free now */
#include "cli/ended.h"

#include <string.h>

#include "app/history.h"
#include "base/str.h"

enum {
	LAST_LINES = 20
};

/* "5173 is free", "5173 and 24678 are free" */
static void add_ports(const json_t *service, struct berth_str *text)
{
	const json_t *ports = json_object_get(service, "ports");
	size_t count = json_array_size(ports);
	const json_t *port;
	size_t i;

	json_array_foreach (ports, i, port)
		berth_str_addf(text, "%s%lld",
			       i == 0		? "; "
			       : i + 1 == count ? " and "
						: ", ",
			       (long long)berth_json_int(port, "port", 0));
	if (count)
		berth_str_add(text, count == 1 ? " is free" : " are free");
}

/* "pid 812, SIGTERM": of whom, and by what. */
static void add_end(const json_t *service, const json_t *answer, struct berth_str *text)
{
	const json_t *exit = json_object_get(json_object_get(answer, "service"), "exit");
	const char *signal = berth_json_string(exit, "signal", answer ? NULL : "KILL");
	int64_t pid = berth_json_int(service, "pid", 0);

	if (!pid) {
		berth_str_add(text, "it had no process");
		return;
	}
	berth_str_addf(text, "pid %lld, ", (long long)pid);
	if (signal)
		berth_str_addf(text, "SIG%s", signal);
	else
		berth_str_addf(text, "exit %lld", (long long)berth_json_int(exit, "code", 0));
}

void berth_ended_say(struct berth_out *out, const json_t *service, const json_t *answer,
		     int64_t took_ms)
{
	const char *also = berth_json_string(answer, "also_ended", "");
	struct berth_str text = { 0 };

	berth_str_addf(&text, "ended %s (", berth_json_string(service, "label", "?"));
	add_end(service, answer, &text);
	berth_str_addf(&text, ", %.1f s)", (double)took_ms / 1000);
	add_ports(service, &text);
	if (*also)
		berth_str_addf(&text, "; also ended: %s", also);
	if (berth_str_text(&text))
		berth_out_say(out, "%s", berth_str_text(&text));
	berth_str_deinit(&text);
}

void berth_ended_say_last_lines(struct berth_out *out, const json_t *service)
{
	BERTH_AUTO_JSON json_t *lines =
		berth_history_tail(berth_json_string(service, "log", NULL), LAST_LINES);
	const json_t *line;
	size_t i;

	json_array_foreach (lines, i, line)
		berth_out_say(out, "| %s", json_string_value(line));
}
