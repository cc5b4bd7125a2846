/* SPDX-License-Identifier: MIT */
/* app/libberth-ask.c - the library: who holds a port, is an instance running */
#include "app/libberth.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "app/registry.h"
#include "base/str.h"
#include "base/time.h"
#include "port/who.h"
#include "service/identity.h"

enum {
	WHO_MAX = 4096
}; /* rows of one port: connections from it count */

static enum berth_who_role role_of(enum berth_who_kind kind)
{
	static const enum berth_who_role roles[] = {
		[BERTH_WHO_LISTENER] = BERTH_WHO_LISTENS,
		[BERTH_WHO_BOUND] = BERTH_WHO_IS_BOUND,
		[BERTH_WHO_CONNECTION] = BERTH_WHO_IS_CONNECTED,
		[BERTH_WHO_TIME_WAIT] = BERTH_WHO_WAITS,
	};
	_Static_assert(BERTH_ARRAY_SIZE(roles) == BERTH_WHO_KIND_COUNT_, "one role per kind");

	return roles[kind];
}

static void fill_who(const struct berth_who_holder *holder, struct berth_who *ret_row)
{
	struct berth_who row = {
		.role = role_of(holder->kind),
		.pid = holder->proc.pid,
		.uid = holder->uid,
	};

	_Static_assert(sizeof(row.address) >= BERTH_ADDR_STRLEN, "room for every address");
	_Static_assert(sizeof(row.peer) >= BERTH_ADDR_STRLEN, "room for every address");
	if (holder->proc.pid)
		berth_str_printable(holder->comm, (size_t)-1, row.process, sizeof(row.process));
	berth_addr_format(&holder->local, row.address);
	if (holder->kind == BERTH_WHO_CONNECTION || holder->kind == BERTH_WHO_TIME_WAIT)
		berth_addr_format(&holder->peer, row.peer);
	*ret_row = row;
}

int berth_who(uint16_t port, struct berth_who *ret_rows, size_t max, struct berth_error *error)
{
	struct berth_who_holder *holders BERTH_AUTO_FREE = NULL;
	struct berth_err err;
	size_t count = 0;
	int r = -ENOMEM;

	if (port == 0)
		return berth_libberth_refuse(error, BERTH_E_USAGE, "", "nobody can hold port 0");
	if (max > WHO_MAX)
		max = WHO_MAX;
	holders = calloc(max + 1, sizeof(*holders));
	if (holders)
		r = berth_who_find(port, max > 0, NULL, 0, holders, max, &count);
	if (r < 0) {
		berth_err_errno(&err, r, "cannot see who holds port %u", port);
		return berth_libberth_fail(error, &err);
	}
	for (size_t i = 0; i < count && i < max; i++)
		fill_who(&holders[i], &ret_rows[i]);
	return count < INT_MAX ? (int)count : INT_MAX;
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
	struct berth_identity *identity BERTH_AUTO_FREE = malloc(sizeof(*identity));
	json_t *records BERTH_AUTO_JSON = NULL;
	const json_t *record;
	char path[PATH_MAX], shown[BERTH_NAME_MAX + 16];
	struct berth_err err;

	if (!identity)
		return berth_libberth_refuse(error, BERTH_E_SYSTEM, "",
					     "cannot look for services: out of memory");
	if (service && !berth_name_is_valid(service))
		return berth_libberth_refuse(
			error, BERTH_E_USAGE, "lower-case letters, digits and '-', a letter first",
			"'%s' is no name of a service",
			berth_str_printable(service, (size_t)-1, shown, sizeof(shown)));
	if (find_project(folder, path, identity, &err) < 0 || load_records(&records, &err) < 0)
		return berth_libberth_fail(error, &err);
	record = find_record(records, identity->root, path, service);
	if (!record && !service)
		return berth_libberth_refuse(error, BERTH_E_NOT_RUNNING, "",
					     "nothing of '%.512s' is running", identity->root);
	if (!record)
		return berth_libberth_refuse(error, BERTH_E_NOT_RUNNING, "berth ls shows what runs",
					     "'%s' of '%.512s' is not running", service,
					     identity->root);
	fill_instance(record, ret_instance);
	return 0;
}
