/* SPDX-License-Identifier: MIT */
/* cli/holder-columns.c - who holds a port, as rows of a table */
#include "cli/holder-columns.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/str.h"
#include "base/time.h"

static bool is_kind(const json_t *row, const char *kind)
{
	return strcmp(berth_json_string(row, "kind", ""), kind) == 0;
}

static bool is_true(const json_t *row, const char *key)
{
	return json_is_true(json_object_get(row, key));
}

/* ---- rows ---- */

static const char *state_of(const json_t *holder)
{
	static const struct {
		const char *kind, *state;
	} states[] = {
		{ "listener", "listening" },  { "bound", "bound" },
		{ "connection", "outgoing" }, { "time_wait", "time-wait" },
		{ "container", "container" }, { "lease", "lease" },
		{ "reserved", "reserved" },
	};

	for (size_t i = 0; i < BERTH_ARRAY_SIZE(states); i++)
		if (is_kind(holder, states[i].kind))
			return strcmp(states[i].kind, "container") == 0 &&
					       !json_is_object(json_object_get(holder, "container"))
				       ? "redirect"
				       : states[i].state;
	return "free";
}

static bool is_same(const json_t *a, const json_t *b, const char *key)
{
	const json_t *of_a = json_object_get(a, key), *of_b = json_object_get(b, key);

	return of_a == of_b || json_equal(of_a, of_b);
}

/* Two sockets of one program: on both families, or for one peer each. */
static bool is_one_row(const json_t *row, const json_t *holder)
{
	static const char *const keys[] = { "kind",  "pid",	"uid",	    "unit",
					    "netns", "service", "container" };

	for (size_t i = 0; i < BERTH_ARRAY_SIZE(keys); i++)
		if (!is_same(row, holder, keys[i]))
			return false;
	return true;
}

/* Has the service that @holder keeps the port for a socket of its own there? */
static bool is_covered(const json_t *holders, const json_t *holder)
{
	const json_t *other;
	size_t i;

	if (!is_kind(holder, "lease"))
		return false;
	json_array_foreach (holders, i, other)
		if (!is_kind(other, "lease") && is_same(other, holder, "service"))
			return true;
	return false;
}

static void add_to_row(json_t *row, const json_t *holder)
{
	json_t *address = json_object_get(holder, "address");
	json_t *addresses = json_object_get(row, "addresses"), *other;
	bool known = !json_is_string(address);
	size_t i;

	json_array_foreach (addresses, i, other)
		known |= json_equal(other, address);
	if (!known)
		json_array_append(addresses, address);
	if (json_is_string(json_object_get(holder, "peer")))
		json_object_set_new(row, "peers",
				    json_integer(berth_json_int(row, "peers", 0) + 1));
	if (is_true(holder, "in_the_way"))
		json_object_set_new(row, "in_the_way", json_true());
}

/* New reference. */
static json_t *new_row(const json_t *port, const json_t *holder, bool whole)
{
	json_t *row = json_object();

	json_object_set(row, "port", json_object_get(port, "port"));
	json_object_set(row, "protocol", json_object_get(port, "protocol"));
	json_object_set_new(row, "state", json_string(state_of(holder)));
	json_object_set_new(row, "addresses", json_array());
	json_object_set_new(row, "peers", json_integer(0));
	json_object_set_new(row, "whole", json_boolean(whole));
	json_object_set_new(row, "silent",
			    json_boolean(!json_array_size(json_object_get(port, "answers"))));
	if (holder)
		json_object_update_missing(row, (json_t *)(uintptr_t)holder);
	return row;
}

static void add_rows(const json_t *port, bool whole, json_t *rows)
{
	const json_t *holders = json_object_get(port, "holders"), *holder;
	size_t first = json_array_size(rows), i;
	int64_t more = berth_json_int(port, "more", 0);

	json_array_foreach (holders, i, holder) {
		json_t *row = NULL;

		if (is_covered(holders, holder))
			continue;
		for (size_t j = first; !row && j < json_array_size(rows); j++)
			if (is_one_row(json_array_get(rows, j), holder))
				row = json_array_get(rows, j);
		if (!row) {
			row = new_row(port, holder, whole);
			json_array_append_new(rows, row);
		}
		add_to_row(row, holder);
		/* The last ones are those of which there were too many. */
		if (more && i + 1 == json_array_size(holders) && is_kind(row, "time_wait"))
			json_object_set_new(row, "peers",
					    json_integer(berth_json_int(row, "peers", 0) + more));
	}
	if (!json_array_size(holders))
		json_array_append_new(rows, new_row(port, NULL, whole));
}

json_t *berth_holder_columns_rows(const json_t *ports, bool whole)
{
	json_t *rows = json_array();
	const json_t *port;
	size_t i;

	json_array_foreach (ports, i, port)
		add_rows(port, whole, rows);
	return rows;
}

/* ---- columns ---- */

static void format_holder(const json_t *row, const json_t *value, int64_t now_ms,
			  struct berth_str *text)
{
	size_t shared = json_array_size(json_object_get(row, "shared_with"));
	long long pid = berth_json_int(row, "pid", 0);

	if (pid)
		berth_str_addf(text, "%s %lld", berth_json_string(row, "process", "?"), pid);
	else if (json_is_false(json_object_get(row, "pid_visible")))
		berth_str_add(text, "process hidden");
	else if (json_is_integer(json_object_get(row, "uid")))
		berth_str_add(text, "kernel");
	if (pid && shared)
		berth_str_addf(text, " +%zu", shared);
}

static void format_user(const json_t *row, const json_t *value, int64_t now_ms,
			struct berth_str *text)
{
	const char *user = berth_json_string(row, "user", NULL);

	if (user)
		berth_str_add(text, user);
	else if (json_is_integer(json_object_get(row, "uid")))
		berth_str_addf(text, "uid %lld", (long long)berth_json_int(row, "uid", 0));
}

static void add_argv(const json_t *row, const json_t *value, int64_t now_ms, struct berth_str *text)
{
	if (is_true(row, "whole"))
		berth_column_argv(row, value, now_ms, text);
	else
		berth_column_argv_brief(row, value, now_ms, text);
}

static void format_command(const json_t *row, const json_t *value, int64_t now_ms,
			   struct berth_str *text)
{
	const char *peer = berth_json_string(row, "peer", NULL);
	int64_t peers = berth_json_int(row, "peers", 0);

	if (!peer) {
		add_argv(row, value, now_ms, text);
		return;
	}
	berth_str_addf(text, "%s %s", berth_str_width("→") == 1 ? "→" : "->", peer);
	if (peers > 1)
		berth_str_addf(text, " and %lld more", (long long)peers - 1);
}

/* "~/shop" of "/home/ann/shop" */
static void add_folder(const char *folder, struct berth_str *text)
{
	const char *home = getenv("HOME");
	size_t len = home && home[0] == '/' && home[1] ? strlen(home) : 0;

	if (len && strncmp(folder, home, len) == 0 && (folder[len] == '/' || !folder[len]))
		berth_str_addf(text, "~%s", folder + len);
	else
		berth_str_add(text, folder);
}

/* A session, or an application of a desktop, tells less than the folder. */
static bool is_telling(const char *unit)
{
	const char *dot = strrchr(unit, '.');

	return dot && strcmp(dot, ".scope") != 0 && strncmp(unit, "user@", 5) != 0;
}

void berth_holder_columns_add_where(const json_t *row, struct berth_str *text)
{
	const json_t *container = json_object_get(row, "container");
	const char *name = berth_json_string(container, "name", NULL);
	const char *id = berth_json_string(container, "id", NULL);
	const char *unit = berth_json_string(row, "unit", "");
	const char *root = berth_json_string(json_object_get(row, "project"), "root", NULL);
	const char *netns = berth_json_string(row, "netns", "same");

	if (name)
		berth_str_add(text, name);
	else if (id)
		berth_str_addf(text, "%.12s", id); /* as engines print them */
	else if (strcmp(netns, "same") != 0)
		berth_str_addf(text, "%s%s", strncmp(netns, "net:", 4) == 0 ? "" : "netns ", netns);
	else if (is_telling(unit))
		berth_str_add(text, unit);
	else if (root)
		add_folder(root, text);
	else
		add_folder(berth_json_string(row, "cwd", ""), text);
}

static void format_where(const json_t *row, const json_t *value, int64_t now_ms,
			 struct berth_str *text)
{
	const char *service = berth_json_string(json_object_get(row, "service"), "label", NULL);

	if (is_kind(row, "reserved"))
		berth_str_add(text, is_true(row, "in_the_way") ? "ip_unprivileged_port_start"
							       : "ip_local_reserved_ports");
	else if (is_true(row, "in_the_way") && is_true(row, "silent") &&
		 (is_kind(row, "connection") || is_kind(row, "time_wait")))
		berth_str_add(text, "bind() fails although nobody listens");
	else if (service)
		berth_str_add(text, service);
	else
		berth_holder_columns_add_where(row, text);
}

static void format_processes(const json_t *row, const json_t *value, int64_t now_ms,
			     struct berth_str *text)
{
	const json_t *process;
	size_t i;

	json_array_foreach (value, i, process)
		berth_str_addf(text, "%s%s %lld", i ? "," : "",
			       berth_json_string(process, "process", "?"),
			       (long long)berth_json_int(process, "pid", 0));
}

static enum berth_out_tone state_tone(const json_t *value)
{
	const char *state = json_string_value(value);

	if (strcmp(state, "free") == 0)
		return BERTH_TONE_GOOD;
	if (strcmp(state, "time-wait") == 0 || strcmp(state, "reserved") == 0)
		return BERTH_TONE_DIM;
	return BERTH_TONE_WARN;
}

const struct berth_column berth_holder_columns[] = {
	{ "port", "PORT", BERTH_COLUMN_INTEGER, "port", "its number" },
	{ "protocol", "PROTO", BERTH_COLUMN_STRING, "protocol", "tcp or udp; shown with --udp",
	  .extra = true },
	{ "state", "STATE", BERTH_COLUMN_STRING, "state",
	  "listening, bound, outgoing, time-wait, container, redirect, lease, reserved, free",
	  .tone = state_tone },
	{ "holder", "HOLDER", BERTH_COLUMN_STRING, NULL,
	  "process and pid, and how many others have the same socket", .format = format_holder },
	{ "user", "USER", BERTH_COLUMN_STRING, NULL, "whose process it is", .format = format_user },
	{ "since", "SINCE", BERTH_COLUMN_STRING, "started_at", "how long that process has run",
	  .format = berth_column_age },
	{ "command", "COMMAND", BERTH_COLUMN_LIST, "command",
	  "its command line; of a connection, to whom", .flexible = true,
	  .format = format_command },
	{ "where", "WHERE", BERTH_COLUMN_STRING, NULL,
	  "service of berth, container, unit, project or folder", .flexible = true,
	  .format = format_where },
	{ "address", "ADDRESS", BERTH_COLUMN_LIST, "addresses", "where it is bound",
	  .extra = true },
	{ "peer", "PEER", BERTH_COLUMN_STRING, "peer", "other end of a connection", .extra = true },
	{ "pid", "PID", BERTH_COLUMN_INTEGER, "pid", "of the process", .extra = true },
	{ "uid", "UID", BERTH_COLUMN_INTEGER, "uid", "of its user", .extra = true },
	{ "folder", "FOLDER", BERTH_COLUMN_STRING, "cwd", "its working folder", .extra = true,
	  .flexible = true },
	{ "project", "PROJECT", BERTH_COLUMN_STRING, "project.root",
	  "the nearest folder with .git, berth.yaml, package.json ...", .extra = true,
	  .flexible = true },
	{ "service", "SERVICE", BERTH_COLUMN_STRING, "service.label", "of berth", .extra = true },
	{ "unit", "UNIT", BERTH_COLUMN_STRING, "unit", "of systemd", .extra = true },
	{ "container", "CONTAINER", BERTH_COLUMN_STRING, "container.name", "its name",
	  .extra = true },
	{ "netns", "NETNS", BERTH_COLUMN_STRING, "netns", "its network namespace; same: ours",
	  .extra = true },
	{ "shared", "SHARED", BERTH_COLUMN_LIST, "shared_with",
	  "other processes with the same socket", .extra = true, .flexible = true,
	  .format = format_processes },
	{ "parents", "PARENTS", BERTH_COLUMN_LIST, "parents", "who started it, up to process 1",
	  .extra = true, .flexible = true, .format = format_processes },
	{ 0 },
};

/* ---- printing ---- */

/* Columns of the widest line. */
static size_t width_of(const char *text)
{
	size_t widest = 0;

	while (*text) {
		size_t len = strcspn(text, "\n"), width;
		BERTH_AUTO_FREE char *line = strndup(text, len);

		width = line ? berth_str_width(line) : 0;
		widest = width > widest ? width : widest;
		text += len + (text[len] == '\n');
	}
	return widest;
}

static bool fits(const struct berth_table *table, const json_t *rows, int64_t now_ms,
		 const struct berth_out *out)
{
	BERTH_CLEANUP(berth_str_deinit) struct berth_str text = { 0 };
	struct berth_out plain = *out;

	plain.color = false;
	return berth_table_text(table, rows, now_ms, &plain, &text) < 0 ||
	       width_of(berth_str_text(&text)) <= out->width;
}

int berth_holder_columns_print(const json_t *rows, const char *names, bool udp,
			       struct berth_out *out, struct berth_err *err)
{
	/* From all that is shown to what can't be left out. */
	static const char *const sets[][2] = {
		{ "port,state,holder,user,since,command,where",
		  "port,protocol,state,holder,user,since,command,where" },
		{ "port,state,holder,user,command,where",
		  "port,protocol,state,holder,user,command,where" },
		{ "port,state,holder,command,where", "port,protocol,state,holder,command,where" },
		{ "port,state,holder,where", "port,protocol,state,holder,where" },
	};
	int64_t now_ms = berth_time_now_ms();
	struct berth_table table;
	int r = berth_table_select(berth_holder_columns, names ? names : sets[0][udp], &table, err);

	for (size_t i = 1; r == 0 && !names && out->width && i < BERTH_ARRAY_SIZE(sets) &&
			   !fits(&table, rows, now_ms, out);
	     i++)
		r = berth_table_select(berth_holder_columns, sets[i][udp], &table, err);
	if (r < 0)
		return r;
	return berth_table_print(&table, "ports", rows, now_ms, out, err);
}
