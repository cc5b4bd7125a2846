/* SPDX-License-Identifier: MIT */
/* app/libberth-ask.c - the library: who holds a port, is an instance running */
#include "app/libberth.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "app/holders.h"
#include "app/registry.h"
#include "base/str.h"
#include "base/time.h"
#include "os/sock.h"
#include "service/identity.h"

enum {
	WHO_WORDS_MAX = 64 /* of a command line: far more than the row has room for */
};

/* 0: no socket of this port's. */
static enum berth_who_role role_of(const char *kind)
{
	static const struct {
		const char *kind;
		enum berth_who_role role;
	} roles[] = {
		{ "listener", BERTH_WHO_LISTENS },
		{ "bound", BERTH_WHO_IS_BOUND },
		{ "connection", BERTH_WHO_IS_CONNECTED },
		{ "time_wait", BERTH_WHO_WAITS },
		{ "lease", BERTH_WHO_LEASES },
	};

	for (size_t i = 0; i < BERTH_ARRAY_SIZE(roles); i++)
		if (!strcmp(kind, roles[i].kind))
			return roles[i].role;
	return 0;
}

static void copy_printable(const json_t *object, const char *key, char *buf, size_t size)
{
	berth_str_printable(berth_json_string(object, key, ""), (size_t)-1, buf, size);
}

static void copy_command(const json_t *words, char *buf, size_t size)
{
	const char *argv[WHO_WORDS_MAX + 1] = { NULL };

	for (size_t i = 0; i < WHO_WORDS_MAX && i < json_array_size(words); i++)
		argv[i] = json_string_value(json_array_get(words, i));
	if (argv[0])
		berth_str_quote_argv(argv, buf, size);
}

/* A holder of app/holders.h. */
static struct berth_who who_of(const json_t *holder, enum berth_who_role role, uint16_t port)
{
	const json_t *container = json_object_get(holder, "container");
	const char *host = berth_json_string(holder, "address", "");
	struct berth_who row = {
		.role = role,
		.in_the_way = json_is_true(json_object_get(holder, "in_the_way")),
		.pid = (pid_t)berth_json_int(holder, "pid", 0),
		.uid = (uid_t)berth_json_int(holder, "uid", 0),
	};

	_Static_assert(sizeof(row.address) >= BERTH_ADDR_STRLEN, "room for every address");
	_Static_assert(sizeof(row.peer) >= BERTH_ADDR_STRLEN, "room for every address");
	snprintf(row.address, sizeof(row.address), strchr(host, ':') ? "[%s]:%u" : "%s:%u", host,
		 port);
	copy_printable(holder, "peer", row.peer, sizeof(row.peer));
	copy_printable(holder, "process", row.process, sizeof(row.process));
	copy_command(json_object_get(holder, "command"), row.command, sizeof(row.command));
	copy_printable(holder, "unit", row.unit, sizeof(row.unit));
	copy_printable(container, berth_json_string(container, "name", NULL) ? "name" : "id",
		       row.container, sizeof(row.container));
	copy_printable(json_object_get(holder, "service"), "label", row.service,
		       sizeof(row.service));
	if (berth_time_parse(berth_json_string(holder, "started_at", ""), &row.started_at_ms) < 0)
		row.started_at_ms = 0;
	return row;
}

int berth_who(uint16_t port, struct berth_who *ret_rows, size_t max, struct berth_error *error)
{
	struct berth_range range = { .lo = port, .hi = port };
	struct berth_holders_query query = { .ranges = &range, .count = 1 };
	json_t *ports BERTH_AUTO_JSON = NULL;
	const json_t *holder;
	struct berth_who rest = { .role = BERTH_WHO_WAITS };
	struct berth_err err;
	size_t i, count = 0, total;

	if (port == 0)
		return berth_libberth_refuse(error, BERTH_E_USAGE, "", "nobody can hold port 0");
	if (berth_holders_load(&query, &ports, NULL, &err) < 0)
		return berth_libberth_fail(error, &err);
	json_array_foreach (json_object_get(json_array_get(ports, 0), "holders"), i, holder) {
		enum berth_who_role role = role_of(berth_json_string(holder, "kind", ""));

		if (role && count < max)
			ret_rows[count] = who_of(holder, role, port);
		if (role == BERTH_WHO_WAITS)
			rest.in_the_way = json_is_true(json_object_get(holder, "in_the_way"));
		count += role != 0;
	}
	/* Of many closed connections most are counted only: of those there is nothing else known. */
	total = count + (size_t)berth_json_int(json_array_get(ports, 0), "more", 0);
	for (; count < total && count < max; count++)
		ret_rows[count] = rest;
	return total < INT_MAX ? (int)total : INT_MAX;
}

static const char *text_of(const json_t *record, const char *key)
{
	return berth_json_string(berth_registry_service(record), key, "");
}

/* The first record that lives and fits, one of @folder itself before all others. Borrowed. */
static const json_t *find_record(const json_t *records, const char *root, const char *folder,
				 const char *service)
{
	const json_t *record, *found = NULL;
	size_t i;

	json_array_foreach (records, i, record) {
		if (strcmp(text_of(record, "root"), root) ||
		    (service && strcmp(text_of(record, "service"), service)) ||
		    berth_registry_life(record) != BERTH_REGISTRY_LIVE)
			continue;
		if (!strcmp(text_of(record, "cwd"), folder))
			return record;
		if (!found)
			found = record;
	}
	return found;
}

static void fill_instance(const json_t *record, struct berth_instance *ret_instance)
{
	const json_t *document = berth_registry_service(record);
	const json_t *port = json_array_get(json_object_get(document, "ports"), 0);
	struct berth_instance instance = {
		.number = (unsigned int)berth_json_int(document, "instance", 1),
		.pid = (pid_t)berth_json_int(document, "pid", 0),
		.supervisor_pid = (pid_t)berth_json_int(document, "supervisor_pid", 0),
		.port = (uint16_t)berth_json_int(port, "port", 0),
	};

	berth_str_copy(instance.id, sizeof(instance.id), text_of(record, "id"));
	berth_str_copy(instance.project, sizeof(instance.project), text_of(record, "project"));
	berth_str_copy(instance.service, sizeof(instance.service), text_of(record, "service"));
	berth_str_copy(instance.state, sizeof(instance.state), text_of(record, "state"));
	berth_str_copy(instance.url, sizeof(instance.url), berth_json_string(port, "url", ""));
	if (berth_time_parse(text_of(record, "started_at"), &instance.started_at_ms) < 0)
		instance.started_at_ms = 0;
	*ret_instance = instance;
}

static int load_records(json_t **ret_records, struct berth_err *err)
{
	struct berth_registry registry;
	int r;

	r = berth_registry_open(&registry, err);
	if (r < 0)
		return r;
	r = berth_registry_load(&registry, ret_records);
	berth_registry_close(&registry);
	return r < 0 ? berth_err_errno(err, r, "cannot read '%s'", registry.path) : 0;
}

/* @folder made absolute, and which project it belongs to. */
static int find_project(const char *folder, char ret_folder[PATH_MAX],
			struct berth_identity *ret_identity, struct berth_err *err)
{
	if (!realpath(folder ? folder : ".", ret_folder))
		return berth_err_set(err, -errno, BERTH_ERR_USAGE, "cannot use folder '%.512s': %s",
				     folder ? folder : ".", strerror(errno));
	return berth_identity_load(ret_folder, ret_identity, err);
}

int berth_instance_find(const char *folder, const char *service,
			struct berth_instance *ret_instance, struct berth_error *error)
{
	struct berth_identity identity BERTH_CLEANUP(berth_identity_deinit) = { 0 };
	json_t *records BERTH_AUTO_JSON = NULL;
	const json_t *record;
	char path[PATH_MAX], shown[BERTH_NAME_MAX + 16];
	struct berth_err err;

	if (service && !berth_name_is_valid(service))
		return berth_libberth_refuse(
			error, BERTH_E_USAGE, "lower-case letters, digits and '-', a letter first",
			"'%s' is no name of a service",
			berth_str_printable(service, (size_t)-1, shown, sizeof(shown)));
	if (find_project(folder, path, &identity, &err) < 0 || load_records(&records, &err) < 0)
		return berth_libberth_fail(error, &err);
	record = find_record(records, identity.root, path, service);
	if (!record && !service)
		return berth_libberth_refuse(error, BERTH_E_NOT_RUNNING, "",
					     "nothing of '%.512s' is running", identity.root);
	if (!record)
		return berth_libberth_refuse(error, BERTH_E_NOT_RUNNING, "berth ls shows what runs",
					     "'%s' of '%.512s' is not running", service,
					     identity.root);
	fill_instance(record, ret_instance);
	return 0;
}
