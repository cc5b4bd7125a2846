/* SPDX-License-Identifier: MIT */
/* look/units.h - systemd's sockets: which unit process 1 (or a user's manager) listens for */
#pragma once

#include "base/attr.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * The .socket unit that listens on @port, and the service it starts ("" none), of the system's
 * manager or, with @user, of our own: systemctl(1) list-sockets, a process of some ms. Printable.
 * False: none, or it can't be told.
 */
bool berth_units_find_socket(uint16_t port, bool user, char *unit, size_t unit_size, char *service,
			     size_t service_size);
/* The same, of the systemctl at @path, whether or not systemd runs. */
bool berth_units_ask(const char *path, uint16_t port, bool user, char *unit, size_t unit_size,
		     char *service, size_t service_size);
/* The output of `systemctl list-sockets --output=json`, pure. */
bool berth_units_parse(const char *text, size_t len, uint16_t port, char *unit, size_t unit_size,
		       char *service, size_t service_size);
