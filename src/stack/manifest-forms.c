/* SPDX-License-Identifier: MIT */
/* stack/manifest-forms.c - commands, variables, and other services by name in berth.yaml */
#include "stack/manifest-value.h"

#include <errno.h>
#include <string.h>

#include "base/parse.h"
#include "base/str.h"
#include "stack/origins.h"

enum {
	VARIABLES_MAX = 1000,
	LINKS_MAX = 32,
	ORIGINS_MAX = 64,
};

/* false: a fault was added. */
static bool check_count(struct berth_manifest_reader *reader, const struct berth_manifest_key *key,
			const struct berth_yaml_node *node, size_t max)
{
	if (node->count <= max)
		return true;
	berth_faults_add(reader->faults, node->at, "'%s' has more than %zu entries", key->name,
			 max);
	return false;
}

/* --- commands ---------------------------------------------------------------------------------- */

static int read_words(struct berth_manifest_reader *reader, const struct berth_manifest_key *key,
		      struct berth_yaml_node *node, struct berth_manifest_command *command)
{
	if (node->count == 0)
		berth_faults_add(reader->faults, node->at, "'%s' has an empty list", key->name);
	if (node->count == 0 || !check_count(reader, key, node, BERTH_MANIFEST_WORDS_MAX))
		return 0;
	for (size_t i = 0; i < node->count; i++) {
		const struct berth_yaml_node *word = &node->items[i];

		/* "" is a word, if not a program. */
		if (word->kind != BERTH_YAML_SCALAR || berth_yaml_is_null(word) ||
		    (i == 0 && !*word->text)) {
			berth_manifest_reader_refuse(reader, key, word,
						     "a text, or a list of words");
			return 0;
		}
		if (berth_manifest_reader_append(&command->argv, i, word->text) < 0 ||
		    berth_manifest_reader_use(reader, word->text, word->at) < 0)
			return -ENOMEM;
	}
	return 0;
}

static int read_command(struct berth_manifest_reader *reader, const struct berth_manifest_key *key,
			struct berth_yaml_node *node, void *into)
{
	struct berth_manifest_command *command = into;
	const char *text;

	command->at = node->at;
	if (node->kind == BERTH_YAML_LIST)
		return read_words(reader, key, node, command);
	text = berth_manifest_reader_text(reader, key, node, "a text, or a list of words");
	if (!text)
		return 0;
	if (!text[strspn(text, " \t\n")]) {
		berth_manifest_reader_refuse(reader, key, node, "a text, or a list of words");
		return 0;
	}
	command->text = strdup(text);
	return command->text ? berth_manifest_reader_use(reader, text, node->at) : -ENOMEM;
}

/* --- variables --------------------------------------------------------------------------------- */

/* What execve(2) and shells take, and .env files too. */
static bool is_variable_name(const char *name, size_t len)
{
	if (len == 0 || (*name >= '0' && *name <= '9'))
		return false;
	return strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_0123456789.-") >=
	       len;
}

static void refuse_name(struct berth_manifest_reader *reader, const char *name, size_t len,
			struct berth_mark at)
{
	berth_faults_add(reader->faults, at, "'%.*s' is no name for a variable",
			 (int)(len < 60 ? len : 60), name);
	if (len > 0)
		berth_faults_hint(reader->faults, "letters, digits and '_', no digit first");
}

static bool has_variable(const struct berth_manifest_service *service, const char *name, size_t len)
{
	for (size_t i = 0; i < service->environment_count; i++) {
		if (!strncmp(service->environment[i].name, name, len) &&
		    !service->environment[i].name[len])
			return true;
	}
	return false;
}

/* A value that is NULL comes from our own environment. */
static int add_variable(struct berth_manifest_reader *reader, const char *name, size_t len,
			const char *value, const char *written, struct berth_mark at)
{
	struct berth_manifest_service *service = berth_manifest_reader_service(reader);
	struct berth_manifest_variable *variable =
		&service->environment[service->environment_count];

	if (!is_variable_name(name, len)) {
		refuse_name(reader, name, len, at);
		return 0;
	}
	if (has_variable(service, name, len)) {
		berth_faults_add(reader->faults, at, "the variable '%.*s' comes twice",
				 (int)(len < 60 ? len : 60), name);
		return 0;
	}
	*variable = (struct berth_manifest_variable){
		.name = strndup(name, len),
		.value = value ? strdup(value) : NULL,
		.written = written && strcmp(written, value) != 0 ? strdup(written) : NULL,
		.at = at,
	};
	service->environment_count++;
	if (!variable->name || (value && !variable->value) ||
	    (written && strcmp(written, value) != 0 && !variable->written))
		return -ENOMEM;
	return value ? berth_manifest_reader_use(reader, variable->value, at) : 0;
}

/* NAME: VALUE */
static int add_entry(struct berth_manifest_reader *reader, const struct berth_manifest_key *key,
		     struct berth_yaml_node *node)
{
	BERTH_AUTO_FREE char *written = NULL;

	if (berth_yaml_is_null(node))
		return add_variable(reader, node->key, strlen(node->key), NULL, NULL, node->key_at);
	if (node->kind != BERTH_YAML_SCALAR) {
		berth_manifest_reader_refuse(reader, key, node, "texts");
		return 0;
	}
	written = strdup(node->text);
	if (!written || berth_manifest_reader_expand(reader, node, true) < 0)
		return -ENOMEM;
	return add_variable(reader, node->key, strlen(node->key), node->text, written, node->at);
}

/* "NAME=VALUE" or "NAME" */
static int add_item(struct berth_manifest_reader *reader, const struct berth_manifest_key *key,
		    struct berth_yaml_node *node)
{
	BERTH_AUTO_FREE char *written = NULL;
	const char *equals;
	size_t len;

	if (!berth_manifest_reader_text(reader, key, node, "a map, or a list of NAME=VALUE"))
		return 0;
	len = strcspn(node->text, "=");
	if (!node->text[len])
		return add_variable(reader, node->text, len, NULL, NULL, node->at);
	written = strdup(node->text + len + 1);
	if (!written || berth_manifest_reader_expand(reader, node, true) < 0)
		return -ENOMEM;
	/* A name with a variable in it is none, and is refused as it became. */
	equals = strchr(node->text, '=');
	len = equals ? (size_t)(equals - node->text) : strlen(node->text);
	return add_variable(reader, node->text, len, equals ? equals + 1 : "", written, node->at);
}

static int read_environment(struct berth_manifest_reader *reader,
			    const struct berth_manifest_key *key, struct berth_yaml_node *node,
			    void *into)
{
	struct berth_manifest_service *service = into;
	int r = 0;

	if (node->kind == BERTH_YAML_SCALAR) {
		berth_manifest_reader_refuse(reader, key, node, "a map, or a list of NAME=VALUE");
		return 0;
	}
	if (!check_count(reader, key, node, VARIABLES_MAX))
		return 0;
	service->environment = calloc(node->count + 1, sizeof(*service->environment));
	if (!service->environment)
		return -ENOMEM;
	for (size_t i = 0; i < node->count && r == 0; i++)
		r = node->kind == BERTH_YAML_MAP ? add_entry(reader, key, &node->items[i])
						 : add_item(reader, key, &node->items[i]);
	return r;
}

/* --- other services ---------------------------------------------------------------------------- */

/* Ours, and Compose's. */
static const struct {
	const char *word;
	enum berth_manifest_condition condition;
} conditions[] = {
#define X(id, name) { name, BERTH_MANIFEST_##id },
	BERTH_MANIFEST_CONDITIONS(X)
#undef X
		{ "service_started", BERTH_MANIFEST_STARTED },
	{ "service_healthy", BERTH_MANIFEST_READY },
	{ "service_completed_successfully", BERTH_MANIFEST_COMPLETED },
};

static int read_condition(struct berth_manifest_reader *reader,
			  const struct berth_manifest_key *key, struct berth_yaml_node *node,
			  void *into)
{
	static const char what[] = "started, ready or completed";
	const char *words[BERTH_ARRAY_SIZE(conditions) + 1] = { NULL }, *closest;
	const char *text = berth_manifest_reader_text(reader, key, node, what);

	if (!text)
		return 0;
	for (size_t i = 0; i < BERTH_ARRAY_SIZE(conditions); i++) {
		words[i] = conditions[i].word;
		if (!strcmp(text, words[i])) {
			*(enum berth_manifest_condition *)into = conditions[i].condition;
			return 0;
		}
	}
	berth_manifest_reader_refuse(reader, key, node, what);
	closest = berth_str_closest(text, words);
	if (closest)
		berth_faults_hint(reader->faults, "did you mean '%s'?", closest);
	return 0;
}

static int add_dependency(struct berth_manifest_reader *reader, const char *name,
			  struct berth_mark at, struct berth_yaml_node *details)
{
	struct berth_manifest_reference reference = {
		.service = reader->service,
		.name = name,
		.at = at,
		.condition = BERTH_MANIFEST_READY,
	};
	int r = 0;

	if (details && details->kind == BERTH_YAML_MAP)
		r = berth_manifest_value_map(reader, BERTH_MANIFEST_LEVEL_DEPENDENCY, details,
					     &reference.condition);
	else if (details && !berth_yaml_is_null(details))
		berth_faults_add(reader->faults, details->at,
				 "a dependency takes a map such as {condition: started}");
	return r < 0 ? r : berth_manifest_reader_refer(reader, &reference);
}

static int read_depends(struct berth_manifest_reader *reader, const struct berth_manifest_key *key,
			struct berth_yaml_node *node, void *into)
{
	const struct berth_yaml_node *item;

	(void)into;
	if (!check_count(reader, key, node, BERTH_MANIFEST_SERVICES_MAX))
		return 0;
	for (size_t i = 0; node->kind == BERTH_YAML_MAP && i < node->count; i++) {
		struct berth_yaml_node *entry = &node->items[i];

		if (add_dependency(reader, entry->key, entry->key_at, entry) < 0)
			return -ENOMEM;
	}
	if (node->kind == BERTH_YAML_MAP)
		return 0;
	for (size_t i = 0; berth_manifest_reader_item(reader, key, node, i,
						      "a list of services, or a map", &item);
	     i++) {
		if (add_dependency(reader, item->text, item->at, NULL) < 0)
			return -ENOMEM;
	}
	return 0;
}

/* --- origins and links ------------------------------------------------------------------------- */

/* A port of this machine, a service, or an origin as it is. */
static int add_origin(struct berth_manifest_reader *reader, const struct berth_yaml_node *item)
{
	struct berth_manifest_service *service = berth_manifest_reader_service(reader);
	struct berth_manifest_origin *origin = &service->origins[service->origin_count];

	*origin = (struct berth_manifest_origin){ .service = (size_t)-1 };
	if (item->text[strspn(item->text, ":0123456789")] == '\0') {
		if (berth_parse_port(item->text, &origin->port) == 0)
			service->origin_count++;
		else
			berth_faults_add(reader->faults, item->at, "port '%.60s' is not in 1-65535",
					 item->text);
		return 0;
	}
	if (strstr(item->text, "://")) {
		if (!berth_origins_is_valid(item->text)) {
			berth_faults_add(reader->faults, item->at, "'%.60s' is no origin",
					 item->text);
			berth_faults_hint(reader->faults, "scheme and host alone, as in "
							  "https://app.example:8443");
			return 0;
		}
		origin->origin = strdup(item->text);
		service->origin_count++;
		return origin->origin ? 0 : -ENOMEM;
	}
	/* Which one is known later. */
	return berth_manifest_reader_refer(reader, &(struct berth_manifest_reference){
							   .service = reader->service,
							   .name = item->text,
							   .at = item->at,
							   .is_origin = true,
							   .origin = service->origin_count++,
						   });
}

static int read_origins(struct berth_manifest_reader *reader, const struct berth_manifest_key *key,
			struct berth_yaml_node *node, void *into)
{
	static const char what[] = "services, ports of this machine and origins";
	struct berth_manifest_service *service = into;
	const struct berth_yaml_node *item;

	if (!check_count(reader, key, node, ORIGINS_MAX))
		return 0;
	free(service->origins);
	service->origins = calloc(node->count + 1, sizeof(*service->origins));
	if (!service->origins)
		return -ENOMEM;
	for (size_t i = 0; berth_manifest_reader_item(reader, key, node, i, what, &item); i++) {
		if (!strcmp(item->text, "*")) {
			berth_faults_add(reader->faults, item->at, "'*' would let any page in");
			berth_faults_hint(reader->faults, "name the services whose pages they are");
			continue;
		}
		if (add_origin(reader, item) < 0)
			return -ENOMEM;
	}
	return 0;
}

static int read_cors(struct berth_manifest_reader *reader, const struct berth_manifest_key *key,
		     struct berth_yaml_node *node, void *into)
{
	if (node->kind == BERTH_YAML_MAP)
		return berth_manifest_value_map(reader, key->level, node, into);
	return read_origins(reader, key, node, into);
}

static int read_links(struct berth_manifest_reader *reader, const struct berth_manifest_key *key,
		      struct berth_yaml_node *node, void *into)
{
	static const char what[] = "a map from names to paths such as {docs: /docs}";
	struct berth_manifest_service *service = into;

	if (node->kind != BERTH_YAML_MAP) {
		berth_manifest_reader_refuse(reader, key, node, what);
		return 0;
	}
	if (!check_count(reader, key, node, LINKS_MAX))
		return 0;
	service->links = calloc(node->count + 1, sizeof(*service->links));
	if (!service->links)
		return -ENOMEM;
	for (size_t i = 0; i < node->count; i++) {
		const struct berth_yaml_node *item = &node->items[i];
		struct berth_manifest_link *link = &service->links[service->link_count];
		const char *text = berth_manifest_reader_text(reader, key, item, what);

		if (text && *text != '/') {
			berth_manifest_reader_refuse(reader, key, item,
						     "paths that begin with '/'");
			continue;
		}
		if (!text)
			continue;
		service->link_count++;
		link->name = strdup(item->key);
		link->path = strdup(text);
		if (!link->name || !link->path ||
		    berth_manifest_reader_use(reader, text, item->at) < 0)
			return -ENOMEM;
	}
	return 0;
}

const struct berth_manifest_value_row berth_manifest_value_forms[] = {
	{ BERTH_MANIFEST_T_COMMAND, read_command },
	{ BERTH_MANIFEST_T_ENVIRONMENT, read_environment },
	{ BERTH_MANIFEST_T_DEPENDS, read_depends },
	{ BERTH_MANIFEST_T_CONDITION, read_condition },
	{ BERTH_MANIFEST_T_LINKS, read_links },
	{ BERTH_MANIFEST_T_CORS, read_cors },
	{ BERTH_MANIFEST_T_ORIGINS, read_origins },
	{ 0 },
};
