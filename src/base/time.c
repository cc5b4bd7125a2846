/* SPDX-License-Identifier: MIT */
/* base/time.c - times as values: ms since the epoch for people, monotonic ns for deadlines */
#include "base/time.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

/* The years that RFC 3339 can write, 0000 to 9999. */
static const int64_t first_ms = -62167219200000;
static const int64_t last_ms = 253402300799999;

static const char *const months[] = {
	"Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
};

int64_t berth_time_now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / BERTH_NS_PER_MS;
}

int64_t berth_time_mono_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * BERTH_NS_PER_S + now.tv_nsec;
}

/* Split towards the past, so that the rest is never negative. */
static time_t split_ms(int64_t ms, int *ret_rest)
{
	int rest;

	if (ms < first_ms)
		ms = first_ms;
	if (ms > last_ms)
		ms = last_ms;
	rest = (int)(ms % 1000);
	if (rest < 0)
		rest += 1000;
	*ret_rest = rest;
	return (time_t)((ms - rest) / 1000);
}

const char *berth_time_format(int64_t ms, char buf[BERTH_TIME_RFC3339_SIZE])
{
	struct tm tm;
	time_t seconds;
	int rest;

	seconds = split_ms(ms, &rest);
	gmtime_r(&seconds, &tm);
	snprintf(buf, BERTH_TIME_RFC3339_SIZE, "%04u-%02u-%02uT%02u:%02u:%02u.%03uZ",
		 (unsigned int)(tm.tm_year + 1900) % 10000, (unsigned int)(tm.tm_mon + 1) % 100,
		 (unsigned int)tm.tm_mday % 100, (unsigned int)tm.tm_hour % 100,
		 (unsigned int)tm.tm_min % 100, (unsigned int)tm.tm_sec % 100,
		 (unsigned int)rest % 1000);
	return buf;
}

/* @len digits, which the caller has seen to be digits. */
static int number_at(const char *digits, size_t len)
{
	int value = 0;

	for (size_t i = 0; i < len; i++)
		value = value * 10 + (digits[i] - '0');
	return value;
}

int berth_time_parse(const char *text, int64_t *ret_ms)
{
	static const char form[] = "0000-00-00T00:00:00.000Z";
	char again[BERTH_TIME_RFC3339_SIZE];
	struct tm tm = { 0 };
	int64_t ms;

	for (size_t i = 0; i < sizeof(form); i++) {
		bool digit = text[i] >= '0' && text[i] <= '9';

		if (form[i] == '0' ? !digit : text[i] != form[i])
			return -EINVAL;
	}
	tm.tm_year = number_at(text, 4) - 1900;
	tm.tm_mon = number_at(text + 5, 2) - 1;
	tm.tm_mday = number_at(text + 8, 2);
	tm.tm_hour = number_at(text + 11, 2);
	tm.tm_min = number_at(text + 14, 2);
	tm.tm_sec = number_at(text + 17, 2);
	ms = (int64_t)timegm(&tm) * 1000 + number_at(text + 20, 3);

	/* timegm() makes 2 March of 30 February: what comes back changed was no date. */
	if (strcmp(berth_time_format(ms, again), text))
		return -EINVAL;
	*ret_ms = ms;
	return 0;
}

const char *berth_time_clock(int64_t ms, int64_t now_ms, char buf[BERTH_TIME_RFC3339_SIZE])
{
	struct tm then, today;
	time_t seconds;
	int rest;

	seconds = split_ms(ms, &rest);
	localtime_r(&seconds, &then);
	seconds = split_ms(now_ms, &rest);
	localtime_r(&seconds, &today);
	if (then.tm_year == today.tm_year && then.tm_yday == today.tm_yday)
		snprintf(buf, BERTH_TIME_RFC3339_SIZE, "%02d:%02d", then.tm_hour, then.tm_min);
	else
		snprintf(buf, BERTH_TIME_RFC3339_SIZE, "%s %d %02d:%02d", months[then.tm_mon],
			 then.tm_mday, then.tm_hour, then.tm_min);
	return buf;
}

const char *berth_time_age(int64_t duration_ms, char buf[BERTH_TIME_AGE_SIZE])
{
	static const struct {
		const char *name;
		int64_t ms;
	} units[] = {
		{ "d", 24 * 60 * 60 * 1000 },
		{ "h", 60 * 60 * 1000 },
		{ "min", 60 * 1000 },
		{ "s", 1000 },
	};
	size_t i = 0;

	if (duration_ms < 0)
		duration_ms = 0;
	if (duration_ms > last_ms)
		duration_ms = last_ms;
	while (i + 1 < BERTH_ARRAY_SIZE(units) && duration_ms < units[i].ms)
		i++;
	snprintf(buf, BERTH_TIME_AGE_SIZE, "%d %s", (int)(duration_ms / units[i].ms),
		 units[i].name);
	return buf;
}
