/* SPDX-License-Identifier: MIT */
/* fuzz/fuzz-record.c - any text as a JSON document of ours is read, labelled and asked without harm */
#include "fuzz.h"

#include "app/registry.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	json_t *service = berth_json_parse((const char *)data, size);
	json_t *record, *records;

	if (!json_is_object(service)) {
		json_decref(service);
		return 0;
	}
	record = json_pack("{s:o,s:{s:s%,s:s%}}", "service", service, "berth", "more", "{}",
			   (size_t)2, "rest", "{}", (size_t)2);
	records = json_pack("[o]", record);
	MUST(records);
	berth_registry_label(records);
	MUST(json_is_string(json_object_get(berth_registry_service(record), "label")));
	MUST(!berth_registry_private(record, "socket"));
	MUST(berth_registry_life(record) == BERTH_REGISTRY_DEAD);
	json_decref(records);
	return 0;
}
