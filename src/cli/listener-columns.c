/* SPDX-License-Identifier: MIT */
/* cli/listener-columns.c - the columns of a listening port of the machine, for ls -m */
#include "cli/listener-columns.h"

#include <string.h>

#include "cli/holder-columns.h"

/* "*" for both families at once, as people read it. */
static void format_addresses(const json_t *row, const json_t *value, int64_t now_ms,
			     struct berth_str *text)
{
	bool dual = berth_json_bool(row, "dual_stack", false);
	size_t before = text->len, i;
	const json_t *address;

	if (dual)
		berth_str_add(text, "*");
	json_array_foreach (value, i, address) {
		const char *host = json_string_value(address);

		if (dual && (strcmp(host, "::") == 0 || strcmp(host, "0.0.0.0") == 0))
			continue;
		if (text->len > before)
			berth_str_add(text, ",");
		berth_str_add(text, host);
	}
}

/* The number where the user has no name any more. */
static void format_user(const json_t *row, const json_t *value, int64_t now_ms,
			struct berth_str *text)
{
	const char *name = berth_json_string(row, "user", NULL);

	if (name)
		berth_str_add(text, name);
	else
		berth_str_addf(text, "%lld", (long long)berth_json_int(row, "uid", -1));
}

/* "ready", "ready/failing": the second is what its probe says. */
static void format_state(const json_t *row, const json_t *value, int64_t now_ms,
			 struct berth_str *text)
{
	const char *health = berth_json_string(row, "health", NULL);

	if (strcmp(json_string_value(value), "listening") == 0)
		return;
	berth_str_add(text, json_string_value(value));
	if (health)
		berth_str_addf(text, "/%s", health);
}

/* In brackets, as ps(1) does, where there is no command line. */
static void format_command(const json_t *row, const json_t *value, int64_t now_ms,
			   struct berth_str *text)
{
	const json_t *command = json_object_get(row, "command");
	const char *process = berth_json_string(row, "process", NULL);

	/* What was asked for by name is shown as it is, and has all members. */
	if (json_array_size(command) && json_object_get(row, "shared_with"))
		berth_column_argv(row, command, now_ms, text);
	else if (json_array_size(command))
		berth_column_argv_brief(row, command, now_ms, text);
	else if (process)
		berth_str_addf(text, "[%s]", process);
}

static void format_where(const json_t *row, const json_t *value, int64_t now_ms,
			 struct berth_str *text)
{
	berth_holder_columns_add_where(row, text);
}

/* Of one process it is the very same value: then its folder is the same, too. */
static bool is_same_process(const json_t *row, const json_t *above)
{
	static const char *const members[] = { "command", "unit", "container" };

	for (size_t i = 0; i < BERTH_ARRAY_SIZE(members); i++)
		if (json_object_get(row, members[i]) != json_object_get(above, members[i]))
			return false;
	return json_object_get(row, "command");
}

const char berth_listener_columns_with_protocol[] =
	"port,protocol,address,pid,user,service,state,command,where";

const struct berth_column berth_listener_columns[] = {
	{ "port", "PORT", BERTH_COLUMN_INTEGER, "port", "the number", .numbered = true },
	{ "address", "ADDRESS", BERTH_COLUMN_LIST, "addresses",
	  "of it; * is every address of both families", .flexible = true,
	  .format = format_addresses },
	{ "pid", "PID", BERTH_COLUMN_INTEGER, "pid", "of who serves there; - hidden" },
	{ "user", "USER", BERTH_COLUMN_STRING, NULL, "whose socket it is", .flexible = true,
	  .format = format_user },
	{ "service", "SERVICE", BERTH_COLUMN_STRING, "service.label", "of berth: its name",
	  .flexible = true },
	{ "state", "STATE", BERTH_COLUMN_STRING, "state", "and health of that service",
	  .format = format_state, .tone = berth_column_state_tone },
	{ "command", "COMMAND", BERTH_COLUMN_STRING, NULL, "of the process", .flexible = true,
	  .format = format_command, .is_same = is_same_process },
	{ "where", "WHERE", BERTH_COLUMN_STRING, NULL,
	  "its container, else its unit, its project, its working folder", .flexible = true,
	  .format = format_where, .is_same = is_same_process },
	{ "protocol", "PROTO", BERTH_COLUMN_STRING, "protocol", "tcp, udp", .extra = true },
	{ "process", "PROCESS", BERTH_COLUMN_STRING, "process", "its name", .extra = true },
	{ "since", "SINCE", BERTH_COLUMN_STRING, "started_at",
	  "how long the process has been running", .extra = true, .format = berth_column_age },
	{ "folder", "FOLDER", BERTH_COLUMN_STRING, "cwd", "its working folder", .extra = true,
	  .flexible = true },
	{ "project", "PROJECT", BERTH_COLUMN_STRING, "project.root", "the project that lies in",
	  .extra = true, .flexible = true },
	{ "unit", "UNIT", BERTH_COLUMN_STRING, "unit", "of systemd", .extra = true },
	{ "container", "CONTAINER", BERTH_COLUMN_STRING, "container.name", "its name",
	  .extra = true },
	{ "id", "ID", BERTH_COLUMN_STRING, "service.id", "of the life of the service",
	  .extra = true },
	{ 0 },
};
