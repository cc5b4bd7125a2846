/* SPDX-License-Identifier: MIT */
/* stack/interpolate.h - ${NAME} in the values of berth.yaml */
#pragma once

#include "base/err.h"

#include <stdbool.h>

/* Where a name's value is looked up. */
struct berth_interpolate_source {
	const char *(*find)(const void *arg, const char *name); /* borrowed; NULL: it has none */
	const void *arg;
	bool literal; /* the text is a template: {port} in a value that was found is text all the same */
};

/*
 * As Compose does: ${NAME}, "" where there is none; ${NAME:-text}, text where it is empty or not
 * there, and filled in itself; ${NAME:?text}, an error with that text instead; $$ is $. Other
 * dollars stay. @source NULL: nobody has a value, and nothing that is missing is an error. -EINVAL
 * (CONFIG): no such name, no closing brace, an operator that is none of those. The caller frees
 * *ret_text.
 */
BERTH_MUST_USE int berth_interpolate(const char *text,
				     const struct berth_interpolate_source *source, char **ret_text,
				     struct berth_err *err);
