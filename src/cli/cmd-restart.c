/* SPDX-License-Identifier: MIT */
/* cli/cmd-restart.c - berth restart: end a service and start it again, on the same port */
#include <errno.h>
#include <string.h>

#include "app/find.h"
#include "base/str.h"
#include "cli/cli.h"
#include "cli/commands.h"
#include "cli/ended.h"
#include "cli/run.h"
#include "cli/services.h"
#include "cli/stack.h"
#include "stack/command.h"

struct restart_args {
	bool rolling;
	int64_t wait_ms;
	struct berth_opt_list env;
};

static const struct berth_opt restart_opts[] = {
	{ 0, "rolling", NULL, BERTH_AT(FLAG, struct restart_args, rolling),
	  "one after the other: the old one ends when the new one is ready" },
	{ 'e', "env", "NAME=VALUE", BERTH_AT(LIST, struct restart_args, env),
	  "set or change a variable of the command, from now on" },
	{ 0, "wait", "TIME", BERTH_AT(DURATION, struct restart_args, wait_ms),
	  "how long to wait for ready", .preset = "30s", .min = 1, .max = BERTH_CLI_WAIT_MAX_MS },
	{ 0 },
};

/*
 * Words as they are, behind those that are there: one that JSON can't hold would be another one at the
 * other end.
 */
static int add_words(json_t *request, const char *name, const char *const *words, size_t count,
		     struct berth_err *err)
{
	json_t *present = json_object_get(request, name);
	json_t *array = present ? json_incref(present) : json_array();
	char shown[64];

	for (size_t i = 0; i < count; i++) {
		if (json_array_append_new(array, json_string(words[i])) == 0)
			continue;
		json_decref(array);
		berth_err_set(err, -EINVAL, BERTH_ERR_USAGE, "'%s' is not valid UTF-8",
			      berth_str_printable(words[i], (size_t)-1, shown, sizeof(shown)));
		berth_err_hint(err, "berth stop and berth run take any bytes");
		return -EINVAL;
	}
	json_object_set_new(request, name, array);
	return 0;
}

static size_t count_words(const char *const *words)
{
	size_t count = 0;

	while (words[count])
		count++;
	return count;
}

/* The files themselves: what is in them may be secret, or no text at all. */
static int add_env_files(const struct berth_stack *stack, size_t index, json_t *request,
			 struct berth_err *err)
{
	char **files = berth_stack_env_files(stack, index);
	const char *const *words = (const char *const *)files;
	int r;

	if (!files)
		return berth_err_errno(err, -ENOMEM, "cannot ask for a restart");
	r = add_words(request, "env_files", words, count_words(words), err);
	berth_command_free(files);
	return r;
}

/* The command and variables that the manifest has now, for a service of a stack. */
static int add_manifest(struct berth_cli *cli, const json_t *service, const char *file,
			bool command, json_t *request, struct berth_err *err)
{
	const char *name = berth_json_string(service, "service", "");
	BERTH_CLEANUP(berth_stack_freep) struct berth_stack *stack = NULL;
	const struct berth_stack_spec spec = {
		.cwd = berth_json_string(service, "root", "/"),
		.file = file,
		.copy = berth_json_string(service, "copy", NULL),
		.services = &name,
		.service_count = 1,
	};
	const struct berth_job *job;
	size_t index;
	int r = berth_stack_open(cli, &spec, &stack, err);

	if (r < 0)
		return r;
	index = (size_t)berth_manifest_find(&stack->manifest, name);
	job = stack->services[index].job;
	if (command)
		r = add_words(request, "argv", job->argv, count_words(job->argv), err);
	if (r == 0)
		r = add_words(request, "env", job->extra_env, count_words(job->extra_env), err);
	return r == 0 ? add_env_files(stack, index, request, err) : r;
}

/* What is asked of the supervisor of @service. */
static int make_request(struct berth_cli *cli, const struct restart_args *args,
			const json_t *service, json_t **ret_request, struct berth_err *err)
{
	BERTH_AUTO_JSON json_t *request =
		json_pack("{s:s,s:b}", "do", "restart", "rolling", args->rolling);
	const struct berth_opt_list *operands = &cli->operands;
	const char *file = berth_json_string(service, "stack", NULL);
	size_t words = operands->count - operands->before_dashes;
	int r = 0;

	if (!request)
		return berth_err_errno(err, -ENOMEM, "cannot ask for a restart");
	/* Where it is gone, what was started goes on as it was. */
	if (file && access(file, F_OK) == 0)
		r = add_manifest(cli, service, file, !words, request, err);
	if (r == 0 && words)
		r = add_words(request, "argv", operands->items + operands->before_dashes, words,
			      err);
	if (r == 0 && args->env.count)
		r = add_words(request, "env", args->env.items, args->env.count, err);
	if (r == 0)
		*ret_request = BERTH_STEAL(request);
	return r;
}

static void say_restarted(struct berth_cli *cli, const json_t *service, const char *label)
{
	size_t workers = json_array_size(json_object_get(service, "workers"));
	const char *why = berth_json_string(service, "kept_why", NULL);
	BERTH_CLEANUP(berth_str_deinit) struct berth_str text = { 0 };
	char url[64];

	berth_str_addf(&text, "restarted %s: %s", label,
		       berth_services_url(service, url, sizeof(url)));
	if (workers > 1)
		berth_str_addf(&text, "%s%zu workers", *url ? ", " : "", workers);
	else
		berth_str_addf(&text, "%spid %lld", *url ? ", " : "",
			       (long long)berth_json_int(service, "pid", 0));
	if (strcmp(berth_json_string(service, "kept", ""), "bound-anew") == 0 && why)
		berth_str_addf(&text, "; its listening socket was not kept: %s", why);
	if (berth_str_text(&text))
		berth_out_say(&cli->out, "%s", berth_str_text(&text));
}

static int restart_one(struct berth_cli *cli, json_t *record, const struct restart_args *args,
		       json_t *documents, struct berth_err *err)
{
	const char *label = berth_json_string(berth_registry_service(record), "label", "?");
	BERTH_AUTO_JSON json_t *request = NULL;
	BERTH_AUTO_JSON json_t *answer = NULL;
	json_t *service;
	int r = make_request(cli, args, berth_registry_service(record), &request, err);

	if (r < 0)
		return r;
	r = berth_find_ask(record, request, (int)args->wait_ms, &answer, err);
	if (r == -ETIMEDOUT)
		return berth_err_set(err, r, BERTH_ERR_TIMEOUT,
				     "'%s' is not ready again yet; it goes on", label);
	if (r < 0) {
		if (err->code == BERTH_ERR_START_FAILED && !cli->out.json)
			berth_ended_say_last_lines(&cli->out, berth_registry_service(record));
		if (err->code == BERTH_ERR_START_FAILED && args->rolling && !*err->hint)
			berth_err_hint(err,
				       "what ran before goes on: the command, and its variables");
		return r;
	}
	service = json_object_get(answer, "service");
	json_array_append(documents, service);
	r = berth_services_check_ready(cli, service, label, err);
	if (r == 0)
		say_restarted(cli, service, label);
	return r;
}

/* What is meant: never nothing, and one service only where the command is to be another. */
static int find_meant(struct berth_services *services, const struct berth_opt_list *operands,
		      json_t **ret_found, struct berth_err *err)
{
	struct berth_opt_list words = { .items = operands->items,
					.count = operands->before_dashes };
	BERTH_AUTO_JSON json_t *found = NULL;
	int r = berth_services_select_own(services, &words, &found, err);

	if (r < 0) {
		berth_services_explain_missing(services, &words, err);
		return r;
	}
	if (!json_array_size(found)) {
		berth_err_set(err, -ENOENT, BERTH_ERR_NOT_RUNNING, "nothing of this project runs");
		berth_err_hint(err, "berth run starts a service");
		return -ENOENT;
	}
	if (operands->count > operands->before_dashes && !berth_services_is_one(found)) {
		berth_err_set(err, -EINVAL, BERTH_ERR_USAGE,
			      "a changed command is that of one service, and several are meant");
		berth_err_hint(err, "name it: berth restart SERVICE -- COMMAND");
		return -EINVAL;
	}
	*ret_found = BERTH_STEAL(found);
	return 0;
}

static int run_restart(struct berth_cli *cli, void *arguments, struct berth_err *err)
{
	const struct restart_args *args = arguments;
	BERTH_AUTO_JSON json_t *documents = json_array();
	BERTH_AUTO_JSON json_t *document = NULL;
	BERTH_AUTO_JSON json_t *found = NULL;
	struct berth_services services;
	json_t *record;
	size_t i;
	int r;

	r = berth_run_check_env(&args->env, err);
	if (r < 0)
		return r;
	r = berth_services_load(&services, err);
	if (r < 0)
		return r;
	r = find_meant(&services, &cli->operands, &found, err);
	json_array_foreach (found, i, record)
		if (r == 0)
			r = restart_one(cli, record, args, documents, err);
	berth_services_deinit(&services);
	if (r == 0 && cli->out.json) {
		document = json_pack("{s:i,s:O}", "version", 1, "services", documents);
		berth_out_json(&cli->out, document);
	}
	return r;
}

const struct berth_cmd berth_cmd_restart = {
	.name = "restart",
	.synopsis = "[options] [SERVICE | PORT | ID]... [-- COMMAND [ARG...]]",
	.summary = "end services and start them again, on the same ports",
	.details =
		"The same command, variables and ports, or those that are given here; clients that connect in between wait and are "
		"served by the new one. Returns when it is ready again. A service of a stack gets the command and the variables that "
		"its manifest, and the files that this reads, have now.\n"
		"\n"
		"With --rolling a new one is started beside each old one, which goes on until the new one is ready, and for good if "
		"that does not get ready.",
	.opts = restart_opts,
	.args_size = sizeof(struct restart_args),
	.max = -1,
	.command_last = true,
	.group = BERTH_CMD_CHANGE,
	.complete = BERTH_COMPLETE_SERVICE,
	.run = run_restart,
};
