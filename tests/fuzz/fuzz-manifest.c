/* SPDX-License-Identifier: MIT */
/* fuzz/fuzz-manifest.c - berth.yaml of any bytes: what is understood is written so that it is understood again */
#include "fuzz.h"

#include <errno.h>

#include "base/yaml-write.h"
#include "stack/manifest-json.h"

static void check_service(const struct berth_manifest *manifest,
			  const struct berth_manifest_service *service)
{
	MUST(berth_name_is_valid(service->name));
	MUST((service->command.text != NULL) != (service->command.argv != NULL));
	MUST(service->workers >= 1 && service->instances >= 1);
	MUST(!service->no_port || service->wish.port_count == 0);
	for (size_t i = 0; i < service->depend_count; i++)
		MUST(service->depends[i].service < manifest->service_count);
	for (size_t i = 0; i < service->origin_count; i++)
		MUST(service->origins[i].origin || service->origins[i].port ||
		     service->origins[i].service < manifest->service_count);
	for (size_t i = 0; i < service->environment_count; i++)
		MUST(*service->environment[i].name && !strchr(service->environment[i].name, '='));
}

static void write_and_read(const struct berth_manifest *manifest)
{
	BERTH_CLEANUP(berth_manifest_deinit) struct berth_manifest again = { 0 };
	BERTH_CLEANUP(berth_faults_deinit) struct berth_faults faults = { 0 };
	BERTH_CLEANUP(berth_str_deinit) struct berth_str text = { 0 };
	BERTH_AUTO_JSON json_t *yaml =
		berth_manifest_json(manifest, NULL, BERTH_MANIFEST_JSON_YAML);
	BERTH_AUTO_JSON json_t *first =
		berth_manifest_json(manifest, NULL, BERTH_MANIFEST_JSON_WHOLE);
	BERTH_AUTO_JSON json_t *second = NULL;

	berth_yaml_write(yaml, 0, &text);
	MUST(!text.failed);
	MUST(berth_manifest_parse(text.text, text.len, &faults, &again) == 0);
	second = berth_manifest_json(&again, NULL, BERTH_MANIFEST_JSON_WHOLE);
	MUST(json_equal(first, second));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	BERTH_CLEANUP(berth_manifest_deinit) struct berth_manifest manifest = { 0 };
	BERTH_CLEANUP(berth_faults_deinit) struct berth_faults faults = { 0 };
	BERTH_CLEANUP(berth_str_deinit) struct berth_str shown = { 0 };
	size_t order[BERTH_MANIFEST_SERVICES_MAX], loop;

	if (berth_manifest_parse((const char *)data, size, &faults, &manifest) < 0) {
		MUST(faults.count > 0 && !manifest.services);
		berth_faults_format(&faults, "f", (const char *)data, size, &shown);
		MUST(shown.len > 0);
		return 0;
	}
	MUST(faults.count == 0);
	for (size_t i = 0; i < manifest.service_count; i++)
		check_service(&manifest, &manifest.services[i]);
	MUST(berth_manifest_order(&manifest, order, &loop) == 0);
	if (size < 64 * 1024)
		write_and_read(&manifest);
	return 0;
}
