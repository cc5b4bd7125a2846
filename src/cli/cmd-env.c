/* SPDX-License-Identifier: MIT */
/* cli/cmd-env.c - berth env: print the variables that tell where services are */
#include <errno.h>
#include <string.h>

#include "app/find.h"
#include "base/str.h"
#include "cli/cli.h"
#include "cli/commands.h"
#include "cli/services.h"
#include "stack/exports.h"

enum {
	ANSWER_MS = 5000
};

struct env_args {
	const char *as;
	unsigned int format; /* 1 + enum berth_exports; 0: not given */
};

static const char *const format_words[] = {
#define X(id, name) name,
	BERTH_EXPORTS(X)
#undef X
		NULL,
};

static const struct berth_opt env_opts[] = {
	{ 0, "format", "FORMAT", BERTH_AT(CHOICE, struct env_args, format),
	  "for whom: a .env file or a shell; default: the shell in SHELL", .words = format_words,
	  .base = 1 },
	{ 0, "as", "NAME", BERTH_AT(STRING, struct env_args, as),
	  "without SERVICE: of the copy NAME of the stack (berth up --as)" },
	{ 0 },
};

/* Of use only inside of the service's own tree: they lead to its supervisor. */
static bool is_inner(const char *name, size_t len)
{
	static const char *const inner[] = { "BERTH_SOCKET", "BROWSER" };

	for (size_t i = 0; i < BERTH_ARRAY_SIZE(inner); i++)
		if (strlen(inner[i]) == len && strncmp(inner[i], name, len) == 0)
			return true;
	return false;
}

/* Does it say where @service is, rather than what is particular to its own processes? */
static bool is_about(const char *name, const char *service)
{
	char prefix[BERTH_NAME_MAX + 2];
	size_t len;

	berth_str_env_name(service, prefix, sizeof(prefix) - 1);
	len = strlen(prefix);
	return strncmp(name, prefix, len) == 0 && name[len] == '_';
}

/* Into @env what its supervisor tells; with @only_about, what its siblings may want to know. */
static int collect(const json_t *record, bool only_about, json_t *env, struct berth_err *err)
{
	BERTH_AUTO_JSON json_t *request = json_pack("{s:s}", "do", "environment");
	BERTH_AUTO_JSON json_t *answer = NULL;
	const char *service = berth_json_string(berth_registry_service(record), "service", "");
	const json_t *pair;
	size_t i;
	int r = berth_find_ask(record, request, ANSWER_MS, &answer, err);

	if (r < 0)
		return r;
	json_array_foreach (json_object_get(answer, "env"), i, pair) {
		const char *text = json_is_string(pair) ? json_string_value(pair) : "";
		size_t len = strcspn(text, "=");
		json_t *value;

		if (!text[len] || is_inner(text, len) || (only_about && !is_about(text, service)))
			continue;
		/* Of several instances the first one counts. */
		value = json_stringn(text, len);
		if (value && !json_object_get(env, json_string_value(value)))
			json_object_set_new(env, json_string_value(value),
					    json_string(text + len + 1));
		json_decref(value);
	}
	return 0;
}

/* Those of one copy of a stack: that of the plain name, if it runs, unless another one is named. */
static json_t *of_copy(const json_t *records, const char *as)
{
	json_t *found = json_array();
	json_t *record;
	size_t i;

	json_array_foreach (records, i, record) {
		const char *copy = berth_json_string(berth_registry_service(record), "copy", "");

		if (strcmp(copy, as ? as : "") == 0)
			json_array_append(found, record);
	}
	return found;
}

static int collect_all(struct berth_services *services, const char *as, json_t *env,
		       struct berth_err *err)
{
	BERTH_AUTO_JSON json_t *all = berth_find_project(services->records, &services->here);
	BERTH_AUTO_JSON json_t *copy = of_copy(all, as);
	const json_t *found = json_array_size(copy) || as ? copy : all;
	bool several = json_array_size(found) > 1 && !berth_services_is_one(found);
	json_t *record;
	int r = 0;
	size_t i;

	if (!json_array_size(found))
		return berth_err_set(err, -ENOENT, BERTH_ERR_NOT_FOUND,
				     "nothing of this project runs");
	json_array_foreach (found, i, record)
		if (r == 0)
			r = collect(record, several, env, err);
	return r;
}

static int print(struct berth_cli *cli, const struct env_args *args, json_t *env,
		 struct berth_err *err)
{
	enum berth_exports format = args->format ? (enum berth_exports)(args->format - 1)
						 : berth_exports_of_shell(getenv("SHELL"));
	BERTH_CLEANUP(berth_str_deinit) struct berth_str out = { 0 };
	const char *name;
	json_t *value;

	json_object_foreach (env, name, value) {
		BERTH_CLEANUP(berth_str_deinit) struct berth_str pair = { 0 };

		berth_str_addf(&pair, "%s=%s", name, json_string_value(value));
		out.failed |= pair.failed;
		berth_exports_format(
			format, (const char *const[]){ pair.text ? pair.text : "", NULL }, &out);
	}
	if (out.failed)
		return berth_err_errno(err, -ENOMEM, "cannot print the variables");
	berth_out_result(&cli->out, "%s", berth_str_text(&out));
	return 0;
}

static int run_env(struct berth_cli *cli, void *arguments, struct berth_err *err)
{
	const char *operand = cli->operands.count ? cli->operands.items[0] : NULL;
	const struct env_args *args = arguments;
	BERTH_AUTO_JSON json_t *env = json_object();
	BERTH_AUTO_JSON json_t *document = NULL;
	struct berth_services services;
	json_t *record;
	int r = berth_services_load(&services, err);

	if (r < 0)
		return r;
	if (operand)
		r = berth_services_one(&services, operand, &record, err);
	if (r == 0)
		r = operand ? collect(record, false, env, err)
			    : collect_all(&services, args->as, env, err);
	if (r == 0 && cli->out.json) {
		document = json_pack("{s:i,s:O}", "version", 1, "env", env);
		berth_out_json(&cli->out, document);
	} else if (r == 0) {
		r = print(cli, args, env, err);
	}
	berth_services_deinit(&services);
	return r;
}

const struct berth_cmd berth_cmd_env = {
	.name = "env",
	.synopsis = "[options] [SERVICE]",
	.summary = "print the variables that tell where services are",
	.details =
		"With SERVICE, those that berth gives to it: PORT, BERTH_PORT_NAME, BACKEND_URL and so on. Without, if several "
		"services of this project run, where each of them is: BACKEND_PORT, BACKEND_URL, BACKEND_HOST.\n"
		"\n"
		"  eval \"$(berth env backend)\"\n"
		"  berth env | source              (fish)\n"
		"  berth env --format dotenv > .env.local",
	.opts = env_opts,
	.args_size = sizeof(struct env_args),
	.max = 1,
	.group = BERTH_CMD_LOOK,
	.complete = BERTH_COMPLETE_SERVICE,
	.run = run_env,
};
