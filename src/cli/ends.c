/* SPDX-License-Identifier: MIT */
/* cli/ends.c - which end of app/history.h is meant, and what it is called */
#include "cli/ends.h"

#include <stdio.h>
#include <string.h>

#include "app/registry.h"
#include "base/parse.h"
#include "base/time.h"
#include "os/procfs.h"

static const char *text_of(const json_t *end, const char *key)
{
	return berth_json_string(end, key, "");
}

/* "api", "api.2" */
static bool is_called(const json_t *end, const char *word)
{
	const char *service = text_of(end, "service");
	size_t len = strlen(service);
	uint64_t instance;

	if (!len || strncmp(service, word, len) != 0)
		return false;
	return !word[len] ||
	       (word[len] == '.' && berth_parse_u64(word + len + 1, 100000, &instance) == 0 &&
		(int64_t)instance == berth_json_int(end, "instance", 1));
}

/* "shop", "shop@branch+demo": up to @len. */
static bool is_of_place(const json_t *end, const char *word, size_t len)
{
	const char *plus = memchr(word, '+', len), *branch = text_of(end, "branch");
	const char *copy = text_of(end, "copy"), *project = text_of(end, "project");
	size_t place = plus ? (size_t)(plus - word) : len, named = strlen(project);

	if (plus ? strncmp(plus + 1, copy, len - place - 1) != 0 || strlen(copy) != len - place - 1
		 : *copy)
		return false;
	if (place < named || strncmp(word, project, named) != 0)
		return false;
	/* Where another folder has the same name, ls says "shop@branch", or "shop~folder". */
	return place == named || word[named] == '~' ||
	       (word[named] == '@' && strlen(branch) == place - named - 1 &&
		strncmp(word + named + 1, branch, place - named - 1) == 0);
}

bool berth_ends_is_named(const json_t *end, const struct berth_identity *here, const char *word)
{
	const char *slash = strrchr(word, '/');

	if (strcmp(text_of(end, "id"), word) == 0)
		return true;
	if (slash)
		return is_called(end, slash + 1) && is_of_place(end, word, (size_t)(slash - word));
	return is_called(end, word) && !*text_of(end, "copy") &&
	       strcmp(text_of(end, "root"), here->root) == 0;
}

const char *berth_ends_label(const json_t *end, char buf[BERTH_ENDS_LABEL_SIZE])
{
	int64_t instance = berth_json_int(end, "instance", 1);
	const char *copy = text_of(end, "copy");
	char number[24] = "";

	if (instance > 1)
		snprintf(number, sizeof(number), ".%lld", (long long)instance);
	snprintf(buf, BERTH_ENDS_LABEL_SIZE, "%s%s%s/%s%s", berth_json_string(end, "project", "?"),
		 *copy ? "+" : "", copy, berth_json_string(end, "service", "?"), number);
	return buf;
}

bool berth_ends_is_of_stack(const json_t *records, const json_t *end)
{
	int64_t ended_ms;
	json_t *record;
	size_t i;

	if (!berth_json_string(end, "stack", NULL) ||
	    berth_time_parse(text_of(end, "ended_at"), &ended_ms) < 0)
		return false;
	json_array_foreach (records, i, record) {
		const json_t *service = berth_registry_service(record);
		struct berth_proc_id id = berth_registry_process(record, "supervisor");

		if (berth_json_has_same(service, end, "stack") &&
		    berth_json_has_same(service, end, "copy") &&
		    berth_procfs_start_ms(id.start_ticks) <= ended_ms)
			return true;
	}
	return false;
}

bool berth_ends_is_same_service(const json_t *a, const json_t *b)
{
	return berth_json_has_same(a, b, "root") && berth_json_has_same(a, b, "service") &&
	       berth_json_has_same(a, b, "copy");
}

bool berth_ends_is_same_instance(const json_t *a, const json_t *b)
{
	return berth_ends_is_same_service(a, b) && berth_json_has_same(a, b, "instance");
}

bool berth_ends_has_completed(const json_t *end)
{
	const json_t *exit = json_object_get(end, "exit");

	return strcmp(berth_json_string(exit, "by", ""), "itself") == 0 &&
	       berth_json_int(exit, "code", 1) == 0;
}
