/* SPDX-License-Identifier: MIT */
/* stack/manifest-names.c - names in berth.yaml that stand for a service, or for a port of one */
#include "stack/manifest-check.h"

#include <errno.h>
#include <string.h>

#include "base/str.h"
#include "stack/template.h"

/* --- services that others name ----------------------------------------------------------------- */

static void refuse_service(struct berth_manifest_reader *reader,
			   const struct berth_manifest_reference *reference)
{
	const struct berth_manifest *manifest = reader->manifest;
	const char *words[BERTH_MANIFEST_SERVICES_MAX + 1] = { NULL }, *closest;

	berth_faults_add(reader->faults, reference->at, "there is no service '%.60s'",
			 reference->name);
	for (size_t i = 0, count = 0; i < manifest->service_count; i++) {
		if (i != reference->service)
			words[count++] = manifest->services[i].name;
	}
	closest = berth_str_closest(reference->name, words);
	if (closest)
		berth_faults_hint(reader->faults, "did you mean '%s'?", closest);
}

static bool depends_on(const struct berth_manifest_service *service, size_t other)
{
	for (size_t i = 0; i < service->depend_count; i++) {
		if (service->depends[i].service == other)
			return true;
	}
	return false;
}

static int add_dependency(struct berth_manifest_reader *reader,
			  const struct berth_manifest_reference *reference, size_t other)
{
	struct berth_manifest_service *service = &reader->manifest->services[reference->service];
	void *grown;

	if (other == reference->service) {
		berth_faults_add(reader->faults, reference->at, "'%s' depends on itself",
				 service->name);
		return 0;
	}
	if (depends_on(service, other)) {
		berth_faults_add(reader->faults, reference->at, "'%s' is named twice",
				 reference->name);
		return 0;
	}
	grown = reallocarray(service->depends, service->depend_count + 1,
			     sizeof(*service->depends));
	if (!grown)
		return -ENOMEM;
	service->depends = grown;
	service->depends[service->depend_count++] = (struct berth_manifest_dependency){
		.service = other,
		.condition = reference->condition,
		.at = reference->at,
	};
	return 0;
}

static void add_origin(struct berth_manifest_reader *reader,
		       const struct berth_manifest_reference *reference, size_t other)
{
	struct berth_manifest_service *service = &reader->manifest->services[reference->service];

	if (reader->manifest->services[other].no_port) {
		berth_faults_add(reader->faults, reference->at,
				 "'%s' has no port, and so no pages (port: none)", reference->name);
		return;
	}
	service->origins[reference->origin].service = other;
}

static int resolve(struct berth_manifest_reader *reader,
		   const struct berth_manifest_reference *reference)
{
	int other = berth_manifest_find(reader->manifest, reference->name);

	if (other < 0)
		refuse_service(reader, reference);
	else if (!reference->is_origin)
		return add_dependency(reader, reference, (size_t)other);
	else
		add_origin(reader, reference, (size_t)other);
	return 0;
}

/* --- {name} ------------------------------------------------------------------------------------ */

/* A part of a name between dots. */
struct word {
	const char *text;
	size_t len;
};

static bool is_word(struct word word, const char *text)
{
	return strlen(text) == word.len && !memcmp(text, word.text, word.len);
}

/* Cut the first word off @rest. */
static struct word next_word(struct word *rest)
{
	const char *dot = memchr(rest->text, '.', rest->len);
	struct word word = { rest->text, dot ? (size_t)(dot - rest->text) : rest->len };

	rest->text += word.len + (dot ? 1 : 0);
	rest->len -= word.len + (dot ? 1 : 0);
	return word;
}

static const char *port_name(const struct berth_manifest_service *service, size_t index)
{
	return service->wish.port_count ? service->wish.ports[index].name : "main";
}

static size_t port_count(const struct berth_manifest_service *service)
{
	return service->wish.port_count ? service->wish.port_count : 1;
}

/* All that a text of service @own may name, with blanks between. */
static void add_known(const struct berth_manifest *manifest, size_t own, struct berth_str *out)
{
	for (size_t i = 0; i < manifest->service_count; i++) {
		const struct berth_manifest_service *service = &manifest->services[i];

		for (int is_own = 0; is_own <= (i == own); is_own++) {
			const char *name = is_own ? "" : service->name, *dot = is_own ? "" : ".";

			berth_str_addf(out, "%s%shost ", name, dot);
			if (is_own)
				berth_str_add(out, "id ");
			if (service->no_port)
				continue;
			berth_str_addf(out, "%s%sport %s%surl ", name, dot, name, dot);
			for (size_t k = 0; k < service->wish.port_count; k++)
				berth_str_addf(out, "%s%sport.%s %s%surl.%s ", name, dot,
					       port_name(service, k), name, dot,
					       port_name(service, k));
		}
	}
}

/* Is what it said about @name new, and the closest known one worth looking for? */
static int hint_closest(struct berth_manifest_reader *reader, size_t own, struct word name)
{
	BERTH_CLEANUP(berth_str_deinit) struct berth_str known = { 0 };
	BERTH_AUTO_FREE char *wanted = strndup(name.text, name.len);
	BERTH_AUTO_FREE const char **words = NULL;
	const char *closest;
	char *place = NULL;
	size_t count = 0;

	if (reader->faults->hint_to == 0)
		return 0;
	add_known(reader->manifest, own, &known);
	words = calloc(known.len + 1, sizeof(*words));
	if (!wanted || known.failed || !words)
		return -ENOMEM;
	for (char *word = strtok_r(known.text, " ", &place); word;
	     word = strtok_r(NULL, " ", &place))
		words[count++] = word;
	closest = berth_str_closest(wanted, words);
	if (closest)
		berth_faults_hint(reader->faults, "did you mean '{%s}'?", closest);
	else
		berth_faults_hint(reader->faults, "for the braces themselves write '{{%.60s}}'",
				  wanted);
	return 0;
}

/* "port", "port.ws", "url", "host" of @service: what is wrong with it, in @out; nothing: all is well. */
static void judge(const struct berth_manifest_service *service, struct word rest, bool *ret_known,
		  struct berth_str *out)
{
	struct word what = next_word(&rest);
	bool is_url = is_word(what, "url");

	*ret_known = true;
	if (is_word(what, "host") && rest.len == 0)
		return;
	if (!is_url && !is_word(what, "port")) {
		*ret_known = false;
		return;
	}
	if (service->no_port) {
		berth_str_addf(out, "'%s' has no port (port: none)", service->name);
		return;
	}
	if (is_url && service->scheme && !strcmp(service->scheme, "none")) {
		berth_str_addf(out, "'%s' has no URL (scheme: none)", service->name);
		return;
	}
	for (size_t i = 0; rest.len > 0 && i < port_count(service); i++) {
		if (is_word(rest, port_name(service, i)))
			return;
	}
	if (rest.len > 0)
		berth_str_addf(out, "'%s' has no port '%.*s'", service->name,
			       (int)(rest.len < 60 ? rest.len : 60), rest.text);
}

/*
 * Where {@name} stands: the first from where the text begins. A text that was written with escapes
 * may not have it, and then it is the text as a whole.
 */
static struct berth_mark place_in(const struct berth_manifest_reader *reader,
				  const struct berth_manifest_use *use, struct word name)
{
	const char *line = reader->text, *end = reader->text + reader->len, *at;
	size_t reach = 2 * strlen(use->text) + name.len;
	struct berth_mark mark = use->at;

	if (reader->len >= 3 && !memcmp(line, "\xef\xbb\xbf", 3))
		line += 3;
	for (unsigned int i = 1; i < mark.line; i++) {
		line = memchr(line, '\n', (size_t)(end - line));
		if (!line)
			return use->at;
		line++;
	}
	if (mark.column == 0 || mark.column > (size_t)(end - line))
		return use->at;
	at = line + mark.column - 1;
	at = memmem(at, reach < (size_t)(end - at) ? reach : (size_t)(end - at), name.text - 1,
		    name.len + 2);
	if (!at)
		return use->at;
	for (const char *p = line; (p = memchr(p, '\n', (size_t)(at - p))); line = ++p)
		mark.line++;
	mark.column = (unsigned int)(at - line) + 1;
	mark.len = (unsigned int)name.len + 2;
	return mark;
}

static int check_name(struct berth_manifest_reader *reader, const struct berth_manifest_use *use,
		      struct word name)
{
	const struct berth_manifest *manifest = reader->manifest;
	struct word rest = name, first = next_word(&rest);
	BERTH_CLEANUP(berth_str_deinit) struct berth_str wrong = { 0 };
	struct berth_mark at;
	bool known = is_word(name, "id");

	if (!known)
		judge(&manifest->services[use->service], name, &known, &wrong);
	for (size_t i = 0; !known && i < manifest->service_count; i++) {
		if (is_word(first, manifest->services[i].name) && rest.len > 0) {
			judge(&manifest->services[i], rest, &known, &wrong);
			break;
		}
	}
	if (wrong.failed)
		return -ENOMEM;
	if (known && wrong.len == 0)
		return 0;
	at = place_in(reader, use, name);
	if (known) {
		berth_faults_add(reader->faults, at, "%s", wrong.text);
		return 0;
	}
	berth_faults_add(reader->faults, at, "nothing is called '{%.*s}' here",
			 (int)(name.len < 60 ? name.len : 60), name.text);
	return hint_closest(reader, use->service, name);
}

int berth_manifest_check_names(struct berth_manifest_reader *reader)
{
	int r = 0;

	for (size_t i = 0; i < reader->reference_count && r == 0; i++)
		r = resolve(reader, &reader->references[i]);
	for (size_t i = 0; i < reader->use_count; i++) {
		const struct berth_manifest_use *use = &reader->uses[i];
		struct word name;
		size_t at = 0;

		while (r == 0 && berth_template_next(use->text, &at, &name.text, &name.len))
			r = check_name(reader, use, name);
	}
	return r;
}
