/* SPDX-License-Identifier: MIT */
/*
 * look/units.c - systemd's sockets: which unit process 1 (or a user's manager) listens for
 *
 *     [{"listen":"[::]:22","unit":"ssh.socket","activates":"ssh.service"}, ...]
 *
 * By systemctl(1) and not by D-Bus: a client of that is a library, for one question that is seldom
 * asked.
 */
#include "look/units.h"

#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/parse.h"
#include "base/str.h"
#include "look/tool.h"

enum {
	TIMEOUT_MS = 2000,
	OUTPUT_MAX = 4 << 20,
};

/* "0.0.0.0:22", "[::]:22", "[fe80::1]:22%eth0"; not "/run/x.sock", "vsock:2:22", "kobject-uevent 1" */
static bool is_on_port(const char *listen, uint16_t port)
{
	size_t address_len = listen[0] == '[' ? strcspn(listen, "]") + 1 : strcspn(listen, ":");
	const char *number = listen + address_len + 1;
	char digits[8];
	uint16_t found = 0;

	if (listen[0] == '/' || listen[0] == '@' || strlen(listen) <= address_len ||
	    listen[address_len] != ':')
		return false;
	/* It may be bound to an interface. */
	if (snprintf(digits, sizeof(digits), "%.*s", (int)strcspn(number, "%"), number) >=
	    (int)sizeof(digits))
		return false;
	return berth_parse_port(digits, &found) == 0 && found == port && digits[0] != ':';
}

bool berth_units_parse(const char *text, size_t len, uint16_t port, char *unit, size_t unit_size,
		       char *service, size_t service_size)
{
	BERTH_AUTO_JSON json_t *sockets = berth_json_parse(text, len);

	for (size_t i = 0; i < json_array_size(sockets); i++) {
		const json_t *socket = json_array_get(sockets, i);
		const json_t *starts = json_object_get(socket, "activates");
		const char *name = berth_json_string(socket, "unit", "");

		if (!name[0] || !is_on_port(berth_json_string(socket, "listen", ""), port))
			continue;
		if (json_is_array(starts)) /* of several the first */
			starts = json_array_get(starts, 0);
		berth_str_printable(name, (size_t)-1, unit, unit_size);
		berth_str_printable(json_is_string(starts) ? json_string_value(starts) : "",
				    (size_t)-1, service, service_size);
		return true;
	}
	return false;
}

bool berth_units_ask(const char *path, uint16_t port, bool user, char *unit, size_t unit_size,
		     char *service, size_t service_size)
{
	const char *const paths[] = { path, NULL };
	const char *const argv[] = { user ? "--user" : "--system", "list-sockets", "--output=json",
				     "--no-pager", NULL };
	const char *runtime = getenv("XDG_RUNTIME_DIR");
	char variable[256];
	/* Where the user's manager is to be found; nothing else of ours is its business. */
	const char *const envp[] = { user ? variable : NULL, NULL };
	struct berth_tool_spec spec = {
		.paths = paths,
		.argv = argv,
		.envp = envp,
		.timeout_ms = TIMEOUT_MS,
		.max = OUTPUT_MAX,
	};
	BERTH_AUTO_FREE char *text = NULL;
	size_t len = 0;

	if (runtime && runtime[0] == '/' && strlen(runtime) < 200)
		snprintf(variable, sizeof(variable), "XDG_RUNTIME_DIR=%s", runtime);
	else
		snprintf(variable, sizeof(variable), "XDG_RUNTIME_DIR=/run/user/%u",
			 (unsigned int)getuid());
	return berth_tool_run(&spec, &text, &len) == 0 &&
	       berth_units_parse(text, len, port, unit, unit_size, service, service_size);
}

bool berth_units_find_socket(uint16_t port, bool user, char *unit, size_t unit_size, char *service,
			     size_t service_size)
{
	static const char *const paths[] = { "/usr/bin/systemctl", "/bin/systemctl",
					     "/run/current-system/sw/bin/systemctl" };

	/* As sd_booted(3) asks it. */
	if (access("/run/systemd/system", F_OK) != 0)
		return false;
	for (size_t i = 0; i < BERTH_ARRAY_SIZE(paths); i++)
		if (access(paths[i], X_OK) == 0)
			return berth_units_ask(paths[i], port, user, unit, unit_size, service,
					       service_size);
	return false;
}
