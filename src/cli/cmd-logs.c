/* SPDX-License-Identifier: MIT */
/*
 * cli/cmd-logs.c - berth logs: what services said, and say
 *
 * The lines of several logs are merged by their times. Following, we are woken by inotify(7) on the
 * present files and on the runtime folder, where those who join the project appear; where the user's
 * instances are used up, we look five times a second. A watch is set before what is there is read,
 * so that nothing falls in between; a file that has been rotated away tells us so itself
 * (IN_MOVE_SELF), and the reader finds the next.
 */
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>

#include "base/parse.h"
#include "base/time.h"
#include "cli/cli.h"
#include "cli/commands.h"
#include "cli/log-sources.h"

enum {
	CHECK_MS = 1000, /* does the service run still? */
	POLL_MS = 200, /* without inotify */
};

struct logs_args {
	const char *lines;
	const char *since;
	bool follow;
	bool timestamps;
	bool no_prefix;
};

static const struct berth_opt logs_opts[] = {
	{ 'f', "follow", NULL, BERTH_AT(FLAG, struct logs_args, follow),
	  "go on with what is said from now on, until the services have ended" },
	{ 'n', "lines", "N", BERTH_AT(STRING, struct logs_args, lines),
	  "begin with the last N lines of each" },
	{ 0, "since", "TIME", BERTH_AT(STRING, struct logs_args, since),
	  "begin with what is as old: 10m, or 2026-11-21T09:30:00Z" },
	{ 0, "timestamps", NULL, BERTH_AT(FLAG, struct logs_args, timestamps),
	  "with the whole time in front of each line" },
	{ 0, "no-prefix", NULL, BERTH_AT(FLAG, struct logs_args, no_prefix),
	  "of several services too, without time and name in front" },
	{ 0 },
};

struct logs {
	struct berth_cli *cli;
	const struct logs_args *args;
	struct berth_log_sources sources;
	struct berth_log_line_writer writer;
	struct pollfd *polls; /* owned */
	int inotify_fd; /* owned; -1: refused */
	int registry_watch; /* -1: none */
	int64_t checked_ns; /* 0: to be done now */
};

/* --- printing --- */

static void print_json(struct logs *logs, const struct berth_log_source *source)
{
	BERTH_AUTO_JSON json_t *document = berth_log_line_document(
		&source->entry, berth_json_string(source->service, "service", "?"),
		berth_json_int(source->service, "instance", 1));

	berth_out_json(&logs->cli->out, document);
}

static void print_str(struct logs *logs, struct berth_str *str)
{
	if (str->len)
		fwrite(str->text, 1, str->len, logs->cli->out.results);
	berth_out_result(&logs->cli->out, "%s", ""); /* by this a failed write is known */
	berth_str_deinit(str);
}

static void print_text(struct logs *logs, const struct berth_log_source *source)
{
	struct berth_str str = { 0 };

	logs->writer.names = logs->sources.count > 1 && !logs->args->no_prefix;
	logs->writer.width = logs->sources.width;
	berth_log_line_add(&logs->writer, &source->line, &source->entry, &str);
	print_str(logs, &str);
}

static void end_line(struct logs *logs)
{
	struct berth_str str = { 0 };

	berth_log_line_end(&logs->writer, &str);
	print_str(logs, &str);
}

static int peek(struct berth_log_source *source)
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
		struct berth_log_source *first = NULL;

		for (size_t i = 0; i < logs->sources.count; i++) {
			struct berth_log_source *source = logs->sources.items[i];
			int r = peek(source);

			if (r < 0)
				return berth_err_errno(err, r, "cannot read '%s'",
						       berth_log_sources_path(source));
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

static void begin_watch(struct logs *logs)
{
	logs->inotify_fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	if (logs->inotify_fd >= 0 && logs->sources.whole_project)
		logs->registry_watch =
			inotify_add_watch(logs->inotify_fd, logs->sources.services.registry.path,
					  IN_MOVED_TO | IN_CREATE);
}

static void watch_files(struct logs *logs)
{
	for (size_t i = 0; i < logs->sources.count && logs->inotify_fd >= 0; i++) {
		const struct berth_log_source *source = logs->sources.items[i];

		/* Again each time: by then it may be another file. */
		if (source->running)
			(void)inotify_add_watch(logs->inotify_fd, source->reader.path,
						IN_MODIFY | IN_MOVE_SELF | IN_DELETE_SELF |
							IN_CLOSE_WRITE | IN_DONT_FOLLOW);
	}
}

/* Has a record come that we do not know? */
static bool is_news(const struct logs *logs, const struct inotify_event *event)
{
	if (event->mask & IN_Q_OVERFLOW)
		return true;
	return logs->registry_watch >= 0 && event->wd == logs->registry_watch && event->len &&
	       !berth_log_sources_has(&logs->sources, event->name);
}

static void read_events(struct logs *logs)
{
	_Alignas(struct inotify_event) char events[4096];
	ssize_t n;

	while ((n = read(logs->inotify_fd, events, sizeof(events))) > 0)
		for (const char *at = events; at < events + n;) {
			const struct inotify_event *event = (const void *)at;

			if (is_news(logs, event))
				logs->checked_ns = 0;
			at += sizeof(*event) + event->len;
		}
}

/* Until something has changed. False: nobody reads us any more. */
static bool wait_for_change(struct logs *logs)
{
	struct pollfd *polls = reallocarray(logs->polls, logs->sources.count + 2, sizeof(*polls));
	size_t count = 0;

	if (!polls)
		return false;
	logs->polls = polls;
	polls[count++] = (struct pollfd){ .fd = fileno(logs->cli->out.results) };
	polls[count++] = (struct pollfd){ .fd = logs->inotify_fd, .events = POLLIN };
	for (size_t i = 0; i < logs->sources.count; i++)
		if (logs->sources.items[i]->running)
			polls[count++] = (struct pollfd){ .fd = logs->sources.items[i]->pidfd,
							  .events = POLLIN };
	if (poll(polls, count, logs->inotify_fd < 0 ? POLL_MS : CHECK_MS) <= 0)
		return true;
	if (polls[0].revents & (POLLERR | POLLHUP))
		return false;
	if (polls[1].revents)
		read_events(logs);
	for (size_t i = 2; i < count; i++)
		if (polls[i].revents)
			logs->checked_ns = 0;
	return true;
}

/* Who has come, who has gone? Asked once a second, or when something tells that it is so. */
static int check(struct logs *logs, bool *ret_any, struct berth_err *err)
{
	int64_t now_ns = berth_time_mono_ns();
	int r = 0;

	if (logs->checked_ns && now_ns - logs->checked_ns < CHECK_MS * BERTH_NS_PER_MS)
		return 0;
	logs->checked_ns = now_ns;
	r = berth_log_sources_look(&logs->sources, err);
	if (r == 0)
		*ret_any = berth_log_sources_check(&logs->sources);
	return r;
}

static int follow(struct logs *logs, struct berth_err *err)
{
	bool any = true;

	begin_watch(logs);
	do {
		int r = check(logs, &any, err);

		if (r < 0)
			return r;
		watch_files(logs);
		r = print_available(logs, err);
		if (r < 0)
			return r;
	} while (any && !logs->cli->out.write_errno && wait_for_change(logs));
	return 0;
}

/* --- in and out --- */

static int parse_args(struct logs *logs, struct berth_err *err)
{
	const struct logs_args *args = logs->args;

	logs->sources.lines = UINT64_MAX;
	if (args->lines && berth_parse_u64(args->lines, INT64_MAX, &logs->sources.lines) < 0)
		return berth_err_set(err, -EINVAL, BERTH_ERR_USAGE,
				     "--lines takes a number, not '%s'", args->lines);
	if (args->since && berth_log_line_parse_since(args->since, berth_time_now_ms(),
						      &logs->sources.since_ms) < 0) {
		berth_err_set(err, -EINVAL, BERTH_ERR_USAGE, "--since takes a time, not '%s'",
			      args->since);
		berth_err_hint(err, "how long ago (90s, 10m, 2h), or 2026-11-21T09:30:00Z");
		return -EINVAL;
	}
	return 0;
}

static int run_logs(struct berth_cli *cli, void *arguments, struct berth_err *err)
{
	struct logs logs = {
		.cli = cli, .args = arguments, .inotify_fd = -1, .registry_watch = -1
	};
	int r = parse_args(&logs, err);

	if (r < 0)
		return r;
	logs.writer = (struct berth_log_line_writer){ .stamps = logs.args->timestamps,
						      .terminal = cli->out.terminal,
						      .color = cli->out.color };
	r = berth_log_sources_open(&logs.sources, &cli->operands, err);
	if (r == 0)
		r = logs.args->follow ? follow(&logs, err) : print_available(&logs, err);
	if (r == 0)
		end_line(&logs);
	berth_log_sources_close(&logs.sources);
	free(logs.polls);
	berth_fd_close(&logs.inotify_fd);
	return r;
}

const struct berth_cmd berth_cmd_logs = {
	.name = "logs",
	.synopsis = "[options] [SERVICE | PORT | ID]...",
	.summary = "show what services say",
	.details =
		"Without an operand: the services of this project, with -f also those that are started later. Standard output and error, "
		"oldest first; several services line by line, by time. Of a service that has ended: its last log. A service alone in "
		"the foreground has none, a stack has. With --json each line is a document.",
	.opts = logs_opts,
	.args_size = sizeof(struct logs_args),
	.max = -1,
	.group = BERTH_CMD_LOOK,
	.complete = BERTH_COMPLETE_SERVICE,
	.run = run_logs,
};
