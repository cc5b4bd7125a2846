/* SPDX-License-Identifier: MIT */
/* fuzz/fuzz-procfile.c - Procfiles of any bytes, and formations of what is in them */
#include "fuzz.h"

#include "stack/formation.h"
#include "stack/procfile.h"

static void check(const struct berth_manifest *manifest)
{
	MUST(manifest->service_count > 0);
	MUST(manifest->service_count <= BERTH_MANIFEST_SERVICES_MAX);
	for (size_t i = 0; i < manifest->service_count; i++) {
		const struct berth_manifest_service *service = &manifest->services[i];

		MUST(berth_name_is_valid(service->name));
		MUST(berth_manifest_find(manifest, service->name) == (int)i);
		MUST(service->command.text && *service->command.text);
		MUST(service->wish.ports[0].list[0] == 5000 + 100 * i);
		MUST(service->command.at.line >= 1 && service->command.at.column > 1);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	BERTH_CLEANUP(berth_faults_deinit) struct berth_faults faults = { 0 };
	BERTH_CLEANUP(berth_manifest_deinit) struct berth_manifest manifest = { 0 };
	BERTH_AUTO_FREE char *text = fuzz_text(data, size);
	bool started[BERTH_MANIFEST_SERVICES_MAX];
	struct berth_err err = { 0 };

	if (berth_procfile_parse((const char *)data, size, 0, &faults, &manifest) < 0) {
		MUST(faults.count > 0 && !manifest.services);
		return 0;
	}
	check(&manifest);
	if (berth_formation_parse(text, &manifest, NULL, started, &err) < 0)
		MUST(err.code == BERTH_ERR_USAGE);
	return 0;
}
