/* SPDX-License-Identifier: MIT */
/*
 * app/console.c - the one log of a foreground stack, and its status line
 *
 * Lines come from the streams of the units' logs (app/log.h) as wholes, and go into one queue, in
 * the order in which they were read. The queue is written as far as it goes. What remains makes the
 * console full: then no stream is read until it is empty, and a service that goes on writing waits
 * as it would have waited for the terminal itself. So a reader that is slow, or stopped by Ctrl-S,
 * loses nothing, and what we hold is one read of one stream. Its log file waits with it: the same
 * read feeds both.
 *
 * Only what must not wait grows the queue further: what the workers of an end have left in their
 * pipes, and our own lines. That has a limit, beyond which lines are left out and counted. The files
 * have them.
 *
 * What is queued is never taken back. The status line is erased by a sequence in front of the next
 * line, and drawn again behind the last one of a read: on the terminal it is below all of them,
 * whatever was written when. While the console is full it is not drawn.
 */
#include "app/console.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>

#include "base/json.h"
#include "base/time.h"
#include "os/outq.h"

enum {
	WRITE_AT = 64 * 1024, /* so much is written at once, also in the middle of a read */
	KEEP_SIZE = 128 * 1024, /* of an empty queue */
	MOVE_AT = 1 << 20,
	WAIT_MS = 10 * 1000, /* at the very end, for a reader that takes nothing */
	STATUS_MAX = 1024,
	TEXT_MAX = 4096,
};

static const char erase[] = "\r\033[K";

static size_t held(const struct berth_console *console)
{
	return console->queue.len - console->queue_at;
}

/* --- writing --- */

static void empty_queue(struct berth_console *console)
{
	console->queue.len = console->queue_at = 0;
	if (console->queue.size > KEEP_SIZE)
		berth_str_deinit(&console->queue);
}

static void fall_silent(struct berth_console *console)
{
	berth_loop_remove(console->loop, &console->source);
	berth_fd_close(&console->fd);
	empty_queue(console);
	berth_log_go_on(&console->sink);
}

static void write_queue(struct berth_console *console)
{
	ssize_t n;

	if (!held(console))
		return;
	n = berth_outq_write(console->fd, console->queue.text + console->queue_at, held(console));
	if (n < 0) {
		console->gone = true;
		fall_silent(console);
		return;
	}
	console->queue_at += (size_t)n;
	if (!held(console)) {
		empty_queue(console);
	} else if (console->queue_at >= MOVE_AT) {
		memmove(console->queue.text, console->queue.text + console->queue_at,
			held(console));
		console->queue.len -= console->queue_at;
		console->queue_at = 0;
	}
}

static void on_writable(struct berth_loop_source *source, uint32_t events);

/* As much as goes; what remains makes us full. */
static void push(struct berth_console *console)
{
	if (console->fd < 0 || console->sink.full)
		return;
	write_queue(console);
	if (!held(console))
		return;
	console->sink.full = true;
	if (berth_loop_add(console->loop, &console->source, console->fd, EPOLLOUT, on_writable) < 0)
		fall_silent(console); /* can be neither written nor watched */
}

/* --- lines --- */

static void undraw(struct berth_console *console)
{
	if (console->drawn)
		berth_str_add(&console->queue, erase);
	console->drawn = false;
}

static void add_document(struct berth_console *console, const struct berth_console_source *source,
			 const struct berth_log_entry *entry)
{
	BERTH_AUTO_JSON json_t *document = berth_log_line_document(
		entry, source ? source->service : NULL, source ? source->instance : 0);
	BERTH_AUTO_FREE char *line = document ? berth_json_line(document) : NULL;

	if (line) {
		berth_str_add(&console->queue, line);
		berth_str_add(&console->queue, "\n");
	} else {
		console->left_out++;
	}
}

static void add_line(struct berth_console *console, const struct berth_console_source *source,
		     const struct berth_log_entry *entry)
{
	size_t before = console->queue.len;

	if (console->fd < 0)
		return;
	if (held(console) > BERTH_CONSOLE_HELD_MAX) {
		console->left_out++;
		return;
	}
	undraw(console);
	if (console->spec.json)
		add_document(console, source, entry);
	else
		berth_log_line_add(&console->writer, entry->is_own ? &console->own : &source->line,
				   entry, &console->queue);
	if (console->queue.failed) {
		console->queue.len = before;
		console->queue.failed = false;
		console->writer.open = NULL;
		console->left_out++;
	}
	if (held(console) >= WRITE_AT)
		push(console);
}

static void on_line(struct berth_log_sink *sink, const struct berth_log_stream *stream,
		    const struct berth_log_entry *entry)
{
	add_line(berth_container_of(sink, struct berth_console, sink), stream->sink_arg, entry);
}

static void add_own(struct berth_console *console, const struct berth_console_source *source,
		    const char *text, size_t len)
{
	const struct berth_log_entry entry = {
		.at_ms = berth_time_now_ms(), .is_own = true, .text = text, .len = len
	};

	add_line(console, source, &entry);
}

static void tell_left_out(struct berth_console *console)
{
	char text[128];
	int len;

	if (!console->left_out)
		return;
	len = snprintf(text, sizeof(text),
		       "%zu lines are missing here, nobody took them; berth logs has them",
		       console->left_out);
	console->left_out = 0;
	add_own(console, NULL, text, (size_t)len);
}

/* --- the status line --- */

static unsigned int columns_of(int fd)
{
	struct winsize window;

	if (ioctl(fd, TIOCGWINSZ, &window) == 0 && window.ws_col > 0)
		return window.ws_col;
	return BERTH_CONSOLE_COLUMNS_DEFAULT;
}

/* As many bytes of a printable text as fit into so many columns. */
static size_t fitting(const char *text, size_t columns)
{
	size_t len = strlen(text), at = 0;

	while (at < len) {
		size_t n = berth_str_utf8_len(text + at, len - at);
		char one[8] = "";

		n = n ? n : 1;
		memcpy(one, text + at, n);
		if (berth_str_width(one) > columns)
			break;
		columns -= berth_str_width(one);
		at += n;
	}
	return at;
}

/* In the last column it would wrap, and erasing would leave half of it. */
static void draw(struct berth_console *console)
{
	static const char dots[] = "...";
	const char *end = "";
	unsigned int columns;
	char text[STATUS_MAX];
	size_t len;

	if (!console->status || console->drawn || console->sink.full || console->writer.open ||
	    console->fd < 0)
		return;
	columns = columns_of(console->fd);
	berth_str_printable(console->status, (size_t)-1, text, sizeof(text));
	len = fitting(text, columns - 1);
	if (text[len] && columns > sizeof(dots)) {
		len = fitting(text, columns - sizeof(dots));
		end = dots;
	}
	text[len] = '\0';
	berth_str_addf(&console->queue, console->writer.color ? "\033[2m%s%s\033[0m" : "%s%s", text,
		       end);
	console->drawn = true;
	console->drawn_columns = columns;
}

void berth_console_status(struct berth_console *console, const char *text)
{
	bool wanted = text && *text;

	if (!console->spec.live || console->fd < 0)
		return;
	if (wanted && console->drawn && console->status && strcmp(console->status, text) == 0 &&
	    console->drawn_columns == columns_of(console->fd))
		return;
	free(BERTH_STEAL(console->status));
	console->status = wanted ? strdup(text) : NULL;
	undraw(console);
	draw(console);
	push(console);
}

/* --- in and out --- */

static void on_flush(struct berth_log_sink *sink)
{
	struct berth_console *console = berth_container_of(sink, struct berth_console, sink);

	draw(console);
	push(console);
}

static void on_writable(struct berth_loop_source *source, uint32_t events)
{
	struct berth_console *console = berth_container_of(source, struct berth_console, source);

	write_queue(console);
	if (console->fd < 0 || held(console))
		return;
	berth_loop_remove(console->loop, &console->source);
	console->sink.full = false;
	tell_left_out(console);
	draw(console);
	push(console);
	if (!console->sink.full)
		berth_log_go_on(&console->sink);
}

void berth_console_init(struct berth_console *console, struct berth_loop *loop,
			const struct berth_console_spec *spec)
{
	*console = (struct berth_console){
		.spec = *spec,
		.loop = loop,
		.fd = spec->fd < 0 ? -1 : berth_outq_open(spec->fd),
		.sink = { .take = on_line, .flush = on_flush },
		.writer = { .names = spec->names,
			    .stamps = spec->stamps,
			    .terminal = spec->terminal,
			    .color = spec->color,
			    .width = berth_str_width("berth") },
	};
	console->spec.live = spec->live && spec->terminal && !spec->json;
}

static void wait_for_reader(struct berth_console *console)
{
	while (console->fd >= 0 && held(console)) {
		struct pollfd poll_fd = { .fd = console->fd, .events = POLLOUT };

		if (poll(&poll_fd, 1, WAIT_MS) != 1)
			return;
		write_queue(console);
	}
}

void berth_console_deinit(struct berth_console *console)
{
	struct berth_console_source *next;

	if (!console || !console->loop)
		return;
	berth_console_status(console, NULL);
	if (console->fd >= 0) {
		berth_log_line_end(&console->writer, &console->queue);
		tell_left_out(console);
	}
	wait_for_reader(console);
	fall_silent(console);
	for (struct berth_console_source *source = console->sources; source; source = next) {
		next = source->next;
		free(source);
	}
	berth_str_deinit(&console->queue);
	*console = (struct berth_console){ .fd = -1 };
}

const struct berth_console_source *berth_console_add(struct berth_console *console,
						     const char *service, unsigned int instance,
						     unsigned int tint)
{
	struct berth_console_source *source = console->loop ? calloc(1, sizeof(*source)) : NULL;
	size_t width;

	if (!source)
		return NULL;
	source->instance = instance;
	berth_str_copy(source->service, sizeof(source->service), service);
	snprintf(source->name, sizeof(source->name), "%s.%u", source->service, instance);
	source->line = (struct berth_log_line_source){ .name = source->name, .tint = tint };
	width = berth_str_width(source->name);
	if (width > console->writer.width)
		console->writer.width = width;
	source->next = console->sources;
	console->sources = source;
	return source;
}

void berth_console_attach(struct berth_console *console, const struct berth_console_source *source,
			  struct berth_log_stream *stream)
{
	if (source)
		berth_log_join(stream, &console->sink, source);
}

void berth_console_say(struct berth_console *console, const struct berth_console_source *source,
		       const char *fmt, ...)
{
	char text[TEXT_MAX];
	va_list ap;

	if (!console->loop)
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	for (const char *line = text, *stop; line; line = stop ? stop + 1 : NULL) {
		stop = strchr(line, '\n');
		add_own(console, source, line, stop ? (size_t)(stop - line) : strlen(line));
	}
	on_flush(&console->sink);
}

bool berth_console_is_gone(const struct berth_console *console)
{
	return console->gone;
}
