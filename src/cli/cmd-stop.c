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
	bool kill;
	bool all;
};

static const struct berth_opt stop_opts[] = {
	{ 0, "grace", "TIME", BERTH_AT(DURATION, struct stop_args, grace_ms),
	  "from SIGTERM to SIGKILL; what it was started with otherwise", .min = 0 },
	{ 0, "kill", NULL, BERTH_AT(FLAG, struct stop_args, kill), "SIGKILL at once" },
	{ 'a', "all", NULL, BERTH_AT(FLAG, struct stop_args, all),
	  "everything that runs, of every project" },
	{ 0 },
};

static int stop_each(struct berth_cli *cli, struct berth_services *services,
		     const struct stop_args *args, json_t *records, json_t *documents,
		     struct berth_err *err)
{
	const struct berth_stop_spec spec = { .grace_ms = args->kill	   ? 0
							  : args->grace_ms ? args->grace_ms
									   : -1,
					      .kill = args->kill };
	json_t *record;
	size_t i;

	json_array_foreach (records, i, record) {
		BERTH_AUTO_JSON json_t *answer = NULL;
		int64_t began = berth_time_mono_ns();
		int r = berth_stop(&services->registry, record, &spec, &answer, err);

		if (r < 0)
			return r;
		if (r == BERTH_STOP_E_GONE) {
			berth_out_say(
				&cli->out, "%s has ended already",
				berth_json_string(berth_registry_service(record), "label", "?"));
			continue;
		}
		berth_ended_say(&cli->out, berth_registry_service(record), answer,
				(berth_time_mono_ns() - began) / 1000000);
		json_array_append(documents, answer ? json_object_get(answer, "service")
						    : berth_registry_service(record));
	}
	return 0;
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
		r = berth_services_select(&services, &cli->operands, &found, err);
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
		"Without an operand: the services of this project. SIGTERM first, SIGKILL when the grace period is over. Returns when "
		"nothing of the service lives and its ports can be bound; what was ended besides is named.",
	.opts = stop_opts,
	.args_size = sizeof(struct stop_args),
	.max = -1,
	.group = BERTH_CMD_CHANGE,
	.complete = BERTH_COMPLETE_SERVICE,
	.run = run_stop,
};
