/* SPDX-License-Identifier: MIT */
/* app/log.h - what the workers of a unit say, into its log */
#pragma once

#include "app/log-read.h"
#include "base/err.h"
#include "base/lines.h"
#include "os/logfile.h"
#include "os/loop.h"

struct berth_log_stream;

/*
 * What takes the lines of many streams, beside their files (app/console.h). While it is full none of
 * them is read, so that the services wait as they would for what it writes to.
 */
struct berth_log_sink {
	void (*take)(struct berth_log_sink *sink, const struct berth_log_stream *stream,
		     const struct berth_log_entry *entry);
	void (*flush)(struct berth_log_sink *sink); /* that was all for now */
	bool full; /* set by its owner, and ended by berth_log_go_on() */
	struct berth_log_stream *waiting; /* borrowed; those that were not read any further */
};

/* The log of one unit, of all its workers and lives: STATE/logs/ID.log. */
struct berth_log {
	struct berth_loop *loop; /* borrowed */
	char *path; /* owned; NULL: no file */
	struct berth_logfile file;
	int64_t moved_ms; /* when a lost folder was last looked for */
	struct berth_log_stream *streams; /* owned list */
};

/*
 * One output of one worker; owned by its log. It stays where it is until it is finished, also when
 * the worker has closed its end.
 */
struct berth_log_stream {
	struct berth_log *log; /* borrowed */
	struct berth_log_stream *next;
	unsigned int worker; /* 0: no number */
	bool is_stderr;
	int fd; /* owned; a pipe's reading end or the master of a terminal */
	struct berth_loop_source source; /* not watched: at its end, or its reader is full */
	struct berth_lines lines;
	bool ended; /* nothing comes any more */
	bool finished; /* lives on only for what is held */
	/* see berth_log_watch() */
	void (*watch)(struct berth_log_stream *stream, const char *text, size_t len, void *arg);
	void *watch_arg;
	/* see berth_log_pass() */
	int pass_fd; /* owned; -1: nobody */
	struct berth_loop_source pass_source; /* watched while @pass_fd is full */
	char *held; /* owned; what it has not taken yet, from @held_at on */
	size_t held_at, held_len;
	/* see berth_log_join() */
	struct berth_log_sink *sink; /* borrowed; NULL: none */
	const void *sink_arg; /* borrowed; of the sink's owner */
	struct berth_log_stream *next_waiting;
	bool was_read; /* waiting: in this round it had its turn */
};

/* Remove the logs of services that nobody knows any more: once, by whoever is to write some. */
void berth_log_tidy(void);

/*
 * @id: of the unit; NULL: no file (a foreground service whose lines are only watched). -errno with
 * @err where it can't be written: @log may be used then as with NULL.
 */
BERTH_MUST_USE int berth_log_open(struct berth_log *log, struct berth_loop *loop, const char *id,
				  const struct berth_logfile_limits *limits, struct berth_err *err);
/* Finishes what has not been. Takes a zeroed one too. */
void berth_log_close(struct berth_log *log);

/*
 * Read @fd from now on: non-blocking, consumed, also on failure. @worker 0: its lines bear no
 * number. *ret_stream is borrowed, and lives until it is finished.
 */
BERTH_MUST_USE int berth_log_add(struct berth_log *log, unsigned int worker, bool is_stderr, int fd,
				 struct berth_log_stream **ret_stream);

/*
 * The worker's tree is gone: take what is left in its pipes without waiting, the last line without
 * a newline too, and let go of them. A @stream of NULL is none.
 */
void berth_log_finish_stream(struct berth_log_stream *stream);

/*
 * Call @fn for each line from now on, NULL: no more. A long line comes in pieces; @text has no
 * NUL behind it (REG_STARTEND). @fn may change the watch, but must not finish a stream.
 */
void berth_log_watch(struct berth_log_stream *stream,
		     void (*fn)(struct berth_log_stream *stream, const char *text, size_t len,
				void *arg),
		     void *arg);
/*
 * Write all that is read to the same file as @fd too (borrowed; its flags are left alone). While
 * that takes no more, nothing is read, so that the service waits as it would for @fd itself; when
 * nobody reads that any more, our end is closed, so that the service learns it too.
 */
BERTH_MUST_USE int berth_log_pass(struct berth_log_stream *stream, int fd);

/*
 * Give all lines to @sink too (borrowed, until the stream is finished). At the end of a worker what
 * is left in its pipes is given though the sink is full.
 */
void berth_log_join(struct berth_log_stream *stream, struct berth_log_sink *sink, const void *arg);
/* The sink is not full any more. */
void berth_log_go_on(struct berth_log_sink *sink);

/* A line of berth's own about the service, among those of its workers. */
void berth_log_say(struct berth_log *log, const char *text);

/* log-ends.c */

/* [0] to read, for berth_log_add(); [1] to write, blocking. Both CLOEXEC. */
BERTH_MUST_USE int berth_log_pipe(int ret_ends[2]);
/*
 * A terminal: the master for berth_log_add(), and the slave for the service, to be closed when that
 * has it. As large as ours if we have one, else 80x24; it neither echoes nor turns \n into \r\n.
 * The master closed is a hangup for the service (SIGHUP).
 */
BERTH_MUST_USE int berth_log_tty(int *ret_master, int *ret_slave);
