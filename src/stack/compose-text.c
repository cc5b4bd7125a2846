/* SPDX-License-Identifier: MIT */
/* stack/compose-text.c - small languages of a Compose file: variables, ports, words, images */
#include "stack/compose-text.h"

#include <string.h>

#include "base/parse.h"
#include "stack/template.h"

/* ---- variables ---- */

struct variable {
	size_t len; /* of all of it, with the dollar sign */
	const char *name;
	size_t name_len;
	const char *word; /* behind the operator */
	size_t word_len;
	char op; /* '-' '?' '+', '\0': none */
};

static size_t name_length(const char *text)
{
	size_t len = 0;

	while ((text[len] >= 'A' && text[len] <= 'Z') || (text[len] >= 'a' && text[len] <= 'z') ||
	       text[len] == '_' || (len && text[len] >= '0' && text[len] <= '9'))
		len++;
	return len;
}

/* The variable at @text, which is at a '$'; len 0: none. */
static struct variable variable_at(const char *text)
{
	struct variable variable = { .name = text + 1 };
	const char *p;
	size_t depth = 1;

	if (text[1] != '{') {
		variable.name_len = name_length(text + 1);
		variable.len = variable.name_len ? variable.name_len + 1 : 0;
		return variable;
	}
	variable.name = text + 2;
	variable.name_len = name_length(text + 2);
	p = variable.name + variable.name_len;
	if (!variable.name_len)
		return variable;
	p += *p == ':' && p[1] && strchr("-?+", p[1]);
	if (*p && strchr("-?+", *p)) {
		variable.op = *p++;
		variable.word = p;
		for (; *p; p++) {
			depth += p[0] == '$' && p[1] == '{';
			depth -= *p == '}';
			if (depth == 0)
				break;
		}
		variable.word_len = (size_t)(p - variable.word);
	}
	if (*p == '}')
		variable.len = (size_t)(p + 1 - text);
	return variable;
}

static bool add_variable(struct berth_str *out, const struct variable *variable)
{
	berth_str_add(out, "${");
	berth_str_add_bytes(out, variable->name, variable->name_len);
	if (variable->op == '-' || variable->op == '?') {
		berth_str_addf(out, ":%c", variable->op);
		berth_str_add_bytes(out, variable->word, variable->word_len);
	}
	berth_str_add(out, "}");
	return variable->op != '+';
}

/* What has no variable in it. */
static void add_text(struct berth_str *out, const char *text, size_t len)
{
	BERTH_AUTO_FREE char *piece = strndup(text, len);

	if (piece)
		berth_template_escape(piece, NULL, NULL, out);
	else
		out->failed = true;
}

bool berth_compose_text_value(struct berth_str *out, const char *text)
{
	bool known = true;

	while (*text) {
		size_t len = strcspn(text, "$");
		struct variable variable;

		add_text(out, text, len);
		text += len;
		if (!*text)
			break;
		variable = variable_at(text);
		if (variable.len) {
			known = add_variable(out, &variable) && known;
			text += variable.len;
		} else {
			berth_str_add(out, "$$");
			text += text[1] == '$' ? 2 : 1;
			/* ${name} is no template's: there nothing is to be escaped. */
			for (; *text == '{'; text++)
				berth_str_add(out, "{");
		}
	}
	return known;
}

void berth_compose_text_default(struct berth_str *out, const char *text)
{
	while (*text) {
		size_t len = strcspn(text, "$");
		struct variable variable;

		berth_str_add_bytes(out, text, len);
		text += len;
		if (!*text)
			break;
		variable = variable_at(text);
		if (variable.len && variable.op == '-')
			berth_str_add_bytes(out, variable.word, variable.word_len);
		else if (!variable.len)
			berth_str_add(out, "$");
		text += variable.len ? variable.len : 1 + (text[1] == '$');
	}
}

/* ---- words ---- */

void berth_compose_text_free_words(char **words)
{
	for (size_t i = 0; words && words[i]; i++)
		free(words[i]);
	free(words);
}

/* The word at *text, which is moved behind it; NULL: out of memory, or a quote is not closed. */
static char *take_word(const char **text)
{
	BERTH_CLEANUP(berth_str_deinit) struct berth_str word = { 0 };
	const char *p = *text;
	char quote = '\0';

	for (; *p && (quote || !strchr(" \t\n", *p)); p++) {
		if (quote ? *p == quote : *p == '\'' || *p == '"') {
			quote = quote ? '\0' : *p;
			continue;
		}
		if (*p == '\\' && p[1] && (!quote || (quote == '"' && strchr("\"\\$`", p[1]))))
			p++;
		berth_str_add_bytes(&word, p, 1);
	}
	*text = p;
	return quote ? NULL : berth_str_steal(&word);
}

/* Room for one more, and for the end. */
static bool grow(char ***words, size_t count)
{
	char **grown = reallocarray(*words, count + 2, sizeof(*grown));

	if (!grown)
		return false;
	grown[count] = grown[count + 1] = NULL;
	*words = grown;
	return true;
}

char **berth_compose_text_words(const char *text)
{
	char **words = NULL;

	for (size_t count = 0; grow(&words, count); count++) {
		text += strspn(text, " \t\n");
		if (!*text)
			return words;
		words[count] = take_word(&text);
		if (!words[count])
			break;
	}
	berth_compose_text_free_words(words);
	return NULL;
}

/* ---- ports ---- */

/* "80", "8080", "": @len bytes; false: something else, a range among it. */
static bool parse_number(const char *text, size_t len, uint16_t *ret_port)
{
	char number[8];

	if (len == 0) {
		*ret_port = 0;
		return true;
	}
	if (len >= sizeof(number) || text[0] == ':')
		return false;
	memcpy(number, text, len);
	number[len] = '\0';
	return berth_parse_port(number, ret_port) == 0;
}

bool berth_compose_text_parse_port(const char *text, struct berth_compose_port *ret_port)
{
	struct berth_compose_port port = { 0 };
	const char *slash = strchr(text, '/');
	size_t len = slash ? (size_t)(slash - text) : strlen(text);
	const char *colon = memrchr(text, ':', len);
	const char *target = colon ? colon + 1 : text;
	size_t left;

	if (slash && strcmp(slash, "/udp") != 0 && strcmp(slash, "/tcp") != 0)
		return false;
	port.udp = slash && slash[1] == 'u';
	if (!parse_number(target, (size_t)(text + len - target), &port.target) || !port.target)
		return false;
	if (colon) {
		left = (size_t)(colon - text);
		colon = memrchr(text, ':', left);
		target = colon ? colon + 1 : text;
		if (!parse_number(target, (size_t)(text + left - target), &port.published))
			return false;
		left = colon ? (size_t)(colon - text) : 0;
		if (left >= sizeof(port.address))
			return false;
		memcpy(port.address, text, left);
		port.address[left] = '\0';
	}
	*ret_port = port;
	return true;
}

/* ---- images ---- */

static const struct {
	const char *image; /* its last part, without tag and digest */
	uint16_t port;
} images[] = {
	{ "postgres", 5432 },	   { "postgis", 5432 },	   { "timescaledb", 5432 },
	{ "pgvector", 5432 },	   { "mysql", 3306 },	   { "mariadb", 3306 },
	{ "redis", 6379 },	   { "valkey", 6379 },	   { "mongo", 27017 },
	{ "rabbitmq", 5672 },	   { "memcached", 11211 }, { "nginx", 80 },
	{ "httpd", 80 },	   { "caddy", 80 },	   { "traefik", 80 },
	{ "elasticsearch", 9200 }, { "opensearch", 9200 }, { "minio", 9000 },
	{ "mailhog", 1025 },	   { "mailpit", 1025 },	   { "nats", 4222 },
	{ "kafka", 9092 },	   { "zookeeper", 2181 },  { "clickhouse-server", 8123 },
	{ "adminer", 8080 },	   { "localstack", 4566 }, { "meilisearch", 7700 },
	{ "grafana", 3000 },	   { "prometheus", 9090 }, { "keycloak", 8080 },
};

uint16_t berth_compose_text_image_port(const char *image)
{
	const char *slash = strrchr(image, '/');
	const char *base = slash ? slash + 1 : image;

	for (size_t i = 0; i < BERTH_ARRAY_SIZE(images); i++) {
		size_t len = strlen(images[i].image);

		if (strncmp(base, images[i].image, len) == 0 &&
		    (!base[len] || base[len] == ':' || base[len] == '@'))
			return images[i].port;
	}
	return 0;
}
