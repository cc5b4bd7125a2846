/* SPDX-License-Identifier: MIT */
/* app/doctor-http.h - ask a server one thing over plain HTTP: at most so long, at most so much */
#pragma once

#include "os/sock.h"

#include <stdbool.h>
#include <stddef.h>

enum {
	BERTH_DOCTOR_HTTP_MAX = 16 * 1024, /* bytes of an answer that are looked at */
	BERTH_DOCTOR_HTTP_MS = 2000, /* how long it may take */
};

enum berth_doctor_http_outcome {
	BERTH_DOCTOR_HTTP_NOTHING, /* not asked */
	BERTH_DOCTOR_HTTP_ANSWERED,
	BERTH_DOCTOR_HTTP_OTHER, /* it says something that is not HTTP/1 */
	BERTH_DOCTOR_HTTP_CLOSED, /* it closes the connection without a word */
	BERTH_DOCTOR_HTTP_SILENT, /* it takes the connection, and says nothing */
	BERTH_DOCTOR_HTTP_UNREACHED, /* no connection: see .error */
};

struct berth_doctor_http {
	enum berth_doctor_http_outcome outcome;
	int error; /* of UNREACHED, -errno */
	unsigned int status; /* of ANSWERED */
	size_t head; /* where its header fields begin in @text */
	size_t len;
	char text[BERTH_DOCTOR_HTTP_MAX]; /* raw, as it came; no NUL at the end */
};

/*
 * "@method / HTTP/1.1" to @target, as to http://localhost:PORT/, with @fields ("Origin: x\r\n", ""
 * for none) among its header fields.
 */
void berth_doctor_http_ask(const struct berth_addr *target, const char *method, const char *fields,
			   struct berth_doctor_http *ret_answer);

/*
 * What the first @len bytes say, pure: fills all members but .error. @ended: no more will come. 0,
 * or -EAGAIN: it takes more to tell.
 */
int berth_doctor_http_read(struct berth_doctor_http *answer, bool ended);

/*
 * The value of the @index-th field called @name, whatever its case, cut to @size; false: there are
 * not so many. Raw bytes but NUL.
 */
bool berth_doctor_http_field(const struct berth_doctor_http *answer, const char *name, size_t index,
			     char *buf, size_t size);

/* Does it answer the first words of TLS with such, be it a refusal? */
bool berth_doctor_http_is_tls(const struct berth_addr *target);
