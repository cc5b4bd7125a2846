/* SPDX-License-Identifier: MIT */
/* stack/compose.c - a Compose file, as a berth.yaml that starts the same containers */
#include "stack/compose.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/yaml.h"
#include "base/parse.h"
#include "stack/compose-docker.h"
#include "stack/compose-env.h"

enum {
	SHOWN = 128,
};

enum wait {
	WAIT_NOT,
	WAIT_STARTED,
	WAIT_READY,
	WAIT_COMPLETED,
};

struct service {
	const struct berth_yaml_node *node; /* its key is its name there */
	const char *name; /* here; NULL: left out */
};

struct reader {
	struct berth_draft *draft;
	struct service services[BERTH_DRAFT_SERVICES_MAX];
	size_t count;
	/* Does one wait for another, and until when? */
	enum wait waits[BERTH_DRAFT_SERVICES_MAX][BERTH_DRAFT_SERVICES_MAX];
	const struct service *service; /* that is written now */
	struct berth_compose_docker docker; /* the same */
};

static const char *shown(const char *text, char buf[SHOWN])
{
	return berth_str_printable(text, (size_t)-1, buf, SHOWN);
}

/* ---- environment ---- */

/* Does @value have @name as a host: "db", "db:5432", "//db/", "u:p@db"? */
static bool names_host(const char *value, const char *name)
{
	size_t len = strlen(name);

	if (len == 0)
		return false;
	for (const char *p = strstr(value, name); p; p = strstr(p + 1, name)) {
		bool begins = p == value || p[-1] == '@' ||
			      (p - value > 1 && p[-1] == '/' && p[-2] == '/');

		if (begins && (p[len] == ':' || p[len] == '/' || (!p[len] && p > value)))
			return true;
	}
	return strcmp(value, name) == 0;
}

static void look_for_hosts(struct reader *reader, const char *variable, const char *value)
{
	char name[SHOWN], word[SHOWN], host[SHOWN];

	for (size_t i = 0; i < reader->count; i++) {
		if (&reader->services[i] == reader->service ||
		    !names_host(value, reader->services[i].node->key))
			continue;
		berth_draft_note(
			reader->draft,
			"%s: look at %s: '%s' is no host name here; in a container its host "
			"is host.docker.internal, with --add-host "
			"host.docker.internal:host-gateway, and its port {%s.port}",
			shown(reader->service->node->key, name), shown(variable, word),
			shown(reader->services[i].node->key, host),
			reader->services[i].name ? reader->services[i].name : "NAME");
		return;
	}
}

static void tell_hosts(struct reader *reader)
{
	const struct berth_yaml_node *node = berth_yaml_get(reader->service->node, "environment");

	for (size_t i = 0; node && i < node->count; i++) {
		const char *value = NULL;
		BERTH_AUTO_FREE char *name = berth_compose_env_variable(node, i, &value);

		if (name && value)
			look_for_hosts(reader, name, value);
	}
}

/* ---- dependencies ---- */

static const struct service *find_service(const struct reader *reader, const char *name)
{
	for (size_t i = 0; i < reader->count; i++)
		if (strcmp(reader->services[i].node->key, name) == 0)
			return &reader->services[i];
	return NULL;
}

/* A list of ours waits until they are ready. */
static enum wait wait_of(const struct berth_yaml_node *node)
{
	const struct berth_yaml_node *condition = berth_yaml_get(node, "condition");

	if (condition && condition->kind == BERTH_YAML_SCALAR) {
		if (strcmp(condition->text, "service_started") == 0)
			return WAIT_STARTED;
		if (strcmp(condition->text, "service_completed_successfully") == 0)
			return WAIT_COMPLETED;
	}
	return WAIT_READY;
}

/* The @i-th service that @node, a `depends_on`, names; NULL: there is none of that name. */
static const struct service *dependency_at(const struct reader *reader,
					   const struct berth_yaml_node *node, size_t i,
					   const char **ret_name)
{
	const char *name = node->kind == BERTH_YAML_MAP ? node->items[i].key
							: berth_compose_docker_at(node, i);
	const struct service *other = name ? find_service(reader, name) : NULL;

	*ret_name = name ? name : "";
	return other && other->name ? other : NULL;
}

/* Does @from wait for @to, over any number of services? @seen: those that were looked at. */
static bool waits_for(const struct reader *reader, size_t from, size_t to, bool *seen)
{
	seen[from] = true;
	if (from == to)
		return true;
	for (size_t i = 0; i < reader->count; i++)
		if (reader->waits[from][i] && !seen[i] && waits_for(reader, i, to, seen))
			return true;
	return false;
}

static void read_dependencies(struct reader *reader, size_t index)
{
	const struct service *service = &reader->services[index];
	const struct berth_yaml_node *node = berth_yaml_get(service->node, "depends_on");
	char word[SHOWN];

	for (size_t i = 0; node && service->name && i < node->count; i++) {
		const char *name;
		const struct service *other = dependency_at(reader, node, i, &name);
		size_t number = other ? (size_t)(other - reader->services) : 0;
		bool seen[BERTH_DRAFT_SERVICES_MAX] = { false };

		if (!other)
			berth_draft_note(reader->draft,
					 "%s: does not wait for '%s', which is not here",
					 service->name, shown(name, word));
		else if (waits_for(reader, number, index, seen))
			berth_draft_note(reader->draft,
					 "%s: does not wait for '%s', which waits for it",
					 service->name, shown(name, word));
		else
			reader->waits[index][number] = wait_of(&node->items[i]);
	}
}

/* One that waits until the service that is written now has completed; NULL: none does. */
static const char *find_waiter(const struct reader *reader)
{
	size_t index = (size_t)(reader->service - reader->services);

	for (size_t i = 0; i < reader->count; i++)
		if (reader->waits[i][index] == WAIT_COMPLETED)
			return reader->services[i].name;
	return NULL;
}

static void write_dependencies(struct reader *reader)
{
	static const char *const conditions[] = {
		[WAIT_STARTED] = "started",
		[WAIT_READY] = "ready",
		[WAIT_COMPLETED] = "completed",
	};
	const enum wait *waits = reader->waits[reader->service - reader->services];
	const char *names[BERTH_DRAFT_SERVICES_MAX + 1];
	bool all_ready = true;
	size_t count = 0;

	for (size_t i = 0; i < reader->count; i++) {
		all_ready = all_ready && (waits[i] == WAIT_READY || waits[i] == WAIT_NOT);
		if (waits[i])
			names[count++] = reader->services[i].name;
	}
	names[count] = NULL;
	if (count == 0)
		return;
	if (all_ready) {
		berth_draft_list(reader->draft, 1, "depends_on", names);
		return;
	}
	berth_draft_open(reader->draft, 1, "depends_on");
	for (size_t i = 0; i < reader->count; i++) {
		if (!waits[i])
			continue;
		berth_draft_open(reader->draft, 2, reader->services[i].name);
		berth_draft_value(reader->draft, 3, "condition", conditions[waits[i]], NULL);
	}
}

/* ---- health, profiles ---- */

/* A time, or a number. */
static void write_time(struct reader *reader, const char *key, const char *value)
{
	size_t mark = reader->draft->services.len;
	uint64_t number;

	if (berth_parse_u64(value, INT32_MAX, &number) < 0) {
		(void)berth_compose_docker_value(&reader->docker, "healthcheck", key, value);
		return;
	}
	berth_draft_plain(reader->draft, 2, key, value, NULL);
	(void)berth_compose_docker_keep(&reader->docker, mark, "healthcheck", key);
}

static void write_health(struct reader *reader)
{
	static const char *const times[] = { "interval", "timeout", "retries", "start_period" };
	const struct berth_yaml_node *node = berth_yaml_get(reader->service->node, "healthcheck");
	const struct berth_yaml_node *test = berth_yaml_get(node, "test"), *disable, *value;
	const char *first;

	disable = berth_yaml_get(node, "disable");
	if (!test || test->kind == BERTH_YAML_MAP || (berth_compose_docker_is_true(disable)))
		return;
	first = berth_compose_docker_count(test) ? berth_compose_docker_at(test, 0) : NULL;
	if (!first || strcmp(first, "NONE") == 0)
		return;
	if (!berth_compose_docker_test(&reader->docker, test))
		return;
	for (size_t i = 0; i < BERTH_ARRAY_SIZE(times); i++) {
		value = berth_yaml_get(node, times[i]);
		if (!berth_yaml_is_null(value) && value->kind == BERTH_YAML_SCALAR)
			write_time(reader, times[i], value->text);
	}
}

static void write_profiles(struct reader *reader)
{
	const struct berth_yaml_node *node = berth_yaml_get(reader->service->node, "profiles");
	const char *names[BERTH_DRAFT_SERVICES_MAX + 1];
	size_t count = 0;

	for (size_t i = 0;
	     node && i < berth_compose_docker_count(node) && count < BERTH_DRAFT_SERVICES_MAX;
	     i++) {
		const char *name = berth_compose_docker_at(node, i);

		if (name && berth_name_is_valid(name))
			names[count++] = name;
		else
			berth_compose_docker_leave_out(&reader->docker, "profiles",
						       "a name is of a-z, 0-9 and '-'");
	}
	names[count] = NULL;
	if (count)
		berth_draft_list(reader->draft, 1, "profiles", names);
}

/* ---- a service ---- */

static int write_service(struct reader *reader, const struct service *service)
{
	reader->service = service;
	reader->docker = (struct berth_compose_docker){
		.draft = reader->draft,
		.node = service->node,
		.name = service->name,
		.waiter = find_waiter(reader),
	};
	berth_draft_begin(reader->draft, service->name);
	berth_compose_docker_write(&reader->docker);
	tell_hosts(reader);
	write_dependencies(reader);
	write_health(reader);
	write_profiles(reader);
	return reader->docker.failed ? -ENOMEM : 0;
}

/* ---- the file ---- */

/* NULL: it becomes a service; else why it does not. */
static const char *why_not(const struct berth_yaml_node *node)
{
	const struct berth_yaml_node *image = berth_yaml_get(node, "image");

	if (node->kind != BERTH_YAML_MAP)
		return "it says nothing";
	if (!berth_yaml_is_null(berth_yaml_get(node, "build")))
		return "it is built ('build'); write the command that starts it without a container, "
		       "or docker run of the image that you have built";
	if (berth_yaml_is_null(image) || image->kind != BERTH_YAML_SCALAR)
		return "it has no 'image'";
	if (!berth_compose_docker_fits(node))
		return "its variables, ports and options are more than a command can have words "
		       "(1000, of which each takes two)";
	return NULL;
}

static void choose_services(struct reader *reader, const struct berth_yaml_node *services)
{
	char name[SHOWN];

	for (size_t i = 0; i < services->count && reader->count < BERTH_DRAFT_SERVICES_MAX; i++) {
		struct service *service = &reader->services[reader->count++];
		const char *why = why_not(&services->items[i]);

		service->node = &services->items[i];
		if (why)
			berth_draft_note(reader->draft, "%s: left out: %s",
					 shown(service->node->key, name), why);
		else
			service->name = berth_draft_name(reader->draft, service->node->key);
	}
}

static void tell_top(struct reader *reader, const struct berth_yaml_node *root)
{
	static const struct {
		const char *key, *reason;
	} rows[] = {
		{ "services", NULL },
		{ "name", NULL },
		{ "version", NULL },
		{ "volumes", "see the services that have them" },
		{ "networks", "services meet on this machine" },
		{ "secrets", "berth has none; use environment or env_file" },
		{ "configs", "berth has none" },
		{ "include", "make a berth.yaml from each, or write their services here" },
	};
	char word[SHOWN];

	for (size_t i = 0; i < root->count; i++) {
		const char *key = root->items[i].key, *reason = "berth does not know it";

		for (size_t j = 0; j < BERTH_ARRAY_SIZE(rows); j++)
			if (strcmp(rows[j].key, key) == 0)
				reason = rows[j].reason;
		if (reason && strncmp(key, "x-", 2) != 0)
			berth_draft_note(reader->draft, "'%s' is left out: %s", shown(key, word),
					 reason);
	}
}

static int write_services(struct reader *reader, const struct berth_yaml_node *root,
			  const struct berth_yaml_node *services)
{
	int r = 0;

	choose_services(reader, services);
	for (size_t i = 0; i < reader->count; i++)
		read_dependencies(reader, i);
	for (size_t i = 0; i < reader->count && r == 0; i++)
		if (reader->services[i].name)
			r = write_service(reader, &reader->services[i]);
	tell_top(reader, root);
	return r;
}

int berth_compose_draft(const char *text, size_t len, struct berth_faults *faults,
			struct berth_draft *draft, char ret_project[BERTH_NAME_MAX])
{
	BERTH_CLEANUP(berth_yaml_freep) struct berth_yaml_node *root = NULL;
	BERTH_AUTO_FREE struct reader *reader = calloc(1, sizeof(*reader));
	const struct berth_yaml_node *services, *project;
	int r;

	if (!reader)
		return -ENOMEM;
	r = berth_yaml_parse(text, len, faults, &root);
	if (r < 0)
		return r;
	services = berth_yaml_get(root, "services");
	if (!services || services->kind != BERTH_YAML_MAP) {
		berth_faults_add(faults, services ? services->at : (struct berth_mark){ 0 },
				 "there is no map of 'services'");
		return -EINVAL;
	}
	reader->draft = draft;
	r = write_services(reader, root, services);
	if (r < 0)
		return r;
	project = berth_yaml_get(root, "name");
	ret_project[0] = '\0';
	if (project && project->kind == BERTH_YAML_SCALAR && berth_name_is_valid(project->text))
		berth_str_copy(ret_project, BERTH_NAME_MAX, project->text);
	return 0;
}
