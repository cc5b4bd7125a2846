/* SPDX-License-Identifier: MIT */
/* app/siblings.c - the other services of a stack, as one of them sees them */
#include "app/siblings.h"

#include <stdio.h>
#include <string.h>

#include "app/stack-look.h"
#include "app/stack-run.h"
#include "app/steering.h"
#include "base/str.h"
#include "stack/origins.h"

static const struct berth_manifest *manifest_of(const struct berth_supervisor *supervisor)
{
	return &supervisor->stack->stack->manifest;
}

static void set_var(const char *name, const char *value, void *arg)
{
	struct berth_unit_words *vars = arg;

	berth_unit_set(vars, name, value);
}

/* Of several, the first is meant. */
void berth_siblings_remember(const struct berth_unit *unit)
{
	struct berth_stack_member *member = &unit->supervisor->stack->members[unit->job->member];
	unsigned int instance = unit->job->identity.instance;

	if (member->last_instance && member->last_instance < instance)
		return;
	berth_siblings_forget(member);
	member->last_instance = instance;
	berth_unit_each_var(unit, "", set_var, &member->last_vars);
	berth_unit_set_ports(&member->last_env, &unit->ports, unit->job->identity.service);
}

void berth_siblings_forget(struct berth_stack_member *member)
{
	berth_unit_free_words(member->last_vars.items);
	berth_unit_free_words(member->last_env.items);
	member->last_vars = member->last_env = (struct berth_unit_words){ 0 };
	member->last_instance = 0;
}

/* Call @add with each "NAME=VALUE" of @words, @prefix before the name. */
static void each_word(const struct berth_unit_words *words, const char *prefix,
		      void (*add)(const char *name, const char *value, void *arg), void *arg)
{
	for (size_t i = 0; i < words->count; i++) {
		const char *word = words->items[i];
		const char *equals = word ? strchr(word, '=') : NULL;
		char name[2 * BERTH_NAME_MAX + BERTH_PORT_NAME_MAX];

		if (!equals)
			continue;
		snprintf(name, sizeof(name), "%s%.*s", prefix, (int)(equals - word), word);
		add(name, equals + 1, arg);
	}
}

void berth_siblings_add(const struct berth_supervisor *supervisor, const struct berth_unit *unit,
			struct berth_unit_words *env)
{
	if (!supervisor->stack)
		return;
	for (size_t i = 0; i < manifest_of(supervisor)->service_count; i++) {
		const struct berth_unit *sibling = berth_stack_run_unit(supervisor, i);

		if (unit && unit->job->member == i)
			continue;
		if (sibling)
			berth_unit_set_ports(env, &sibling->ports, sibling->job->identity.service);
		else if (unit)
			each_word(&supervisor->stack->members[i].last_env, "", set_var, env);
	}
}

/* The page that a service serves: its first port, at the number it has and the one it asked for. */
static int add_service(const struct berth_supervisor *supervisor, size_t index,
		       struct berth_str *list)
{
	const struct berth_unit *unit = berth_stack_run_unit(supervisor, index);

	for (size_t i = 0; unit && i < unit->ports.count; i++) {
		if (!berth_ports_is_told(&unit->ports, i))
			continue;
		return berth_origins_add_service(list, berth_ports_scheme(&unit->ports, i),
						 unit->ports.steer[i].given,
						 berth_ports_asked(&unit->ports, i));
	}
	return 0;
}

void berth_siblings_add_origins(const struct berth_unit *unit, struct berth_unit_words *env)
{
	const struct berth_supervisor *supervisor = unit->supervisor;
	const struct berth_manifest_service *service;
	struct berth_str list = { 0 };
	int r = 0;

	if (!supervisor->stack)
		return;
	service = &manifest_of(supervisor)->services[unit->job->member];
	for (size_t i = 0; i < service->origin_count && r == 0; i++) {
		const struct berth_manifest_origin *origin = &service->origins[i];

		if (origin->origin)
			r = berth_origins_add(&list, origin->origin);
		else if (origin->port)
			r = berth_origins_add_port(&list, "http", origin->port);
		else
			r = add_service(supervisor, origin->service, &list);
	}
	if (r < 0 || list.failed)
		env->failed = true;
	else if (service->origin_count)
		berth_unit_set(env,
			       service->origins_variable ? service->origins_variable
							 : "BERTH_CORS_ORIGINS",
			       berth_str_text(&list));
	berth_str_deinit(&list);
}

/* Of several that asked for one number, the first is meant. */
static bool is_listed(const json_t *moved, uint16_t asked)
{
	const json_t *one;
	size_t i;

	json_array_foreach (moved, i, one)
		if (berth_json_int(one, "asked", 0) == asked)
			return true;
	return false;
}

json_t *berth_siblings_moved(const struct berth_unit *unit)
{
	const struct berth_supervisor *supervisor = unit->supervisor;
	json_t *moved = json_array();

	for (size_t i = 0; supervisor->stack && i < supervisor->unit_count; i++) {
		const struct berth_unit *sibling = supervisor->units[i];

		for (size_t j = 0; sibling != unit && j < sibling->ports.count; j++) {
			uint16_t asked = berth_ports_asked(&sibling->ports, j);
			uint16_t given = sibling->ports.steer[j].given;

			if (asked && given && asked != given && !sibling->ports.steer[j].udp &&
			    !is_listed(moved, asked))
				json_array_append_new(moved, json_pack("{s:i,s:i,s:s}", "asked",
								       asked, "port", given,
								       "service", sibling->name));
		}
	}
	return moved;
}

void berth_siblings_each_var(const struct berth_unit *unit,
			     void (*add)(const char *name, const char *value, void *arg), void *arg)
{
	const struct berth_supervisor *supervisor = unit->supervisor;

	if (!supervisor->stack)
		return;
	for (size_t i = 0; i < manifest_of(supervisor)->service_count; i++) {
		const struct berth_unit *sibling = berth_stack_run_unit(supervisor, i);
		char prefix[BERTH_NAME_MAX + 2];

		snprintf(prefix, sizeof(prefix), "%s.", manifest_of(supervisor)->services[i].name);
		if (sibling)
			berth_unit_each_var(sibling, prefix, add, arg);
		else
			each_word(&supervisor->stack->members[i].last_vars, prefix, add, arg);
	}
}

struct berth_unit *berth_siblings_find(const struct berth_unit *unit, uint16_t number,
				       size_t *ret_index, struct berth_unit **ret_unknown)
{
	const struct berth_supervisor *supervisor = unit->supervisor;

	*ret_unknown = NULL;
	for (size_t i = 0; supervisor->stack && i < supervisor->unit_count; i++) {
		struct berth_unit *sibling = supervisor->units[i];
		const struct berth_steer_view view = berth_steering_view(sibling);
		struct berth_steer_verdict verdict;

		if (sibling == unit)
			continue;
		verdict = berth_steer_decide_connect(&view, number, true);
		if (verdict.action == BERTH_STEER_PORT) {
			*ret_index = verdict.port;
			return sibling;
		}
		if (verdict.action == BERTH_STEER_ASK && !*ret_unknown)
			*ret_unknown = sibling;
	}
	return NULL;
}

bool berth_siblings_has_gone(const struct berth_unit *unit, uint16_t number)
{
	const struct berth_stack_run *run = unit->supervisor->stack;

	return run && berth_stack_look_is_gone(run, number);
}

const char *berth_siblings_absent_family(const struct berth_unit *unit, uint16_t number)
{
	const struct berth_supervisor *supervisor = unit->supervisor;

	for (size_t i = 0; supervisor->stack && i < manifest_of(supervisor)->service_count; i++) {
		const struct berth_job *job = supervisor->stack->stack->services[i].job;

		if (supervisor->stack->members[i].living)
			continue;
		for (size_t j = 0; j < job->wish.port_count; j++) {
			const struct berth_wish_port *port = &job->wish.ports[j];

			if (port->alias == number || (port->list_len && port->list[0] == number))
				return job->identity.family;
		}
	}
	return NULL;
}
