/* SPDX-License-Identifier: MIT */
/* cli/services.c - what the commands about running services have in common */
#include "cli/services.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "app/find.h"
#include "app/history.h"
#include "app/roll-call.h"
#include "app/sweep.h"
#include "base/str.h"
#include "cli/ended.h"
#include "cli/ends.h"

enum {
	ARGV_SHOWN = 32, /* words of a command in a hint */
	HINT_MAX = 256,
	ANSWER_MS = 1000,
};

/* Of no project. */
static int load_nowhere(struct berth_identity *ret_here, struct berth_err *err)
{
	struct berth_identity here = { .root = strdup(""),
				       .folder = strdup(""),
				       .common = strdup("") };

	if (!here.root || !here.folder || !here.common) {
		berth_identity_deinit(&here);
		return berth_err_errno(err, -ENOMEM, "cannot tell the working folder");
	}
	*ret_here = here;
	return 0;
}

int berth_services_load_here(bool needed, struct berth_identity *ret_here, struct berth_err *err)
{
	char cwd[PATH_MAX];

	if (getcwd(cwd, sizeof(cwd)))
		return berth_identity_load(cwd, ret_here, err);
	if (!needed && errno == ENOENT)
		return load_nowhere(ret_here, err);
	return berth_err_errno(err, -errno, "cannot tell the working folder");
}

static int load(struct berth_services *services, bool needs_here, struct berth_err *err)
{
	int r;

	*services = (struct berth_services){ .registry = { .dir_fd = -1, .ports_fd = -1 } };
	r = berth_services_load_here(needs_here, &services->here, err);
	if (r < 0)
		return r;
	r = berth_registry_open(&services->registry, err);
	if (r < 0)
		return r;
	r = berth_registry_load(&services->registry, &services->records);
	if (r < 0)
		return berth_err_errno(err, r, "cannot read '%s'", services->registry.path);
	if (berth_roll_call(&services->registry, services->records)) {
		json_decref(services->records);
		r = berth_registry_load(&services->registry, &services->records);
		if (r < 0)
			return berth_err_errno(err, r, "cannot read '%s'", services->registry.path);
	}
	berth_sweep_dead(&services->registry, services->records);
	berth_registry_label(services->records);
	return 0;
}

int berth_services_load(struct berth_services *services, struct berth_err *err)
{
	int r = load(services, true, err);

	if (r < 0)
		berth_services_deinit(services);
	return r;
}

int berth_services_load_anywhere(struct berth_services *services, struct berth_err *err)
{
	int r = load(services, false, err);

	if (r < 0)
		berth_services_deinit(services);
	return r;
}

void berth_services_deinit(struct berth_services *services)
{
	json_decref(services->records);
	services->records = NULL;
	berth_identity_deinit(&services->here);
	berth_registry_close(&services->registry);
}

int berth_services_select(struct berth_services *services, const struct berth_opt_list *operands,
			  json_t **ret_found, struct berth_err *err)
{
	BERTH_AUTO_JSON json_t *all = NULL;

	if (!operands->count) {
		*ret_found = berth_find_project(services->records, &services->here);
		return 0;
	}
	all = json_array();
	for (size_t i = 0; i < operands->count; i++) {
		BERTH_AUTO_JSON json_t *found = NULL;
		json_t *record;
		size_t j;
		int r = berth_find(&services->registry, services->records, operands->items[i],
				   &services->here, &found, err);

		if (r < 0)
			return r;
		json_array_foreach (found, j, record)
			if (!berth_json_has(all, record))
				json_array_append(all, record);
	}
	*ret_found = BERTH_STEAL(all);
	return 0;
}

int berth_services_select_own(struct berth_services *services,
			      const struct berth_opt_list *operands, json_t **ret_found,
			      struct berth_err *err)
{
	int r = berth_services_select(services, operands, ret_found, err);

	for (size_t i = r == 0 ? json_array_size(*ret_found) : 0; i-- > 0 && !operands->count;)
		if (*berth_json_string(berth_registry_service(json_array_get(*ret_found, i)),
				       "copy", ""))
			json_array_remove(*ret_found, i);
	return r;
}

int berth_services_one(struct berth_services *services, const char *operand, json_t **ret_record,
		       struct berth_err *err)
{
	BERTH_AUTO_JSON json_t *found = NULL;
	int r;

	if (operand) {
		r = berth_find(&services->registry, services->records, operand, &services->here,
			       &found, err);
		if (r < 0)
			return r;
	} else {
		found = berth_find_project(services->records, &services->here);
		if (!json_array_size(found))
			return berth_err_set(err, -ENOENT, BERTH_ERR_NOT_FOUND,
					     "nothing of this project runs");
		if (json_array_size(found) > 1) {
			berth_err_set(err, -EINVAL, BERTH_ERR_USAGE,
				      "several services of this project run");
			berth_err_hint(err, "name one; berth status shows them");
			return -EINVAL;
		}
	}
	*ret_record = json_array_get(found, 0); /* kept alive by services->records */
	return 0;
}

json_t *berth_services_last_end(const struct berth_services *services, const char *word)
{
	BERTH_AUTO_JSON json_t *ends = NULL;
	json_t *end;
	size_t i;

	if (berth_history_load(&ends) < 0)
		return NULL;
	json_array_foreach (ends, i, end)
		if (berth_ends_is_named(end, &services->here, word))
			return json_incref(end);
	return NULL;
}

/* The first of @words that nothing runs under: the one that a select has failed with. */
static const char *first_missing(struct berth_services *services,
				 const struct berth_opt_list *words)
{
	for (size_t i = 0; i < words->count; i++) {
		BERTH_AUTO_JSON json_t *found = NULL;

		if (berth_find(&services->registry, services->records, words->items[i],
			       &services->here, &found, NULL) < 0)
			return words->items[i];
	}
	return NULL;
}

/* "berth up -d api": as the stack was started that it was part of. */
static void hint_stack(const json_t *end, struct berth_err *err)
{
	static const char *const found_anyway[] = { "berth.yaml", "berth.yml", "Procfile", NULL };
	const char *file = berth_json_string(end, "stack", "");
	const char *copy = berth_json_string(end, "copy", "");
	const char *base = strrchr(file, '/') ? strrchr(file, '/') + 1 : file;
	const char *argv[ARGV_SHOWN + 1] = { "berth", "up", "-d" };
	char command[HINT_MAX], as[HINT_MAX];
	size_t count = 3, i = 0;

	while (found_anyway[i] && strcmp(found_anyway[i], base) != 0)
		i++;
	if (!found_anyway[i]) {
		argv[count++] = "-f";
		argv[count++] = file;
	}
	snprintf(as, sizeof(as), "--as=%s", copy);
	if (*copy)
		argv[count++] = as;
	argv[count] = berth_json_string(end, "service", "");
	berth_err_hint(err, "to start it: %s",
		       berth_str_quote_argv(argv, command, sizeof(command)));
}

void berth_services_explain_missing(struct berth_services *services,
				    const struct berth_opt_list *words, struct berth_err *err)
{
	const char *word = first_missing(services, words);
	BERTH_AUTO_JSON json_t *end = word ? berth_services_last_end(services, word) : NULL;
	const char *argv[ARGV_SHOWN + 1] = { 0 };
	char command[HINT_MAX];
	const json_t *item;
	size_t i;

	if (!end || err->code != BERTH_ERR_NOT_FOUND)
		return;
	json_array_foreach (json_object_get(end, "command"), i, item)
		if (i < ARGV_SHOWN)
			argv[i] = json_string_value(item);
	berth_err_set(err, -ENOENT, BERTH_ERR_NOT_RUNNING, "'%s' does not run",
		      berth_json_string(end, "service", ""));
	if (berth_json_string(end, "stack", NULL)) {
		hint_stack(end, err);
		return;
	}
	berth_err_hint(err, "to start it: berth run --name %s -- %s",
		       berth_json_string(end, "service", ""),
		       berth_str_quote_argv(argv, command, sizeof(command)));
}

bool berth_services_is_one(const json_t *records)
{
	const json_t *first = json_array_get(records, 0);
	const json_t *record;
	size_t i;

	/* Copies in several worktrees are of one family; what parts them is the root. */
	json_array_foreach (records, i, record)
		if (!json_equal(berth_registry_private(record, "family"),
				berth_registry_private(first, "family")) ||
		    !json_equal(json_object_get(berth_registry_summary(record), "root"),
				json_object_get(berth_registry_summary(first), "root")))
			return false;
	return true;
}

int berth_services_check_ready(struct berth_cli *cli, const json_t *service, const char *label,
			       struct berth_err *err)
{
	const char *state = berth_json_string(service, "state", "");

	if (strcmp(state, "ready") == 0)
		return 0;
	if (cli->out.json)
		berth_out_error_extra(&cli->out, "service", json_deep_copy(service));
	else
		berth_ended_say_last_lines(&cli->out, service);
	if (strcmp(state, "stopped") != 0 && strcmp(state, "failed") != 0)
		return berth_err_set(err, -EIO, BERTH_ERR_NOT_READY, "'%s' is not ready: it is %s",
				     label, state);
	/* Of a stack, given up before its turn. */
	if (strcmp(state, "stopped") == 0 && json_is_null(json_object_get(service, "started_at")))
		return berth_err_set(err, -EIO, BERTH_ERR_START_FAILED,
				     "'%s' was not started: what it waited for has not come, or it "
				     "was stopped meanwhile",
				     label);
	berth_err_set(err, -EIO, BERTH_ERR_START_FAILED, "'%s' ended before it was ready", label);
	berth_err_hint(err, "berth history has how it ended");
	return -EIO;
}

static json_t *collect(const json_t *records, json_t *(*part)(const json_t *record))
{
	json_t *parts = json_array();
	json_t *record;
	size_t i;

	json_array_foreach (records, i, record)
		json_array_append(parts, part(record));
	return parts;
}

json_t *berth_services_documents(const json_t *records)
{
	return collect(records, berth_registry_service);
}

json_t *berth_services_summaries(const json_t *records)
{
	return collect(records, berth_registry_summary);
}

json_t *berth_services_ask_all(const json_t *records)
{
	BERTH_AUTO_JSON json_t *request = json_pack("{s:s}", "do", "status");
	json_t *documents = json_array();
	json_t *record;
	size_t i;

	json_array_foreach (records, i, record) {
		json_t *service = berth_registry_service(record);
		BERTH_AUTO_JSON json_t *answer = NULL;

		if (berth_find_ask(record, request, ANSWER_MS, &answer, NULL) == 0 &&
		    json_is_object(json_object_get(answer, "service"))) {
			json_t *label = json_object_get(service, "label");

			service = json_object_get(answer, "service");
			json_object_set(service, "label", label);
		}
		json_array_append(documents, service);
	}
	return documents;
}

const json_t *berth_services_port(const json_t *service, const char *name)
{
	const json_t *port;
	size_t i;

	json_array_foreach (json_object_get(service, "ports"), i, port)
		if (!name || strcmp(berth_json_string(port, "name", ""), name) == 0)
			return port;
	return NULL;
}

const char *berth_services_url(const json_t *service, char *buf, size_t size)
{
	const json_t *port = berth_services_port(service, NULL);
	const char *url = berth_json_string(port, "url", NULL);

	buf[0] = '\0';
	if (url)
		snprintf(buf, size, "%s", url);
	else if (port)
		snprintf(buf, size, "port %lld", (long long)berth_json_int(port, "port", 0));
	return buf;
}
