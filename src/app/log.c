/* SPDX-License-Identifier: MIT */
/*
 * app/log.c - what the workers of a unit say, into its log
 *
 * Standard output and error of each worker are pipes (or one terminal), read in the supervisor's
 * loop: a turn takes what is there, at most 256 KiB, so that a chatty service does not keep bind()
 * waiting. What is read becomes lines with one time stamp, and one write. A service is slowed down
 * by our reading, never by the disk's state (os/logfile.c).
 *
 * Buffers are the stack's: a unit that says nothing costs its structs alone.
 *
 * A stream ends when the kernel says so (EOF, EIO), but its descriptor stays until the worker's
 * tree is gone: to close the master of a terminal is to hang up on whoever has it as his own,
 * also if he has closed every descriptor of it.
 *
 * Passed on to the user's terminal, a stream is read no faster than that takes it. What is left
 * when the worker has ended is still written as that goes on; the stream lives until then.
 *
 * A sink takes the lines of many. A stream that has something for a full one is watched no more and
 * waits in a queue: first those that had no turn since the sink was last full, so that one which
 * fills it each time does not keep the others from it.
 */
#include "app/log.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "app/history.h"
#include "app/registry.h"
#include "os/outq.h"
#include "os/statefile.h"

enum {
	CHUNK = 64 * 1024,
	TURN_CHUNKS = 4,
	SINK_CHUNK = 16 * 1024, /* its lines get longer there, and take longer */
	/* What may be left in a pipe whose writers have gone; more comes from one that has not. */
	LEFT_MAX = 16 * 1024 * 1024,
	MOVE_PERIOD_MS = 1000,
	PASS_WAIT_MS = 10 * 1000, /* at the very end, for a reader that takes nothing */
	STALE_S = 24 * 60 * 60,
};

/* --- the file --- */

/* Nobody writes it, it is a day old, and no end in the history names it. */
static bool is_stale(int dir_fd, const char *name, const char *id)
{
	BERTH_AUTO_FD int fd =
		openat(dir_fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
	struct stat st;

	return fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) &&
	       st.st_mtim.tv_sec < berth_time_now_ms() / 1000 - STALE_S &&
	       flock(fd, LOCK_EX | LOCK_NB) == 0 && !berth_history_has(id);
}

/* "ID.log", or an older one of a log that is not there any more ("ID.log.3"). */
static void remove_if_stale(int dir_fd, const char *name)
{
	const char *dot = strchr(name, '.');
	char id[BERTH_ID_SIZE], present[32];

	if (!dot || dot - name >= BERTH_ID_SIZE || strncmp(dot, ".log", 4) != 0)
		return;
	memcpy(id, name, (size_t)(dot - name));
	id[dot - name] = '\0';
	if (!berth_registry_is_id(id))
		return;
	if (!dot[4] && is_stale(dir_fd, name, id)) {
		berth_logfile_remove(dir_fd, name);
		return;
	}
	snprintf(present, sizeof(present), "%s.log", id);
	if (dot[4] == '.' && faccessat(dir_fd, present, F_OK, AT_SYMLINK_NOFOLLOW) < 0 &&
	    is_stale(dir_fd, name, id))
		unlinkat(dir_fd, name, 0);
}

static void remove_stale(int dir_fd)
{
	int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;

	if (!dir) {
		berth_fd_close(&fd);
		return;
	}
	while ((entry = readdir(dir)))
		remove_if_stale(dir_fd, entry->d_name);
	closedir(dir);
}

static int open_folder(void)
{
	return berth_statefile_open_below(BERTH_PLACE_STATE, "logs");
}

static int open_file(struct berth_log *log, const char *id,
		     const struct berth_logfile_limits *limits)
{
	char name[BERTH_LOGFILE_NAME_SIZE], folder[PATH_MAX];
	int r = berth_statefile_path(BERTH_PLACE_STATE, folder, sizeof(folder));
	int dir_fd;

	if (r < 0)
		return r;
	dir_fd = open_folder();
	if (dir_fd < 0)
		return dir_fd;
	snprintf(name, sizeof(name), "%s.log", id);
	r = berth_logfile_open(&log->file, dir_fd, name, limits, berth_time_now_ms());
	if (r < 0)
		return r;
	if (asprintf(&log->path, "%s/logs/%s", folder, name) < 0) {
		log->path = NULL;
		berth_logfile_close(&log->file);
		return -ENOMEM;
	}
	return 0;
}

void berth_log_tidy(void)
{
	BERTH_AUTO_FD int dir_fd = open_folder();

	if (dir_fd >= 0)
		remove_stale(dir_fd);
}

int berth_log_open(struct berth_log *log, struct berth_loop *loop, const char *id,
		   const struct berth_logfile_limits *limits, struct berth_err *err)
{
	int r;

	*log = (struct berth_log){ .loop = loop, .file = { .dir_fd = -1, .fd = -1 } };
	if (!id)
		return 0;
	r = open_file(log, id, limits);
	if (r < 0) {
		berth_err_errno(err, r, "cannot keep a log in the state folder");
		berth_err_hint(err, "set XDG_STATE_HOME to a folder that can be written");
	}
	return r;
}

/* Somebody has removed the folder: as soon as it can be made again, it goes on there. */
static void find_home(struct berth_log *log, int64_t now_ms)
{
	int dir_fd;

	if (!berth_logfile_is_homeless(&log->file) ||
	    (now_ms >= log->moved_ms && now_ms - log->moved_ms < MOVE_PERIOD_MS))
		return;
	log->moved_ms = now_ms;
	dir_fd = open_folder();
	if (dir_fd >= 0)
		(void)!berth_logfile_move(&log->file, dir_fd, now_ms);
}

/* --- lines --- */

/* What one read, or the end, brings; 128 KiB of the stack. */
struct intake {
	struct berth_log_stream *stream;
	int64_t at_ms;
	struct berth_lines_sink sink;
	char source[2][12]; /* "o2"; of a piece that goes on: "O2" */
	struct berth_logfile_batch batch;
};

static void take_line(const char *text, size_t len, bool continued, void *arg)
{
	struct intake *intake = arg;
	struct berth_log_stream *stream = intake->stream;

	if (stream->log->path)
		berth_logfile_add(&intake->batch, intake->source[continued], text, len);
	if (stream->sink)
		stream->sink->take(stream->sink, stream,
				   &(struct berth_log_entry){ .at_ms = intake->at_ms,
							      .worker = stream->worker,
							      .is_stderr = stream->is_stderr,
							      .continued = continued,
							      .text = text,
							      .len = len });
	if (stream->watch)
		stream->watch(stream, text, len, stream->watch_arg);
}

static void begin_intake(struct intake *intake, struct berth_log_stream *stream)
{
	int64_t now_ms = berth_time_now_ms();

	intake->stream = stream;
	intake->at_ms = now_ms;
	intake->sink = (struct berth_lines_sink){ .fn = take_line, .arg = intake };
	for (int i = 0; i < 2; i++) {
		char letter = (stream->is_stderr ? "eE" : "oO")[i];

		if (stream->worker)
			snprintf(intake->source[i], sizeof(intake->source[i]), "%c%u", letter,
				 stream->worker);
		else
			snprintf(intake->source[i], sizeof(intake->source[i]), "%c", letter);
	}
	if (stream->log->path) {
		find_home(stream->log, now_ms);
		berth_logfile_begin(&intake->batch, &stream->log->file, now_ms);
	}
}

static void end_intake(struct intake *intake)
{
	struct berth_log_sink *sink = intake->stream->sink;

	if (intake->stream->log->path)
		berth_logfile_commit(&intake->batch);
	if (sink)
		sink->flush(sink);
}

void berth_log_say(struct berth_log *log, const char *text)
{
	struct berth_logfile_batch batch;
	int64_t now_ms = berth_time_now_ms();

	if (!log->path)
		return;
	find_home(log, now_ms);
	berth_logfile_begin(&batch, &log->file, now_ms);
	berth_logfile_add(&batch, "b", text, strlen(text));
	berth_logfile_commit(&batch);
}

static void take_text(struct berth_log_stream *stream, const char *text, size_t len)
{
	struct intake intake;

	begin_intake(&intake, stream);
	berth_lines_feed(&stream->lines, text, len, &intake.sink);
	end_intake(&intake);
}

static void take_rest(struct berth_log_stream *stream)
{
	struct intake intake;

	if (!stream->lines.len && !stream->lines.open)
		return;
	begin_intake(&intake, stream);
	berth_lines_flush(&stream->lines, &intake.sink);
	end_intake(&intake);
}

/* --- passing on --- */

static void stop_reading(struct berth_log_stream *stream)
{
	berth_loop_remove(stream->log->loop, &stream->source);
}

static void forget_pass(struct berth_log_stream *stream)
{
	berth_loop_remove(stream->log->loop, &stream->pass_source);
	berth_fd_close(&stream->pass_fd);
	free(BERTH_STEAL(stream->held));
	stream->held_at = stream->held_len = 0;
}

/* Nobody reads it: the service is told as it would have been, by SIGPIPE. */
static void close_both(struct berth_log_stream *stream)
{
	forget_pass(stream);
	stop_reading(stream);
	berth_fd_close(&stream->fd);
	stream->ended = true;
	take_rest(stream);
}

static void on_readable(struct berth_loop_source *source, uint32_t events);
static void on_pass_writable(struct berth_loop_source *source, uint32_t events);
static void release(struct berth_log_stream *stream);

static bool hold(struct berth_log_stream *stream, const char *text, size_t len)
{
	char *grown = realloc(stream->held, stream->held_len + len);

	if (!grown)
		return false;
	memcpy(grown + stream->held_len, text, len);
	stream->held = grown;
	stream->held_len += len;
	return true;
}

static void pass_on(struct berth_log_stream *stream, const char *text, size_t len)
{
	ssize_t n = 0;

	if (!stream->held_len)
		n = berth_outq_write(stream->pass_fd, text, len);
	if (n < 0) {
		close_both(stream);
		return;
	}
	if ((size_t)n == len)
		return;
	if (!hold(stream, text + n, len - (size_t)n))
		return;
	stop_reading(stream);
	if (!stream->pass_source.fn &&
	    berth_loop_add(stream->log->loop, &stream->pass_source, stream->pass_fd, EPOLLOUT,
			   on_pass_writable) < 0)
		forget_pass(stream); /* can be neither written nor watched */
}

/* What is held, as far as it goes. */
static void write_held(struct berth_log_stream *stream)
{
	ssize_t n = berth_outq_write(stream->pass_fd, stream->held + stream->held_at,
				     stream->held_len - stream->held_at);

	if (n < 0) {
		close_both(stream);
		return;
	}
	stream->held_at += (size_t)n;
	if (stream->held_at < stream->held_len)
		return;
	free(BERTH_STEAL(stream->held));
	stream->held_at = stream->held_len = 0;
	berth_loop_remove(stream->log->loop, &stream->pass_source);
}

static void on_pass_writable(struct berth_loop_source *source, uint32_t events)
{
	struct berth_log_stream *stream =
		berth_container_of(source, struct berth_log_stream, pass_source);

	write_held(stream);
	if (stream->held_len)
		return;
	if (stream->finished)
		release(stream);
	else if (!stream->ended && berth_loop_add(stream->log->loop, &stream->source, stream->fd,
						  EPOLLIN, on_readable) < 0)
		close_both(stream);
}

/* --- sinks --- */

static bool is_held_up(const struct berth_log_stream *stream)
{
	return stream->held_len || (stream->sink && stream->sink->full);
}

static void wait_for_sink(struct berth_log_stream *stream, bool was_read)
{
	struct berth_log_stream **link = &stream->sink->waiting;

	stop_reading(stream);
	while (*link && (was_read || !(*link)->was_read))
		link = &(*link)->next_waiting;
	stream->was_read = was_read;
	stream->next_waiting = *link;
	*link = stream;
}

static void leave_sink(struct berth_log_stream *stream)
{
	struct berth_log_stream **link = stream->sink ? &stream->sink->waiting : NULL;

	while (link && *link && *link != stream)
		link = &(*link)->next_waiting;
	if (link && *link)
		*link = stream->next_waiting;
	stream->next_waiting = NULL;
	stream->sink = NULL;
}

void berth_log_join(struct berth_log_stream *stream, struct berth_log_sink *sink, const void *arg)
{
	leave_sink(stream);
	stream->sink = sink;
	stream->sink_arg = arg;
}

void berth_log_go_on(struct berth_log_sink *sink)
{
	struct berth_log_stream *waiting = BERTH_STEAL(sink->waiting), *next;

	sink->full = false;
	for (struct berth_log_stream *stream = waiting; stream; stream = next) {
		next = BERTH_STEAL(stream->next_waiting);
		if (!stream->ended && berth_loop_add(stream->log->loop, &stream->source, stream->fd,
						     EPOLLIN, on_readable) < 0)
			close_both(stream);
	}
}

/* --- streams --- */

static size_t chunk_of(const struct berth_log_stream *stream)
{
	return stream->sink ? SINK_CHUNK : CHUNK;
}

/* One read: its length, 0: nothing there now, or nothing any more (then the stream has ended). */
static size_t take_chunk(struct berth_log_stream *stream)
{
	char text[CHUNK];
	ssize_t n;

	do
		n = read(stream->fd, text, chunk_of(stream));
	while (n < 0 && errno == EINTR);
	if (n > 0) {
		take_text(stream, text, (size_t)n);
		if (stream->pass_fd >= 0)
			pass_on(stream, text, (size_t)n);
		return (size_t)n;
	}
	if (n < 0 && errno == EAGAIN)
		return 0;
	stream->ended = true;
	if (n == 0)
		take_rest(stream);
	return 0;
}

static void on_readable(struct berth_loop_source *source, uint32_t events)
{
	struct berth_log_stream *stream =
		berth_container_of(source, struct berth_log_stream, source);

	size_t taken = 0;

	while (taken < TURN_CHUNKS * chunk_of(stream) && !stream->ended && !is_held_up(stream)) {
		size_t n = take_chunk(stream);

		if (n == 0)
			break;
		taken += n;
	}
	if (stream->ended)
		stop_reading(stream);
	else if (stream->sink && stream->sink->full)
		wait_for_sink(stream, taken > 0);
}

int berth_log_add(struct berth_log *log, unsigned int worker, bool is_stderr, int fd,
		  struct berth_log_stream **ret_stream)
{
	struct berth_log_stream *stream = calloc(1, sizeof(*stream));
	int r = -ENOMEM;

	if (stream) {
		*stream = (struct berth_log_stream){ .log = log,
						     .worker = worker,
						     .is_stderr = is_stderr,
						     .fd = fd,
						     .pass_fd = -1 };
		r = berth_loop_add(log->loop, &stream->source, fd, EPOLLIN, on_readable);
	}
	if (r < 0) {
		close(fd);
		free(stream);
		return r;
	}
	stream->next = log->streams;
	log->streams = stream;
	*ret_stream = stream;
	return 0;
}

static void release(struct berth_log_stream *stream)
{
	struct berth_log_stream **link = &stream->log->streams;

	forget_pass(stream);
	stop_reading(stream);
	berth_fd_close(&stream->fd);
	berth_lines_deinit(&stream->lines);
	while (*link != stream)
		link = &(*link)->next;
	*link = stream->next;
	free(stream);
}

void berth_log_finish_stream(struct berth_log_stream *stream)
{
	if (!stream || stream->finished)
		return;
	/* A terminal that was closed and opened again may hold something still: so once more. */
	for (size_t taken = 0; stream->fd >= 0 && taken < LEFT_MAX;) {
		size_t n = take_chunk(stream);

		if (n == 0)
			break;
		taken += n;
	}
	take_rest(stream);
	stop_reading(stream);
	berth_fd_close(&stream->fd);
	stream->ended = stream->finished = true;
	stream->watch = NULL;
	leave_sink(stream);
	if (!stream->held_len)
		release(stream);
}

/* The last words for a reader that is slow but there. */
static void wait_for_reader(struct berth_log_stream *stream)
{
	while (stream->held_len) {
		struct pollfd poll_fd = { .fd = stream->pass_fd, .events = POLLOUT };

		if (poll(&poll_fd, 1, PASS_WAIT_MS) != 1)
			return;
		write_held(stream);
	}
}

void berth_log_close(struct berth_log *log)
{
	struct berth_log_stream *next;

	for (struct berth_log_stream *stream = log->streams; stream; stream = next) {
		next = stream->next;
		berth_log_finish_stream(stream);
	}
	while (log->streams) {
		wait_for_reader(log->streams);
		release(log->streams);
	}
	if (log->path)
		berth_logfile_close(&log->file);
	free(BERTH_STEAL(log->path));
}

void berth_log_watch(struct berth_log_stream *stream,
		     void (*fn)(struct berth_log_stream *stream, const char *text, size_t len,
				void *arg),
		     void *arg)
{
	stream->watch = fn;
	stream->watch_arg = arg;
}

int berth_log_pass(struct berth_log_stream *stream, int fd)
{
	int own = berth_outq_open(fd);

	if (own < 0)
		return own;
	forget_pass(stream);
	stream->pass_fd = own;
	return 0;
}
