/* SPDX-License-Identifier: MIT */
/* stack/manifest-json.h - a manifest as data: what was understood */
#pragma once

#include "base/json.h"
#include "stack/manifest.h"

enum berth_manifest_json_form {
	BERTH_MANIFEST_JSON_WHOLE, /* every key, null where nothing is said */
	/* What berth.yaml would have to say: no defaults, and ${ and $$ so that they stay. */
	BERTH_MANIFEST_JSON_YAML,
	/* The same of a Procfile, where other names and braces hold (berth_procfile_yaml_text). */
	BERTH_MANIFEST_JSON_PROCFILE,
};

/*
 * {"project":..., "services":{...}, "profiles":{...}}, by the table of keys: durations, sizes and
 * lists as they are written in berth.yaml. @only: names of the services to put in, NULL-terminated;
 * NULL: all. A variable whose value came from ${NAME} has that, and not what it stands for. New
 * reference; NULL: out of memory.
 */
json_t *berth_manifest_json(const struct berth_manifest *manifest, const char *const *only,
			    enum berth_manifest_json_form form);
