/* SPDX-License-Identifier: MIT */
/* cli/cmd-up.c - berth up: start the services of a project together */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include "app/control.h"
#include "app/export-file.h"
#include "app/front.h"
#include "app/init.h"
#include "app/inner.h"
#include "app/start.h"
#include "app/sweep.h"
#include "base/str.h"
#include "base/time.h"
#include "cli/commands.h"
#include "cli/ended.h"
#include "cli/ignore.h"
#include "cli/owner.h"
#include "cli/plan.h"
#include "cli/services.h"
#include "cli/stack.h"
#include "cli/started.h"

struct up_args {
	struct berth_stack_args stack;
	bool detach;
	int64_t wait_ms;
	bool abort_on_exit;
	const char *owner;
	int64_t ttl_ms;
	bool dry_run;
	bool no_prefix, timestamps;
	const char *export_env;
};

enum {
	TRIES = 5, /* a stack that comes or goes at this moment */
};

static const struct berth_opt up_opts[] = {
	BERTH_STACK_OPTS(struct up_args),

	BERTH_STACK_START_OPTS(struct up_args),
	{ 'n', "dry-run", NULL, BERTH_AT(FLAG, struct up_args, dry_run),
	  "say which ports would be chosen, and start nothing" },

	{ 'd', "detach", NULL, BERTH_AT(FLAG, struct up_args, detach),
	  "in the background: start what does not run yet, return when all is ready",
	  .group = "Life" },
	{ 0, "wait", "TIME", BERTH_AT(DURATION, struct up_args, wait_ms),
	  "with -d: how long to wait for that", .preset = "60s", .min = 1,
	  .max = BERTH_CLI_WAIT_MAX_MS },
	{ 0, "abort-on-exit", NULL, BERTH_AT(FLAG, struct up_args, abort_on_exit),
	  "when one service ends unasked, end all; the exit code is that one's" },
	{ 0, "owner", "PID", BERTH_AT(STRING, struct up_args, owner),
	  "end with process PID, or with the \"parent\" of this one" },
	{ 0, "ttl", "TIME", BERTH_AT(DURATION, struct up_args, ttl_ms),
	  "end after TIME (90, 30m, 2h)", .min = 1 },

	{ 0, "no-prefix", NULL, BERTH_AT(FLAG, struct up_args, no_prefix),
	  "print the services' lines as they are", .group = "Output" },
	{ 0, "timestamps", NULL, BERTH_AT(FLAG, struct up_args, timestamps),
	  "with the whole time in front of each line, not only that of the day" },
	{ 0, "export-env", "FILE", BERTH_AT(STRING, struct up_args, export_env),
	  "keep the ports and URLs of all services in FILE, as lines of a .env",
	  .complete = BERTH_COMPLETE_FILE },
	{ 0 },
};

static int check_args(const struct up_args *args, const struct berth_cli *cli,
		      struct berth_err *err)
{
	if (args->abort_on_exit && args->detach)
		return berth_err_set(err, -EINVAL, BERTH_ERR_USAGE,
				     "--abort-on-exit goes not with -d: nobody would see it");
	if (args->detach && (args->no_prefix || args->timestamps)) {
		berth_err_set(err, -EINVAL, BERTH_ERR_USAGE,
			      "--no-prefix and --timestamps are for the foreground");
		berth_err_hint(err, "berth logs has them too");
		return -EINVAL;
	}
	if (getenv("BERTH") && strcmp(getenv("BERTH"), "0") == 0)
		return berth_err_set(err, -EINVAL, BERTH_ERR_REFUSED,
				     "BERTH=0: several services can't be started without berth");
	return 0;
}

/* What holds for all of them, and for the processes around them. */
static int fill_common(const struct up_args *args, struct berth_cli *cli, struct berth_stack *stack,
		       struct berth_job *common, struct berth_err *err)
{
	struct rlimit limit;
	int r;

	*common = (struct berth_job){
		.identity = stack->identity,
		.cwd = stack->folder,
		.settings = &cli->settings,
		.stack = stack,
		.detach = args->detach,
		.apart = true,
		.workers = 1,
		.instances = 1,
		.ttl_ms = args->ttl_ms,
		.wait_ms = args->wait_ms,
		.status_fd = -1,
		.quiet = cli->common.quiet,
		.verbose = cli->common.verbose,
	};
	berth_str_copy(common->identity.service, sizeof(common->identity.service),
		       stack->identity.project);
	sigprocmask(SIG_SETMASK, NULL, &common->signal_mask);
	if (getrlimit(RLIMIT_NOFILE, &limit) == 0)
		common->open_files = limit.rlim_cur;
	r = berth_owner_parse(args->owner, &common->owner, err);
	berth_stack_adopt(stack, common);
	return r;
}

/* Of going back in a line, and erasing it. */
static bool is_capable(void)
{
	const char *term = getenv("TERM");

	return term && *term && strcmp(term, "dumb") != 0;
}

static struct berth_console_spec console_of(const struct up_args *args, const struct berth_cli *cli)
{
	return (struct berth_console_spec){
		.fd = STDOUT_FILENO,
		.names = !args->no_prefix,
		.stamps = args->timestamps,
		.json = cli->out.json,
		.color = cli->out.color,
		.terminal = cli->out.terminal,
		.live = cli->out.terminal && !cli->out.json && !cli->out.quiet && is_capable(),
	};
}

/* The container of a life before has its port still. All others go with their processes. */
static void sweep_for(const struct berth_stack *stack)
{
	for (size_t i = 0; i < stack->manifest.service_count; i++) {
		const struct berth_job *job = stack->services[i].job;

		if (!stack->services[i].wanted || (!job->stop_argv && !job->outside))
			continue;
		berth_sweep_all();
		return;
	}
}

/* The file of ports is of this machine; in a repository it is in everybody's way. */
static void advise_ignore(struct berth_cli *cli, const struct berth_stack *stack)
{
	const char *name = strrchr(stack->ports_file, '/') + 1;
	char path[PATH_MAX + 16];

	snprintf(path, sizeof(path), "%s/.git", stack->identity.root);
	if (!cli->out.messages_color || access(path, F_OK) < 0 ||
	    access(stack->ports_file, F_OK) == 0 || berth_ignore_has_ports(stack->identity.root) ||
	    berth_ignore_has_ports(stack->folder))
		return;
	berth_out_hint(&cli->out, "put %s into .gitignore: it tells what runs here, now", name);
}

/* --- in the background --- */

static bool is_named(const struct berth_cli *cli, const json_t *service)
{
	const char *name = berth_json_string(service, "service", "");

	for (size_t i = 0; i < cli->operands.count; i++)
		if (strcmp(cli->operands.items[i], name) == 0)
			return true;
	return !cli->operands.count;
}

static void say_service(struct berth_cli *cli, const json_t *service)
{
	bool one_of_many = berth_json_int(service, "instance", 1) > 1;
	const json_t *ports = json_object_get(service, "ports");
	const json_t *port;
	size_t i;

	if (!is_named(cli, service))
		return;
	if (!json_array_size(ports))
		berth_out_say(&cli->out, one_of_many ? "%s.%lld runs" : "%s runs",
			      berth_json_string(service, "service", ""),
			      (long long)berth_json_int(service, "instance", 1));
	json_array_foreach (ports, i, port)
		berth_started_say(&cli->out, service, port, false, one_of_many);
}

/* What runs of it now, told by the records. */
static int show(struct berth_cli *cli, const struct berth_stack *stack, struct berth_err *err)
{
	BERTH_AUTO_JSON json_t *documents = NULL;
	BERTH_AUTO_JSON json_t *records = NULL;
	BERTH_AUTO_JSON json_t *document = NULL;
	struct berth_services services;
	const json_t *service;
	size_t i;
	int r = berth_services_load(&services, err);

	if (r < 0)
		return r;
	records = berth_stack_records(stack->identity.key, services.records);
	documents = berth_services_documents(records);
	berth_services_deinit(&services);
	if (cli->out.json) {
		document = json_pack("{s:i,s:O}", "version", 1, "services", documents);
		berth_out_json(&cli->out, document);
		return 0;
	}
	json_array_foreach (documents, i, service)
		say_service(cli, service);
	return 0;
}

static int ask(const struct berth_stack *stack, const char *what,
	       const struct berth_opt_list *names, int64_t wait_ms, json_t **ret_answer,
	       struct berth_err *err)
{
	BERTH_AUTO_JSON json_t *request =
		json_pack("{s:s,s:o}", "do", what, "services", json_array());
	int fd = berth_control_connect(stack->socket_name);
	int r;

	if (fd < 0)
		return fd;
	for (size_t i = 0; i < names->count; i++)
		json_array_append_new(json_object_get(request, "services"),
				      json_string(names->items[i]));
	r = berth_control_ask(fd, request, -1, (int)wait_ms, ret_answer, err);
	close(fd);
	return r;
}

/* "failed" of the supervisor's answer: each with the end of its log. */
static int explain_failed(struct berth_cli *cli, const json_t *answer, struct berth_err *err)
{
	const json_t *failed = json_object_get(answer, "failed");
	const json_t *one;
	size_t i;

	if (!json_array_size(failed))
		return 0;
	json_array_foreach (failed, i, one) {
		if (!cli->out.json && berth_json_string(one, "log", NULL))
			berth_ended_say_last_lines(&cli->out, one);
		if (i && !cli->out.json)
			berth_out_say(&cli->out, "%s", berth_json_string(one, "message", ""));
	}
	berth_err_set(err, -EIO, BERTH_ERR_START_FAILED, "%s",
		      berth_json_string(json_array_get(failed, 0), "message", "it has failed"));
	berth_err_hint(err,
		       "mend it, then berth up -d starts what lacks; berth down ends the rest");
	if (cli->out.json)
		berth_out_error_extra(&cli->out, "failed", json_deep_copy(failed));
	return -EIO;
}

static int say_timeout(const struct berth_stack *stack, int64_t wait_ms, struct berth_err *err)
{
	berth_err_set(err, -ETIMEDOUT, BERTH_ERR_TIMEOUT,
		      "not all of %s is ready after %g s; it goes on in the background",
		      stack->identity.project, (double)wait_ms / 1000);
	berth_err_hint(err, "berth status shows what it waits for; --wait=TIME waits longer");
	return -ETIMEDOUT;
}

/* It runs: what lacks of it is started. -ECONNREFUSED, -ENOENT: it does not. */
static int extend(struct berth_cli *cli, const struct up_args *args,
		  const struct berth_stack *stack, struct berth_err *err)
{
	BERTH_AUTO_JSON json_t *answer = NULL;
	int r = ask(stack, "up", &cli->operands, args->wait_ms, &answer, err);

	if (r == 0 && (args->stack.formation || args->stack.ports.count || args->stack.any))
		berth_out_say(&cli->out, "it runs already: -m, -p and --any count when it starts");
	if (r == -ETIMEDOUT)
		return say_timeout(stack, args->wait_ms, err);
	if (r < 0)
		return r;
	r = explain_failed(cli, answer, err);
	return r < 0 ? r : show(cli, stack, err);
}

static int start(struct berth_cli *cli, const struct up_args *args, struct berth_stack *stack,
		 struct berth_job *common, struct berth_err *err)
{
	BERTH_AUTO_JSON json_t *answer = NULL;
	int exit_code;
	int r = berth_start_detached(common, &answer, &exit_code, err);

	if (r == -ETIMEDOUT)
		return say_timeout(stack, args->wait_ms, err);
	if (r == 0)
		return show(cli, stack, err);
	if (err->code != BERTH_ERR_ALREADY_RUNNING)
		cli->error_exit = exit_code;
	return answer && explain_failed(cli, answer, err) < 0 ? -EIO : r;
}

static int run_detached(struct berth_cli *cli, const struct up_args *args,
			struct berth_stack *stack, struct berth_job *common, struct berth_err *err)
{
	int r = -ECONNREFUSED;

	for (int tries = 0; tries < TRIES; tries++) {
		*err = (struct berth_err){ 0 };
		r = extend(cli, args, stack, err);
		if (r != -ECONNREFUSED && r != -ENOENT && r != -ECONNRESET)
			return r;
		*err = (struct berth_err){ 0 };
		r = start(cli, args, stack, common, err);
		if (r == 0 || err->code != BERTH_ERR_ALREADY_RUNNING)
			return r;
	}
	return r;
}

/* --- in the foreground --- */

static int run_foreground(struct berth_cli *cli, struct berth_job *common, struct berth_err *err)
{
	struct berth_guardian_end end;
	int r = berth_start_foreground(common, &end, err);

	if (r < 0) {
		if (err->code != BERTH_ERR_ALREADY_RUNNING)
			cli->error_exit = end.exit_code;
		else
			berth_err_hint(err, "berth up -d starts what lacks of it, berth down ends "
					    "it, --as NAME makes another copy");
		return r;
	}
	if (end.lost)
		berth_out_say(
			&cli->out,
			"the supervisor of %s was killed; ended what it had started (%d process%s)",
			common->identity.project, end.swept, end.swept == 1 ? "" : "es");
	if (end.interrupted)
		berth_front_die_of(SIGINT);
	return end.exit_code;
}

/* Each line of @notes. */
static void say_notes(struct berth_cli *cli, const char *notes)
{
	for (size_t len; *notes; notes += len + (notes[len] == '\n')) {
		len = strcspn(notes, "\n");
		berth_out_say(&cli->out, "%.*s", (int)len, notes);
	}
}

/* No manifest at all: what `berth init` could make of what there is. */
static int propose(struct berth_cli *cli, const char *folder, struct berth_err *err)
{
	struct berth_str yaml = { 0 }, notes = { 0 };
	struct berth_err none = { 0 };
	int r = berth_init_propose(folder, &yaml, &notes, &none);

	if (r == 0 && !cli->out.json) {
		berth_out_say(&cli->out, "berth init would write this berth.yaml:");
		fprintf(cli->out.messages, "\n%s\n", berth_str_text(&yaml));
		say_notes(cli, berth_str_text(&notes));
		berth_err_hint(err, "berth init writes it, then berth up starts it");
	}
	berth_str_deinit(&yaml);
	berth_str_deinit(&notes);
	return -ENOENT;
}

static int run_up(struct berth_cli *cli, void *arguments, struct berth_err *err)
{
	/* Needed until the end, by our forks too. */
	static struct berth_job common;
	static char cwd[PATH_MAX];
	const struct up_args *args = arguments;
	BERTH_CLEANUP(berth_stack_freep) struct berth_stack *stack = NULL;
	BERTH_AUTO_FREE char *export_env = NULL;
	struct berth_stack_spec spec;
	int r;

	r = check_args(args, cli, err);
	if (r == 0)
		r = berth_stack_spec_of(cli, &args->stack, cwd, &spec, err);
	if (r < 0)
		return r;
	r = berth_stack_open(cli, &spec, &stack, err);
	if (r == -ENOENT && !spec.file && !berth_stack_has_manifest(&spec))
		r = propose(cli, cwd, err);
	if (r == 0)
		r = fill_common(args, cli, stack, &common, err);
	if (r < 0)
		return r;
	if (args->dry_run)
		return berth_plan_print(cli, stack, false, err);
	if (args->export_env && *args->export_env != '/') {
		if (asprintf(&export_env, "%s/%s", cwd, args->export_env) < 0)
			return berth_err_errno(err, -ENOMEM, "cannot remember a path");
	}
	stack->export_env = export_env ? export_env : args->export_env;
	r = stack->export_env ? berth_export_file_check(stack->export_env, err) : 0;
	if (r < 0)
		return r;
	stack->abort_on_exit = args->abort_on_exit;
	stack->console = console_of(args, cli);
	sweep_for(stack);
	advise_ignore(cli, stack);
	r = berth_inner_up(&common, err);
	if (r != BERTH_INNER_E_OUTSIDE)
		return r;
	return args->detach ? run_detached(cli, args, stack, &common, err)
			    : run_foreground(cli, &common, err);
}

const struct berth_cmd berth_cmd_up = {
	.name = "up",
	.synopsis = "[options] [SERVICE...]",
	.summary = "start the services of berth.yaml, or of a Procfile, together",
	.details =
		"With operands those services, and what they depend on. All ports are leased first, together or not at all; then each "
		"service starts when what it depends on is ready, and is told the ports and URLs of the others: BACKEND_PORT, "
		"BACKEND_URL, {backend.port}. .ports.json tells them to everybody else.\n"
		"\n"
		"In the foreground there is one log; Ctrl-C ends all, those first that others do not depend on, and a second one at "
		"once. With -d it returns when all is ready; what runs already goes on.\n"
		"\n"
		"The exit code is 0, or that of the first service that failed; 130 after Ctrl-C; 4 already running; 75 no port to be "
		"had; 2 for what is wrong with the manifest.",
	.opts = up_opts,
	.args_size = sizeof(struct up_args),
	.max = -1,
	.group = BERTH_CMD_START,
	.complete = BERTH_COMPLETE_SERVICE,
	.starts = true,
	.run = run_up,
};
