/* SPDX-License-Identifier: MIT */
/* fuzz/fuzz-units.c - whatever systemctl(1) says, a unit that is found has a printable name */
#include "fuzz.h"

#include "base/str.h"
#include "look/units.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char unit[64], service[64], printable[256];
	char *bytes = malloc(size ? size : 1);

	MUST(bytes);
	if (size)
		memcpy(bytes, data, size);
	if (berth_units_parse(bytes, size, 22, unit, sizeof(unit), service, sizeof(service))) {
		MUST(memchr(unit, '\0', sizeof(unit)) && unit[0]);
		MUST(memchr(service, '\0', sizeof(service)));
		berth_str_printable(unit, (size_t)-1, printable, sizeof(printable));
		MUST(strcmp(unit, printable) == 0);
		berth_str_printable(service, (size_t)-1, printable, sizeof(printable));
		MUST(strcmp(service, printable) == 0);
	}
	free(bytes);
	return 0;
}
