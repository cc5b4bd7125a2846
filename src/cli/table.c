/* SPDX-License-Identifier: MIT */
/* cli/table.c - rows for people and for programs, by one table of columns */
#include "cli/table.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/time.h"

enum {
	CELL_MAX = 2048, /* bytes of one cell */
	ARGV_MAX = 256, /* words of a command line; a cell has no room for more */
	ARGV_BRIEF = 80, /* bytes of a command line at a glance */
	CUT_MIN = 8, /* a flexible column is never made narrower */
	GAP = 2,
	KEY_MAX = 64,
};

/* ---- values ---- */

/* The value that @path leads to; NULL where it, or something on the way, is absent or null. */
static const json_t *find_value(const json_t *row, const char *path)
{
	const json_t *value = row;

	while (value && *path) {
		size_t len = strcspn(path, ".");
		char key[KEY_MAX];

		if (len >= sizeof(key))
			return NULL;
		memcpy(key, path, len);
		key[len] = '\0';
		if (json_is_array(value))
			value = json_array_get(value, strtoul(key, NULL, 10));
		else
			value = json_object_get(value, key);
		path += len + (path[len] == '.');
	}
	return json_is_null(value) ? NULL : value;
}

static bool has_type(const json_t *value, enum berth_column_type type)
{
	switch (type) {
	case BERTH_COLUMN_STRING:
		return json_is_string(value);
	case BERTH_COLUMN_INTEGER:
		return json_is_integer(value);
	case BERTH_COLUMN_BOOLEAN:
		return json_is_boolean(value);
	case BERTH_COLUMN_LIST:
		return json_is_array(value);
	}
	return false;
}

/* As with "%lld", in a tenth of the time: there may be thousands. */
static void add_integer(json_int_t value, struct berth_str *text)
{
	char digits[24];
	size_t at = sizeof(digits);
	uint64_t rest = value < 0 ? -(uint64_t)value : (uint64_t)value;

	do
		digits[--at] = (char)('0' + rest % 10);
	while ((rest /= 10));
	if (value < 0)
		digits[--at] = '-';
	berth_str_add_bytes(text, digits + at, sizeof(digits) - at);
}

static void add_scalar(const json_t *value, struct berth_str *text)
{
	if (json_is_string(value))
		berth_str_add(text, json_string_value(value));
	else if (json_is_integer(value))
		add_integer(json_integer_value(value), text);
	else if (json_is_boolean(value))
		berth_str_add(text, json_is_true(value) ? "yes" : "no");
}

static void add_value(const json_t *value, struct berth_str *text)
{
	if (!json_is_array(value)) {
		add_scalar(value, text);
		return;
	}
	for (size_t i = 0; i < json_array_size(value); i++) {
		if (i > 0)
			berth_str_add(text, ",");
		add_scalar(json_array_get(value, i), text);
	}
}

static void format_cell(const struct berth_column *column, const json_t *row, int64_t now_ms,
			struct berth_str *text)
{
	const json_t *value = column->path ? find_value(row, column->path) : NULL;

	if (column->path && (!value || !has_type(value, column->type)))
		return;
	if (column->format)
		column->format(row, value, now_ms, text);
	else
		add_value(value, text);
}

void berth_column_age(const json_t *row, const json_t *value, int64_t now_ms,
		      struct berth_str *text)
{
	char age[BERTH_TIME_AGE_SIZE];
	int64_t then;

	if (berth_time_parse(json_string_value(value), &then) == 0)
		berth_str_add(text, berth_time_age(now_ms - then, age));
}

/* At most @size bytes of it. */
static void add_argv(const json_t *value, size_t size, struct berth_str *text)
{
	const char *argv[ARGV_MAX + 1];
	size_t count = 0;
	char buf[CELL_MAX];

	for (size_t i = 0; i < json_array_size(value) && count < ARGV_MAX; i++) {
		argv[count] = json_string_value(json_array_get(value, i));
		count += argv[count] != NULL;
	}
	argv[count] = NULL;
	berth_str_add(text, berth_str_quote_argv(argv, buf, size));
}

void berth_column_argv(const json_t *row, const json_t *value, int64_t now_ms,
		       struct berth_str *text)
{
	add_argv(value, CELL_MAX, text);
}

void berth_column_argv_brief(const json_t *row, const json_t *value, int64_t now_ms,
			     struct berth_str *text)
{
	add_argv(value, ARGV_BRIEF, text);
}

enum berth_out_tone berth_column_state_tone(const json_t *value)
{
	static const struct {
		const char *state;
		enum berth_out_tone tone;
	} tones[] = {
		{ "ready", BERTH_TONE_GOOD },	 { "waiting", BERTH_TONE_WARN },
		{ "starting", BERTH_TONE_WARN }, { "stopping", BERTH_TONE_WARN },
		{ "unready", BERTH_TONE_BAD },	 { "failed", BERTH_TONE_BAD },
		{ "stopped", BERTH_TONE_DIM },
	};
	const char *state = json_string_value(value);

	for (size_t i = 0; state && i < BERTH_ARRAY_SIZE(tones); i++)
		if (strcmp(tones[i].state, state) == 0)
			return tones[i].tone;
	return BERTH_TONE_PLAIN;
}

/* ---- choosing ---- */

static int unknown_column(const struct berth_column *columns, const char *name,
			  struct berth_err *err)
{
	const char *names[BERTH_TABLE_COLUMNS_MAX + 1];
	BERTH_CLEANUP(berth_str_deinit) struct berth_str list = { 0 };
	const char *closest, *text;
	char buf[KEY_MAX];
	size_t count = 0;

	for (; columns->name && count < BERTH_TABLE_COLUMNS_MAX; columns++) {
		berth_str_addf(&list, "%s%s", count ? ", " : "", columns->name);
		names[count++] = columns->name;
	}
	names[count] = NULL;
	text = berth_str_text(&list);
	berth_err_set(err, -EINVAL, BERTH_ERR_USAGE, "there is no column '%s'",
		      berth_str_printable(name, (size_t)-1, buf, sizeof(buf)));
	closest = berth_str_closest(name, names);
	if (closest)
		berth_err_hint(err, "did you mean '%s'? there are: %s", closest, text ? text : "");
	else
		berth_err_hint(err, "there are: %s", text ? text : "");
	return -EINVAL;
}

static int add_column(const struct berth_column *columns, const char *name,
		      struct berth_table *table, struct berth_err *err)
{
	const struct berth_column *c = columns;

	while (c->name && strcmp(c->name, name) != 0)
		c++;
	if (!c->name)
		return unknown_column(columns, name, err);
	if (table->count == BERTH_TABLE_COLUMNS_MAX)
		return berth_err_set(err, -EINVAL, BERTH_ERR_USAGE, "more than %d columns chosen",
				     BERTH_TABLE_COLUMNS_MAX);
	table->columns[table->count++] = c;
	return 0;
}

int berth_table_select(const struct berth_column *columns, const char *names,
		       struct berth_table *ret_table, struct berth_err *err)
{
	struct berth_table table = { .chosen = names != NULL };

	for (const struct berth_column *c = columns; !names && c->name; c++)
		if (!c->extra && table.count < BERTH_TABLE_COLUMNS_MAX)
			table.columns[table.count++] = c;
	while (names) {
		size_t len = strcspn(names, ",");
		char name[KEY_MAX];
		int r;

		/* A name that is too long is cut, and as little a column as before. */
		snprintf(name, sizeof(name), "%.*s", (int)(len < KEY_MAX ? len : KEY_MAX), names);
		r = add_column(columns, name, &table, err);
		if (r < 0)
			return r;
		names = names[len] ? names + len + 1 : NULL;
	}
	*ret_table = table;
	return 0;
}

/* ---- text ---- */

struct cell {
	size_t at, len; /* of its text, in that of the grid */
	size_t width;
};

/* The texts of a table, row by row; row 0 is the header. */
struct grid {
	const struct berth_table *table;
	struct cell *cells; /* owned */
	struct berth_str text; /* of all cells, each with a NUL behind it */
	size_t row_count;
	size_t width[BERTH_TABLE_COLUMNS_MAX];
};

static void grid_deinit(struct grid *grid)
{
	free(grid->cells);
	berth_str_deinit(&grid->text);
}

static bool is_number(const struct grid *grid, const struct berth_column *column)
{
	return grid->table->numbers && column->numbered;
}

/* Has the row at @index the text of the one above in that column? */
static bool is_same(const struct grid *grid, const struct berth_column *column, const json_t *rows,
		    size_t index)
{
	const json_t *row = json_array_get(rows, index), *above;

	if (!index || is_number(grid, column))
		return false;
	above = json_array_get(rows, index - 1);
	return row == above || (column->is_same && column->is_same(row, above));
}

/* In a long list, what stands above is often the same. */
static int set_cell(struct grid *grid, struct cell *cell, const struct cell *above,
		    const char *text)
{
	size_t len = strlen(text);

	if (above && above->len == len && memcmp(grid->text.text + above->at, text, len) == 0) {
		*cell = *above;
		return 0;
	}
	*cell = (struct cell){ .at = grid->text.len, .len = len, .width = berth_str_width(text) };
	berth_str_add_bytes(&grid->text, text, len + 1);
	return grid->text.failed ? -ENOMEM : 0;
}

/* @scratch is used by all cells in turn. */
static const char *make_text(const struct berth_column *column, const json_t *row, int64_t now_ms,
			     struct berth_str *scratch, char buf[CELL_MAX])
{
	scratch->len = 0;
	format_cell(column, row, now_ms, scratch);
	if (scratch->failed)
		return NULL;
	if (scratch->len == 0)
		return "-";
	return berth_str_printable(scratch->text, scratch->len, buf, CELL_MAX);
}

static const char *make_number(uint16_t number, struct berth_str *scratch)
{
	scratch->len = 0;
	add_integer(number, scratch);
	return berth_str_text(scratch);
}

static int grid_fill(struct grid *grid, const json_t *rows, int64_t now_ms)
{
	BERTH_CLEANUP(berth_str_deinit) struct berth_str scratch = { 0 };
	size_t columns = grid->table->count;
	char buf[CELL_MAX];

	grid->cells = calloc(grid->row_count * columns, sizeof(*grid->cells));
	if (!grid->cells)
		return -ENOMEM;
	for (size_t i = 0; i < grid->row_count * columns; i++) {
		const struct berth_column *column = grid->table->columns[i % columns];
		struct cell *cell = &grid->cells[i];
		size_t line = i / columns;
		const char *text = column->header;

		if (line && is_same(grid, column, rows, line - 1)) {
			*cell = cell[-(ptrdiff_t)columns];
			continue;
		}
		if (line && is_number(grid, column))
			text = make_number(grid->table->numbers[line - 1], &scratch);
		else if (line)
			text = make_text(column, json_array_get(rows, line - 1), now_ms, &scratch,
					 buf);
		if (!text || set_cell(grid, cell, line ? cell - columns : NULL, text) < 0)
			return -ENOMEM;
		if (cell->width > grid->width[i % columns])
			grid->width[i % columns] = cell->width;
	}
	return 0;
}

/* Narrow the widest flexible column until the table fits, or none can be narrowed further. */
static void grid_fit(struct grid *grid, size_t room)
{
	size_t count = grid->table->count, total = (count - 1) * GAP;

	for (size_t i = 0; i < count; i++)
		total += grid->width[i];
	for (; total > room; total--) {
		size_t widest = count;

		for (size_t i = 0; i < count; i++)
			if (grid->table->columns[i]->flexible && grid->width[i] > CUT_MIN &&
			    (widest == count || grid->width[i] > grid->width[widest]))
				widest = i;
		if (widest == count)
			return;
		grid->width[widest]--;
	}
}

/* Add what is in @cell, cut to @width columns of the terminal. */
static void add_cut(const struct grid *grid, const struct cell *cell, size_t width,
		    struct berth_str *out)
{
	const char *text = grid->text.text + cell->at, *dots;
	size_t used = 0, end = cell->len, pos = 0;

	if (cell->width <= width) {
		berth_str_add_bytes(out, text, end);
		return;
	}
	dots = berth_str_width("…") == 1 ? "…" : "...";
	while (pos < end) {
		size_t len = berth_str_utf8_len(text + pos, end - pos);
		char one[8];

		len = len ? len : 1;
		memcpy(one, text + pos, len);
		one[len] = '\0';
		if (used + berth_str_width(one) + berth_str_width(dots) > width)
			break;
		used += berth_str_width(one);
		pos += len;
	}
	berth_str_add_bytes(out, text, pos);
	berth_str_add(out, dots);
}

static void add_blanks(size_t count, struct berth_str *out)
{
	static const char blanks[] = "                                ";
	size_t most = sizeof(blanks) - 1;

	for (; count > most; count -= most)
		berth_str_add_bytes(out, blanks, most);
	berth_str_add_bytes(out, blanks, count);
}

static enum berth_out_tone cell_tone(const struct berth_column *column, const json_t *row)
{
	if (!row)
		return BERTH_TONE_BOLD;
	if (!column->tone)
		return BERTH_TONE_PLAIN;
	return column->tone(column->path ? find_value(row, column->path) : NULL);
}

static void add_line(const struct grid *grid, size_t line, const json_t *row,
		     const struct berth_out *out, struct berth_str *text)
{
	size_t count = grid->table->count;

	for (size_t i = 0; i < count; i++) {
		const struct berth_column *column = grid->table->columns[i];
		enum berth_out_tone tone = cell_tone(column, row);
		const char *on = tone == BERTH_TONE_PLAIN ? "" : berth_out_tone(out, tone);
		const struct cell *cell = &grid->cells[line * count + i];
		size_t blanks = cell->width < grid->width[i] ? grid->width[i] - cell->width : 0;
		bool to_right = column->type == BERTH_COLUMN_INTEGER;

		add_blanks(to_right ? blanks : 0, text);
		berth_str_add(text, on);
		add_cut(grid, cell, grid->width[i], text);
		berth_str_add(text, *on ? berth_out_tone(out, BERTH_TONE_PLAIN) : "");
		if (i + 1 < count)
			add_blanks((to_right ? 0 : blanks) + GAP, text);
	}
	berth_str_add(text, "\n");
}

int berth_table_text(const struct berth_table *table, const json_t *rows, int64_t now_ms,
		     const struct berth_out *out, struct berth_str *text)
{
	struct grid grid = { .table = table, .row_count = json_array_size(rows) + 1 };
	int r;

	if (json_array_size(rows) == 0 || table->count == 0)
		return 0;
	r = grid_fill(&grid, rows, now_ms);
	if (r == 0) {
		if (out->width)
			grid_fit(&grid, out->width);
		for (size_t i = 0; i < grid.row_count; i++)
			add_line(&grid, i, i ? json_array_get(rows, i - 1) : NULL, out, text);
		r = text->failed ? -ENOMEM : 0;
	}
	grid_deinit(&grid);
	return r;
}

/* ---- JSON ---- */

/* New reference; NULL: out of memory. */
static json_t *make_member(const struct berth_column *column, const json_t *row, int64_t now_ms)
{
	BERTH_CLEANUP(berth_str_deinit) struct berth_str text = { 0 };
	const json_t *value;

	if (column->path) {
		value = find_value(row, column->path);
		return value && has_type(value, column->type) ? json_deep_copy(value) : json_null();
	}
	column->format(row, NULL, now_ms, &text);
	return text.failed ? NULL : berth_json_text_or_null(berth_str_text(&text));
}

static json_t *choose_members(const struct berth_table *table, const json_t *row, int64_t now_ms)
{
	json_t *chosen = json_object();

	for (size_t i = 0; chosen && i < table->count; i++) {
		const struct berth_column *column = table->columns[i];

		if (json_object_set_new(chosen, column->name, make_member(column, row, now_ms)) < 0)
			json_decref(BERTH_STEAL(chosen));
	}
	return chosen;
}

json_t *berth_table_json(const struct berth_table *table, const json_t *rows, int64_t now_ms)
{
	json_t *array;

	if (!table->chosen)
		return json_copy((json_t *)rows);
	array = json_array();
	for (size_t i = 0; array && i < json_array_size(rows); i++) {
		json_t *row = choose_members(table, json_array_get(rows, i), now_ms);

		if (json_array_append_new(array, row) < 0)
			json_decref(BERTH_STEAL(array));
	}
	return array;
}

int berth_table_print(const struct berth_table *table, const char *member, const json_t *rows,
		      int64_t now_ms, struct berth_out *out, struct berth_err *err)
{
	BERTH_CLEANUP(berth_str_deinit) struct berth_str text = { 0 };
	int r;

	if (out->json) {
		BERTH_AUTO_JSON json_t *document = NULL;

		document = json_pack("{s:i, s:o}", "version", 1, member,
				     berth_table_json(table, rows, now_ms));
		if (!document)
			return berth_err_errno(err, -ENOMEM, "cannot print the table");
		berth_out_json(out, document);
		return 0;
	}
	r = berth_table_text(table, rows, now_ms, out, &text);
	if (r < 0)
		return berth_err_errno(err, r, "cannot print the table");
	berth_out_result(out, "%s", berth_str_text(&text));
	return 0;
}
