/* SPDX-License-Identifier: MIT */
/* look/tool.h - ask a program of the system, and take what it says */
#pragma once

#include "base/attr.h"

#include <stddef.h>

/* It ran, and ended with another code than 0, or by a signal. */
enum {
	BERTH_TOOL_E_FAILED = 1,
};

/* All borrowed. */
struct berth_tool_spec {
	/* Where it may lie, absolute, NULL-terminated: the first that is there. Never by a PATH. */
	const char *const *paths;
	const char *const *argv; /* without the name of the program, NULL-terminated */
	const char *const *envp; /* all that it gets, NULL: nothing */
	int timeout_ms;
	size_t max; /* bytes that it may say */
};

/*
 * Its standard output, NUL-terminated, to free(); what it complains of goes nowhere. Nothing is
 * left of it in any case. BERTH_TOOL_E_FAILED; -ENOENT: none of @paths is there; -ETIMEDOUT;
 * -EFBIG: it says more than that; -errno.
 */
BERTH_MUST_USE int berth_tool_run(const struct berth_tool_spec *spec, char **ret_text,
				  size_t *ret_len);
