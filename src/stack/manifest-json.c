/* SPDX-License-Identifier: MIT */
/* stack/manifest-json.c - a manifest as data: what was understood */
#include "stack/manifest-json.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "base/str.h"
#include "base/time.h"
#include "base/value.h"
#include "stack/manifest-keys.h"
#include "stack/procfile.h"

struct writer {
	const struct berth_manifest *manifest;
	enum berth_manifest_json_form form;
};

/* A text whose ${NAME}s were filled in: what looks like one now is none. */
static json_t *filled_json(const struct writer *writer, const char *text)
{
	BERTH_CLEANUP(berth_str_deinit) struct berth_str out = { 0 };

	if (!text)
		return json_null();
	if (writer->form == BERTH_MANIFEST_JSON_WHOLE)
		return berth_json_text(text);
	for (const char *p = text; *p; p++) {
		if (*p == '$' && (p[1] == '{' || p[1] == '$'))
			berth_str_add(&out, "$");
		berth_str_add_bytes(&out, p, 1);
		/* The second of two is doubled in its turn. */
	}
	return berth_str_text(&out) ? berth_json_text(berth_str_text(&out)) : NULL;
}

static json_t *words_json(const struct writer *writer, char *const *words)
{
	json_t *list;

	if (!words)
		return json_null();
	list = json_array();
	for (; list && *words; words++)
		json_array_append_new(list, filled_json(writer, *words));
	return list;
}

static json_t *range_json(const struct berth_range *range)
{
	char text[24];

	if (range->lo == 0)
		return json_null();
	snprintf(text, sizeof(text), "%u-%u", range->lo, range->hi);
	return json_string(text);
}

static json_t *signal_json(int signo)
{
	const char *name = sigabbrev_np(signo);
	char text[16];

	if (name)
		return json_string(name);
	snprintf(text, sizeof(text), "%d", signo);
	return json_string(text);
}

/* 0 is no value of a key that takes more. */
static json_t *count_json(const struct berth_manifest_key *key, uint64_t value)
{
	return key->min > 0 && value == 0 ? json_null() : json_integer((json_int_t)value);
}

static json_t *duration_json(const struct berth_manifest_key *key, int64_t ms)
{
	char text[32];

	if (key->min > 0 && ms == 0)
		return json_null();
	return json_string(berth_value_format_duration(ms, text));
}

static json_t *command_json(const struct writer *writer,
			    const struct berth_manifest_command *command)
{
	BERTH_CLEANUP(berth_str_deinit) struct berth_str text = { 0 };

	if (command->text && writer->form == BERTH_MANIFEST_JSON_PROCFILE) {
		berth_procfile_yaml_text(writer->manifest, command->text, &text);
		return berth_str_text(&text) ? berth_json_text(berth_str_text(&text)) : NULL;
	}
	return command->text ? berth_json_text(command->text) : words_json(writer, command->argv);
}

static json_t *environment_json(const struct writer *writer,
				const struct berth_manifest_service *service)
{
	json_t *map;

	if (service->environment_count == 0)
		return json_null();
	map = json_object();
	for (size_t i = 0; map && i < service->environment_count; i++) {
		const struct berth_manifest_variable *variable = &service->environment[i];

		json_object_set_new(map, variable->name,
				    variable->written ? berth_json_text(variable->written)
						      : filled_json(writer, variable->value));
	}
	return map;
}

static json_t *depends_json(const struct writer *writer,
			    const struct berth_manifest_service *service)
{
	json_t *map;

	if (service->depend_count == 0)
		return json_null();
	map = json_object();
	for (size_t i = 0; map && i < service->depend_count; i++) {
		const struct berth_manifest_dependency *dependency = &service->depends[i];

		json_object_set_new(
			map, writer->manifest->services[dependency->service].name,
			json_pack("{s:s}", "condition",
				  berth_manifest_condition_name(dependency->condition)));
	}
	return map;
}

/* --- ports ------------------------------------------------------------------------------------- */

/* A number, a list of them, or "53/udp". */
static json_t *port_json(const struct berth_wish_port *port)
{
	BERTH_CLEANUP(berth_str_deinit) struct berth_str text = { 0 };
	json_t *list;

	if (!port->udp && port->list_len == 1)
		return json_integer(port->list[0]);
	if (!port->udp) {
		list = json_array();
		for (size_t i = 0; list && i < port->list_len; i++)
			json_array_append_new(list, json_integer(port->list[i]));
		return list;
	}
	for (size_t i = 0; i < port->list_len; i++)
		berth_str_addf(&text, "%s%u", i ? "," : "", port->list[i]);
	berth_str_add(&text, "/udp");
	return text.failed ? NULL : json_string(text.text);
}

static bool has_one_port(const struct berth_wish *wish)
{
	return wish->port_count == 1 && !strcmp(wish->ports[0].name, "main");
}

static json_t *one_port_json(const struct berth_manifest_service *service)
{
	if (service->no_port)
		return json_string("none");
	return has_one_port(&service->wish) ? port_json(&service->wish.ports[0]) : json_null();
}

static json_t *ports_json(const struct berth_manifest_service *service)
{
	json_t *map;

	if (service->wish.port_count == 0 || has_one_port(&service->wish))
		return json_null();
	map = json_object();
	for (size_t i = 0; map && i < service->wish.port_count; i++)
		json_object_set_new(map, service->wish.ports[i].name,
				    port_json(&service->wish.ports[i]));
	return map;
}

static json_t *links_json(const struct writer *writer, const struct berth_manifest_service *service)
{
	json_t *map;

	if (service->link_count == 0)
		return json_null();
	map = json_object();
	for (size_t i = 0; map && i < service->link_count; i++)
		json_object_set_new(map, service->links[i].name,
				    filled_json(writer, service->links[i].path));
	return map;
}

static json_t *origins_json(const struct writer *writer,
			    const struct berth_manifest_service *service)
{
	json_t *list;

	if (service->origin_count == 0)
		return json_null();
	list = json_array();
	for (size_t i = 0; list && i < service->origin_count; i++) {
		const struct berth_manifest_origin *origin = &service->origins[i];

		if (origin->origin)
			json_array_append_new(list, filled_json(writer, origin->origin));
		else if (origin->port)
			json_array_append_new(list, json_integer(origin->port));
		else
			json_array_append_new(
				list,
				json_string(writer->manifest->services[origin->service].name));
	}
	return list;
}

/* --- checks ------------------------------------------------------------------------------------ */

static json_t *check_json(const struct writer *writer, const struct berth_check *check)
{
	size_t size = (check->arg ? strlen(check->arg) : 0) + 32;
	BERTH_AUTO_FREE char *text = malloc(size);

	if (!text)
		return NULL;
	berth_check_format(check, text, size);
	/* What a shell gets was never filled in. */
	return check->kind == BERTH_CHECK_EXEC ? berth_json_text(text) : filled_json(writer, text);
}

static json_t *limit_json(const struct berth_service_policy *policy)
{
	const struct berth_value_limit limit = { policy->limit,
						 policy->limit_ns / BERTH_NS_PER_MS };
	char text[48];

	return json_string(berth_value_format_limit(&limit, text));
}

/* --- by the table ------------------------------------------------------------------------------ */

static json_t *level_json(const struct writer *writer, enum berth_manifest_level level,
			  const void *from, const void *defaults);

static json_t *form_json(const struct writer *writer, const struct berth_manifest_key *key,
			 const struct berth_manifest_service *service,
			 const struct berth_manifest_service *defaults)
{
	switch ((int)key->type) {
	case BERTH_MANIFEST_T_ENVIRONMENT:
		return environment_json(writer, service);
	case BERTH_MANIFEST_T_DEPENDS:
		return depends_json(writer, service);
	case BERTH_MANIFEST_T_PORT:
		return one_port_json(service);
	case BERTH_MANIFEST_T_PORTS:
		return ports_json(service);
	case BERTH_MANIFEST_T_LINKS:
		return links_json(writer, service);
	case BERTH_MANIFEST_T_ORIGINS:
		return origins_json(writer, service);
	case BERTH_MANIFEST_T_READY:
		return check_json(writer, &service->ready);
	case BERTH_MANIFEST_T_LIVE:
		return service->live.kind == BERTH_CHECK_NONE ? json_null()
							      : check_json(writer, &service->live);
	case BERTH_MANIFEST_T_RESTART:
		return json_string(berth_service_restart_name(service->policy.restart));
	case BERTH_MANIFEST_T_LIMIT:
		return limit_json(&service->policy);
	case BERTH_MANIFEST_T_CORS:
	case BERTH_MANIFEST_T_MAP:
		return level_json(writer, key->level, service, defaults);
	default:
		return json_null();
	}
}

static json_t *value_json(const struct writer *writer, const struct berth_manifest_key *key,
			  const void *from, const void *defaults)
{
	const void *at = (const char *)from + key->offset;

	switch ((int)key->type) {
	case BERTH_MANIFEST_T_FLAG:
		return json_boolean(*(const bool *)at);
	case BERTH_MANIFEST_T_COUNT:
		return count_json(key, *(const unsigned int *)at);
	case BERTH_MANIFEST_T_U16:
		return count_json(key, *(const uint16_t *)at);
	case BERTH_MANIFEST_T_MS:
		return duration_json(key, *(const int64_t *)at);
	case BERTH_MANIFEST_T_NS:
		return duration_json(key, *(const int64_t *)at / BERTH_NS_PER_MS);
	case BERTH_MANIFEST_T_SIZE: {
		char text[32];

		return json_string(berth_value_format_size(*(const int64_t *)at, text));
	}
	case BERTH_MANIFEST_T_WORD:
		return json_string(key->words[*(const unsigned int *)at - key->base]);
	case BERTH_MANIFEST_T_SIGNAL:
		return signal_json(*(const int *)at);
	case BERTH_MANIFEST_T_RANGE:
		return range_json(at);
	case BERTH_MANIFEST_T_NAME:
		return *(const char *)at ? json_string(at) : json_null();
	case BERTH_MANIFEST_T_TEXT:
	case BERTH_MANIFEST_T_VARIABLE:
	case BERTH_MANIFEST_T_SCHEME:
	case BERTH_MANIFEST_T_SKIP:
		return filled_json(writer, *(char *const *)at);
	case BERTH_MANIFEST_T_TEXTS:
	case BERTH_MANIFEST_T_NAMES:
		return words_json(writer, *(char **const *)at);
	case BERTH_MANIFEST_T_COMMAND:
		return command_json(writer, at);
	default:
		return form_json(writer, key, from, defaults);
	}
}

/* In a YAML, what nobody said is left out. */
static int add_key(const struct writer *writer, const struct berth_manifest_key *key,
		   const void *from, const void *defaults, json_t *map)
{
	BERTH_AUTO_JSON json_t *value = value_json(writer, key, from, defaults);
	BERTH_AUTO_JSON json_t *preset =
		defaults ? value_json(writer, key, defaults, NULL) : json_null();

	if (!value || !preset)
		return -1;
	if (writer->form != BERTH_MANIFEST_JSON_WHOLE &&
	    (json_is_null(value) || json_equal(value, preset)))
		return 0;
	return json_object_set(map, key->name, value);
}

/* null where a YAML has nothing to say. */
static json_t *level_json(const struct writer *writer, enum berth_manifest_level level,
			  const void *from, const void *defaults)
{
	BERTH_AUTO_JSON json_t *map = json_object();

	for (const struct berth_manifest_key *key = berth_manifest_keys(level); key->name; key++) {
		if (key->type == BERTH_MANIFEST_T_REFUSED || key->twin ||
		    key->type == BERTH_MANIFEST_T_SERVICES ||
		    key->type == BERTH_MANIFEST_T_PROFILES)
			continue;
		if (!map || add_key(writer, key, from, defaults, map) < 0)
			return NULL;
	}
	if (writer->form != BERTH_MANIFEST_JSON_WHOLE && json_object_size(map) == 0)
		return json_null();
	return json_incref(map);
}

static json_t *service_json(const struct writer *writer,
			    const struct berth_manifest_service *service)
{
	struct berth_manifest_service defaults;

	berth_manifest_service_init(&defaults, service->name);
	/* Without a port it is ready when it runs. */
	if (service->no_port)
		defaults.ready = (struct berth_check){ .kind = BERTH_CHECK_NONE };
	return level_json(writer, BERTH_MANIFEST_LEVEL_SERVICE, service, &defaults);
}

static bool is_wanted(const char *const *only, const char *name)
{
	for (; only && *only; only++) {
		if (!strcmp(*only, name))
			return true;
	}
	return !only;
}

static json_t *services_json(const struct writer *writer, const char *const *only)
{
	BERTH_AUTO_JSON json_t *map = json_object();

	for (size_t i = 0; i < writer->manifest->service_count; i++) {
		const struct berth_manifest_service *service = &writer->manifest->services[i];
		char name[BERTH_NAME_MAX];

		berth_str_copy(name, sizeof(name), service->name);
		if (writer->form == BERTH_MANIFEST_JSON_PROCFILE)
			berth_procfile_yaml_name(writer->manifest, i, name);
		if (is_wanted(only, service->name) &&
		    json_object_set_new(map, name, service_json(writer, service)) < 0)
			return NULL;
	}
	return json_incref(map);
}

static json_t *profiles_json(const struct writer *writer)
{
	BERTH_AUTO_JSON json_t *map = json_object();

	for (size_t i = 0; i < writer->manifest->profile_count; i++) {
		const struct berth_manifest_profile *profile = &writer->manifest->profiles[i];

		if (json_object_set_new(
			    map, profile->name,
			    level_json(writer, BERTH_MANIFEST_LEVEL_PROFILE, profile, NULL)) < 0)
			return NULL;
	}
	return json_incref(map);
}

json_t *berth_manifest_json(const struct berth_manifest *manifest, const char *const *only,
			    enum berth_manifest_json_form form)
{
	const struct writer writer = { manifest, form };
	BERTH_AUTO_JSON json_t *document =
		level_json(&writer, BERTH_MANIFEST_LEVEL_TOP, manifest, NULL);

	if (json_is_null(document))
		document = json_object();
	if (json_object_set_new(document, "services", services_json(&writer, only)) < 0)
		return NULL;
	if (form != BERTH_MANIFEST_JSON_WHOLE && manifest->profile_count == 0)
		return json_incref(document);
	if (json_object_set_new(document, "profiles", profiles_json(&writer)) < 0)
		return NULL;
	return json_incref(document);
}
