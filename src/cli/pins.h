/* SPDX-License-Identifier: MIT */
/* cli/pins.h - what berth pin and berth unpin have in common */
#pragma once

#include "cli/cli.h"
#include "port/wish.h"
#include "service/identity.h"

#include <stdbool.h>

enum {
	BERTH_PINS_NAME_SIZE = BERTH_NAME_MAX + BERTH_PORT_NAME_MAX + 16,
};

/* "backend", "api.2", "viewer:ws", and which service that is from here. */
struct berth_pins_operand {
	struct berth_identity identity; /* sealed */
	char port_name[BERTH_PORT_NAME_MAX]; /* "main" where none was named */
	bool has_port_name;
	bool known; /* it runs, has run, or the manifest has it */
	bool declared; /* the manifest has it, with the ports of `wish` */
	bool no_port; /* with declared: none at all */
	struct berth_wish wish;
	uint16_t running; /* the number it has now; 0: none */
};

void berth_pins_operand_deinit(struct berth_pins_operand *operand);

/* "api.2:ws": as messages call it. Returns @buf. */
const char *berth_pins_operand_name(const struct berth_pins_operand *operand, char *buf,
				    size_t size);

/* Has it such a port, as far as a manifest tells? USAGE, with the closest word. */
BERTH_MUST_USE int berth_pins_check_port(const struct berth_pins_operand *operand,
					 struct berth_err *err);

/*
 * A service of the stack around the working folder (the copy @as of it; NULL: the plain one), else
 * one that runs or has run in this project, else one of the working folder itself. USAGE.
 */
BERTH_MUST_USE int berth_pins_read_operand(const char *operand, const char *as,
					   struct berth_pins_operand *ret_operand,
					   struct berth_err *err);

/*
 * What is pinned, with what config.yaml has, as rows for people and for JSON: {"label", "project",
 * "copy", "root", "folder", "service", "instance", "name", "port", "from"}; of @only, or of all where
 * that is NULL. New reference in *ret_rows.
 */
BERTH_MUST_USE int berth_pins_rows(const struct berth_settings *settings,
				   const struct berth_identity *only, json_t **ret_rows,
				   struct berth_err *err);
/* With --json: {"version":1,"pins":[...]} of @identity. */
BERTH_MUST_USE int berth_pins_print_json(struct berth_cli *cli,
					 const struct berth_identity *identity,
					 struct berth_err *err);
