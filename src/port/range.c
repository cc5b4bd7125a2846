/* SPDX-License-Identifier: MIT */
/* port/range.c - a span of port numbers */
#include "port/range.h"

#include <errno.h>

/* The digits at *@text, which is moved behind them. */
static int scan_port(const char **text, uint16_t *ret_port)
{
	const char *p = *text;
	uint32_t value = 0;

	if (*p < '0' || *p > '9')
		return -EINVAL;
	for (; *p >= '0' && *p <= '9'; p++) {
		/* Stays too large, whatever follows. */
		if (value <= UINT16_MAX)
			value = value * 10 + (uint32_t)(*p - '0');
	}
	*text = p;
	if (value == 0 || value > UINT16_MAX)
		return -ERANGE;
	*ret_port = (uint16_t)value;
	return 0;
}

static int scan_range(const char **text, struct berth_range *ret_range)
{
	struct berth_range range;
	int r, r_hi;

	r = scan_port(text, &range.lo);
	if (r == -EINVAL)
		return r;
	range.hi = range.lo;
	if (**text == '-') {
		(*text)++;
		r_hi = scan_port(text, &range.hi);
		if (r_hi == -EINVAL || r == 0)
			r = r_hi;
	}
	if (r < 0)
		return r;
	if (range.lo > range.hi)
		return -ERANGE;
	*ret_range = range;
	return 0;
}

int berth_range_parse(const char *text, struct berth_range *ret_range)
{
	struct berth_range range;
	int r;

	if (*text == ':')
		text++;
	r = scan_range(&text, &range);
	if (r == -EINVAL || *text)
		return -EINVAL;
	if (r < 0)
		return r;
	*ret_range = range;
	return 0;
}

bool berth_range_has(const struct berth_range *range, uint16_t port)
{
	return range->lo != 0 && port >= range->lo && port <= range->hi;
}

void berth_portset_add(struct berth_portset *set, struct berth_range range)
{
	if (range.lo == 0)
		return;
	for (uint32_t port = range.lo; port <= range.hi; port++)
		set->bits[port / 64] |= UINT64_C(1) << port % 64;
}

bool berth_portset_has(const struct berth_portset *set, uint16_t port)
{
	return set->bits[port / 64] >> port % 64 & 1;
}

static const char *skip_blanks(const char *text)
{
	while (*text == ' ' || *text == '\t' || *text == '\n')
		text++;
	return text;
}

/* Read the list and, if there is a set, add to it. */
static int scan_list(const char *text, struct berth_portset *set)
{
	text = skip_blanks(text);
	if (!*text)
		return 0;
	for (;;) {
		struct berth_range range;
		int r;

		r = scan_range(&text, &range);
		if (r < 0)
			return r;
		if (set)
			berth_portset_add(set, range);
		text = skip_blanks(text);
		if (!*text)
			return 0;
		if (*text != ',')
			return -EINVAL;
		text = skip_blanks(text + 1);
	}
}

int berth_portset_parse(const char *text, struct berth_portset *set)
{
	int r;

	/* Twice, so that a slip at the end of the list leaves the set as it was. */
	r = scan_list(text, NULL);
	return r < 0 ? r : scan_list(text, set);
}
