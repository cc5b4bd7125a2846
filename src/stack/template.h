/* SPDX-License-Identifier: MIT */
/* stack/template.h - {port} and its like in commands and values */
#pragma once

#include "base/err.h"
#include "base/str.h"

#include <stdbool.h>

struct berth_template_var {
	const char *name; /* "port", "port.ws", "url", "host", "id" */
	const char *value;
};

/*
 * Replace {name} for each of @vars. A name is words joined by dots, as above; other braces and
 * ${name} always stay. Strict (berth.yaml): an unknown {name} is -EINVAL, code CONFIG, with the
 * closest known one as hint; "{{name}}" gives "{name}". Not strict (a command line): both only for
 * exact names. The caller frees *ret_text.
 */
BERTH_MUST_USE int berth_template_expand(const char *text, const struct berth_template_var *vars,
					 size_t count, bool strict, char **ret_text,
					 struct berth_err *err);
/*
 * @text, which is not strict, as a berth.yaml has it: the braces of what is not filled in are
 * doubled. @add adds a name that is, as it is called there, or returns false; NULL: none is.
 */
void berth_template_escape(const char *text,
			   bool (*add)(const void *arg, const char *name, size_t len,
				       struct berth_str *out),
			   const void *arg, struct berth_str *out);
/* Does @text hold {name} for one of @vars? */
bool berth_template_has(const char *text, const struct berth_template_var *vars, size_t count);
/*
 * The next {name} of @text at *@at or behind it, which is moved behind its brace. @ret_name is its
 * first letter, in @text. False: there is none.
 */
bool berth_template_next(const char *text, size_t *at, const char **ret_name, size_t *ret_len);
