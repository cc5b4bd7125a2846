/* SPDX-License-Identifier: MIT */
/*
 * stack/manifest-check.h - what only the whole of a berth.yaml can tell, in three files:
 * manifest-names.c names of services and ports, manifest-check.c each service by itself,
 * manifest-clash.c services and profiles beside each other
 */
#pragma once

#include "stack/manifest-reader.h"

/* Services that others name, and {name}s: looked up, the former entered in the manifest. -ENOMEM. */
BERTH_MUST_USE int berth_manifest_check_names(struct berth_manifest_reader *reader);
/* Keys of one service that go not together. -ENOMEM. */
BERTH_MUST_USE int berth_manifest_check_services(struct berth_manifest_reader *reader);
/* Cycles, numbers and names that two want, ranges. -ENOMEM. */
BERTH_MUST_USE int berth_manifest_check_clashes(struct berth_manifest_reader *reader);
