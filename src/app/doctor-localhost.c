/* SPDX-License-Identifier: MIT */
/*
 * app/doctor-localhost.c - where the name localhost, and names below it, lead to here
 *
 * A resolver may ask the network, and has patience: so it is asked in a process of our own, which
 * is ended when that takes too long.
 */
#include "app/doctor-localhost.h"

#include <errno.h>
#include <netdb.h>
#include <string.h>
#include <unistd.h>

#include "app/scratch.h"
#include "os/sock.h"

struct report {
	int error;
	struct berth_doctor_localhost localhost;
};

static void note(const struct addrinfo *info, struct berth_doctor_localhost *localhost)
{
	struct berth_addr addr;

	if (berth_addr_from_raw(info->ai_addr, info->ai_addrlen, &addr) < 0)
		return;
	if (!berth_addr_is_loopback(&addr)) {
		localhost->other = true;
	} else if (info->ai_family == AF_INET) {
		localhost->v4 = true;
	} else {
		localhost->v6_first |= !localhost->v4;
		localhost->v6 = true;
	}
}

static int error_of(int r)
{
	if (r == EAI_SYSTEM)
		return errno ? -errno : -EIO;
	/* A resolver that nobody answers has no such name either. */
	return r == EAI_MEMORY ? -ENOMEM : -ENOENT;
}

static void be_asking(int fd, const void *arg)
{
	const struct addrinfo hints = { .ai_socktype = SOCK_STREAM };
	struct report report = { 0 };
	struct addrinfo *list = NULL;
	int r = getaddrinfo(arg, NULL, &hints, &list);

	if (r)
		report.error = error_of(r);
	for (const struct addrinfo *info = list; info; info = info->ai_next)
		note(info, &report.localhost);
	if (list)
		freeaddrinfo(list);
	berth_scratch_say(fd, &report, sizeof(report), -1);
}

int berth_doctor_localhost_resolve(const char *name, struct berth_doctor_localhost *ret_localhost)
{
	struct berth_scratch scratch = { 0 };
	struct report report;
	int r;

	r = berth_scratch_start(&scratch, be_asking, name);
	if (r == 0)
		r = berth_scratch_hear(scratch.fd, &report, sizeof(report), NULL);
	berth_scratch_end(&scratch);
	if (r == 0)
		r = report.error;
	if (r == 0)
		*ret_localhost = report.localhost;
	return r;
}

static const char *error_text(int r)
{
	return r == -ENOENT ? "there is no such name" : berth_scratch_error(r);
}

static bool judge_name(int r, const struct berth_doctor_localhost *localhost,
		       struct berth_doctor_finding *finding)
{
	if (r == 0 && (localhost->v4 || localhost->v6) && !localhost->other)
		return true;
	if (r < 0)
		berth_doctor_found(finding, BERTH_DOCTOR_MISSING,
				   "the name localhost leads nowhere: %s", error_text(r));
	else
		berth_doctor_found(finding, BERTH_DOCTOR_MISSING,
				   "the name localhost leads to another machine%s",
				   localhost->v4 || localhost->v6 ? ", too" : "");
	berth_doctor_cost(finding,
			  "the addresses that berth tells (http://localhost:PORT) reach no "
			  "service, except from a browser");
	berth_doctor_fix(finding, true, "sh -c 'echo 127.0.0.1 localhost >>/etc/hosts'");
	return false;
}

void berth_doctor_localhost(const struct berth_doctor_place *place,
			    struct berth_doctor_finding *finding)
{
	struct berth_doctor_localhost own = { 0 }, below = { 0 };
	int r = berth_doctor_localhost_resolve("localhost", &own);

	if (!judge_name(r, &own, finding))
		return;
	r = berth_doctor_localhost_resolve("berth-doctor.localhost", &below);
	if (r == 0 && (below.v4 || below.v6) && !below.other) {
		berth_doctor_found(finding, BERTH_DOCTOR_OK,
				   "localhost leads to %s, and names below it stay on this machine",
				   own.v4 && own.v6 ? own.v6_first ? "[::1] and 127.0.0.1"
								   : "127.0.0.1 and [::1]"
				   : own.v4	    ? "127.0.0.1"
						    : "[::1]");
		return;
	}
	berth_doctor_found(finding, BERTH_DOCTOR_DEGRADED, "names below localhost %s%s",
			   r < 0 ? "lead nowhere: " : "lead to another machine",
			   r < 0 ? error_text(r) : "");
	berth_doctor_cost(finding, "backend.shop.localhost is known to browsers and curl only, "
				   "which need no resolver for it");
	if (access("/usr/bin/apt-get", X_OK) == 0)
		berth_doctor_fix(finding, true, "apt-get install libnss-myhostname");
}
