/* SPDX-License-Identifier: MIT */
/* base/value.c - values that are neither numbers nor words: signals, sizes, durations, limits */
#include "base/value.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/parse.h"
#include "base/str.h"

enum {
	STANDARD_SIGNALS = 32, /* 1 to 31 have names */
	SECOND_MS = 1000,
	NUMBER_MAX = 24, /* bytes of any number that fits, with NUL */
};

static const char *without_sig(const char *text)
{
	return strncasecmp(text, "SIG", 3) == 0 ? text + 3 : text;
}

/* "RTMIN", "RTMIN+3", "RTMAX-1": where they begin and end is known at run time only. */
static int realtime_signal(const char *name, int *ret_signal)
{
	bool from_end = strncasecmp(name, "RTMAX", 5) == 0;
	uint64_t distance = 0;

	if (!from_end && strncasecmp(name, "RTMIN", 5) != 0)
		return -EINVAL;
	if (name[5] && (name[5] != (from_end ? '-' : '+') ||
			berth_parse_u64(name + 6, (uint64_t)(SIGRTMAX - SIGRTMIN), &distance) < 0))
		return -EINVAL;
	*ret_signal = from_end ? SIGRTMAX - (int)distance : SIGRTMIN + (int)distance;
	return 0;
}

int berth_value_signal(const char *text, int *ret_signal)
{
	const char *name = without_sig(text);
	uint64_t number;

	if (berth_parse_u64(text, (uint64_t)SIGRTMAX, &number) == 0) {
		if (number == 0)
			return -EINVAL;
		*ret_signal = (int)number;
		return 0;
	}
	for (int signo = 1; signo < STANDARD_SIGNALS; signo++) {
		const char *known = sigabbrev_np(signo);

		if (!known || strcasecmp(known, name) != 0)
			continue;
		*ret_signal = signo;
		return 0;
	}
	return realtime_signal(name, ret_signal);
}

const char *berth_value_closest_signal(const char *text)
{
	const char *names[STANDARD_SIGNALS];
	size_t count = 0;

	for (int signo = 1; signo < STANDARD_SIGNALS; signo++)
		if (sigabbrev_np(signo))
			names[count++] = sigabbrev_np(signo);
	names[count] = NULL;
	return berth_str_closest(without_sig(text), names);
}

/* ---- sizes ---- */

static const struct {
	char letter;
	int shift;
} size_units[] = { { 'G', 30 }, { 'M', 20 }, { 'K', 10 } };

int berth_value_size(const char *text, int64_t *ret_bytes)
{
	size_t digits = strspn(text, "0123456789");
	const char *unit = text + digits;
	char number[NUMBER_MAX];
	uint64_t value;
	int shift = 0, r;

	if (digits >= sizeof(number))
		return -ERANGE;
	snprintf(number, sizeof(number), "%.*s", (int)digits, text);
	r = berth_parse_u64(number, INT64_MAX, &value);
	if (r < 0)
		return r;
	for (size_t i = 0; *unit && !shift && i < BERTH_ARRAY_SIZE(size_units); i++)
		if ((*unit & ~0x20) == size_units[i].letter)
			shift = size_units[i].shift;
	if (shift)
		unit++;
	if (*unit && strcasecmp(unit, "B") != 0 && (!shift || strcasecmp(unit, "iB") != 0))
		return -EINVAL;
	if (value > (uint64_t)INT64_MAX >> shift)
		return -ERANGE;
	*ret_bytes = (int64_t)(value << shift);
	return 0;
}

const char *berth_value_format_size(int64_t bytes, char buf[32])
{
	for (size_t i = 0; i < BERTH_ARRAY_SIZE(size_units); i++) {
		int64_t unit = INT64_C(1) << size_units[i].shift;

		if (bytes == 0 || bytes % unit)
			continue;
		snprintf(buf, 32, "%lld%c", (long long)(bytes / unit), size_units[i].letter);
		return buf;
	}
	snprintf(buf, 32, "%lld", (long long)bytes);
	return buf;
}

/* ---- durations ---- */

static const struct {
	const char *name;
	int64_t ms;
} time_units[] = {
	{ "d", 24 * 3600 * 1000 }, { "h", 3600 * 1000 }, { "m", 60 * 1000 }, { "s", 1000 }
};

const char *berth_value_format_duration(int64_t ms, char buf[32])
{
	for (size_t i = 0; i < BERTH_ARRAY_SIZE(time_units); i++) {
		if (ms == 0 || ms % time_units[i].ms)
			continue;
		snprintf(buf, 32, "%lld%s", (long long)(ms / time_units[i].ms), time_units[i].name);
		return buf;
	}
	snprintf(buf, 32, ms ? "%lldms" : "%lld", (long long)ms);
	return buf;
}

/* ---- limits ---- */

int berth_value_limit(const char *text, unsigned int max, struct berth_value_limit *ret_limit)
{
	const char *slash = strchr(text, '/');
	char number[NUMBER_MAX];
	uint64_t count;
	int64_t ms;
	int r;

	if (strcmp(text, "none") == 0) {
		*ret_limit = (struct berth_value_limit){ 0 };
		return 0;
	}
	if (!slash || (size_t)(slash - text) >= sizeof(number))
		return -EINVAL;
	snprintf(number, sizeof(number), "%.*s", (int)(slash - text), text);
	r = berth_parse_u64(number, max, &count);
	if (r == 0)
		r = berth_parse_duration(slash + 1, SECOND_MS, &ms);
	if (r < 0)
		return r;
	if (count == 0 || ms == 0)
		return -ERANGE;
	*ret_limit = (struct berth_value_limit){ (unsigned int)count, ms };
	return 0;
}

const char *berth_value_format_limit(const struct berth_value_limit *limit, char buf[48])
{
	char time[32];

	if (limit->count == 0)
		snprintf(buf, 48, "none");
	else
		snprintf(buf, 48, "%u/%s", limit->count,
			 berth_value_format_duration(limit->ms, time));
	return buf;
}
