/* SPDX-License-Identifier: MIT */
/* app/doctor-service.h - is a service reached, by a browser above all, and else why not */
#pragma once

#include "app/doctor-http.h"
#include "app/doctor-localhost.h"
#include "app/doctor.h"
#include "base/json.h"

enum {
	BERTH_DOCTOR_SERVICE_LISTENERS = 16, /* more on one port are not looked at */
};

/* What is said of a service, or of one port of it. All strings are borrowed. */
struct berth_doctor_row {
	const char *name;
	const char *port; /* the port's name; NULL: it is about the service, or its main port */
	const char *origin; /* of a CORS row; NULL: of no other */
	struct berth_doctor_finding finding;
};

/*
 * Look at the service of @record (of app/registry.h, labelled), and call @fn for each row: asks its
 * supervisor, the kernel, and the service itself by HTTP. Takes some milliseconds, and two seconds
 * for each question that is not answered. *ret_service is its document as of now, a new reference.
 */
void berth_doctor_service(const json_t *record,
			  void (*fn)(const struct berth_doctor_row *row, void *arg), void *arg,
			  json_t **ret_service);

/* ---- doctor-service-judge.c: what is known of a port, and what follows from it: pure ---- */

enum berth_doctor_whose {
	BERTH_DOCTOR_OWN,
	BERTH_DOCTOR_KEPT, /* the service's, held for its next life: nobody accepts */
	BERTH_DOCTOR_FOREIGN,
};

struct berth_doctor_listener {
	struct berth_addr addr;
	bool both; /* an IPv6 socket that takes IPv4 as well */
	bool on_device; /* SO_BINDTODEVICE */
	bool gets4, gets6; /* clients of 127.0.0.1, [::1] come to it */
	enum berth_doctor_whose whose;
	char who[96]; /* FOREIGN: "node 812", printable */
	pid_t pid; /* FOREIGN; 0: hidden */
	bool others_user; /* FOREIGN: of another user than ours */
};

struct berth_doctor_port {
	uint16_t number;
	const char *scheme; /* "http", "redis" ...; "": none */
	struct berth_doctor_listener listeners[BERTH_DOCTOR_SERVICE_LISTENERS];
	size_t count;
	char elsewhere[96]; /* where the service listens in its place; "": nowhere */
	bool refused_by_browsers; /* a bad port of the Fetch standard */
	bool tls; /* it speaks TLS */
	const struct berth_doctor_http *http; /* what it answered to GET / */
	int localhost_error; /* -errno: the name could not be resolved */
	struct berth_doctor_localhost localhost;
};

/* Of the service as a whole, by its document and the time. */
void berth_doctor_service_judge_life(const json_t *service, int64_t now_ms,
				     struct berth_doctor_finding *finding);
/* What it listens on, and in which family. */
void berth_doctor_service_judge_listening(const struct berth_doctor_port *port,
					  struct berth_doctor_finding *finding);
/* Who else answers on localhost with that number. */
void berth_doctor_service_judge_localhost(const struct berth_doctor_port *port,
					  struct berth_doctor_finding *finding);
/* Does it answer HTTP? For a port whose scheme is http or https. */
void berth_doctor_service_judge_http(const struct berth_doctor_port *port,
				     struct berth_doctor_finding *finding);
/* Is a browser going to reach it at its URL? For one that answers HTTP or TLS. */
void berth_doctor_service_judge_browser(const struct berth_doctor_port *port,
					struct berth_doctor_finding *finding);
