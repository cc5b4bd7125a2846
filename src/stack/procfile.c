/* SPDX-License-Identifier: MIT */
/* stack/procfile.c - a Procfile, as foreman and honcho read it */
#include "stack/procfile.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/parse.h"
#include "stack/template.h"

enum {
	LINE_STEP = 100, /* between the ports of two lines */
	WORD_SHOWN = 64,
};

/* One line, without its end. */
struct line {
	const char *text;
	size_t len;
	unsigned int number;
};

struct entry {
	const char *name, *command;
	size_t name_len, command_len;
};

struct names {
	/* As they are written, one for each service: for the fault of two that become the same. */
	struct {
		const char *text;
		size_t len;
		unsigned int line;
	} items[BERTH_MANIFEST_SERVICES_MAX];
};

static bool is_name(char c)
{
	return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
	       c == '_' || c == '-';
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* Takes the next line off @text; false: there is none. */
static bool next_line(const char **text, const char *end, struct line *line)
{
	const char *newline;

	if (*text >= end)
		return false;
	newline = memchr(*text, '\n', (size_t)(end - *text));
	line->text = *text;
	line->len = (size_t)((newline ? newline : end) - *text);
	line->number++;
	*text = newline ? newline + 1 : end;
	if (line->len && line->text[line->len - 1] == '\r')
		line->len--;
	return true;
}

static bool split(const struct line *line, struct entry *ret_entry)
{
	struct entry entry = { .name = line->text };
	size_t at;

	while (entry.name_len < line->len && is_name(entry.name[entry.name_len]))
		entry.name_len++;
	if (entry.name_len == 0 || entry.name_len == line->len || entry.name[entry.name_len] != ':')
		return false;
	for (at = entry.name_len + 1; at < line->len && is_blank(line->text[at]); at++)
		;
	entry.command = line->text + at;
	entry.command_len = line->len - at;
	while (entry.command_len && is_blank(entry.command[entry.command_len - 1]))
		entry.command_len--;
	if (entry.command_len == 0)
		return false;
	*ret_entry = entry;
	return true;
}

static struct berth_mark name_mark(const struct line *line, const struct entry *entry)
{
	return (struct berth_mark){ line->number, 1, (unsigned int)entry->name_len };
}

/* A name that another line has already: as it is written, or as it has become. */
static void refuse_twice(const struct line *line, const struct entry *entry, const char *name,
			 const struct names *names, size_t first, struct berth_faults *faults)
{
	char shown[WORD_SHOWN], other[WORD_SHOWN];
	unsigned int where = names->items[first].line;

	berth_str_printable(entry->name, entry->name_len, shown, sizeof(shown));
	berth_str_printable(names->items[first].text, names->items[first].len, other,
			    sizeof(other));
	if (strcmp(shown, other) == 0)
		berth_faults_add(faults, name_mark(line, entry),
				 "'%s' is there already, in line %u", shown, where);
	else
		berth_faults_add(faults, name_mark(line, entry),
				 "'%s' and '%s' of line %u are both called '%s'", shown, other,
				 where, name);
	berth_faults_hint(faults, "each service has a name of its own, of a-z, 0-9 and '-'");
}

static int add_service(struct berth_manifest *manifest, const char *name, const struct line *line,
		       const struct entry *entry, uint32_t port)
{
	struct berth_manifest_service *service = berth_manifest_add(manifest, name);
	/* All are given a port, by custom, but this one alone is known to listen on it. */
	bool is_web = strcmp(name, "web") == 0 || strncmp(name, "web-", 4) == 0;

	if (!service)
		return -ENOMEM;
	service->at = name_mark(line, entry);
	service->command.text = strndup(entry->command, entry->command_len);
	if (!service->command.text)
		return -ENOMEM;
	service->command.at = (struct berth_mark){
		line->number,
		(unsigned int)(entry->command - line->text) + 1,
		(unsigned int)entry->command_len,
	};
	service->wish.ports[0] = (struct berth_wish_port){
		.name = "main",
		.list = { (uint16_t)port },
		.list_len = 1,
	};
	service->wish.port_count = 1;
	if (!is_web)
		service->ready.kind = BERTH_CHECK_NONE;
	return 0;
}

static int read_entry(const struct line *line, const struct entry *entry, uint16_t base,
		      struct names *names, struct berth_faults *faults,
		      struct berth_manifest *manifest)
{
	BERTH_AUTO_FREE char *written = strndup(entry->name, entry->name_len);
	size_t index = manifest->service_count;
	uint32_t port = base + (uint32_t)index * LINE_STEP;
	char name[BERTH_NAME_MAX];
	int found;

	if (!written)
		return -ENOMEM;
	berth_name_from(written, name);
	found = berth_manifest_find(manifest, name);
	if (found >= 0) {
		refuse_twice(line, entry, name, names, (size_t)found, faults);
		return 0;
	}
	if (port > UINT16_MAX) {
		berth_faults_add(faults, name_mark(line, entry),
				 "the port of '%s' would be %u, above 65535", name, port);
		berth_faults_hint(faults, "the first line begins at %u, each further one 100 later",
				  base);
		port = UINT16_MAX;
	}
	names->items[index].text = entry->name;
	names->items[index].len = entry->name_len;
	names->items[index].line = line->number;
	return add_service(manifest, name, line, entry, port);
}

static int read_lines(const char *text, const char *end, uint16_t base, struct names *names,
		      struct berth_faults *faults, struct berth_manifest *manifest)
{
	struct line line = { 0 };
	struct entry entry;
	int r;

	while (next_line(&text, end, &line)) {
		if (memchr(line.text, '\0', line.len)) {
			berth_faults_add(faults, (struct berth_mark){ line.number, 1, 0 },
					 "a NUL byte");
			return 0;
		}
		if (!split(&line, &entry))
			continue;
		if (manifest->service_count == BERTH_MANIFEST_SERVICES_MAX) {
			berth_faults_add(faults, name_mark(&line, &entry), "more than %d services",
					 BERTH_MANIFEST_SERVICES_MAX);
			return 0;
		}
		r = read_entry(&line, &entry, base, names, faults, manifest);
		if (r < 0)
			return r;
	}
	return 0;
}

int berth_procfile_parse(const char *text, size_t len, uint16_t base, struct berth_faults *faults,
			 struct berth_manifest *ret_manifest)
{
	static const char bom[] = { '\xef', '\xbb', '\xbf' };
	BERTH_AUTO_FREE struct names *names = calloc(1, sizeof(*names));
	struct berth_manifest manifest = { 0 };
	size_t before = faults->count + faults->more;
	int r;

	if (!names)
		return -ENOMEM;
	/* An empty file may come without a buffer. */
	if (len == 0)
		text = "";
	if (len >= sizeof(bom) && memcmp(text, bom, sizeof(bom)) == 0) {
		text += sizeof(bom);
		len -= sizeof(bom);
	}
	r = read_lines(text, text + len, base ? base : BERTH_PROCFILE_BASE, names, faults,
		       &manifest);
	if (r == 0 && manifest.service_count == 0 && faults->count + faults->more == before) {
		berth_faults_add(faults, (struct berth_mark){ 0 }, "no line of it is a service");
		berth_faults_hint(faults, "as in: web: npm run dev");
	}
	if (r == 0 && faults->count + faults->more > before)
		r = -EINVAL;
	if (r < 0) {
		berth_manifest_deinit(&manifest);
		return r;
	}
	*ret_manifest = manifest;
	return 0;
}

/* --- as a berth.yaml --------------------------------------------------------------------------- */

void berth_procfile_yaml_name(const struct berth_manifest *manifest, size_t index,
			      char ret_name[BERTH_NAME_MAX])
{
	const char *name = manifest->services[index].name;

	berth_str_copy(ret_name, BERTH_NAME_MAX, name);
	if (!berth_manifest_is_word(name))
		return;
	for (unsigned int i = 2;
	     strcmp(ret_name, name) == 0 || berth_manifest_find(manifest, ret_name) >= 0; i++)
		snprintf(ret_name, BERTH_NAME_MAX, "%.8s-%u", name, i);
}

/* "port", "url.main", "host": the @len bytes at @name. Each line has one port. */
static bool is_known(const char *name, size_t len)
{
	static const char *const words[] = { "port", "port.main", "url", "url.main", "host" };

	for (size_t i = 0; i < BERTH_ARRAY_SIZE(words); i++) {
		if (strlen(words[i]) == len && !memcmp(words[i], name, len))
			return true;
	}
	return false;
}

/* What is filled in, its service's own before those of others (app/expand.c). */
static bool add_known(const void *arg, const char *name, size_t len, struct berth_str *out)
{
	const struct berth_manifest *manifest = arg;
	char service[BERTH_NAME_MAX] = "";
	const char *dot = memchr(name, '.', len);
	size_t first = dot ? (size_t)(dot - name) : len;
	int index;

	if (is_known(name, len) || (len == 2 && !memcmp(name, "id", len))) {
		berth_str_add_bytes(out, name, len);
		return true;
	}
	if (!dot || first >= sizeof(service) || !is_known(dot + 1, len - first - 1))
		return false;
	memcpy(service, name, first);
	index = berth_manifest_find(manifest, service);
	if (index < 0)
		return false;
	berth_procfile_yaml_name(manifest, (size_t)index, service);
	berth_str_add(out, service);
	berth_str_add_bytes(out, dot, len - first);
	return true;
}

void berth_procfile_yaml_text(const struct berth_manifest *manifest, const char *text,
			      struct berth_str *out)
{
	berth_template_escape(text, add_known, manifest, out);
}

int berth_procfile_base(const struct berth_dotenv *dotenv, const char *environment,
			uint16_t *ret_base, struct berth_err *err)
{
	const char *value = dotenv ? berth_dotenv_get(dotenv, "PORT") : NULL;
	const char *where = value ? " in '.env'" : " in the environment";
	char shown[WORD_SHOWN];
	uint16_t base;

	if (!value)
		value = environment;
	if (!value || !*value) {
		*ret_base = BERTH_PROCFILE_BASE;
		return 0;
	}
	if (berth_parse_port(value, &base) < 0)
		return berth_err_set(err, -EINVAL, BERTH_ERR_CONFIG,
				     "PORT%s: '%s' is not a port (1-65535)", where,
				     berth_str_printable(value, (size_t)-1, shown, sizeof(shown)));
	*ret_base = base;
	return 0;
}
