/* SPDX-License-Identifier: MIT */
/* cli/cmd-scale.c - berth scale: more or fewer workers or instances of what runs */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "app/find.h"
#include "base/parse.h"
#include "base/str.h"
#include "cli/cli.h"
#include "cli/commands.h"
#include "cli/run.h"
#include "cli/services.h"

enum {
	COUNT_MAX = BERTH_RUN_INSTANCES_MAX,
	WORD_MAX = 512, /* bytes of a service's name as a user writes it */
};
_Static_assert((int)BERTH_RUN_WORKERS_MAX <= (int)COUNT_MAX,
	       "the supervisor says where workers end");

struct scale_args {
	int64_t wait_ms;
};

static const struct berth_opt scale_opts[] = {
	{ 0, "wait", "TIME", BERTH_AT(DURATION, struct scale_args, wait_ms),
	  "how long to wait for ready", .preset = "30s", .min = 1, .max = BERTH_CLI_WAIT_MAX_MS },
	{ 0 },
};

/* "api=3" */
struct target {
	char word[WORD_MAX];
	unsigned int count;
};

static int parse_target(const char *text, struct target *target, struct berth_err *err)
{
	const char *equals = strrchr(text, '=');
	char shown[128];
	uint64_t count;

	berth_str_printable(text, (size_t)-1, shown, sizeof(shown));
	if (!equals || equals == text || (size_t)(equals - text) >= sizeof(target->word)) {
		berth_err_set(err, -EINVAL, BERTH_ERR_USAGE, "'%s' is not SERVICE=N", shown);
		berth_err_hint(err, "as in 'berth scale api=3'");
		return -EINVAL;
	}
	if (berth_parse_u64(equals + 1, COUNT_MAX, &count) < 0 || count == 0) {
		berth_err_set(err, -EINVAL, BERTH_ERR_USAGE,
			      "'%s': N is a number from 1 to %d, for workers %d", shown, COUNT_MAX,
			      BERTH_RUN_WORKERS_MAX);
		if (strcmp(equals + 1, "0") == 0)
			berth_err_hint(err, "berth stop ends a service");
		return -EINVAL;
	}
	snprintf(target->word, sizeof(target->word), "%.*s", (int)(equals - text), text);
	target->count = (unsigned int)count;
	return 0;
}

/* The records of the one service that is meant, as of now; never none. A new array. */
static int find_meant(struct berth_services *services, const struct target *target,
		      json_t **ret_found, struct berth_err *err)
{
	const char *words[] = { target->word, NULL };
	struct berth_opt_list list = { .items = words, .count = 1 };
	BERTH_AUTO_JSON json_t *found = NULL;
	int r = berth_services_select(services, &list, &found, err);

	if (r < 0) {
		berth_services_explain_missing(services, &list, err);
		return r;
	}
	if (!berth_services_is_one(found)) {
		berth_err_set(err, -EINVAL, BERTH_ERR_USAGE, "'%s' is more than one service",
			      target->word);
		berth_err_hint(err, "name one by its port or id; berth ls -o service,url,id");
		return -EINVAL;
	}
	*ret_found = BERTH_STEAL(found);
	return 0;
}

/* "shop/api has 3 workers now: http://localhost:5000" */
static void say_scaled(struct berth_cli *cli, const json_t *now, const char *label)
{
	size_t instances = json_array_size(now);
	const json_t *first = json_array_get(now, 0);
	size_t workers = json_array_size(json_object_get(first, "workers"));
	BERTH_CLEANUP(berth_str_deinit) struct berth_str text = { 0 };
	const json_t *service;
	char url[64];
	size_t i;

	if (instances > 1)
		berth_str_addf(&text, "%s has %zu instances now", label, instances);
	else if (workers > 1)
		berth_str_addf(&text, "%s has %zu workers now", label, workers);
	else
		berth_str_addf(&text, "one %s runs now", label);
	json_array_foreach (now, i, service)
		if (*berth_services_url(service, url, sizeof(url)))
			berth_str_addf(&text, "%s%s", i ? ", " : ": ", url);
	if (berth_str_text(&text))
		berth_out_say(&cli->out, "%s", berth_str_text(&text));
}

/* What there is now, by the same name: too much for one answer where it is a hundred instances. */
static int look_again(struct berth_cli *cli, const struct target *target, const char *label,
		      json_t *documents, struct berth_err *err)
{
	BERTH_AUTO_JSON json_t *found = NULL;
	BERTH_AUTO_JSON json_t *now = NULL;
	struct berth_services services;
	const json_t *service;
	size_t i;
	int r = berth_services_load(&services, err);

	if (r == 0)
		r = find_meant(&services, target, &found, err);
	if (r == 0)
		now = berth_services_ask_all(found);
	json_array_foreach (now, i, service)
		if (r == 0)
			r = berth_services_check_ready(cli, service, label, err);
	if (r == 0)
		say_scaled(cli, now, label);
	json_array_extend(documents, now);
	berth_services_deinit(&services);
	return r;
}

static int scale_one(struct berth_cli *cli, const struct target *target, int64_t wait_ms,
		     json_t *documents, struct berth_err *err)
{
	BERTH_AUTO_JSON json_t *request =
		json_pack("{s:s,s:i}", "do", "scale", "count", (int)target->count);
	BERTH_AUTO_JSON json_t *answer = NULL;
	BERTH_AUTO_JSON json_t *found = NULL;
	struct berth_services services;
	const json_t *first;
	char label[WORD_MAX];
	int r = berth_services_load(&services, err);

	if (r == 0)
		r = find_meant(&services, target, &found, err);
	if (r == 0) {
		first = json_array_get(found, 0);
		berth_str_copy(label, sizeof(label),
			       berth_json_string(berth_registry_service(first), "label", "?"));
		r = berth_find_ask(first, request, (int)wait_ms, &answer, err);
	}
	if (r == -ETIMEDOUT)
		berth_err_set(err, r, BERTH_ERR_TIMEOUT, "not all of '%s' is ready yet; it goes on",
			      label);
	berth_services_deinit(&services);
	return r < 0 ? r : look_again(cli, target, label, documents, err);
}

static int run_scale(struct berth_cli *cli, void *arguments, struct berth_err *err)
{
	const struct scale_args *args = arguments;
	BERTH_AUTO_JSON json_t *documents = json_array();
	BERTH_AUTO_JSON json_t *document = NULL;
	struct target target;
	int r = 0;

	/* All are read before the first is changed. */
	for (size_t i = 0; r == 0 && i < cli->operands.count; i++)
		r = parse_target(cli->operands.items[i], &target, err);
	for (size_t i = 0; r == 0 && i < cli->operands.count; i++) {
		r = parse_target(cli->operands.items[i], &target, err);
		if (r == 0)
			r = scale_one(cli, &target, args->wait_ms, documents, err);
	}
	if (r == 0 && cli->out.json) {
		document = json_pack("{s:i,s:O}", "version", 1, "services", documents);
		berth_out_json(&cli->out, document);
	}
	return r;
}

const struct berth_cmd berth_cmd_scale = {
	.name = "scale",
	.synopsis = "[options] SERVICE=N...",
	.summary = "have N workers of a service, or N instances",
	.details =
		"Instances where it was started with --instances, else workers, which share its port. Those that there are go on; "
		"the last ones end first. Returns when all are ready.",
	.opts = scale_opts,
	.args_size = sizeof(struct scale_args),
	.min = 1,
	.max = -1,
	.group = BERTH_CMD_CHANGE,
	.complete = BERTH_COMPLETE_SERVICE,
	.run = run_scale,
};
