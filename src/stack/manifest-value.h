/* SPDX-License-Identifier: MIT */
/*
 * stack/manifest-value.h - from the values of berth.yaml to the members of a manifest, in five files:
 * manifest-value.c the tables and what is a word or a number, manifest-services.c services and
 * profiles, manifest-ports.c ports, manifest-forms.c commands, variables and names,
 * manifest-probes.c checks and restarts
 */
#pragma once

#include "stack/manifest-reader.h"

/*
 * Read the keys of @node as those of @level into @into (see there). What is wrong becomes a fault,
 * and the next key is read. -ENOMEM.
 */
BERTH_MUST_USE int berth_manifest_value_map(struct berth_manifest_reader *reader,
					    enum berth_manifest_level level,
					    struct berth_yaml_node *node, void *into);

/* true, false, yes or no, into a bool. Never fails. */
int berth_manifest_value_flag(struct berth_manifest_reader *reader,
			      const struct berth_manifest_key *key, struct berth_yaml_node *node,
			      void *into);

/* Reads a value of @type; the arguments as above, @key being its row. -ENOMEM. */
struct berth_manifest_value_row {
	enum berth_manifest_type type;
	int (*read)(struct berth_manifest_reader *reader, const struct berth_manifest_key *key,
		    struct berth_yaml_node *node, void *into);
};
/* Each ends with { 0 }. */
extern const struct berth_manifest_value_row berth_manifest_value_ports[],
	berth_manifest_value_forms[], berth_manifest_value_probes[],
	berth_manifest_value_services[];
