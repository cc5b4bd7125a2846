/* SPDX-License-Identifier: MIT */
/*
 * app/history-find.c - which ends a user means
 *
 * berth_find() knows what a word means among records of what runs. An end is the same document, so
 * the ends are given to it as records. What was freed has no name, and is found by its ports only.
 */
#include "app/history-find.h"

#include <errno.h>
#include <string.h>

#include "app/find.h"
#include "app/history.h"
#include "base/parse.h"
#include "base/str.h"

static const char *member(const json_t *end, const char *key)
{
	return berth_json_string(end, key, "");
}

static bool is_in(const char *folder, const char *root)
{
	size_t len = strlen(root);

	return strncmp(folder, root, len) == 0 && (folder[len] == '/' || folder[len] == '\0');
}

bool berth_history_find_is_of(const json_t *end, const char *root)
{
	if (!berth_history_is_freed(end))
		return strcmp(member(end, "root"), root) == 0;
	return is_in(member(end, "from"), root) ||
	       strcmp(berth_json_string(json_object_get(end, "project"), "root", ""), root) == 0;
}

/* Of a service {"port"}, of what was freed the number itself. */
static bool has_port(const json_t *end, uint16_t number)
{
	const json_t *port;
	size_t i;

	json_array_foreach (json_object_get(end, "ports"), i, port)
		if (json_integer_value(port) == number || berth_json_int(port, "port", 0) == number)
			return true;
	return false;
}

static json_t *select_port(const json_t *ends, uint16_t number, const char *root)
{
	json_t *found = json_array(), *end;
	size_t i;

	json_array_foreach (ends, i, end)
		if (has_port(end, number) && (!root || berth_history_find_is_of(end, root)))
			json_array_append(found, end);
	return found;
}

/* As berth_find() wants them; "end" is what each was made of. */
static json_t *records_of(const json_t *ends)
{
	json_t *records = json_array(), *end;
	size_t i;

	json_array_foreach (ends, i, end)
		if (!berth_history_is_freed(end))
			json_array_append_new(records,
					      json_pack("{s:o,s:O,s:{}}", "service", json_copy(end),
							"end", end, "berth"));
	berth_registry_label(records);
	return records;
}

/* Mark what @word means, seen from @root. */
static void mark(const json_t *records, const char *word, const char *root, json_t *marked)
{
	const struct berth_identity there = { .root = root };
	BERTH_AUTO_JSON json_t *found = NULL;
	struct berth_err err = { 0 };
	json_t *record;
	size_t i;

	if (berth_find(NULL, records, word, &there, &found, &err) < 0)
		return;
	json_array_foreach (found, i, record)
		json_object_set_new(marked, member(json_object_get(record, "end"), "id"),
				    json_true());
}

/* From @root, or from each project in turn. */
static json_t *select_name(const json_t *ends, const char *word, const char *root)
{
	BERTH_AUTO_JSON json_t *records = records_of(ends);
	BERTH_AUTO_JSON json_t *marked = json_object();
	BERTH_AUTO_JSON json_t *roots = json_object();
	json_t *found = json_array(), *end;
	size_t i;

	if (root)
		mark(records, word, root, marked);
	json_array_foreach (ends, i, end) {
		if (root || json_object_get(roots, member(end, "root")))
			continue;
		json_object_set_new(roots, member(end, "root"), json_true());
		mark(records, word, member(end, "root"), marked);
	}
	json_array_foreach (ends, i, end)
		if (json_object_get(marked, member(end, "id")))
			json_array_append(found, end);
	return found;
}

static int not_found(const json_t *ends, const char *word, bool elsewhere, struct berth_err *err)
{
	BERTH_AUTO_FREE const char **names = calloc(json_array_size(ends) + 1, sizeof(*names));
	const char *closest = NULL;
	char shown[128];
	json_t *end;
	size_t count = 0, i;

	json_array_foreach (ends, i, end)
		if (names && *member(end, "service"))
			names[count++] = member(end, "service");
	if (names)
		closest = berth_str_closest(word, names);
	berth_str_printable(word, (size_t)-1, shown, sizeof(shown));
	berth_err_set(err, -ENOENT, BERTH_ERR_NOT_FOUND, "no end of '%s' is known%s", shown,
		      elsewhere ? " in this project" : "");
	if (elsewhere)
		berth_err_hint(err, "berth history -a shows that of others");
	else if (closest)
		berth_err_hint(err, "did you mean '%s'?", closest);
	return -ENOENT;
}

int berth_history_find(const json_t *ends, const char *word, const struct berth_identity *here,
		       bool all, json_t **ret_found, struct berth_err *err)
{
	const char *root = all ? NULL : here->root;
	json_t *found;
	uint16_t number;
	bool elsewhere;
	int r = berth_parse_port(word, &number);

	if (r == -ERANGE)
		return berth_err_set(err, -EINVAL, BERTH_ERR_USAGE, "'%s' is not a port (1-65535)",
				     word);
	found = r == 0 ? select_port(ends, number, root) : select_name(ends, word, root);
	if (json_array_size(found)) {
		*ret_found = found;
		return 0;
	}
	json_decref(found);
	found = r == 0 ? select_port(ends, number, NULL) : select_name(ends, word, NULL);
	elsewhere = root && json_array_size(found);
	json_decref(found);
	return not_found(ends, word, elsewhere, err);
}
