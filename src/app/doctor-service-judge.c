/* SPDX-License-Identifier: MIT */
/*
 * app/doctor-service-judge.c - what is known of a service and its ports, judged: pure
 *
 * Browsers take localhost for [::1] and 127.0.0.1 by themselves, in this order, and go on to the
 * second when the first one refuses. Other programs ask the resolver, and many of them try the
 * first address only.
 */
#include "app/doctor-service.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/str.h"
#include "base/time.h"

enum {
	VALUE_SIZE = 256,
	SHOWN = 80, /* of what a server said */
	FIRST_BYTES = 16,
};

/* ---- the service ---- */

static const struct {
	const char *state;
	enum berth_doctor_result result;
	const char *cost;
} states[] = {
	{ "ready", BERTH_DOCTOR_OK, "" },
	{ "starting", BERTH_DOCTOR_DEGRADED, "what it will answer cannot be told yet" },
	{ "unready", BERTH_DOCTOR_MISSING, "it runs, but was found not to do its work" },
	{ "waiting", BERTH_DOCTOR_MISSING, "clients wait, or are refused, until it is back" },
	{ "stopping", BERTH_DOCTOR_MISSING, "clients are refused" },
};

static void add_age(struct berth_str *text, const json_t *service, const char *member,
		    const char *before, const char *after, int64_t now_ms)
{
	char age[BERTH_TIME_AGE_SIZE];
	int64_t then;

	if (berth_time_parse(berth_json_string(service, member, ""), &then) < 0)
		return;
	/* What lies ahead of us is a delay. */
	berth_time_age(then > now_ms ? then - now_ms : now_ms - then, age);
	berth_str_addf(text, "%s%s%s", before, age, after);
}

void berth_doctor_service_judge_life(const json_t *service, int64_t now_ms,
				     struct berth_doctor_finding *finding)
{
	BERTH_CLEANUP(berth_str_deinit) struct berth_str text = { 0 };
	const char *state = berth_json_string(service, "state", "?");
	const char *health = berth_json_string(service, "health", "ok");
	int64_t pid = berth_json_int(service, "pid", 0);
	int64_t restarts = berth_json_int(service, "restarts", 0);
	enum berth_doctor_result result = BERTH_DOCTOR_MISSING;
	const char *cost = "clients are refused";

	for (size_t i = 0; i < BERTH_ARRAY_SIZE(states); i++) {
		if (strcmp(states[i].state, state) != 0)
			continue;
		result = states[i].result;
		cost = states[i].cost;
	}
	berth_str_add(&text, state);
	if (pid)
		berth_str_addf(&text, ", pid %" PRId64, pid);
	add_age(&text, service, "started_at", ", started ", " ago", now_ms);
	add_age(&text, service, "restart_at", ", starts again in ", "", now_ms);
	if (restarts)
		berth_str_addf(&text, ", %" PRId64 " restart%s", restarts,
			       restarts == 1 ? "" : "s");
	if (strcmp(health, "failing") == 0) {
		berth_str_add(&text, ", its probe fails");
		result = BERTH_DOCTOR_MISSING;
		cost = "it runs, but was found not to do its work";
	}
	berth_doctor_found(finding, result, "%s", berth_str_text(&text) ? text.text : state);
	berth_doctor_cost(finding, "%s", cost);
	if (result != BERTH_DOCTOR_OK && berth_json_string(service, "log", NULL))
		berth_doctor_fix(finding, false, "berth logs %s",
				 berth_json_string(service, "id", ""));
}

/* ---- where it listens ---- */

static void add_place(struct berth_str *text, const struct berth_doctor_listener *listener)
{
	char where[BERTH_ADDR_STRLEN];

	berth_str_addf(text, "%s%s%s", text->len ? ", " : "",
		       berth_addr_format(&listener->addr, where),
		       listener->on_device ? " on one interface" : "");
}

static size_t count_of(const struct berth_doctor_port *port, enum berth_doctor_whose whose)
{
	size_t count = 0;

	for (size_t i = 0; i < port->count; i++)
		count += port->listeners[i].whose == whose;
	return count;
}

static void judge_silence(const struct berth_doctor_port *port,
			  struct berth_doctor_finding *finding)
{
	if (count_of(port, BERTH_DOCTOR_KEPT)) {
		berth_doctor_found(finding, BERTH_DOCTOR_DEGRADED,
				   "its socket on port %u is kept for its next life", port->number);
		berth_doctor_cost(finding, "clients wait until it is back");
		return;
	}
	if (*port->elsewhere)
		berth_doctor_found(finding, BERTH_DOCTOR_MISSING,
				   "not on port %u, which it was given, but on %s", port->number,
				   port->elsewhere);
	else
		berth_doctor_found(finding, BERTH_DOCTOR_MISSING, "nothing of it is on port %u",
				   port->number);
	berth_doctor_cost(finding, "whoever goes to port %u is refused%s", port->number,
			  *port->elsewhere ? ", or meets somebody else" : "");
}

void berth_doctor_service_judge_listening(const struct berth_doctor_port *port,
					  struct berth_doctor_finding *finding)
{
	BERTH_CLEANUP(berth_str_deinit) struct berth_str places = { 0 };
	bool v4 = false, v6 = false;

	for (size_t i = 0; i < port->count; i++) {
		const struct berth_doctor_listener *listener = &port->listeners[i];
		bool mapped = berth_addr_is_v4mapped(&listener->addr);

		if (listener->whose != BERTH_DOCTOR_OWN)
			continue;
		add_place(&places, listener);
		v4 |= listener->addr.sa.sa_family == AF_INET || mapped || listener->both;
		v6 |= listener->addr.sa.sa_family == AF_INET6 && !mapped;
	}
	if (!v4 && !v6)
		judge_silence(port, finding);
	else
		berth_doctor_found(finding, BERTH_DOCTOR_OK, "%s (%s)",
				   berth_str_text(&places) ? places.text : "",
				   v4 && v6 ? "IPv4 and IPv6"
				   : v4	    ? "IPv4 only"
					    : "IPv6 only");
}

/* ---- who else ---- */

static const char *loopback_text(bool gets4, bool gets6)
{
	return gets4 && gets6 ? "127.0.0.1 and [::1]" : gets4 ? "127.0.0.1" : "[::1]";
}

/* Do clients of the loopback address of one family come to such a listener? */
static bool gets(const struct berth_doctor_port *port, enum berth_doctor_whose whose, bool v6)
{
	for (size_t i = 0; i < port->count; i++)
		if (port->listeners[i].whose == whose &&
		    (v6 ? port->listeners[i].gets6 : port->listeners[i].gets4))
			return true;
	return false;
}

/* A stranger whom clients of localhost meet; NULL: there is none. */
static const struct berth_doctor_listener *find_stranger(const struct berth_doctor_port *port,
							 bool v4, bool v6)
{
	for (size_t i = 0; i < port->count; i++) {
		const struct berth_doctor_listener *listener = &port->listeners[i];

		if (listener->whose == BERTH_DOCTOR_FOREIGN &&
		    ((v4 && listener->gets4) || (v6 && listener->gets6)))
			return listener;
	}
	return NULL;
}

static void judge_stranger(const struct berth_doctor_port *port,
			   const struct berth_doctor_listener *stranger,
			   struct berth_doctor_finding *finding)
{
	bool shared = (stranger->gets4 && gets(port, BERTH_DOCTOR_OWN, false)) ||
		      (stranger->gets6 && gets(port, BERTH_DOCTOR_OWN, true));
	bool own = gets(port, BERTH_DOCTOR_OWN, false) || gets(port, BERTH_DOCTOR_OWN, true);

	berth_doctor_found(finding, BERTH_DOCTOR_MISSING, "on %s, port %u, %s answers%s",
			   loopback_text(stranger->gets4, stranger->gets6), port->number,
			   stranger->who, shared ? ", too" : "");
	berth_doctor_cost(finding,
			  own ? "a client of localhost:%u meets one program or the other"
			      : "a client of localhost:%u meets that program",
			  port->number);
	if (stranger->pid)
		berth_doctor_fix(finding, stranger->others_user, "kill %d", stranger->pid);
	else
		berth_doctor_fix(finding, true, "berth who %u", port->number);
}

void berth_doctor_service_judge_localhost(const struct berth_doctor_port *port,
					  struct berth_doctor_finding *finding)
{
	const struct berth_doctor_listener *stranger = find_stranger(port, true, true);
	bool own4 = gets(port, BERTH_DOCTOR_OWN, false), own6 = gets(port, BERTH_DOCTOR_OWN, true);

	if (stranger)
		judge_stranger(port, stranger, finding);
	else if (!own4 && !own6)
		berth_doctor_found(finding, BERTH_DOCTOR_OK, "nobody else answers there");
	else
		berth_doctor_found(finding, BERTH_DOCTOR_OK, "%s lead%s to it%s%s",
				   loopback_text(own4, own6), own4 && own6 ? "" : "s",
				   own4 && own6 ? ", and to nobody else" : ", and nobody is on ",
				   own4 && own6 ? "" : loopback_text(!own4, !own6));
}

/* ---- HTTP ---- */

static const char *first_bytes(const struct berth_doctor_http *http, char *buf, size_t size)
{
	size_t len = http->len < FIRST_BYTES ? http->len : FIRST_BYTES;

	return berth_str_printable(http->text, len, buf, size);
}

static void judge_answer(const struct berth_doctor_port *port, struct berth_doctor_finding *finding)
{
	char server[VALUE_SIZE], shown[SHOWN];
	bool named = berth_doctor_http_field(port->http, "Server", 0, server, sizeof(server));

	berth_doctor_found(finding, BERTH_DOCTOR_OK, "GET / is answered with %u%s%s%s",
			   port->http->status, named ? " by '" : "",
			   named ? berth_str_printable(server, (size_t)-1, shown, sizeof(shown))
				 : "",
			   named ? "'" : "");
}

static void judge_other(const struct berth_doctor_port *port, struct berth_doctor_finding *finding)
{
	static const char cost[] = "no browser can talk to it at http://localhost:%u";
	char shown[SHOWN];

	berth_doctor_found(finding, BERTH_DOCTOR_DEGRADED, "it answers, but not HTTP: '%s'",
			   first_bytes(port->http, shown, sizeof(shown)));
	berth_doctor_cost(finding, cost, port->number);
}

void berth_doctor_service_judge_http(const struct berth_doctor_port *port,
				     struct berth_doctor_finding *finding)
{
	if (port->tls) {
		berth_doctor_found(finding, BERTH_DOCTOR_OK,
				   "it speaks TLS; what it answers inside was not asked");
		return;
	}
	switch (port->http->outcome) {
	case BERTH_DOCTOR_HTTP_ANSWERED:
		judge_answer(port, finding);
		return;
	case BERTH_DOCTOR_HTTP_OTHER:
		judge_other(port, finding);
		return;
	case BERTH_DOCTOR_HTTP_CLOSED:
		berth_doctor_found(finding, BERTH_DOCTOR_MISSING,
				   "it closes the connection without an answer to GET /");
		break;
	case BERTH_DOCTOR_HTTP_SILENT:
		berth_doctor_found(finding, BERTH_DOCTOR_MISSING,
				   "no answer to GET / within %d seconds",
				   BERTH_DOCTOR_HTTP_MS / 1000);
		break;
	case BERTH_DOCTOR_HTTP_UNREACHED:
	case BERTH_DOCTOR_HTTP_NOTHING:
		berth_doctor_found(finding, BERTH_DOCTOR_MISSING, "it cannot be reached: %s",
				   strerror(-port->http->error));
		break;
	}
	berth_doctor_cost(finding, "a browser shows an error, or waits");
}

/* ---- a browser ---- */

static bool judge_number(const struct berth_doctor_port *port, struct berth_doctor_finding *finding)
{
	if (!port->refused_by_browsers)
		return true;
	berth_doctor_found(finding, BERTH_DOCTOR_MISSING,
			   "browsers refuse to connect to port %u (the 'bad ports' of Fetch)",
			   port->number);
	berth_doctor_cost(finding, "the page is never asked for, nor is anything that a page of "
				   "another port wants from here");
	return false;
}

/* What the URL says, and what is spoken. */
static bool judge_scheme(const struct berth_doctor_port *port, struct berth_doctor_finding *finding)
{
	bool https = strcmp(port->scheme, "https") == 0;

	if (https == port->tls)
		return true;
	berth_doctor_found(finding, BERTH_DOCTOR_MISSING,
			   "it speaks %s, and its URL is %s://localhost:%u",
			   port->tls ? "TLS" : "no TLS", port->scheme, port->number);
	berth_doctor_cost(finding, "at that URL is nothing for a browser; at %s://localhost:%u is",
			  https ? "http" : "https", port->number);
	return false;
}

static void judge_path(const struct berth_doctor_port *port, struct berth_doctor_finding *finding)
{
	const struct berth_doctor_localhost *name = &port->localhost;
	bool own4 = gets(port, BERTH_DOCTOR_OWN, false), own6 = gets(port, BERTH_DOCTOR_OWN, true);

	if (port->localhost_error) {
		berth_doctor_found(
			finding, BERTH_DOCTOR_DEGRADED,
			"browsers know localhost by themselves, but no resolver here does");
		berth_doctor_cost(finding, "no other program reaches it at localhost:%u",
				  port->number);
	} else if (own4 && own6) {
		berth_doctor_found(finding, BERTH_DOCTOR_OK, "at %s://localhost:%u", port->scheme,
				   port->number);
	} else if (own4 && name->v6_first) {
		berth_doctor_found(finding, BERTH_DOCTOR_DEGRADED,
				   "by fallback: localhost is [::1] first, which refuses, then "
				   "127.0.0.1");
		berth_doctor_cost(finding,
				  "programs that try one address only are refused at "
				  "localhost:%u",
				  port->number);
	} else if (own6 && name->v4 && !name->v6_first) {
		berth_doctor_found(finding, BERTH_DOCTOR_DEGRADED,
				   "it is on [::1], and localhost is 127.0.0.1 %s",
				   name->v6 ? "first, which refuses" : "alone to all but browsers");
		berth_doctor_cost(finding,
				  "programs that try one address only are refused at "
				  "localhost:%u",
				  port->number);
	} else {
		berth_doctor_found(finding, BERTH_DOCTOR_OK, "at %s://localhost:%u, which is %s",
				   port->scheme, port->number, loopback_text(own4, own6));
	}
}

void berth_doctor_service_judge_browser(const struct berth_doctor_port *port,
					struct berth_doctor_finding *finding)
{
	const struct berth_doctor_listener *first = find_stranger(port, false, true);
	bool own4 = gets(port, BERTH_DOCTOR_OWN, false), own6 = gets(port, BERTH_DOCTOR_OWN, true);

	if (!judge_number(port, finding) || !judge_scheme(port, finding))
		return;
	if (!first && !own6)
		first = find_stranger(port, true, false);
	if (first) {
		berth_doctor_found(finding, BERTH_DOCTOR_MISSING,
				   "%s comes before it at localhost:%u", first->who, port->number);
		berth_doctor_cost(finding, "a browser shows what that program answers");
	} else if (!own4 && !own6) {
		berth_doctor_found(finding, BERTH_DOCTOR_MISSING,
				   "it is not on localhost, but its URL is %s://localhost:%u",
				   port->scheme, port->number);
		berth_doctor_cost(finding, "a browser is refused there");
	} else {
		judge_path(port, finding);
	}
}
