/* SPDX-License-Identifier: MIT */
/* app/doctor-cors.h - may a page of another origin read what a service answers: pure */
#pragma once

#include "app/doctor-http.h"
#include "app/doctor.h"

enum {
	BERTH_DOCTOR_ORIGIN_MAX = 300, /* the longest host name, scheme and port, rounded up */
};

/* An origin that no page has: those who allow it allow every page there is. */
#define BERTH_DOCTOR_CORS_STRANGER "https://berth-doctor.invalid"

/* "http://localhost:5173", as browsers write it: no path, no slash at the end, lower case. */
bool berth_doctor_cors_is_origin(const char *text);

/*
 * The next of @list (BERTH_CORS_ORIGINS: parted by commas or blanks), and where the list goes on;
 * NULL: there is none left. One that is too long is cut.
 */
const char *berth_doctor_cors_next(const char *list, char ret_origin[BERTH_DOCTOR_ORIGIN_MAX]);

/* What was answered to GET and to its preflight with this origin, and to GET with a strange one. */
struct berth_doctor_cors {
	const char *origin;
	bool several; /* other origins are to be allowed as well */
	const struct berth_doctor_http *get, *preflight, *stranger;
};
void berth_doctor_cors_judge(const struct berth_doctor_cors *cors,
			     struct berth_doctor_finding *finding);
