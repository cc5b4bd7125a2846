/* SPDX-License-Identifier: MIT */
/* stack/package-edit.h - scripts added to a package.json of which nothing else changes */
#pragma once

#include "stack/package.h"

struct berth_package_entry {
	const char *name, *command;
	enum berth_package_done {
		BERTH_PACKAGE_ADDED,
		BERTH_PACKAGE_SAME, /* was there, with the same command */
		BERTH_PACKAGE_KEPT, /* was there with another one, and stays */
		BERTH_PACKAGE_REPLACED,
	} done; /* set by berth_package_edit_scripts() */
};

/*
 * @text, a package.json that berth_package_parse() has taken, with @entries among its scripts; all
 * else stays as it is, byte by byte: order, indentation, line ends. A script that is there with
 * another command is replaced only with @force. *ret_text is the caller's. -ENOMEM; -EINVAL:
 * "scripts" is there and no object, code CONFIG.
 */
BERTH_MUST_USE int berth_package_edit_scripts(const char *text, size_t len,
					      struct berth_package_entry *entries, size_t count,
					      bool force, char **ret_text, struct berth_err *err);
