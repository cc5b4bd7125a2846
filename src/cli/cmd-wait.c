/* SPDX-License-Identifier: MIT */
/*
 * cli/cmd-wait.c - berth wait: return when a service is ready or has stopped, or a port is free
 *
 * A supervisor that is there tells us (its answer comes when it is so). For one that is not there
 * yet, the runtime folder is looked at: every LOOK_MS its time of change, which costs one fstat(2),
 * and the records themselves when that has changed, or RELOAD_MS are over. inotify(7) would spare
 * those, but a user has 128 of its instances, and those who wait are short-lived. That a port is
 * free again nobody tells: it is tried every LOOK_MS.
 */
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "app/find.h"
#include "base/parse.h"
#include "base/str.h"
#include "base/time.h"
#include "cli/cli.h"
#include "cli/commands.h"
#include "cli/services.h"
#include "port/lease.h"

enum {
	LOOK_MS = 50,
	RELOAD_MS = 1000,
	PRIVILEGED_BELOW = 1024,
};

enum goal {
	GOAL_READY,
	GOAL_STOPPED,
	GOAL_FREE,
};
static const char *const goal_words[] = { "ready", "stopped", "free", NULL };

struct wait_args {
	enum goal goal;
	int64_t timeout_ms;
};

static const struct berth_opt wait_opts[] = {
	{ 0, "for", "WHAT", BERTH_AT(CHOICE, struct wait_args, goal),
	  "ready; stopped: nothing of it lives; free: the port can be bound", .preset = "ready",
	  .words = goal_words },
	{ 0, "timeout", "TIME", BERTH_AT(DURATION, struct wait_args, timeout_ms),
	  "how long; without it, for as long as it takes", .min = 1, .max = BERTH_CLI_WAIT_MAX_MS },
	{ 0 },
};

/* One `berth wait`. */
struct waiter {
	struct berth_cli *cli;
	enum goal goal;
	int64_t deadline_ns; /* 0: none */
	int64_t timeout_ms;
	json_t *documents; /* of the services that were waited for; borrowed */
	struct berth_services services;
	bool loaded;
};

/* What is left, for poll(2); -1: for ever. */
static int left_ms(const struct waiter *w)
{
	int64_t left;

	if (!w->deadline_ns)
		return -1;
	left = (w->deadline_ns - berth_time_mono_ns() + BERTH_NS_PER_MS - 1) / BERTH_NS_PER_MS;
	return left < 0 ? 0 : (int)left;
}

static int timed_out(const struct waiter *w, const char *word, struct berth_err *err)
{
	static const char *const wanted[] = { "is not ready", "has not stopped", "is not free" };
	char shown[128];

	return berth_err_set(err, -ETIMEDOUT, BERTH_ERR_TIMEOUT, "'%s' %s after %.1f s",
			     berth_str_printable(word, (size_t)-1, shown, sizeof(shown)),
			     wanted[w->goal], (double)w->timeout_ms / 1000);
}

/* 0, or -ETIMEDOUT when the time is up. */
static int pause_a_moment(const struct waiter *w)
{
	int left = left_ms(w);

	if (left == 0)
		return -ETIMEDOUT;
	(void)poll(NULL, 0, left < 0 || left > LOOK_MS ? LOOK_MS : left);
	return 0;
}

static int load(struct waiter *w, struct berth_err *err)
{
	int r;

	if (w->loaded)
		berth_services_deinit(&w->services);
	w->loaded = false;
	r = berth_services_load(&w->services, err);
	if (r == 0)
		w->loaded = true;
	else
		berth_services_deinit(&w->services);
	return r;
}

/* Until the records that are loaded may be old. As pause_a_moment(). */
static int pause_for_news(const struct waiter *w)
{
	struct stat before, now;
	int r;

	if (fstat(w->services.registry.dir_fd, &before) < 0)
		return pause_a_moment(w);
	for (int waited = 0; waited < RELOAD_MS; waited += LOOK_MS) {
		r = pause_a_moment(w);
		if (r < 0)
			return r;
		if (fstat(w->services.registry.dir_fd, &now) < 0 || !now.st_nlink ||
		    now.st_mtim.tv_sec != before.st_mtim.tv_sec ||
		    now.st_mtim.tv_nsec != before.st_mtim.tv_nsec)
			return 0;
	}
	return 0;
}

/* ---- services ---- */

/* A name that berth_find() did not find because it is that of several. */
static bool is_ambiguous(const struct waiter *w, const char *word)
{
	const json_t *record;
	size_t i;

	json_array_foreach (w->services.records, i, record)
		if (strcmp(berth_json_string(berth_registry_summary(record), "service", ""),
			   word) == 0)
			return true;
	return false;
}

/* What @word means now; *ret_found is NULL where that is nothing (yet, or any more). */
static int look(struct waiter *w, const char *word, json_t **ret_found, struct berth_err *err)
{
	int r = load(w, err);

	if (r < 0)
		return r;
	*ret_found = NULL;
	r = berth_find(&w->services.registry, w->services.records, word, &w->services.here,
		       ret_found, err);
	if (r < 0 && (err->code != BERTH_ERR_NOT_FOUND || is_ambiguous(w, word)))
		return r;
	return 0;
}

/* Positive outcome. */
enum {
	ASK_E_GONE = 1, /* its supervisor has ended without an answer: look again */
};

/* Wait for its own word on it. 0: *ret_service; E_GONE; -errno with @err. */
static int ask(struct waiter *w, const char *word, const json_t *record, json_t **ret_service,
	       struct berth_err *err)
{
	BERTH_AUTO_JSON json_t *request = json_pack("{s:s}", "do", "await");
	const json_t *label = json_object_get(berth_registry_service(record), "label");
	BERTH_AUTO_JSON json_t *answer = NULL;
	int r;

	if (w->goal == GOAL_STOPPED)
		json_object_set_new(request, "for", json_string("stopped"));
	r = berth_find_ask(record, request, left_ms(w), &answer, err);
	if (r == -ETIMEDOUT)
		return timed_out(w, word, err);
	if (r == -ECONNRESET || r == -ECONNREFUSED || r == -ENOENT || r == -EPIPE) {
		/* One that lives where we can't reach it, in another network namespace. */
		if (r == -ECONNREFUSED && berth_registry_life(record) == BERTH_REGISTRY_LIVE &&
		    json_integer_value(berth_registry_private(record, "netns")) !=
			    (json_int_t)w->services.registry.netns)
			return r;
		return ASK_E_GONE;
	}
	if (r < 0)
		return r;
	*ret_service = json_incref(json_object_get(answer, "service"));
	json_object_set(*ret_service, "label", (json_t *)(uintptr_t)label);
	return 0;
}

/* Each once, whatever operands name it. */
static void add_document(struct waiter *w, const json_t *service)
{
	const json_t *id = json_object_get(service, "id");
	const json_t *other;
	size_t i;

	json_array_foreach (w->documents, i, other)
		if (id && json_equal(json_object_get(other, "id"), id))
			return;
	json_array_append(w->documents, (json_t *)(uintptr_t)service);
}

static int ended_early(const char *word, struct berth_err *err)
{
	char shown[128];

	berth_err_set(err, -EIO, BERTH_ERR_START_FAILED, "'%s' ended before it was ready",
		      berth_str_printable(word, (size_t)-1, shown, sizeof(shown)));
	berth_err_hint(err, "berth history has how it ended");
	return -EIO;
}

/* All of @found ready: 0. E_GONE: look again. */
static int await_ready(struct waiter *w, const char *word, const json_t *found,
		       struct berth_err *err)
{
	const json_t *record;
	size_t i;

	json_array_foreach (found, i, record) {
		const json_t *known = berth_registry_service(record);
		BERTH_AUTO_JSON json_t *service = NULL;
		char url[64];
		int r = ask(w, word, record, &service, err);

		if (r == 0)
			r = berth_services_check_ready(
				w->cli, service, berth_json_string(known, "label", word), err);
		if (r != 0)
			return r;
		add_document(w, service);
		berth_services_url(service, url, sizeof(url));
		berth_out_say(&w->cli->out, "%s is ready%s%s",
			      berth_json_string(known, "label", word), *url ? ": " : "", url);
	}
	return 0;
}

static int wait_ready(struct waiter *w, const char *word, struct berth_err *err)
{
	bool seen = false, told = false;
	char hint[sizeof(err->hint)] = "";

	for (;;) {
		BERTH_AUTO_JSON json_t *found = NULL;
		int r = look(w, word, &found, err);

		if (r < 0)
			return r;
		if (!found && seen)
			return ended_early(word, err);
		if (!found && !told)
			berth_out_say(&w->cli->out, "waiting: %s", err->msg);
		told = true;
		berth_str_copy(hint, sizeof(hint), err->hint);
		*err = (struct berth_err){ 0 };
		if (found) {
			seen = true;
			r = await_ready(w, word, found, err);
			if (r != ASK_E_GONE)
				return r;
		}
		if ((found ? pause_a_moment(w) : pause_for_news(w)) < 0) {
			timed_out(w, word, err);
			berth_err_hint(err, "%s", hint); /* the name may be a mistake */
			return -ETIMEDOUT;
		}
	}
}

static bool is_there(const struct waiter *w, const char *id)
{
	const json_t *record;
	size_t i;

	json_array_foreach (w->services.records, i, record)
		if (strcmp(berth_json_string(berth_registry_summary(record), "id", ""), id) == 0)
			return true;
	return false;
}

/* The life that @record is of: another start under its name is none of ours. */
static int await_stopped(struct waiter *w, const char *word, const json_t *record,
			 struct berth_err *err)
{
	const json_t *known = berth_registry_service(record);
	const char *label = berth_json_string(known, "label", word);
	BERTH_AUTO_JSON json_t *service = NULL;
	int r = ask(w, word, record, &service, err);

	/* Killed: whoever clears up after it removes its record. */
	while (r == ASK_E_GONE && is_there(w, berth_json_string(known, "id", ""))) {
		if (pause_for_news(w) < 0)
			return timed_out(w, word, err);
		r = load(w, err) < 0 ? -EIO : ASK_E_GONE;
	}
	if (r < 0)
		return r;
	add_document(w, service ? service : known);
	berth_out_say(&w->cli->out, "%s has stopped", label);
	*err = (struct berth_err){ 0 };
	return 0;
}

static int wait_stopped(struct waiter *w, const char *word, struct berth_err *err)
{
	BERTH_AUTO_JSON json_t *found = NULL;
	const json_t *record;
	size_t i;
	int r = look(w, word, &found, err);

	if (r < 0)
		return r;
	if (!found) {
		berth_out_verbose(&w->cli->out, "%s", err->msg);
		*err = (struct berth_err){ 0 };
	}
	json_array_foreach (found, i, record)
		if (r == 0)
			r = await_stopped(w, word, record, err);
	return r;
}

/* ---- ports ---- */

/* What no look can tell from taken: a number that this user may never bind. */
static int check_allowed(uint16_t port, struct berth_lease_means means, struct berth_err *err)
{
	struct berth_lease lease;
	int r;

	if (port >= PRIVILEGED_BELOW)
		return 0;
	berth_lease_init(&lease, means, SOCK_STREAM);
	r = berth_lease_take(&lease, port);
	berth_lease_release(&lease);
	if (r != BERTH_LEASE_E_DENIED)
		return 0;
	return berth_err_set(err, -EACCES, BERTH_ERR_DENIED,
			     "port %u is a privileged one: this user can't bind it, free or not",
			     port);
}

static int await_free(struct waiter *w, uint16_t port, int type, struct berth_err *err)
{
	struct berth_lease_means means = berth_lease_probe();
	char number[8];
	int r = check_allowed(port, means, err);

	while (r == 0 && !berth_lease_is_bindable(port, type, means))
		if (pause_a_moment(w) < 0) {
			snprintf(number, sizeof(number), "%u", port);
			return timed_out(w, number, err);
		}
	if (r == 0)
		berth_out_say(&w->cli->out, "%u is free", port);
	return r;
}

/* The ports of what runs, or ran last, under @word. */
static int wait_free(struct waiter *w, const char *word, struct berth_err *err)
{
	BERTH_AUTO_JSON json_t *found = NULL;
	BERTH_AUTO_JSON json_t *end = NULL;
	BERTH_AUTO_JSON json_t *ports = json_array();
	const json_t *record, *port;
	uint16_t number;
	size_t i;
	int r;

	if (berth_parse_port(word, &number) == 0)
		return await_free(w, number, SOCK_STREAM, err);
	r = look(w, word, &found, err);
	if (r < 0)
		return r;
	if (!found)
		end = berth_services_last_end(&w->services, word);
	if (!found && !end)
		return -ENOENT; /* as look() has said it */
	*err = (struct berth_err){ 0 };
	json_array_extend(ports, json_object_get(end, "ports"));
	json_array_foreach (found, i, record)
		json_array_extend(ports, json_object_get(berth_registry_summary(record), "ports"));
	json_array_foreach (ports, i, port) {
		const char *protocol = berth_json_string(port, "protocol", "tcp");

		if (r == 0)
			r = await_free(w, (uint16_t)berth_json_int(port, "port", 0),
				       strcmp(protocol, "udp") == 0 ? SOCK_DGRAM : SOCK_STREAM,
				       err);
	}
	return r;
}

static int run_wait(struct berth_cli *cli, void *arguments, struct berth_err *err)
{
	static int (*const waits[])(struct waiter * w, const char *word, struct berth_err *err) = {
		[GOAL_READY] = wait_ready,
		[GOAL_STOPPED] = wait_stopped,
		[GOAL_FREE] = wait_free,
	};
	const struct wait_args *args = arguments;
	BERTH_AUTO_JSON json_t *documents = json_array();
	BERTH_AUTO_JSON json_t *document = NULL;
	struct waiter w = {
		.cli = cli,
		.goal = args->goal,
		.timeout_ms = args->timeout_ms,
		.documents = documents,
	};
	int r = 0;

	if (args->timeout_ms)
		w.deadline_ns = berth_time_mono_ns() + args->timeout_ms * BERTH_NS_PER_MS;
	for (size_t i = 0; r == 0 && i < cli->operands.count; i++)
		r = waits[w.goal](&w, cli->operands.items[i], err);
	if (w.loaded)
		berth_services_deinit(&w.services);
	if (r == 0 && cli->out.json) {
		document = json_pack("{s:i,s:O}", "version", 1, "services", documents);
		berth_out_json(&cli->out, document);
	}
	return r;
}

const struct berth_cmd berth_cmd_wait = {
	.name = "wait",
	.synopsis = "[options] SERVICE | PORT | ID...",
	.summary = "wait until services are ready or stopped, or ports are free",
	.details =
		"A service that does not run yet is waited for too; one that runs no more has stopped. For free, a PORT is any, "
		"whoever has it; a SERVICE stands for all its ports.\n"
		"\n"
		"Exit: 0 all of it is so, 1 a service ended before it was ready, 124 the time is up.",
	.opts = wait_opts,
	.args_size = sizeof(struct wait_args),
	.min = 1,
	.max = -1,
	.group = BERTH_CMD_LOOK,
	.complete = BERTH_COMPLETE_SERVICE,
	.run = run_wait,
};
