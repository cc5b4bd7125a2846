/* SPDX-License-Identifier: MIT */
/* port/reserved.h - numbers that nobody should be given */
#pragma once

#include "port/range.h"

enum berth_reserved_why {
	BERTH_RESERVED_NOT,
	/* Below ip_unprivileged_port_start and we may not; below 1024 always unless asked for. */
	BERTH_RESERVED_PRIVILEGED,
	BERTH_RESERVED_KERNEL, /* net.ipv4.ip_local_reserved_ports */
	BERTH_RESERVED_BROWSER, /* the Fetch standard's "bad ports": browsers refuse them */
	BERTH_RESERVED_USER, /* the user's own list */
};

/* What this machine keeps back. 16 KiB: on the heap. */
struct berth_reserved {
	struct berth_portset kernel;
	struct berth_portset user;
	uint16_t unprivileged_start; /* ip_unprivileged_port_start */
	bool may_privileged; /* CAP_NET_BIND_SERVICE */
};

/*
 * Reads /proc/sys and our capabilities; what can't be read counts as the kernel's default.
 * @user_list: NULL or a portset text.
 */
BERTH_MUST_USE int berth_reserved_load(struct berth_reserved *ret_reserved, const char *user_list);

/* @explicitly: the user named this very number; only then one below 1024 may be NOT reserved. */
enum berth_reserved_why berth_reserved_why(const struct berth_reserved *reserved, uint16_t port,
					   bool explicitly);
/* "browsers refuse to connect to it", for messages; never NULL. */
const char *berth_reserved_text(enum berth_reserved_why why);
