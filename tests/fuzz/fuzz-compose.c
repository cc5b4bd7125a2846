/* SPDX-License-Identifier: MIT */
/* fuzz/fuzz-compose.c - whatever a Compose file holds, what is made of it is YAML of our own keys */
#include "fuzz.h"

#include "base/yaml.h"
#include "stack/compose.h"
#include "stack/manifest-keys.h"

static void check_service(const struct berth_yaml_node *service)
{
	MUST(berth_name_is_valid(service->key) && service->kind == BERTH_YAML_MAP);
	MUST(berth_yaml_get(service, "command"));
	for (size_t i = 0; i < service->count; i++)
		MUST(berth_manifest_keys_find(BERTH_MANIFEST_LEVEL_SERVICE, service->items[i].key));
}

static void check(const char *yaml, size_t count)
{
	BERTH_CLEANUP(berth_faults_deinit) struct berth_faults faults = { 0 };
	BERTH_CLEANUP(berth_yaml_freep) struct berth_yaml_node *root = NULL;
	const struct berth_yaml_node *services;

	/* Names and ports of the file may clash; but it is one, and no text of it has become a key. */
	MUST(berth_yaml_parse(yaml, strlen(yaml), &faults, &root) == 0);
	services = berth_yaml_get(root, "services");
	MUST(services && services->count == count);
	for (size_t i = 0; i < count; i++)
		check_service(&services->items[i]);
}

/* One line each, nothing that a terminal would take for more. */
static void check_notes(const char *notes)
{
	for (; *notes; notes++)
		MUST(*notes == '\n' || (unsigned char)*notes >= ' ');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	BERTH_CLEANUP(berth_faults_deinit) struct berth_faults faults = { 0 };
	BERTH_CLEANUP(berth_draft_deinit) struct berth_draft draft = { 0 };
	BERTH_AUTO_FREE char *yaml = NULL;
	char project[BERTH_NAME_MAX];

	if (berth_compose_draft((const char *)data, size, &faults, &draft, project) < 0) {
		MUST(faults.count > 0);
		return 0;
	}
	MUST(!*project || berth_name_is_valid(project));
	yaml = berth_draft_finish(&draft, "a test", project);
	MUST(yaml);
	if (draft.count)
		check(yaml, draft.count);
	check_notes(berth_str_text(&draft.notes));
	return 0;
}
