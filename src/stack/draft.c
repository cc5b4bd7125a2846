/* SPDX-License-Identifier: MIT */
/* stack/draft.c - a berth.yaml in the making: what `berth init` writes */
#include "stack/draft.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/yaml-write.h"
#include "stack/manifest.h"

enum {
	INDENT = 2,
	NOTE_MAX = 1024,
};

/* ---- YAML ---- */

/* Bytes that are no UTF-8, which a YAML file can't hold, become U+FFFD. */
static void add_text(struct berth_str *out, const char *text)
{
	BERTH_CLEANUP(berth_str_deinit) struct berth_str clean = { 0 };
	size_t left = strlen(text);

	while (left > 0) {
		size_t n = berth_str_utf8_len(text, left);

		berth_str_add_bytes(&clean, n ? text : "\xef\xbf\xbd", n ? n : 3);
		text += n ? n : 1;
		left -= n ? n : 1;
	}
	if (berth_str_text(&clean))
		berth_yaml_write_text(berth_str_text(&clean), out);
	else
		out->failed = true;
}

static void begin_line(struct berth_draft *draft, int depth)
{
	berth_str_addf(&draft->services, "%*s", (depth + 1) * INDENT, "");
}

static void add_key(struct berth_draft *draft, int depth, const char *key)
{
	begin_line(draft, depth);
	add_text(&draft->services, key);
	berth_str_add(&draft->services, ":");
}

/* ---- services ---- */

void berth_draft_deinit(struct berth_draft *draft)
{
	if (!draft)
		return;
	berth_str_deinit(&draft->services);
	berth_str_deinit(&draft->notes);
	*draft = (struct berth_draft){ 0 };
}

/* By another service, or by the templates. */
static bool is_taken(const struct berth_draft *draft, const char *name)
{
	if (berth_manifest_is_word(name))
		return true;
	for (size_t i = 0; i < draft->count; i++)
		if (strcmp(draft->names[i], name) == 0)
			return true;
	return false;
}

const char *berth_draft_name(struct berth_draft *draft, const char *wanted)
{
	char *name = draft->names[draft->count < BERTH_DRAFT_SERVICES_MAX ? draft->count : 0];
	char base[BERTH_NAME_MAX];

	if (draft->count == BERTH_DRAFT_SERVICES_MAX) {
		if (!draft->full)
			berth_draft_note(draft, "only the first %d services are written",
					 BERTH_DRAFT_SERVICES_MAX);
		draft->full = true;
		return NULL;
	}
	berth_name_from(wanted, base);
	berth_str_copy(name, BERTH_NAME_MAX, base);
	for (unsigned int i = 2; is_taken(draft, name); i++)
		snprintf(name, BERTH_NAME_MAX, "%.*s-%u", BERTH_NAME_MAX - 8, base, i);
	draft->count++;
	return name;
}

void berth_draft_begin(struct berth_draft *draft, const char *name)
{
	if (draft->services.len)
		berth_str_add(&draft->services, "\n");
	berth_draft_open(draft, 0, name);
}

uint16_t berth_draft_port(struct berth_draft *draft, uint16_t port, bool udp)
{
	struct berth_portset *ports = &draft->ports[udp];
	uint16_t next = port;

	if (port == 0)
		return 0;
	while (next < UINT16_MAX && berth_portset_has(ports, next))
		next++;
	if (berth_portset_has(ports, next))
		next = port;
	while (next > 1 && berth_portset_has(ports, next))
		next--;
	berth_portset_add(ports, (struct berth_range){ next, next });
	return next;
}

/* ---- keys ---- */

static void end_line(struct berth_draft *draft, const char *comment)
{
	if (comment)
		berth_str_addf(&draft->services, " # %s", comment);
	berth_str_add(&draft->services, "\n");
}

void berth_draft_value(struct berth_draft *draft, int depth, const char *key, const char *value,
		       const char *comment)
{
	add_key(draft, depth, key);
	berth_str_add(&draft->services, " ");
	add_text(&draft->services, value);
	end_line(draft, comment);
}

void berth_draft_plain(struct berth_draft *draft, int depth, const char *key, const char *value,
		       const char *comment)
{
	add_key(draft, depth, key);
	berth_str_addf(&draft->services, " %s", value);
	end_line(draft, comment);
}

void berth_draft_list(struct berth_draft *draft, int depth, const char *key,
		      const char *const *values)
{
	add_key(draft, depth, key);
	berth_str_add(&draft->services, " [");
	for (size_t i = 0; values[i]; i++) {
		berth_str_add(&draft->services, i ? ", " : "");
		add_text(&draft->services, values[i]);
	}
	berth_str_add(&draft->services, "]\n");
}

void berth_draft_open(struct berth_draft *draft, int depth, const char *key)
{
	add_key(draft, depth, key);
	berth_str_add(&draft->services, "\n");
}

void berth_draft_comment(struct berth_draft *draft, int depth, const char *text)
{
	begin_line(draft, depth);
	berth_str_addf(&draft->services, "# %s\n", text);
}

void berth_draft_note(struct berth_draft *draft, const char *fmt, ...)
{
	char text[NOTE_MAX];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	berth_str_addf(&draft->notes, "%s\n", text);
}

/* ---- what a berth.yaml may have ---- */

void berth_draft_cut(struct berth_draft *draft, size_t mark, struct berth_str *ret_text)
{
	struct berth_str *services = &draft->services;

	if (services->len <= mark)
		return;
	if (ret_text)
		berth_str_add(ret_text, services->text + mark);
	services->len = mark;
	services->text[mark] = '\0';
}

/* 0, or -EINVAL with @ret_why; -ENOMEM. */
static int check_piece(const char *piece, const struct berth_draft_place *place,
		       char ret_why[BERTH_DRAFT_WHY_MAX])
{
	BERTH_CLEANUP(berth_faults_deinit) struct berth_faults faults = { 0 };
	BERTH_CLEANUP(berth_manifest_deinit) struct berth_manifest manifest = { 0 };
	BERTH_CLEANUP(berth_str_deinit) struct berth_str yaml = { 0 };
	int r;

	berth_str_add(&yaml, "services:\n");
	if (place->waiter)
		berth_str_addf(&yaml,
			       "  %s: {command: x, depends_on: {%s: {condition: completed}}}\n",
			       place->waiter, place->service);
	berth_str_addf(&yaml, "  %s:\n    command: x\n", place->service);
	if (place->within)
		berth_str_addf(&yaml, "    %s:\n", place->within);
	berth_str_add(&yaml, piece);
	if (!berth_str_text(&yaml))
		return -ENOMEM;
	r = berth_manifest_parse(berth_str_text(&yaml), yaml.len, &faults, &manifest);
	if (r == -EINVAL)
		snprintf(ret_why, BERTH_DRAFT_WHY_MAX, "%s", faults.items[0].text);
	return r;
}

bool berth_draft_keep(struct berth_draft *draft, size_t mark, const struct berth_draft_place *place,
		      char ret_why[BERTH_DRAFT_WHY_MAX])
{
	const char *text = berth_str_text(&draft->services);
	int r = text ? check_piece(text + mark, place, ret_why) : -ENOMEM;

	if (r == -EINVAL) {
		berth_draft_cut(draft, mark, NULL);
		return false;
	}
	draft->services.failed = draft->services.failed || r < 0;
	return true;
}

/* ---- the whole ---- */

static const char foot[] =
	"\n"
	"# What else a service may have, see berth.yaml(5):\n"
	"#   depends_on: [db]               started when that is ready\n"
	"#   environment: { API: \"{api.url}\" }   the real address of another service\n"
	"#   range: 9000-9099               where to look when its port is taken\n"
	"#   ready: http /healthz           ready when that is answered; else when it listens\n"
	"#   restart: on-failure            started again when it fails\n"
	"#   cors: [web]                    BERTH_CORS_ORIGINS: the real origins of web\n";

char *berth_draft_finish(const struct berth_draft *draft, const char *from, const char *project)
{
	BERTH_CLEANUP(berth_str_deinit) struct berth_str out = { 0 };
	const char *services = berth_str_text(&draft->services);

	if (!services || draft->notes.failed)
		return NULL;
	berth_str_addf(&out,
		       "# The services of this project, and the ports that they wish: made by\n"
		       "# 'berth init' from %s, to be changed by hand. 'berth up' starts them;\n"
		       "# where a port is taken, a service gets the next free one.\n",
		       from);
	if (*project)
		berth_str_addf(&out, "project: %s\n", project);
	berth_str_addf(&out, "services:\n%s%s", services, foot);
	return berth_str_steal(&out);
}
