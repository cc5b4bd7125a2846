/* SPDX-License-Identifier: MIT */
/* app/find.c - which services a user means */
#include "app/find.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "app/control.h"
#include "app/holders-process.h"
#include "base/parse.h"
#include "base/str.h"
#include "look/who.h"

static const char *member(const json_t *record, const char *key)
{
	return berth_json_string(berth_registry_service(record), key, "");
}

static bool has_port(const json_t *record, uint16_t number)
{
	const json_t *port;
	size_t i;

	json_array_foreach (json_object_get(berth_registry_service(record), "ports"), i, port)
		if (berth_json_int(port, "port", 0) == number)
			return true;
	return false;
}

/* "api", or "api.2" for one of its instances. */
static bool is_named(const json_t *record, const char *word)
{
	const char *service = member(record, "service");
	size_t len = strlen(service);
	uint64_t instance;

	if (strncmp(word, service, len) != 0)
		return false;
	if (word[len] == '\0')
		return true;
	return word[len] == '.' && berth_parse_u64(word + len + 1, 100000, &instance) == 0 &&
	       (int64_t)instance == berth_json_int(berth_registry_service(record), "instance", 1);
}

/* "shop/api" for every instance; the label itself for one. */
static bool is_labelled(const json_t *record, const char *word)
{
	const char *label = member(record, "label");
	const char *slash = strrchr(word, '/');
	const char *own = strrchr(label, '/');

	if (strcmp(label, word) == 0)
		return true;
	if (!slash || !own || !is_named(record, slash + 1))
		return false;
	if (slash - word == own - label && strncmp(word, label, (size_t)(own - label)) == 0)
		return true;
	return strncmp(word, member(record, "project"), (size_t)(slash - word)) == 0 &&
	       strlen(member(record, "project")) == (size_t)(slash - word);
}

static json_t *select_port(const json_t *records, uint16_t number)
{
	json_t *found = json_array();
	json_t *record;
	size_t i;

	json_array_foreach (records, i, record)
		if (has_port(record, number))
			json_array_append(found, record);
	return found;
}

static json_t *select_name(const json_t *records, const char *word,
			   const struct berth_identity *here)
{
	json_t *found = json_array();
	json_t *record;
	size_t i;

	json_array_foreach (records, i, record)
		if (strcmp(member(record, "id"), word) == 0 || is_labelled(record, word) ||
		    (is_named(record, word) && strcmp(member(record, "root"), here->root) == 0))
			json_array_append(found, record);
	return found;
}

/* Not in this project: then anywhere, if that is one project only. */
static json_t *select_anywhere(const json_t *records, const char *word, bool *ret_ambiguous)
{
	json_t *found = json_array();
	const char *root = NULL;
	json_t *record;
	size_t i;

	*ret_ambiguous = false;
	json_array_foreach (records, i, record) {
		if (!is_named(record, word))
			continue;
		if (root && strcmp(root, member(record, "root")) != 0)
			*ret_ambiguous = true;
		root = member(record, "root");
		json_array_append(found, record);
	}
	return found;
}

/* "shop", "shop@fix-1+demo": all of that project, or of that copy of it. */
static bool is_of_project(const json_t *record, const char *word)
{
	const char *label = member(record, "label");
	const char *slash = strrchr(label, '/');
	size_t len = strlen(word);

	return strcmp(member(record, "project"), word) == 0 ||
	       (slash && (size_t)(slash - label) == len && strncmp(label, word, len) == 0);
}

/* Of the project here, else of the only one of that name. */
static json_t *select_project(const json_t *records, const char *word,
			      const struct berth_identity *here, bool *ret_ambiguous)
{
	json_t *found = json_array(), *own = json_array();
	const char *root = NULL;
	json_t *record;
	size_t i;

	*ret_ambiguous = false;
	json_array_foreach (records, i, record) {
		if (!is_of_project(record, word))
			continue;
		if (strcmp(member(record, "root"), here->root) == 0)
			json_array_append(own, record);
		if (root && strcmp(root, member(record, "root")) != 0)
			*ret_ambiguous = true;
		root = member(record, "root");
		json_array_append(found, record);
	}
	if (!json_array_size(own)) {
		json_decref(own);
		return found;
	}
	json_decref(found);
	*ret_ambiguous = false;
	return own;
}

/* A copy (of up --as) is meant only where it is named: a word must not mean another one tomorrow. */
static void leave_out_copies(json_t *found, const char *word)
{
	for (size_t i = json_array_size(found); i-- > 0 && !strchr(word, '+');)
		if (*member(json_array_get(found, i), "copy") &&
		    strcmp(member(json_array_get(found, i), "id"), word) != 0)
			json_array_remove(found, i);
}

/* The service that the process @id belongs to, of @records; NULL: none. Borrowed. */
static const json_t *find_owner(const json_t *records, const struct berth_proc_id *id,
				uint16_t number)
{
	BERTH_AUTO_JSON json_t *living = json_array();
	struct berth_holders_processes processes;
	const struct berth_holders_process *process;
	const json_t *owner = NULL;
	json_t *record;
	size_t i;

	json_array_foreach (records, i, record)
		if (berth_registry_life(record) == BERTH_REGISTRY_LIVE)
			json_array_append(living, record);
	if (berth_holders_processes_init(&processes, living) < 0)
		return NULL;
	process = berth_holders_process_find(&processes, id);
	if (process)
		owner = berth_holders_process_record(&processes, process, number);
	berth_holders_processes_deinit(&processes);
	return owner;
}

/* Somebody holds it, perhaps a service whose port it is not: the number of a connection. */
static int port_is_held(const json_t *records, uint16_t number,
			const struct berth_who_holder *holder, struct berth_err *err)
{
	const json_t *owner = find_owner(records, &holder->proc, number);
	char text[256];

	berth_who_format(holder, text, sizeof(text));
	if (!owner)
		return berth_err_set(err, -ENOENT, BERTH_ERR_NOT_FOUND,
				     "port %u is %s%s, not started by berth", number,
				     strncmp(text, "held ", 5) == 0 ? "" : "held by ", text);
	berth_err_set(err, -ENOENT, BERTH_ERR_NOT_FOUND,
		      "no service has port %u: it is held by %s, of '%s'", number, text,
		      member(owner, "label"));
	berth_err_hint(err, "name that service by its id: %s", member(owner, "id"));
	return -ENOENT;
}

static int port_not_found(const json_t *records, uint16_t number, struct berth_err *err)
{
	struct berth_who_holder holder;
	json_t *record;
	size_t count = 0, i;

	if (berth_who_find(number, true, NULL, 0, &holder, 1, &count) == 0 && count)
		return port_is_held(records, number, &holder, err);
	berth_err_set(err, -ENOENT, BERTH_ERR_NOT_FOUND, "no service has port %u", number);
	json_array_foreach (records, i, record)
		if (berth_json_int(berth_registry_service(record), "pid", 0) == number)
			berth_err_hint(err, "%u is a pid of '%s'; numbers mean ports", number,
				       member(record, "label"));
	return -ENOENT;
}

/* The label of a copy that @word would mean, were it the only one; NULL: none. */
static const char *find_copy(const json_t *records, const char *word)
{
	json_t *record;
	size_t i;

	json_array_foreach (records, i, record)
		if (*member(record, "copy") &&
		    (is_named(record, word) || strcmp(member(record, "project"), word) == 0))
			return member(record, "label");
	return NULL;
}

static int name_not_found(const json_t *records, const char *word, bool ambiguous,
			  struct berth_err *err)
{
	BERTH_AUTO_FREE const char **names = calloc(json_array_size(records) + 1, sizeof(*names));
	const char *copy = find_copy(records, word);
	char shown[128];
	json_t *record;
	const char *closest;
	size_t i;

	berth_str_printable(word, (size_t)-1, shown, sizeof(shown));
	if (ambiguous) {
		berth_err_set(err, -ENOENT, BERTH_ERR_NOT_FOUND,
			      "'%s' runs in more than one project", shown);
		berth_err_hint(err, "name it in full, as berth ls shows it");
		return -ENOENT;
	}
	berth_err_set(err, -ENOENT, BERTH_ERR_NOT_FOUND, "no service '%s' runs", shown);
	if (copy) {
		berth_err_hint(err, "a copy does: '%s'", copy);
		return -ENOENT;
	}
	if (!names)
		return -ENOENT;
	json_array_foreach (records, i, record)
		names[i] = member(record, "service");
	closest = berth_str_closest(word, names);
	if (closest)
		berth_err_hint(err, "did you mean '%s'? berth ls shows what runs", closest);
	else
		berth_err_hint(err, "berth ls shows what runs, berth history what has ended");
	return -ENOENT;
}

int berth_find(struct berth_registry *registry, const json_t *records, const char *word,
	       const struct berth_identity *here, json_t **ret_found, struct berth_err *err)
{
	bool ambiguous = false;
	json_t *found;
	uint16_t number;
	int r = berth_parse_port(word, &number);

	if (r == -ERANGE)
		return berth_err_set(err, -EINVAL, BERTH_ERR_USAGE, "'%s' is not a port (1-65535)",
				     word);
	found = r == 0 ? select_port(records, number) : select_name(records, word, here);
	if (r < 0)
		leave_out_copies(found, word);
	if (r < 0 && !json_array_size(found)) {
		json_decref(found);
		found = select_anywhere(records, word, &ambiguous);
		leave_out_copies(found, word);
	}
	if (r < 0 && !json_array_size(found)) {
		json_decref(found);
		found = select_project(records, word, here, &ambiguous);
		leave_out_copies(found, word);
	}
	if (json_array_size(found) && !ambiguous) {
		*ret_found = found;
		return 0;
	}
	json_decref(found);
	return r == 0 ? port_not_found(records, number, err)
		      : name_not_found(records, word, ambiguous, err);
}

json_t *berth_find_project(const json_t *records, const struct berth_identity *here)
{
	json_t *found = json_array();
	json_t *record;
	size_t i;

	json_array_foreach (records, i, record)
		if (strcmp(member(record, "root"), here->root) == 0)
			json_array_append(found, record);
	return found;
}

int berth_find_ask(const json_t *record, const json_t *request, int timeout_ms, json_t **ret_answer,
		   struct berth_err *err)
{
	const char *socket = json_string_value(berth_registry_private(record, "socket"));
	int r = socket ? berth_control_ask_at(socket, request, timeout_ms, ret_answer, err)
		       : -ENOENT;

	if (r == -ENOENT || r == -ECONNREFUSED)
		return berth_err_errno(err, r, "cannot reach the supervisor of '%s'",
				       member(record, "label"));
	return r;
}
