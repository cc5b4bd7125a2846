/* SPDX-License-Identifier: MIT */
/* cli/plan.c - show which ports a stack would get: `berth plan`, `berth up -n` */
#include "cli/plan.h"

#include <errno.h>
#include <string.h>

#include "app/ports-file.h"
#include "app/stack-plan.h"
#include "base/time.h"
#include "cli/services.h"
#include "cli/table.h"

static void format_service(const json_t *row, const json_t *value, int64_t now_ms,
			   struct berth_str *text)
{
	const char *name = berth_json_string(row, "name", "main");
	int64_t instance = berth_json_int(row, "instance", 1);

	berth_str_add(text, json_string_value(value));
	if (instance > 1)
		berth_str_addf(text, ".%lld", (long long)instance);
	if (strcmp(name, "main") != 0)
		berth_str_addf(text, ":%s", name);
}

static void format_reason(const json_t *row, const json_t *value, int64_t now_ms,
			  struct berth_str *text)
{
	berth_str_add(text, berth_json_bool(row, "running", false) ? "running"
								   : json_string_value(value));
}

static enum berth_out_tone reason_tone(const json_t *value)
{
	const char *reason = json_string_value(value);

	if (!reason)
		return BERTH_TONE_PLAIN;

	return strcmp(reason, "taken") == 0 || strcmp(reason, "reserved") == 0 ? BERTH_TONE_WARN
									       : BERTH_TONE_PLAIN;
}

static const struct berth_column columns[] = {
	{ .name = "service", .header = "SERVICE", .path = "service", .format = format_service },
	{ .name = "port", .header = "PORT", .type = BERTH_COLUMN_INTEGER, .path = "port" },
	{ .name = "asked", .header = "ASKED", .type = BERTH_COLUMN_INTEGER, .path = "asked" },
	{ .name = "reason",
	  .header = "WHY",
	  .path = "reason",
	  .format = format_reason,
	  .tone = reason_tone },
	{ .name = "url", .header = "URL", .path = "url" },
	{ 0 },
};

/* A row for each port, and one for a service that has none. */
static json_t *rows_of(const json_t *services)
{
	json_t *rows = json_array();
	const json_t *service, *port;
	size_t i, j;

	json_array_foreach (services, i, service) {
		const json_t *ports = json_object_get(service, "ports");
		json_t *row;

		if (!json_array_size(ports))
			json_array_append_new(
				rows, json_pack("{s:O,s:O,s:O}", "service",
						json_object_get(service, "service"), "instance",
						json_object_get(service, "instance"), "running",
						json_object_get(service, "running")));
		json_array_foreach (ports, j, port) {
			row = json_copy((json_t *)(uintptr_t)port);
			json_object_update(row, (json_t *)(uintptr_t)service);
			json_object_del(row, "ports");
			json_array_append_new(rows, row);
		}
	}
	return rows;
}

/* Of the first instances: a file has one port for each name. */
static int write_wishes(struct berth_cli *cli, const struct berth_stack *stack,
			const json_t *services, struct berth_err *err)
{
	const json_t *service, *port;
	size_t i, j;
	int r = 0;

	json_array_foreach (services, i, service) {
		if (berth_json_int(service, "instance", 1) > 1 ||
		    berth_json_bool(service, "running", false))
			continue;
		json_array_foreach (json_object_get(service, "ports"), j, port) {
			if (r == 0)
				r = berth_ports_file_set_wish(
					stack->ports_file,
					berth_json_string(service, "service", ""),
					j ? berth_json_string(port, "name", "") : NULL,
					(uint16_t)berth_json_int(port, "port", 0),
					berth_json_string(port, "url", ""), err);
		}
	}
	if (r == 0)
		berth_out_say(&cli->out, "wrote %s", stack->ports_file);
	return r;
}

int berth_plan_print(struct berth_cli *cli, const struct berth_stack *stack, bool write,
		     struct berth_err *err)
{
	BERTH_AUTO_JSON json_t *services = NULL;
	BERTH_AUTO_JSON json_t *document = NULL;
	BERTH_AUTO_JSON json_t *rows = NULL;
	struct berth_services running;
	struct berth_table table;
	struct berth_str text = { 0 };
	int r = berth_services_load(&running, err);

	if (r < 0)
		return r;
	r = berth_stack_plan(stack, running.records, &services, err);
	berth_services_deinit(&running);
	if (r == 0 && write)
		r = write_wishes(cli, stack, services, err);
	if (r == 0 && cli->out.json) {
		document = json_pack("{s:i,s:O}", "version", 1, "services", services);
		berth_out_json(&cli->out, document);
		return 0;
	}
	if (r == 0)
		r = berth_table_select(columns, NULL, &table, err);
	rows = rows_of(services);
	if (r == 0)
		r = berth_table_text(&table, rows, berth_time_now_ms(), &cli->out, &text);
	if (r == 0)
		berth_out_result(&cli->out, "%s", berth_str_text(&text));
	berth_str_deinit(&text);
	return r;
}
