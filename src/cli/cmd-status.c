/* SPDX-License-Identifier: MIT */
/* cli/cmd-status.c - berth status: how the services of this project are */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "app/find.h"
#include "app/history.h"
#include "base/str.h"
#include "base/time.h"
#include "cli/cli.h"
#include "cli/commands.h"
#include "cli/end-text.h"
#include "cli/service-columns.h"
#include "cli/services.h"

enum {
	EXIT_NOT_RUNNING = 3,
	ANSWER_MS = 1000,
};

/* One fact of a service, under its name. */
BERTH_PRINTF(3, 4)
static void line(struct berth_cli *cli, const char *name, const char *fmt, ...)
{
	char text[2048];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	berth_out_result(&cli->out, "  %-11s %s\n", name, text);
}

static void print_port(struct berth_cli *cli, const json_t *port)
{
	const char *url = berth_json_string(port, "url", NULL);
	const json_t *holder = json_object_get(port, "holder");
	int64_t asked = berth_json_int(port, "asked", 0), number = berth_json_int(port, "port", 0);
	struct berth_str text = { 0 };
	const json_t *address;
	size_t i;

	if (url)
		berth_str_add(&text, url);
	else
		berth_str_addf(&text, "%s %lld", berth_json_string(port, "protocol", "tcp"),
			       (long long)number);
	if (asked && asked != number) {
		const char *service = berth_json_string(holder, "service", "");

		berth_str_addf(&text, "  (asked for %lld", (long long)asked);
		if (json_is_object(holder))
			berth_str_addf(&text, ", held by %s %lld%s%s%s",
				       berth_json_string(holder, "process", "process"),
				       (long long)berth_json_int(holder, "pid", 0),
				       *service ? " '" : "", service, *service ? "'" : "");
		berth_str_add(&text, ")");
	}
	json_array_foreach (json_object_get(port, "addresses"), i, address)
		berth_str_addf(&text, "%s%s", i ? ", " : "  on ", json_string_value(address));
	if (!berth_json_bool(port, "listening", false))
		berth_str_add(&text, "  not listening");
	if (berth_str_text(&text))
		line(cli, berth_json_string(port, "name", "port"), "%s", berth_str_text(&text));
	berth_str_deinit(&text);
}

static void print_service(struct berth_cli *cli, const json_t *service)
{
	const char *state = berth_json_string(service, "state", "");
	const json_t *state_json = json_object_get(service, "state");
	const char *why = berth_json_string(service, "steering_why", "");
	int64_t started = 0, expires = 0, now = berth_time_now_ms();
	char age[BERTH_TIME_AGE_SIZE], folder[512];
	struct berth_str command = { 0 };
	const json_t *port;
	size_t i;

	if (berth_time_parse(berth_json_string(service, "started_at", ""), &started) < 0)
		started = now;
	berth_out_result(&cli->out, "%s  %s%s%s  pid %lld, started %s, %s ago\n",
			 berth_json_string(service, "label", "?"),
			 berth_out_tone(&cli->out, berth_column_state_tone(state_json)), state,
			 berth_out_tone(&cli->out, BERTH_TONE_PLAIN),
			 (long long)berth_json_int(service, "pid", 0),
			 berth_json_string(service, "started_at", "?"),
			 berth_time_age(now - started, age));
	json_array_foreach (json_object_get(service, "ports"), i, port)
		print_port(cli, port);
	berth_column_argv(service, json_object_get(service, "command"), now, &command);
	line(cli, "command", "%s", berth_str_text(&command) ? berth_str_text(&command) : "");
	berth_str_deinit(&command);
	line(cli, "folder", "%s",
	     berth_str_printable(berth_json_string(service, "cwd", ""), (size_t)-1, folder,
				 sizeof(folder)));
	if (berth_json_string(service, "log", NULL))
		line(cli, "log", "%s", berth_json_string(service, "log", ""));
	if (berth_json_int(service, "owner_pid", 0))
		line(cli, "owner", "ends with process %lld",
		     (long long)berth_json_int(service, "owner_pid", 0));
	if (berth_time_parse(berth_json_string(service, "expires_at", ""), &expires) == 0)
		line(cli, "expires", "in %s", berth_time_age(expires - now, age));
	line(cli, "steering", "%s%s%s", berth_json_string(service, "steering", ""),
	     *why ? ": " : "", why);
	line(cli, "containment", "%s", berth_json_string(service, "containment", ""));
}

/* The last end of what does not run: of @word, or of each service of the project. */
static json_t *last_ends(const struct berth_services *services,
			 const struct berth_opt_list *operands, const json_t *running)
{
	BERTH_AUTO_JSON json_t *ends = NULL;
	BERTH_AUTO_JSON json_t *seen = json_object();
	json_t *last = json_array();
	json_t *end;
	size_t i;

	json_array_foreach (running, i, end)
		json_object_set_new(seen, berth_json_string(end, "service", ""), json_true());
	if (berth_history_load(&ends) < 0)
		return last;
	json_array_foreach (ends, i, end) {
		const char *service = berth_json_string(end, "service", "");
		bool meant = !operands->count;

		for (size_t j = 0; j < operands->count; j++)
			meant |= strcmp(operands->items[j], service) == 0 ||
				 strcmp(operands->items[j], berth_json_string(end, "id", "")) == 0;
		if (!meant ||
		    strcmp(berth_json_string(end, "root", ""), services->here.root) != 0 ||
		    json_object_get(seen, service))
			continue;
		json_object_set_new(seen, service, json_true());
		json_array_append(last, end);
	}
	return last;
}

static void print_end(struct berth_cli *cli, const json_t *end)
{
	char text[256];
	const json_t *last;
	size_t i;

	berth_out_result(&cli->out, "%s/%s  %s  %s\n", berth_json_string(end, "project", "?"),
			 berth_json_string(end, "service", "?"),
			 berth_json_string(end, "state", "stopped"),
			 berth_end_text(end, berth_time_now_ms(), text, sizeof(text)));
	json_array_foreach (json_object_get(end, "last_lines"), i, last)
		berth_out_result(&cli->out, "  | %s\n", json_string_value(last));
}

static int exit_of(const json_t *running, const json_t *ended)
{
	const json_t *service;
	size_t i;

	json_array_foreach (running, i, service) {
		const char *state = berth_json_string(service, "state", "");

		if (strcmp(state, "failed") == 0 || strcmp(state, "unready") == 0)
			return 1;
	}
	return json_array_size(ended) || !json_array_size(running) ? EXIT_NOT_RUNNING : 0;
}

/* As of now, from the supervisors themselves; the record where one does not answer. */
static json_t *ask_all(const json_t *records)
{
	BERTH_AUTO_JSON json_t *request = json_pack("{s:s}", "do", "status");
	json_t *documents = json_array();
	json_t *record;
	size_t i;

	json_array_foreach (records, i, record) {
		json_t *service = berth_registry_service(record);
		BERTH_AUTO_JSON json_t *answer = NULL;

		if (berth_find_ask(record, request, ANSWER_MS, &answer, NULL) == 0 &&
		    json_is_object(json_object_get(answer, "service"))) {
			json_t *label = json_object_get(service, "label");

			service = json_object_get(answer, "service");
			json_object_set(service, "label", label);
		}
		json_array_append(documents, service);
	}
	return documents;
}

static int run_status(struct berth_cli *cli, void *arguments, struct berth_err *err)
{
	BERTH_AUTO_JSON json_t *found = NULL;
	BERTH_AUTO_JSON json_t *running = NULL;
	BERTH_AUTO_JSON json_t *ended = NULL;
	BERTH_AUTO_JSON json_t *document = NULL;
	struct berth_services services;
	json_t *service;
	size_t i;
	int r = berth_services_load(&services, err);

	if (r < 0)
		return r;
	r = berth_services_select(&services, &cli->operands, &found, err);
	running = ask_all(found);
	ended = last_ends(&services, &cli->operands, running);
	berth_services_deinit(&services);
	if (r < 0 && !json_array_size(ended))
		return r;
	/* Ended is an answer too; without a name, only where nothing runs. */
	if (!cli->operands.count && json_array_size(running))
		json_array_clear(ended);
	*err = (struct berth_err){ 0 };
	if (cli->out.json) {
		json_array_foreach (ended, i, service) {
			json_t *last = json_deep_copy(service);

			json_object_set(service, "last", last);
			json_decref(last);
			json_array_append(running, service);
		}
		document = json_pack("{s:i,s:O}", "version", 1, "services", running);
		berth_out_json(&cli->out, document);
		json_array_foreach (ended, i, service)
			json_array_remove(running, json_array_size(running) - 1);
	} else {
		json_array_foreach (running, i, service)
			print_service(cli, service);
		json_array_foreach (ended, i, service)
			print_end(cli, service);
		if (!json_array_size(running) && !json_array_size(ended))
			berth_out_say(&cli->out, "nothing of this project runs");
	}
	return exit_of(running, ended);
}

const struct berth_cmd berth_cmd_status = {
	.name = "status",
	.synopsis = "[options] [SERVICE | PORT | ID]...",
	.summary = "show how the services of this project are, or how they ended",
	.details =
		"Exit: 0 all run, 3 something does not run, 1 something has failed or does not listen.",
	.max = -1,
	.group = BERTH_CMD_LOOK,
	.complete = BERTH_COMPLETE_SERVICE,
	.run = run_status,
};
