/* SPDX-License-Identifier: MIT */
/*
 * look/nft.c - the JSON of nft(8), pure
 *
 * A rule is a list of expressions. Those that ask for the port, address or protocol a packet goes
 * to narrow down what the rule is for; a set there makes it several rules of ours. What else is
 * asked for, and all that is negated, is taken for true. dnat, redirect, jump, goto and maps of
 * these end it. Rules that iptables(8) made hold what nft can't tell ("xt"): that is noted, for
 * iptables-save(8) to tell.
 */
#include "look/nft.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/str.h"

enum {
	WHENS_MAX = 1 << 16, /* of one rule; more (a set of half the internet) says nothing of us */
	FIELDS_MAX = 8,
	CHAIN_MAX = 512, /* "inet TABLE CHAIN", each name at most 127 bytes (NFT_NAME_MAXLEN) */
};

enum field {
	FIELD_OTHER,
	FIELD_PORT,
	FIELD_ADDRESS,
	FIELD_PROTOCOL,
};

/* What a match or a map looks at: one field, or several ("concat"). */
struct key {
	enum field fields[FIELDS_MAX];
	size_t count;
	int protocol; /* of the port: 0 both, negative none that we know */
};

/* What a packet must be like for the rule so far: one of these. */
struct whens {
	struct berth_ruleset_when *items; /* owned */
	size_t count;
};

struct parser {
	struct berth_ruleset *set;
	json_t *sets; /* sets and maps by "family table name"; owned */
	const char *family, *table; /* of the rule, with */
	char chain[CHAIN_MAX]; /* its name within all */
	char container[BERTH_NAT_CONTAINER_MAX];
};

static bool name_of(const json_t *object, const char *name, char buf[CHAIN_MAX])
{
	const char *family = berth_json_string(object, "family", NULL);
	const char *table = berth_json_string(object, "table", NULL);

	if (!family || !table || !name)
		return false;
	return snprintf(buf, CHAIN_MAX, "%s %s %s", family, table, name) < CHAIN_MAX;
}

static enum field field_of(const json_t *expr, int *protocol)
{
	const json_t *payload = json_object_get(expr, "payload");
	const char *of = berth_json_string(payload, "protocol", "");
	const char *field = berth_json_string(payload, "field", "");
	const char *meta = berth_json_string(json_object_get(expr, "meta"), "key", "");

	if (strcmp(field, "dport") == 0) {
		*protocol = 0;
		if (berth_ruleset_protocol(of, protocol) < 0)
			*protocol = -1;
		return FIELD_PORT;
	}
	if (strcmp(field, "daddr") == 0 && (strcmp(of, "ip") == 0 || strcmp(of, "ip6") == 0))
		return FIELD_ADDRESS;
	if (strcmp(meta, "l4proto") == 0 ||
	    (strcmp(of, "ip") == 0 && strcmp(field, "protocol") == 0) ||
	    (strcmp(of, "ip6") == 0 && strcmp(field, "nexthdr") == 0))
		return FIELD_PROTOCOL;
	return FIELD_OTHER;
}

/* False: nothing in it that matters to us. */
static bool key_of(const json_t *expr, struct key *ret_key)
{
	const json_t *parts = json_object_get(expr, "concat");
	struct key key = { 0 };
	bool matters = false;

	key.count = parts ? json_array_size(parts) : 1;
	if (key.count > FIELDS_MAX)
		return false;
	for (size_t i = 0; i < key.count; i++) {
		key.fields[i] = field_of(parts ? json_array_get(parts, i) : expr, &key.protocol);
		matters |= key.fields[i] != FIELD_OTHER;
	}
	*ret_key = key;
	return matters;
}

static bool port_of(const json_t *value, uint16_t *ret_lo, uint16_t *ret_hi)
{
	const json_t *range = json_object_get(value, "range");
	const json_t *first = range ? json_array_get(range, 0) : value;
	const json_t *last = range ? json_array_get(range, 1) : value;
	json_int_t lo = json_integer_value(first), hi = json_integer_value(last);

	if (!json_is_integer(first) || !json_is_integer(last) || lo < 0 || hi < 1 || lo > hi ||
	    hi > UINT16_MAX)
		return false;
	*ret_lo = lo ? (uint16_t)lo : 1;
	*ret_hi = (uint16_t)hi;
	return true;
}

/* Text, number or prefix; "" where it is something else. */
static void text_of(const json_t *value, char *buf, size_t size)
{
	const json_t *prefix = json_object_get(value, "prefix");
	const json_t *range = json_object_get(value, "range");

	buf[0] = '\0';
	if (json_is_string(value))
		berth_str_copy(buf, size, json_string_value(value));
	else if (json_is_integer(value))
		snprintf(buf, size, "%lld", (long long)json_integer_value(value));
	else if (prefix)
		snprintf(buf, size, "%s/%lld", berth_json_string(prefix, "addr", ""),
			 (long long)berth_json_int(prefix, "len", 0));
	else if (json_is_string(json_array_get(range, 0)))
		snprintf(buf, size, "%s-%s", json_string_value(json_array_get(range, 0)),
			 json_is_string(json_array_get(range, 1))
				 ? json_string_value(json_array_get(range, 1))
				 : "");
	else if (json_is_integer(json_array_get(range, 0)))
		snprintf(buf, size, "%lld-%lld",
			 (long long)json_integer_value(json_array_get(range, 0)),
			 (long long)json_integer_value(json_array_get(range, 1)));
}

/* What @value of @field asks for. False: nothing that we know of is so. */
static bool narrow_by_field(enum field field, int protocol, const json_t *value,
			    struct berth_ruleset_when *when)
{
	struct berth_ruleset_when also = { 0 };
	char name[32];

	switch (field) {
	case FIELD_PORT:
		if (protocol < 0)
			return false;
		also.protocol = protocol;
		if (!port_of(value, &also.port_lo, &also.port_hi))
			return true;
		break;
	case FIELD_ADDRESS:
		if (!json_object_get(value, "range"))
			text_of(value, also.address, sizeof(also.address));
		break;
	case FIELD_PROTOCOL:
		text_of(value, name, sizeof(name));
		if (berth_ruleset_protocol(name, &also.protocol) < 0)
			return false;
		break;
	case FIELD_OTHER:
		return true;
	}
	return berth_ruleset_narrow(when, &also);
}

static bool narrow_by_key(const struct key *key, const json_t *element,
			  struct berth_ruleset_when *when)
{
	const json_t *wrapped = json_object_get(json_object_get(element, "elem"), "val");
	const json_t *parts;

	if (wrapped)
		element = wrapped; /* with a timeout, counter or comment of its own */
	if (key->count == 1)
		return narrow_by_field(key->fields[0], key->protocol, element, when);
	parts = json_object_get(element, "concat");
	if (json_array_size(parts) != key->count)
		return true;
	for (size_t i = 0; i < key->count; i++)
		if (!narrow_by_field(key->fields[i], key->protocol, json_array_get(parts, i), when))
			return false;
	return true;
}

/* The elements of a literal set, a named one ("@web") or a single value. New reference, or NULL. */
static json_t *elements_of(const struct parser *parser, json_t *value)
{
	json_t *set = json_object_get(value, "set");
	char name[CHAIN_MAX];
	json_t *single;

	if (json_is_string(value) && json_string_value(value)[0] == '@') {
		if (snprintf(name, sizeof(name), "%s %s %s", parser->family, parser->table,
			     json_string_value(value) + 1) >= (int)sizeof(name))
			return NULL;
		return json_incref(json_object_get(parser->sets, name));
	}
	if (set)
		value = set;
	if (json_is_array(value))
		return json_incref(value);
	single = json_array();
	if (single && json_array_append(single, value) < 0) {
		json_decref(single);
		return NULL;
	}
	return single;
}

/* Each of what it was with each of the elements. */
static int narrow(struct whens *whens, const struct key *key, const json_t *elements)
{
	BERTH_AUTO_FREE struct berth_ruleset_when *items = NULL;
	size_t each = json_array_size(elements), count = 0;

	if (each > WHENS_MAX || whens->count * each > WHENS_MAX)
		return 0;
	items = calloc(whens->count * each + 1, sizeof(*items));
	if (!items)
		return -ENOMEM;
	for (size_t i = 0; i < whens->count; i++) {
		for (size_t k = 0; k < each; k++) {
			items[count] = whens->items[i];
			count += narrow_by_key(key, json_array_get(elements, k), &items[count]);
		}
	}
	free(whens->items);
	whens->items = BERTH_STEAL(items);
	whens->count = count;
	return 0;
}

/* "tcp dport >= 60000" as the range that it is; NULL: no such comparison. New reference. */
static json_t *range_of_comparison(const char *op, const json_t *value)
{
	json_int_t number = json_integer_value(value);

	if (!json_is_integer(value) || number < 0 || number > UINT16_MAX)
		return NULL;
	if (strcmp(op, ">=") == 0 || strcmp(op, ">") == 0)
		return json_pack("[{s:[I,i]}]", "range", number + (op[1] ? 0 : 1), UINT16_MAX);
	if (strcmp(op, "<=") == 0 || strcmp(op, "<") == 0)
		return json_pack("[{s:[i,I]}]", "range", 1, number - (op[1] ? 0 : 1));
	return NULL;
}

static int on_match(const struct parser *parser, const json_t *match, struct whens *whens)
{
	const char *op = berth_json_string(match, "op", "");
	json_t *right = json_object_get(match, "right");
	BERTH_AUTO_JSON json_t *elements = NULL;
	struct key key;

	if (!right || !key_of(json_object_get(match, "left"), &key))
		return 0;
	if (strcmp(op, "==") == 0)
		elements = elements_of(parser, right);
	else if (key.fields[0] == FIELD_PORT && key.count == 1)
		elements = range_of_comparison(op, right);
	return elements ? narrow(whens, &key, elements) : 0;
}

static int emit(struct parser *parser, const struct whens *whens, const char *jump,
		const char *target)
{
	struct berth_ruleset_rule rule = { 0 };
	int r = 0;

	berth_str_copy(rule.target, sizeof(rule.target), target);
	berth_str_copy(rule.container, sizeof(rule.container), parser->container);
	for (size_t i = 0; i < whens->count && r == 0; i++) {
		rule.when = whens->items[i];
		r = berth_ruleset_add(parser->set, parser->chain, jump, &rule);
	}
	return r;
}

/* {"jump":{"target":"web"}}; another verdict leads nowhere. */
static int on_verdict(struct parser *parser, const json_t *verdict, const struct whens *whens)
{
	static const char *const words[] = { "jump", "goto" };
	char jump[CHAIN_MAX];

	for (size_t i = 0; i < BERTH_ARRAY_SIZE(words); i++) {
		const char *to =
			berth_json_string(json_object_get(verdict, words[i]), "target", NULL);

		if (to && snprintf(jump, sizeof(jump), "%s %s %s", parser->family, parser->table,
				   to) < (int)sizeof(jump))
			return emit(parser, whens, jump, "");
	}
	return 0;
}

/* "10.0.0.2:80", "[fd00::2]:80", ":8443"; false: nowhere else. */
static bool target_of(const json_t *addr, const json_t *port, char buf[BERTH_NAT_TARGET_MAX])
{
	const json_t *parts = json_object_get(addr, "concat");
	char host[BERTH_NAT_ADDRESS_MAX], number[16];

	if (parts) {
		addr = json_array_get(parts, 0);
		port = json_array_get(parts, 1);
	}
	text_of(addr, host, sizeof(host));
	text_of(port, number, sizeof(number));
	if (!number[0])
		snprintf(buf, BERTH_NAT_TARGET_MAX, "%s", host);
	else
		snprintf(buf, BERTH_NAT_TARGET_MAX, strchr(host, ':') ? "[%s]:%s" : "%s:%s", host,
			 number);
	return buf[0] != '\0';
}

/* Where a map tells: for each element what it is for, and what comes of it and of @other. */
static int on_map(struct parser *parser, const json_t *map, const struct whens *before,
		  int (*fn)(struct parser *parser, const json_t *value, const json_t *other,
			    const struct whens *whens),
		  const json_t *other)
{
	BERTH_AUTO_JSON json_t *elements = elements_of(parser, json_object_get(map, "data"));
	struct key key;
	bool matters = key_of(json_object_get(map, "key"), &key);
	int r = 0;

	for (size_t i = 0; i < json_array_size(elements) && r == 0; i++) {
		const json_t *pair = json_array_get(elements, i);
		BERTH_AUTO_JSON json_t *single = json_pack("[O]", json_array_get(pair, 0));
		struct whens whens = { .count = before->count };

		if (json_array_size(pair) != 2 || !single)
			continue;
		whens.items = malloc((before->count + 1) * sizeof(*whens.items));
		if (!whens.items)
			return -ENOMEM;
		memcpy(whens.items, before->items, before->count * sizeof(*whens.items));
		if (matters)
			r = narrow(&whens, &key, single);
		if (r == 0)
			r = fn(parser, json_array_get(pair, 1), other, &whens);
		free(whens.items);
		if (!matters) /* one of them, who knows which */
			break;
	}
	return r;
}

static int on_verdict_of_map(struct parser *parser, const json_t *value, const json_t *port,
			     const struct whens *whens)
{
	(void)port;
	return on_verdict(parser, value, whens);
}

static int on_target(struct parser *parser, const json_t *value, const json_t *port,
		     const struct whens *whens)
{
	char target[BERTH_NAT_TARGET_MAX];

	return target_of(value, port, target) ? emit(parser, whens, NULL, target) : 0;
}

/* The same where it is the number that a map tells: @addr is for all of its elements. */
static int on_target_port(struct parser *parser, const json_t *value, const json_t *addr,
			  const struct whens *whens)
{
	return on_target(parser, addr, value, whens);
}

/* dnat or redirect: to an address, a port or both, of which one may be a map's. */
static int on_nat(struct parser *parser, const json_t *nat, const struct whens *whens)
{
	const json_t *addr = json_object_get(nat, "addr"), *port = json_object_get(nat, "port");
	const json_t *addr_map = json_object_get(addr, "map");
	const json_t *port_map = json_object_get(port, "map");

	if (addr_map)
		return on_map(parser, addr_map, whens, on_target, port);
	if (port_map)
		return on_map(parser, port_map, whens, on_target_port, addr);
	return on_target(parser, addr, port, whens);
}

static int on_expression(struct parser *parser, const json_t *expr, struct whens *whens)
{
	const json_t *match = json_object_get(expr, "match"), *dnat = json_object_get(expr, "dnat");
	const json_t *vmap = json_object_get(expr, "vmap");
	const json_t *redirect = json_object_get(expr, "redirect");

	if (json_object_get(expr, "xt")) {
		parser->set->foreign4 |= strcmp(parser->family, "ip") == 0;
		parser->set->foreign6 |= strcmp(parser->family, "ip6") == 0;
		return 0;
	}
	if (match)
		return on_match(parser, match, whens);
	if (dnat || redirect)
		return on_nat(parser, dnat ? dnat : redirect, whens);
	if (vmap)
		return on_map(parser, vmap, whens, on_verdict_of_map, NULL);
	return on_verdict(parser, expr, whens);
}

static int on_rule(struct parser *parser, const json_t *rule)
{
	const json_t *exprs = json_object_get(rule, "expr");
	struct whens whens = { .count = 1 };
	int r = 0;

	if (!name_of(rule, berth_json_string(rule, "chain", NULL), parser->chain))
		return 0;
	parser->family = berth_json_string(rule, "family", "");
	parser->table = berth_json_string(rule, "table", "");
	berth_ruleset_container_of(berth_json_string(rule, "comment", ""), parser->container);
	whens.items = calloc(1, sizeof(*whens.items));
	if (!whens.items)
		return -ENOMEM;
	for (size_t i = 0; i < json_array_size(exprs) && r == 0 && whens.count; i++)
		r = on_expression(parser, json_array_get(exprs, i), &whens);
	free(whens.items);
	return r;
}

static int on_chain(struct parser *parser, const json_t *chain)
{
	const char *hook = berth_json_string(chain, "hook", "");
	char name[CHAIN_MAX];

	/* From outside, and from this machine itself. */
	if (strcmp(hook, "prerouting") != 0 && strcmp(hook, "output") != 0)
		return 0;
	if (strcmp(berth_json_string(chain, "type", ""), "nat") != 0 ||
	    !name_of(chain, berth_json_string(chain, "name", NULL), name))
		return 0;
	return berth_ruleset_add_hook(parser->set, name);
}

static int on_set(struct parser *parser, const json_t *set)
{
	json_t *elements = json_object_get(set, "elem");
	char name[CHAIN_MAX];

	if (!json_is_array(elements) || !name_of(set, berth_json_string(set, "name", NULL), name))
		return 0;
	return json_object_set(parser->sets, name, elements) < 0 ? -ENOMEM : 0;
}

static int each(struct parser *parser, const json_t *objects, const char *kind,
		int (*fn)(struct parser *parser, const json_t *object))
{
	int r = 0;

	for (size_t i = 0; i < json_array_size(objects) && r == 0; i++) {
		const json_t *object = json_object_get(json_array_get(objects, i), kind);

		if (object)
			r = fn(parser, object);
	}
	return r;
}

int berth_nft_parse(const char *text, size_t len, struct berth_ruleset *set)
{
	/* Before it there may be remarks ("# Warning: table ip nat is managed by ..."). */
	const char *begin = memchr(text, '{', len);
	BERTH_AUTO_JSON json_t *root = NULL;
	BERTH_AUTO_JSON json_t *sets = NULL;
	struct parser parser = { .set = set };
	const json_t *objects;
	int r;

	root = begin ? berth_json_parse(begin, len - (size_t)(begin - text)) : NULL;
	objects = json_object_get(root, "nftables");
	if (!json_is_array(objects))
		return -EPROTO;
	parser.sets = sets = json_object();
	if (!sets)
		return -ENOMEM;
	r = each(&parser, objects, "set", on_set);
	r = r ? r : each(&parser, objects, "map", on_set);
	r = r ? r : each(&parser, objects, "chain", on_chain);
	return r ? r : each(&parser, objects, "rule", on_rule);
}
