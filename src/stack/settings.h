/* SPDX-License-Identifier: MIT */
/* stack/settings.h - what a user has settled for all projects: config.yaml */
#pragma once

#include "base/err.h"
#include "base/faults.h"
#include "port/range.h"
#include "port/wish.h"
#include "service/name.h"

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

enum {
	BERTH_SETTINGS_TOOLS_MAX = 256,
	BERTH_SETTINGS_PINS_MAX = 1000,
};

enum berth_settings_colour {
	BERTH_SETTINGS_COLOUR_AUTO,
	BERTH_SETTINGS_COLOUR_ALWAYS,
	BERTH_SETTINGS_COLOUR_NEVER,
};

/* "shop/api.2:ws": 9001, or with a folder in place of the project. */
struct berth_settings_pin {
	char *folder; /* owned; absolute; NULL: any folder of @project */
	char project[2 * BERTH_NAME_MAX]; /* with "+copy" for one of `up --as` */
	char service[BERTH_NAME_MAX];
	unsigned int instance;
	char port_name[BERTH_PORT_NAME_MAX];
	uint16_t port;
	struct berth_mark at;
};

/* Zero is what nobody has settled. */
struct berth_settings {
	struct berth_range range; /* where nobody named a number; lo 0: not set */
	char *skip; /* owned; a portset text; NULL: not set */
	bool has_grace;
	int64_t grace_ms;
	enum berth_settings_colour colour;
	struct berth_settings_pin *pins; /* owned */
	size_t pin_count;
	uint16_t tools[BERTH_SETTINGS_TOOLS_MAX]; /* beside those that count as one anyway */
	size_t tool_count;
};

void berth_settings_deinit(struct berth_settings *settings);

/*
 * The text of such a file; @home is what "~" stands for (NULL: not known). 0; -EINVAL with all that
 * is wrong in @faults; -ENOMEM. Pure.
 */
BERTH_MUST_USE int berth_settings_parse(const char *text, size_t len, const char *home,
					struct berth_faults *faults,
					struct berth_settings *ret_settings);

/* "api.2:ws": service, instance and port name of @pin. */
bool berth_settings_parse_service(const char *text, struct berth_settings_pin *pin);

/* The file, as messages show it. */
struct berth_settings_source {
	char path[PATH_MAX];
	char *text; /* owned; NULL: there is none */
	size_t len;
};

/*
 * config.yaml of the config folder (os/statefile.h). Where there is none: one failed open, and the
 * defaults. -EINVAL with @faults and @err (CONFIG); other -errno with @err: it can't be read. *ret_source
 * is set in any case, and the caller's to deinit.
 */
BERTH_MUST_USE int berth_settings_load(struct berth_settings *ret_settings,
				       struct berth_settings_source *ret_source,
				       struct berth_faults *faults, struct berth_err *err);
void berth_settings_source_deinit(struct berth_settings_source *source);
