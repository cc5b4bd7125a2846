/* SPDX-License-Identifier: MIT */
/* fuzz/fuzz-portsfile.c - .ports.json of any bytes: what comes back after a start and an end */
#include "fuzz.h"

#include "stack/portsfile.h"

static const struct berth_portsfile_port ports[] = {
	{ "main", 9001, 9000, "http://localhost:9001" },
	{ "ws", 9002, 0, "" },
};
static const struct berth_portsfile_unit units[] = { { "a", 1, "ready", ports, 2 } };
static const struct berth_portsfile_stack stack = {
	.project = "p",
	.key = "k",
	.owner = { { 1, 1 }, "b" },
	.started_ms = 1,
	.units = units,
	.unit_count = 1,
};

static bool is_dead(const struct berth_portsfile_owner *owner, void *arg)
{
	(void)arg;
	MUST(owner->boot);
	return false;
}

static char *format(const struct berth_portsfile *file)
{
	char *text = NULL;

	MUST(berth_portsfile_format(file, &text) == 0);
	return text;
}

static void parse(const char *text, struct berth_portsfile *file)
{
	struct berth_faults faults = { 0 };

	MUST(berth_portsfile_parse(text ? text : "", text ? strlen(text) : 0, &faults, file) == 0);
	MUST(faults.count == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	BERTH_CLEANUP(berth_portsfile_deinit) struct berth_portsfile file = { 0 };
	BERTH_CLEANUP(berth_portsfile_deinit) struct berth_portsfile up = { 0 };
	BERTH_CLEANUP(berth_portsfile_deinit) struct berth_portsfile down = { 0 };
	BERTH_CLEANUP(berth_faults_deinit) struct berth_faults faults = { 0 };
	BERTH_AUTO_FREE char *while_up = NULL, *again = NULL, *ended = NULL;
	uint16_t wish = 0;

	if (berth_portsfile_parse((const char *)data, size, &faults, &file) < 0) {
		MUST(faults.count > 0 && faults.items[0].at.line > 0 && !file.user);
		return 0;
	}
	if (berth_portsfile_wish(&file, "a", NULL, &faults, &wish) < 0)
		MUST(faults.count == 1);
	berth_portsfile_drop_dead(&file, is_dead, NULL);
	MUST(berth_portsfile_set_stack(&file, &stack) == 0);
	while_up = format(&file);
	MUST(while_up && strstr(while_up, "\"a_port\": 9001"));

	/* Read again, all of the user's is still the user's, and comes back. */
	parse(while_up, &up);
	MUST(json_equal(up.user, file.user));
	again = format(&up);
	MUST(!strcmp(while_up, again));
	berth_portsfile_drop_stack(&up, "k");
	ended = format(&up);
	parse(ended, &down);
	MUST(json_equal(down.user, file.user));
	return 0;
}
