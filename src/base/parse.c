/* SPDX-License-Identifier: MIT */
/* base/parse.c - numbers and durations from text, whole string or nothing */
#include "base/parse.h"

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <string.h>

enum {
	MS_SECOND = 1000,
	MS_MINUTE = 60 * MS_SECOND,
	MS_HOUR = 60 * MS_MINUTE
};
enum {
	MS_DAY = 24 * MS_HOUR
};

static const int64_t duration_max = (int64_t)366 * MS_DAY;

/* From the longest to the shortest: the order in which they may follow one another. */
static const struct {
	const char *name;
	int64_t ms;
} units[] = {
	{ "d", MS_DAY }, { "h", MS_HOUR }, { "m", MS_MINUTE }, { "s", MS_SECOND }, { "ms", 1 },
};

/* Not isdigit(3): a locale has no say here. */
static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_letter(char c)
{
	return c >= 'a' && c <= 'z';
}

int berth_parse_u64(const char *text, uint64_t max, uint64_t *ret_value)
{
	uint64_t value = 0;
	bool over = false;

	if (!*text)
		return -EINVAL;
	for (; *text; text++) {
		if (!is_digit(*text))
			return -EINVAL;
		/* Read on after an overflow: what follows may show that it is no number. */
		over |= __builtin_mul_overflow(value, 10, &value);
		over |= __builtin_add_overflow(value, (uint64_t)(*text - '0'), &value);
	}
	if (over || value > max)
		return -ERANGE;
	*ret_value = value;
	return 0;
}

int berth_parse_port(const char *text, uint16_t *ret_port)
{
	uint64_t value;
	int r;

	r = berth_parse_u64(*text == ':' ? text + 1 : text, UINT16_MAX, &value);
	if (r < 0)
		return r;
	if (value == 0)
		return -ERANGE;
	*ret_port = (uint16_t)value;
	return 0;
}

/* One "1.5" of a duration: the whole part and billionths behind the point. Advances *@text. */
static int parse_decimal(const char **text, int64_t *ret_whole, int64_t *ret_billionths)
{
	const char *p = *text;
	int64_t whole = 0, billionths = 0;

	if (!is_digit(*p))
		return -EINVAL;
	for (; is_digit(*p); p++) {
		/* More than the maximum in ms is too much in any unit. */
		if (whole <= duration_max)
			whole = whole * 10 + (*p - '0');
	}
	if (*p == '.') {
		int64_t digit = 100000000;

		if (!is_digit(*++p))
			return -EINVAL;
		for (; is_digit(*p); p++, digit /= 10)
			billionths += (*p - '0') * digit;
	}
	*text = p;
	*ret_whole = whole;
	*ret_billionths = billionths;
	return 0;
}

/* Which of @units, from @first on, stands at @text; -1: none. Advances *@text. */
static int parse_unit(const char **text, size_t first)
{
	size_t len = 0;

	while (is_letter((*text)[len]))
		len++;
	for (size_t i = first; i < BERTH_ARRAY_SIZE(units); i++) {
		if (strlen(units[i].name) == len && !memcmp(units[i].name, *text, len)) {
			*text += len;
			return (int)i;
		}
	}
	return -1;
}

int berth_parse_duration(const char *text, int64_t unit_ms, int64_t *ret_ms)
{
	size_t next_unit = 0;
	int64_t total = 0;

	assert(unit_ms > 0 && unit_ms <= MS_DAY);
	do {
		const char *begin = text;
		int64_t whole, billionths, ms;
		int r, unit;

		r = parse_decimal(&text, &whole, &billionths);
		if (r < 0)
			return r;
		if (!*text && next_unit == 0) {
			ms = unit_ms;
		} else {
			unit = parse_unit(&text, next_unit);
			if (unit < 0)
				return -EINVAL;
			ms = units[unit].ms;
			next_unit = (size_t)unit + 1;
		}
		/* "1.5h30m" is a slip more often than a wish. */
		if (*text && memchr(begin, '.', (size_t)(text - begin)))
			return -EINVAL;
		if (whole > duration_max / ms)
			whole = duration_max / ms + 1;
		total += whole * ms + billionths * ms / 1000000000;
	} while (*text);

	if (total > duration_max)
		return -ERANGE;
	*ret_ms = total;
	return 0;
}
