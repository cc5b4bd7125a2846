/* SPDX-License-Identifier: MIT */
/* app/console.h - the one log of a foreground stack, and its status line */
#pragma once

#include "app/log-line.h"
#include "app/log.h"
#include "base/attr.h"
#include "os/loop.h"
#include "service/name.h"

#include <stdbool.h>

enum {
	BERTH_CONSOLE_COLUMNS_DEFAULT = 80,
	BERTH_CONSOLE_HELD_MAX = 16 << 20, /* bytes that wait for the reader; see console.c */
};

struct berth_console_spec {
	int fd; /* standard output; borrowed, its flags are left alone; -1: nothing is shown */
	bool names; /* "09:30:00 backend.1 | text"; else the text alone */
	bool stamps; /* RFC 3339 in place of the time of day */
	bool json; /* the documents of `berth logs --json`, and nothing else */
	bool color;
	bool terminal; /* @fd is one: its lines can do nothing to it but colour */
	bool live; /* and a status line is wanted there */
};

/* One instance of a service; owned by its console. */
struct berth_console_source {
	struct berth_log_line_source line;
	struct berth_console_source *next;
	char name[BERTH_NAME_MAX + 12]; /* "backend.1" */
	char service[BERTH_NAME_MAX];
	unsigned int instance;
};

/*
 * Lives in the supervisor, and never makes it wait. Stays where it is until its end. A zeroed one
 * shows nothing: of a stack in the background.
 */
struct berth_console {
	struct berth_console_spec spec;
	struct berth_loop *loop; /* borrowed */
	int fd; /* owned; -1: nothing is shown (any more) */
	bool gone; /* since its last reader has gone */
	struct berth_log_sink sink;
	struct berth_log_line_writer writer;
	struct berth_log_line_source own; /* of berth's own lines */
	struct berth_console_source *sources; /* owned */
	struct berth_str queue; /* what @fd has not taken yet, from @queue_at on */
	size_t queue_at;
	size_t left_out; /* lines */
	struct berth_loop_source source; /* watched while @fd takes no more */
	char *status; /* owned; as it is wanted; NULL: none */
	bool drawn; /* the last thing in the queue, or on the terminal */
	unsigned int drawn_columns;
};

/* Cannot fail: what can't be opened is not shown. */
void berth_console_init(struct berth_console *console, struct berth_loop *loop,
			const struct berth_console_spec *spec);
/*
 * After the logs of all units are closed. Waits for a reader that is slow but there, at most 10 s
 * since it last took something. Takes a zeroed one too.
 */
void berth_console_deinit(struct berth_console *console);

/*
 * Add all that are known before the first line: names are as wide as the longest. @tint: the place
 * of the service in the stack. Borrowed, until the console's end; NULL: out of memory, or zeroed.
 */
const struct berth_console_source *berth_console_add(struct berth_console *console,
						     const char *service, unsigned int instance,
						     unsigned int tint);
/* Show all lines of @stream, from now on and until it is finished. @source NULL: of none. */
void berth_console_attach(struct berth_console *console, const struct berth_console_source *source,
			  struct berth_log_stream *stream);

/*
 * Lines of berth's own, under the name "berth". @source: of whom; NULL: of the stack, or of nobody
 * (only documents tell that).
 */
BERTH_PRINTF(3, 4)
void berth_console_say(struct berth_console *console, const struct berth_console_source *source,
		       const char *fmt, ...);

/*
 * The line below all others, as long as it is true; NULL or "": none. Nothing where there is no
 * terminal: what matters there too is to be said. To be called again after SIGWINCH.
 */
void berth_console_status(struct berth_console *console, const char *text);

/* Is nobody left who reads it (EPIPE)? Services go on, and so do their logs. */
bool berth_console_is_gone(const struct berth_console *console);
