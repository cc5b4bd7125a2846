/* SPDX-License-Identifier: MIT */
/*
 * look/iptables.c - the text of iptables-save(8), pure
 *
 *     *nat
 *     :PREROUTING ACCEPT [0:0]
 *     -A DOCKER ! -i docker0 -p tcp -m tcp --dport 8080 -j DNAT --to-destination 172.17.0.2:80
 *     COMMIT
 *
 * What is negated, and what we do not look at (interfaces, sources, states), is taken for true.
 */
#include "look/iptables.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/parse.h"
#include "base/str.h"

enum {
	LINE_MAX_LEN = 4096,
	WORDS_MAX = 128,
	PORTS_MAX = 15, /* of -m multiport (XT_MULTI_PORTS) */
	CHAIN_MAX = 128,
};

struct ports {
	struct {
		uint16_t lo, hi;
	} ranges[PORTS_MAX];
	size_t count; /* 0: any */
};

struct line {
	char text[LINE_MAX_LEN]; /* its words, each with a NUL behind it */
	const char *words[WORDS_MAX];
	size_t count;
};

/* What a rule line says. Pointers into it. */
struct rule {
	const char *chain, *jump;
	struct berth_ruleset_rule told;
	struct ports ports;
	bool never; /* for a protocol that is not ours */
};

/* Words are divided by blanks, or stand in "" with \ before what would end them. */
static bool split(const char *text, size_t len, struct line *line)
{
	bool quoted = false, inside = false;
	size_t at = 0;

	line->count = 0;
	if (len >= sizeof(line->text))
		return false;
	for (size_t i = 0; i < len; i++) {
		char c = text[i];

		if (!quoted && (c == ' ' || c == '\t' || c == '\r')) {
			if (inside)
				line->text[at++] = '\0';
			inside = false;
			continue;
		}
		if (!inside) {
			if (line->count == WORDS_MAX)
				return false;
			line->words[line->count++] = line->text + at;
			inside = true;
		}
		if (c == '"') {
			quoted = !quoted;
			continue;
		}
		if (quoted && c == '\\' && i + 1 < len)
			c = text[++i];
		line->text[at++] = c ? c : ' ';
	}
	line->text[at] = '\0';
	return true;
}

/* "80", "1024:2047", "1024:", ":80" */
static bool parse_range(const char *text, uint16_t *ret_lo, uint16_t *ret_hi)
{
	const char *colon = strchr(text, ':');
	char first[8] = "1";
	uint64_t lo = 0, hi = 0;

	if (colon && colon != text &&
	    (size_t)snprintf(first, sizeof(first), "%.*s", (int)(colon - text), text) >=
		    sizeof(first))
		return false;
	if (berth_parse_u64(colon ? first : text, UINT16_MAX, &lo) < 0)
		return false;
	hi = colon ? UINT16_MAX : lo;
	if (colon && colon[1] && berth_parse_u64(colon + 1, UINT16_MAX, &hi) < 0)
		return false;
	if (!hi || lo > hi)
		return false;
	*ret_lo = lo ? (uint16_t)lo : 1;
	*ret_hi = (uint16_t)hi;
	return true;
}

/* "80,443,8000:8010". What is no list of ports says nothing. */
static void parse_ports(const char *text, struct ports *ret_ports)
{
	struct ports ports = { 0 };
	char item[16];

	while (*text) {
		size_t len = strcspn(text, ",");

		if (ports.count == PORTS_MAX || len >= sizeof(item))
			return;
		memcpy(item, text, len);
		item[len] = '\0';
		if (!parse_range(item, &ports.ranges[ports.count].lo,
				 &ports.ranges[ports.count].hi))
			return;
		ports.count++;
		text += len + (text[len] == ',');
	}
	*ret_ports = ports;
}

/* A single address is told as 127.0.0.1/32. */
static void set_address(const char *text, char buf[BERTH_NAT_ADDRESS_MAX])
{
	const char *whole = strchr(text, ':') ? "/128" : "/32";
	const char *slash = strchr(text, '/');
	size_t len = slash && strcmp(slash, whole) == 0 ? (size_t)(slash - text) : strlen(text);

	if (len < BERTH_NAT_ADDRESS_MAX) {
		memcpy(buf, text, len);
		buf[len] = '\0';
	}
}

static bool is_one_of(const char *word, const char *const *words)
{
	for (; *words; words++)
		if (strcmp(word, *words) == 0)
			return true;
	return false;
}

/* False: not one of these, so that what follows may be an option, too. */
static bool take_option(const char *option, const char *value, struct rule *rule)
{
	static const char *const protocols[] = { "-p", "--protocol", NULL };
	static const char *const ports[] = { "--dport", "--destination-port", "--dports",
					     "--destination-ports", NULL };
	static const char *const addresses[] = { "-d", "--destination", NULL };
	static const char *const jumps[] = { "-j", "--jump", "-g", "--goto", NULL };

	if (is_one_of(option, protocols))
		rule->never |= berth_ruleset_protocol(value, &rule->told.when.protocol) < 0;
	else if (is_one_of(option, ports))
		parse_ports(value, &rule->ports);
	else if (is_one_of(option, addresses))
		set_address(value, rule->told.when.address);
	else if (is_one_of(option, jumps))
		rule->jump = value;
	else if (strcmp(option, "--to-destination") == 0)
		berth_str_copy(rule->told.target, sizeof(rule->told.target), value);
	else if (strcmp(option, "--to-ports") == 0)
		snprintf(rule->told.target, sizeof(rule->told.target), ":%s", value);
	else if (strcmp(option, "--comment") == 0)
		berth_ruleset_container_of(value, rule->told.container);
	else
		return false;
	return true;
}

/* One rule for each of its ports. */
static int add_rule(struct berth_ruleset *set, const char *family, struct rule *rule)
{
	static const char *const ends[] = { "DNAT", "REDIRECT", NULL };
	char chain[CHAIN_MAX], jump[CHAIN_MAX];
	size_t count = rule->ports.count ? rule->ports.count : 1;
	bool is_end = is_one_of(rule->jump, ends);

	/* REDIRECT without a port leaves the number what it is. */
	if (is_end && !rule->told.target[0])
		return 0;
	if (snprintf(chain, sizeof(chain), "%s nat %s", family, rule->chain) >=
		    (int)sizeof(chain) ||
	    snprintf(jump, sizeof(jump), "%s nat %s", family, rule->jump) >= (int)sizeof(jump))
		return 0;
	for (size_t i = 0; i < count; i++) {
		int r;

		if (rule->ports.count) {
			rule->told.when.port_lo = rule->ports.ranges[i].lo;
			rule->told.when.port_hi = rule->ports.ranges[i].hi;
		}
		r = berth_ruleset_add(set, chain, is_end ? NULL : jump, &rule->told);
		if (r < 0)
			return r;
	}
	return 0;
}

/* -A CHAIN, then options; each that is of interest here has one value. */
static int on_rule(struct berth_ruleset *set, const char *family, const struct line *line)
{
	struct rule rule = { .chain = line->words[1] };

	for (size_t i = 2; i + 1 < line->count; i++) {
		if (strcmp(line->words[i], "!") == 0)
			i += 2;
		else if (take_option(line->words[i], line->words[i + 1], &rule))
			i++;
	}
	return rule.jump && !rule.never ? add_rule(set, family, &rule) : 0;
}

static int on_line(struct berth_ruleset *set, const char *family, const struct line *line)
{
	static const char *const hooks[] = { ":PREROUTING", ":OUTPUT", NULL };
	char chain[CHAIN_MAX];

	if (line->count > 1 && strcmp(line->words[0], "-A") == 0)
		return on_rule(set, family, line);
	if (!is_one_of(line->words[0], hooks))
		return 0;
	snprintf(chain, sizeof(chain), "%s nat %s", family, line->words[0] + 1);
	return berth_ruleset_add_hook(set, chain);
}

int berth_iptables_parse(const char *text, size_t len, const char *family,
			 struct berth_ruleset *set)
{
	bool in_nat = false;

	while (len > 0) {
		const char *end = memchr(text, '\n', len);
		size_t line_len = end ? (size_t)(end - text) : len;
		struct line line;
		int r = 0;

		if (split(text, line_len, &line) && line.count) {
			if (line.words[0][0] == '*')
				in_nat = strcmp(line.words[0], "*nat") == 0;
			else if (in_nat)
				r = on_line(set, family, &line);
		}
		if (r < 0)
			return r;
		line_len += end != NULL;
		text += line_len;
		len -= line_len;
	}
	return 0;
}
