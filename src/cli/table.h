/* SPDX-License-Identifier: MIT */
/* cli/table.h - rows for people and for programs, by one table of columns */
#pragma once

#include "base/err.h"
#include "base/json.h"
#include "base/str.h"
#include "cli/out.h"

#include <stdbool.h>
#include <stdint.h>

/* What stands in the JSON output under the column's name; absent is null, whatever the type. */
enum berth_column_type {
	BERTH_COLUMN_STRING,
	BERTH_COLUMN_INTEGER, /* to the right in the text */
	BERTH_COLUMN_BOOLEAN, /* yes, no */
	BERTH_COLUMN_LIST, /* of strings or integers: joined with commas */
};

/*
 * One column. The table of a command ends with { 0 }.
 *
 * A row is a JSON object (a service, an end ...), @path leads into it: "state", "exit.code",
 * "ports.0.url". A column without a path is made by @format alone, and is a string in JSON too.
 */
struct berth_column {
	const char *name; /* for -o, and of the member in JSON: lower case */
	const char *header;
	enum berth_column_type type;
	const char *path;
	const char *help;
	bool extra; /* shown only when asked for with -o */
	bool numbered; /* taken from berth_table.numbers where these are given */
	bool flexible; /* cut where the terminal is too narrow; not for what people copy from it */
	/* Adds the text of a value that is there; adds it nothing, "-" is shown. NULL: by type. */
	void (*format)(const json_t *row, const json_t *value, int64_t now_ms,
		       struct berth_str *text);
	/* Has @row the same text here as @above? NULL: that is known by formatting it alone. */
	bool (*is_same)(const json_t *row, const json_t *above);
	/* NULL: plain. */
	enum berth_out_tone (*tone)(const json_t *value);
};

/* Formats a time ("2026-11-21T09:30:00.123Z") as how long ago that was: "2 min". */
void berth_column_age(const json_t *row, const json_t *value, int64_t now_ms,
		      struct berth_str *text);
/* Formats an array of words (a command line) as a shell would need them typed. */
void berth_column_argv(const json_t *row, const json_t *value, int64_t now_ms,
		       struct berth_str *text);
/* The same for a row at a glance, of which a script on a command line would be most. */
void berth_column_argv_brief(const json_t *row, const json_t *value, int64_t now_ms,
			     struct berth_str *text);
/* Of a service: green when ready, yellow on the way, red when wrong, dim when stopped. */
enum berth_out_tone berth_column_state_tone(const json_t *value);

enum {
	BERTH_TABLE_COLUMNS_MAX = 32
};

/* The columns that were chosen; borrowed. */
struct berth_table {
	const struct berth_column *columns[BERTH_TABLE_COLUMNS_MAX];
	size_t count;
	bool chosen; /* by -o: JSON then has these members only */
	/*
	 * Borrowed: one for each row, for the text. So thousands of rows that differ in nothing
	 * else may be one and the same object, and take hardly longer than one. NULL: none.
	 */
	const uint16_t *numbers;
};

/* @names: the value of -o ("service,url"), NULL: those that are not extra. USAGE, -EINVAL. */
BERTH_MUST_USE int berth_table_select(const struct berth_column *columns, const char *names,
				      struct berth_table *ret_table, struct berth_err *err);

/*
 * The lines for people, a header first; nothing at all without rows. Columns are at least two
 * blanks apart. @out gives colours and width; without a terminal (width 0) nothing is cut. -ENOMEM.
 */
BERTH_MUST_USE int berth_table_text(const struct berth_table *table, const json_t *rows,
				    int64_t now_ms, const struct berth_out *out,
				    struct berth_str *text);

/* An array of the rows, whole or of the chosen members. New reference; NULL: out of memory. */
json_t *berth_table_json(const struct berth_table *table, const json_t *rows, int64_t now_ms);

/* Print in the form that was asked for; as JSON: {"version":1,@member:[...]}. -ENOMEM with @err. */
BERTH_MUST_USE int berth_table_print(const struct berth_table *table, const char *member,
				     const json_t *rows, int64_t now_ms, struct berth_out *out,
				     struct berth_err *err);
