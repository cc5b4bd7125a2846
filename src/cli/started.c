/* SPDX-License-Identifier: MIT */
/* cli/started.c - say where a service that was started in the background is to be reached */
#include "cli/started.h"

#include <string.h>

#include "base/str.h"

/* " (it asked for 5173, held by node 812 'shop@main/web')" */
static void add_moved(struct berth_str *text, const json_t *port)
{
	const char *why = berth_json_string(port, "why", NULL);
	int64_t asked = berth_json_int(port, "asked", 0);

	if (!asked || asked == berth_json_int(port, "port", 0))
		return;
	berth_str_addf(text, " (it asked for %lld%s%s)", (long long)asked, why ? ", " : "",
		       why ? why : "");
}

void berth_started_say(struct berth_out *out, const json_t *service, const json_t *port,
		       bool reused, bool one_of_many)
{
	const char *url = berth_json_string(port, "url", NULL);
	const char *name = berth_json_string(port, "name", "");
	struct berth_str text = { 0 };

	berth_str_add(&text, berth_json_string(service, "service", ""));
	if (one_of_many && berth_json_int(service, "instance", 1) > 1)
		berth_str_addf(&text, ".%lld", (long long)berth_json_int(service, "instance", 1));
	if (strcmp(name, "main") != 0)
		berth_str_addf(&text, ":%s", name);
	/* A worker of a Procfile is given a port and may never use it. */
	if (!berth_json_bool(port, "listening", true) && !reused)
		berth_str_addf(&text, " runs, its port is %lld",
			       (long long)berth_json_int(port, "port", 0));
	else if (url)
		berth_str_addf(&text, " is %s", url);
	else
		berth_str_addf(&text, " is port %lld", (long long)berth_json_int(port, "port", 0));
	add_moved(&text, port);
	if (reused)
		berth_str_add(&text, ", running already");
	if (berth_str_text(&text))
		berth_out_say(out, "%s", berth_str_text(&text));
	berth_str_deinit(&text);
}
