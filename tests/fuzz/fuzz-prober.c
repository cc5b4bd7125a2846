/* SPDX-License-Identifier: MIT */
/* fuzz/fuzz-prober.c - whatever answers a probe has a status or none, however it is cut in pieces */
#include "fuzz.h"

#include <errno.h>

#include "app/prober.h"

/* From a block of exactly that size, so that a read behind it is seen. */
static int parse(const uint8_t *data, size_t size, unsigned int *ret_status)
{
	char *text = malloc(size ? size : 1);
	int r;

	MUST(text);
	if (size)
		memcpy(text, data, size);
	r = berth_prober_parse_status(text, size, ret_status);
	free(text);
	return r;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	unsigned int whole = 12345, part;
	int r = parse(data, size, &whole), s;

	MUST(r == 0 || r == -EAGAIN || r == -EPROTO);
	MUST(r == 0 ? whole == 101 || (whole >= 200 && whole <= 999) : whole == 12345);
	/* What is known of a part stays true when more comes. */
	for (size_t len = 0; len < size && len < 512; len++) {
		part = 12345;
		s = parse(data, len, &part);
		MUST(s == -EAGAIN || (s == r && part == whole));
	}
	return 0;
}
