/* SPDX-License-Identifier: MIT */
/* fuzz/fuzz-parse.c - numbers, ports, durations and times from any text */
#include "fuzz.h"

#include "base/parse.h"
#include "base/time.h"

static void try_number(const char *text)
{
	char buf[32];
	uint64_t value = 0, again = 0;

	if (berth_parse_u64(text, UINT64_MAX, &value) < 0)
		return;
	snprintf(buf, sizeof(buf), "%llu", (unsigned long long)value);
	MUST(berth_parse_u64(buf, value, &again) == 0 && again == value);
	MUST(strspn(text, "0123456789") == strlen(text));
	MUST(value == 0 || berth_parse_u64(text, value - 1, &again) < 0);
}

static void try_port(const char *text)
{
	uint64_t value = 0;
	uint16_t port = 0;

	if (berth_parse_port(text, &port) < 0)
		return;
	MUST(port > 0);
	MUST(berth_parse_u64(text + (*text == ':'), UINT16_MAX, &value) == 0 && value == port);
}

static void try_duration(const char *text)
{
	const int64_t day = 86400000;
	const int64_t units[] = { 1, 1000, day };

	for (size_t i = 0; i < BERTH_ARRAY_SIZE(units); i++) {
		int64_t ms = -1;

		if (berth_parse_duration(text, units[i], &ms) == 0)
			MUST(ms >= 0 && ms <= 366 * day);
		else
			MUST(ms == -1);
	}
}

static void try_time(const char *text)
{
	char buf[BERTH_TIME_RFC3339_SIZE], age[BERTH_TIME_AGE_SIZE];
	int64_t ms = 0;

	if (berth_time_parse(text, &ms) == 0)
		MUST(!strcmp(berth_time_format(ms, buf), text));
	if (strlen(text) >= sizeof(ms)) {
		memcpy(&ms, text, sizeof(ms));
		MUST(berth_time_parse(berth_time_format(ms, buf), &ms) == 0);
		MUST(strlen(berth_time_age(ms, age)) < sizeof(age));
		MUST(strlen(berth_time_clock(ms, -ms, buf)) < sizeof(buf));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	BERTH_AUTO_FREE char *text = fuzz_text(data, size);

	try_number(text);
	try_port(text);
	try_duration(text);
	try_time(text);
	return 0;
}
