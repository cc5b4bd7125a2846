/* SPDX-License-Identifier: MIT */
/* stack/manifest-ports.c - the ports of a service in berth.yaml: wishes, lists, names, what to skip */
#include "stack/manifest-value.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/str.h"
#include "service/defaults.h"

static const char ports_hint[] = "NAME: PORT for each; berth publishes nothing, so no 8080:80";

/* "8080:80", as Compose has it. */
static bool is_mapping(const char *text)
{
	size_t first = strspn(text, "0123456789.");

	return first > 0 && text[first] == ':' && strspn(text + first + 1, "0123456789") > 0;
}

static void hint_at_mapping(struct berth_manifest_reader *reader, const char *text)
{
	berth_faults_hint(reader->faults,
			  "the number that berth leases is enough: port: %.*s, and {port} in the "
			  "command",
			  (int)strspn(text, "0123456789"), text);
}

/* What is wrong with @text, which is no port for the reason in @err. */
static void refuse_port(struct berth_manifest_reader *reader, const struct berth_manifest_key *key,
			const struct berth_yaml_node *node, const struct berth_err *err)
{
	struct berth_range range;

	berth_faults_add(reader->faults, node->at, "%s", err->msg);
	if (is_mapping(node->text))
		hint_at_mapping(reader, node->text);
	else if (strchr(node->text, '-') && berth_range_parse(node->text, &range) == 0)
		berth_faults_hint(reader->faults, "a range goes to 'range'");
	else if (!strcmp(node->text, "any") || !strcmp(node->text, "0"))
		berth_faults_hint(reader->faults, "for any free number: any: true");
	else if (key->type == BERTH_MANIFEST_T_PORT && strchr(node->text, '='))
		berth_faults_hint(reader->faults, "named ports go to 'ports'");
	else if (!strcmp(node->text, "none") && key->type == BERTH_MANIFEST_T_PORTS)
		berth_faults_hint(reader->faults, "a service without any port has port: none");
}

static bool is_word(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z');
}

/* "9000, 9001" without its blanks. One that parts two digits is no slip to be mended: it stays. */
static void add_closed_up(struct berth_str *out, const char *text)
{
	char before = '\0';

	for (; *text; text++) {
		char after = text[strspn(text, " ")];

		if (*text == ' ' && !(is_word(before) && is_word(after)))
			continue;
		berth_str_add_bytes(out, text, 1);
		before = *text == ' ' ? before : *text;
	}
}

/* Numbers of the port @name: a text or a list, one after the other. */
static int add_numbers(struct berth_manifest_reader *reader, const struct berth_manifest_key *key,
		       const struct berth_yaml_node *node, const char *name)
{
	struct berth_manifest_service *service = berth_manifest_reader_service(reader);
	struct berth_manifest_places *places = &reader->places[reader->service];
	const struct berth_yaml_node *item;

	for (size_t i = 0; berth_manifest_reader_item(
		     reader, key, node, i, "a port such as 9000, or a list of them", &item);
	     i++) {
		BERTH_CLEANUP(berth_str_deinit) struct berth_str text = { 0 };
		struct berth_err err = { 0 };
		size_t before = service->wish.port_count;

		if (!name && strchr(item->text, '=')) {
			berth_faults_add(reader->faults, item->at,
					 "'port' takes a port such as "
					 "9000, or a list of them, not '%.60s'",
					 item->text);
			berth_faults_hint(reader->faults, "named ports go to 'ports'");
			continue;
		}
		if (name)
			berth_str_addf(&text, "%s=", name);
		add_closed_up(&text, item->text);
		if (!berth_str_text(&text))
			return -ENOMEM;
		if (berth_wish_add(&service->wish, berth_str_text(&text), &err) < 0)
			refuse_port(reader, key, item, &err);
		else if (service->wish.port_count > before)
			places->ports[before] = item->at;
	}
	return 0;
}

static int read_port(struct berth_manifest_reader *reader, const struct berth_manifest_key *key,
		     struct berth_yaml_node *node, void *into)
{
	struct berth_manifest_service *service = into;

	if (node->kind == BERTH_YAML_SCALAR && !strcmp(node->text, "none")) {
		service->no_port = true;
		return 0;
	}
	return add_numbers(reader, key, node, NULL);
}

static int read_ports(struct berth_manifest_reader *reader, const struct berth_manifest_key *key,
		      struct berth_yaml_node *node, void *into)
{
	(void)into;
	if (node->kind != BERTH_YAML_MAP) {
		berth_manifest_reader_refuse(reader, key, node, "a map from names to ports");
		if (node->kind == BERTH_YAML_LIST && node->count > 0 && node->items[0].text &&
		    is_mapping(node->items[0].text))
			hint_at_mapping(reader, node->items[0].text);
		else
			berth_faults_hint(reader->faults, "%s", ports_hint);
		return 0;
	}
	if (node->count == 0)
		berth_faults_add(reader->faults, node->at, "'ports' names no port");
	for (size_t i = 0; i < node->count; i++) {
		const struct berth_yaml_node *item = &node->items[i];
		struct berth_wish probe = { 0 };
		struct berth_err err = { 0 };
		BERTH_CLEANUP(berth_str_deinit) struct berth_str text = { 0 };

		berth_str_addf(&text, "%s=1", item->key);
		if (!berth_str_text(&text))
			return -ENOMEM;
		if (berth_wish_add(&probe, berth_str_text(&text), &err) < 0) {
			berth_faults_add(reader->faults, item->key_at, "%s", err.msg);
			berth_faults_hint(reader->faults, "%s", err.hint);
			continue;
		}
		if (add_numbers(reader, key, item, item->key) < 0)
			return -ENOMEM;
	}
	return 0;
}

/* Numbers and ranges: kept as the text that the kernel's own lists have. */
static int read_skip(struct berth_manifest_reader *reader, const struct berth_manifest_key *key,
		     struct berth_yaml_node *node, void *into)
{
	static const char what[] = "ports and ranges such as 6000,7000-7010";
	struct berth_portset *set BERTH_AUTO_FREE = calloc(1, sizeof(*set));
	BERTH_CLEANUP(berth_str_deinit) struct berth_str text = { 0 };
	const struct berth_yaml_node *item;

	if (!set)
		return -ENOMEM;
	for (size_t i = 0; berth_manifest_reader_item(reader, key, node, i, what, &item); i++) {
		if (berth_portset_parse(item->text, set) < 0) {
			berth_manifest_reader_refuse(reader, key, item, what);
			continue;
		}
		berth_str_addf(&text, "%s%s", text.len ? "," : "", item->text);
	}
	if (text.failed)
		return -ENOMEM;
	if (text.len == 0)
		return 0;
	free(*(char **)into);
	*(char **)into = berth_str_steal(&text);
	return *(char **)into ? 0 : -ENOMEM;
}

static int read_scheme(struct berth_manifest_reader *reader, const struct berth_manifest_key *key,
		       struct berth_yaml_node *node, void *into)
{
	static const char what[] = "the scheme of a URL such as http, or none";
	const char *text = berth_manifest_reader_text(reader, key, node, what);
	char *copy;

	if (!text)
		return 0;
	if (*text < 'a' || *text > 'z' || strlen(text) > 32 ||
	    text[strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789+.-")]) {
		berth_manifest_reader_refuse(reader, key, node, what);
		return 0;
	}
	copy = strdup(text);
	if (!copy)
		return -ENOMEM;
	free(*(char **)into);
	*(char **)into = copy;
	return 0;
}

const struct berth_manifest_value_row berth_manifest_value_ports[] = {
	{ BERTH_MANIFEST_T_PORT, read_port },
	{ BERTH_MANIFEST_T_PORTS, read_ports },
	{ BERTH_MANIFEST_T_SKIP, read_skip },
	{ BERTH_MANIFEST_T_SCHEME, read_scheme },
	{ 0 },
};
