/* SPDX-License-Identifier: MIT */
/* stack/manifest-probes.c - checks and restarts of a service in berth.yaml, Compose's healthcheck among them */
#include "stack/manifest-value.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/parse.h"
#include "base/str.h"
#include "base/time.h"
#include "base/value.h"

/* What it says for a command line, where a value is one word anyway. */
static const char *hint_of(const struct berth_err *err)
{
	static const char for_shells[] = "in one word for the shell: ";
	size_t len = strlen(for_shells);

	return strncmp(err->hint, for_shells, len) == 0 ? err->hint + len : err->hint;
}

/* @text becomes the service's own, since the check only borrows it. */
static int take_check(struct berth_manifest_reader *reader, const struct berth_yaml_node *node,
		      const char *text, bool live, struct berth_check *into)
{
	struct berth_manifest_service *service = berth_manifest_reader_service(reader);
	struct berth_err err = { 0 };
	size_t count = 0;

	while (service->texts && service->texts[count])
		count++;
	if (berth_manifest_reader_append(&service->texts, count, text) < 0)
		return -ENOMEM;
	if (berth_check_parse(service->texts[count], live, into, &err) < 0) {
		berth_faults_add(reader->faults, node->at, "%s", err.msg);
		berth_faults_hint(reader->faults, "%s", hint_of(&err));
		return 0;
	}
	return into->arg ? berth_manifest_reader_use(reader, into->arg, node->at) : 0;
}

/* A shell gets its own ${NAME}; in a path or a pattern they are ours. */
static int read_check(struct berth_manifest_reader *reader, const struct berth_manifest_key *key,
		      struct berth_yaml_node *node, bool live, struct berth_check *into)
{
	const char *text = berth_manifest_reader_text(reader, key, node,
						      live ? "tcp, 'http PATH' or 'exec COMMAND'"
							   : "a check such as 'http /healthz'");

	if (!text)
		return 0;
	if (strncmp(text, "exec", 4) != 0 && berth_manifest_reader_expand(reader, node, true) < 0)
		return -ENOMEM;
	return take_check(reader, node, node->text, live, into);
}

static int read_ready(struct berth_manifest_reader *reader, const struct berth_manifest_key *key,
		      struct berth_yaml_node *node, void *into)
{
	struct berth_manifest_service *service = into;

	return read_check(reader, key, node, false, &service->ready);
}

static int read_live(struct berth_manifest_reader *reader, const struct berth_manifest_key *key,
		     struct berth_yaml_node *node, void *into)
{
	struct berth_manifest_service *service = into;

	return read_check(reader, key, node, true, &service->live);
}

static void add_quoted(struct berth_str *text, const char *word)
{
	berth_str_add(text, " '");
	for (const char *p = word; *p; p++) {
		if (*p == '\'')
			berth_str_add(text, "'\\''");
		else
			berth_str_add_bytes(text, p, 1);
	}
	berth_str_add(text, "'");
}

/* [CMD, curl, -f, ...] as words for a shell, [CMD-SHELL, text] as that text. */
static int read_test_list(struct berth_manifest_reader *reader,
			  const struct berth_manifest_key *key, const struct berth_yaml_node *node,
			  struct berth_check *into)
{
	static const char what[] = "[CMD, word, ...], [CMD-SHELL, text] or [NONE]";
	BERTH_CLEANUP(berth_str_deinit) struct berth_str text = { 0 };
	const struct berth_yaml_node *item;
	const char *form = "";
	size_t count = 0;

	for (; berth_manifest_reader_item(reader, key, node, count, "a list of texts", &item);
	     count++) {
		if (count == 0)
			form = item->text;
		else if (!strcmp(form, "CMD"))
			add_quoted(&text, item->text);
		else
			berth_str_addf(&text, " %s", item->text);
	}
	if (text.failed)
		return -ENOMEM;
	if (count != node->count)
		return 0; /* said already */
	if (!strcmp(form, "NONE") && count == 1)
		return 0;
	if ((!strcmp(form, "CMD") && count > 1) || (!strcmp(form, "CMD-SHELL") && count == 2)) {
		BERTH_CLEANUP(berth_str_deinit) struct berth_str check = { 0 };

		berth_str_addf(&check, "exec%s", berth_str_text(&text));
		if (check.failed)
			return -ENOMEM;
		return take_check(reader, node, check.text, false, into);
	}
	berth_faults_add(reader->faults, node->at, "'test' takes %s", what);
	return 0;
}

/* Our own words, else a text for a shell. */
static int read_test(struct berth_manifest_reader *reader, const struct berth_manifest_key *key,
		     struct berth_yaml_node *node, void *into)
{
	struct berth_manifest_service *service = into;
	BERTH_CLEANUP(berth_str_deinit) struct berth_str check = { 0 };
	struct berth_check probe;
	struct berth_err err = { 0 };
	const char *text;

	reader->places[reader->service].has_test = true;
	if (node->kind == BERTH_YAML_LIST)
		return read_test_list(reader, key, node, &service->ready);
	text = berth_manifest_reader_text(reader, key, node, "a command, or a list");
	if (!text)
		return 0;
	if (berth_check_parse(text, false, &probe, &err) < 0 || probe.kind == BERTH_CHECK_EXEC)
		berth_str_addf(&check, "exec %s", text);
	else
		berth_str_add(&check, text);
	return check.failed ? -ENOMEM
			    : take_check(reader, node, check.text, false, &service->ready);
}

static int read_disable(struct berth_manifest_reader *reader, const struct berth_manifest_key *key,
			struct berth_yaml_node *node, void *into)
{
	(void)into;
	/* A test may follow, from an anchor too. */
	return berth_manifest_value_flag(reader, key, node,
					 &reader->places[reader->service].disabled);
}

/* --- restarts ---------------------------------------------------------------------------------- */

/* Compose's words, with what they are here. */
static const struct {
	const char *word;
	enum berth_service_restart restart;
} restarts[] = {
#define X(id, name) { name, BERTH_SERVICE_RESTART_##id },
	BERTH_SERVICE_RESTARTS(X)
#undef X
		{ "unless-stopped", BERTH_SERVICE_RESTART_ALWAYS },
};

static void hint_restart(struct berth_manifest_reader *reader, const char *text)
{
	const char *words[BERTH_ARRAY_SIZE(restarts) + 1] = { NULL }, *closest;

	for (size_t i = 0; i < BERTH_ARRAY_SIZE(restarts); i++)
		words[i] = restarts[i].word;
	closest = berth_str_closest(text, words);
	if (closest)
		berth_faults_hint(reader->faults, "did you mean '%s'?", closest);
}

/* on-failure:3, in all its life: as long a time as a limit can have. */
static int take_retries(struct berth_manifest_reader *reader, const struct berth_manifest_key *key,
			const struct berth_yaml_node *node, const char *number,
			struct berth_service_policy *policy)
{
	int64_t longest;
	uint64_t count;
	char what[64];

	if (berth_parse_u64(number, BERTH_SERVICE_LIMIT_MAX, &count) < 0 || count == 0) {
		snprintf(what, sizeof(what), "on-failure:N with N from 1 to %d",
			 BERTH_SERVICE_LIMIT_MAX);
		berth_manifest_reader_refuse(reader, key, node, what);
		return 0;
	}
	if (berth_parse_duration("366d", 1000, &longest) < 0)
		return -EINVAL;
	policy->limit = (unsigned int)count;
	policy->limit_ns = longest * BERTH_NS_PER_MS;
	reader->places[reader->service].has_retries = true;
	return 0;
}

static int read_restart(struct berth_manifest_reader *reader, const struct berth_manifest_key *key,
			struct berth_yaml_node *node, void *into)
{
	static const char what[] = "one of no, on-failure[:N], always and unless-stopped";
	struct berth_manifest_service *service = into;
	const char *text = berth_manifest_reader_text(reader, key, node, what);
	size_t len;

	if (!text)
		return 0;
	len = strcspn(text, ":");
	for (size_t i = 0; i < BERTH_ARRAY_SIZE(restarts); i++) {
		if (strlen(restarts[i].word) != len || memcmp(restarts[i].word, text, len) != 0)
			continue;
		if (text[len] && restarts[i].restart != BERTH_SERVICE_RESTART_ON_FAILURE)
			break;
		service->policy.restart = restarts[i].restart;
		return text[len] ? take_retries(reader, key, node, text + len + 1, &service->policy)
				 : 0;
	}
	berth_manifest_reader_refuse(reader, key, node, what);
	hint_restart(reader, text);
	return 0;
}

static int read_limit(struct berth_manifest_reader *reader, const struct berth_manifest_key *key,
		      struct berth_yaml_node *node, void *into)
{
	static const char what[] = "restarts per time such as 5/10s, or none";
	struct berth_manifest_service *service = into;
	const char *text = berth_manifest_reader_text(reader, key, node, what);
	struct berth_value_limit limit;

	if (!text)
		return 0;
	if (berth_value_limit(text, (unsigned int)key->max, &limit) < 0) {
		berth_manifest_reader_refuse(reader, key, node, what);
		berth_faults_hint(reader->faults, "at most %lld of them", (long long)key->max);
		return 0;
	}
	service->policy.limit = limit.count;
	service->policy.limit_ns = limit.ms * BERTH_NS_PER_MS;
	return 0;
}

const struct berth_manifest_value_row berth_manifest_value_probes[] = {
	{ BERTH_MANIFEST_T_READY, read_ready },
	{ BERTH_MANIFEST_T_LIVE, read_live },
	{ BERTH_MANIFEST_T_TEST, read_test },
	{ BERTH_MANIFEST_T_DISABLE, read_disable },
	{ BERTH_MANIFEST_T_RESTART, read_restart },
	{ BERTH_MANIFEST_T_LIMIT, read_limit },
	{ 0 },
};
