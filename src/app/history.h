/* SPDX-License-Identifier: MIT */
/* app/history.h - how services ended: the last ones are kept */
#pragma once

#include "base/err.h"
#include "base/json.h"

#include <stdbool.h>

enum {
	BERTH_HISTORY_PER_SERVICE = 20,
	BERTH_HISTORY_ALL = 200,
};

/*
 * Keep @document, a service document with "exit" and "ended_at" set, under STATE/ends/. Each end is
 * one file, named so that names sort by time; the oldest are removed beyond the bounds. @key: of
 * its identity. A command of many kilobytes is cut, "..." at its end. A state folder that can't be written is no reason to fail: -errno, nothing kept.
 */
BERTH_MUST_USE int berth_history_add(const json_t *document, const char *key);

/*
 * The same for a process that berth free ended: {"state":"freed","freed_at","ports","how","result","by","pid",
 * "process","command","user","uid","cwd","project","unit","container","from"}.
 */
BERTH_MUST_USE int berth_history_add_freed(const json_t *freed);
bool berth_history_is_freed(const json_t *end);

/* All that is kept, newest first; an empty array where there is nothing. A new array. */
BERTH_MUST_USE int berth_history_load(json_t **ret_ends);

/* Is an end of the service @id kept? */
bool berth_history_has(const char *id);

/*
 * The last @count lines of a log, without their last newline; "" if there is none. New array of
 * strings, control characters made printable.
 */
json_t *berth_history_tail(const char *path, size_t count);
