/* SPDX-License-Identifier: MIT */
/*
 * cli/log-sources.c - which logs are meant, and who may still write to them
 *
 * A log ends when its service does: its supervisor (pidfd) or its record has gone. What was written
 * until then is shown still.
 */
#include "cli/log-sources.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "app/find.h"
#include "app/history.h"
#include "base/time.h"
#include "cli/ends.h"
#include "os/child.h"
#include "os/procfs.h"

static const char *log_of(const json_t *service)
{
	const char *path = berth_json_string(service, "log", "");

	return *path ? path : NULL;
}

static const char *id_of(const json_t *service)
{
	return berth_json_string(service, "id", "");
}

const char *berth_log_sources_path(const struct berth_log_source *source)
{
	return log_of(source->service);
}

bool berth_log_sources_has(const struct berth_log_sources *sources, const char *id)
{
	size_t len = strcspn(id, ".");

	for (size_t i = 0; i < sources->count; i++)
		if (strncmp(id_of(sources->items[i]->service), id, len) == 0)
			return true;
	return false;
}

/* --- which --- */

static int find_word(struct berth_log_sources *sources, const char *word, json_t *documents,
		     struct berth_err *err)
{
	struct berth_opt_list one = { .items = &word, .count = 1 };
	BERTH_AUTO_JSON json_t *found = NULL;
	json_t *end, *record;
	size_t i;
	int r = berth_services_select(&sources->services, &one, &found, err);

	if (r == 0) {
		json_array_foreach (found, i, record)
			json_array_append(documents, berth_registry_service(record));
		return 0;
	}
	if (err->code != BERTH_ERR_NOT_FOUND)
		return r;
	end = berth_services_last_end(&sources->services, word);
	if (!end)
		return r;
	*err = (struct berth_err){ 0 };
	json_array_append_new(documents, end);
	return 0;
}

static int say_foreground(const json_t *service, struct berth_err *err)
{
	bool ended = berth_json_string(service, "ended_at", NULL);

	berth_err_set(err, -ENOENT, BERTH_ERR_UNSUPPORTED,
		      ended ? "%s ran in the foreground: its output was in its terminal"
			    : "%s runs in the foreground: its output is in its terminal",
		      berth_json_string(service, "service", "?"));
	berth_err_hint(err, "berth keeps the output of stacks, and of services that were started "
			    "with -d");
	return -ENOENT;
}

/* Is the same instance there already, in a later life? */
static bool has_instance(const json_t *documents, const json_t *end)
{
	json_t *service;
	size_t i;

	json_array_foreach (documents, i, service)
		if (berth_ends_is_same_instance(service, end))
			return true;
	return false;
}

/* What has ended while others of its stack run: why it is not there is in its log. */
static void add_ended(const json_t *records, json_t *documents)
{
	BERTH_AUTO_JSON json_t *ends = NULL;
	json_t *end;
	size_t i;

	if (berth_history_load(&ends) < 0)
		return;
	json_array_foreach (ends, i, end)
		if (!berth_history_is_freed(end) && log_of(end) &&
		    berth_ends_is_of_stack(records, end) && !has_instance(documents, end))
			json_array_append(documents, end);
}

/* Without a word: all of this project that have a log. */
static int find_project(struct berth_log_sources *sources, json_t *documents, struct berth_err *err)
{
	BERTH_AUTO_JSON json_t *found =
		berth_find_project(sources->services.records, &sources->services.here);
	const json_t *other = NULL;
	json_t *record;
	size_t i;

	json_array_foreach (found, i, record) {
		json_t *service = berth_registry_service(record);

		if (log_of(service))
			json_array_append(documents, service);
		else
			other = service;
	}
	if (json_array_size(documents)) {
		add_ended(found, documents);
		return 0;
	}
	if (other)
		return say_foreground(other, err);
	berth_err_set(err, -ENOENT, BERTH_ERR_NOT_FOUND, "nothing of this project runs");
	berth_err_hint(err, "name a service for the log of one that has ended; berth history shows "
			    "which");
	return -ENOENT;
}

static int find_all(struct berth_log_sources *sources, const struct berth_opt_list *words,
		    json_t *documents, struct berth_err *err)
{
	json_t *service;
	size_t i;

	if (!words->count)
		return find_project(sources, documents, err);
	for (i = 0; i < words->count; i++) {
		int r = find_word(sources, words->items[i], documents, err);

		if (r < 0)
			return r;
	}
	json_array_foreach (documents, i, service)
		if (!log_of(service))
			return say_foreground(service, err);
	return 0;
}

/* --- who runs --- */

/* Has it a record, and does the process behind that live? */
static bool is_recorded(struct berth_log_sources *sources, const struct berth_log_source *source)
{
	BERTH_AUTO_JSON json_t *record =
		berth_registry_read(&sources->services.registry, id_of(source->service));

	return record && berth_registry_life(record) == BERTH_REGISTRY_LIVE;
}

/* The same of one whose supervisor we hold, which may have ended one of its instances. */
static bool is_running(struct berth_log_sources *sources, const struct berth_log_source *source)
{
	struct pollfd poll_fd = { .fd = source->pidfd, .events = POLLIN };

	if (source->pidfd < 0)
		return is_recorded(sources, source);
	return poll(&poll_fd, 1, 0) == 0 &&
	       berth_registry_has(&sources->services.registry, id_of(source->service));
}

bool berth_log_sources_check(struct berth_log_sources *sources)
{
	bool any = false;

	for (size_t i = 0; i < sources->count; i++) {
		struct berth_log_source *source = sources->items[i];

		if (source->running)
			source->running = is_running(sources, source);
		any |= source->running;
	}
	return any;
}

/* --- names --- */

static bool is_same_service(const struct berth_log_source *a, const struct berth_log_source *b)
{
	return berth_json_has_same(a->service, b->service, "service");
}

static bool is_same_place(const struct berth_log_source *a, const struct berth_log_source *b)
{
	return berth_json_has_same(a->service, b->service, "root") &&
	       berth_json_has_same(a->service, b->service, "copy");
}

/* "api.1"; where that could be two of them, what berth ls calls it. */
static void name_one(const struct berth_log_sources *sources, struct berth_log_source *source)
{
	const char *name = berth_json_string(source->service, "service", "?");
	long long instance = berth_json_int(source->service, "instance", 1);

	for (size_t i = 0; i < sources->count; i++)
		if (is_same_service(source, sources->items[i]) &&
		    !is_same_place(source, sources->items[i]))
			name = berth_json_string(source->service, "label", name);
	if (instance > 1 && strrchr(name, '/')) /* a label has it already */
		berth_str_copy(source->name, sizeof(source->name), name);
	else
		snprintf(source->name, sizeof(source->name), "%s.%lld", name, instance);
	source->line.name = source->name;
}

/* Instances of a service have one colour. */
static void tint_one(struct berth_log_sources *sources, size_t index)
{
	struct berth_log_source *source = sources->items[index];
	unsigned int next = 0;

	for (size_t i = 0; i < index; i++) {
		const struct berth_log_source *other = sources->items[i];

		if (is_same_service(source, other) && is_same_place(source, other)) {
			source->line.tint = other->line.tint;
			return;
		}
		if (other->line.tint >= next)
			next = other->line.tint + 1;
	}
	source->line.tint = next;
}

static void name_all(struct berth_log_sources *sources)
{
	for (size_t i = 0; i < sources->count; i++) {
		struct berth_log_source *source = sources->items[i];
		size_t width;

		name_one(sources, source);
		tint_one(sources, i);
		width = berth_str_width(source->name);
		if (width > sources->width)
			sources->width = width;
	}
}

/* --- opening --- */

static void free_source(struct berth_log_source *source)
{
	if (!source)
		return;
	berth_log_read_close(&source->reader);
	berth_fd_close(&source->pidfd);
	json_decref(source->service);
	free(source);
}

static int open_source(struct berth_log_sources *sources, json_t *service,
		       struct berth_log_source *source, uint64_t lines, struct berth_err *err)
{
	pid_t pid = (pid_t)berth_json_int(service, "supervisor_pid", 0);
	int r;

	*source = (struct berth_log_source){ .service = json_incref(service), .pidfd = -1 };
	if (pid && !berth_json_string(service, "ended_at", NULL))
		source->pidfd = berth_child_open(pid);
	/* The identity is looked at afterwards, so that it is no other process' number by now. */
	source->running = is_recorded(sources, source);
	r = berth_log_read_open(&source->reader, log_of(service), lines, sources->since_ms);
	if (r < 0)
		return berth_err_errno(err, r, "cannot read '%s'", log_of(service));
	if (source->reader.fd < 0 && !source->running)
		return berth_err_errno(err, -ENOENT, "cannot read the log of %s",
				       berth_json_string(service, "service", "?"));
	return 0;
}

static int add(struct berth_log_sources *sources, json_t *service, uint64_t lines,
	       struct berth_err *err)
{
	struct berth_log_source *source = calloc(1, sizeof(*source));
	struct berth_log_source **items =
		reallocarray(sources->items, sources->count + 1, sizeof(struct berth_log_source *));
	int r;

	if (items)
		sources->items = items;
	if (!items || !source) {
		free(source);
		return berth_err_errno(err, -ENOMEM, "cannot read the logs");
	}
	r = open_source(sources, service, source, lines, err);
	if (r < 0)
		free_source(source);
	else
		sources->items[sources->count++] = source;
	return r;
}

int berth_log_sources_open(struct berth_log_sources *sources, const struct berth_opt_list *words,
			   struct berth_err *err)
{
	BERTH_AUTO_JSON json_t *documents = json_array();
	json_t *service;
	size_t i;
	int r = berth_services_load(&sources->services, err);

	if (r < 0)
		return r;
	sources->whole_project = !words->count;
	r = find_all(sources, words, documents, err);
	json_array_foreach (documents, i, service) {
		if (r < 0)
			break;
		if (berth_log_sources_has(sources, id_of(service)))
			continue;
		r = add(sources, service, sources->lines, err);
		/* Of what nobody has named, an old log may be gone. */
		if (r == -ENOENT && sources->whole_project && i > 0) {
			*err = (struct berth_err){ 0 };
			r = 0;
		}
	}
	name_all(sources);
	return r;
}

int berth_log_sources_look(struct berth_log_sources *sources, struct berth_err *err)
{
	BERTH_AUTO_JSON json_t *records = NULL, *found = NULL;
	struct berth_err unused = { 0 };
	json_t *record;
	size_t i;
	int r;

	if (!sources->whole_project)
		return 0;
	r = berth_registry_load(&sources->services.registry, &records);
	if (r < 0)
		return berth_err_errno(err, r, "cannot read '%s'", sources->services.registry.path);
	berth_registry_label(records);
	found = berth_find_project(records, &sources->services.here);
	json_array_foreach (found, i, record) {
		json_t *service = berth_registry_service(record);

		if (log_of(service) && !berth_log_sources_has(sources, id_of(service)))
			(void)!add(sources, service, UINT64_MAX, &unused);
	}
	name_all(sources);
	return 0;
}

void berth_log_sources_close(struct berth_log_sources *sources)
{
	for (size_t i = 0; i < sources->count; i++)
		free_source(sources->items[i]);
	free(BERTH_STEAL(sources->items));
	sources->count = 0;
	berth_services_deinit(&sources->services);
}
