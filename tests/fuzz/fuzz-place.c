/* SPDX-License-Identifier: MIT */
/* fuzz/fuzz-place.c - any path of a cgroup is a place with printable names, or none */
#include "fuzz.h"

#include "base/str.h"
#include "look/place.h"

static void check(const struct berth_place *place)
{
	char printable[4 * sizeof(place->unit)];

	MUST(memchr(place->unit, '\0', sizeof(place->unit)));
	MUST(memchr(place->container, '\0', sizeof(place->container)));
	MUST(memchr(place->engine, '\0', sizeof(place->engine)));
	MUST(!place->container[0] == !place->engine[0]);
	MUST(!place->monitor || place->container[0]);
	MUST(!place->user_unit || place->unit[0]);
	berth_str_printable(place->unit, (size_t)-1, printable, sizeof(printable));
	MUST(strcmp(place->unit, printable) == 0);
	berth_str_printable(place->container, (size_t)-1, printable, sizeof(printable));
	MUST(strcmp(place->container, printable) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct berth_place place;
	char *text = fuzz_text(data, size);

	memset(&place, 0xa5, sizeof(place));
	berth_place_parse(text, &place);
	check(&place);
	memset(&place, 0xa5, sizeof(place));
	berth_place_parse_file(text, &place);
	check(&place);
	free(text);
	return 0;
}
