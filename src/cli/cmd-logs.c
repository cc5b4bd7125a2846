/* SPDX-License-Identifier: MIT */
/*
 * cli/cmd-logs.c - berth logs: what services said, and say
 *
 * The lines of several logs are merged by their times. Following, we are woken by inotify(7) on the
 * present files, or where the user's instances are used up, look five times a second. A watch is
 * set before what is there is read, so that nothing falls in between; a file that has been rotated
 * away tells us so itself (IN_MOVE_SELF), and the reader finds the next.
 *
 * A log ends when its service does: its supervisor (pidfd) or its record has gone. What was written
 * until then is shown still.
 */
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>

#include "app/log-read.h"
#include "base/parse.h"
#include "base/time.h"
#include "cli/cli.h"
#include "cli/commands.h"
#include "cli/log-line.h"
#include "cli/services.h"
#include "os/child.h"

enum {
	NAME_SIZE = 160,
	CHECK_MS = 1000, /* does the service run still? */
	POLL_MS = 200, /* without inotify */
};

struct logs_args {
	const char *lines;
	const char *since;
	bool follow;
	bool timestamps;
};

static const struct berth_opt logs_opts[] = {
	{ 'f', "follow", NULL, BERTH_AT(FLAG, struct logs_args, follow),
	  "go on with what is said from now on, until the services have ended" },
	{ 'n', "lines", "N", BERTH_AT(STRING, struct logs_args, lines),
	  "begin with the last N lines of each" },
	{ 0, "since", "TIME", BERTH_AT(STRING, struct logs_args, since),
	  "begin with what is as old: 10m, or 2026-11-21T09:30:00Z" },
	{ 0, "timestamps", NULL, BERTH_AT(FLAG, struct logs_args, timestamps),
	  "with the time in front of each line" },
	{ 0 },
};

/* The log of one service. */
struct source {
	const json_t *service; /* borrowed: its document */
	char name[NAME_SIZE];
	struct berth_log_reader reader;
	struct berth_log_entry entry; /* the next one to print, if has_entry */
	bool has_entry;
	bool opened;
	bool running; /* more may come */
	int pidfd; /* of its supervisor; owned, -1: none */
};

struct logs {
	struct berth_cli *cli;
	const struct logs_args *args;
	struct berth_services services;
	json_t *documents; /* owned: of those who run, and of those who have ended */
	struct source *sources; /* owned */
	size_t count;
	size_t width; /* of the names */
	struct pollfd *polls; /* owned */
	int inotify_fd; /* owned; -1: refused */
	int64_t checked_ns;
	const struct source *unfinished; /* whose line the last one printed is; NULL: it is whole */
};

/* --- which --- */

static int find_word(struct logs *logs, const char *word, struct berth_err *err)
{
	struct berth_opt_list one = { .items = &word, .count = 1 };
	BERTH_AUTO_JSON json_t *found = NULL;
	json_t *end, *record;
	size_t i;
	int r = berth_services_select(&logs->services, &one, &found, err);

	if (r == 0) {
		json_array_foreach (found, i, record)
			json_array_append(logs->documents, berth_registry_service(record));
		return 0;
	}
	if (err->code != BERTH_ERR_NOT_FOUND)
		return r;
	end = berth_services_last_end(&logs->services, word);
	if (!end)
		return r;
	*err = (struct berth_err){ 0 };
	json_array_append_new(logs->documents, end);
	return 0;
}

static const char *log_of(const json_t *service)
{
	const char *path = berth_json_string(service, "log", "");

	return *path ? path : NULL;
}

static int say_foreground(const json_t *service, struct berth_err *err)
{
	bool ended = berth_json_string(service, "ended_at", NULL);

	berth_err_set(err, -ENOENT, BERTH_ERR_UNSUPPORTED,
		      ended ? "%s ran in the foreground: its output was in its terminal"
			    : "%s runs in the foreground: its output is in its terminal",
		      berth_json_string(service, "service", "?"));
	berth_err_hint(err, "berth keeps the output of services that were started with -d");
	return -ENOENT;
}

/* Without a word: all of this project that have a log. */
static int find_project(struct logs *logs, struct berth_err *err)
{
	struct berth_opt_list none = { 0 };
	BERTH_AUTO_JSON json_t *found = NULL;
	const json_t *other = NULL;
	json_t *record;
	size_t i;
	int r = berth_services_select(&logs->services, &none, &found, err);

	if (r < 0)
		return r;
	json_array_foreach (found, i, record) {
		json_t *service = berth_registry_service(record);

		if (log_of(service))
			json_array_append(logs->documents, service);
		else
			other = service;
	}
	if (json_array_size(logs->documents))
		return 0;
	if (other)
		return say_foreground(other, err);
	berth_err_set(err, -ENOENT, BERTH_ERR_NOT_FOUND, "nothing of this project runs");
	berth_err_hint(err, "name a service for the log of one that has ended; berth history shows "
			    "which");
	return -ENOENT;
}

static int find_all(struct logs *logs, struct berth_err *err)
{
	const struct berth_opt_list *words = &logs->cli->operands;
	json_t *service;
	size_t i;

	if (!words->count)
		return find_project(logs, err);
	for (i = 0; i < words->count; i++) {
		int r = find_word(logs, words->items[i], err);

		if (r < 0)
			return r;
	}
	json_array_foreach (logs->documents, i, service)
		if (!log_of(service))
			return say_foreground(service, err);
	return 0;
}

/* --- opening --- */

/* Has it a record, and does the process behind that live? */
static bool is_recorded(struct logs *logs, const struct source *source)
{
	BERTH_AUTO_JSON json_t *record = berth_registry_read(
		&logs->services.registry, berth_json_string(source->service, "id", ""));

	return record && berth_registry_life(record) == BERTH_REGISTRY_LIVE;
}

/* The same of one whose supervisor we hold, which may have ended one of its instances. */
static bool is_running(struct logs *logs, const struct source *source)
{
	struct pollfd poll_fd = { .fd = source->pidfd, .events = POLLIN };

	if (source->pidfd < 0)
		return is_recorded(logs, source);
	return poll(&poll_fd, 1, 0) == 0 &&
	       berth_registry_has(&logs->services.registry,
				  berth_json_string(source->service, "id", ""));
}

/* "api", "api.2"; where that could be two of them, what berth ls calls it. */
static void name_sources(struct logs *logs)
{
	for (size_t i = 0; i < logs->count; i++) {
		struct source *source = &logs->sources[i];
		int64_t instance = berth_json_int(source->service, "instance", 1);
		const char *service = berth_json_string(source->service, "service", "?");

		if (instance > 1)
			snprintf(source->name, sizeof(source->name), "%s.%lld", service,
				 (long long)instance);
		else
			snprintf(source->name, sizeof(source->name), "%s", service);
	}
	for (size_t i = 0; i < logs->count; i++) {
		const json_t *own = logs->sources[i].service;
		bool shared = false;
		size_t width;

		for (size_t j = 0; j < logs->count; j++)
			shared |= i != j &&
				  strcmp(berth_json_string(own, "service", ""),
					 berth_json_string(logs->sources[j].service, "service",
							   "")) == 0 &&
				  strcmp(berth_json_string(own, "root", ""),
					 berth_json_string(logs->sources[j].service, "root", "")) !=
					  0;
		if (shared)
			berth_str_copy(logs->sources[i].name, NAME_SIZE,
				       berth_json_string(own, "label", logs->sources[i].name));
		width = berth_str_width(logs->sources[i].name);
		if (width > logs->width)
			logs->width = width;
	}
}

static bool is_twice(const struct logs *logs, const json_t *service)
{
	for (size_t i = 0; i < logs->count; i++)
		if (strcmp(log_of(logs->sources[i].service), log_of(service)) == 0)
			return true;
	return false;
}

static int open_source(struct logs *logs, const json_t *service, uint64_t lines, int64_t since_ms,
		       struct berth_err *err)
{
	struct source *source = &logs->sources[logs->count++];
	pid_t pid = (pid_t)berth_json_int(service, "supervisor_pid", 0);
	int r;

	*source = (struct source){ .service = service, .pidfd = -1 };
	if (pid && !berth_json_string(service, "ended_at", NULL))
		source->pidfd = berth_child_open(pid);
	/* The identity is looked at afterwards, so that it is no other process' number by now. */
	source->running = is_recorded(logs, source);
	r = berth_log_read_open(&source->reader, log_of(service), lines, since_ms);
	if (r < 0)
		return berth_err_errno(err, r, "cannot read '%s'", log_of(service));
	source->opened = true;
	if (source->reader.fd < 0 && !source->running)
		return berth_err_errno(err, -ENOENT, "cannot read the log of %s",
				       berth_json_string(service, "service", "?"));
	return 0;
}

static int open_all(struct logs *logs, struct berth_err *err)
{
	size_t count = json_array_size(logs->documents);
	uint64_t lines = UINT64_MAX;
	int64_t since_ms = 0;
	json_t *service;
	size_t i;
	int r;

	if (logs->args->lines && berth_parse_u64(logs->args->lines, INT64_MAX, &lines) < 0)
		return berth_err_set(err, -EINVAL, BERTH_ERR_USAGE,
				     "--lines takes a number, not '%s'", logs->args->lines);
	if (logs->args->since &&
	    berth_log_line_parse_since(logs->args->since, berth_time_now_ms(), &since_ms) < 0) {
		berth_err_set(err, -EINVAL, BERTH_ERR_USAGE, "--since takes a time, not '%s'",
			      logs->args->since);
		berth_err_hint(err, "how long ago (90s, 10m, 2h), or 2026-11-21T09:30:00Z");
		return -EINVAL;
	}
	logs->sources = calloc(count ? count : 1, sizeof(*logs->sources));
	logs->polls = calloc(count + 2, sizeof(*logs->polls));
	if (!logs->sources || !logs->polls)
		return berth_err_errno(err, -ENOMEM, "cannot read the logs");
	json_array_foreach (logs->documents, i, service) {
		if (is_twice(logs, service))
			continue;
		r = open_source(logs, service, lines, since_ms, err);
		if (r < 0)
			return r;
	}
	name_sources(logs);
	return 0;
}

/* --- printing --- */

static void print_json(struct logs *logs, const struct source *source)
{
	BERTH_AUTO_JSON json_t *document = berth_log_line_document(
		&source->entry, berth_json_string(source->service, "service", "?"),
		berth_json_int(source->service, "instance", 1));

	berth_out_json(&logs->cli->out, document);
}

static void print_head(struct logs *logs, const struct source *source)
{
	struct berth_out *out = &logs->cli->out;
	char stamp[BERTH_TIME_RFC3339_SIZE];
	int blanks = (int)(logs->width - berth_str_width(source->name));

	if (logs->count > 1)
		berth_out_result(out, "%s%s%*s |%s ", berth_out_tone(out, BERTH_TONE_DIM),
				 source->name, blanks, "", berth_out_tone(out, BERTH_TONE_PLAIN));
	if (logs->args->timestamps && source->entry.at_ms)
		berth_out_result(out, "%s%s%s ", berth_out_tone(out, BERTH_TONE_DIM),
				 berth_time_format(source->entry.at_ms, stamp),
				 berth_out_tone(out, BERTH_TONE_PLAIN));
	if (source->entry.is_own)
		berth_out_result(out, "%sberth:%s ", berth_out_tone(out, BERTH_TONE_DIM),
				 berth_out_tone(out, BERTH_TONE_PLAIN));
}

/* A piece of a long line goes on where it ended, unless somebody has spoken in between. */
static void print_text(struct logs *logs, const struct source *source)
{
	struct berth_out *out = &logs->cli->out;
	struct berth_str str = { 0 };

	if (logs->unfinished && logs->unfinished != source)
		berth_out_result(out, "\n");
	if (logs->unfinished != source)
		print_head(logs, source);
	if (out->terminal) {
		berth_log_line_terminal(source->entry.text, source->entry.len, out->color, &str);
		if (str.len)
			fwrite(str.text, 1, str.len, out->results);
		berth_str_deinit(&str);
	} else if (source->entry.len) {
		fwrite(source->entry.text, 1, source->entry.len, out->results);
	}
	/* Of no length too: by this a failed write is known. */
	berth_out_result(out, "%s", source->entry.continued ? "" : "\n");
	logs->unfinished = source->entry.continued ? source : NULL;
}

static int peek(struct source *source)
{
	int r = 0;

	if (!source->has_entry)
		r = berth_log_read_next(&source->reader, !source->running, &source->entry);
	source->has_entry = r == 0;
	return r < 0 ? r : 0;
}

/* All that is there now, in the order of its times. */
static int print_available(struct logs *logs, struct berth_err *err)
{
	while (!logs->cli->out.write_errno) {
		struct source *first = NULL;

		for (size_t i = 0; i < logs->count; i++) {
			struct source *source = &logs->sources[i];
			int r = peek(source);

			if (r < 0)
				return berth_err_errno(err, r, "cannot read '%s'",
						       log_of(source->service));
			if (source->has_entry &&
			    (!first || source->entry.at_ms < first->entry.at_ms))
				first = source;
		}
		if (!first)
			break;
		if (logs->cli->out.json)
			print_json(logs, first);
		else
			print_text(logs, first);
		first->has_entry = false;
	}
	fflush(logs->cli->out.results);
	return 0;
}

/* --- following --- */

static void watch_files(struct logs *logs)
{
	for (size_t i = 0; i < logs->count && logs->inotify_fd >= 0; i++) {
		struct source *source = &logs->sources[i];

		/* Again each time: by then it may be another file. */
		if (source->running)
			(void)inotify_add_watch(logs->inotify_fd, source->reader.path,
						IN_MODIFY | IN_MOVE_SELF | IN_DELETE_SELF |
							IN_CLOSE_WRITE | IN_DONT_FOLLOW);
	}
}

/* Until something has changed. False: nobody reads us any more. */
static bool wait_for_change(struct logs *logs)
{
	char events[4096];
	size_t count = 0;

	logs->polls[count++] = (struct pollfd){ .fd = fileno(logs->cli->out.results) };
	logs->polls[count++] = (struct pollfd){ .fd = logs->inotify_fd, .events = POLLIN };
	for (size_t i = 0; i < logs->count; i++)
		if (logs->sources[i].running)
			logs->polls[count++] =
				(struct pollfd){ .fd = logs->sources[i].pidfd, .events = POLLIN };
	if (poll(logs->polls, count, logs->inotify_fd < 0 ? POLL_MS : CHECK_MS) <= 0)
		return true;
	if (logs->polls[0].revents & (POLLERR | POLLHUP))
		return false;
	if (logs->polls[1].revents)
		while (read(logs->inotify_fd, events, sizeof(events)) > 0)
			;
	for (size_t i = 2; i < count; i++)
		if (logs->polls[i].revents)
			logs->checked_ns = 0;
	return true;
}

/* Who may still write? Asked of all once a second, or when a supervisor has gone. */
static bool check_running(struct logs *logs)
{
	int64_t now_ns = berth_time_mono_ns();
	bool due = now_ns - logs->checked_ns >= CHECK_MS * INT64_C(1000000);
	bool any = false;

	if (due)
		logs->checked_ns = now_ns;
	for (size_t i = 0; i < logs->count; i++) {
		struct source *source = &logs->sources[i];

		if (due && source->running)
			source->running = is_running(logs, source);
		any |= source->running;
	}
	return any;
}

static int follow(struct logs *logs, struct berth_err *err)
{
	bool any;

	logs->inotify_fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	do {
		int r;

		any = check_running(logs);
		watch_files(logs);
		r = print_available(logs, err);
		if (r < 0)
			return r;
	} while (any && !logs->cli->out.write_errno && wait_for_change(logs));
	return 0;
}

static void deinit(struct logs *logs)
{
	for (size_t i = 0; i < logs->count; i++) {
		if (logs->sources[i].opened)
			berth_log_read_close(&logs->sources[i].reader);
		berth_fd_close(&logs->sources[i].pidfd);
	}
	free(logs->sources);
	free(logs->polls);
	berth_fd_close(&logs->inotify_fd);
	json_decref(logs->documents);
	berth_services_deinit(&logs->services);
}

static int run_logs(struct berth_cli *cli, void *arguments, struct berth_err *err)
{
	struct logs logs = { .cli = cli, .args = arguments, .inotify_fd = -1 };
	int r = berth_services_load(&logs.services, err);

	if (r < 0)
		return r;
	logs.documents = json_array();
	r = find_all(&logs, err);
	if (r == 0)
		r = open_all(&logs, err);
	if (r == 0)
		r = logs.args->follow ? follow(&logs, err) : print_available(&logs, err);
	if (r == 0 && logs.unfinished)
		berth_out_result(&cli->out, "\n");
	deinit(&logs);
	return r;
}

const struct berth_cmd berth_cmd_logs = {
	.name = "logs",
	.synopsis = "[options] [SERVICE | PORT | ID]...",
	.summary = "show what services in the background say",
	.details =
		"Without an operand: the services of this project. Standard output and error, oldest first; several services line by "
		"line, by time. Of a service that has ended: its last log. With --json each line is a document.",
	.opts = logs_opts,
	.args_size = sizeof(struct logs_args),
	.max = -1,
	.group = BERTH_CMD_LOOK,
	.complete = BERTH_COMPLETE_SERVICE,
	.run = run_logs,
};
