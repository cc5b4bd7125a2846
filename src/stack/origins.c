/* SPDX-License-Identifier: MIT */
/* stack/origins.c - whose pages a service answers: the value of BERTH_CORS_ORIGINS */
#include "stack/origins.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/parse.h"

enum {
	ORIGIN_SIZE = 300 /* a host name has 253 bytes */
};

static const struct {
	const char *scheme;
	uint16_t port; /* left out by browsers */
} page_schemes[] = { { "http", 80 }, { "https", 443 } };

static const char *const hosts[] = { "localhost", "127.0.0.1", "[::1]" };

static bool has(const struct berth_str *list, const char *origin)
{
	const char *text = list->text ? list->text : "";
	size_t len = strlen(origin);

	while (*text) {
		size_t item = strcspn(text, ",");

		if (item == len && memcmp(text, origin, len) == 0)
			return true;
		text += item + (text[item] == ',');
	}
	return false;
}

static int add(struct berth_str *list, const char *origin)
{
	if (has(list, origin))
		return 0;
	if (list->len + strlen(origin) + 1 > BERTH_ORIGINS_LEN_MAX)
		return -E2BIG;
	if (list->len)
		berth_str_add(list, ",");
	berth_str_add(list, origin);
	return 0;
}

/* -1: what it names shows no pages. */
static int find_scheme(const char *scheme)
{
	for (size_t i = 0; i < BERTH_ARRAY_SIZE(page_schemes); i++)
		if (strcmp(page_schemes[i].scheme, scheme) == 0)
			return (int)i;
	return -1;
}

int berth_origins_add_port(struct berth_str *list, const char *scheme, uint16_t port)
{
	int known = find_scheme(scheme);
	char origin[64];
	int r = 0;

	if (known < 0 || !port)
		return 0;
	for (size_t i = 0; i < BERTH_ARRAY_SIZE(hosts) && r == 0; i++) {
		if (port == page_schemes[known].port)
			snprintf(origin, sizeof(origin), "%s://%s", scheme, hosts[i]);
		else
			snprintf(origin, sizeof(origin), "%s://%s:%u", scheme, hosts[i], port);
		r = add(list, origin);
	}
	return r;
}

int berth_origins_add_service(struct berth_str *list, const char *scheme, uint16_t port,
			      uint16_t asked)
{
	int r = berth_origins_add_port(list, scheme, port);

	return r == 0 ? berth_origins_add_port(list, scheme, asked) : r;
}

static bool is_scheme(const char *text, size_t len)
{
	static const char digits[] = "+-.0123456789";

	if (len == 0)
		return false;
	for (size_t i = 0; i < len; i++)
		if (!((text[i] | 0x20) >= 'a' && (text[i] | 0x20) <= 'z') &&
		    (i == 0 || !text[i] || !strchr(digits, text[i])))
			return false;
	return true;
}

/* A name, an IPv4 address, or an IPv6 address in brackets. Its length; 0: none. */
static size_t host_len(const char *text)
{
	static const char name[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				   "0123456789-_.";
	size_t len;

	if (*text != '[')
		return strspn(text, name);
	len = 1 + strspn(text + 1, "0123456789abcdefABCDEF:.");
	return len > 2 && text[len] == ']' ? len + 1 : 0;
}

bool berth_origins_is_valid(const char *origin)
{
	const char *host = strstr(origin, "://");
	size_t len;
	uint16_t port;

	if (strlen(origin) >= ORIGIN_SIZE || !host || !is_scheme(origin, (size_t)(host - origin)))
		return false;
	host += strlen("://");
	len = host_len(host);
	if (len == 0)
		return false;
	if (host[len] == '\0')
		return true;
	return host[len] == ':' && host[len + 1] >= '0' && host[len + 1] <= '9' &&
	       berth_parse_port(host + len + 1, &port) == 0;
}

int berth_origins_add(struct berth_str *list, const char *origin)
{
	return berth_origins_is_valid(origin) ? add(list, origin) : -EINVAL;
}
