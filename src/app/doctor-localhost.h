/* SPDX-License-Identifier: MIT */
/* app/doctor-localhost.h - where the name localhost, and names below it, lead to here */
#pragma once

#include "app/doctor.h"

struct berth_doctor_localhost {
	bool v4, v6; /* 127.0.0.1 and [::1] are among the addresses */
	bool v6_first; /* [::1] comes before 127.0.0.1 */
	bool other; /* so is an address that is not of loopback */
};

/*
 * Ask the resolver of this machine, as other programs do, but no longer than a second: it may ask
 * the network. 0; -ENOENT: no such name; -ETIMEDOUT; -errno.
 */
BERTH_MUST_USE int berth_doctor_localhost_resolve(const char *name,
						  struct berth_doctor_localhost *ret_localhost);

/* The check "localhost". */
void berth_doctor_localhost(const struct berth_doctor_place *place,
			    struct berth_doctor_finding *finding);
