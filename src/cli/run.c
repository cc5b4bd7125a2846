/* SPDX-License-Identifier: MIT */
/* cli/run.c - start a service, or say who has its name */
#include "cli/run.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "app/control.h"
#include "app/front.h"
#include "app/start.h"
#include "app/stop.h"
#include "app/sweep.h"
#include "base/str.h"
#include "base/time.h"
#include "cli/ended.h"
#include "cli/services.h"
#include "cli/started.h"

/* "~/a/shop" of what lies in the home folder. */
static const char *tilde(const char *path, char *buf, size_t size)
{
	const char *home = getenv("HOME");
	size_t len = home ? strlen(home) : 0;

	if (len > 1 && strncmp(path, home, len) == 0 && (path[len] == '/' || path[len] == '\0'))
		snprintf(buf, size, "~%s", path + len);
	else
		snprintf(buf, size, "%s", path);
	return buf;
}

/*
 * The instance that has our name: asked itself, since its record may not be written yet. NULL: it
 * has gone meanwhile.
 */
static json_t *ask_running(struct berth_job *job, const char *what, int timeout_ms)
{
	BERTH_AUTO_JSON json_t *request = json_pack("{s:s}", "do", what);
	BERTH_AUTO_JSON json_t *answer = NULL;
	BERTH_AUTO_FD int fd = -1;
	char name[100];

	snprintf(name, sizeof(name), "berth/%u/%s", geteuid(), job->identity.key);
	fd = berth_control_connect(name);
	if (fd < 0 || berth_control_ask(fd, request, -1, timeout_ms, &answer, NULL) < 0)
		return NULL;
	return json_incref(json_object_get(answer, "service"));
}

static void explain_running(struct berth_cli *cli, const struct berth_job *job, json_t *service,
			    struct berth_err *err)
{
	char folder[PATH_MAX], root[256], url[64], clock[BERTH_TIME_RFC3339_SIZE],
		age[BERTH_TIME_AGE_SIZE];
	int64_t started = 0, now = berth_time_now_ms();
	const char *name = job->identity.service;

	tilde(berth_json_string(service, "root", job->identity.root), folder, sizeof(folder));
	berth_str_printable(folder, (size_t)-1, root, sizeof(root));
	berth_services_url(service, url, sizeof(url));
	if (berth_time_parse(berth_json_string(service, "started_at", ""), &started) < 0)
		started = now;
	berth_err_set(err, -EADDRINUSE, BERTH_ERR_ALREADY_RUNNING,
		      "'%s' of %s is already running: %s%spid %lld, since %s (%s)", name, root, url,
		      *url ? ", " : "", (long long)berth_json_int(service, "pid", 0),
		      berth_time_clock(started, now, clock), berth_time_age(now - started, age));
	berth_err_hint(
		err,
		"use it, or berth restart %s, or --new for another, or --force to end it first",
		name);
	berth_out_error_extra(&cli->out, "service", json_incref(service));
}

static bool is_same_command(const struct berth_job *job, const json_t *service)
{
	const json_t *command = json_object_get(service, "command");
	size_t i;

	for (i = 0; job->argv[i]; i++) {
		const char *word = json_string_value(json_array_get(command, i));

		if (!word || strcmp(word, job->argv[i]) != 0)
			return false;
	}
	return json_array_size(command) == i;
}

/* What the starter was told: a service, or {"services": [...]} of several instances. A new array. */
static json_t *services_of(json_t *told)
{
	json_t *services = json_object_get(told, "services");

	return json_is_array(services) ? json_incref(services) : json_pack("[O]", told);
}

static void print_started(struct berth_cli *cli, const struct berth_job *job, json_t *told,
			  bool reused)
{
	BERTH_AUTO_JSON json_t *services = services_of(told);
	const json_t *first = json_array_get(services, 0);
	BERTH_AUTO_JSON json_t *document =
		json_pack("{s:i,s:b,s:O,s:O}", "version", 1, "reused", reused, "service", first,
			  "services", services);
	const char *why = berth_json_string(first, "steering_why", NULL);
	const json_t *service, *port;
	size_t i, j;

	if (cli->out.json) {
		berth_out_json(&cli->out, document);
		return;
	}
	json_array_foreach (services, i, service)
		json_array_foreach (json_object_get(service, "ports"), j, port)
			berth_started_say(&cli->out, service, port, reused,
					  json_array_size(services) > 1);
	if (why)
		berth_out_say(&cli->out, "no steering: %s", why);
	if (!reused && json_array_size(json_object_get(first, "workers")) < job->workers)
		berth_out_say(
			&cli->out,
			"one worker instead of %u: without steering they can't share the port",
			job->workers);
}

/* The one that is to blame: the first that is not ready. A new reference; NULL: nothing was told. */
static json_t *failed_one(json_t *told)
{
	BERTH_AUTO_JSON json_t *services = told ? services_of(told) : NULL;
	json_t *service;
	size_t i;

	json_array_foreach (services, i, service)
		if (strcmp(berth_json_string(service, "state", ""), "ready") != 0)
			return json_incref(service);
	return json_incref(json_array_get(services, 0));
}

static int stop_record(struct berth_cli *cli, struct berth_registry *registry, json_t *record,
		       struct berth_err *err)
{
	const struct berth_stop_spec spec = { .grace_ms = -1, .force = true };
	BERTH_AUTO_JSON json_t *answer = NULL;
	int64_t began = berth_time_mono_ns();
	int r = berth_stop(registry, record, &spec, &answer, err);

	if (r == 0)
		berth_ended_say(&cli->out, berth_registry_service(record), answer,
				(berth_time_mono_ns() - began) / BERTH_NS_PER_MS);
	return r < 0 ? r : 0;
}

/* Does it stand where @job wants to? Several instances want all that there are of the service. */
static bool is_in_the_way(const json_t *record, const struct berth_job *job)
{
	bool all = job->instances > 1;
	const char *name =
		json_string_value(berth_registry_private(record, all ? "family" : "key"));
	const char *root = berth_json_string(berth_registry_service(record), "root", "");

	return name && strcmp(name, all ? job->identity.family : job->identity.key) == 0 &&
	       strcmp(root, job->identity.root) == 0;
}

/* --force: end what has our name. */
static int end_running(struct berth_cli *cli, struct berth_job *job, struct berth_err *err)
{
	struct berth_services services;
	json_t *record;
	size_t i;
	int r = berth_services_load(&services, err);

	if (r < 0)
		return r;
	json_array_foreach (services.records, i, record) {
		if (r == 0 && is_in_the_way(record, job))
			r = stop_record(cli, &services.registry, record, err);
	}
	berth_services_deinit(&services);
	return r;
}

static bool is_wished(const struct berth_wish *wish, uint16_t port)
{
	if (wish->range.lo && berth_range_has(&wish->range, port))
		return true;
	for (size_t i = 0; i < wish->port_count; i++)
		if (wish->ports[i].list_len && wish->ports[i].list[0] == port)
			return true;
	return false;
}

/* --free=own: end what berth started on the numbers that we want. */
static int free_wish(struct berth_cli *cli, struct berth_job *job, struct berth_err *err)
{
	struct berth_services services;
	json_t *record;
	size_t i, j;
	int r = berth_services_load(&services, err);

	if (r < 0)
		return r;
	json_array_foreach (services.records, i, record) {
		const json_t *service = berth_registry_service(record);
		const json_t *port;
		bool wished = false;

		json_array_foreach (json_object_get(service, "ports"), j, port)
			wished |= is_wished(&job->wish, (uint16_t)berth_json_int(port, "port", 0));
		if (!wished || r < 0)
			continue;
		r = stop_record(cli, &services.registry, record, err);
	}
	berth_services_deinit(&services);
	return r;
}

enum {
	START_TRIES = 3
};

/*
 * One start, by @fn; again after what has the name was ended (--force), or has ended by itself just
 * now. Returns what @fn returned, or 1 where a running instance serves (--reuse), which is then in
 * *ret_service.
 */
static int start_or_use(struct berth_cli *cli, struct berth_job *job,
			int (*fn)(struct berth_cli *cli, struct berth_job *job,
				  json_t **ret_service, struct berth_err *err),
			json_t **ret_service, struct berth_err *err)
{
	int r = -EAGAIN;

	for (int tries = 0; tries < START_TRIES; tries++) {
		BERTH_AUTO_JSON json_t *service = NULL;

		*err = (struct berth_err){ 0 };
		r = fn(cli, job, ret_service, err);
		if (r >= 0 || err->code != BERTH_ERR_ALREADY_RUNNING)
			return r;
		service = ask_running(job, job->reuse ? "await" : "status",
				      job->reuse ? (int)job->wait_ms : 2000);
		if (!service && !job->force)
			continue;
		if (job->force) {
			r = end_running(cli, job, err);
			if (r < 0)
				return r;
			continue;
		}
		if (job->reuse && is_same_command(job, service) &&
		    strcmp(berth_json_string(service, "state", ""), "ready") == 0) {
			*ret_service = BERTH_STEAL(service);
			*err = (struct berth_err){ 0 };
			return 1;
		}
		explain_running(cli, job, service, err);
		return -EADDRINUSE;
	}
	return r;
}

static int start_detached(struct berth_cli *cli, struct berth_job *job, json_t **ret_service,
			  struct berth_err *err)
{
	int exit_code;
	int r = berth_start_detached(job, ret_service, &exit_code, err);

	if (r < 0)
		cli->error_exit = exit_code;
	return r;
}

static int run_detached(struct berth_cli *cli, struct berth_job *job, struct berth_err *err)
{
	BERTH_AUTO_JSON json_t *told = NULL;
	BERTH_AUTO_JSON json_t *failed = NULL;
	int r = start_or_use(cli, job, start_detached, &told, err);

	if (err->code == BERTH_ERR_ALREADY_RUNNING)
		cli->error_exit = 0;
	if (r >= 0) {
		print_started(cli, job, told, r == 1);
		return 0;
	}
	failed = failed_one(told);
	if (failed && err->code == BERTH_ERR_START_FAILED && !cli->out.json)
		berth_ended_say_last_lines(&cli->out, failed);
	if (failed && cli->out.json)
		berth_out_error_extra(&cli->out, "service", json_incref(failed));
	return r;
}

static int start_foreground(struct berth_cli *cli, struct berth_job *job, json_t **ret_service,
			    struct berth_err *err)
{
	struct berth_guardian_end end;
	int r = berth_start_foreground(job, &end, err);

	if (r < 0) {
		cli->error_exit = err->code == BERTH_ERR_ALREADY_RUNNING ? 0 : end.exit_code;
		return r;
	}
	if (end.lost)
		berth_out_say(
			&cli->out,
			"the supervisor of %s was killed; ended what it had started (%d process%s)",
			job->identity.service, end.swept, end.swept == 1 ? "" : "es");
	if (end.stop_failures)
		berth_out_say(&cli->out,
			      "its stop command failed: what it would have ended may live on");
	if (end.interrupted)
		berth_front_die_of(end.signal);
	return end.exit_code;
}

int berth_run_start(struct berth_cli *cli, struct berth_job *job, struct berth_err *err)
{
	json_t *unused = NULL;
	int r = 0;

	/* The container of a life before has its port still. All others go with their processes. */
	if (job->stop_argv || job->outside)
		berth_sweep_all();
	if (job->free_first == BERTH_JOB_FREE_OWN)
		r = free_wish(cli, job, err);
	else if (job->free_first == BERTH_JOB_FREE_ANY)
		r = berth_run_free_any(cli, job, err);
	else if (job->ask)
		r = berth_run_ask(cli, job, err);
	if (r < 0)
		return r;
	if (job->detach)
		return run_detached(cli, job, err);
	return start_or_use(cli, job, start_foreground, &unused, err);
}
