/* SPDX-License-Identifier: MIT */
/* app/manifest-file.h - which file says what a stack is, and reading it */
#pragma once

#include "base/err.h"
#include "stack/dotenv.h"
#include "stack/manifest.h"

#include <limits.h>

enum berth_manifest_kind {
	BERTH_MANIFEST_YAML,
	BERTH_MANIFEST_PROCFILE,
};

/*
 * @asked (of -f), a file or a folder, as seen from @cwd; NULL: the nearest of berth.yaml, berth.yml,
 * Procfile at or above @cwd, not above the root of its git repository. @ret_path is absolute, its
 * folder without symlinks. A file that is asked for is a Procfile if its name begins or ends so, else
 * YAML. -ENOENT with @err (CONFIG) and a hint: there is none.
 */
BERTH_MUST_USE int berth_manifest_file_find(const char *cwd, const char *asked,
					    char ret_path[PATH_MAX],
					    enum berth_manifest_kind *ret_kind,
					    struct berth_err *err);

/* What the values of the file may refer to. */
struct berth_manifest_file_spec {
	const struct berth_dotenv *dotenv; /* .env beside it, for ${NAME} that our environment does
					      not have, and each service of a Procfile; NULL: none */
	uint16_t base; /* of a Procfile's ports; 0: PORT of .env, else ours, else 5000 */
};

/* .env beside @path; an empty one where there is none. CONFIG, -errno. */
BERTH_MUST_USE int berth_manifest_file_dotenv(const char *path, struct berth_dotenv *ret_dotenv,
					      struct berth_err *err);

/*
 * Read and check it. 0; -EINVAL: @faults has what is wrong with it, and @err (CONFIG) how much that
 * is ("berth.yaml has 3 faults"); else -errno with @err. @ret_text (the caller frees it) and
 * @ret_len are set whenever the file could be read, for showing the faults; else NULL and 0.
 */
BERTH_MUST_USE int berth_manifest_file_load(const char *path, enum berth_manifest_kind kind,
					    const struct berth_manifest_file_spec *spec,
					    struct berth_faults *faults, char **ret_text,
					    size_t *ret_len, struct berth_manifest *ret_manifest,
					    struct berth_err *err);
