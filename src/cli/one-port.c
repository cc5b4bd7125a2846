/* SPDX-License-Identifier: MIT */
/* cli/one-port.c - "SERVICE[:NAME]": one port of one running service */
#include "cli/one-port.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/str.h"
#include "cli/services.h"

static int no_port(const json_t *service, const char *name, struct berth_err *err)
{
	const char *label = berth_json_string(service, "label", "?");
	const json_t *ports = json_object_get(service, "ports");
	struct berth_str names = { 0 };
	const json_t *port;
	size_t i;

	if (!json_array_size(ports)) {
		berth_err_set(err, -ENOENT, BERTH_ERR_NOT_FOUND, "'%s' has no port yet", label);
		return -ENOENT;
	}
	json_array_foreach (ports, i, port)
		berth_str_addf(&names, "%s%s", i ? ", " : "", berth_json_string(port, "name", ""));
	berth_err_set(err, -ENOENT, BERTH_ERR_NOT_FOUND, "'%s' has no port '%s'", label, name);
	berth_err_hint(err, "it has: %s", berth_str_text(&names) ? berth_str_text(&names) : "");
	berth_str_deinit(&names);
	return -ENOENT;
}

int berth_one_port(const char *operand, json_t **ret_port, struct berth_err *err)
{
	/* ":8080" is a port number, "api:ws" a port of a service. */
	const char *colon = operand && *operand != ':' ? strchr(operand, ':') : NULL;
	struct berth_services services;
	char shown[64], name[256];
	const json_t *port;
	json_t *record;
	int r = berth_services_load(&services, err);

	if (r < 0)
		return r;
	if (colon)
		snprintf(name, sizeof(name), "%.*s", (int)(colon - operand), operand);
	r = berth_services_one(&services, colon ? name : operand, &record, err);
	if (r == 0) {
		port = berth_services_port(berth_registry_service(record),
					   colon ? colon + 1 : NULL);
		if (port)
			*ret_port = json_incref((json_t *)(uintptr_t)port);
		else
			r = no_port(berth_registry_service(record),
				    berth_str_printable(colon ? colon + 1 : "main", (size_t)-1,
							shown, sizeof(shown)),
				    err);
	}
	berth_services_deinit(&services);
	return r;
}
