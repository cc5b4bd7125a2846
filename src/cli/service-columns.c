/* SPDX-License-Identifier: MIT */
/* cli/service-columns.c - the columns of a service document, for ls and status */
#include "cli/service-columns.h"

#include <string.h>

#include "cli/services.h"

static void add_each(const json_t *row, struct berth_str *text,
		     void (*add)(const json_t *port, struct berth_str *text))
{
	const json_t *port;
	size_t i;

	json_array_foreach (json_object_get(row, "ports"), i, port) {
		size_t before = text->len;

		/* What a debugger or a probe has beside the declared ports is for status. */
		if (i > 0 && (strcmp(berth_json_string(port, "reason", ""), "extra") == 0 ||
			      strcmp(berth_json_string(port, "reason", ""), "tool") == 0))
			continue;
		if (before)
			berth_str_add(text, " ");
		add(port, text);
		if (before && text->len == before + 1)
			text->text[--text->len] = '\0';
	}
}

static void add_url(const json_t *port, struct berth_str *text)
{
	const char *url = berth_json_string(port, "url", NULL);

	if (url)
		berth_str_add(text, url);
	else
		berth_str_addf(text, "%s %lld", berth_json_string(port, "protocol", "port"),
			       (long long)berth_json_int(port, "port", 0));
}

static void add_asked(const json_t *port, struct berth_str *text)
{
	int64_t asked = berth_json_int(port, "asked", 0);

	if (asked && asked != berth_json_int(port, "port", 0))
		berth_str_addf(text, "%lld", (long long)asked);
}

static void format_urls(const json_t *row, const json_t *value, int64_t now_ms,
			struct berth_str *text)
{
	add_each(row, text, add_url);
}

static void format_asked(const json_t *row, const json_t *value, int64_t now_ms,
			 struct berth_str *text)
{
	add_each(row, text, add_asked);
}

static void format_ports(const json_t *row, const json_t *value, int64_t now_ms,
			 struct berth_str *text)
{
	const json_t *port;
	size_t i;

	json_array_foreach (value, i, port)
		berth_str_addf(text, "%s%lld", i ? "," : "",
			       (long long)berth_json_int(port, "port", 0));
}

/* "3/4": so many of so many are ready. */
static void format_workers(const json_t *row, const json_t *value, int64_t now_ms,
			   struct berth_str *text)
{
	const json_t *worker;
	size_t ready = 0, i;

	json_array_foreach (value, i, worker)
		ready += strcmp(berth_json_string(worker, "state", ""), "ready") == 0;
	berth_str_addf(text, "%zu/%zu", ready, json_array_size(value));
}

const struct berth_column berth_service_columns[] = {
	{ "service", "SERVICE", BERTH_COLUMN_STRING, "label", "project and name" },
	{ "state", "STATE", BERTH_COLUMN_STRING, "state",
	  "waiting, starting, ready, unready, stopping, failed", .tone = berth_column_state_tone },
	{ "url", "URL", BERTH_COLUMN_STRING, NULL, "where it is", .format = format_urls },
	{ "asked", "ASKED", BERTH_COLUMN_STRING, NULL, "the number it wanted, where it has another",
	  .format = format_asked },
	{ "since", "SINCE", BERTH_COLUMN_STRING, "started_at", "how long it has been running",
	  .format = berth_column_age },
	{ "pid", "PID", BERTH_COLUMN_INTEGER, "pid", "of the command", .extra = true },
	{ "ports", "PORTS", BERTH_COLUMN_LIST, "ports", "all its port numbers", .extra = true,
	  .format = format_ports },
	{ "workers", "WORKERS", BERTH_COLUMN_LIST, "workers", "how many of them are ready",
	  .extra = true, .format = format_workers },
	{ "health", "HEALTH", BERTH_COLUMN_STRING, "health", "of its probe: ok, failing",
	  .extra = true },
	{ "id", "ID", BERTH_COLUMN_STRING, "id", "of this life of it", .extra = true },
	{ "restarts", "RESTARTS", BERTH_COLUMN_INTEGER, "restarts", "how often it was restarted",
	  .extra = true },
	{ "folder", "FOLDER", BERTH_COLUMN_STRING, "cwd", "its working folder", .extra = true },
	{ "steering", "STEERING", BERTH_COLUMN_STRING, "steering", "full, degraded or off",
	  .extra = true },
	{ "containment", "CONTAINMENT", BERTH_COLUMN_STRING, "containment",
	  "cgroup, subreaper or degraded", .extra = true },
	{ "log", "LOG", BERTH_COLUMN_STRING, "log", "where its output goes", .extra = true },
	{ "command", "COMMAND", BERTH_COLUMN_LIST, "command", "what it runs", .extra = true,
	  .flexible = true, .format = berth_column_argv },
	{ 0 },
};
