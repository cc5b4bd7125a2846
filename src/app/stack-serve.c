/* SPDX-License-Identifier: MIT */
/* app/stack-serve.c - the control socket of a stack: start what lacks, stop it all */
#include "app/stack-serve.h"

#include <errno.h>
#include <string.h>

#include "app/stack-reload.h"

int berth_stack_serve_listen(struct berth_supervisor *supervisor, struct berth_err *err)
{
	struct berth_stack_run *run = supervisor->stack;
	int r = berth_client_listen_stack(run, run->stack->socket_name);

	if (r == -EADDRINUSE)
		return berth_err_set(err, r, BERTH_ERR_ALREADY_RUNNING,
				     "the stack of '%s' is already running", run->stack->file);
	if (r < 0)
		return berth_err_errno(err, r, "cannot take the name of '%s'", run->stack->file);
	return 0;
}

/* What @client has asked to be started, and what that needs; else all. The manifest may be another. */
static void list_services(const struct berth_client *client, bool *ret_services)
{
	const struct berth_manifest *manifest = &client->supervisor->stack->stack->manifest;

	for (size_t i = 0; i < manifest->service_count; i++)
		ret_services[i] = !client->services ||
				  json_object_get(client->services, manifest->services[i].name);
}

static void reply(struct berth_client *client)
{
	bool services[BERTH_MANIFEST_SERVICES_MAX];
	json_t *answer;

	list_services(client, services);
	answer = berth_stack_run_document(client->supervisor, services);
	json_object_set_new(answer, "ok", json_true());
	berth_client_reply(client, answer);
	client->waits = 0;
}

/*
 * The services that @request names, as a set; all where it names none. -ENOENT: one that is not
 * there, which has been answered.
 */
static int read_services(struct berth_client *client, const json_t *request, bool *ret_services)
{
	const struct berth_stack *stack = client->supervisor->stack->stack;
	const json_t *names = json_object_get(request, "services");
	struct berth_err err = { 0 };
	const json_t *name;
	size_t i;

	for (i = 0; i < stack->manifest.service_count; i++)
		ret_services[i] = !json_array_size(names);
	json_array_foreach (names, i, name) {
		const char *text = json_string_value(name);
		int index = text ? berth_manifest_find(&stack->manifest, text) : -1;

		if (index < 0) {
			berth_err_set(&err, -ENOENT, BERTH_ERR_NOT_FOUND,
				      "the running stack has no service '%s'", text ? text : "?");
			berth_client_fail_with(client, &err);
			return -ENOENT;
		}
		ret_services[index] = true;
	}
	return 0;
}

/* Has each one that is about to be started its folder and its files? */
static int check_files(const struct berth_supervisor *supervisor, const bool *wanted,
		       struct berth_err *err)
{
	const struct berth_stack *stack = supervisor->stack->stack;

	for (size_t i = 0; i < stack->manifest.service_count; i++) {
		if (!wanted[i] || supervisor->stack->members[i].living || !stack->services[i].fault)
			continue;
		*err = *stack->services[i].fault;
		return -ENOENT;
	}
	return 0;
}

/* What @request asks for, and what that needs: a set. -ENOENT: it was answered. */
static int read_wanted(struct berth_client *client, const json_t *request, bool *ret_wanted)
{
	const struct berth_stack *stack = client->supervisor->stack->stack;
	struct berth_order_service states[BERTH_MANIFEST_SERVICES_MAX] = { { 0 } };
	bool named = json_array_size(json_object_get(request, "services"));

	if (read_services(client, request, ret_wanted) < 0)
		return -ENOENT;
	for (size_t i = 0; i < stack->manifest.service_count; i++)
		if (ret_wanted[i] && (named || stack->services[i].enabled))
			berth_order_want(&stack->manifest, states, i);
	berth_order_want_mentioned(&stack->manifest, states);
	for (size_t i = 0; i < stack->manifest.service_count; i++)
		ret_wanted[i] = states[i].wanted;
	return 0;
}

static json_t *name_services(const struct berth_manifest *manifest, const bool *services)
{
	json_t *names = json_object();

	for (size_t i = 0; i < manifest->service_count; i++)
		if (services[i])
			json_object_set_new(names, manifest->services[i].name, json_true());
	return names;
}

/* Answered when all that were asked for are ready, or will never be. */
static void do_up(struct berth_client *client, const json_t *request)
{
	struct berth_supervisor *supervisor = client->supervisor;
	bool wanted[BERTH_MANIFEST_SERVICES_MAX];
	struct berth_err err = { 0 };

	if (berth_stack_reload(supervisor, &err) < 0) {
		berth_client_fail_with(client, &err);
		return;
	}
	if (read_wanted(client, request, wanted) < 0)
		return;
	if (supervisor->stack->ending) {
		berth_client_fail(client, BERTH_ERR_REFUSED, "the stack is being stopped");
		return;
	}
	if (check_files(supervisor, wanted, &err) < 0 ||
	    berth_stack_run_start(supervisor, wanted, &err) < 0) {
		berth_client_fail_with(client, &err);
		return;
	}
	json_decref(client->services);
	client->services = name_services(&supervisor->stack->stack->manifest, wanted);
	client->waits |= BERTH_CLIENT_WAITS_FOR_STACK;
}

static bool is_anything_left(const struct berth_supervisor *supervisor)
{
	for (size_t i = 0; i < supervisor->unit_count; i++)
		if (supervisor->stack->members[supervisor->units[i]->job->member].state.ending)
			return true;
	return false;
}

/* Answered when nothing lives of those that are named, or of all. */
static void do_down(struct berth_client *client, const json_t *request)
{
	struct berth_supervisor *supervisor = client->supervisor;
	int64_t grace_ms = berth_json_int(request, "grace_ms", -1);
	bool wanted[BERTH_MANIFEST_SERVICES_MAX];

	if (read_services(client, request, wanted) < 0)
		return;
	for (size_t i = 0; i < supervisor->unit_count; i++) {
		struct berth_unit *unit = supervisor->units[i];

		if (!wanted[unit->job->member])
			continue;
		berth_unit_set_grace(unit, grace_ms);
		if (berth_json_bool(request, "kill", false))
			berth_unit_end(unit, BERTH_END_BY_USER, BERTH_SERVICE_ON_KILL);
	}
	if (!json_array_size(json_object_get(request, "services")))
		berth_stack_run_stop_all(supervisor, BERTH_END_BY_USER);
	for (size_t i = 0; i < supervisor->stack->stack->manifest.service_count; i++)
		if (wanted[i])
			berth_stack_run_stop(supervisor, i, BERTH_END_BY_USER);
	client->waits |= BERTH_CLIENT_WAITS_FOR_END;
}

static void do_status(struct berth_client *client, const json_t *request)
{
	reply(client);
}

static const struct {
	const char *name;
	void (*fn)(struct berth_client *client, const json_t *request);
} requests[] = {
	{ "up", do_up },
	{ "down", do_down },
	{ "status", do_status },
};

void berth_stack_serve_ask(struct berth_client *client, const json_t *request)
{
	const char *name = berth_json_string(request, "do", "");

	for (size_t i = 0; i < BERTH_ARRAY_SIZE(requests); i++)
		if (strcmp(requests[i].name, name) == 0) {
			requests[i].fn(client, request);
			return;
		}
	berth_client_fail(client, BERTH_ERR_USAGE, "a stack does not know this request");
}

static void answer(struct berth_supervisor *supervisor, unsigned int waits)
{
	for (size_t i = 0; i < BERTH_SUPERVISOR_CLIENTS_MAX; i++) {
		struct berth_client *client = supervisor->clients[i];

		if (client && !client->unit && (client->waits & waits))
			reply(client);
	}
}

/* All that it has asked for is ready, or will never be. */
static bool is_due(const struct berth_client *client)
{
	bool services[BERTH_MANIFEST_SERVICES_MAX];

	if (!client || client->unit || !(client->waits & BERTH_CLIENT_WAITS_FOR_STACK))
		return false;
	list_services(client, services);
	return berth_stack_run_has_settled(client->supervisor->stack, services);
}

bool berth_stack_serve_is_due(const struct berth_supervisor *supervisor)
{
	for (size_t i = 0; i < BERTH_SUPERVISOR_CLIENTS_MAX; i++)
		if (is_due(supervisor->clients[i]))
			return true;
	return false;
}

void berth_stack_serve_answer_settled(struct berth_supervisor *supervisor)
{
	for (size_t i = 0; i < BERTH_SUPERVISOR_CLIENTS_MAX; i++)
		if (is_due(supervisor->clients[i]))
			reply(supervisor->clients[i]);
}

void berth_stack_serve_answer_gone(struct berth_supervisor *supervisor, bool final)
{
	if (final || !is_anything_left(supervisor))
		answer(supervisor, final ? BERTH_CLIENT_WAITS_FOR_END | BERTH_CLIENT_WAITS_FOR_STACK
					 : BERTH_CLIENT_WAITS_FOR_END);
}
