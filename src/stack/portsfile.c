/* SPDX-License-Identifier: MIT */
/* stack/portsfile.c - .ports.json: the ports of what runs, for programs that read such a file */
/*
 * One file has three authors: a person who writes wishes into it before a start, a stack, and any
 * number of single services. It is read into these parts and put together from them again, so that
 * each can come and go by itself:
 *
 *   {
 *     "note": "mine",                   the user's
 *     "backend_port": 9001,             ours, or a wish of the user's
 *     "berth": {
 *       "version": 1, "project", "copy", "pid", "start", "boot", "started_at", "stack",
 *       "services": {"backend": {"state", "port", "url", "asked", "ports": {"ws": ...},
 *                                "instances": [...]}},
 *       "runs": {"api": ...},           services outside of the stack, each with its own owner
 *       "before": {"backend_port": 9000}  the user's members whose place ours have taken
 *     }
 *   }
 *
 * Which top-level members are ours follows from "services" and "runs", by the same function that
 * writes them. So a member that differs from what we have recorded was edited since, and is the
 * user's: while the stack runs it goes to "before", and is a wish at the next start. What a killed
 * stack has left behind is recognised in the same way and is no wish.
 */
#include "stack/portsfile.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/parse.h"
#include "base/str.h"
#include "port/wish.h"
#include "service/name.h"

enum {
	KEY_SIZE = BERTH_NAME_MAX + BERTH_PORT_NAME_MAX + 8
};

static const char berth_key[] = "berth";

/* Of the head of "berth": what is kept apart. */
static const char *const parts[] = { "runs", "before" };

/* backend_port; with a @port that is not "main" viewer_ws_port. */
static const char *format_key(const char *service, const char *port, const char *what,
			      char buf[KEY_SIZE])
{
	bool own = !port || strcmp(port, "main") == 0;

	snprintf(buf, KEY_SIZE, "%s%s%s_%s", service, own ? "" : "_", own ? "" : port, what);
	for (char *c = buf; *c; c++)
		if (*c == '-')
			*c = '_';
	return buf;
}

/* Who comes first has the member: "viewer-ws", or the port "ws" of "viewer". */
static void add_once(json_t *flat, const char *key, json_t *value)
{
	if (value && !json_is_null(value) && !json_object_get(flat, key))
		json_object_set(flat, key, value);
}

static void add_entry(json_t *flat, const char *service, const char *port, const json_t *entry)
{
	char key[KEY_SIZE];

	add_once(flat, format_key(service, port, "port", key), json_object_get(entry, "port"));
	add_once(flat, format_key(service, port, "url", key), json_object_get(entry, "url"));
}

/* Of the services of a stack or the runs: their own members, or those of their named ports. */
static void add_entries(json_t *flat, json_t *entries, bool named, bool further)
{
	const char *label, *port;
	json_t *entry, *value;

	json_object_foreach (entries, label, entry) {
		char service[BERTH_NAME_MAX];
		size_t len = strcspn(label, "."); /* "api.2" */

		if (!json_is_object(entry) || len >= sizeof(service) || !!label[len] != further)
			continue;
		memcpy(service, label, len);
		service[len] = '\0';
		if (!named) {
			add_entry(flat, service, NULL, entry);
			continue;
		}
		json_object_foreach (json_object_get(entry, "ports"), port, value)
			add_entry(flat, service, port, value);
	}
}

/* The members of ours at the top of the file; a new reference. */
static json_t *flatten(const json_t *stack, json_t *runs)
{
	json_t *services = json_object_get(stack, "services");
	json_t *flat = json_object();

	for (int named = 0; named < 2; named++) {
		add_entries(flat, services, named, false);
		add_entries(flat, runs, named, false);
		add_entries(flat, runs, named, true);
	}
	return flat;
}

/* Where the member @key of the outermost object stands; the beginning where it is not found. */
static struct berth_mark find_key(const struct berth_portsfile *file, const char *key)
{
	const char *end = file->text + file->len, *begin = NULL, *line_begin = file->text;
	struct berth_mark mark = { .line = 1, .column = 1 };
	unsigned int line = 1, depth = 0;

	for (const char *p = file->text; p < end; p++) {
		if (*p == '\n') {
			line++;
			line_begin = p + 1;
		} else if (begin && *p == '\\') {
			p++;
		} else if (begin && *p == '"') {
			size_t len = (size_t)(p - begin) - 1;

			if (depth == 1 && len == strlen(key) && memcmp(begin + 1, key, len) == 0) {
				mark.line = line;
				mark.column = (unsigned int)(begin - line_begin) + 1;
				mark.len = (unsigned int)len + 2;
				return mark;
			}
			begin = NULL;
		} else if (*p == '"') {
			begin = p;
		} else if (!begin && (*p == '{' || *p == '[')) {
			depth++;
		} else if (!begin && (*p == '}' || *p == ']')) {
			depth--;
		}
	}
	return mark;
}

/* jansson tells where the word ends that it did not expect; on the same line, where it begins. */
static struct berth_mark find_error(const struct berth_portsfile *file, const json_error_t *error)
{
	size_t last = error->position > 0 ? (size_t)error->position - 1 : 0, begin = last;
	struct berth_mark mark = {
		.line = error->line > 0 ? (unsigned int)error->line : 1,
		.column = error->column > 0 ? (unsigned int)error->column : 1,
		.len = 1,
	};

	if (last >= file->len)
		return mark;
	if (file->text[last] == '"')
		while (begin > 0 && file->text[begin - 1] != '"' && file->text[begin - 1] != '\n')
			begin--;
	while (begin > 0 && !strchr(" \t\r\n,:[]{}", file->text[begin - 1]))
		begin--;
	if (last - begin >= mark.column)
		return mark;
	mark.column -= (unsigned int)(last - begin);
	mark.len += (unsigned int)(last - begin);
	return mark;
}

static int refuse_text(const struct berth_portsfile *file, const json_error_t *error,
		       struct berth_faults *faults)
{
	char text[160];

	berth_str_printable(error->text, (size_t)-1, text, sizeof(text));
	berth_faults_add(faults, find_error(file, error), "no JSON: %s", text);
	berth_faults_hint(faults, "mend it or remove it: berth overwrites nothing it can't read");
	return -EINVAL;
}

/*
 * The top-level members that are not what we have recorded, each at its place: what comes back at the
 * end is where it was.
 */
static json_t *find_user(json_t *root, json_t *ours, json_t *before)
{
	json_t *user = json_object();
	json_t *value;
	const char *key;

	json_object_foreach (root, key, value) {
		if (json_equal(value, json_object_get(ours, key)))
			value = json_object_get(before, key);
		if (value && strcmp(key, berth_key) != 0)
			json_object_set(user, key, value);
	}
	json_object_foreach (before, key, value)
		if (strcmp(key, berth_key) != 0 && !json_object_get(user, key))
			json_object_set(user, key, value);
	return user;
}

static json_t *object_or_null(json_t *value)
{
	return json_is_object(value) && json_object_size(value) ? json_incref(value) : NULL;
}

static void split(json_t *root, struct berth_portsfile *file)
{
	json_t *berth = json_object_get(root, berth_key);
	BERTH_AUTO_JSON json_t *ours = NULL;

	file->runs = object_or_null(json_object_get(berth, "runs"));
	if (json_is_string(json_object_get(berth, "stack"))) {
		file->stack = json_copy(berth);
		for (size_t i = 0; i < BERTH_ARRAY_SIZE(parts); i++)
			json_object_del(file->stack, parts[i]);
	}
	ours = flatten(file->stack, file->runs);
	file->user = find_user(root, ours, json_object_get(berth, "before"));
}

int berth_portsfile_parse(const char *text, size_t len, struct berth_faults *faults,
			  struct berth_portsfile *ret_file)
{
	struct berth_portsfile file = { .text = malloc(len + 1), .len = len };
	BERTH_AUTO_JSON json_t *root = NULL;
	json_error_t error = { 0 };
	const json_t *berth;

	if (!file.text)
		return -ENOMEM;
	if (len)
		memcpy(file.text, text, len);
	file.text[len] = '\0';
	if (file.text[strspn(file.text, " \t\r\n")])
		root = json_loadb(text, len, JSON_REJECT_DUPLICATES, &error);
	else
		root = json_object();
	berth = json_object_get(root, berth_key);
	if (!root) {
		refuse_text(&file, &error, faults);
	} else if (!json_is_object(root)) {
		berth_faults_add(faults, (struct berth_mark){ 1, 1, 1 },
				 "not an object of ports: {\"backend_port\": 9000}");
	} else if (berth && !json_is_object(berth)) {
		berth_faults_add(faults, find_key(&file, berth_key),
				 "'berth' is for berth's own notes, which are an object");
	} else {
		split(root, &file);
		*ret_file = file;
		return 0;
	}
	free(file.text);
	return -EINVAL;
}

void berth_portsfile_deinit(struct berth_portsfile *file)
{
	if (!file)
		return;
	json_decref(file->user);
	json_decref(file->stack);
	json_decref(file->runs);
	free(file->text);
	*file = (struct berth_portsfile){ 0 };
}

/* 9000 or "9000". */
static bool read_port(const json_t *value, uint16_t *ret_port)
{
	json_int_t number = json_integer_value(value);

	if (json_is_string(value))
		return berth_parse_port(json_string_value(value), ret_port) == 0;
	if (!json_is_integer(value) || number < 1 || number > UINT16_MAX)
		return false;
	*ret_port = (uint16_t)number;
	return true;
}

int berth_portsfile_wish(const struct berth_portsfile *file, const char *service, const char *port,
			 struct berth_faults *faults, uint16_t *ret_port)
{
	BERTH_AUTO_FREE char *shown = NULL;
	char key[KEY_SIZE], text[48];
	const json_t *value;

	format_key(service, port, "port", key);
	value = json_object_get(file->user, key);
	if (!value || json_is_null(value)) {
		*ret_port = 0;
		return 0;
	}
	if (read_port(value, ret_port))
		return 0;
	shown = berth_json_line(value);
	berth_str_printable(shown ? shown : "", (size_t)-1, text, sizeof(text));
	berth_faults_add(faults, find_key(file, key), "%s is %s, which is no port (1-65535)", key,
			 text);
	return -EINVAL;
}

int berth_portsfile_set_wish(struct berth_portsfile *file, const char *service, const char *port,
			     uint16_t number, const char *url)
{
	char key[KEY_SIZE];
	int r;

	if (!file->user)
		file->user = json_object();
	r = json_object_set_new(file->user, format_key(service, port, "port", key),
				json_integer(number));
	format_key(service, port, "url", key);
	if (r == 0 && *url)
		r = json_object_set_new(file->user, key, berth_json_text(url));
	else if (r == 0)
		json_object_del(file->user, key);
	return r < 0 ? -ENOMEM : 0;
}

static json_t *port_or_null(uint16_t port)
{
	return port ? json_integer(port) : json_null();
}

/* {"port","url","asked"} of @port; of none, all null. */
static void set_port(json_t *entry, const struct berth_portsfile_port *port)
{
	json_object_set_new(entry, "port", port_or_null(port ? port->given : 0));
	json_object_set_new(entry, "url", berth_json_text_or_null(port ? port->url : NULL));
	json_object_set_new(entry, "asked", port_or_null(port ? port->asked : 0));
}

static json_t *unit_entry(const struct berth_portsfile_unit *unit)
{
	json_t *entry = json_object(), *ports = json_object();

	json_object_set_new(entry, "state", json_string(unit->state));
	set_port(entry, unit->port_count ? &unit->ports[0] : NULL);
	for (size_t i = 0; i < unit->port_count; i++) {
		json_t *port = json_object();

		set_port(port, &unit->ports[i]);
		if (strcmp(unit->ports[i].name, "main") != 0)
			json_object_set_new(ports, unit->ports[i].name, port);
		else
			json_decref(port);
	}
	json_object_set_new(entry, "ports", ports);
	return entry;
}

static json_t *instance_entry(const struct berth_portsfile_unit *unit)
{
	json_t *entry = json_object();

	json_object_set_new(entry, "instance", json_integer(unit->instance));
	json_object_set_new(entry, "state", json_string(unit->state));
	set_port(entry, unit->port_count ? &unit->ports[0] : NULL);
	return entry;
}

static void set_owner(json_t *entry, const struct berth_portsfile_owner *owner)
{
	json_object_set_new(entry, "pid", json_integer(owner->supervisor.pid));
	json_object_set_new(entry, "start",
			    json_integer((json_int_t)owner->supervisor.start_ticks));
	json_object_set_new(entry, "boot", json_string(owner->boot));
}

static struct berth_portsfile_owner owner_of(const json_t *entry)
{
	return (struct berth_portsfile_owner){
		.supervisor = { .pid = (pid_t)berth_json_int(entry, "pid", 0),
				.start_ticks = (uint64_t)berth_json_int(entry, "start", 0) },
		.boot = berth_json_string(entry, "boot", ""),
	};
}

/* jansson tells of memory only by what is missing: NULL then, and the reference is given back. */
static json_t *complete_or_null(json_t *json, const char *const *keys)
{
	for (; json && *keys; keys++)
		if (!json_object_get(json, *keys)) {
			json_decref(json);
			return NULL;
		}
	return json;
}

int berth_portsfile_set_stack(struct berth_portsfile *file,
			      const struct berth_portsfile_stack *stack)
{
	static const char *const keys[] = { "version", "pid",	"start",    "boot",
					    "project", "stack", "services", NULL };
	json_t *services = json_object();
	json_t *head = json_object();

	json_object_set_new(head, "version", json_integer(1));
	json_object_set_new(head, "project", berth_json_text(stack->project));
	json_object_set_new(head, "copy", berth_json_text_or_null(stack->copy));
	set_owner(head, &stack->owner);
	json_object_set_new(head, "started_at", berth_json_time(stack->started_ms));
	json_object_set_new(head, "stack", json_string(stack->key));
	for (size_t i = 0; i < stack->unit_count; i++) {
		const struct berth_portsfile_unit *unit = &stack->units[i];
		json_t *entry = json_object_get(services, unit->service);

		if (!entry) {
			entry = unit_entry(unit);
			json_object_set_new(entry, "instances", json_array());
			json_object_set_new(services, unit->service, entry);
		}
		json_array_append_new(json_object_get(entry, "instances"), instance_entry(unit));
	}
	json_object_set_new(head, "services", services);
	head = complete_or_null(head, keys);
	if (!head)
		return -ENOMEM;
	json_decref(file->stack);
	file->stack = head;
	return 0;
}

void berth_portsfile_drop_stack(struct berth_portsfile *file, const char *key)
{
	if (strcmp(berth_json_string(file->stack, "stack", ""), key) != 0)
		return;
	json_decref(file->stack);
	file->stack = NULL;
}

/* "api", "api.2" */
static const char *label_run(const char *service, unsigned int instance,
			     char buf[BERTH_NAME_MAX + 16])
{
	if (instance > 1)
		snprintf(buf, BERTH_NAME_MAX + 16, "%s.%u", service, instance);
	else
		snprintf(buf, BERTH_NAME_MAX + 16, "%s", service);
	return buf;
}

int berth_portsfile_set_run(struct berth_portsfile *file, const struct berth_portsfile_owner *owner,
			    const struct berth_portsfile_unit *unit)
{
	static const char *const keys[] = { "port", "url", "pid", "start", "boot", NULL };
	char label[BERTH_NAME_MAX + 16];
	json_t *entry = unit_entry(unit);

	set_owner(entry, owner);
	entry = complete_or_null(entry, keys);
	if (!entry)
		return -ENOMEM;
	if (!file->runs)
		file->runs = json_object();
	return json_object_set_new(file->runs, label_run(unit->service, unit->instance, label),
				   entry) < 0
		       ? -ENOMEM
		       : 0;
}

void berth_portsfile_drop_run(struct berth_portsfile *file, const char *service,
			      unsigned int instance)
{
	char label[BERTH_NAME_MAX + 16];

	json_object_del(file->runs, label_run(service, instance, label));
}

void berth_portsfile_drop_dead(struct berth_portsfile *file,
			       bool (*is_alive_fn)(const struct berth_portsfile_owner *owner,
						   void *arg),
			       void *arg)
{
	struct berth_portsfile_owner owner = owner_of(file->stack);
	const char *label;
	json_t *entry;
	void *next;

	if (file->stack && !is_alive_fn(&owner, arg)) {
		json_decref(file->stack);
		file->stack = NULL;
	}
	json_object_foreach_safe (file->runs, next, label, entry) {
		owner = owner_of(entry);
		if (!is_alive_fn(&owner, arg))
			json_object_del(file->runs, label);
	}
}

/* The members of the user's that ours stand in the place of. */
static json_t *covered(const struct berth_portsfile *file, json_t *ours)
{
	json_t *before = json_object();
	json_t *value;
	const char *key;

	json_object_foreach (file->user, key, value)
		if (json_object_get(ours, key))
			json_object_set(before, key, value);
	return before;
}

static json_t *put_together(const struct berth_portsfile *file)
{
	BERTH_AUTO_JSON json_t *ours = flatten(file->stack, file->runs);
	json_t *root = file->user ? json_copy(file->user) : json_object();
	json_t *berth = file->stack ? json_copy(file->stack) : json_pack("{s:i}", "version", 1);

	/* At the place that the user gave them, or behind. */
	json_object_update(root, ours);
	if (json_object_size(file->runs))
		json_object_set(berth, "runs", file->runs);
	if (file->stack || json_object_size(file->runs)) {
		json_object_set_new(berth, "before", covered(file, ours));
		json_object_set(root, berth_key, berth);
	}
	json_decref(berth);
	return root;
}

int berth_portsfile_format(const struct berth_portsfile *file, char **ret_text)
{
	BERTH_CLEANUP(berth_str_deinit) struct berth_str text = { 0 };
	BERTH_AUTO_JSON json_t *root = put_together(file);
	BERTH_AUTO_FREE char *dump = NULL;
	char *steal;

	if (root && !json_object_size(root)) {
		*ret_text = NULL;
		return 0;
	}
	dump = root ? json_dumps(root, JSON_INDENT(2)) : NULL;
	if (!dump)
		return -ENOMEM;
	berth_str_add(&text, dump);
	berth_str_add(&text, "\n");
	steal = berth_str_steal(&text);
	if (!steal)
		return -ENOMEM;
	*ret_text = steal;
	return 0;
}
