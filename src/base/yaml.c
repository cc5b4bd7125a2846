/* SPDX-License-Identifier: MIT */
/* base/yaml.c - YAML as a tree of strings that know their places (libfyaml) */
/*
 * libfyaml only says what comes next, and where; the tree is built by yaml-tree.c, so that its bounds
 * hold before anything is allocated.
 */
#include "base/yaml.h"

#include <errno.h>
#include <libfyaml.h>
#include <stdio.h>
#include <string.h>

#include "base/yaml-tree.h"

enum {
	TEXT_MAX = 1 << 20
};

struct builder {
	const char *text;
	size_t len;
	struct berth_faults *faults;
	size_t faults_before;
	struct berth_yaml_tree tree;
	size_t documents;

	/* The line of the last mark: marks come almost in order. */
	size_t line_start, line_number;
	struct berth_mark last; /* what has no token stands there */
};

static void builder_free(struct builder *builder)
{
	berth_yaml_tree_deinit(&builder->tree);
	free(builder);
}
BERTH_DEFINE_CLEANUP(struct builder *, builder_free)

/* --- places ------------------------------------------------------------------------------------ */

/* Where the byte @pos stands. */
static struct berth_mark mark_of(struct builder *builder, size_t pos, size_t len)
{
	const char *text = builder->text, *newline;

	if (pos > builder->len)
		pos = builder->len;
	if (pos < builder->line_start || builder->line_number == 0) {
		builder->line_start = builder->len >= 3 && !memcmp(text, "\xef\xbb\xbf", 3) ? 3 : 0;
		builder->line_number = 1;
		if (pos < builder->line_start)
			pos = builder->line_start;
	}
	while ((newline = memchr(text + builder->line_start, '\n', pos - builder->line_start))) {
		builder->line_start = (size_t)(newline - text) + 1;
		builder->line_number++;
	}
	return (struct berth_mark){
		.line = (unsigned int)builder->line_number,
		.column = (unsigned int)(pos - builder->line_start) + 1,
		.len = (unsigned int)len,
	};
}

/* The same for what libfyaml counts in lines and characters; behind the end: the last line's. */
static struct berth_mark mark_at(struct builder *builder, int line, int column)
{
	size_t pos = 0, left;
	const char *newline;

	for (int i = 1; i < line && pos < builder->len; i++) {
		newline = memchr(builder->text + pos, '\n', builder->len - pos);
		if (!newline || (size_t)(newline - builder->text) + 1 == builder->len) {
			pos = newline ? (size_t)(newline - builder->text) : builder->len;
			return mark_of(builder, pos, 1);
		}
		pos = (size_t)(newline - builder->text) + 1;
	}
	for (int i = 1; i < column; i++) {
		left = builder->len - pos;
		if (left == 0 || builder->text[pos] == '\n')
			break;
		pos += berth_str_utf8_len(builder->text + pos, left) ?: 1;
	}
	return mark_of(builder, pos, 1);
}

/* Of a token, its quotes included, as far as its first line goes. */
static struct berth_mark mark_token(struct builder *builder, struct fy_token *token)
{
	const struct fy_mark *start = fy_token_start_mark(token), *end = fy_token_end_mark(token);
	enum fy_scalar_style style = fy_token_scalar_style(token);
	size_t from, to, len;
	const char *newline;

	if (!start || !end)
		return builder->last;
	from = start->input_pos;
	to = end->input_pos;
	if ((style == FYSS_SINGLE_QUOTED || style == FYSS_DOUBLE_QUOTED) && from > 0) {
		from--;
		to++;
	}
	if (from > builder->len)
		from = builder->len;
	if (to > builder->len)
		to = builder->len;
	len = to > from ? to - from : 0;
	newline = memchr(builder->text + from, '\n', len);
	builder->last =
		mark_of(builder, from, newline ? (size_t)(newline - builder->text) - from : len);
	return builder->last;
}

/* --- events ------------------------------------------------------------------------------------ */

/* The text of a token as ours; a NUL within (written as \0) is a fault. */
static int take_text(struct builder *builder, struct fy_token *token, struct berth_mark at,
		     char **ret_text)
{
	size_t len = 0;
	const char *text = token ? fy_token_get_text(token, &len) : "";
	char *copy;

	if (!text)
		return -ENOMEM;
	if (memchr(text, '\0', len)) {
		berth_faults_add(builder->faults, at, "a NUL byte in a text");
		return -EINVAL;
	}
	copy = strndup(text, len);
	if (!copy)
		return -ENOMEM;
	*ret_text = copy;
	return 0;
}

/* The anchor and the tag of an event; the latter is refused. */
static int take_properties(struct builder *builder, struct fy_event *event, char **ret_anchor)
{
	struct fy_token *anchor = fy_event_get_anchor_token(event);
	struct fy_token *tag = fy_event_get_tag_token(event);

	*ret_anchor = NULL;
	if (!tag)
		return anchor ? take_text(builder, anchor, (struct berth_mark){ 0 }, ret_anchor)
			      : 0;
	berth_faults_add(builder->faults, mark_token(builder, tag),
			 "a tag: values are read as they stand here");
	berth_faults_hint(builder->faults, "leave it out");
	return -EINVAL;
}

static int take_scalar(struct builder *builder, struct fy_event *event)
{
	struct fy_token *token = event->scalar.value;
	struct berth_mark at = token ? mark_token(builder, token) : builder->last;
	bool plain = !token || fy_token_scalar_style(token) == FYSS_PLAIN;
	char *anchor, *text;
	int r = take_properties(builder, event, &anchor);

	if (r < 0)
		return r;
	r = take_text(builder, token, at, &text);
	if (r < 0) {
		free(anchor);
		return r;
	}
	return berth_yaml_tree_scalar(&builder->tree, at, plain, text, anchor);
}

static int take_alias(struct builder *builder, struct fy_event *event)
{
	struct berth_mark at = mark_token(builder, event->alias.anchor);
	BERTH_AUTO_FREE char *name = NULL;
	int r;

	if (at.column > 1) {
		at.column--; /* the asterisk */
		at.len++;
	}
	r = take_text(builder, event->alias.anchor, at, &name);
	return r < 0 ? r : berth_yaml_tree_alias(&builder->tree, at, name);
}

static int take_start(struct builder *builder, struct fy_event *event, enum berth_yaml_kind kind)
{
	struct fy_token *token = fy_event_get_token(event);
	char *anchor;
	int r = take_properties(builder, event, &anchor);

	if (r < 0)
		return r;
	return berth_yaml_tree_open(&builder->tree, kind,
				    token ? mark_token(builder, token) : builder->last, anchor);
}

static int take_end(struct builder *builder, struct fy_event *event)
{
	struct fy_token *token = fy_event_get_token(event);

	return berth_yaml_tree_close(&builder->tree,
				     token ? mark_token(builder, token) : builder->last);
}

static int take_document(struct builder *builder, struct fy_event *event)
{
	struct fy_token *token = fy_event_get_token(event);

	if (builder->documents++ == 0)
		return 0;
	berth_faults_add(builder->faults, token ? mark_token(builder, token) : builder->last,
			 "a second document");
	berth_faults_hint(builder->faults, "one file is one document: take '---' out");
	return -EINVAL;
}

static int take_event(struct builder *builder, struct fy_event *event)
{
	switch (event->type) {
	case FYET_DOCUMENT_START:
		return take_document(builder, event);
	case FYET_SCALAR:
		return take_scalar(builder, event);
	case FYET_ALIAS:
		return take_alias(builder, event);
	case FYET_MAPPING_START:
		return take_start(builder, event, BERTH_YAML_MAP);
	case FYET_SEQUENCE_START:
		return take_start(builder, event, BERTH_YAML_LIST);
	case FYET_MAPPING_END:
	case FYET_SEQUENCE_END:
		return take_end(builder, event);
	case FYET_NONE:
	case FYET_STREAM_START:
	case FYET_STREAM_END:
	case FYET_DOCUMENT_END:
		break;
	}
	return 0;
}

/* --- what libfyaml complains of ---------------------------------------------------------------- */

static bool is_placeholder(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '.' || c == '-' || c == '_';
}

/* A value that begins with a placeholder and goes on behind it: YAML takes the brace for a map. */
static void hint_at_braces(struct builder *builder, struct berth_mark at)
{
	const char *line = builder->text, *end, *stop = builder->text + builder->len, *p;

	for (unsigned int i = 1; i < at.line; i++) {
		const char *newline = memchr(line, '\n', (size_t)(stop - line));

		if (!newline)
			return;
		line = newline + 1;
	}
	end = memchr(line, '\n', (size_t)(stop - line)) ?: stop;
	while (end > line && (end[-1] == '\r' || end[-1] == ' '))
		end--;
	for (p = line; p + 2 < end; p++) {
		const char *name = p + 3;

		if ((p[0] != ':' && p[0] != '-') || p[1] != ' ' || p[2] != '{')
			continue;
		while (name < end && is_placeholder(*name))
			name++;
		if (name > p + 3 && name < end && *name == '}' &&
		    !memchr(p, '"', (size_t)(end - p))) {
			berth_faults_hint(builder->faults, "quote it: \"%.*s\"", (int)(end - p - 2),
					  p + 2);
			return;
		}
	}
}

/* The line of @number begins with blanks that hold a tab. */
static bool has_tab(const struct builder *builder, unsigned int number)
{
	const char *line = builder->text, *stop = builder->text + builder->len;

	for (unsigned int i = 1; i < number; i++) {
		line = memchr(line, '\n', (size_t)(stop - line));
		if (!line)
			return false;
		line++;
	}
	while (line < stop && *line == ' ')
		line++;
	return line < stop && *line == '\t';
}

static void hint_at_tabs(struct builder *builder, struct berth_mark at)
{
	for (unsigned int i = at.line; i <= at.line + 1; i++) {
		if (has_tab(builder, i)) {
			berth_faults_hint(builder->faults,
					  "line %u is indented by a tab, YAML takes blanks", i);
			return;
		}
	}
}

static void take_complaints(struct builder *builder, struct fy_diag *diag)
{
	unsigned int open = berth_yaml_tree_open_bracket(&builder->tree);
	struct fy_diag_error *error;
	void *iterator = NULL;

	while ((error = fy_diag_errors_iterate(diag, &iterator))) {
		struct berth_mark at;

		if (error->type < FYET_ERROR || !error->msg)
			continue;
		at = mark_at(builder, error->line, error->column);
		berth_faults_add(builder->faults, at, "%s", error->msg);
		if (open)
			berth_faults_hint(builder->faults, "a bracket is open since line %u", open);
		hint_at_braces(builder, at);
		hint_at_tabs(builder, at);
	}
	if (berth_faults_count(builder->faults) == builder->faults_before)
		berth_faults_add(builder->faults, (struct berth_mark){ 0 }, "this is no YAML");
}

static void discard(struct fy_diag *diag, void *user, const char *text, size_t len)
{
	(void)diag;
	(void)user;
	(void)text;
	(void)len;
}

static struct fy_diag *new_diag(void)
{
	struct fy_diag_cfg config;
	struct fy_diag *diag;

	fy_diag_cfg_default(&config);
	config.fp = NULL;
	config.output_fn = discard;
	config.level = FYET_ERROR;
	diag = fy_diag_create(&config);
	if (diag)
		fy_diag_set_collect_errors(diag, true);
	return diag;
}

static int run_parser(struct builder *builder, struct fy_parser *parser, struct fy_diag *diag)
{
	struct fy_event *event;
	int r = 0;

	if (fy_parser_set_string(parser, builder->text, builder->len) != 0)
		return -ENOMEM;
	while (r == 0 && (event = fy_parser_parse(parser))) {
		r = take_event(builder, event);
		fy_parser_event_free(parser, event);
	}
	if (r == 0 && fy_parser_get_stream_error(parser)) {
		take_complaints(builder, diag);
		r = -EINVAL;
	}
	return r;
}

static int build(struct builder *builder)
{
	struct fy_diag *diag = new_diag();
	struct fy_parse_cfg config = {
		.flags = FYPCF_QUIET | FYPCF_COLLECT_DIAG | FYPCF_JSON_NONE,
		.diag = diag,
	};
	struct fy_parser *parser = diag ? fy_parser_create(&config) : NULL;
	int r = parser ? run_parser(builder, parser, diag) : -ENOMEM;

	if (parser)
		fy_parser_destroy(parser);
	if (diag)
		fy_diag_destroy(diag);
	return r;
}

/* --- the face ---------------------------------------------------------------------------------- */

/* What libfyaml need not see: too long, no text. False: a fault was added. */
static bool check_bytes(struct builder *builder)
{
	const char *text = builder->text;

	if (builder->len > TEXT_MAX) {
		berth_faults_add(builder->faults, (struct berth_mark){ 0 }, "longer than %d bytes",
				 TEXT_MAX);
		return false;
	}
	for (size_t pos = 0, n; pos < builder->len; pos += n) {
		n = berth_str_utf8_len(text + pos, builder->len - pos);
		if (n > 0 && text[pos] != '\0')
			continue;
		berth_faults_add(builder->faults, mark_of(builder, pos, 1),
				 n > 0 ? "a NUL byte" : "a byte that is no UTF-8: 0x%02x",
				 (unsigned char)text[pos]);
		return false;
	}
	return true;
}

int berth_yaml_parse(const char *text, size_t len, struct berth_faults *faults,
		     struct berth_yaml_node **ret_root)
{
	BERTH_CLEANUP(builder_freep) struct builder *builder = calloc(1, sizeof(*builder));
	struct berth_yaml_node *root = NULL;
	int r;

	if (!builder)
		return -ENOMEM;
	builder->text = text;
	builder->len = len;
	builder->faults = faults;
	builder->tree.faults = faults;
	builder->last = (struct berth_mark){ .line = 1, .column = 1 };
	builder->faults_before = berth_faults_count(faults);
	if (!check_bytes(builder))
		return -EINVAL;
	r = build(builder);
	if (r < 0)
		return r;
	if (berth_faults_count(faults) > builder->faults_before)
		return -EINVAL;
	if (builder->tree.has_root && !berth_yaml_is_null(&builder->tree.root)) {
		root = malloc(sizeof(*root));
		if (!root)
			return -ENOMEM;
		*root = builder->tree.root;
		builder->tree.root = (struct berth_yaml_node){ 0 };
	}
	*ret_root = root;
	return 0;
}

void berth_yaml_free(struct berth_yaml_node *root)
{
	if (!root)
		return;
	berth_yaml_tree_node_deinit(root);
	free(root);
}

const struct berth_yaml_node *berth_yaml_get(const struct berth_yaml_node *map, const char *key)
{
	if (!map || map->kind != BERTH_YAML_MAP)
		return NULL;
	for (size_t i = 0; i < map->count; i++) {
		if (!strcmp(map->items[i].key, key))
			return &map->items[i];
	}
	return NULL;
}

bool berth_yaml_is_null(const struct berth_yaml_node *node)
{
	if (!node)
		return true;
	return node->kind == BERTH_YAML_SCALAR && node->plain &&
	       (!*node->text || !strcmp(node->text, "~") || !strcmp(node->text, "null"));
}
