/* SPDX-License-Identifier: MIT */
/* app/stack-plan.c - which ports a stack would get, were it started now */
#include "app/stack-plan.h"

#include <errno.h>
#include <string.h>

#include "app/ports.h"
#include "app/registry.h"
#include "os/statefile.h"

/* One instance, whose ports are held until all have theirs. */
struct planned {
	struct berth_job job;
	struct berth_ports ports;
};

struct plan {
	struct planned **units; /* owned, each */
	size_t count;
	struct berth_ports_shared shared;
	int memory_fd; /* owned; -1: nothing is remembered */
};

static void free_plan(struct plan *plan)
{
	for (size_t i = 0; i < plan->count; i++) {
		berth_ports_deinit(&plan->units[i]->ports);
		free(plan->units[i]);
	}
	free(plan->units);
	berth_ports_shared_deinit(&plan->shared);
	berth_fd_close(&plan->memory_fd);
}

static const json_t *find_running(const json_t *records, const char *key)
{
	const json_t *record;
	size_t i;

	json_array_foreach (records, i, record) {
		const json_t *own = berth_registry_private(record, "key");

		if (own && strcmp(json_string_value(own), key) == 0)
			return berth_registry_service(record);
	}
	return NULL;
}

static json_t *ports_document(const struct berth_ports *ports)
{
	json_t *documents = json_array();

	for (size_t i = 0; i < ports->count; i++) {
		uint16_t asked = berth_ports_asked(ports, i);
		char url[64];

		if (!berth_ports_is_told(ports, i))
			continue;
		berth_ports_url(ports, i, url, sizeof(url));
		json_array_append_new(documents,
				      json_pack("{s:s,s:s,s:o,s:i,s:s,s:o}", "name",
						ports->port[i]->name, "protocol",
						ports->steer[i].udp ? "udp" : "tcp", "asked",
						asked ? json_integer(asked) : json_null(), "port",
						ports->steer[i].given, "reason",
						berth_port_reason_name(ports->port[i]->reason),
						"url", berth_json_text_or_null(url)));
	}
	return documents;
}

/* The members that a port of the plan has, of what a running service tells. */
static json_t *running_ports(const json_t *service)
{
	static const char *const members[] = {
		"name", "protocol", "asked", "port", "reason", "url"
	};
	json_t *documents = json_array();
	const json_t *port;
	size_t i;

	json_array_foreach (json_object_get(service, "ports"), i, port) {
		json_t *document = json_object();

		for (size_t j = 0; j < BERTH_ARRAY_SIZE(members); j++)
			json_object_set(document, members[j], json_object_get(port, members[j]));
		json_array_append_new(documents, document);
	}
	return documents;
}

static json_t *document_of(const struct planned *unit, const json_t *running)
{
	return json_pack("{s:s,s:i,s:b,s:o}", "service", unit->job.identity.service, "instance",
			 (int)unit->job.identity.instance, "running", running != NULL, "ports",
			 running ? running_ports(running) : ports_document(&unit->ports));
}

static int lease(struct plan *plan, struct planned *unit, struct berth_err *err)
{
	struct berth_remembered memory;
	int r;

	berth_ports_recall(plan->memory_fd, &unit->job, &memory);
	r = berth_ports_lease(&unit->ports, &memory, plan->memory_fd, err);
	return r > 0 ? -EADDRINUSE : r;
}

static int plan_unit(struct plan *plan, const struct berth_job *job, unsigned int instance,
		     const json_t *records, json_t *services, struct berth_err *err)
{
	struct planned *unit = malloc(sizeof(*unit));
	const json_t *running;
	int r = 0;

	if (!unit)
		return berth_err_errno(err, -ENOMEM, "cannot plan '%s'", job->identity.service);
	unit->job = *job;
	unit->job.identity.instance = instance;
	berth_identity_seal(&unit->job.identity);
	berth_ports_init(&unit->ports, &unit->job);
	unit->ports.shared = &plan->shared;
	plan->units[plan->count++] = unit;
	running = find_running(records, unit->job.identity.key);
	if (!running)
		r = lease(plan, unit, err);
	if (r == 0)
		json_array_append_new(services, document_of(unit, running));
	return r;
}

int berth_stack_plan(const struct berth_stack *stack, const json_t *records, json_t **ret_services,
		     struct berth_err *err)
{
	BERTH_CLEANUP(free_plan) struct plan plan = { .memory_fd = -1 };
	BERTH_AUTO_JSON json_t *services = json_array();
	int r = 0;

	plan.units = calloc(BERTH_STACK_UNITS_MAX, sizeof(*plan.units));
	if (!plan.units || !services)
		return berth_err_errno(err, -ENOMEM, "cannot plan a stack");
	plan.memory_fd = berth_statefile_open_below(BERTH_PLACE_STATE, "ports");
	for (size_t i = 0; i < stack->manifest.service_count && r == 0; i++) {
		const struct berth_stack_service *service = &stack->services[stack->order[i]];

		for (unsigned int j = 1; service->wanted && j <= service->job->instances && r == 0;
		     j++)
			r = plan_unit(&plan, service->job, j, records, services, err);
	}
	if (r == 0)
		*ret_services = BERTH_STEAL(services);
	return r;
}
