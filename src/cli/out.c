/* SPDX-License-Identifier: MIT */
/* cli/out.c - results to standard output, messages to standard error, or one JSON document */
#include "cli/out.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/parse.h"
#include "base/str.h"

enum {
	WIDTH_DEFAULT = 80,
	HEIGHT_DEFAULT = 24,
	WIDTH_MIN = 40, /* narrower than this a table says nothing any more */
	WIDTH_TEXT_MAX = 100, /* longer lines of prose are hard to read */
	WIDTH_MAX = 10000,
	MESSAGE_MAX = 4096,
};

static const char *const sequences[] = {
	[BERTH_TONE_PLAIN] = "\033[0m", [BERTH_TONE_GOOD] = "\033[32m",
	[BERTH_TONE_WARN] = "\033[33m", [BERTH_TONE_BAD] = "\033[31m",
	[BERTH_TONE_DIM] = "\033[2m",	[BERTH_TONE_BOLD] = "\033[1m",
};

_Static_assert(BERTH_ARRAY_SIZE(sequences) == BERTH_TONE_COUNT_, "one sequence per tone");

static unsigned int terminal_width(int fd)
{
	const char *columns = getenv("COLUMNS");
	unsigned int width = WIDTH_DEFAULT;
	struct winsize size;
	uint64_t wanted;

	if (columns && berth_parse_u64(columns, WIDTH_MAX, &wanted) == 0 && wanted > 0)
		width = (unsigned int)wanted;
	else if (ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
		width = size.ws_col;
	return width < WIDTH_MIN ? WIDTH_MIN : width;
}

static bool wants_color(bool terminal, const struct berth_out_options *options)
{
	const char *no_color = getenv("NO_COLOR"), *term = getenv("TERM");

	if (options->no_color || options->colour == BERTH_SETTINGS_COLOUR_NEVER)
		return false;
	if (options->colour == BERTH_SETTINGS_COLOUR_ALWAYS)
		return true;
	return terminal && !(no_color && *no_color) && term && strcmp(term, "dumb") != 0;
}

void berth_out_init(struct berth_out *out, FILE *results, FILE *messages,
		    const struct berth_out_options *options)
{
	bool terminal = isatty(fileno(results));

	*out = (struct berth_out){
		.results = results,
		.messages = messages,
		.json = options->json,
		.quiet = options->quiet,
		.verbose = options->verbose,
		.terminal = terminal,
		.color = wants_color(terminal, options),
		.messages_color = wants_color(isatty(fileno(messages)), options),
		.width = terminal ? terminal_width(fileno(results)) : 0,
	};
}

unsigned int berth_out_measure(struct berth_out *out)
{
	struct winsize size;

	if (!out->terminal)
		return 0;
	out->width = terminal_width(fileno(out->results));
	if (ioctl(fileno(out->results), TIOCGWINSZ, &size) == 0 && size.ws_row > 0)
		return size.ws_row;
	return HEIGHT_DEFAULT;
}

void berth_out_deinit(struct berth_out *out)
{
	if (!out)
		return;
	json_decref(out->extra);
	out->extra = NULL;
}

unsigned int berth_out_text_width(const struct berth_out *out)
{
	if (!out->width)
		return WIDTH_DEFAULT;
	return out->width < WIDTH_TEXT_MAX ? out->width : WIDTH_TEXT_MAX;
}

const char *berth_out_tone(const struct berth_out *out, enum berth_out_tone tone)
{
	return out->color ? sequences[tone] : "";
}

/* stdio remembers that a write failed, but not why. */
static void note_failure(struct berth_out *out)
{
	if (ferror(out->results) && !out->write_errno)
		out->write_errno = errno ? errno : EIO;
}

void berth_out_result(struct berth_out *out, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vfprintf(out->results, fmt, ap);
	va_end(ap);
	note_failure(out);
}

void berth_out_json(struct berth_out *out, const json_t *document)
{
	BERTH_AUTO_FREE char *line = berth_json_line(document);

	if (!line) {
		out->write_errno = out->write_errno ? out->write_errno : ENOMEM;
		return;
	}
	berth_out_result(out, "%s\n", line);
}

/* One write() per message: it stays whole between the lines of other programs. */
static void print_message(struct berth_out *out, enum berth_out_tone tone, const char *prefix,
			  const char *text)
{
	const char *on = out->messages_color ? sequences[tone] : "";
	const char *off = *on ? sequences[BERTH_TONE_PLAIN] : "";

	fflush(out->results); /* where both go to one place, the order is that of the calls */
	note_failure(out);
	fprintf(out->messages, "%s%s:%s %s\n", on, prefix, off, text);
}

static void vprint_message(struct berth_out *out, enum berth_out_tone tone, const char *prefix,
			   const char *fmt, va_list ap) BERTH_PRINTF(4, 0);

static void vprint_message(struct berth_out *out, enum berth_out_tone tone, const char *prefix,
			   const char *fmt, va_list ap)
{
	char text[MESSAGE_MAX];

	vsnprintf(text, sizeof(text), fmt, ap);
	print_message(out, tone, prefix, text);
}

void berth_out_say(struct berth_out *out, const char *fmt, ...)
{
	va_list ap;

	if (out->quiet)
		return;
	va_start(ap, fmt);
	vprint_message(out, BERTH_TONE_BOLD, "berth", fmt, ap);
	va_end(ap);
}

void berth_out_verbose(struct berth_out *out, const char *fmt, ...)
{
	va_list ap;

	if (!out->verbose)
		return;
	va_start(ap, fmt);
	vprint_message(out, BERTH_TONE_DIM, "berth", fmt, ap);
	va_end(ap);
}

void berth_out_hint(struct berth_out *out, const char *fmt, ...)
{
	va_list ap;

	if (out->quiet)
		return;
	va_start(ap, fmt);
	vprint_message(out, BERTH_TONE_DIM, "hint", fmt, ap);
	va_end(ap);
}

void berth_out_error_extra(struct berth_out *out, const char *key, json_t *value)
{
	if (!out->extra)
		out->extra = json_object();
	if (out->extra)
		(void)json_object_set_new(out->extra, key, value);
	else
		json_decref(value);
}

static json_t *error_document(const struct berth_out *out, const struct berth_err *err,
			      int exit_code)
{
	json_t *document;

	document = json_pack("{s:i, s:{s:s, s:i, s:o, s:o}}", "version", 1, "error", "code",
			     berth_err_code_name(err->code), "exit", exit_code, "message",
			     berth_json_text(err->msg), "hint", berth_json_text_or_null(err->hint));
	if (document && out->extra)
		(void)json_object_update(json_object_get(document, "error"), out->extra);
	return document;
}

void berth_out_error(struct berth_out *out, const struct berth_err *err, int exit_code)
{
	BERTH_AUTO_JSON json_t *document = out->json ? error_document(out, err, exit_code) : NULL;
	char text[2 * sizeof(err->msg)];

	if (document) {
		berth_out_json(out, document);
		return;
	}
	/* Whoever set it has done so already; but no escape sequence must ever get this far. */
	berth_str_printable(err->msg, (size_t)-1, text, sizeof(text));
	print_message(out, BERTH_TONE_BAD, "berth", text);
	if (!err->hint[0] || out->quiet)
		return;
	berth_str_printable(err->hint, (size_t)-1, text, sizeof(text));
	print_message(out, BERTH_TONE_DIM, "hint", text);
}

int berth_out_finish(struct berth_out *out, int exit_code)
{
	if (fflush(out->results) != 0)
		note_failure(out);
	if (!out->write_errno)
		return exit_code;
	if (out->write_errno != EPIPE) {
		struct berth_err err = { .code = BERTH_ERR_INTERNAL };

		berth_err_errno(&err, -out->write_errno, "cannot write the results");
		print_message(out, BERTH_TONE_BAD, "berth", err.msg);
	}
	return exit_code ? exit_code : 1;
}
