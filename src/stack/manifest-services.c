/* SPDX-License-Identifier: MIT */
/* stack/manifest-services.c - the services and profiles of berth.yaml, each a map of keys */
#include "stack/manifest-value.h"

#include <errno.h>
#include <string.h>

#include "base/str.h"

/* false: a fault was added. */
static bool check_name(struct berth_manifest_reader *reader, const struct berth_yaml_node *node,
		       const char *what)
{
	char closest[BERTH_NAME_MAX];

	if (berth_name_is_valid(node->key))
		return true;
	berth_faults_add(reader->faults, node->key_at, "'%.60s' is no name for a %s", node->key,
			 what);
	berth_name_from(node->key, closest);
	berth_faults_hint(reader->faults, "did you mean '%s'?", closest);
	return false;
}

static int read_service(struct berth_manifest_reader *reader, struct berth_yaml_node *node)
{
	struct berth_manifest *manifest = reader->manifest;
	struct berth_manifest_service *service;
	int r;

	if (!check_name(reader, node, "service"))
		return 0;
	if (berth_manifest_is_word(node->key)) {
		berth_faults_add(reader->faults, node->key_at,
				 "'%s' is no name for a service: {%s} is something else", node->key,
				 node->key);
		return 0;
	}
	if (node->kind != BERTH_YAML_MAP) {
		berth_faults_add(reader->faults, node->at, "the service '%s' takes a map of keys",
				 node->key);
		if (node->kind == BERTH_YAML_SCALAR && !berth_yaml_is_null(node))
			berth_faults_hint(reader->faults, "command: %.80s", node->text);
		return 0;
	}
	reader->service = manifest->service_count;
	service = berth_manifest_add(manifest, node->key);
	if (!service)
		return -ENOMEM;
	service->at = node->key_at;
	r = berth_manifest_value_map(reader, BERTH_MANIFEST_LEVEL_SERVICE, node, service);
	if (r < 0)
		return r;
	if (reader->places[reader->service].disabled && reader->places[reader->service].has_test) {
		service->ready = (struct berth_check){ .kind = BERTH_CHECK_LISTEN };
		reader->places[reader->service].has_test = false;
	}
	/* Nothing of it listens: it is ready when it runs, unless something else was said. */
	if (service->no_port && service->ready.kind == BERTH_CHECK_LISTEN &&
	    !berth_manifest_reader_has(reader, reader->service, "ready"))
		service->ready = (struct berth_check){ .kind = BERTH_CHECK_NONE };
	return 0;
}

static int read_services(struct berth_manifest_reader *reader, const struct berth_manifest_key *key,
			 struct berth_yaml_node *node, void *into)
{
	(void)into;
	if (node->kind != BERTH_YAML_MAP) {
		berth_manifest_reader_refuse(reader, key, node, "a map from names to services");
		return 0;
	}
	if (node->count == 0)
		berth_faults_add(reader->faults, node->at, "there is no service");
	if (node->count > BERTH_MANIFEST_SERVICES_MAX) {
		berth_faults_add(reader->faults, node->at, "more than %d services",
				 BERTH_MANIFEST_SERVICES_MAX);
		return 0;
	}
	reader->places = calloc(node->count + 1, sizeof(*reader->places));
	if (!reader->places)
		return -ENOMEM;
	for (size_t i = 0; i < node->count; i++) {
		if (read_service(reader, &node->items[i]) < 0)
			return -ENOMEM;
	}
	return 0;
}

static int read_profile(struct berth_manifest_reader *reader, struct berth_yaml_node *node)
{
	struct berth_manifest_profile *profile =
		&reader->manifest->profiles[reader->manifest->profile_count];

	if (!check_name(reader, node, "profile"))
		return 0;
	berth_str_copy(profile->name, sizeof(profile->name), node->key);
	profile->at = node->key_at;
	reader->manifest->profile_count++;
	if (node->kind == BERTH_YAML_MAP)
		return berth_manifest_value_map(reader, BERTH_MANIFEST_LEVEL_PROFILE, node,
						profile);
	if (!berth_yaml_is_null(node))
		berth_faults_add(reader->faults, node->at,
				 "the profile '%s' takes a map such as {range: 20000-20999}",
				 node->key);
	return 0;
}

static int read_profiles(struct berth_manifest_reader *reader, const struct berth_manifest_key *key,
			 struct berth_yaml_node *node, void *into)
{
	struct berth_manifest *manifest = into;

	if (node->kind != BERTH_YAML_MAP) {
		berth_manifest_reader_refuse(reader, key, node, "a map from names to ranges");
		return 0;
	}
	if (node->count > BERTH_MANIFEST_PROFILES_MAX) {
		berth_faults_add(reader->faults, node->at, "more than %d profiles",
				 BERTH_MANIFEST_PROFILES_MAX);
		return 0;
	}
	manifest->profiles = calloc(node->count + 1, sizeof(*manifest->profiles));
	if (!manifest->profiles)
		return -ENOMEM;
	for (size_t i = 0; i < node->count; i++) {
		if (read_profile(reader, &node->items[i]) < 0)
			return -ENOMEM;
	}
	return 0;
}

const struct berth_manifest_value_row berth_manifest_value_services[] = {
	{ BERTH_MANIFEST_T_SERVICES, read_services },
	{ BERTH_MANIFEST_T_PROFILES, read_profiles },
	{ 0 },
};
