/* SPDX-License-Identifier: MIT */
/* cli/cmd-down.c - berth down: stop the services of a stack, each before what it depends on */
#include <errno.h>
#include <poll.h>
#include <string.h>

#include "app/control.h"
#include "app/stop.h"
#include "base/time.h"
#include "cli/commands.h"
#include "cli/ended.h"
#include "cli/services.h"
#include "cli/stack.h"
#include "os/child.h"

struct down_args {
	struct berth_stack_args stack;
	int64_t grace_ms;
	bool grace_given;
	bool kill;
};

enum {
	SLACK_MS = 10000, /* beyond the grace periods */
	GRACE_MS = 10000, /* where a record does not tell */
	LAST_WORDS_MS = 10000,
	HELLO_MS = 1000,
};

static const struct berth_opt down_opts[] = {
	BERTH_STACK_OPTS(struct down_args),
	{ 0, "grace", "TIME", BERTH_AT(DURATION, struct down_args, grace_ms),
	  "from the stop signal to SIGKILL; what each was started with otherwise", .group = "How",
	  .given_at = offsetof(struct down_args, grace_given) },
	{ 0, "kill", NULL, BERTH_AT(FLAG, struct down_args, kill), "SIGKILL at once" },
	{ 0 },
};

static bool is_named(const struct berth_cli *cli, const json_t *record)
{
	const char *name = berth_json_string(berth_registry_service(record), "service", "");

	for (size_t i = 0; i < cli->operands.count; i++)
		if (strcmp(cli->operands.items[i], name) == 0)
			return true;
	return !cli->operands.count;
}

/* -1: what each was started with. */
static int64_t grace_of(const struct down_args *args)
{
	if (args->kill)
		return 0;
	return args->grace_given ? args->grace_ms : -1;
}

/* At worst one after the other, each for all of its time. */
static int64_t patience_ms(const struct down_args *args, const json_t *records)
{
	int64_t sum = SLACK_MS, wished = grace_of(args);
	const json_t *record, *grace;
	size_t i;

	json_array_foreach (records, i, record) {
		grace = berth_registry_private(record, "grace_ms");
		if (wished >= 0)
			sum += wished;
		else
			sum += grace ? json_integer_value(grace) : GRACE_MS;
	}
	return sum < BERTH_CLI_WAIT_MAX_MS ? sum : BERTH_CLI_WAIT_MAX_MS;
}

/* Somebody else may have given them more time than we do: then for as long as that takes. */
static int ask(struct berth_cli *cli, const struct down_args *args, const char *socket_name,
	       int64_t wait_ms, json_t **ret_answer, struct berth_err *err)
{
	BERTH_AUTO_JSON json_t *request =
		json_pack("{s:s,s:I,s:b,s:o}", "do", "down", "grace_ms", (json_int_t)grace_of(args),
			  "kill", args->kill, "services", json_array());
	int r;

	for (size_t i = 0; i < cli->operands.count; i++)
		json_array_append_new(json_object_get(request, "services"),
				      json_string(cli->operands.items[i]));
	do
		r = berth_control_ask_at(socket_name, request, (int)wait_ms, ret_answer, err);
	while (r == -ETIMEDOUT && berth_control_is_responsive(socket_name, HELLO_MS));
	return r;
}

/* The prompt comes back when the last of it has gone. */
static void await_process(const json_t *record, const char *which)
{
	struct berth_proc_id id = berth_registry_process(record, which);
	BERTH_AUTO_FD int pidfd = id.pid ? berth_child_open(id.pid) : -1;
	struct pollfd poll_fd = { .fd = pidfd, .events = POLLIN };

	if (pidfd >= 0 && berth_procfs_is_alive(&id))
		(void)!poll(&poll_fd, 1, LAST_WORDS_MS);
}

static json_t *find_record(const json_t *records, const char *id)
{
	json_t *record;
	size_t i;

	json_array_foreach (records, i, record)
		if (strcmp(berth_json_string(berth_registry_service(record), "id", ""), id) == 0)
			return record;
	return NULL;
}

/* What ran before, in the order in which it has ended. */
static void say_ended(struct berth_cli *cli, const json_t *records, const json_t *answer)
{
	const json_t *ended;
	size_t i;

	json_array_foreach (json_object_get(answer, "ended"), i, ended) {
		json_t *record = find_record(records, berth_json_string(ended, "id", ""));
		BERTH_AUTO_JSON json_t *told = json_pack(
			"{s:{s:O},s:s}", "service", "exit", json_object_get(ended, "exit"),
			"also_ended", berth_json_string(ended, "also_ended", ""));

		if (record && is_named(cli, record))
			berth_ended_say(&cli->out, berth_registry_service(record), told,
					berth_json_int(ended, "took_ms", 0));
	}
}

/* Whoever does not answer any more is ended as `berth stop` does it, one after the other. */
static int stop_each(struct berth_cli *cli, struct berth_services *services,
		     const struct down_args *args, const json_t *records, struct berth_err *err)
{
	const struct berth_stop_spec spec = { .grace_ms = grace_of(args), .kill = args->kill };
	int r = 0;

	for (size_t i = json_array_size(records); i-- > 0 && r >= 0;) {
		json_t *record = json_array_get(records, i);
		BERTH_AUTO_JSON json_t *answer = NULL;
		int64_t began_ns = berth_time_mono_ns();

		if (!is_named(cli, record))
			continue;
		r = berth_stop(&services->registry, record, &spec, &answer, err);
		if (r == 0)
			berth_ended_say(&cli->out, berth_registry_service(record), answer,
					(berth_time_mono_ns() - began_ns) / BERTH_NS_PER_MS);
	}
	return r < 0 ? r : 0;
}

static int stop_all(struct berth_cli *cli, struct berth_services *services,
		    const struct down_args *args, const char *socket_name, const json_t *records,
		    struct berth_err *err)
{
	const json_t *first = json_array_get(records, 0);
	BERTH_AUTO_JSON json_t *answer = NULL;
	int r = ask(cli, args, socket_name, patience_ms(args, records), &answer, err);

	if (r < 0 && (err->code == BERTH_ERR_NOT_FOUND || err->code == BERTH_ERR_USAGE))
		return r;
	if (r < 0) {
		*err = (struct berth_err){ 0 };
		return first ? stop_each(cli, services, args, records, err) : 0;
	}
	say_ended(cli, records, answer);
	if (cli->operands.count || !first)
		return 0;
	await_process(first, "supervisor");
	await_process(first, "guardian");
	return 0;
}

static int run_down(struct berth_cli *cli, void *arguments, struct berth_err *err)
{
	const struct down_args *args = arguments;
	BERTH_AUTO_JSON json_t *records = NULL;
	BERTH_AUTO_JSON json_t *document = NULL;
	struct berth_identity *identity;
	struct berth_services services;
	struct berth_stack_spec spec;
	char cwd[PATH_MAX], socket_name[100];
	int r = berth_stack_spec_of(cli, &args->stack, cwd, &spec, err);

	if (r < 0)
		return r;
	r = berth_services_load(&services, err);
	if (r < 0)
		return r;
	identity = &services.here;
	berth_identity_deinit(identity);
	r = berth_stack_identify(&spec, identity, err);
	if (r == 0) {
		berth_stack_socket_name(identity, socket_name, sizeof(socket_name));
		records = berth_stack_records(identity->key, services.records);
		if (!json_array_size(records))
			berth_out_say(&cli->out, "nothing of this stack runs");
		r = stop_all(cli, &services, args, socket_name, records, err);
	}
	if (r == 0 && cli->out.json) {
		document = json_pack("{s:i,s:o}", "version", 1, "services",
				     berth_services_documents(records));
		berth_out_json(&cli->out, document);
	}
	berth_services_deinit(&services);
	return r;
}

const struct berth_cmd berth_cmd_down = {
	.name = "down",
	.synopsis = "[options] [SERVICE...]",
	.summary = "stop a stack, or some of its services; their ports are free then",
	.details =
		"Each service ends before those that it depends on. Returns when nothing of them lives and their ports can be bound. "
		"Where nothing runs the goal holds already: exit 0.",
	.opts = down_opts,
	.args_size = sizeof(struct down_args),
	.max = -1,
	.group = BERTH_CMD_CHANGE,
	.complete = BERTH_COMPLETE_SERVICE,
	.run = run_down,
};
