/* SPDX-License-Identifier: MIT */
/* cli/out.h - results to standard output, messages to standard error, or one JSON document */
#pragma once

#include "base/err.h"
#include "base/json.h"
#include "stack/settings.h"

#include <stdbool.h>
#include <stdio.h>

/* What a colour stands for; the escape sequences are out.c's. */
enum berth_out_tone {
	BERTH_TONE_PLAIN,
	BERTH_TONE_GOOD,
	BERTH_TONE_WARN,
	BERTH_TONE_BAD,
	BERTH_TONE_DIM,
	BERTH_TONE_BOLD,
	BERTH_TONE_COUNT_,
};

/*
 * Where one command's words go. Output is buffered by stdio; a failed write is remembered there and
 * reported once, by berth_out_finish().
 */
struct berth_out {
	FILE *results; /* standard output; borrowed */
	FILE *messages; /* standard error; borrowed */
	bool json; /* exactly one document on @results, an error included */
	bool quiet;
	unsigned int verbose;
	bool terminal; /* @results is one */
	bool color; /* colours may be used on @results */
	bool messages_color; /* and on @messages */
	unsigned int width; /* of the terminal, in columns; 0: no terminal, nothing is cut */
	int write_errno; /* why the first failed write to @results failed; 0: none did */
	json_t *extra; /* members for the error document ("service"); owned, NULL: none */
};

struct berth_out_options {
	bool json;
	bool quiet;
	unsigned int verbose;
	bool no_color;
	enum berth_settings_colour colour; /* of the user's settings: before NO_COLOR, which is
					      one for all programs */
};

/*
 * @results and @messages are borrowed. Colours: on a terminal, unless @options says no, NO_COLOR is
 * set to anything but "" (no-color.org) or TERM is "dumb" or unset. Width: COLUMNS, else
 * TIOCGWINSZ, else 80; never below 40.
 */
void berth_out_init(struct berth_out *out, FILE *results, FILE *messages,
		    const struct berth_out_options *options);
void berth_out_deinit(struct berth_out *out);

/* The width again, after the terminal has changed its size. Its height; 0: no terminal. */
unsigned int berth_out_measure(struct berth_out *out);

/* The width for prose: that of the terminal, but at most 100; else 80. */
unsigned int berth_out_text_width(const struct berth_out *out);

/* A result. Text that came from outside goes through berth_str_printable() first. */
void berth_out_result(struct berth_out *out, const char *fmt, ...) BERTH_PRINTF(2, 3);
/* The document, on one line; nothing else may be printed then. */
void berth_out_json(struct berth_out *out, const json_t *document);

/* "berth: ..." on standard error, unless -q; the same only with -v. */
void berth_out_say(struct berth_out *out, const char *fmt, ...) BERTH_PRINTF(2, 3);
void berth_out_verbose(struct berth_out *out, const char *fmt, ...) BERTH_PRINTF(2, 3);
/* "hint: ..." on standard error, unless -q. */
void berth_out_hint(struct berth_out *out, const char *fmt, ...) BERTH_PRINTF(2, 3);

/* Add @value under @key to a later error document. Consumes @value, also when out of memory. */
void berth_out_error_extra(struct berth_out *out, const char *key, json_t *value);
/*
 * The error: "berth: ..." and its hint on standard error (-q leaves out the hint), or the error
 * document with --json, which names @exit_code. main only.
 */
void berth_out_error(struct berth_out *out, const struct berth_err *err, int exit_code);

/* What begins @tone on @results (PLAIN ends it); "" where there are no colours. Static. */
const char *berth_out_tone(const struct berth_out *out, enum berth_out_tone tone);

/*
 * Flush. Returns @exit_code, or 1 when a result could not be written: said on standard error,
 * except for a reader that has gone (EPIPE), which is no news to anybody.
 */
int berth_out_finish(struct berth_out *out, int exit_code);
