/* SPDX-License-Identifier: MIT */
/*
 * app/libberth.h - what the files of the library share: libberth.c (leasing), libberth-serve.c
 * (sockets), libberth-ask.c (questions)
 *
 * Its interface is berth/berth.h.
 */
#pragma once

#include "base/err.h"
#include "port/choose.h"

#include <berth/berth.h>

/* A socket on a granted port. */
struct berth_libberth_served {
	uint64_t inode; /* 0: none */
	int fd; /* borrowed: as the caller got it, or gave it to us */
	struct berth_addr addr;
	bool v6only;
};

struct berth_hold {
	char names[BERTH_WISH_PORTS_MAX][BERTH_PORT_NAME_MAX];
	struct berth_choice choice;
	bool granted; /* by the berth that runs us: nothing is leased, only the numbers are known */
	/* With @granted: what leases know of their owners otherwise. */
	struct berth_libberth_served served[BERTH_LEASE_OWNERS_MAX];
};

/* The place of port @name (NULL: the first) in the hold; false: there is no such name. */
bool berth_libberth_find_port(const struct berth_hold *hold, const char *name, size_t *ret_index);

/* Tell @err to the caller of the library (NULL allowed). Returns the code, negated. */
int berth_libberth_fail(struct berth_error *error, const struct berth_err *err);

/* The same for an error that begins here. */
int berth_libberth_refuse(struct berth_error *error, enum berth_error_code code, const char *hint,
			  const char *fmt, ...) BERTH_PRINTF(4, 5);
