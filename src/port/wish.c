/* SPDX-License-Identifier: MIT */
/* port/wish.c - which ports a service would like: flags and environment as one value */
#include "port/wish.h"

#include <errno.h>
#include <string.h>

#include "base/parse.h"
#include "base/str.h"

enum {
	PRIVILEGED_END = 1024
};

/* What the user typed, as much of it as a message wants to repeat. */
struct shown {
	char text[64];
};

static const char *show(const char *text, size_t len, struct shown *shown)
{
	return berth_str_printable(text, len, shown->text, sizeof(shown->text));
}

static bool is_name(const char *text, size_t len)
{
	if (len == 0 || len >= BERTH_PORT_NAME_MAX || text[0] < 'a' || text[0] > 'z')
		return false;
	for (size_t i = 1; i < len; i++) {
		if (!(text[i] >= 'a' && text[i] <= 'z') && !(text[i] >= '0' && text[i] <= '9') &&
		    text[i] != '-')
			return false;
	}
	return !(len == 4 && !memcmp(text, "none", 4)) && !(len == 3 && !memcmp(text, "any", 3));
}

static int refuse_number(const char *text, size_t len, int r, struct berth_err *err)
{
	struct shown shown;
	struct berth_range range;
	char word[16];

	show(text, len, &shown);
	if (r == -ERANGE) {
		berth_err_set(err, -EINVAL, BERTH_ERR_USAGE, "port '%s' is not in 1-65535",
			      shown.text);
		if (len > 0 && strspn(text, "0") >= len)
			berth_err_hint(err, "for a number of the kernel's choice: --any");
		return -EINVAL;
	}
	berth_err_set(err, -EINVAL, BERTH_ERR_USAGE, "'%s' is no port number", shown.text);
	if (len < sizeof(word)) {
		memcpy(word, text, len);
		word[len] = '\0';
		if (berth_range_parse(word, &range) == 0)
			berth_err_hint(err, "ranges go to --range");
		else if (!strcmp(word, "any"))
			berth_err_hint(err, "for a number of the kernel's choice: --any");
	}
	return -EINVAL;
}

/* "8080,8090", @len bytes. */
static int parse_list(const char *text, size_t len, struct berth_wish_port *port,
		      struct berth_err *err)
{
	for (;;) {
		const char *comma = memchr(text, ',', len);
		size_t item_len = comma ? (size_t)(comma - text) : len;
		char item[16];
		uint16_t number;
		int r = -EINVAL;

		/* No port takes that many digits. */
		if (item_len < sizeof(item)) {
			memcpy(item, text, item_len);
			item[item_len] = '\0';
			r = berth_parse_port(item, &number);
		}
		if (r < 0)
			return refuse_number(text, item_len, r, err);
		if (port->list_len == BERTH_WISH_LIST_MAX)
			return berth_err_set(err, -EINVAL, BERTH_ERR_USAGE,
					     "more than %d numbers for port '%s'",
					     BERTH_WISH_LIST_MAX, port->name);
		port->list[port->list_len++] = number;
		if (!comma)
			return 0;
		text = comma + 1;
		len -= item_len + 1;
	}
}

/* One argument, whole: [NAME=]LIST[/tcp|/udp]. */
static int parse_port(const char *text, struct berth_wish_port *ret_port, struct berth_err *err)
{
	struct berth_wish_port port = { .name = "main" };
	const char *equals = strchr(text, '='), *slash;
	struct shown shown;
	size_t len;
	int r;

	if (equals) {
		len = (size_t)(equals - text);
		if (!is_name(text, len)) {
			berth_err_set(err, -EINVAL, BERTH_ERR_USAGE, "'%s' is no name for a port",
				      show(text, len, &shown));
			berth_err_hint(err, "lower-case letters, digits and '-', a letter first, "
					    "at most 31, not 'none' or 'any'");
			return -EINVAL;
		}
		memcpy(port.name, text, len);
		port.name[len] = '\0';
		text = equals + 1;
	}
	slash = strchr(text, '/');
	len = slash ? (size_t)(slash - text) : strlen(text);
	if (slash && !strcmp(slash, "/udp"))
		port.udp = true;
	else if (slash && strcmp(slash, "/tcp"))
		return berth_err_set(err, -EINVAL, BERTH_ERR_USAGE,
				     "'%s' is no protocol, only /tcp and /udp are",
				     show(slash, (size_t)-1, &shown));
	r = parse_list(text, len, &port, err);
	if (r < 0)
		return r;
	*ret_port = port;
	return 0;
}

/* To those that are there; fallbacks to the one of its name. */
static int add_parsed(struct berth_wish *wish, const struct berth_wish_port *port,
		      struct berth_err *err)
{
	struct berth_wish_port *old = NULL;

	for (size_t i = 0; i < wish->port_count; i++) {
		if (!strcmp(wish->ports[i].name, port->name))
			old = &wish->ports[i];
	}
	if (!old) {
		if (wish->port_count == BERTH_WISH_PORTS_MAX)
			return berth_err_set(err, -EINVAL, BERTH_ERR_USAGE,
					     "more than %d ports for one service",
					     BERTH_WISH_PORTS_MAX);
		wish->ports[wish->port_count++] = *port;
		return 0;
	}
	if (old->list_len > 0 && old->udp != port->udp) {
		berth_err_set(err, -EINVAL, BERTH_ERR_USAGE, "port '%s' is both TCP and UDP",
			      port->name);
		berth_err_hint(err, "give each a name of its own");
		return -EINVAL;
	}
	if (old->list_len + port->list_len > BERTH_WISH_LIST_MAX)
		return berth_err_set(err, -EINVAL, BERTH_ERR_USAGE,
				     "more than %d numbers for port '%s'", BERTH_WISH_LIST_MAX,
				     port->name);
	memcpy(old->list + old->list_len, port->list, port->list_len * sizeof(port->list[0]));
	old->list_len += port->list_len;
	old->udp = port->udp;
	return 0;
}

int berth_wish_add_port(struct berth_wish *wish, const char *text, bool *ret_none,
			struct berth_err *err)
{
	struct berth_wish_port port;
	struct shown shown;
	int r;

	if (!strcmp(text, "none")) {
		*ret_none = true;
		return 0;
	}
	r = parse_port(text, &port, err);
	if (r < 0)
		return berth_err_wrap(err, r, "--port '%s'", show(text, (size_t)-1, &shown));
	return add_parsed(wish, &port, err);
}

int berth_wish_add(struct berth_wish *wish, const char *text, struct berth_err *err)
{
	struct berth_wish_port port;
	int r = parse_port(text, &port, err);

	return r < 0 ? r : add_parsed(wish, &port, err);
}

static void move_range(struct berth_range *range, uint16_t number)
{
	uint32_t hi = (uint32_t)number + (uint32_t)(range->hi - range->lo);

	if (!range->lo || berth_range_has(range, number))
		return;
	*range = (struct berth_range){ number, hi > UINT16_MAX ? UINT16_MAX : (uint16_t)hi };
}

/* @number first; it stays in the list only once. */
static void put_first(struct berth_wish_port *port, uint16_t number)
{
	size_t at = 0;

	if (port->list_len && !port->alias && port->list[0] != number)
		port->alias = port->list[0];
	while (at < port->list_len && port->list[at] != number)
		at++;
	if (at == port->list_len) {
		/* The old wish gives way; it is no fallback that anybody has named. */
		port->list_len += !port->list_len;
		at = 0;
	}
	memmove(&port->list[1], &port->list[0], at * sizeof(port->list[0]));
	port->list[0] = number;
}

void berth_wish_move(struct berth_wish *wish, size_t index, uint16_t number)
{
	struct berth_wish_port *moved = &wish->ports[index];
	int32_t distance = moved->list_len ? number - moved->list[0] : 0;

	for (size_t i = 0; i < wish->port_count && distance; i++) {
		int32_t other = wish->ports[i].list_len ? wish->ports[i].list[0] + distance : 0;

		if (i != index && other > 0 && other <= UINT16_MAX)
			put_first(&wish->ports[i], (uint16_t)other);
	}
	put_first(moved, number);
	moved->moved = true;
	move_range(&wish->range, number);
}

/* Within one list; @port may have no wish at all. */
static int check_port(const struct berth_wish *wish, const struct berth_wish_port *port,
		      struct berth_err *err)
{
	const struct berth_range *range = &wish->range;
	struct berth_portset *seen BERTH_AUTO_FREE = calloc(1, sizeof(*seen));

	if (!seen)
		return berth_err_errno(err, -ENOMEM, "cannot check the ports");
	for (size_t i = 0; i < port->list_len; i++) {
		if (berth_portset_has(seen, port->list[i]))
			return berth_err_set(err, -EINVAL, BERTH_ERR_USAGE,
					     "port '%s' names %u twice", port->name, port->list[i]);
		berth_portset_add(seen, (struct berth_range){ port->list[i], port->list[i] });
	}
	/* From a privileged wish the search goes on elsewhere anyway (80 -> 8080). */
	if (port->list_len > 0 && port->list[0] >= PRIVILEGED_END && range->lo != 0 &&
	    !berth_range_has(range, port->list[0])) {
		berth_err_set(err, -EINVAL, BERTH_ERR_USAGE,
			      "port '%s' wishes %u, which is not in the range %u-%u", port->name,
			      port->list[0], range->lo, range->hi);
		berth_err_hint(err, "the search begins at the wish and stays in the range");
		return -EINVAL;
	}
	return 0;
}

/* Two ports of one group. */
static int check_pair(const struct berth_wish_port *a, const struct berth_wish_port *b,
		      struct berth_err *err)
{
	if (a->list_len > 1 && b->list_len > 1 && a->list_len != b->list_len) {
		berth_err_set(err, -EINVAL, BERTH_ERR_USAGE,
			      "ports '%s' and '%s' have lists of different length (%zu, %zu)",
			      a->name, b->name, a->list_len, b->list_len);
		berth_err_hint(err, "ports of one service are tried in step: first with first, "
				    "second with second");
		return -EINVAL;
	}
	for (size_t i = 0; i < a->list_len && i < b->list_len; i++) {
		if (a->udp == b->udp && a->list[i] == b->list[i])
			return berth_err_set(err, -EINVAL, BERTH_ERR_USAGE,
					     "ports '%s' and '%s' both wish %u", a->name, b->name,
					     a->list[i]);
	}
	return 0;
}

int berth_wish_check(const struct berth_wish *wish, struct berth_err *err)
{
	int r;

	for (size_t i = 0; i < wish->port_count; i++) {
		r = check_port(wish, &wish->ports[i], err);
		if (r < 0)
			return r;
		for (size_t k = 0; k < i; k++) {
			r = check_pair(&wish->ports[k], &wish->ports[i], err);
			if (r < 0)
				return r;
		}
	}
	return 0;
}
