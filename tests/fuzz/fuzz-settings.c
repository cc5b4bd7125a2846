/* SPDX-License-Identifier: MIT */
/* fuzz/fuzz-settings.c - config.yaml of any bytes */
#include "fuzz.h"

#include "stack/settings.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct berth_portset set;
	BERTH_CLEANUP(berth_settings_deinit) struct berth_settings settings = { 0 };
	BERTH_CLEANUP(berth_faults_deinit) struct berth_faults faults = { 0 };
	int r;

	r = berth_settings_parse((const char *)data, size, "/home/x", &faults, &settings);
	if (r < 0) {
		MUST(faults.count > 0 && !settings.skip && !settings.pins);
		return 0;
	}
	MUST(faults.count == 0);
	MUST(settings.range.lo <= settings.range.hi);
	MUST(!settings.skip || berth_portset_parse(settings.skip, &set) == 0);
	MUST(settings.tool_count <= BERTH_SETTINGS_TOOLS_MAX);
	for (size_t i = 0; i < settings.pin_count; i++) {
		const struct berth_settings_pin *pin = &settings.pins[i];

		MUST(pin->port && pin->instance && *pin->port_name);
		MUST(berth_name_is_valid(pin->service));
		MUST(pin->folder ? pin->folder[0] == '/' : *pin->project);
	}
	return 0;
}
