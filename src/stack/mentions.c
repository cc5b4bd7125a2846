/* SPDX-License-Identifier: MIT */
/* stack/mentions.c - whose ports a service is told, in its command, variables, checks and links: {backend.port} */
#include "stack/mentions.h"

#include <string.h>

/* Is there a "{other." in @text? A doubled brace is none. */
static bool has(const char *text, const char *other)
{
	size_t len = strlen(other);

	for (const char *at = text; at && (at = strchr(at, '{')); at++) {
		if (at[1] == '{')
			at++;
		else if (strncmp(at + 1, other, len) == 0 && at[1 + len] == '.')
			return true;
	}
	return false;
}

static bool has_in_command(const struct berth_manifest_command *command, const char *other)
{
	if (has(command->text, other))
		return true;
	for (char *const *word = command->argv; word && *word; word++)
		if (has(*word, other))
			return true;
	return false;
}

bool berth_mentions(const struct berth_manifest_service *service, const char *other)
{
	if (has_in_command(&service->command, other) ||
	    has_in_command(&service->stop_command, other))
		return true;
	if (has(service->ready.arg, other) || has(service->live.arg, other))
		return true;
	for (size_t i = 0; i < service->environment_count; i++)
		if (has(service->environment[i].value, other))
			return true;
	for (size_t i = 0; i < service->link_count; i++)
		if (has(service->links[i].path, other))
			return true;
	return false;
}
