/* SPDX-License-Identifier: MIT */
/* cli/watch.h - a table that is shown again whenever it has changed */
#pragma once

#include "cli/cli.h"
#include "cli/table.h"

struct berth_watch {
	const struct berth_table *table; /* borrowed */
	const char *nothing; /* said where there are no rows */
	/* A path; when that changes, the table is looked at at once. NULL: none. Borrowed. */
	const char *path;
	/* The rows as of now, a new reference. -errno with @err. */
	int (*load)(struct berth_cli *cli, void *arg, json_t **ret_rows, struct berth_err *err);
	/* One document of them. The same. */
	int (*print)(struct berth_cli *cli, void *arg, const json_t *rows, struct berth_err *err);
	void *arg; /* of both */
};

/*
 * On a terminal its screen is drawn again, until an interrupt ends us as it would end any program;
 * else each change is one JSON document on a line of its own, until nobody reads them any more. 0,
 * or -errno with @err of a look that failed.
 */
BERTH_MUST_USE int berth_watch_run(struct berth_cli *cli, const struct berth_watch *watch,
				   struct berth_err *err);
