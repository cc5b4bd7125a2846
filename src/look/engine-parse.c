/* SPDX-License-Identifier: MIT */
/*
 * look/engine-parse.c - what engines and their processes say of containers, pure
 *
 * None of it is trusted: ids are hex digits, names are what an engine would take for a name (they
 * end up in a command line that somebody types, or that we run), the rest is made printable, and
 * there is a limit to all of it.
 */
#include "look/engine.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>
#include <strings.h>

#include "base/json.h"
#include "base/parse.h"
#include "base/str.h"

enum {
	CONTAINERS_MAX = 1 << 12,
	PORTS_MAX = 1 << 16, /* of one container */
	ID_MIN = 12,
	ID_MAX = 64,
};

#define HEX "0123456789abcdef"
#define ALNUM "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"

/* What is no text of its own as one; false: it does not fit, and is cut. */
static bool to_text(const char *bytes, size_t len, char *buf, size_t size)
{
	size_t n = len < size ? len : size - 1;

	memcpy(buf, bytes, n);
	buf[n] = '\0';
	return n == len;
}

static bool set_id(const char *id, struct berth_engine_container *container)
{
	size_t len = strlen(id);

	if (len < ID_MIN || len > ID_MAX || strspn(id, HEX) != len)
		return false;
	memcpy(container->id, id, len + 1);
	return true;
}

/* As Docker and podman have it: [a-zA-Z0-9][a-zA-Z0-9_.-]* */
static bool set_name(const char *name, struct berth_engine_container *container)
{
	size_t len = strlen(name);

	if (!len || len >= sizeof(container->name) || !strchr(ALNUM, name[0]) ||
	    strspn(name, ALNUM "_.-") != len)
		return false;
	memcpy(container->name, name, len + 1);
	return true;
}

int berth_engine_add(struct berth_engine *engine, const struct berth_engine_container *container)
{
	struct berth_engine_container *containers;

	if (engine->count == CONTAINERS_MAX)
		return -EFBIG;
	/* Room is made when the number is a power of two. */
	if ((engine->count & (engine->count - 1)) == 0) {
		size_t size = engine->count ? engine->count * 2 : 1;

		containers = reallocarray(engine->containers, size, sizeof(*containers));
		if (!containers)
			return -ENOMEM;
		engine->containers = containers;
	}
	engine->containers[engine->count++] = *container;
	return 0;
}

void berth_engine_deinit(struct berth_engine *engine)
{
	if (!engine)
		return;
	for (size_t i = 0; i < engine->count; i++)
		free(engine->containers[i].ports);
	free(engine->containers);
	*engine = (struct berth_engine){ 0 };
}

/* ["/web", "/other/link"]: a link is a name within another container. */
static void take_names(const json_t *names, struct berth_engine_container *container)
{
	for (size_t i = 0; i < json_array_size(names); i++) {
		const json_t *name = json_array_get(names, i);
		const char *text = json_is_string(name) ? json_string_value(name) : "";

		if (set_name(text + (text[0] == '/'), container))
			return;
	}
}

static bool port_of(const json_t *json, struct berth_engine_port *ret_port)
{
	int64_t inside = berth_json_int(json, "PrivatePort", 0);
	int64_t outside = berth_json_int(json, "PublicPort", 0);
	const char *type = berth_json_string(json, "Type", "tcp");
	struct berth_engine_port port = { 0 };

	if (inside < 1 || inside > UINT16_MAX || outside < 0 || outside > UINT16_MAX)
		return false;
	port.container_port = (uint16_t)inside;
	port.host_port = (uint16_t)outside;
	if (strcmp(type, "tcp") == 0)
		port.protocol = IPPROTO_TCP;
	else if (strcmp(type, "udp") == 0)
		port.protocol = IPPROTO_UDP;
	else
		return false;
	berth_str_printable(berth_json_string(json, "IP", ""), (size_t)-1, port.address,
			    sizeof(port.address));
	*ret_port = port;
	return true;
}

static int take_ports(const json_t *ports, struct berth_engine_container *container)
{
	size_t count = json_array_size(ports), kept = 0;
	struct berth_engine_port *taken;

	if (count > PORTS_MAX)
		count = PORTS_MAX;
	if (!count)
		return 0;
	taken = calloc(count, sizeof(*taken));
	if (!taken)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++)
		kept += port_of(json_array_get(ports, i), &taken[kept]);
	container->ports = kept ? reallocarray(taken, kept, sizeof(*taken)) : NULL;
	if (!container->ports)
		free(taken);
	container->port_count = container->ports ? kept : 0;
	return 0;
}

static void take_address(const char *text, struct berth_engine_container *container)
{
	uint8_t raw[16];

	if (inet_pton(strchr(text, ':') ? AF_INET6 : AF_INET, text, raw) != 1)
		return;
	for (size_t i = 0; i < BERTH_ENGINE_ADDRESSES_MAX; i++) {
		if (container->addresses[i][0])
			continue;
		berth_str_copy(container->addresses[i], sizeof(container->addresses[i]), text);
		return;
	}
}

static void take_addresses(const json_t *networks, struct berth_engine_container *container)
{
	const char *name;
	json_t *network;

	json_object_foreach ((json_t *)(uintptr_t)networks, name, network) {
		take_address(berth_json_string(network, "IPAddress", ""), container);
		take_address(berth_json_string(network, "GlobalIPv6Address", ""), container);
	}
}

static int take_container(const json_t *json, const char *name, struct berth_engine *engine)
{
	struct berth_engine_container container = { 0 };
	const json_t *settings = json_object_get(json, "NetworkSettings");
	const char *id = berth_json_string(json, "Id", "");
	int r;

	if (!set_id(id, &container) || berth_engine_find(engine, id))
		return 0;
	take_names(json_object_get(json, "Names"), &container);
	berth_str_printable(berth_json_string(json, "Image", ""), (size_t)-1, container.image,
			    sizeof(container.image));
	berth_str_copy(container.engine, sizeof(container.engine), name);
	take_addresses(json_object_get(settings, "Networks"), &container);
	r = take_ports(json_object_get(json, "Ports"), &container);
	if (r == 0)
		r = berth_engine_add(engine, &container);
	if (r < 0)
		free(container.ports);
	return r;
}

int berth_engine_parse(const char *text, size_t len, const char *name, struct berth_engine *engine)
{
	BERTH_AUTO_JSON json_t *containers = berth_json_parse(text, len);
	int r = 0;

	if (!json_is_array(containers))
		return -EPROTO;
	for (size_t i = 0; i < json_array_size(containers) && r == 0; i++)
		r = take_container(json_array_get(containers, i), name, engine);
	return r == -EFBIG ? 0 : r; /* more than anybody can look at */
}

/* Its value in @line, which is no text of its own; NULL: another header. */
static const char *header_value(const char *line, size_t len, const char *name, size_t *ret_len)
{
	size_t name_len = strlen(name);

	if (len <= name_len || line[name_len] != ':' || strncasecmp(line, name, name_len) != 0)
		return NULL;
	line += name_len + 1;
	len -= name_len + 1;
	while (len && (*line == ' ' || *line == '\t')) {
		line++;
		len--;
	}
	*ret_len = len;
	return line;
}

struct head {
	uint64_t body_len; /* UINT64_MAX: up to the end */
	bool podman;
	bool encoded;
};

/* False: it makes no sense. */
static bool take_header(const char *line, size_t len, struct head *head)
{
	const char *value;
	char digits[24];
	size_t value_len = 0;

	value = header_value(line, len, "Content-Length", &value_len);
	if (value)
		return to_text(value, value_len, digits, sizeof(digits)) &&
		       berth_parse_u64(digits, UINT32_MAX, &head->body_len) == 0;
	head->encoded |= header_value(line, len, "Transfer-Encoding", &value_len) != NULL;
	head->podman |= header_value(line, len, "Libpod-Api-Version", &value_len) != NULL;
	return true;
}

/* The lines of the head; where the body begins, NULL: it makes no sense. */
static const char *parse_head(const char *text, const char *end, struct head *head)
{
	static const char status[] = "HTTP/1.x 200";
	size_t version = strlen("HTTP/1.");
	bool first = true;

	for (;;) {
		const char *line = text;
		const char *newline = memchr(line, '\n', (size_t)(end - line));
		size_t len;

		if (!newline)
			return NULL;
		text = newline + 1;
		len = (size_t)(newline - line);
		if (len && line[len - 1] == '\r')
			len--;
		if (!len)
			return first ? NULL : text;
		if (!first) {
			if (!take_header(line, len, head))
				return NULL;
			continue;
		}
		if (len < sizeof(status) - 1 || memcmp(line, status, version) != 0 ||
		    memcmp(line + version + 1, status + version + 1,
			   sizeof(status) - 1 - version - 1) != 0)
			return NULL;
		first = false;
	}
}

int berth_engine_parse_answer(const char *text, size_t len, const char *name,
			      struct berth_engine *engine)
{
	struct head head = { .body_len = UINT64_MAX };
	const char *body = parse_head(text, text + len, &head);
	size_t rest = body ? len - (size_t)(body - text) : 0;

	/* Who asks by HTTP/1.0 is not answered in pieces. */
	if (!body || head.encoded)
		return -EPROTO;
	if (head.body_len != UINT64_MAX) {
		if (head.body_len > rest)
			return -EPROTO;
		rest = (size_t)head.body_len;
	}
	return berth_engine_parse(body, rest, head.podman ? "podman" : name, engine);
}

/* Copies the word at @args, cut; returns what is behind it. */
static const char *next_word(const char *args, const char *end, char *buf, size_t size)
{
	size_t rest = (size_t)(end - args), len = strnlen(args, rest);

	to_text(args, len, buf, size);
	return len < rest ? args + len + 1 : end;
}

static bool is_one_of(const char *word, const char *const *words)
{
	for (; *words; words++)
		if (strcmp(word, *words) == 0)
			return true;
	return false;
}

bool berth_engine_parse_conmon(const char *args, size_t len,
			       struct berth_engine_container *ret_container)
{
	static const char *const with_value[] = { "-c",
						  "--cid",
						  "-n",
						  "--name",
						  "--exit-command",
						  "--exit-command-arg",
						  "--runtime-arg",
						  NULL };
	static const char *const ids[] = { "-c", "--cid", NULL };
	static const char *const names[] = { "-n", "--name", NULL };
	struct berth_engine_container container = { 0 };
	const char *end = args + len, *engine = "kubernetes"; /* CRI-O has no exit command */

	while (args < end) {
		char option[32], value[256];

		args = next_word(args, end, option, sizeof(option));
		if (!is_one_of(option, with_value))
			continue;
		/* What belongs to an option is none itself. */
		args = next_word(args, end, value, sizeof(value));
		if (is_one_of(option, ids) && !container.id[0])
			(void)set_id(value, &container);
		else if (is_one_of(option, names) && !container.name[0])
			(void)set_name(value, &container);
		else if (strcmp(option, "--exit-command") == 0)
			engine = "podman";
	}
	berth_str_copy(container.engine, sizeof(container.engine), engine);
	if (container.id[0])
		*ret_container = container;
	return container.id[0] != '\0';
}

const struct berth_engine_container *berth_engine_find(const struct berth_engine *engine,
						       const char *id)
{
	size_t len = strlen(id);

	if (len < ID_MIN)
		return NULL;
	for (size_t i = 0; i < engine->count; i++)
		if (strncmp(engine->containers[i].id, id, len) == 0)
			return &engine->containers[i];
	return NULL;
}

const struct berth_engine_container *berth_engine_find_port(const struct berth_engine *engine,
							    uint16_t port, int protocol)
{
	for (size_t i = 0; i < engine->count && port; i++) {
		const struct berth_engine_container *container = &engine->containers[i];

		for (size_t k = 0; k < container->port_count; k++)
			if (container->ports[k].host_port == port &&
			    container->ports[k].protocol == protocol)
				return container;
	}
	return NULL;
}

const struct berth_engine_container *berth_engine_find_target(const struct berth_engine *engine,
							      const char *target)
{
	bool bracket = target[0] == '[';
	const char *host = target + bracket, *colon = strchr(host, ':');
	/* Of IPv6 without brackets all is the address. */
	size_t len = bracket				? strcspn(host, "]")
		     : colon && !strchr(colon + 1, ':') ? (size_t)(colon - host)
							: strlen(host);

	for (size_t i = 0; i < engine->count && len; i++) {
		for (size_t k = 0; k < BERTH_ENGINE_ADDRESSES_MAX; k++) {
			const char *address = engine->containers[i].addresses[k];

			if (strlen(address) == len && memcmp(address, host, len) == 0)
				return &engine->containers[i];
		}
	}
	return NULL;
}
