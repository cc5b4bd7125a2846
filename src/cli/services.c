/* SPDX-License-Identifier: MIT */
/* cli/services.c - what the commands about running services have in common */
#include "cli/services.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "app/find.h"
#include "app/roll-call.h"
#include "app/sweep.h"

int berth_services_load(struct berth_services *services, struct berth_err *err)
{
	char cwd[PATH_MAX];
	int r;

	*services = (struct berth_services){ .registry = { .dir_fd = -1, .ports_fd = -1 } };
	if (!getcwd(cwd, sizeof(cwd)))
		return berth_err_errno(err, -errno, "cannot tell the working folder");
	r = berth_identity_load(cwd, &services->here, err);
	if (r < 0)
		return r;
	r = berth_registry_open(&services->registry, err);
	if (r < 0)
		return r;
	r = berth_registry_load(&services->registry, &services->records);
	if (r < 0)
		return berth_err_errno(err, r, "cannot read '%s'", services->registry.path);
	if (berth_roll_call(&services->registry, services->records)) {
		json_decref(services->records);
		r = berth_registry_load(&services->registry, &services->records);
		if (r < 0)
			return berth_err_errno(err, r, "cannot read '%s'", services->registry.path);
	}
	berth_sweep_dead(&services->registry, services->records);
	berth_registry_label(services->records);
	return 0;
}

void berth_services_deinit(struct berth_services *services)
{
	json_decref(services->records);
	services->records = NULL;
	berth_registry_close(&services->registry);
}

static bool has(const json_t *array, const json_t *wanted)
{
	json_t *item;
	size_t i;

	json_array_foreach (array, i, item)
		if (item == wanted)
			return true;
	return false;
}

int berth_services_select(struct berth_services *services, const struct berth_opt_list *operands,
			  json_t **ret_found, struct berth_err *err)
{
	BERTH_AUTO_JSON json_t *all = NULL;

	if (!operands->count) {
		*ret_found = berth_find_project(services->records, &services->here);
		return 0;
	}
	all = json_array();
	for (size_t i = 0; i < operands->count; i++) {
		BERTH_AUTO_JSON json_t *found = NULL;
		json_t *record;
		size_t j;
		int r = berth_find(&services->registry, services->records, operands->items[i],
				   &services->here, &found, err);

		if (r < 0)
			return r;
		json_array_foreach (found, j, record)
			if (!has(all, record))
				json_array_append(all, record);
	}
	*ret_found = BERTH_STEAL(all);
	return 0;
}

int berth_services_one(struct berth_services *services, const char *operand, json_t **ret_record,
		       struct berth_err *err)
{
	BERTH_AUTO_JSON json_t *found = NULL;
	int r;

	if (operand) {
		r = berth_find(&services->registry, services->records, operand, &services->here,
			       &found, err);
		if (r < 0)
			return r;
	} else {
		found = berth_find_project(services->records, &services->here);
		if (!json_array_size(found))
			return berth_err_set(err, -ENOENT, BERTH_ERR_NOT_FOUND,
					     "nothing of this project runs");
		if (json_array_size(found) > 1) {
			berth_err_set(err, -EINVAL, BERTH_ERR_USAGE,
				      "several services of this project run");
			berth_err_hint(err, "name one; berth status shows them");
			return -EINVAL;
		}
	}
	*ret_record = json_array_get(found, 0); /* kept alive by services->records */
	return 0;
}

static json_t *collect(const json_t *records, json_t *(*part)(const json_t *record))
{
	json_t *parts = json_array();
	json_t *record;
	size_t i;

	json_array_foreach (records, i, record)
		json_array_append(parts, part(record));
	return parts;
}

json_t *berth_services_documents(const json_t *records)
{
	return collect(records, berth_registry_service);
}

json_t *berth_services_summaries(const json_t *records)
{
	return collect(records, berth_registry_summary);
}

const json_t *berth_services_port(const json_t *service, const char *name)
{
	const json_t *port;
	size_t i;

	json_array_foreach (json_object_get(service, "ports"), i, port)
		if (!name || strcmp(berth_json_string(port, "name", ""), name) == 0)
			return port;
	return NULL;
}

const char *berth_services_url(const json_t *service, char *buf, size_t size)
{
	const json_t *port = berth_services_port(service, NULL);
	const char *url = berth_json_string(port, "url", NULL);

	buf[0] = '\0';
	if (url)
		snprintf(buf, size, "%s", url);
	else if (port)
		snprintf(buf, size, "port %lld", (long long)berth_json_int(port, "port", 0));
	return buf;
}
