/* SPDX-License-Identifier: MIT */
/* app/pins.h - numbers that a user keeps for one service: `berth pin`, and pins of config.yaml */
#pragma once

#include "base/err.h"
#include "base/json.h"
#include "port/range.h"
#include "service/identity.h"
#include "stack/settings.h"

/*
 * The pins of `berth pin`: an array of {"key", "project", "root", "folder", "service", "instance",
 * "name", "port"}, in the order they were made; kept in pins.json of the state folder. Empty where
 * there is no such file; -errno with @err where it can't be read or understood. A new reference.
 */
BERTH_MUST_USE int berth_pins_load(json_t **ret_pins, struct berth_err *err);

/*
 * The number that is pinned for port @name of the service @identity (sealed); 0: none. @first: it is
 * the service's own port, whose pins may call it "main". A pin of `berth pin` goes before one of
 * @settings (NULL: none), and there one with a folder before one with a project.
 */
uint16_t berth_pins_find(const json_t *pins, const struct berth_settings *settings,
			 const struct berth_identity *identity, const char *name, bool first);
/* Does @pin of the settings mean @identity, whichever of its ports? */
bool berth_pins_is_settled_for(const struct berth_settings_pin *pin,
			       const struct berth_identity *identity);

/* Add all that is pinned for others than @identity, in folders that there are, to @set. */
void berth_pins_add_others(const json_t *pins, const struct berth_settings *settings,
			   const struct berth_identity *identity, struct berth_portset *set);

/*
 * Pin @port for port @name ("main": its own). A number that is pinned for another service already:
 * -EADDRINUSE with @err.
 */
BERTH_MUST_USE int berth_pins_set(const struct berth_identity *identity, const char *name,
				  uint16_t port, struct berth_err *err);
/* Take back the pin of port @name, of all of its ports where that is NULL; *ret_count: how many. */
BERTH_MUST_USE int berth_pins_remove(const struct berth_identity *identity, const char *name,
				     size_t *ret_count, struct berth_err *err);

/* "shop/api.2:ws" of a pin. Returns @buf. */
const char *berth_pins_label(const json_t *pin, char *buf, size_t size);
