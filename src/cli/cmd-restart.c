/* SPDX-License-Identifier: MIT */
/* cli/cmd-restart.c - berth restart: end a service and start it again, on the same port */
#include <errno.h>
#include <string.h>

#include "app/find.h"
#include "base/str.h"
#include "cli/cli.h"
#include "cli/commands.h"
#include "cli/services.h"

struct restart_args {
	int64_t wait_ms;
};

static const struct berth_opt restart_opts[] = {
	{ 0, "wait", "TIME", BERTH_AT(DURATION, struct restart_args, wait_ms),
	  "how long to wait for ready", .preset = "30s", .min = 1 },
	{ 0 },
};

static int restart_one(struct berth_cli *cli, json_t *record, int64_t wait_ms, json_t *documents,
		       struct berth_err *err)
{
	BERTH_AUTO_JSON json_t *request = json_pack("{s:s}", "do", "restart");
	BERTH_AUTO_JSON json_t *answer = NULL;
	const char *label = berth_json_string(berth_registry_service(record), "label", "?");
	json_t *service;
	char url[64];
	int r = berth_find_ask(record, request, (int)wait_ms, &answer, err);

	if (r == -ETIMEDOUT)
		return berth_err_set(err, r, BERTH_ERR_TIMEOUT,
				     "'%s' is not ready again yet; it goes on", label);
	if (r < 0)
		return r;
	service = json_object_get(answer, "service");
	json_array_append(documents, service);
	if (strcmp(berth_json_string(service, "state", ""), "ready") != 0) {
		berth_err_set(err, -EIO, BERTH_ERR_START_FAILED,
			      "'%s' ended before it listened again", label);
		berth_err_hint(err, "berth history has its last lines");
		return -EIO;
	}
	berth_out_say(&cli->out, "restarted %s: %s, pid %lld", label,
		      berth_services_url(service, url, sizeof(url)),
		      (long long)berth_json_int(service, "pid", 0));
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

	r = berth_services_load(&services, err);
	if (r < 0)
		return r;
	r = berth_services_select(&services, &cli->operands, &found, err);
	if (r == 0 && !json_array_size(found))
		r = berth_err_set(err, -ENOENT, BERTH_ERR_NOT_RUNNING,
				  "nothing of this project runs");
	json_array_foreach (found, i, record)
		if (r == 0)
			r = restart_one(cli, record, args->wait_ms, documents, err);
	berth_services_deinit(&services);
	if (r == 0 && cli->out.json) {
		document = json_pack("{s:i,s:O}", "version", 1, "services", documents);
		berth_out_json(&cli->out, document);
	}
	return r;
}

const struct berth_cmd berth_cmd_restart = {
	.name = "restart",
	.synopsis = "[options] [SERVICE | PORT | ID]...",
	.summary = "end services and start them again, on the same ports",
	.details =
		"The same command, variables and ports; nobody else gets the ports in between. Returns when it is ready again.",
	.opts = restart_opts,
	.args_size = sizeof(struct restart_args),
	.max = -1,
	.group = BERTH_CMD_CHANGE,
	.complete = BERTH_COMPLETE_SERVICE,
	.run = run_restart,
};
