/* SPDX-License-Identifier: MIT */
/* helpers/histogram.h - the percentiles of any number of times, in a fixed amount of memory */
/*
 * Powers of two of microseconds, in 64 steps each: a time is told to 1.6 %. The longest is kept exactly.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

enum {
	HISTOGRAM_STEPS_LOG2 = 6,
	HISTOGRAM_STEPS = 1 << HISTOGRAM_STEPS_LOG2,
	HISTOGRAM_BUCKETS = HISTOGRAM_STEPS * 32,
};

struct histogram {
	uint64_t buckets[HISTOGRAM_BUCKETS];
	uint64_t count;
	int64_t longest;
};

static inline void histogram_add(struct histogram *histogram, int64_t ns)
{
	uint64_t us = (uint64_t)(ns / 1000) | 1;
	int octave = 63 - __builtin_clzll(us);
	size_t index = us;

	if (octave >= HISTOGRAM_STEPS_LOG2)
		index = (size_t)(octave - HISTOGRAM_STEPS_LOG2) * HISTOGRAM_STEPS +
			(us >> (octave - HISTOGRAM_STEPS_LOG2));
	if (index >= HISTOGRAM_BUCKETS)
		index = HISTOGRAM_BUCKETS - 1;
	histogram->buckets[index]++;
	histogram->count++;
	if (ns > histogram->longest)
		histogram->longest = ns;
}

/* The time, in milliseconds, that a @share of them (0 to 1) does not exceed. */
static inline double histogram_ms(const struct histogram *histogram, double share)
{
	uint64_t wanted = (uint64_t)((double)histogram->count * share), seen = 0;
	double longest = (double)histogram->longest / 1e6;

	for (size_t i = 0; i < HISTOGRAM_BUCKETS; i++) {
		size_t octave = i / HISTOGRAM_STEPS ? i / HISTOGRAM_STEPS - 1 : 0;
		double ms = (double)((i + 1 - octave * HISTOGRAM_STEPS) << octave) / 1000;

		seen += histogram->buckets[i];
		if (seen > wanted)
			return ms < longest ? ms : longest;
	}
	return longest;
}
