/* SPDX-License-Identifier: MIT */
/*
 * stack/manifest-read.c - berth.yaml as a manifest, or all that is wrong with it
 *
 * Three passes: the tree by the tables of keys (manifest-value.h), then names, which may stand before
 * what they mean, then what only the whole can tell (manifest-check.h). Each goes on after a fault,
 * but where names are wrong nothing is said of the whole: half of that would only follow from it.
 */
#include "stack/manifest.h"

#include <errno.h>

#include "stack/manifest-check.h"
#include "stack/manifest-value.h"

static int read_all(struct berth_manifest_reader *reader, struct berth_yaml_node *root,
		    size_t faults_before)
{
	int r;

	if (!root || root->kind != BERTH_YAML_MAP) {
		berth_faults_add(reader->faults,
				 root ? root->at : (struct berth_mark){ .line = 1, .column = 1 },
				 root ? "this is no map of keys" : "the file is empty");
		berth_faults_hint(reader->faults, "services: {web: {command: ...}}");
		return 0;
	}
	r = berth_manifest_value_map(reader, BERTH_MANIFEST_LEVEL_TOP, root, reader->manifest);
	/* Unless it is there under a name that was refused. */
	if (r == 0 && !berth_yaml_get(root, "services") &&
	    berth_faults_count(reader->faults) == faults_before) {
		berth_faults_add(reader->faults, (struct berth_mark){ .line = 1, .column = 1 },
				 "there are no 'services'");
		berth_faults_hint(reader->faults, "services: {web: {command: ...}}");
	}
	if (r == 0 && reader->places)
		r = berth_manifest_check_names(reader);
	if (r == 0 && reader->places)
		r = berth_manifest_check_services(reader);
	if (r == 0 && berth_faults_count(reader->faults) == faults_before)
		r = berth_manifest_check_clashes(reader);
	return r;
}

int berth_manifest_parse_with(const char *text, size_t len,
			      const struct berth_interpolate_source *source,
			      struct berth_faults *faults, struct berth_manifest *ret_manifest)
{
	BERTH_CLEANUP(berth_manifest_deinit) struct berth_manifest manifest = { 0 };
	BERTH_CLEANUP(berth_manifest_reader_deinit)
	struct berth_manifest_reader reader = {
		.text = text,
		.len = len,
		.source = source,
		.faults = faults,
		.manifest = &manifest,
	};
	BERTH_CLEANUP(berth_yaml_freep) struct berth_yaml_node *root = NULL;
	size_t before = berth_faults_count(faults);
	int r;

	r = berth_yaml_parse(text, len, faults, &root);
	if (r == 0)
		r = read_all(&reader, root, before);
	berth_faults_sort(faults);
	if (r < 0)
		return r;
	if (berth_faults_count(faults) > before)
		return -EINVAL;
	*ret_manifest = manifest;
	manifest = (struct berth_manifest){ 0 };
	return 0;
}

int berth_manifest_parse(const char *text, size_t len, struct berth_faults *faults,
			 struct berth_manifest *ret_manifest)
{
	return berth_manifest_parse_with(text, len, NULL, faults, ret_manifest);
}
