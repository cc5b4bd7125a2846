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
#include "cli/ends.h"
#include "cli/service-columns.h"
#include "cli/services.h"

enum {
	EXIT_NOT_RUNNING = 3,
	TAIL_LINES = 20,
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

static void print_links(struct berth_cli *cli, const json_t *port)
{
	const char *name;
	json_t *url;

	json_object_foreach (json_object_get(port, "links"), name, url)
		line(cli, name, "%s", json_string_value(url));
}

static void print_port(struct berth_cli *cli, const json_t *port, bool outside)
{
	const char *url = berth_json_string(port, "url", NULL);
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
		const char *why = berth_json_string(port, "why", NULL);

		berth_str_addf(&text, "  (asked for %lld%s%s)", (long long)asked, why ? ", " : "",
			       why ? why : "");
	}
	json_array_foreach (json_object_get(port, "addresses"), i, address)
		berth_str_addf(&text, "%s%s", i ? ", " : "  on ", json_string_value(address));
	if (outside)
		berth_str_add(&text, "  outside, bound by a process that is not ours");
	if (!berth_json_bool(port, "listening", false))
		berth_str_add(&text, "  not listening");
	if (berth_str_text(&text))
		line(cli, berth_json_string(port, "name", "port"), "%s", berth_str_text(&text));
	berth_str_deinit(&text);
	print_links(cli, port);
}

static bool has_failed(const json_t *of)
{
	return strcmp(berth_json_string(of, "state", ""), "failed") == 0;
}

/* Of what has failed, or a worker of which has: the end of its log. */
static void print_tail(struct berth_cli *cli, const json_t *service)
{
	BERTH_AUTO_JSON json_t *lines = NULL;
	bool failed = has_failed(service);
	const json_t *item;
	size_t i;

	json_array_foreach (json_object_get(service, "workers"), i, item)
		failed |= has_failed(item);
	if (!failed)
		return;
	lines = berth_history_tail(berth_json_string(service, "log", NULL), TAIL_LINES);
	json_array_foreach (lines, i, item)
		berth_out_result(&cli->out, "  | %s\n", json_string_value(item));
}

/* The words of "sharing" and "kept" in the JSON output, as people say them. */
static const struct {
	const char *word, *text;
} meanings[] = {
	{ "socket", "all workers accept from one socket" },
	{ "group", "a socket for each worker, in a group that nobody else can join" },
	{ "open-group", "a socket for each worker, in a group that this user's programs can join" },
	{ "kept", "kept for the next start" },
	{ "handed-over", "the one of before the last start" },
	{ "bound-anew", "bound anew at the last start" },
};

static const char *in_words(const char *word)
{
	for (size_t i = 0; i < BERTH_ARRAY_SIZE(meanings); i++)
		if (strcmp(meanings[i].word, word) == 0)
			return meanings[i].text;
	return word;
}

static void add_start(struct berth_str *text, const json_t *of, int64_t now)
{
	int64_t started;
	char age[BERTH_TIME_AGE_SIZE];

	if (berth_time_parse(berth_json_string(of, "started_at", ""), &started) == 0)
		berth_str_addf(text, ", started %s, %s ago",
			       berth_json_string(of, "started_at", ""),
			       berth_time_age(now - started, age));
}

static void print_head(struct berth_cli *cli, const json_t *service, int64_t now)
{
	BERTH_CLEANUP(berth_str_deinit) struct berth_str text = { 0 };
	const json_t *state = json_object_get(service, "state");
	int64_t pid = berth_json_int(service, "pid", 0), restart;
	char age[BERTH_TIME_AGE_SIZE];

	if (pid)
		berth_str_addf(&text, "pid %lld", (long long)pid);
	else if (berth_time_parse(berth_json_string(service, "restart_at", ""), &restart) == 0)
		berth_str_addf(&text, "restarts in %s", berth_time_age(restart - now, age));
	else
		berth_str_add(&text, "no process");
	add_start(&text, service, now);
	berth_out_result(&cli->out, "%s  %s%s%s  %s\n", berth_json_string(service, "label", "?"),
			 berth_out_tone(&cli->out, berth_column_state_tone(state)),
			 berth_json_string(service, "state", ""),
			 berth_out_tone(&cli->out, BERTH_TONE_PLAIN),
			 berth_str_text(&text) ? berth_str_text(&text) : "");
}

/* One line for each, where there are several. */
static void print_workers(struct berth_cli *cli, const json_t *service, int64_t now)
{
	const json_t *workers = json_object_get(service, "workers");
	const char *sharing = berth_json_string(service, "sharing", NULL);
	const json_t *worker;
	size_t i;

	if (json_array_size(workers) < 2)
		return;
	json_array_foreach (workers, i, worker) {
		BERTH_CLEANUP(berth_str_deinit) struct berth_str text = { 0 };
		int64_t restarts = berth_json_int(worker, "restarts", 0);
		int64_t pid = berth_json_int(worker, "pid", 0);
		const json_t *exit = json_object_get(worker, "exit");
		char name[32], end[64];

		snprintf(name, sizeof(name), "worker %lld",
			 (long long)berth_json_int(worker, "number", 0));
		berth_str_add(&text, berth_json_string(worker, "state", ""));
		if (pid)
			berth_str_addf(&text, ", pid %lld", (long long)pid);
		add_start(&text, worker, now);
		if (restarts)
			berth_str_addf(&text, ", %lld restart%s", (long long)restarts,
				       restarts == 1 ? "" : "s");
		if (json_is_object(exit))
			berth_str_addf(&text, ", before: %s",
				       berth_end_text(worker, now, end, sizeof(end)));
		line(cli, name, "%s", berth_str_text(&text) ? berth_str_text(&text) : "");
	}
	if (sharing)
		line(cli, "sharing", "%s", in_words(sharing));
}

/* What was asked for beyond one plain life, and how that goes. */
static void print_life(struct berth_cli *cli, const json_t *service, int64_t now)
{
	const char *policy = berth_json_string(service, "restart_policy", "no");
	const char *health = berth_json_string(service, "health", NULL);
	const char *says = berth_json_string(service, "status", NULL);
	const char *kept = berth_json_string(service, "kept", NULL);
	const char *why = berth_json_string(service, "kept_why", NULL);
	int64_t restarts = berth_json_int(service, "restarts", 0);
	char text[512];

	if (health)
		line(cli, "health", "%s%s%s",
		     berth_out_tone(&cli->out,
				    strcmp(health, "ok") == 0 ? BERTH_TONE_GOOD : BERTH_TONE_BAD),
		     health, berth_out_tone(&cli->out, BERTH_TONE_PLAIN));
	if (says)
		line(cli, "says", "%s", berth_str_printable(says, (size_t)-1, text, sizeof(text)));
	if (strcmp(policy, "no") != 0 || restarts)
		line(cli, "restart", "%s%s%lld so far", strcmp(policy, "no") != 0 ? policy : "",
		     strcmp(policy, "no") != 0 ? ", " : "", (long long)restarts);
	if (json_is_object(json_object_get(service, "exit")))
		line(cli, "last end", "%s", berth_end_text(service, now, text, sizeof(text)));
	if (kept)
		line(cli, "socket", "%s%s%s", in_words(kept), why ? ": " : "", why ? why : "");
	/* In the foreground nobody expects it, unless it was asked for. */
	else if (why && (strcmp(policy, "no") != 0 || berth_json_string(service, "log", NULL)))
		line(cli, "socket", "not kept over a restart: %s", why);
}

/* What other numbers mean for a service of a stack: "9000 → 9001 (backend)". */
static void print_sees(struct berth_cli *cli, const json_t *service)
{
	BERTH_CLEANUP(berth_str_deinit) struct berth_str text = { 0 };
	const char *waits_for = berth_json_string(service, "waits_for", NULL);
	const json_t *moved;
	size_t i;

	if (waits_for)
		line(cli, "waits for", "%s", waits_for);
	json_array_foreach (json_object_get(service, "sees"), i, moved)
		berth_str_addf(&text, "%s%lld %s %lld (%s)", i ? ", " : "",
			       (long long)berth_json_int(moved, "asked", 0),
			       berth_str_width("→") == 1 ? "→" : "->",
			       (long long)berth_json_int(moved, "port", 0),
			       berth_json_string(moved, "service", ""));
	if (text.len && berth_str_text(&text))
		line(cli, "sees", "%s", berth_str_text(&text));
}

static void print_command(struct berth_cli *cli, const json_t *service, int64_t now)
{
	BERTH_CLEANUP(berth_str_deinit) struct berth_str command = { 0 };

	berth_column_argv(service, json_object_get(service, "command"), now, &command);
	line(cli, "command", "%s", berth_str_text(&command) ? berth_str_text(&command) : "");
}

static void print_service(struct berth_cli *cli, const json_t *service)
{
	const char *why = berth_json_string(service, "steering_why", "");
	int64_t expires = 0, now = berth_time_now_ms();
	char age[BERTH_TIME_AGE_SIZE], folder[512];
	const json_t *port;
	size_t i;

	print_head(cli, service, now);
	json_array_foreach (json_object_get(service, "ports"), i, port)
		print_port(cli, port, berth_json_bool(service, "outside", false));
	print_sees(cli, service);
	print_workers(cli, service, now);
	print_life(cli, service, now);
	print_command(cli, service, now);
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
	print_tail(cli, service);
}

static bool is_meant(const struct berth_services *services, const struct berth_opt_list *operands,
		     const json_t *end)
{
	for (size_t i = 0; i < operands->count; i++)
		if (berth_ends_is_named(end, &services->here, operands->items[i]))
			return true;
	return !operands->count &&
	       strcmp(berth_json_string(end, "root", ""), services->here.root) == 0;
}

/* Of several instances all that were wanted in the life of @records; else the last one stands for all. */
static bool is_new(const json_t *records, const json_t *documents, const json_t *end)
{
	const char *by = berth_json_string(json_object_get(end, "exit"), "by", "");
	bool alone = strcmp(by, "scale") == 0 || !berth_ends_is_of_stack(records, end);
	const json_t *other;
	size_t i;

	json_array_foreach (documents, i, other)
		if (berth_ends_is_same_instance(other, end) ||
		    (alone && berth_ends_is_same_service(other, end)))
			return false;
	return true;
}

/*
 * The last end of what does not run: of those that are named, or of each service of the project;
 * where something runs, of each one that was started with it.
 */
static json_t *last_ends(const struct berth_services *services,
			 const struct berth_opt_list *operands, const json_t *records,
			 const json_t *running)
{
	BERTH_AUTO_JSON json_t *ends = NULL;
	BERTH_AUTO_JSON json_t *seen = json_copy((json_t *)(uintptr_t)running);
	json_t *last = json_array();
	json_t *end;
	size_t i;

	if (berth_history_load(&ends) < 0)
		return last;
	json_array_foreach (ends, i, end) {
		bool new;

		if (berth_history_is_freed(end) || !is_meant(services, operands, end))
			continue;
		new = is_new(records, seen, end);
		/* Whatever it was, those before it are older still. */
		json_array_append(seen, end);
		if (!new)
			continue;
		if (!operands->count && json_array_size(running) &&
		    !berth_ends_is_of_stack(records, end))
			continue;
		json_array_append(last, end);
	}
	return last;
}

static void print_end(struct berth_cli *cli, const json_t *end)
{
	char text[256], label[BERTH_ENDS_LABEL_SIZE];
	const json_t *last;
	size_t i;

	berth_out_result(&cli->out, "%s  %s  %s\n", berth_ends_label(end, label),
			 berth_json_string(end, "state", "stopped"),
			 berth_end_text(end, berth_time_now_ms(), text, sizeof(text)));
	json_array_foreach (json_object_get(end, "last_lines"), i, last)
		berth_out_result(&cli->out, "  | %s\n", json_string_value(last));
}

/* @named: what has done what it had to do is asked for, too, and does not run. */
static int exit_of(const json_t *running, const json_t *ended, bool named)
{
	const json_t *service;
	size_t i, missing = 0;

	json_array_foreach (running, i, service) {
		const char *state = berth_json_string(service, "state", "");

		if (strcmp(state, "failed") == 0 || strcmp(state, "unready") == 0 ||
		    strcmp(state, "waiting") == 0 ||
		    strcmp(berth_json_string(service, "health", ""), "failing") == 0)
			return 1;
	}
	if (!json_array_size(running))
		return EXIT_NOT_RUNNING;
	json_array_foreach (ended, i, service) {
		if (has_failed(service))
			return 1;
		missing += named || !berth_ends_has_completed(service);
	}
	return missing ? EXIT_NOT_RUNNING : 0;
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
	running = berth_services_ask_all(found);
	ended = last_ends(&services, &cli->operands, found, running);
	berth_services_deinit(&services);
	if (r < 0 && !json_array_size(ended))
		return r;
	/* Ended is an answer too. */
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
	return exit_of(running, ended, cli->operands.count > 0);
}

const struct berth_cmd berth_cmd_status = {
	.name = "status",
	.synopsis = "[options] [SERVICE | PORT | ID]...",
	.summary = "show how the services of this project are, or how they ended",
	.details =
		"Exit: 0 all run, 3 something does not run, 1 something has failed, does not listen or fails its probe.",
	.max = -1,
	.group = BERTH_CMD_LOOK,
	.complete = BERTH_COMPLETE_SERVICE,
	.run = run_status,
};
