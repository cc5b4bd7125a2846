/* SPDX-License-Identifier: MIT */
/*
 * app/doctor-cors.c - may a page of another origin read what a service answers: pure
 *
 * As browsers do it (the Fetch standard, "CORS check" and "CORS-preflight fetch"). The preflight
 * that is judged asks for a GET with a Content-Type, which is what a JSON request is to them:
 * methods that need no leave by themselves tell of the origin alone.
 */
#include "app/doctor-cors.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/str.h"

enum {
	VALUE_SIZE = 512,
	WHY_SIZE = 160,
	SHOWN = 96, /* of a value that came */
};

#define SEPARATORS ", \t\n"

bool berth_doctor_cors_is_origin(const char *text)
{
	const char *host = strstr(text, "://");

	if (!host || host == text || !host[3])
		return false;
	for (const char *at = text; *at; at++)
		if (!isgraph((unsigned char)*at) || isupper((unsigned char)*at) ||
		    (at >= host + 3 && strchr("/?#@\\", *at)))
			return false;
	return true;
}

const char *berth_doctor_cors_next(const char *list, char ret_origin[BERTH_DOCTOR_ORIGIN_MAX])
{
	size_t len;

	list += strspn(list, SEPARATORS);
	len = strcspn(list, SEPARATORS);
	if (!len)
		return NULL;
	snprintf(ret_origin, BERTH_DOCTOR_ORIGIN_MAX, "%.*s", (int)len, list);
	return list + len;
}

/* ---- one answer ---- */

enum leave {
	LEAVE_NONE,
	LEAVE_ALL, /* "*" */
	LEAVE_GIVEN, /* to this origin, by name */
};

/* What an answer allows a page of @origin; NONE: @why not. */
static enum leave leave_of(const struct berth_doctor_http *answer, const char *origin,
			   char why[WHY_SIZE])
{
	static const char name[] = "Access-Control-Allow-Origin";
	char value[VALUE_SIZE], second[VALUE_SIZE], shown[SHOWN];

	if (!berth_doctor_http_field(answer, name, 0, value, sizeof(value))) {
		snprintf(why, WHY_SIZE, "has no %s", name);
		return LEAVE_NONE;
	}
	if (berth_doctor_http_field(answer, name, 1, second, sizeof(second))) {
		snprintf(why, WHY_SIZE, "has %s twice, which counts as none", name);
		return LEAVE_NONE;
	}
	if (strcmp(value, "*") == 0)
		return LEAVE_ALL;
	if (strcmp(value, origin) == 0)
		return LEAVE_GIVEN;
	snprintf(why, WHY_SIZE, "allows '%s' instead",
		 berth_str_printable(value, (size_t)-1, shown, sizeof(shown)));
	return LEAVE_NONE;
}

static bool has_credentials(const struct berth_doctor_http *answer)
{
	char value[VALUE_SIZE];

	return berth_doctor_http_field(answer, "Access-Control-Allow-Credentials", 0, value,
				       sizeof(value)) &&
	       strcmp(value, "true") == 0;
}

/* Is @word, whatever its case, in one of the lists that the fields called @name are? */
static bool lists(const struct berth_doctor_http *answer, const char *name, const char *word)
{
	char value[VALUE_SIZE];

	for (size_t i = 0; berth_doctor_http_field(answer, name, i, value, sizeof(value)); i++) {
		char *rest = value, *item;

		while ((item = strsep(&rest, SEPARATORS)))
			if (strcasecmp(item, word) == 0)
				return true;
	}
	return false;
}

/* "*" is a name like any other where cookies are sent. */
static bool allows_content_type(const struct berth_doctor_http *preflight)
{
	static const char name[] = "Access-Control-Allow-Headers";

	return lists(preflight, name, "content-type") ||
	       (!has_credentials(preflight) && lists(preflight, name, "*"));
}

/* ---- all of it ---- */

static bool judge_get(const struct berth_doctor_cors *cors, enum leave *ret_leave,
		      struct berth_doctor_finding *finding)
{
	char why[WHY_SIZE];

	*ret_leave = LEAVE_NONE;
	if (cors->get->outcome != BERTH_DOCTOR_HTTP_ANSWERED) {
		berth_doctor_found(finding, BERTH_DOCTOR_MISSING,
				   "%s gets no answer to GET /, where others do", cors->origin);
	} else {
		*ret_leave = leave_of(cors->get, cors->origin, why);
		if (*ret_leave == LEAVE_NONE)
			berth_doctor_found(finding, BERTH_DOCTOR_MISSING,
					   "%s is not allowed: the answer to GET / (%u) %s",
					   cors->origin, cors->get->status, why);
	}
	if (*ret_leave != LEAVE_NONE)
		return true;
	berth_doctor_cost(finding, "a page of %s cannot read what this service answers",
			  cors->origin);
	return false;
}

static bool judge_preflight(const struct berth_doctor_cors *cors,
			    struct berth_doctor_finding *finding)
{
	const struct berth_doctor_http *preflight = cors->preflight;
	char why[WHY_SIZE];

	if (preflight->outcome != BERTH_DOCTOR_HTTP_ANSWERED)
		snprintf(why, sizeof(why), "is not answered");
	else if (preflight->status < 200 || preflight->status > 299)
		snprintf(why, sizeof(why), "is answered with %u", preflight->status);
	else if (leave_of(preflight, cors->origin, why) != LEAVE_NONE)
		return true;
	berth_doctor_found(finding, BERTH_DOCTOR_MISSING,
			   "%s is allowed, but not by the preflight: OPTIONS / %s", cors->origin,
			   why);
	berth_doctor_cost(finding,
			  "a page of %s can send neither JSON, nor a login, nor PUT and DELETE",
			  cors->origin);
	return false;
}

static bool judge_credentials(const struct berth_doctor_cors *cors,
			      struct berth_doctor_finding *finding)
{
	const struct berth_doctor_http *answers[] = { cors->get, cors->preflight };
	char why[WHY_SIZE];

	for (size_t i = 0; i < BERTH_ARRAY_SIZE(answers); i++) {
		if (leave_of(answers[i], cors->origin, why) != LEAVE_ALL ||
		    !has_credentials(answers[i]))
			continue;
		berth_doctor_found(
			finding, BERTH_DOCTOR_MISSING,
			"%s is allowed by '*' together with credentials, which browsers refuse",
			cors->origin);
		berth_doctor_cost(finding,
				  "what a page of %s asks with cookies or a login fails there",
				  cors->origin);
		return false;
	}
	return true;
}

/* Does it name this origin whoever asks? Then the answer may be kept for all. */
static bool is_the_same_to_all(const struct berth_doctor_cors *cors)
{
	char why[WHY_SIZE];

	return leave_of(cors->stranger, cors->origin, why) == LEAVE_GIVEN;
}

/* What works, but has a price. */
static bool judge_reach(const struct berth_doctor_cors *cors, enum leave leave,
			struct berth_doctor_finding *finding)
{
	bool credentials = has_credentials(cors->get);
	char why[WHY_SIZE];

	if (leave == LEAVE_ALL) {
		berth_doctor_found(finding, BERTH_DOCTOR_DEGRADED,
				   "%s is allowed, as every origin is (*)", cors->origin);
		berth_doctor_cost(finding, "any page that is open in a browser here can read the "
					   "answers; cookies are never sent");
	} else if (leave_of(cors->stranger, BERTH_DOCTOR_CORS_STRANGER, why) != LEAVE_NONE) {
		berth_doctor_found(finding, BERTH_DOCTOR_DEGRADED,
				   "%s is allowed, as whoever asks is%s", cors->origin,
				   credentials ? ", with credentials" : "");
		berth_doctor_cost(finding,
				  "any page that is open in a browser here can read the answers%s",
				  credentials ? ", in the name of the user who is logged in" : "");
	} else if (!allows_content_type(cors->preflight)) {
		berth_doctor_found(finding, BERTH_DOCTOR_DEGRADED,
				   "%s is allowed, but its preflight does not allow Content-Type",
				   cors->origin);
		berth_doctor_cost(finding, "a page of %s cannot send JSON", cors->origin);
	} else if (cors->several && !is_the_same_to_all(cors) &&
		   !lists(cors->get, "Vary", "origin") && !lists(cors->get, "Vary", "*")) {
		berth_doctor_found(finding, BERTH_DOCTOR_DEGRADED,
				   "%s is allowed, but the answer does not say 'Vary: Origin'",
				   cors->origin);
		berth_doctor_cost(finding, "a cache may give a page the answer that was made for "
					   "another origin, and the page cannot read that");
	} else {
		return true;
	}
	return false;
}

void berth_doctor_cors_judge(const struct berth_doctor_cors *cors,
			     struct berth_doctor_finding *finding)
{
	enum leave leave;

	if (!berth_doctor_cors_is_origin(cors->origin)) {
		berth_doctor_found(finding, BERTH_DOCTOR_MISSING,
				   "'%s' in BERTH_CORS_ORIGINS is no origin (as "
				   "http://localhost:5173 is)",
				   cors->origin);
		berth_doctor_cost(finding, "no browser ever says that it comes from there");
		return;
	}
	if (!judge_get(cors, &leave, finding) || !judge_credentials(cors, finding) ||
	    !judge_preflight(cors, finding) || !judge_reach(cors, leave, finding))
		return;
	berth_doctor_found(finding, BERTH_DOCTOR_OK, "%s is allowed, %s credentials", cors->origin,
			   has_credentials(cors->get) ? "with" : "without");
}
