/* SPDX-License-Identifier: MIT */
/* cli/cmd-stop.c - berth stop: end services, and all that they started */
#include "app/stop.h"
#include "base/time.h"
#include "cli/cli.h"
#include "cli/commands.h"
#include "cli/ended.h"
#include "cli/services.h"

struct stop_args {
	int64_t grace_ms;
	bool grace_given;
	bool kill;
	bool all;
};

enum {
	AT_ONCE = 200, /* connections */
};

static const struct berth_opt stop_opts[] = {
	{ 0, "grace", "TIME", BERTH_AT(DURATION, struct stop_args, grace_ms),
	  "from SIGTERM to SIGKILL; what it was started with otherwise", .min = 0,
	  .given_at = offsetof(struct stop_args, grace_given) },
	{ 0, "kill", NULL, BERTH_AT(FLAG, struct stop_args, kill), "SIGKILL at once" },
	{ 'a', "all", NULL, BERTH_AT(FLAG, struct stop_args, all),
	  "everything that runs, of every project" },
	{ 0 },
};

/* Where one has failed before, what else has been asked to end is waited for, no more. */
static int finish(struct berth_cli *cli, struct berth_services *services, struct berth_stop *stop,
		  int64_t began_ns, json_t *documents, int failed, struct berth_err *err)
{
	json_t *service = berth_registry_service(stop->record);
	BERTH_AUTO_JSON json_t *answer = NULL;
	int r = berth_stop_finish(&services->registry, stop, &answer, failed ? NULL : err);

	if (r < 0)
		return failed ? failed : r;
	if (r == BERTH_STOP_E_GONE) {
		berth_out_say(&cli->out, "%s has ended already",
			      berth_json_string(service, "label", "?"));
		return failed;
	}
	berth_ended_say(&cli->out, service, answer,
			(berth_time_mono_ns() - began_ns) / BERTH_NS_PER_MS);
	json_array_append(documents, answer ? json_object_get(answer, "service") : service);
	return failed;
}

static int stop_each(struct berth_cli *cli, struct berth_services *services,
		     const struct stop_args *args, json_t *records, json_t *documents,
		     struct berth_err *err)
{
	const struct berth_stop_spec spec = { .grace_ms = args->kill	      ? 0
							  : args->grace_given ? args->grace_ms
									      : -1,
					      .kill = args->kill };
	size_t count = json_array_size(records), asked = 0;
	struct berth_stop stops[AT_ONCE];
	int64_t began[AT_ONCE];
	int failed = 0;

	/* Each has its grace period, but all at the same time. */
	for (size_t i = 0; i < count; i++) {
		for (; !failed && asked < count && asked < i + AT_ONCE; asked++) {
			began[asked % AT_ONCE] = berth_time_mono_ns();
			berth_stop_begin(&stops[asked % AT_ONCE], json_array_get(records, asked),
					 &spec);
		}
		if (i == asked)
			break;
		failed = finish(cli, services, &stops[i % AT_ONCE], began[i % AT_ONCE], documents,
				failed, err);
	}
	return failed;
}

/* Known, and not running: the goal holds already. */
static bool has_ended_before(const struct berth_services *services, const char *word)
{
	BERTH_AUTO_JSON json_t *end = berth_services_last_end(services, word);

	return end;
}

static int run_stop(struct berth_cli *cli, void *arguments, struct berth_err *err)
{
	const struct stop_args *args = arguments;
	BERTH_AUTO_JSON json_t *documents = json_array();
	BERTH_AUTO_JSON json_t *document = NULL;
	BERTH_AUTO_JSON json_t *found = NULL;
	struct berth_services services;
	int r;

	r = berth_services_load(&services, err);
	if (r < 0)
		return r;
	if (args->all)
		found = json_incref(services.records);
	else
		r = berth_services_select_own(&services, &cli->operands, &found, err);
	if (r < 0 && cli->operands.count == 1 && err->code == BERTH_ERR_NOT_FOUND &&
	    has_ended_before(&services, cli->operands.items[0])) {
		berth_out_say(&cli->out, "%s does not run", cli->operands.items[0]);
		found = json_array();
		r = 0;
	} else if (r == 0 && !json_array_size(found)) {
		berth_out_say(&cli->out,
			      args->all ? "nothing runs" : "nothing of this project runs");
	}
	if (r == 0)
		r = stop_each(cli, &services, args, found, documents, err);
	berth_services_deinit(&services);
	if (r == 0 && cli->out.json) {
		document = json_pack("{s:i,s:O}", "version", 1, "services", documents);
		berth_out_json(&cli->out, document);
	}
	return r;
}

const struct berth_cmd berth_cmd_stop = {
	.name = "stop",
	.synopsis = "[options] [SERVICE | PORT | ID]...",
	.summary = "end services and all they started; their ports are free then",
	.details =
		"Without an operand: the services of this project, but no copies (up --as), which are named: shop+demo. SIGTERM first, SIGKILL when the grace period is over. Returns when "
		"nothing of the service lives and its ports can be bound; what was ended besides is named.",
	.opts = stop_opts,
	.args_size = sizeof(struct stop_args),
	.max = -1,
	.group = BERTH_CMD_CHANGE,
	.complete = BERTH_COMPLETE_SERVICE,
	.run = run_stop,
};
